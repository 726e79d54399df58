/**
 * The byte-crunching kernels (AssemblyScript, compiled to WebAssembly with SIMD by `scripts/build.mjs`).
 *
 * They run on the machine's one shared memory, so an address here is the offset that a descriptor carries. Called through
 * `src/memory/kernels.ts`, which has the contract and a plain JavaScript twin that the tests compare with.
 *
 * Nothing here allocates, and the module has no data segment: it never writes memory except to `dst`.
 * Loops count what remains instead of comparing with an end address, which is 0 (2^32) at the end of a 4 GiB memory.
 */

/** Iterations of 64 bytes after which the 32-bit lanes are emptied; each adds at most 2^16 to a lane's magnitude. */
const BLOCK_ITERATIONS: u32 = 16384;
/** Above this length the engine's own memmove is quicker than the loop below, in spite of the call. */
const BULK_COPY_BYTES: u32 = 512;
/** A 40-byte key has a 32-bit window for each bit of 36 bytes: the addresses and ports of IPv6. */
const TOEPLITZ_BYTES_MAX: u32 = 36;

export function checksum(offset: u32, length: u32, initial: u32): u32 {
  return sum(0, offset, length, initial, false);
}

export function copyChecksum(dst: u32, src: u32, length: u32, initial: u32): u32 {
  return sum(dst, src, length, initial, true);
}

export function copy(dst: u32, src: u32, length: u32): void {
  if (length >= BULK_COPY_BYTES) {
    memory.copy(dst, src, length);
    return;
  }
  while (length >= 32) {
    const first = v128.load(src);
    const second = v128.load(src, 16);
    v128.store(dst, first);
    v128.store(dst, second, 16);
    src += 32;
    dst += 32;
    length -= 32;
  }
  if (length & 16) {
    v128.store(dst, v128.load(src));
    src += 16;
    dst += 16;
  }
  if (length & 8) {
    store<u64>(dst, load<u64>(src));
    src += 8;
    dst += 8;
  }
  if (length & 4) {
    store<u32>(dst, load<u32>(src));
    src += 4;
    dst += 4;
  }
  if (length & 2) {
    store<u16>(dst, load<u16>(src));
    src += 2;
    dst += 2;
  }
  if (length & 1) store<u8>(dst, load<u8>(src));
}

export function zero(dst: u32, length: u32): void {
  if (length >= BULK_COPY_BYTES) {
    memory.fill(dst, 0, length);
    return;
  }
  const none = i64x2.splat(0);
  while (length >= 32) {
    v128.store(dst, none);
    v128.store(dst, none, 16);
    dst += 32;
    length -= 32;
  }
  while (length >= 4) {
    store<u32>(dst, 0);
    dst += 4;
    length -= 4;
  }
  while (length > 0) {
    store<u8>(dst, 0);
    dst++;
    length--;
  }
}

/**
 * RFC 1071 section 2(B): the sum does not depend on byte order, so we add little-endian words and swap the result.
 *
 * The multiply-add instruction adds neighbouring words, but signed ones. Flipping the top bit makes a word w the signed
 * number w - 32768, so each of a vector's four lanes ends up 65536 too low; that is given back when the lanes are
 * emptied. The total is exact, thus zero only if all words are.
 */
