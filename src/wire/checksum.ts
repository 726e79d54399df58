/**
 * The Internet checksum: RFC 1071 (the sum), RFC 1624 (incremental update), RFC 9293 3.1 (pseudo-header).
 *
 * Plain JavaScript for headers, control packets, tests and tools. Payloads of data segments go through the SIMD
 * kernels of `src/memory`; both produce the same *partial sum*, so they combine.
 *
 * A partial sum is a ones'-complement sum, folded to 16 bits and **not** complemented. 0 and 0xffff both mean zero;
 * 0 appears only when every summed byte was zero. What stands in a packet is `checksumOf(partial sum)`.
 *
 * Bytes are read through a `DataView`; the caller guarantees that [at, at + length) lies inside it.
 */

/** Folds the carries of a sum below 2^32 into 16 bits (RFC 1071 4.1). */
export function fold(sum: number): number {
  const once = (sum >>> 16) + (sum & 0xffff);
  return (once >>> 16) + (once & 0xffff);
}

/** The checksum field that belongs to a partial sum: its complement. */
export function checksumOf(sum: number): number {
  return ~fold(sum) & 0xffff;
}

/**
 * The partial sum of `length` bytes, added to `initial` (another partial sum).
 * Limit: 131,070 bytes, beyond which the 32-bit accumulator could overflow; an IP datagram has at most 65,535.
 */
export function onesComplementSum(view: DataView, at: number, length: number, initial: number): number {
  const end = at + length;
  let sum = initial;
  let p = at;
  for (; p + 16 <= end; p += 16) {
    const a = view.getInt32(p);
    const b = view.getInt32(p + 4);
    const c = view.getInt32(p + 8);
    const d = view.getInt32(p + 12);
    sum += (a >>> 16) + (a & 0xffff) + (b >>> 16) + (b & 0xffff);
    sum += (c >>> 16) + (c & 0xffff) + (d >>> 16) + (d & 0xffff);
  }
  for (; p + 2 <= end; p += 2) sum += view.getUint16(p);
  // RFC 1071 2: an odd last byte is the high half of a word whose low half is zero.
  if (p < end) sum += view.getUint8(p) << 8;
  return fold(sum);
}

/**
 * The partial sum of a block of `firstLength` bytes followed by another block, from the partial sums of both.
 * RFC 1071 2(B): after an odd number of bytes, every byte of the second block is in the other half of its word.
 */
export function combine(first: number, firstLength: number, second: number): number {
  const aligned = (firstLength & 1) === 0 ? second : ((second & 0xff) << 8) | (second >>> 8);
  return fold(first + aligned);
}

/** The partial sum of the pseudo-header (RFC 9293 3.1, RFC 768); `length` is that of TCP or UDP header plus data. */
export function pseudoHeaderSum(source: number, destination: number, protocol: number, length: number): number {
  const sourceSum = (source >>> 16) + (source & 0xffff);
  const destinationSum = (destination >>> 16) + (destination & 0xffff);
  return fold(sourceSum + destinationSum + protocol + length);
}

/**
 * The checksum field after one 16-bit word changed from `before` to `after`.
 * RFC 1624 3, equation 3: HC' = ~(~HC + ~m + m'). Equation 2 of the older RFC 1141 may yield -0 where a full
 * computation yields +0; this one never does, as long as the packet holds a non-zero byte (every IP header does).
 */
export function updateChecksum16(checksum: number, before: number, after: number): number {
  return checksumOf((~checksum & 0xffff) + (~before & 0xffff) + after);
}

/** `updateChecksum16` for a 32-bit word (an address, a sequence number) at an even offset. */
export function updateChecksum32(checksum: number, before: number, after: number): number {
  const removed = (~before >>> 16) + (~before & 0xffff);
  const added = (after >>> 16) + (after & 0xffff);
  return checksumOf((~checksum & 0xffff) + removed + added);
}
