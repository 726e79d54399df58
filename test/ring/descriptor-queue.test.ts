/** The sending side of a descriptor ring: batches, and a backlog that loses nothing and keeps the order. */
import { describe, expect, test } from 'vitest';
import { createMemory, RegionPlan } from '../../src/memory/memory.ts';
import { Prng } from '../../src/base/prng.ts';
import { BATCH_MAX, Descriptor, DESCRIPTOR_BYTES } from '../../src/offload/descriptors.ts';
import { DescriptorQueue } from '../../src/ring/descriptor-queue.ts';
import { Doorbell, DoorbellLayout } from '../../src/ring/doorbell.ts';
import { initializeRing, ringBytes, RingConsumer, RingProducer } from '../../src/ring/spsc-ring.ts';

const SEND = 1;
const RETURN = 2;
const CALL = 8;

function fixture(slots: number) {
  const shape = { slots, slotBytes: DESCRIPTOR_BYTES };
  const plan = new RegionPlan();
  const bellRegion = plan.add('bell', DoorbellLayout.byteLength);
  const region = plan.add('ring', ringBytes(shape));
  const memory = createMemory(plan.byteLength);
  initializeRing(memory, region, shape);
  const bell = new Doorbell(memory, bellRegion);
  const queue = new DescriptorQueue(memory, new RingProducer(memory, region, bell));
  const consumer = new RingConsumer(memory, region, bell);
  const descriptor = Descriptor.view(memory);
  /** Takes up to `max` descriptors: opcode, flags, then the addresses or arguments. */
  const take = (max = Infinity): number[][] => {
    const taken: number[][] = [];
    while (taken.length < max) {
      const slot = consumer.next();
      if (slot < 0) break;
      const { opcode, flags, count, a0, a1, a2, a3, a4, a5, a6 } = descriptor.at(slot);
      const words = [a0, a1, a2, a3, a4, a5, a6];
      taken.push([opcode, flags, ...words.slice(0, count === 0 ? 3 : count)]);
    }
    consumer.release();
    return taken;
  };
  return { queue, take };
}

describe('addresses', () => {
  test('go seven a descriptor, and a rest', () => {
    const { queue, take } = fixture(8);
    for (let i = 1; i <= 16; i++) queue.pushAddress(SEND, i);
    queue.publish();
    expect(take()).toEqual([
      [SEND, 0, 1, 2, 3, 4, 5, 6, 7],
      [SEND, 0, 8, 9, 10, 11, 12, 13, 14],
      [SEND, 0, 15, 16],
    ]);
    expect(BATCH_MAX).toBe(7);
    expect(queue.sent).toBe(3);
  });

  test('of two opcodes do not share a descriptor, nor do those of two publications', () => {
    const { queue, take } = fixture(8);
    queue.pushAddress(SEND, 1);
    queue.pushAddress(RETURN, 2);
    queue.pushAddress(SEND, 3);
    queue.publish();
    queue.pushAddress(SEND, 4);
    queue.publish();
    expect(take()).toEqual([
      [SEND, 0, 1],
      [RETURN, 0, 2],
      [SEND, 0, 3],
      [SEND, 0, 4],
    ]);
  });

  test('stay behind a call that was made before them', () => {
    const { queue, take } = fixture(8);
    queue.pushAddress(SEND, 1);
    queue.push(CALL, 10, 11, 12, 3);
    queue.pushAddress(SEND, 2);
    queue.publish();
    expect(take()).toEqual([
      [SEND, 0, 1],
      [CALL, 3, 10, 11, 12],
      [SEND, 0, 2],
    ]);
  });
});

describe('a full ring', () => {
  test('backlogs in order and sends on when there is room', () => {
    const { queue, take } = fixture(4);
    for (let i = 1; i <= 300; i++) queue.push(CALL, i, 0, 0);
    queue.publish();
    expect(queue.backlogged).toBe(true);
    const seen: number[] = [];
    for (let round = 0; round < 200 && seen.length < 300; round++) {
      seen.push(...take(2).map(([, , a0]) => a0!));
      queue.publish();
    }
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(queue.backlogged).toBe(false);
  });

  test('does not let a new descriptor overtake the backlog', () => {
    const { queue, take } = fixture(4);
    for (let i = 1; i <= 6; i++) queue.push(CALL, i, 0, 0);
    queue.publish();
    const seen = take();
    // There is room now, but 5 and 6 wait.
    queue.push(CALL, 7, 0, 0);
    queue.pushAddress(SEND, 8);
    queue.publish();
    seen.push(...take());
    queue.publish();
    seen.push(...take());
    expect(seen.map(([, , a0]) => a0)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('any mixture, any rhythm of the consumer: everything once, in order', () => {
    const prng = new Prng(7);
    const { queue, take } = fixture(4);
    const expected: string[] = [];
    const seen: string[] = [];
    const drain = (max: number): void => {
      for (const [opcode, flags, ...words] of take(max)) {
        if (opcode === CALL) seen.push(`call ${words[0]} ${flags}`);
        else for (const address of words) seen.push(`${opcode} ${address}`);
      }
    };
    for (let i = 1; i <= 3000; i++) {
      const kind = prng.below(3);
      if (kind === 0) {
        queue.push(CALL, i, 0, 0, i & 3);
        expected.push(`call ${i} ${i & 3}`);
      } else {
        queue.pushAddress(kind, i);
        expected.push(`${kind} ${i}`);
      }
      if (prng.below(4) === 0) queue.publish();
      if (prng.below(3) === 0) drain(1 + prng.below(4));
    }
    for (let round = 0; round < 5000 && seen.length < expected.length; round++) {
      queue.publish();
      drain(Infinity);
    }
    expect(seen).toEqual(expected);
  });
});
