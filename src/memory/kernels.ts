/**
 * Kernels over bytes of the machine's memory: Internet checksum (RFC 1071), copy, zero, Toeplitz hash (Microsoft RSS).
 *
 * `wasmKernels` binds the WebAssembly that `assembly/kernels.ts` compiles to; both sides of every ring and every NIC use
 * it. `scriptKernels` is the same in plain JavaScript, written to be obviously right: the oracle of the tests and the
 * naive variant of the bench.
 *
 * All ranges must lie inside the memory. An offset is any number of 0..2^32-1; alignment does not matter; lengths may be
 * 0. Nothing but the destination of a copy or of zeros is written. One instance serves one thread; instances share the memory only.
 */
import { readFileSync } from 'node:fs';

/** Length of the secret key of `toeplitz`, as in the RSS OIDs. */
export const TOEPLITZ_KEY_BYTES = 40;
/** Longest input of `toeplitz`: two IPv6 addresses and two ports. More would need a longer key. */
export const TOEPLITZ_INPUT_BYTES_MAX = 36;

export interface Kernels {
  /**
   * Folded 16-bit one's complement sum (RFC 1071) of bytes [offset, offset+length) as big-endian words, an odd last byte
   * padded with zero, plus `initial` (0..0xffff). NOT complemented. Zero only if all words and `initial` are zero.
   */
  checksum(offset: number, length: number, initial: number): number;
  /** Copies and sums the source in one pass; same result as checksum(src, length, initial). Ranges must not overlap. */
  copyChecksum(dst: number, src: number, length: number, initial: number): number;
  /** Copies; ranges must not overlap. */
  copy(dst: number, src: number, length: number): void;
  /** Fills with zeros. */
  zero(dst: number, length: number): void;
  /** Toeplitz hash of `length` (0..36) bytes at offset with the 40-byte key at keyOffset; result as int32. */
  toeplitz(offset: number, length: number, keyOffset: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** Binds the WebAssembly kernels to a shared memory of any size. Compiled once per thread. */
export function wasmKernels(memory: WebAssembly.Memory): Kernels {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('./kernels.wasm', import.meta.url)));
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return {
    checksum: exports['checksum'] as Kernels['checksum'],
    copyChecksum: exports['copyChecksum'] as Kernels['copyChecksum'],
    copy: exports['copy'] as Kernels['copy'],
    zero: exports['zero'] as Kernels['zero'],
    toeplitz: exports['toeplitz'] as Kernels['toeplitz'],
  };
}

/** The plain JavaScript twin. */
export function scriptKernels(memory: WebAssembly.Memory): Kernels {
  let bytes = new Uint8Array(memory.buffer);

  /** A memory that has grown has another buffer; the old one still shows the old part, so only its length tells. */
  function refresh(): void {
    if (bytes.buffer !== memory.buffer) bytes = new Uint8Array(memory.buffer);
  }

  function checksum(offset: number, length: number, initial: number): number {
    refresh();
    let sum = initial;
    for (let at = 0; at < length; at += 2) {
      const high = bytes[offset + at]!;
      const low = at + 1 < length ? bytes[offset + at + 1]! : 0;
      sum += (high << 8) | low;
      if (sum > 0xffff) sum -= 0xffff; // the carry goes back in at the low end
    }
    return sum;
  }

  function copy(dst: number, src: number, length: number): void {
    refresh();
    bytes.copyWithin(dst, src, src + length);
  }

  function zero(dst: number, length: number): void {
    refresh();
    bytes.fill(0, dst, dst + length);
  }

  function copyChecksum(dst: number, src: number, length: number, initial: number): number {
    copy(dst, src, length);
    return checksum(src, length, initial);
  }

  function toeplitz(offset: number, length: number, keyOffset: number): number {
    refresh();
    if (length > TOEPLITZ_INPUT_BYTES_MAX) throw new RangeError(`toeplitz: ${length} bytes need a longer key`);
    let hash = 0;
    for (let bit = 0; bit < length * 8; bit++) {
      if (bitAt(offset, bit) === 0) continue;
      for (let window = 0; window < 32; window++) hash ^= bitAt(keyOffset, bit + window) << (31 - window);
    }
    return hash;
  }

  /** Bits are numbered from the leftmost (most significant) bit of the first byte. */
  function bitAt(offset: number, bit: number): number {
    return (bytes[offset + (bit >>> 3)]! >>> (7 - (bit & 7))) & 1;
  }

  return { checksum, copyChecksum, copy, zero, toeplitz };
}
