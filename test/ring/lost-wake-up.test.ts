/**
 * The law that loses no wake-up, tried at every point: while one side goes to sleep, the other does all of its work right
 * before the first, second, … atomic access of the sleeper, or between two of its steps; and the other way round. These
 * are the orders that a sequentially consistent memory can produce when one side is faster than the other.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SleepResult } from '../../src/ring/doorbell.ts';
import { RING_FULL } from '../../src/ring/spsc-ring.ts';
import { type Attached, attach, setUp } from './fixture.ts';

const shape = { slots: 2, slotBytes: 16 };
/** More atomic accesses than either side makes; the test checks that this is so. */
const POINTS = 16;

afterEach(() => vi.restoreAllMocks());

/**
 * Runs `intruder` once, right before the n-th atomic access of `victim`. False if the victim made fewer before it slept:
 * what happens after its sleep has ended cannot be slept over.
 */
function interrupt(victim: () => void, point: number, intruder: () => void): boolean {
  let accesses = 0;
  let done = false;
  let slept = false;
  const before = (): void => {
    if (done || slept || accesses++ !== point) return;
    done = true;
    intruder();
  };
  for (const name of ['load', 'store', 'add', 'notify', 'wait'] as const) {
    const original = Atomics[name] as (...parameters: unknown[]) => unknown;
    const spy = (...parameters: unknown[]): unknown => {
      before();
      slept ||= name === 'wait';
      return original(...parameters);
    };
    vi.spyOn(Atomics, name).mockImplementation(spy as never);
  }
  victim();
  vi.restoreAllMocks();
  return done;
}

function publish({ producer, toConsumer }: Attached): void {
  producer.reserve();
  if (producer.commit()) toConsumer.ring();
}

/** What the consumer does when it finds its ring empty. True if it would sleep for ever with work in the ring. */
function consumerSleepsOver({ consumer, consumerSleeper }: Attached): boolean {
  consumerSleeper.announce();
  if (consumer.hasWork()) {
    consumerSleeper.awake();
    return false;
  }
  return consumerSleeper.wait(0) === SleepResult.TimedOut;
}

function makeRoom({ consumer, toProducer }: Attached): void {
  consumer.next();
  if (consumer.release()) toProducer.ring();
}

/** What the producer does when it finds its ring full. */
function producerSleepsOver({ producer, producerSleeper }: Attached): boolean {
  producerSleeper.announce();
  if (!producer.announceWait()) {
    producerSleeper.awake();
    return false;
  }
  const result = producerSleeper.wait(0);
  producer.cancelWait();
  return result === SleepResult.TimedOut;
}

/** As a poll loop does it: the step that found the ring full says so, then comes sleep with a look at the room. */
function steppingProducerSleepsOver({ producer, producerSleeper }: Attached): boolean {
  producer.setWaiting(true);
  producerSleeper.announce();
  if (producer.free() > 0) {
    producerSleeper.awake();
    return false;
  }
  return producerSleeper.wait(0) === SleepResult.TimedOut;
}

function empty(): Attached {
  return attach(setUp(shape, -1));
}

function full(): Attached {
  const sides = attach(setUp(shape, -1));
  while (sides.producer.reserve() !== RING_FULL);
  sides.producer.commit();
  return sides;
}

/** A full ring whose producer said earlier, while awake, that it waits. */
function fullAndWaiting(): Attached {
  const sides = full();
  sides.producer.setWaiting(true);
  return sides;
}

describe.each([
  ['consumer on an empty ring', empty, consumerSleepsOver, publish],
  ['producer on a full ring', full, producerSleepsOver, makeRoom],
  ['producer that waits in steps', full, steppingProducerSleepsOver, makeRoom],
  ['producer that waits already', fullAndWaiting, producerSleepsOver, makeRoom],
  ['producer that waits already, in steps', fullAndWaiting, steppingProducerSleepsOver, makeRoom],
])('a %s', (_, prepare, sleepsOver, wake) => {
  it('wakes up wherever the other side’s work falls into its going to sleep', () => {
    let last = -1;
    for (let point = 0; point < POINTS; point++) {
      const sides = prepare();
      let lost = false;
      const interrupted = interrupt(
        () => (lost = sleepsOver(sides)),
        point,
        () => wake(sides),
      );
      if (!interrupted) continue;
      last = point;
      expect(lost, `woken before access ${point}`).toBe(false);
    }
    expect(last, 'every access was tried').toBeGreaterThanOrEqual(3);
    expect(last).toBeLessThan(POINTS - 1);
  });

  it('wakes up wherever its going to sleep falls into the other side’s work', () => {
    let last = -1;
    for (let point = 0; point < POINTS; point++) {
      const sides = prepare();
      const sleeper = sleepsOver === consumerSleepsOver ? sides.consumerSleeper : sides.producerSleeper;
      let asleep = false;
      const interrupted = interrupt(
        () => wake(sides),
        point,
        () => {
          // Goes to sleep for good: announced, nothing there, and not woken until `wake` has run to its end.
          sleeper.announce();
          if (sleepsOver === consumerSleepsOver) asleep = !sides.consumer.hasWork();
          else if (sleepsOver === producerSleepsOver) asleep = sides.producer.announceWait();
          else {
            sides.producer.setWaiting(true);
            asleep = sides.producer.free() === 0;
          }
        },
      );
      if (!interrupted) continue;
      last = point;
      if (asleep) expect(sleeper.wait(0), `asleep before access ${point}`).toBe(SleepResult.WorkArrived);
    }
    expect(last, 'every access was tried').toBeGreaterThan(1);
    expect(last).toBeLessThan(POINTS - 1);
  });

  it('sleeps when nobody wakes it', () => {
    expect(sleepsOver(prepare())).toBe(true);
  });
});

describe('a sleeper that does not look again', () => {
  it('would sleep over its work: the look-again is what the law is about', () => {
    const sides = empty();
    const seenEmpty = !sides.consumer.hasWork();
    publish(sides);
    sides.consumerSleeper.announce();
    expect(seenEmpty && sides.consumerSleeper.wait(0) === SleepResult.TimedOut).toBe(true);
  });
});
