/**
 * Segments of connections whose state is on its way (R16, R29): a chain for each slot, in the order in which they came. They are
 * processed, or forwarded, where the state is then.
 */
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';

export class HeldSegments {
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  readonly #head: Int32Array;
  readonly #tail: Int32Array;

  constructor(memory: Memory, slots: number) {
    this.#buffer = NetBuffer.view(memory);
    this.#head = new Int32Array(slots);
    this.#tail = new Int32Array(slots);
  }

  has(slot: number): boolean {
    return this.#head[slot] !== 0;
  }

  append(slot: number, address: number): void {
    if (this.#head[slot] === 0) this.#head[slot] = address;
    else this.#buffer.at(this.#tail[slot]!).next = address;
    this.#tail[slot] = address;
  }

  /** ¶57: what a device kept came before anything that is held here. */
  putFirst(slot: number, chain: number): void {
    if (chain === 0) return;
    let last = chain;
    while (this.#buffer.at(last).next !== 0) last = this.#buffer.next;
    this.#buffer.next = this.#head[slot]!;
    if (this.#head[slot] === 0) this.#tail[slot] = last;
    this.#head[slot] = chain;
  }

  /** The chain, which is the caller's now. */
  take(slot: number): number {
    const head = this.#head[slot]!;
    this.#head[slot] = 0;
    return head;
  }
}
