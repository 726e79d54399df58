/**
 * Bytes copied out of the machine that the stream has not taken yet, in as few Buffers as possible.
 *
 *   slab  | given away | #from … #to waiting | free |
 *
 * What was given away is never written again, so a slab is shared by all Buffers cut from it. The receive window bounds
 * what waits here: it opens only as the stream takes (TliConnection.creditsLater).
 */
const SLAB_BYTES = 65536;
/** For peers that send little. */
const SMALL_SLAB_BYTES = 4096;
const SMALL_SEGMENT = 1024;

export class Incoming {
  readonly #full: Buffer[] = [];
  #slab: Buffer | null = null;
  #from = 0;
  #to = 0;
  /** Bytes that wait. */
  length = 0;

  append(bytes: Uint8Array, address: number, length: number): void {
    this.length += length;
    let from = address;
    const end = address + length;
    while (from < end) {
      if (this.#slab === null || this.#to === this.#slab.length) this.#nextSlab(length);
      const count = Math.min(end - from, this.#slab!.length - this.#to);
      this.#slab!.set(bytes.subarray(from, from + count), this.#to);
      this.#to += count;
      from += count;
    }
  }

  /** The oldest bytes, as one Buffer; only when there are any. */
  take(): Buffer {
    let chunk = this.#full.shift();
    if (chunk === undefined) {
      chunk = this.#slab!.subarray(this.#from, this.#to);
      this.#from = this.#to;
    }
    this.length -= chunk.length;
    return chunk;
  }

  clear(): void {
    this.#full.length = 0;
    this.#slab = null;
    this.length = 0;
  }

  #nextSlab(segment: number): void {
    if (this.#slab !== null && this.#from < this.#to) this.#full.push(this.#slab.subarray(this.#from, this.#to));
    this.#slab = Buffer.allocUnsafeSlow(segment < SMALL_SEGMENT ? SMALL_SLAB_BYTES : SLAB_BYTES);
    this.#from = 0;
    this.#to = 0;
  }
}
