/**
 * ICMPv6: RFC 4443 (errors, echo; what may be answered), with the message types of RFC 4861 (bodies in `nd.ts`).
 *
 * Unlike ICMP's, the checksum covers a pseudo-header: callers give its partial sum. An error quotes the offending packet;
 * `parseIcmpv6` yields the quotation as [payloadAt, payloadEnd), to be read with `parseQuotedIpv6`.
 *
 * Before sending any error, ask `mayAnswerWithIcmpv6`, and count it against a rate limit (RFC 4443 2.4 (f)).
 */
import { checksumOf, onesComplementSum } from './checksum.ts';
import { isLoopbackAt, isUnicastAt } from './ipv6-address.ts';
import { type Ipv6Header, IPV6, IPV6_MINIMUM_MTU, isMulticastDestination, NextHeader } from './ipv6.ts';

/** Byte offsets; `rest` is the word whose meaning depends on the type. */
export const ICMPV6 = { type: 0, code: 1, checksum: 2, rest: 4, headerLength: 8 } as const;

/** Errors are below 128. */
export const Icmpv6Type = {
  DestinationUnreachable: 1,
  PacketTooBig: 2,
  TimeExceeded: 3,
  ParameterProblem: 4,
  EchoRequest: 128,
  EchoReply: 129,
  RouterSolicitation: 133,
  RouterAdvertisement: 134,
  NeighborSolicitation: 135,
  NeighborAdvertisement: 136,
  Redirect: 137,
} as const;
export type Icmpv6Type = (typeof Icmpv6Type)[keyof typeof Icmpv6Type];

/** Codes of `DestinationUnreachable` (RFC 4443 3.1). */
export const Unreachable6Code = {
  NoRoute: 0,
  Prohibited: 1,
  BeyondScope: 2,
  Address: 3,
  Port: 4,
  SourcePolicy: 5,
  RejectRoute: 6,
} as const;
export type Unreachable6Code = (typeof Unreachable6Code)[keyof typeof Unreachable6Code];

/** Codes of `TimeExceeded` (RFC 4443 3.3). */
export const TimeExceeded6Code = { HopLimit: 0, Reassembly: 1 } as const;

/** RFC 4443 2.4 (c): as much as fits without the error exceeding the minimum MTU. */
export const ICMPV6_QUOTE_MAX = IPV6_MINIMUM_MTU - IPV6.headerLength - ICMPV6.headerLength;

export const Icmpv6Parse = {
  Ok: 0,
  /** Fewer than 8 bytes. */
  Short: 1,
  Checksum: 2,
} as const;
export type Icmpv6Parse = (typeof Icmpv6Parse)[keyof typeof Icmpv6Parse];

export class Icmpv6Header {
  type = 0;
  code = 0;
  /** The word behind the checksum, as it is. */
  rest = 0;
  /** Echo messages, else 0. */
  identifier = 0;
  sequenceNumber = 0;
  /** Packet too big: MTU of the next hop, an unsigned word. Else 0. */
  mtu = 0;
  /** Parameter problem: index of the bad byte in the quotation, an unsigned word. Else 0. */
  pointer = 0;
  /** Echo: the data. Errors: the quotation. Others: what is behind `rest`. */
  payloadAt = 0;
  payloadEnd = 0;
}

/** Fills `out`; meaningful only when the answer is Ok. `pseudo`: partial sum of the pseudo-header for [at, end). */
export function parseIcmpv6(view: DataView, at: number, end: number, pseudo: number, out: Icmpv6Header): Icmpv6Parse {
  const size = end - at;
  if (size < ICMPV6.headerLength) return Icmpv6Parse.Short;
  if (onesComplementSum(view, at, size, pseudo) !== 0xffff) return Icmpv6Parse.Checksum;
  const type = view.getUint8(at);
  const rest = view.getInt32(at + ICMPV6.rest);
  const isEcho = type === Icmpv6Type.EchoRequest || type === Icmpv6Type.EchoReply;
  out.type = type;
  out.code = view.getUint8(at + ICMPV6.code);
  out.rest = rest;
  out.identifier = isEcho ? rest >>> 16 : 0;
  out.sequenceNumber = isEcho ? rest & 0xffff : 0;
  out.mtu = type === Icmpv6Type.PacketTooBig ? rest >>> 0 : 0;
  out.pointer = type === Icmpv6Type.ParameterProblem ? rest >>> 0 : 0;
  out.payloadAt = at + ICMPV6.headerLength;
  out.payloadEnd = end;
  return Icmpv6Parse.Ok;
}

