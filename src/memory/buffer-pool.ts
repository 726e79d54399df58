/**
 * A pool of equal buffers in a region: a NET_BUFFER descriptor, then its data.
 *
 *   | descriptor 64 B | headroom | data … | descriptor 64 B | …
 *
 * One thread owns the free list (a private stack, last in first out, so that warm buffers are used again). Others give
 * buffers back through a ring. `owns` tells whether an address that came across a ring is a buffer of this pool.
 */
import { assert, broken } from '../base/assert.ts';
import type { Memory, Region } from './memory.ts';
import { NetBuffer } from './net-buffer.ts';

export const BUFFER_HEADER_BYTES = NetBuffer.byteLength;

export interface PoolShape {
  readonly count: number;
  /** Bytes of data room in each buffer, headroom included. */
  readonly dataBytes: number;
}

export function poolBytes(shape: PoolShape): number {
  return shape.count * strideOf(shape);
}

function strideOf(shape: PoolShape): number {
  return BUFFER_HEADER_BYTES + Math.ceil(shape.dataBytes / 64) * 64;
}

export class BufferPool {
  readonly id: number;
  readonly count: number;
  readonly dataBytes: number;
  readonly stride: number;
  readonly start: number;
  readonly end: number;
  readonly #free: Int32Array;
  readonly #isFree: Uint8Array;
  #available: number;
  #lowest: number;

  constructor(memory: Memory, region: Region, shape: PoolShape, id: number) {
    this.id = id;
    this.count = shape.count;
    this.dataBytes = shape.dataBytes;
    this.stride = strideOf(shape);
    this.start = region.offset;
    this.end = region.offset + this.stride * this.count;
    assert(this.stride * this.count <= region.byteLength, `pool ${region.name} fits its region`);
    this.#free = new Int32Array(this.count);
    this.#isFree = new Uint8Array(this.count).fill(1);
    this.#available = this.count;
    this.#lowest = this.count;
    const descriptor = NetBuffer.view(memory);
    for (let i = 0; i < this.count; i++) {
      const address = this.start + (this.count - 1 - i) * this.stride;
      this.#free[i] = address;
      descriptor.at(address).poolId = id;
    }
  }

  get available(): number {
    return this.#available;
  }

  get inUse(): number {
    return this.count - this.#available;
  }

  /** Fewest free buffers there ever were: how close the pool came to running out. */
  get lowestAvailable(): number {
    return this.#lowest;
  }

  /** Address of a descriptor, or 0 when the pool is empty. The caller owns it. */
  allocate(): number {
    if (this.#available === 0) return 0;
    const address = this.#free[--this.#available]!;
    if (this.#available < this.#lowest) this.#lowest = this.#available;
    this.#isFree[this.indexOf(address)] = 0;
    return address;
  }

  free(address: number): void {
    const index = this.indexOf(address);
    if (!this.owns(address) || this.#isFree[index] !== 0) broken(`buffer ${address} is of this pool and in use`);
    this.#isFree[index] = 1;
    this.#free[this.#available++] = address;
  }

  /** True for the address of a buffer of this pool that is in use: the check for what comes across a ring. */
  isLent(address: number): boolean {
    return this.owns(address) && this.#isFree[this.indexOf(address)] === 0;
  }

  owns(address: number): boolean {
    return address >= this.start && address < this.end && (address - this.start) % this.stride === 0;
  }

  /** Address of the data room of a buffer. */
  dataOf(address: number): number {
    return address + BUFFER_HEADER_BYTES;
  }

  indexOf(address: number): number {
    return ((address - this.start) / this.stride) | 0;
  }
}
