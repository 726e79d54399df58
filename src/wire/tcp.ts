/**
 * TCP headers: RFC 9293 3.1 (format), 3.2 (options); RFC 7323, 2018, 7413 (other options).
 *
 * `parseTcp` fills one reused `TcpHeader` in one pass; the engine (`src/tcp`) never looks at the bytes again.
 * It does not verify the checksum: a NIC does that in hardware, the host with the kernels of `src/memory`;
 * `isTcpChecksumValid` is for everyone else. Writers of options are in `tcp-options.ts`.
 *
 * A header object holds valid values only: option values out of their range are ignored or clamped as the RFCs say,
 * sequence numbers and timestamps are int32, "absent" is -1 or false.
 */
import { checksumOf, onesComplementSum, pseudoHeaderSum } from './checksum.ts';
import { IpProtocol } from './ipv4.ts';
import {
  emitFastOpen,
  emitMss,
  emitSack,
  emitSackPermitted,
  emitSackPermittedAndTimestamps,
  emitTimestamps,
  emitWindowScale,
  FAST_OPEN_EXPERIMENT,
  NOP_NOP_TIMESTAMPS,
  SACK_BLOCKS_MAX,
  tcpHeaderLengthFor,
  TcpOption,
  TcpOptionLength,
  WINDOW_SCALE_MAX,
} from './tcp-options.ts';

/** Byte offsets; `dataOffset` is the byte whose upper half is the data offset. */
export const TCP = {
  srcPort: 0,
  dstPort: 2,
  segSeq: 4,
  segAck: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  urgentPointer: 18,
  options: 20,
  headerLength: 20,
  headerLengthMax: 60,
} as const;

/** Control bits (RFC 9293 3.1; ECE and CWR: RFC 3168 6.1). */
export const TcpFlag = { Fin: 1, Syn: 2, Rst: 4, Psh: 8, Ack: 16, Urg: 32, Ece: 64, Cwr: 128 } as const;
export type TcpFlag = (typeof TcpFlag)[keyof typeof TcpFlag];

export const TcpParse = {
  Ok: 0,
  /** Fewer than 20 bytes. */
  Short: 1,
  /** Data offset below 5, or beyond the segment. */
  DataOffset: 2,
} as const;
export type TcpParse = (typeof TcpParse)[keyof typeof TcpParse];

export class TcpHeader {
  srcPort = 0;
  dstPort = 0;
  /** SEG.SEQ, int32. */
  segSeq = 0;
  /** SEG.ACK, int32. */
  segAck = 0;
  /** `TcpFlag` bits. */
  flags = 0;
  /** SEG.WND as on the wire: 16 bits, not yet scaled. */
  window = 0;
  /** SEG.UP */
  urgentPointer = 0;
  headerLength = 0;

  /** Maximum segment size, 1 to 65535; -1: absent. */
  mss = -1;
  /** Shift count, 0 to 14; -1: absent. */
  windowScale = -1;
  sackPermitted = false;
  hasTimestamp = false;
  tsVal = 0;
  tsEcr = 0;
  /** Blocks in `sackLeft` and `sackRight`: left edge first, right edge one past the block (RFC 2018 3). */
  sackCount = 0;
  readonly sackLeft = new Int32Array(SACK_BLOCKS_MAX);
  readonly sackRight = new Int32Array(SACK_BLOCKS_MAX);
  /** Fast Open cookie: byte offset in the view, and length (0: a request for a cookie); -1: absent. */
  fastOpenAt = -1;
  fastOpenLength = -1;
  /** It came in the experimental form (RFC 7413 7). */
  isFastOpenOld = false;
  /** Options skipped: unknown kinds, and known ones with a wrong length or value (RFC 9293 MUST-6). */
  unknownOptions = 0;
  /** The option list was cut short at a length of 0, 1 or past the header (RFC 9293 MUST-7). */
  malformedOptions = false;

  /** CE in the IP header that carried it (RFC 3168 5): whoever parses the datagram sets it for each segment. */
  congestionExperienced = false;
  /** Byte offset of the data in the view. */
  payloadAt = 0;
  payloadLength = 0;
}

/** SEG.LEN (RFC 9293 3.3.1): the data, and one each for SYN and FIN. */
export function segLenOf(header: TcpHeader): number {
  return header.payloadLength + ((header.flags & TcpFlag.Syn) >>> 1) + (header.flags & TcpFlag.Fin);
}