/** RFC 4443 2.1: the types that report trouble with some packet and quote it. */
export function isIcmpv6Error(type: number): boolean {
  return type < 128;
}

/** Writes an echo message around `dataLength` bytes already placed at `at + 8`; returns its length. The checksum is 0. */
export function emitIcmpv6Echo(
  view: DataView,
  at: number,
  type: number,
  identifier: number,
  sequenceNumber: number,
  dataLength: number,
): number {
  emitIcmpv6(view, at, type, 0, (identifier << 16) | (sequenceNumber & 0xffff));
  return ICMPV6.headerLength + dataLength;
}

/** How many bytes of a received packet an error should quote. */
export function icmpv6QuoteLength(header: Ipv6Header): number {
  return Math.min(header.payloadEnd - header.at, ICMPV6_QUOTE_MAX);
}

/**
 * Writes an error that quotes `quoteLength` bytes from `quoteAt`, both in the same view; returns its length. The checksum
 * is 0. `rest`: the MTU or the pointer, else 0. Source and target may not overlap.
 */
export function emitIcmpv6Error(
  view: DataView,
  at: number,
  type: number,
  code: number,
  rest: number,
  quoteAt: number,
  quoteLength: number,
): number {
  const to = at + ICMPV6.headerLength;
  for (let i = 0; i < quoteLength; i += 1) view.setUint8(to + i, view.getUint8(quoteAt + i));
  emitIcmpv6(view, at, type, code, rest);
  return ICMPV6.headerLength + quoteLength;
}

/** The first eight bytes of any message, checksum 0. */
export function emitIcmpv6(view: DataView, at: number, type: number, code: number, rest: number): void {
  view.setUint8(at, type);
  view.setUint8(at + ICMPV6.code, code);
  view.setUint16(at + ICMPV6.checksum, 0);
  view.setInt32(at + ICMPV6.rest, rest);
}

/** Computes and writes the checksum of the message of `length` bytes; `pseudo` is the sum of its pseudo-header. */
export function fillIcmpv6Checksum(view: DataView, at: number, length: number, pseudo: number): void {
  view.setUint16(at + ICMPV6.checksum, 0);
  view.setUint16(at + ICMPV6.checksum, checksumOf(onesComplementSum(view, at, length, pseudo)));
}

/**
 * May this packet be answered with an ICMPv6 error? RFC 4443 2.4 (e): not an ICMPv6 error or redirect, not one for a
 * group of the IP layer or the link, not from a source that is not a single node.
 *
 * `header` was parsed from `view` and walked as far as it goes; `linkGroup`: the frame's destination MAC was a group
 * address; `evenToGroup`: packet too big, and parameter problems of options that ask for it, are answered all the same.
 */
export function mayAnswerWithIcmpv6(
  view: DataView,
  header: Ipv6Header,
  linkGroup: boolean,
  evenToGroup: boolean,
): boolean {
  if (!evenToGroup && (linkGroup || isMulticastDestination(view, header))) return false;
  if (!isUnicastAt(view, header.sourceAt) || isLoopbackAt(view, header.sourceAt)) return false;
  if (header.protocol !== NextHeader.Icmpv6) return true;
  // A message too short to show its type could be an error: the safe answer is silence.
  if (header.payloadAt >= header.payloadEnd) return false;
  const type = view.getUint8(header.payloadAt);
  return !isIcmpv6Error(type) && type !== Icmpv6Type.Redirect;
}
