/**
 * What one `_write` or `_writev` still has to hand over: a list of chunks, taken in pieces. Small chunks are gathered,
 * because every piece of a write takes a whole copy buffer of the machine's.
 */
const GATHER_BELOW = 4096;
const GATHER_MAX = 16384;

/** Pieces are copied at once, so that one scratch buffer serves all. */
let scratch: Buffer | null = null;

export class Outgoing {
  #chunks: readonly Buffer[] = [];
  #index = 0;
  #offset = 0;
  remaining = 0;

  start(chunks: readonly Buffer[]): void {
    this.#chunks = chunks;
    this.#index = 0;
    this.#offset = 0;
    this.remaining = 0;
    for (const chunk of chunks) this.remaining += chunk.length;
  }

  clear(): void {
    this.start([]);
  }

  /** Up to `max` of the next bytes, valid until the next call. They stay in the list. */
  peek(max: number): Buffer {
    const chunk = this.#chunks[this.#index]!;
    const left = chunk.length - this.#offset;
    if (left >= GATHER_BELOW || left >= max || left === this.remaining) {
      return chunk.subarray(this.#offset, this.#offset + Math.min(left, max));
    }
    scratch ??= Buffer.allocUnsafeSlow(GATHER_MAX);
    const limit = Math.min(max, GATHER_MAX);
    let length = 0;
    for (let i = this.#index, from = this.#offset; length < limit && i < this.#chunks.length; i++, from = 0) {
      length += this.#chunks[i]!.copy(scratch, length, from, from + limit - length);
    }
    return scratch.subarray(0, length);
  }

  /** The next `count` bytes are handed over. */
  advance(count: number): void {
    this.remaining -= count;
    let left = count;
    while (left > 0 || (this.#index < this.#chunks.length && this.#offset === this.#chunks[this.#index]!.length)) {
      const step = Math.min(left, this.#chunks[this.#index]!.length - this.#offset);
      left -= step;
      this.#offset += step;
      if (this.#offset < this.#chunks[this.#index]!.length) continue;
      this.#index++;
      this.#offset = 0;
    }
    if (this.remaining === 0) this.#chunks = [];
  }
}
