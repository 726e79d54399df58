/**
 * Bodies of replies and their SHA-256, one for each client at most.
 *
 * A body that comes in one piece is hashed where it lies. One in several pieces is assembled in a buffer of the region
 * if it fits one and one is free, else hashed piece by piece, which takes an object for each reply.
 */
import { createHash, hash, type Hash } from 'node:crypto';
import type { Memory, Region } from '../../memory/memory.ts';

export class ReplyBodies {
  readonly #memory: Memory;
  readonly #bodyBytes: number;
  /** Free buffers, the last one warm. */
  readonly #free: Int32Array;
  readonly #buffer: Int32Array;
  readonly #length: Int32Array;
  readonly #hashes: (Hash | undefined)[];
  #freeCount: number;

  constructor(memory: Memory, region: Region, bodyBytes: number, clients: number) {
    const count = Math.floor(region.byteLength / bodyBytes);
    this.#memory = memory;
    this.#bodyBytes = bodyBytes;
    this.#free = Int32Array.from({ length: count }, (_, i) => region.offset + (count - 1 - i) * bodyBytes);
    this.#freeCount = count;
    this.#buffer = new Int32Array(clients);
    this.#length = new Int32Array(clients);
    this.#hashes = Array.from({ length: clients }, () => undefined);
  }

  /** Buffers in use. */
  get inUse(): number {
    return this.#free.length - this.#freeCount;
  }

  /** Bytes of the client's body so far. */
  lengthOf(client: number): number {
    return this.#length[client];
  }

  start(client: number): void {
    this.#length[client] = 0;
  }

  /** SHA-256 in hexadecimal of a body that lies there whole. */
  digestInPlace(client: number, at: number, length: number): string {
    this.#length[client] = length;
    return hash('sha256', this.#memory.u8.subarray(at, at + length), 'hex');
  }

  /** One more piece of a body of `size` bytes altogether; never more than these. */
  add(client: number, at: number, length: number, size: number): void {
    const have = this.#length[client];
    this.#length[client] = have + length;
    if (length === 0) return;
    if (have === 0) this.#choose(client, size);
    const buffer = this.#buffer[client];
    if (buffer !== 0) this.#memory.kernels.copy(buffer + have, at, length);
    else this.#hashes[client]?.update(this.#memory.u8.subarray(at, at + length));
  }

  /** SHA-256 in hexadecimal of the pieces that were added. */
  digest(client: number): string {
    const streamed = this.#hashes[client];
    if (streamed !== undefined) {
      this.#hashes[client] = undefined;
      return streamed.digest('hex');
    }
    const buffer = this.#buffer[client];
    return hash('sha256', this.#memory.u8.subarray(buffer, buffer + this.#length[client]), 'hex');
  }

  /** The client is done with its body. */
  end(client: number): void {
    const buffer = this.#buffer[client];
    if (buffer !== 0) {
      this.#buffer[client] = 0;
      this.#free[this.#freeCount++] = buffer;
    }
    this.#hashes[client] = undefined;
  }

  #choose(client: number, size: number): void {
    if (size <= this.#bodyBytes && this.#freeCount > 0) this.#buffer[client] = this.#free[--this.#freeCount];
    else this.#hashes[client] = createHash('sha256');
  }
}