/** Fills `out` from the segment in [at, end); meaningful only when the answer is Ok. */
export function parseTcp(view: DataView, at: number, end: number, out: TcpHeader): TcpParse {
  const size = end - at;
  if (size < TCP.headerLength) return TcpParse.Short;
  const word3 = view.getInt32(at + TCP.dataOffset);
  const headerLength = (word3 >>> 26) & 0x3c;
  if (headerLength < TCP.headerLength || headerLength > size) return TcpParse.DataOffset;
  const ports = view.getInt32(at);
  out.srcPort = ports >>> 16;
  out.dstPort = ports & 0xffff;
  out.segSeq = view.getInt32(at + TCP.segSeq);
  out.segAck = view.getInt32(at + TCP.segAck);
  // RFC 9293 3.1: the reserved bits between data offset and flags are ignored.
  out.flags = (word3 >>> 16) & 0xff;
  out.window = word3 & 0xffff;
  out.urgentPointer = view.getUint16(at + TCP.urgentPointer);
  out.headerLength = headerLength;
  out.payloadAt = at + headerLength;
  out.payloadLength = size - headerLength;
  clearOptions(out);
  // RFC 7323 appendix A recommends this layout, so one compare settles nearly every segment of a connection.
  if (headerLength === 32 && view.getInt32(at + TCP.options) === NOP_NOP_TIMESTAMPS) {
    out.hasTimestamp = true;
    out.tsVal = view.getInt32(at + TCP.options + 4);
    out.tsEcr = view.getInt32(at + TCP.options + 8);
  } else if (headerLength !== TCP.headerLength) {
    parseOptions(view, at + TCP.options, at + headerLength, out);
  }
  return TcpParse.Ok;
}

function clearOptions(out: TcpHeader): void {
  out.mss = -1;
  out.windowScale = -1;
  out.sackPermitted = false;
  out.hasTimestamp = false;
  out.tsVal = 0;
  out.tsEcr = 0;
  out.sackCount = 0;
  out.fastOpenAt = -1;
  out.fastOpenLength = -1;
  out.isFastOpenOld = false;
  out.unknownOptions = 0;
  out.malformedOptions = false;
}

/** RFC 9293 MUST-5: options in any segment; MUST-64: at any alignment. The last one of a kind counts, as in Linux. */
function parseOptions(view: DataView, from: number, end: number, out: TcpHeader): void {
  let p = from;
  while (p < end) {
    const kind = view.getUint8(p);
    if (kind === TcpOption.Eol) return;
    if (kind === TcpOption.Nop) {
      p += 1;
      continue;
    }
    const length = p + 1 < end ? view.getUint8(p + 1) : 0;
    // RFC 9293 MUST-7: the rest of the list cannot be trusted, the header can. Linux does the same.
    if (length < 2 || p + length > end) {
      out.malformedOptions = true;
      return;
    }
    if (!parseOption(view, p, kind, length, out)) out.unknownOptions += 1;
    p += length;
  }
}

/** One option that lies inside the header; false: skip it. */
function parseOption(view: DataView, p: number, kind: number, length: number, out: TcpHeader): boolean {
  switch (kind) {
    case TcpOption.Mss:
      return parseMss(view, p, length, out);
    case TcpOption.WindowScale:
      if (length !== TcpOptionLength.WindowScale) return false;
      // RFC 7323 2.3: a larger shift count MUST be taken for 14.
      out.windowScale = Math.min(view.getUint8(p + 2), WINDOW_SCALE_MAX);
      return true;
    case TcpOption.SackPermitted:
      if (length !== TcpOptionLength.SackPermitted) return false;
      out.sackPermitted = true;
      return true;
    case TcpOption.Timestamps:
      if (length !== TcpOptionLength.Timestamps) return false;
      out.hasTimestamp = true;
      out.tsVal = view.getInt32(p + 2);
      out.tsEcr = view.getInt32(p + 6);
      return true;
    case TcpOption.Sack:
      return parseSack(view, p, length, out);
    case TcpOption.FastOpen:
      return parseFastOpen(p + TcpOptionLength.FastOpen, length - TcpOptionLength.FastOpen, false, out);
    case TcpOption.Experiment:
      if (length < TcpOptionLength.FastOpenExperiment || view.getUint16(p + 2) !== FAST_OPEN_EXPERIMENT) return false;
      return parseFastOpen(p + 4, length - TcpOptionLength.FastOpenExperiment, true, out);
    default:
      return false;
  }
}

function parseMss(view: DataView, p: number, length: number, out: TcpHeader): boolean {
  if (length !== TcpOptionLength.Mss) return false;
  const mss = view.getUint16(p + 2);
  // No segment could carry data; Linux ignores it too, and the default of MUST-15 applies.
  if (mss === 0) return false;
  out.mss = mss;
  return true;
}

function parseSack(view: DataView, p: number, length: number, out: TcpHeader): boolean {
  const blockBytes = length - TcpOptionLength.Sack;
  if (blockBytes === 0 || blockBytes % TcpOptionLength.SackBlock !== 0) return false;
  // At most 4: an option of more blocks would not fit in 40 bytes and did not pass `parseOptions`.
  const count = blockBytes >>> 3;
  for (let i = 0; i < count; i += 1) {
    const block = p + TcpOptionLength.Sack + i * TcpOptionLength.SackBlock;
    out.sackLeft[i] = view.getInt32(block);
    out.sackRight[i] = view.getInt32(block + 4);
  }
  out.sackCount = count;
  return true;
}

