import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegionPlan, createMemory } from '../../src/memory/memory.ts';
import {
  RING_EMPTY,
  RING_FULL,
  RingConsumer,
  RingHeader,
  type RingProducer,
  initializeRing,
  ringBytes,
} from '../../src/ring/spsc-ring.ts';
import { STARTS, attach, setIndices, setUp } from './fixture.ts';

const shape = { slots: 4, slotBytes: 16 };

function fill(producer: RingProducer): number {
  let count = 0;
  while (producer.reserve() !== RING_FULL) count++;
  return count;
}

function drain(consumer: RingConsumer): number {
  let count = 0;
  while (consumer.next() !== RING_EMPTY) count++;
  return count;
}

describe('ring header', () => {
  it('keeps the words of the two sides on cache lines of their own', () => {
    const line = (offset: number): number => offset >> 6;
    const { tail, head, producerWaits } = RingHeader.offset;
    expect(new Set([tail, head, producerWaits].map(line)).size).toBe(3);
    expect(RingHeader.byteLength % 64).toBe(0);
  });

  it.each([
    [{ slots: 0, slotBytes: 16 }, 'power of two'],
    [{ slots: 3, slotBytes: 16 }, 'power of two'],
    [{ slots: -4, slotBytes: 16 }, 'power of two'],
    [{ slots: 4, slotBytes: 6 }, 'whole words'],
    [{ slots: 8, slotBytes: 16 }, 'the region holds the ring'],
  ])('refuses %o', (bad, why) => {
    const plan = new RegionPlan();
    const region = plan.add('ring', ringBytes(shape));
    const memory = createMemory(plan.byteLength);
    expect(() => initializeRing(memory, region, bad)).toThrow(why);
  });

  it('refuses to attach to a ring that nobody initialized', () => {
    const plan = new RegionPlan();
    const region = plan.add('ring', ringBytes(shape));
    const memory = createMemory(plan.byteLength);
    expect(() => new RingConsumer(memory, region, null)).toThrow('was initialized');
  });
});

describe.each(STARTS)('ring at position %i', start => {
  it('holds exactly as many slots as it has', () => {
    const { producer, consumer } = attach(setUp(shape, start));
    for (let lap = 0; lap < 5; lap++) {
      expect(producer.free()).toBe(4);
      expect(fill(producer)).toBe(4);
      expect(producer.free()).toBe(0);
      expect(drain(consumer), 'nothing is seen before commit').toBe(0);
      producer.commit();
      expect(drain(consumer)).toBe(4);
      expect(fill(producer), 'a slot is the consumer’s until release').toBe(0);
      consumer.release();
    }
  });

  it('gives slots in order, and the same slot after revert and after unread', () => {
    const { producer, consumer } = attach(setUp(shape, start));
    const first = producer.reserve();
    producer.revert();
    expect(producer.pending).toBe(false);
    expect(producer.reserve()).toBe(first);
    const second = producer.reserve();
    producer.commit();
    expect(consumer.next()).toBe(first);
    expect(consumer.next()).toBe(second);
    consumer.unread();
    expect(consumer.hasWork()).toBe(true);
    expect(consumer.next()).toBe(second);
  });

  it('gives runs of slots that lie one behind the other, as far as the ring goes and no further', () => {
    const { producer, consumer } = attach(setUp(shape, start));
    const base = producer.reserve() - (start & 3) * shape.slotBytes;
    producer.revert();
    const first = 4 - (start & 3);
    expect(producer.reserveRun(100)).toBe(first);
    expect(producer.runAddress).toBe(base + (start & 3) * shape.slotBytes);
    expect(producer.reserveRun(100)).toBe(4 - first);
    if (first < 4) expect(producer.runAddress, 'goes on at the beginning').toBe(base);
    expect(producer.reserveRun(1), 'the ring is full').toBe(0);
    expect(consumer.nextRun(100), 'nothing is seen before commit').toBe(0);
    producer.commit();
    expect(consumer.nextRun(1)).toBe(1);
    expect(consumer.nextRun(100) + consumer.nextRun(100)).toBe(3);
    expect(consumer.nextRun(100)).toBe(0);
    expect(producer.reserveRun(1), 'a slot is the consumer’s until release').toBe(0);
    consumer.release();
    expect(producer.reserveRun(1)).toBe(1);
  });

  it('takes an impossible tail for corruption and reads nothing', () => {
    for (const claimed of [5, 6, 1000, 0x7fffffff, 0x80000000, -1, -4]) {
      const bench = setUp(shape, start);
      const { consumer } = attach(bench);
      setIndices(bench, start + claimed, start);
      expect(consumer.hasWork(), `tail ${claimed} slots ahead`).toBe(false);
      expect(consumer.next()).toBe(RING_EMPTY);
      expect(consumer.nextRun(100)).toBe(0);
      expect(consumer.corrupt).toBe(true);
    }
  });

  it('takes a tail that claims slots not yet released for corruption: they are still the consumer’s', () => {
    const bench = setUp(shape, start);
    const { producer, consumer } = attach(bench);
    fill(producer);
    producer.commit();
    expect(drain(consumer)).toBe(4);
    setIndices(bench, start + 5, start);
    expect(consumer.next()).toBe(RING_EMPTY);
    expect(consumer.corrupt).toBe(true);
  });

  it('takes an impossible head for corruption and reserves no more than it knew to be free', () => {
    for (const claimed of [3, 4, 1000, 0x7fffffff, 0x80000000, -3, -100]) {
      const bench = setUp(shape, start);
      const { producer } = attach(bench);
      producer.reserve();
      producer.reserve();
      producer.commit();
      setIndices(bench, start + 2, start + claimed);
      expect(fill(producer), `head ${claimed} slots ahead of where it was`).toBeLessThanOrEqual(2);
      expect(producer.free()).toBeLessThanOrEqual(2);
      producer.revert();
      expect(producer.reserveRun(100) + producer.reserveRun(100)).toBeLessThanOrEqual(2);
      expect(producer.corrupt).toBe(true);
    }
  });

  it('takes a head among slots that are reserved but not published for corruption', () => {
    const bench = setUp(shape, start);
    const { producer } = attach(bench);
    fill(producer);
    setIndices(bench, start, start + 3);
    expect(producer.reserve()).toBe(RING_FULL);
    expect(producer.corrupt).toBe(true);
    producer.revert();
    expect(producer.free()).toBe(4);
    expect(fill(producer)).toBe(4);
  });

  it('attaches to a ring whose indices are already impossible without using them', () => {
    const bench = setUp(shape, start);
    setIndices(bench, start, start + 100);
    const { producer } = attach(bench);
    expect(producer.free()).toBe(0);
    expect(producer.reserve()).toBe(RING_FULL);
    expect(producer.corrupt).toBe(true);
    const { consumer } = attach(bench);
    expect(consumer.next()).toBe(RING_EMPTY);
    expect(consumer.corrupt).toBe(true);
  });
});

