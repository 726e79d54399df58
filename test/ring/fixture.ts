/** A ring between two doorbells, with canaries on both sides of every region, in a memory of its own. */
import { assert } from '../../src/base/assert.ts';
import { type Memory, type Region, RegionPlan, createMemory } from '../../src/memory/memory.ts';
import { Doorbell, DoorbellLayout, DoorbellSleeper } from '../../src/ring/doorbell.ts';
import {
  RingConsumer,
  RingHeader,
  RingProducer,
  type RingShape,
  initializeRing,
  ringBytes,
} from '../../src/ring/spsc-ring.ts';

const CANARY = 0xc5;
const CANARY_BYTES = 64;

export interface Bench {
  readonly memory: Memory;
  readonly ring: Region;
  /** The doorbell that the consumer sleeps on, and the producer's. */
  readonly consumerBell: Region;
  readonly producerBell: Region;
  readonly canaries: readonly Region[];
}

/** @param start the ring position that both sides begin at; positions run modulo 2^32 */
export function setUp(shape: RingShape, start = 0): Bench {
  const plan = new RegionPlan();
  const canaries = [plan.add('canary 0', CANARY_BYTES)];
  const add = (name: string, byteLength: number): Region => {
    const region = plan.add(name, byteLength, 64);
    // Right behind the last byte, unaligned: a write of one word too much hits it.
    canaries.push(plan.add(`canary of ${name}`, CANARY_BYTES, 1));
    return region;
  };
  const ring = add('ring', ringBytes(shape));
  const consumerBell = add('consumer bell', DoorbellLayout.byteLength);
  const producerBell = add('producer bell', DoorbellLayout.byteLength);
  const memory = createMemory(plan.byteLength);
  for (const { offset, byteLength } of canaries) memory.u8.fill(CANARY, offset, offset + byteLength);
  initializeRing(memory, ring, shape);
  setIndices({ memory, ring }, start, start);
  return { memory, ring, consumerBell, producerBell, canaries };
}

/** Writes the shared index words, as a peer would. */
export function setIndices({ memory, ring }: Pick<Bench, 'memory' | 'ring'>, tail: number, head: number): void {
  const header = RingHeader.view(memory).at(ring.offset);
  header.tail = tail | 0;
  header.head = head | 0;
}

export function readIndices({ memory, ring }: Bench): { tail: number; head: number } {
  const { tail, head } = RingHeader.view(memory).at(ring.offset);
  return { tail, head };
}

export function attach(bench: Bench): Attached {
  const { memory, ring } = bench;
  const toConsumer = new Doorbell(memory, bench.consumerBell);
  const toProducer = new Doorbell(memory, bench.producerBell);
  return {
    producer: new RingProducer(memory, ring, toConsumer),
    consumer: new RingConsumer(memory, ring, toProducer),
    toConsumer,
    toProducer,
    consumerSleeper: new DoorbellSleeper(memory, bench.consumerBell),
    producerSleeper: new DoorbellSleeper(memory, bench.producerBell),
  };
}

export interface Attached {
  readonly producer: RingProducer;
  readonly consumer: RingConsumer;
  readonly toConsumer: Doorbell;
  readonly toProducer: Doorbell;
  readonly consumerSleeper: DoorbellSleeper;
  readonly producerSleeper: DoorbellSleeper;
}

export function assertCanaries({ memory, canaries }: Bench): void {
  for (const { name, offset, byteLength } of canaries) {
    for (let i = 0; i < byteLength; i++) assert(memory.u8[offset + i] === CANARY, `${name} lives at +${i}`);
  }
}

/** Starting positions worth trying: around the wraps of int32 and uint32. */
export const STARTS = [0, 1, -1, -2, -5, -1000, 0x7fffffff, 0x7ffffffd, -0x80000000];
