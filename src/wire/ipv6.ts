/**
 * IPv6 headers: RFC 8200 3 (the fixed header); extension headers are in `ipv6-extensions.ts`.
 *
 * `parseIpv6` reads the fixed header; `walkExtensions` goes on from there to the upper-layer header, moving `protocol` and
 * `payloadAt`. `payloadEnd` follows the payload length, so Ethernet padding is never taken for payload. There is no
 * header checksum. Addresses stay where they are in the packet, at `sourceAt` and `destinationAt`; `source` and
 * `destination` are their numbers in the AddressTable of whoever has one.
 */
import { fold, onesComplementSum } from './checksum.ts';
import { isMulticastWord } from './ipv6-address.ts';

/** Byte offsets. */
export const IPV6 = {
  versionClassAndLabel: 0,
  payloadLength: 4,
  nextHeader: 6,
  hopLimit: 7,
  source: 8,
  destination: 24,
  headerLength: 40,
} as const;

/** RFC 8200 5: every link carries packets of this size. */
export const IPV6_MINIMUM_MTU = 1280;

/** Protocol numbers of IPv6's own (IANA); TCP and UDP have the numbers of `IpProtocol`. */
export const NextHeader = {
  HopByHop: 0,
  Routing: 43,
  Fragment: 44,
  Icmpv6: 58,
  /** Nothing follows. */
  None: 59,
  DestinationOptions: 60,
} as const;
export type NextHeader = (typeof NextHeader)[keyof typeof NextHeader];

/** Codes of the ICMPv6 parameter problem: RFC 4443 3.4, RFC 7112 7. */
export const ParameterProblem6Code = { Header: 0, NextHeader: 1, Option: 2, FirstFragment: 3 } as const;

/** Outcome of `parseIpv6`; everything but Ok means: count it by this reason and drop it silently. */
export const Ipv6Parse = {
  Ok: 0,
  /** Fewer than 40 bytes. */
  Short: 1,
  Version: 2,
  /** Longer than the frame. */
  PayloadLength: 3,
} as const;
export type Ipv6Parse = (typeof Ipv6Parse)[keyof typeof Ipv6Parse];

export class Ipv6Header {
  /** Byte offset of the fixed header in the parsed view. */
  at = 0;
  /** DSCP in the upper six bits, ECN in the lower two, as in IPv4's TOS (RFC 8200 7). */
  tos = 0;
  flowLabel = 0;
  /** Hop limit. */
  ttl = 0;
  sourceAt = 0;
  destinationAt = 0;
  /** Numbers in the owner's AddressTable; 0 until somebody looks them up. */
  source = 0;
  destination = 0;
  /** Of the header at `payloadAt`, and where the byte is that says so. */
  protocol = 0;
  protocolAt = 0;
  payloadAt = 0;
  payloadEnd = 0;
}

/** Fills `out`; meaningful only when the answer is Ok. */
export function parseIpv6(view: DataView, at: number, end: number, out: Ipv6Header): Ipv6Parse {
  const status = parseQuotedIpv6(view, at, end, out);
  if (status !== Ipv6Parse.Ok) return status;
  const payloadEnd = out.payloadAt + view.getUint16(at + IPV6.payloadLength);
  // RFC 2675 is not supported here: a jumbogram, of payload length 0, has no bytes for its options header.
  if (payloadEnd > end) return Ipv6Parse.PayloadLength;
  out.payloadEnd = payloadEnd;
  return Ipv6Parse.Ok;
}

/** The header quoted in an ICMPv6 error, which may be cut off anywhere behind it; `payloadEnd` is where it ends. */
export function parseQuotedIpv6(view: DataView, at: number, end: number, out: Ipv6Header): Ipv6Parse {
  if (end - at < IPV6.headerLength) return Ipv6Parse.Short;
  const word0 = view.getInt32(at);
  if (word0 >>> 28 !== 6) return Ipv6Parse.Version;
  const word1 = view.getInt32(at + IPV6.payloadLength);
  out.at = at;
  out.tos = (word0 >>> 20) & 0xff;
  out.flowLabel = word0 & 0xfffff;
  out.ttl = word1 & 0xff;
  out.sourceAt = at + IPV6.source;
  out.destinationAt = at + IPV6.destination;
  out.source = 0;
  out.destination = 0;
  out.protocol = (word1 >>> 8) & 0xff;
  out.protocolAt = at + IPV6.nextHeader;
  out.payloadAt = at + IPV6.headerLength;
  out.payloadEnd = Math.min(end, out.payloadAt + (word1 >>> 16));
  return Ipv6Parse.Ok;
}

/** Writes the 40 bytes and returns their number; each address is four words of an Int32Array from an index on. */
export function emitIpv6(
  view: DataView,
  at: number,
  tos: number,
  flowLabel: number,
  payloadLength: number,
  nextHeader: number,
  hopLimit: number,
  sourceWords: Readonly<Int32Array>,
  source: number,
  destinationWords: Readonly<Int32Array>,
  destination: number,
): number {
  view.setInt32(at, (6 << 28) | ((tos & 0xff) << 20) | (flowLabel & 0xfffff));
  view.setInt32(at + IPV6.payloadLength, (payloadLength << 16) | ((nextHeader & 0xff) << 8) | (hopLimit & 0xff));
  for (let i = 0; i < 4; i += 1) {
    view.setInt32(at + IPV6.source + 4 * i, sourceWords[source + i]!);
    view.setInt32(at + IPV6.destination + 4 * i, destinationWords[destination + i]!);
  }
  return IPV6.headerLength;
}

/** Partial sum of the pseudo-header of the packet at `at` (RFC 8200 8.1); `length` is that of upper-layer header and data. */
export function pseudoHeaderSumAt(view: DataView, at: number, protocol: number, length: number): number {
  const addresses = onesComplementSum(view, at + IPV6.source, 32, 0);
  return fold(addresses + protocol + (length >>> 16) + (length & 0xffff));
}

/** One hop of forwarding (RFC 8200 3): returns the new hop limit; 0 says that the packet must go no further. */
export function decrementHopLimit(view: DataView, at: number): number {
  const before = view.getUint8(at + IPV6.hopLimit);
  if (before < 2) return 0;
  view.setUint8(at + IPV6.hopLimit, before - 1);
  return before - 1;
}

export function isMulticastDestination(view: DataView, header: Ipv6Header): boolean {
  return isMulticastWord(view.getInt32(header.destinationAt));
}