/** RFC 7413 4.1.1: without SYN, or with a cookie that is odd, below 4 or above 16 bytes, the option is ignored. */
function parseFastOpen(at: number, cookieLength: number, isOld: boolean, out: TcpHeader): boolean {
  const isCookie = cookieLength >= 4 && cookieLength <= 16 && (cookieLength & 1) === 0;
  if ((out.flags & TcpFlag.Syn) === 0 || (cookieLength !== 0 && !isCookie)) return false;
  out.fastOpenAt = at;
  out.fastOpenLength = cookieLength;
  out.isFastOpenOld = isOld;
  return true;
}

/**
 * Writes the 20 fixed bytes, with checksum and urgent pointer 0, and returns 20. Options follow at `at + 20`;
 * `headerLength` (a multiple of 4, see `tcpHeaderLengthFor`) already counts them.
 */
export function emitTcpHeader(
  view: DataView,
  at: number,
  srcPort: number,
  dstPort: number,
  segSeq: number,
  segAck: number,
  headerLength: number,
  flags: number,
  window: number,
): number {
  view.setInt32(at, (srcPort << 16) | (dstPort & 0xffff));
  view.setInt32(at + TCP.segSeq, segSeq);
  view.setInt32(at + TCP.segAck, segAck);
  view.setInt32(at + TCP.dataOffset, (headerLength << 26) | ((flags & 0xff) << 16) | (window & 0xffff));
  view.setInt32(at + TCP.checksum, 0);
  return TCP.headerLength;
}

/**
 * Options in the order in which Linux writes them (tcp_options_write), which packetdrill scripts expect.
 * Returns the offset behind them: `at` + `tcpHeaderLengthFor(…)` - 20.
 */
export function emitTcpOptions(view: DataView, at: number, header: TcpHeader): number {
  let p = at;
  if (header.mss >= 0) p = emitMss(view, p, header.mss);
  if (header.hasTimestamp && header.sackPermitted) {
    p = emitSackPermittedAndTimestamps(view, p, header.tsVal, header.tsEcr);
  } else if (header.hasTimestamp) {
    p = emitTimestamps(view, p, header.tsVal, header.tsEcr);
  } else if (header.sackPermitted) {
    p = emitSackPermitted(view, p);
  }
  if (header.windowScale >= 0) p = emitWindowScale(view, p, header.windowScale);
  if (header.sackCount > 0) p = emitSack(view, p, header.sackLeft, header.sackRight, header.sackCount);
  if (header.fastOpenLength >= 0) p = emitFastOpen(view, p, header.fastOpenAt, header.fastOpenLength);
  return p;
}

/**
 * Writes a whole header from an object, checksum 0, and returns its length; -1, and nothing written, when the
 * options do not fit in 40 bytes. `headerLength` and payload fields of the object are not used.
 * A Fast Open cookie is copied from `header.fastOpenAt` of the same view.
 */
export function emitTcp(view: DataView, at: number, header: TcpHeader): number {
  const length = tcpHeaderLengthFor(
    header.mss,
    header.windowScale,
    header.sackPermitted,
    header.hasTimestamp,
    header.sackCount,
    header.fastOpenLength,
  );
  if (length < 0) return -1;
  const { srcPort, dstPort, segSeq, segAck, flags, window } = header;
  emitTcpHeader(view, at, srcPort, dstPort, segSeq, segAck, length, flags, window);
  view.setUint16(at + TCP.urgentPointer, header.urgentPointer);
  emitTcpOptions(view, at + TCP.options, header);
  return length;
}

/** RFC 9293 MUST-3: is the checksum of the segment of `length` bytes right? */
export function isTcpChecksumValid(
  view: DataView,
  at: number,
  length: number,
  source: number,
  destination: number,
): boolean {
  const pseudo = pseudoHeaderSum(source, destination, IpProtocol.Tcp, length);
  return onesComplementSum(view, at, length, pseudo) === 0xffff;
}

/** RFC 9293 MUST-2: computes and writes the checksum of the segment of `length` bytes; whatever stood there is ignored. */
export function fillTcpChecksum(view: DataView, at: number, length: number, source: number, destination: number): void {
  putTcpChecksum(view, at, length, pseudoHeaderSum(source, destination, IpProtocol.Tcp, length));
}

/** The same for the pseudo-header of either IP version, by its partial sum. */
export function putTcpChecksum(view: DataView, at: number, length: number, pseudo: number): void {
  view.setUint16(at + TCP.checksum, 0);
  view.setUint16(at + TCP.checksum, checksumOf(onesComplementSum(view, at, length, pseudo)));
}
