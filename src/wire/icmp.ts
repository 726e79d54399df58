/**
 * ICMP for IPv4: RFC 792 (formats), RFC 1122 3.2.2 (what hosts may send), RFC 1191 4 (next-hop MTU).
 *
 * Echo is answered by NIC firmware and stations alike; error messages tell TCP about its path. An error quotes the
 * offending datagram: `parseIcmp` yields the quotation as [payloadAt, payloadEnd), to be read with `parseQuotedIpv4`.
 * RFC 4884 extensions stand behind the quotation and are carried, not interpreted.
 *
 * Before sending any error, ask `mayAnswerWithError`: answering the wrong datagram makes broadcast storms.
 */
import { checksumOf, onesComplementSum, updateChecksum16 } from './checksum.ts';
import { IPV4_BROADCAST, IpProtocol, isMulticastAddress, isSingleHost } from './ipv4.ts';
import type { Ipv4Header } from './ipv4.ts';

/** Byte offsets. `rest` is the word whose meaning depends on the type. */
export const ICMP = {
  type: 0,
  code: 1,
  checksum: 2,
  rest: 4,
  /** Echo: the two halves of `rest`. */
  identifier: 4,
  sequenceNumber: 6,
  /** Parameter problem: the first byte of `rest`. */
  pointer: 4,
  /** Fragmentation needed (RFC 1191 4): the second half of `rest`. */
  nextHopMtu: 6,
  headerLength: 8,
} as const;

export const IcmpType = {
  EchoReply: 0,
  DestinationUnreachable: 3,
  SourceQuench: 4,
  Redirect: 5,
  Echo: 8,
  TimeExceeded: 11,
  ParameterProblem: 12,
} as const;
export type IcmpType = (typeof IcmpType)[keyof typeof IcmpType];

/** Codes of `DestinationUnreachable`: RFC 792, RFC 1122 3.2.2.1 (6-12), RFC 1812 5.2.7.1 (13-15). */
export const UnreachableCode = {
  Net: 0,
  Host: 1,
  Protocol: 2,
  Port: 3,
  FragmentationNeeded: 4,
  SourceRouteFailed: 5,
  NetUnknown: 6,
  HostUnknown: 7,
  SourceHostIsolated: 8,
  NetProhibited: 9,
  HostProhibited: 10,
  NetTos: 11,
  HostTos: 12,
  CommunicationProhibited: 13,
  HostPrecedence: 14,
  PrecedenceCutoff: 15,
} as const;
export type UnreachableCode = (typeof UnreachableCode)[keyof typeof UnreachableCode];

export const TimeExceededCode = { Transit: 0, Reassembly: 1 } as const;
export const ParameterProblemCode = { Pointer: 0, MissingOption: 1 } as const;

/** RFC 1812 4.3.2.3: quote as much as fits in 576 bytes, which every host can reassemble. */
export const ICMP_QUOTE_MAX = 576 - 20 - ICMP.headerLength;

export const IcmpParse = {
  Ok: 0,
  /** Fewer than 8 bytes. */
  Short: 1,
  Checksum: 2,
} as const;
export type IcmpParse = (typeof IcmpParse)[keyof typeof IcmpParse];

export class IcmpHeader {
  type = 0;
  code = 0;
  /** Echo messages, else 0. */
  identifier = 0;
  sequenceNumber = 0;
  /** Fragmentation needed: the MTU, or 0 from a router older than RFC 1191. Else 0. */
  nextHopMtu = 0;
  /** Parameter problem: index of the bad byte in the quotation. Else 0. */
  pointer = 0;
  /** Echo: the data. Errors: the quotation. */
  payloadAt = 0;
  payloadEnd = 0;
}

/** Fills `out`; meaningful only when the answer is Ok. [at, end) is the payload of one whole datagram. */
export function parseIcmp(view: DataView, at: number, end: number, out: IcmpHeader): IcmpParse {
  const size = end - at;
  if (size < ICMP.headerLength) return IcmpParse.Short;
  if (onesComplementSum(view, at, size, 0) !== 0xffff) return IcmpParse.Checksum;
  const type = view.getUint8(at);
  const code = view.getUint8(at + ICMP.code);
  const rest = view.getInt32(at + ICMP.rest);
  const isEcho = type === IcmpType.Echo || type === IcmpType.EchoReply;
  const isTooBig = type === IcmpType.DestinationUnreachable && code === UnreachableCode.FragmentationNeeded;
  out.type = type;
  out.code = code;
  out.identifier = isEcho ? rest >>> 16 : 0;
  out.sequenceNumber = isEcho ? rest & 0xffff : 0;
  out.nextHopMtu = isTooBig ? rest & 0xffff : 0;
  out.pointer = type === IcmpType.ParameterProblem ? rest >>> 24 : 0;
  out.payloadAt = at + ICMP.headerLength;
  out.payloadEnd = end;
  return IcmpParse.Ok;
}

