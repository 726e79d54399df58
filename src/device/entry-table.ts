/**
 * A NIC's table of path or neighbor entries: slots in its own memory, handles with generation.
 *
 * What an entry holds is its owner's business (inverted-tree.ts); here is only which slots are taken, and by which
 * generation, so that a handle of an entry that is gone is refused (A11).
 */
import { broken } from '../base/assert.ts';
import { handleGeneration, handleSlot, makeHandle, nextGeneration } from '../base/handle.ts';
import type { Kernels } from '../memory/kernels.ts';
import type { Memory, Region } from '../memory/memory.ts';

export class EntryTable {
  readonly capacity: number;
  readonly #kernels: Kernels;
  readonly #base: number;
  readonly #entryBytes: number;
  readonly #free: Int32Array;
  readonly #generation: Uint16Array;
  readonly #live: Uint8Array;
  #freeCount: number;

  constructor(memory: Memory, region: Region, entryBytes: number) {
    this.capacity = Math.floor(region.byteLength / entryBytes);
    this.#kernels = memory.kernels;
    this.#base = region.offset;
    this.#entryBytes = entryBytes;
    this.#free = new Int32Array(this.capacity);
    for (let i = 0; i < this.capacity; i++) this.#free[i] = this.capacity - 1 - i;
    this.#freeCount = this.capacity;
    this.#generation = new Uint16Array(this.capacity);
    this.#live = new Uint8Array(this.capacity);
  }

  get inUse(): number {
    return this.capacity - this.#freeCount;
  }

  isLive(slot: number): boolean {
    return this.#live[slot] === 1;
  }

  addressOf(slot: number): number {
    return this.#base + slot * this.#entryBytes;
  }

  /** A zeroed entry, or -1. */
  allocate(): number {
    if (this.#freeCount === 0) return -1;
    const slot = this.#free[--this.#freeCount]!;
    this.#live[slot] = 1;
    this.#generation[slot] = nextGeneration(this.#generation[slot]!);
    this.#kernels.zero(this.addressOf(slot), this.#entryBytes);
    return slot;
  }

  free(slot: number): void {
    if (this.#live[slot] !== 1) broken(`entry ${slot} is in use`);
    this.#live[slot] = 0;
    this.#free[this.#freeCount++] = slot;
  }

  handleOf(slot: number): number {
    return makeHandle(slot, this.#generation[slot]!);
  }

  /** -1 for a handle that is stale or never was one. */
  slotOfHandle(handle: number): number {
    const slot = handleSlot(handle);
    if (handle <= 0 || slot >= this.capacity || this.#live[slot] !== 1) return -1;
    return this.#generation[slot] === handleGeneration(handle) ? slot : -1;
  }
}
