/** The ring against a queue: any sequence of operations by both sides, from any position, sleeping or awake. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RING_EMPTY, RING_FULL, RingConsumer, RingProducer } from '../../src/ring/spsc-ring.ts';
import { type Attached, type Bench, STARTS, assertCanaries, attach, readIndices, setUp } from './fixture.ts';

const SLOT_BYTES = 16;

/** Counts are ever growing plain integers; `values` holds what each of the positions was filled with. */
interface Model {
  readonly slots: number;
  readonly start: number;
  readonly values: number[];
  reserved: number;
  published: number;
  /** Slots that the consumer has taken. */
  taken: number;
  released: number;
  consumerSleeps: boolean;
  producerSleeps: boolean;
  producerWaits: boolean;
  written: number;
}

interface Real extends Attached {
  readonly bench: Bench;
  producer: RingProducer;
  consumer: RingConsumer;
}

type Command = fc.Command<Model, Real>;

function compare(model: Model, real: Real): void {
  expect(readIndices(real.bench)).toEqual({
    tail: (model.start + model.published) | 0,
    head: (model.start + model.released) | 0,
  });
  expect(real.producer.pending).toBe(model.reserved !== model.published);
  expect(real.producer.corrupt).toBe(false);
  expect(real.consumer.corrupt).toBe(false);
  assertCanaries(real.bench);
}

function command(name: string, run: (model: Model, real: Real) => void, check?: (model: Model) => boolean): Command {
  return {
    check: model => check?.(model) ?? true,
    run: (model, real) => {
      run(model, real);
      compare(model, real);
    },
    toString: () => name,
  };
}

/** Fills a slot, as the producer, and notes with what. */
function fillSlot(model: Model, { bench }: Real, address: number): void {
  const value = ++model.written;
  for (let word = 0; word < SLOT_BYTES / 4; word++) bench.memory.i32[(address >> 2) + word] = value * 4 + word;
  model.values[model.reserved++] = value;
}

/** Checks that a slot holds what the next position was filled with. */
function checkSlot(model: Model, { bench }: Real, address: number): void {
  const value = model.values[model.taken++]!;
  const words = [...bench.memory.i32.subarray(address >> 2, (address + SLOT_BYTES) >> 2)];
  expect(words).toEqual([value * 4, value * 4 + 1, value * 4 + 2, value * 4 + 3]);
}

/** Slots from a position to where the ring wraps. */
function untilWrap({ start, slots }: Model, position: number): number {
  return slots - ((start + position) & (slots - 1));
}

const reserve = (count: number): Command =>
  command(`reserve(${count})`, (model, real) => {
    for (let i = 0; i < count; i++) {
      const address = real.producer.reserve();
      if (model.reserved - model.released === model.slots) {
        expect(address).toBe(RING_FULL);
        return;
      }
      expect(address).not.toBe(RING_FULL);
      fillSlot(model, real, address);
    }
  });

const reserveRun = (max: number): Command =>
  command(`reserveRun(${max})`, (model, real) => {
    const free = model.slots - (model.reserved - model.released);
    const count = real.producer.reserveRun(max);
    expect(count, 'all that is wanted, free and in a run').toBe(Math.min(max, free, untilWrap(model, model.reserved)));
    for (let i = 0; i < count; i++) fillSlot(model, real, real.producer.runAddress + i * SLOT_BYTES);
  });

const next = (count: number): Command =>
  command(`next(${count})`, (model, real) => {
    for (let i = 0; i < count; i++) {
      const address = real.consumer.next();
      if (model.taken === model.published) {
        expect(address).toBe(RING_EMPTY);
        return;
      }
      expect(address).not.toBe(RING_EMPTY);
      checkSlot(model, real, address);
    }
  });

const nextRun = (max: number): Command =>
  command(`nextRun(${max})`, (model, real) => {
    const there = model.published - model.taken;
    const count = real.consumer.nextRun(max);
    expect(count, 'all that is wanted, there and in a run').toBe(Math.min(max, there, untilWrap(model, model.taken)));
    for (let i = 0; i < count; i++) checkSlot(model, real, real.consumer.runAddress + i * SLOT_BYTES);
  });