describe('a peer that writes anything', () => {
  const index = fc.oneof(fc.integer({ min: -6, max: 6 }), fc.integer());

  it('never makes the consumer take a slot that it has not released', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(index, fc.nat(6), fc.boolean())), steps => {
        const bench = setUp(shape, -2);
        const { consumer } = attach(bench);
        const held: number[] = [];
        for (const [jump, takes, releases] of steps) {
          const header = RingHeader.view(bench.memory).at(bench.ring.offset);
          header.tail = (header.head + held.length + jump) | 0;
          for (let i = 0; i < takes; i++) {
            const address = consumer.next();
            if (address === RING_EMPTY) break;
            expect(held).not.toContain(address);
            held.push(address);
          }
          if (releases) consumer.release();
          if (releases) held.length = 0;
        }
      }),
    );
  });

  it('never makes the producer reserve a slot twice between two commits, nor free() lie', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(index, fc.nat(6), fc.constantFrom('commit', 'revert', 'nothing'))), steps => {
        const bench = setUp(shape, -2);
        const { producer } = attach(bench);
        const mine: number[] = [];
        for (const [jump, reserves, then] of steps) {
          const header = RingHeader.view(bench.memory).at(bench.ring.offset);
          header.head = (header.tail + jump) | 0;
          for (let i = 0; i < reserves; i++) {
            const address = producer.reserve();
            if (address === RING_FULL) break;
            expect(mine).not.toContain(address);
            mine.push(address);
          }
          if (then === 'commit') producer.commit();
          if (then === 'revert') producer.revert();
          if (then !== 'nothing') mine.length = 0;
          const free = producer.free();
          expect(free >= 0 && free <= 4 - mine.length, `free() = ${free}`).toBe(true);
        }
      }),
    );
  });
});

describe('doorbell verdicts', () => {
  it('commit asks for the doorbell only if it published something and the consumer sleeps', () => {
    const { producer, consumerSleeper } = attach(setUp(shape));
    consumerSleeper.announce();
    expect(producer.commit(), 'nothing to publish').toBe(false);
    producer.reserve();
    expect(producer.commit()).toBe(true);
    consumerSleeper.awake();
    producer.reserve();
    expect(producer.commit(), 'the consumer is awake').toBe(false);
  });

  it('release asks for the doorbell only if the producer waits for room and sleeps', () => {
    const { producer, consumer, producerSleeper } = attach(setUp(shape));
    fill(producer);
    producer.commit();
    consumer.next();
    producerSleeper.announce();
    expect(consumer.release(), 'it sleeps, but not for room').toBe(false);
    producer.reserve();
    expect(producer.announceWait()).toBe(true);
    consumer.next();
    expect(consumer.release()).toBe(true);
    producer.cancelWait();
    consumer.next();
    expect(consumer.release(), 'it no longer waits').toBe(false);
  });

  it('a consumer that was given no doorbell never asks for one', () => {
    const bench = setUp(shape);
    const { producer, producerSleeper } = attach(bench);
    const consumer = new RingConsumer(bench.memory, bench.ring, null);
    fill(producer);
    producer.commit();
    producerSleeper.announce();
    expect(producer.announceWait()).toBe(true);
    expect(drain(consumer)).toBe(4);
    expect(consumer.release()).toBe(false);
    expect(consumer.producerDoorbell).toBeNull();
  });

  it('release asks for the doorbell whichever way the producer said that it waits', () => {
    const { producer, consumer, producerSleeper } = attach(setUp(shape));
    producerSleeper.announce();
    const takesOne = (): boolean => {
      consumer.next();
      return consumer.release();
    };
    fill(producer);
    producer.commit();
    producer.setWaiting(true);
    expect(takesOne()).toBe(true);
    expect(producer.announceWait(), 'takes back what setWaiting said').toBe(false);
    expect(takesOne()).toBe(false);
    producer.setWaiting(true);
    expect(takesOne(), 'said again after announceWait took it back').toBe(true);
    producer.cancelWait();
    fill(producer);
    producer.commit();
    expect(producer.announceWait()).toBe(true);
    producer.setWaiting(false);
    expect(takesOne()).toBe(false);
  });

  it('announceWait looks again and says when there is room after all', () => {
    const { producer, consumer, producerSleeper } = attach(setUp(shape));
    fill(producer);
    producer.commit();
    expect(producer.announceWait()).toBe(true);
    drain(consumer);
    producerSleeper.announce();
    expect(consumer.release()).toBe(true);
    expect(producer.announceWait()).toBe(false);
    expect(producer.reserve()).not.toBe(RING_FULL);
  });
});
