/**
 * Writing TCP options: RFC 9293 3.2 (EOL, NOP, MSS), RFC 7323 (window scale, timestamps), RFC 2018 (SACK),
 * RFC 7413 (Fast Open). Reading them is part of `parseTcp` in `tcp.ts`.
 *
 * Every writer fills a multiple of 4 bytes, padding with NOPs, and returns the offset behind it, so writers chain:
 *
 *   at = emitMss(view, at, 1460); at = emitTimestamps(view, at, tsVal, tsEcr);
 *
 * Paddings and order are those that Linux and most peers send, so that receivers' fast paths recognise them.
 */

/** Option kinds (IANA). */
export const TcpOption = {
  Eol: 0,
  Nop: 1,
  Mss: 2,
  WindowScale: 3,
  SackPermitted: 4,
  Sack: 5,
  Timestamps: 8,
  FastOpen: 34,
  /** Shared by experiments, told apart by 16 bits that follow (RFC 6994). */
  Experiment: 254,
} as const;
export type TcpOption = (typeof TcpOption)[keyof typeof TcpOption];

/** Length bytes of the options of fixed length, and limits. */
export const TcpOptionLength = {
  Mss: 4,
  WindowScale: 3,
  SackPermitted: 2,
  /** Without the blocks; each block adds 8. */
  Sack: 2,
  SackBlock: 8,
  Timestamps: 10,
  /** Without the cookie. */
  FastOpen: 2,
  /** The same in the experimental form. */
  FastOpenExperiment: 4,
  /** The data offset has 4 bits: 15 words of header, 5 of them fixed. */
  Max: 40,
} as const;

/** Fast Open before it had a kind of its own (RFC 7413 7). */
export const FAST_OPEN_EXPERIMENT = 0xf989;

/** NOP, NOP, kind 8, length 10: the first word of nearly every segment's options (RFC 7323 appendix A). */
export const NOP_NOP_TIMESTAMPS = 0x0101_080a;

/** RFC 2018 3: four blocks fill the option space; beside timestamps only three fit. */
export const SACK_BLOCKS_MAX = 4;

/** RFC 7323 2.3: shift counts above 14 would let windows exceed 2^30. */
export const WINDOW_SCALE_MAX = 14;

/** RFC 9293 MUST-65: only in segments with SYN. */
export function emitMss(view: DataView, at: number, mss: number): number {
  view.setInt32(at, 0x0204_0000 | (mss & 0xffff));
  return at + 4;
}

/** NOP, window scale. RFC 7323 2.2: only in segments with SYN. */
export function emitWindowScale(view: DataView, at: number, windowScale: number): number {
  view.setInt32(at, 0x0103_0300 | (windowScale & 0xff));
  return at + 4;
}

/** NOP, NOP, SACK permitted. RFC 2018 2: only in segments with SYN. */
export function emitSackPermitted(view: DataView, at: number): number {
  view.setInt32(at, 0x0101_0402);
  return at + 4;
}

/** NOP, NOP, timestamps. */
export function emitTimestamps(view: DataView, at: number, tsVal: number, tsEcr: number): number {
  view.setInt32(at, NOP_NOP_TIMESTAMPS);
  view.setInt32(at + 4, tsVal);
  view.setInt32(at + 8, tsEcr);
  return at + 12;
}

/** SACK permitted, timestamps: the former takes the place of the latter's two NOPs. */
export function emitSackPermittedAndTimestamps(view: DataView, at: number, tsVal: number, tsEcr: number): number {
  view.setInt32(at, 0x0402_080a);
  view.setInt32(at + 4, tsVal);
  view.setInt32(at + 8, tsEcr);
  return at + 12;
}

/** NOP, NOP, SACK with the first `count` blocks (1 to 4), most recent first (RFC 2018 4). */
export function emitSack(view: DataView, at: number, left: Int32Array, right: Int32Array, count: number): number {
  const length = TcpOptionLength.Sack + TcpOptionLength.SackBlock * count;
  view.setInt32(at, 0x0101_0500 | length);
  let p = at + 4;
  for (let i = 0; i < count; i += 1) {
    view.setInt32(p, left[i]);
    view.setInt32(p + 4, right[i]);
    p += TcpOptionLength.SackBlock;
  }
  return p;
}

/**
 * A Fast Open cookie of `cookieLength` bytes copied from `cookieAt` in the same view, or a request for one when
 * `cookieLength` is 0; then NOPs. RFC 7413 4.1.1: only with SYN; cookies have an even length of 4 to 16.
 */
export function emitFastOpen(view: DataView, at: number, cookieAt: number, cookieLength: number): number {
  view.setUint8(at, TcpOption.FastOpen);
  view.setUint8(at + 1, TcpOptionLength.FastOpen + cookieLength);
  let p = at + 2;
  for (let i = 0; i < cookieLength; i += 1) view.setUint8(p + i, view.getUint8(cookieAt + i));
  p += cookieLength;
  for (; ((p - at) & 3) !== 0; p += 1) view.setUint8(p, TcpOption.Nop);
  return p;
}

/** As `emitFastOpen`, in the experimental form if that is wanted; the cookie lies anywhere. */
export function emitFastOpenCookie(
  view: DataView,
  at: number,
  cookie: Uint8Array,
  length: number,
  isOld: boolean,
): number {
  view.setUint8(at, isOld ? TcpOption.Experiment : TcpOption.FastOpen);
  const base = isOld ? TcpOptionLength.FastOpenExperiment : TcpOptionLength.FastOpen;
  view.setUint8(at + 1, base + length);
  if (isOld) view.setUint16(at + 2, FAST_OPEN_EXPERIMENT);
  let p = at + base;
  for (let i = 0; i < length; i += 1, p += 1) view.setUint8(p, cookie[i]);
  for (; ((p - at) & 3) !== 0; p += 1) view.setUint8(p, TcpOption.Nop);
  return p;
}

/**
 * The header length, 20 to 60, with these options as the writers above lay them out; -1 when they do not fit.
 * `mss`, `windowScale` and `fastOpenLength` are -1 when absent, as in `TcpHeader`.
 */
export function tcpHeaderLengthFor(
  mss: number,
  windowScale: number,
  sackPermitted: boolean,
  hasTimestamp: boolean,
  sackCount: number,
  fastOpenLength: number,
): number {
  let length = 20;
  if (mss >= 0) length += 4;
  if (windowScale >= 0) length += 4;
  if (hasTimestamp) length += 12;
  // Beside timestamps, SACK permitted replaces their two NOPs and costs nothing.
  else if (sackPermitted) length += 4;
  if (sackCount > 0) length += 4 + TcpOptionLength.SackBlock * sackCount;
  if (fastOpenLength >= 0) length += (TcpOptionLength.FastOpen + fastOpenLength + 3) & ~3;
  return length <= 20 + TcpOptionLength.Max ? length : -1;
}
