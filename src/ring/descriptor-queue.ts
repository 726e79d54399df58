/**
 * The sending side of a descriptor ring, as both miniport and firmware use it: batches addresses into one descriptor and
 * never loses one when the ring is full — what does not fit waits in a private backlog, in order.
 *
 * Neither side blocks on the other: a NIC whose completions are backlogged takes in no more work until the host has
 * drained some; the host always drains. That rule breaks every circle of waiting.
 */
import type { Memory } from '../memory/memory.ts';
import { RING_FULL, type RingProducer } from './spsc-ring.ts';
import { BATCH_MAX, DESCRIPTOR_BYTES } from '../offload/descriptors.ts';

const WORDS = DESCRIPTOR_BYTES >> 2;

export class DescriptorQueue {
  readonly ring: RingProducer;
  readonly #i32: Int32Array;
  #backlog = new Int32Array(64 * WORDS);
  #backlogHead = 0;
  #backlogTail = 0;
  /** The descriptor that is still being filled with addresses: word index of its slot, or -1. */
  #open = -1;
  #openOpcode = 0;
  #openCount = 0;
  sent = 0;

  constructor(memory: Memory, ring: RingProducer) {
    this.ring = ring;
    this.#i32 = memory.i32;
  }

  get backlogged(): boolean {
    return this.#backlogTail !== this.#backlogHead;
  }

  /** Adds an address to a batched descriptor of this opcode. */
  pushAddress(opcode: number, address: number): void {
    if (this.#open >= 0 && this.#openOpcode === opcode && this.#openCount < BATCH_MAX) {
      this.#openCount++;
      this.#i32[this.#open + this.#openCount] = address;
      this.#i32[this.#open] = opcode | (this.#openCount << 16);
      return;
    }
    const slot = this.backlogged ? RING_FULL : this.ring.reserve();
    if (slot === RING_FULL) {
      this.#keep(opcode | (1 << 16), address, 0, 0);
      return;
    }
    this.sent++;
    this.#open = slot >> 2;
    this.#openOpcode = opcode;
    this.#openCount = 1;
    this.#i32[this.#open] = opcode | (1 << 16);
    this.#i32[this.#open + 1] = address;
  }

  push(opcode: number, a0: number, a1: number, a2: number, flags = 0): void {
    this.#open = -1;
    const word0 = opcode | (flags << 8);
    const slot = this.backlogged ? RING_FULL : this.ring.reserve();
    if (slot === RING_FULL) {
      this.#keep(word0, a0, a1, a2);
      return;
    }
    this.sent++;
    const at = slot >> 2;
    this.#i32[at] = word0;
    this.#i32[at + 1] = a0;
    this.#i32[at + 2] = a1;
    this.#i32[at + 3] = a2;
  }

  /** Moves what waited into the ring as far as there is room, and publishes. True: ring the consumer's doorbell. */
  publish(): boolean {
    this.#open = -1;
    while (this.#backlogTail !== this.#backlogHead) {
      const slot = this.ring.reserve();
      if (slot === RING_FULL) break;
      this.sent++;
      for (let i = 0; i < 4; i++) this.#i32[(slot >> 2) + i] = this.#backlog[this.#backlogHead + i]!;
      this.#backlogHead += WORDS;
    }
    if (this.#backlogHead === this.#backlogTail) {
      this.#backlogHead = 0;
      this.#backlogTail = 0;
    }
    return this.ring.commit();
  }

  #keep(word0: number, a0: number, a1: number, a2: number): void {
    this.#open = -1;
    if (this.#backlogTail + WORDS > this.#backlog.length) {
      const live = this.#backlog.subarray(this.#backlogHead, this.#backlogTail);
      const bigger =
        this.#backlogHead > this.#backlog.length >> 1 ? this.#backlog : new Int32Array(this.#backlog.length * 2);
      bigger.set(live.slice(), 0);
      this.#backlogTail -= this.#backlogHead;
      this.#backlogHead = 0;
      this.#backlog = bigger;
    }
    const at = this.#backlogTail;
    this.#backlog[at] = word0;
    this.#backlog[at + 1] = a0;
    this.#backlog[at + 2] = a1;
    this.#backlog[at + 3] = a2;
    this.#backlogTail += WORDS;
  }
}
