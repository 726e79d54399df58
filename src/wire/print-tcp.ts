/**
 * TCP segments as text, in packetdrill's notation: `S. 0:0(0) ack 1 win 65535 <mss 1460,nop,wscale 8>`.
 *
 * Flags, relative sequence range `first:last(length)`, ack (if ACK is set), window as on the wire, urgent pointer
 * (if URG is set), options in wire order. Used by ladders, traces and `print.ts`; allocates, never throws.
 * What packetdrill has no word for is printed as `opt KIND:HEX`, and where the list breaks off as `malformed`.
 */
import { TCP, TcpFlag } from './tcp.ts';
import type { TcpHeader } from './tcp.ts';
import { TcpOption, TcpOptionLength } from './tcp-options.ts';

/** packetdrill's letters in its order; ACK comes last, as people write it: `S.`, `P.`, `FP.`, `SEW`. */
const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [TcpFlag.Fin, 'F'],
  [TcpFlag.Syn, 'S'],
  [TcpFlag.Rst, 'R'],
  [TcpFlag.Psh, 'P'],
  [TcpFlag.Urg, 'U'],
  [TcpFlag.Ece, 'E'],
  [TcpFlag.Cwr, 'W'],
  [TcpFlag.Ack, '.'],
];

export interface TcpPrintBases {
  /** Subtracted from SEG.SEQ: the sender's ISS. */
  readonly seq: number;
  /** Subtracted from SEG.ACK and SACK edges: the receiver's ISS. */
  readonly ack: number;
  /** NOPs and EOL too, as packetdrill wants them. Ladders leave this padding out. */
  readonly padding: boolean;
}

/** Numbers as on the wire. */
export const ABSOLUTE: TcpPrintBases = { seq: 0, ack: 0, padding: true };

/** `header` was parsed from the segment at `at` of `view`; the options are read again to keep their order. */
export function formatTcp(view: DataView, at: number, header: TcpHeader, bases: TcpPrintBases = ABSOLUTE): string {
  const first = (header.segSeq - bases.seq) >>> 0;
  const last = (first + header.payloadLength) >>> 0;
  let text = `${formatTcpFlags(header.flags)} ${first}:${last}(${header.payloadLength})`;
  if ((header.flags & TcpFlag.Ack) !== 0) text += ` ack ${(header.segAck - bases.ack) >>> 0}`;
  text += ` win ${header.window}`;
  if ((header.flags & TcpFlag.Urg) !== 0) text += ` urg ${header.urgentPointer}`;
  const options = formatTcpOptions(view, at + TCP.options, at + header.headerLength, bases);
  return options === '' ? text : `${text} <${options}>`;
}

/** `S.`, `P.`, `R`; `-` for a segment without flags. */
export function formatTcpFlags(flags: number): string {
  let text = '';
  for (const [bit, letter] of FLAG_LETTERS) {
    if ((flags & bit) !== 0) text += letter;
  }
  return text === '' ? '-' : text;
}

function formatTcpOptions(view: DataView, from: number, end: number, bases: TcpPrintBases): string {
  const parts: string[] = [];
  let p = from;
  while (p < end) {
    const kind = view.getUint8(p);
    if (kind === TcpOption.Eol || kind === TcpOption.Nop) {
      if (bases.padding) parts.push(kind === TcpOption.Nop ? 'nop' : 'eol');
      if (kind === TcpOption.Eol) break;
      p += 1;
      continue;
    }
    const length = p + 1 < end ? view.getUint8(p + 1) : 0;
    if (length < 2 || p + length > end) {
      parts.push('malformed');
      break;
    }
    parts.push(formatOption(view, p, kind, length, bases));
    p += length;
  }
  return parts.join(',');
}

function formatOption(view: DataView, p: number, kind: number, length: number, bases: TcpPrintBases): string {
  if (kind === TcpOption.Mss && length === TcpOptionLength.Mss) return `mss ${view.getUint16(p + 2)}`;
  if (kind === TcpOption.WindowScale && length === TcpOptionLength.WindowScale) return `wscale ${view.getUint8(p + 2)}`;
  if (kind === TcpOption.SackPermitted && length === TcpOptionLength.SackPermitted) return 'sackOK';
  if (kind === TcpOption.Timestamps && length === TcpOptionLength.Timestamps) {
    return `TS val ${view.getUint32(p + 2)} ecr ${view.getUint32(p + 6)}`;
  }
  if (kind === TcpOption.Sack && length > TcpOptionLength.Sack && (length - TcpOptionLength.Sack) % 8 === 0) {
    return formatSack(view, p, length, bases);
  }
  const hex = formatHex(view, p + 2, length - 2);
  if (kind === TcpOption.FastOpen) return hex === '' ? 'FO' : `FO ${hex}`;
  return `opt ${kind}:${hex}`;
}

function formatSack(view: DataView, p: number, length: number, bases: TcpPrintBases): string {
  let text = 'sack';
  for (let block = p + TcpOptionLength.Sack; block < p + length; block += TcpOptionLength.SackBlock) {
    const left = (view.getInt32(block) - bases.ack) >>> 0;
    const right = (view.getInt32(block + 4) - bases.ack) >>> 0;
    text += ` ${left}:${right}`;
  }
  return text;
}

function formatHex(view: DataView, at: number, length: number): string {
  let text = '';
  for (let i = 0; i < length; i += 1)
    text += view
      .getUint8(at + i)
      .toString(16)
      .padStart(2, '0');
  return text;
}