const commit = command('commit', (model, { producer }) => {
  const verdict = model.reserved > model.published && model.consumerSleeps;
  expect(producer.commit(), 'the doorbell verdict').toBe(verdict);
  model.published = model.reserved;
});

const revert = command('revert', (model, { producer }) => {
  producer.revert();
  model.reserved = model.published;
});

const release = command('release', (model, { consumer }) => {
  const verdict = model.taken > model.released && model.producerWaits && model.producerSleeps;
  expect(consumer.release(), 'the doorbell verdict').toBe(verdict);
  model.released = model.taken;
});

const unread = command(
  'unread',
  (model, { consumer }) => {
    consumer.unread();
    model.taken--;
  },
  model => model.taken > model.released,
);

const unreadNothing = command(
  'unread nothing',
  (_, { consumer }) => expect(() => consumer.unread()).toThrow('a slot was taken'),
  model => model.taken === model.released,
);

const free = command('free', (model, { producer }) =>
  expect(producer.free()).toBe(model.slots - (model.reserved - model.released)),
);

const hasWork = command('hasWork', (model, { consumer }) =>
  expect(consumer.hasWork()).toBe(model.published > model.taken),
);

const consumerAnnounces = command('consumer announces', (model, { consumerSleeper }) => {
  consumerSleeper.announce();
  model.consumerSleeps = true;
});

const consumerAwakes = command('consumer awakes', (model, { consumerSleeper }) => {
  consumerSleeper.awake();
  model.consumerSleeps = false;
});

const producerAnnounces = command('producer announces', (model, { producerSleeper }) => {
  producerSleeper.announce();
  model.producerSleeps = true;
});

const producerAwakes = command('producer awakes', (model, { producerSleeper }) => {
  producerSleeper.awake();
  model.producerSleeps = false;
});

const announceWait = command('announceWait', (model, { producer }) => {
  const full = model.reserved - model.released === model.slots;
  expect(producer.announceWait(), 'waits only while the ring is full').toBe(full);
  model.producerWaits = full;
});

const cancelWait = command('cancelWait', (model, { producer }) => {
  producer.cancelWait();
  model.producerWaits = false;
});

const setWaiting = (waiting: boolean): Command =>
  command(`setWaiting(${waiting})`, (model, { producer }) => {
    producer.setWaiting(waiting);
    model.producerWaits = waiting;
  });

const attachAgain = command('attach again', (model, real) => {
  real.producer = new RingProducer(real.bench.memory, real.bench.ring, real.toConsumer);
  real.consumer = new RingConsumer(real.bench.memory, real.bench.ring, real.toProducer);
  // What was not committed or released is as if it had never happened.
  model.reserved = model.published;
  model.taken = model.released;
});

const fixed = [
  commit,
  commit,
  release,
  release,
  revert,
  unread,
  unreadNothing,
  free,
  hasWork,
  announceWait,
  cancelWait,
  setWaiting(true),
  setWaiting(false),
];
const sleeping = [consumerAnnounces, consumerAwakes, producerAnnounces, producerAwakes, attachAgain];
const commands = fc.commands(
  [
    fc.integer({ min: 1, max: 20 }).map(reserve),
    fc.integer({ min: 1, max: 20 }).map(reserveRun),
    fc.integer({ min: 1, max: 20 }).map(next),
    fc.integer({ min: 1, max: 20 }).map(nextRun),
    ...[...fixed, ...sleeping].map(each => fc.constant(each)),
  ],
  { maxCommands: 150, size: 'max' },
);

describe('ring', () => {
  it('is a queue, from any position, and its doorbell verdicts are those of the model', { timeout: 60_000 }, () => {
    const start = fc.oneof(fc.constantFrom(...STARTS), fc.integer());
    fc.assert(
      fc.property(start, fc.constantFrom(1, 2, 4, 16), commands, (from, slots, script) => {
        const bench = setUp({ slots, slotBytes: SLOT_BYTES }, from);
        const model: Model = {
          slots,
          start: from,
          values: [],
          reserved: 0,
          published: 0,
          taken: 0,
          released: 0,
          consumerSleeps: false,
          producerSleeps: false,
          producerWaits: false,
          written: 0,
        };
        fc.modelRun(() => ({ model, real: { bench, ...attach(bench) } }), script);
      }),
      { numRuns: 300 },
    );
  });
});