// @ts-ignore: AssemblyScript decorator
@inline
function sum(dst: u32, src: u32, length: u32, initial: u32, copying: bool): u32 {
  const flip = i16x8.splat(-32768);
  const ones = i16x8.splat(1);
  let total: u64 = 0;
  while (length >= 64) {
    let iterations = min<u32>(length >>> 6, BLOCK_ITERATIONS);
    length -= iterations << 6;
    total += u64(iterations) << 20; // 16 lanes of 65536 each
    let lanes0 = i32x4.splat(0);
    let lanes1 = i32x4.splat(0);
    let lanes2 = i32x4.splat(0);
    let lanes3 = i32x4.splat(0);
    do {
      const words0 = v128.load(src);
      const words1 = v128.load(src, 16);
      const words2 = v128.load(src, 32);
      const words3 = v128.load(src, 48);
      if (copying) {
        v128.store(dst, words0);
        v128.store(dst, words1, 16);
        v128.store(dst, words2, 32);
        v128.store(dst, words3, 48);
        dst += 64;
      }
      lanes0 = i32x4.add(lanes0, i32x4.dot_i16x8_s(v128.xor(words0, flip), ones));
      lanes1 = i32x4.add(lanes1, i32x4.dot_i16x8_s(v128.xor(words1, flip), ones));
      lanes2 = i32x4.add(lanes2, i32x4.dot_i16x8_s(v128.xor(words2, flip), ones));
      lanes3 = i32x4.add(lanes3, i32x4.dot_i16x8_s(v128.xor(words3, flip), ones));
      src += 64;
    } while (--iterations);
    total += addLanes(lanes0) + addLanes(lanes1) + addLanes(lanes2) + addLanes(lanes3);
  }
  while (length >= 8) {
    const words = load<u64>(src);
    if (copying) {
      store<u64>(dst, words);
      dst += 8;
    }
    total += (words & 0xffffffff) + (words >>> 32);
    src += 8;
    length -= 8;
  }
  if (length & 4) {
    const words = load<u32>(src);
    if (copying) {
      store<u32>(dst, words);
      dst += 4;
    }
    total += words;
    src += 4;
  }
  if (length & 2) {
    const word = load<u16>(src);
    if (copying) {
      store<u16>(dst, word);
      dst += 2;
    }
    total += word;
    src += 2;
  }
  if (length & 1) {
    const byte = load<u8>(src);
    if (copying) store<u8>(dst, byte);
    total += byte; // the low half of a little-endian word whose other half is the padding
  }
  return fold(u64(swap16(fold(total))) + initial);
}

/** The sum of four signed lanes, as a 64-bit number that may be negative; the caller's total makes up for it. */
// @ts-ignore: AssemblyScript decorator
@inline
function addLanes(lanes: v128): u64 {
  const pairs = i64x2.add(i64x2.extend_low_i32x4_s(lanes), i64x2.extend_high_i32x4_s(lanes));
  return i64x2.extract_lane(pairs, 0) + i64x2.extract_lane(pairs, 1);
}

/** Adds the carries back in until 16 bits are left (one's complement). Three rounds do for any 64-bit total. */
// @ts-ignore: AssemblyScript decorator
@inline
function fold(total: u64): u32 {
  total = (total & 0xffffffff) + (total >>> 32);
  let rest = u32(total & 0xffff) + u32((total >>> 16) & 0xffff) + u32(total >>> 32);
  rest = (rest & 0xffff) + (rest >>> 16);
  return (rest & 0xffff) + (rest >>> 16);
}

// @ts-ignore: AssemblyScript decorator
@inline
function swap16(word: u32): u32 {
  return ((word & 0xff) << 8) | (word >>> 8);
}

/**
 * Microsoft RSS, "Toeplitz hash": for each 1 bit of the input, from the leftmost, XOR in the leftmost 32 bits of the key,
 * and shift the key left by one for each bit. Four input bytes at a time, against 64 bits of key.
 */
export function toeplitz(offset: u32, length: u32, keyOffset: u32): i32 {
  if (length > TOEPLITZ_BYTES_MAX) unreachable();
  let hash: u64 = 0;
  let window = u64(bswap<u32>(load<u32>(keyOffset))) << 32;
  while (length >= 4) {
    window |= u64(bswap<u32>(load<u32>(keyOffset, 4)));
    hash ^= hashBits(window, bswap<u32>(load<u32>(offset)));
    window <<= 32;
    offset += 4;
    keyOffset += 4;
    length -= 4;
  }
  while (length) {
    window |= u64(load<u8>(keyOffset, 4)) << 24;
    const byte = u32(load<u8>(offset)) << 24;
    hash ^= hashBits(window, byte);
    window <<= 8;
    offset += 1;
    keyOffset += 1;
    length -= 1;
  }
  return i32(hash >>> 32);
}

/** XOR of the windows that belong to the 1 bits of `bits`, in the upper half of the result. Branch-free. */
// @ts-ignore: AssemblyScript decorator
@inline
function hashBits(window: u64, bits: u32): u64 {
  let hash: u64 = 0;
  for (let round = 0; round < 8; round++) {
    hash ^= window & u64(i64(i32(bits) >> 31));
    hash ^= (window << 1) & u64(i64(i32(bits << 1) >> 31));
    hash ^= (window << 2) & u64(i64(i32(bits << 2) >> 31));
    hash ^= (window << 3) & u64(i64(i32(bits << 3) >> 31));
    window <<= 4;
    bits <<= 4;
  }
  return hash;
}