/** RFC 1122 3.2.2: the types that report trouble with some datagram and quote it. */
export function isIcmpError(type: number): boolean {
  return (
    type === IcmpType.DestinationUnreachable ||
    type === IcmpType.SourceQuench ||
    type === IcmpType.Redirect ||
    type === IcmpType.TimeExceeded ||
    type === IcmpType.ParameterProblem
  );
}

/** Writes an echo request or reply around `dataLength` bytes already placed at `at + 8`; returns the message's length. */
export function emitIcmpEcho(
  view: DataView,
  at: number,
  type: number,
  identifier: number,
  sequenceNumber: number,
  dataLength: number,
): number {
  return emitIcmp(view, at, type, 0, (identifier << 16) | (sequenceNumber & 0xffff), dataLength);
}

/**
 * Turns the echo request at `at` into its reply, where it lies. RFC 792: only type and checksum change, the data
 * is returned as it came (RFC 1122 3.2.2.6). The caller swaps the IP and MAC addresses.
 */
export function echoReplyInPlace(view: DataView, at: number): void {
  const before = view.getUint16(at);
  const after = IcmpType.EchoReply << 8;
  const checksum = updateChecksum16(view.getUint16(at + ICMP.checksum), before, after);
  view.setUint16(at, after);
  // A reply may consist of zeros only, the one case in which RFC 1624 yields 0 where 0xffff is right. For all other
  // data both are right, since both are zero in ones' complement.
  view.setUint16(at + ICMP.checksum, checksum === 0 ? 0xffff : checksum);
}

/** How many bytes of a received datagram an error should quote: all, up to `ICMP_QUOTE_MAX`; at least header + 8. */
export function icmpQuoteLength(header: Ipv4Header): number {
  return Math.min(header.payloadEnd - header.payloadAt + header.headerLength, ICMP_QUOTE_MAX);
}

/**
 * Writes an error message that quotes `quoteLength` bytes from `quoteAt`, both in the same view; returns its length.
 * Source and target may not overlap. `rest`: see the three functions below, or 0.
 */
export function emitIcmpError(
  view: DataView,
  at: number,
  type: number,
  code: number,
  rest: number,
  quoteAt: number,
  quoteLength: number,
): number {
  const to = at + ICMP.headerLength;
  for (let i = 0; i < quoteLength; i += 1) view.setUint8(to + i, view.getUint8(quoteAt + i));
  return emitIcmp(view, at, type, code, rest, quoteLength);
}

/** Any code but fragmentation needed; for that one `nextHopMtu` is not 0 (RFC 1191 4). */
export function emitDestinationUnreachable(
  view: DataView,
  at: number,
  code: number,
  nextHopMtu: number,
  quoteAt: number,
  quoteLength: number,
): number {
  return emitIcmpError(view, at, IcmpType.DestinationUnreachable, code, nextHopMtu & 0xffff, quoteAt, quoteLength);
}

export function emitTimeExceeded(
  view: DataView,
  at: number,
  code: number,
  quoteAt: number,
  quoteLength: number,
): number {
  return emitIcmpError(view, at, IcmpType.TimeExceeded, code, 0, quoteAt, quoteLength);
}

/** `pointer`: index within the quoted datagram of the byte that could not be processed. */
export function emitParameterProblem(
  view: DataView,
  at: number,
  code: number,
  pointer: number,
  quoteAt: number,
  quoteLength: number,
): number {
  return emitIcmpError(view, at, IcmpType.ParameterProblem, code, pointer << 24, quoteAt, quoteLength);
}

function emitIcmp(view: DataView, at: number, type: number, code: number, rest: number, dataLength: number): number {
  const length = ICMP.headerLength + dataLength;
  view.setUint8(at, type);
  view.setUint8(at + ICMP.code, code);
  view.setUint16(at + ICMP.checksum, 0);
  view.setInt32(at + ICMP.rest, rest);
  view.setUint16(at + ICMP.checksum, checksumOf(onesComplementSum(view, at, length, 0)));
  return length;
}

/**
 * May this datagram be answered with an ICMP error? RFC 1122 3.2.2 forbids it for ICMP errors, IP broadcast and
 * multicast destinations, link-layer broadcasts, later fragments, and sources that are not a single host.
 *
 * `header` was parsed from `view`; `linkGroup`: the frame's destination MAC was a group address;
 * `subnetBroadcast`: the directed broadcast address of the interface, `IPV4_BROADCAST` if it has none.
 */
export function mayAnswerWithError(
  view: DataView,
  header: Ipv4Header,
  linkGroup: boolean,
  subnetBroadcast: number,
): boolean {
  const { source, destination } = header;
  if (linkGroup) return false;
  if (destination === IPV4_BROADCAST || destination === subnetBroadcast) return false;
  if (isMulticastAddress(destination)) return false;
  if (header.fragmentOffset !== 0) return false;
  if (!isSingleHost(source) || source === subnetBroadcast) return false;
  if (header.protocol !== IpProtocol.Icmp) return true;
  // An ICMP message too short to show its type could be an error: the safe answer is silence.
  if (header.payloadAt >= header.payloadEnd) return false;
  return !isIcmpError(view.getUint8(header.payloadAt));
}
