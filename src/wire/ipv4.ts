/**
 * IPv4 headers: RFC 791 3.1, RFC 1122 3.2.1 (what a host must check), RFC 1624 (TTL update), RFC 4632 (prefixes).
 *
 * `parseIpv4` reads every header word once, so the checksum that it verifies is that of the values it hands out.
 * Options are skipped, not interpreted: `hasOptions` lets a layer with an opinion (offload, filters) refuse them.
 * Addresses are int32. `payloadEnd` follows the total length, so Ethernet padding is never taken for payload.
 */
import { checksumOf, fold, onesComplementSum, updateChecksum16 } from './checksum.ts';

/** Byte offsets; `fragment` is the word of flags and fragment offset. */
export const IPV4 = {
  versionAndHeaderLength: 0,
  tos: 1,
  totalLength: 2,
  identification: 4,
  fragment: 6,
  ttl: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
  headerLength: 20,
} as const;

/** IANA protocol numbers. */
export const IpProtocol = { Icmp: 1, Igmp: 2, Tcp: 6, Udp: 17, Esp: 50, Ah: 51 } as const;
export type IpProtocol = (typeof IpProtocol)[keyof typeof IpProtocol];

/** Bits of the word at `IPV4.fragment`; the offset counts units of 8 bytes. */
export const Ipv4Fragment = { Df: 0x4000, Mf: 0x2000, OffsetMask: 0x1fff } as const;

/**
 * No path is believed to carry less (Linux's min_pmtu): every host takes 576 bytes (RFC 1122 3.3.2), less some room for tunnels.
 * On a path that is said to, routers may cut what is sent.
 */
export const IPV4_LEAST_PATH_MTU = 552;

/** The limited broadcast address, 255.255.255.255. */
export const IPV4_BROADCAST = -1;

/** Outcome of `parseIpv4`; everything but Ok means: count it by this reason and drop it silently. */
export const Ipv4Parse = {
  Ok: 0,
  /** Fewer than 20 bytes. */
  Short: 1,
  Version: 2,
  /** IHL below 5, or more than there are bytes. */
  HeaderLength: 3,
  /** Shorter than its header, or longer than the frame. */
  TotalLength: 4,
  Checksum: 5,
} as const;
export type Ipv4Parse = (typeof Ipv4Parse)[keyof typeof Ipv4Parse];

export class Ipv4Header {
  headerLength = 0;
  totalLength = 0;
  identification = 0;
  df = false;
  mf = false;
  /** In units of 8 bytes, as RFC 791 counts it. */
  fragmentOffset = 0;
  ttl = 0;
  protocol = 0;
  /** DSCP in the upper six bits, ECN in the lower two (RFC 3168 5). */
  tos = 0;
  source = 0;
  destination = 0;
  /** Byte offsets in the parsed view. */
  payloadAt = 0;
  payloadEnd = 0;
  hasOptions = false;
}

/** Fills `out`; meaningful only when the answer is Ok. RFC 1122 3.2.1.1-3.2.1.2: wrong version or checksum is dropped. */
export function parseIpv4(view: DataView, at: number, end: number, out: Ipv4Header): Ipv4Parse {
  const size = end - at;
  if (size < IPV4.headerLength) return Ipv4Parse.Short;
  const word0 = view.getInt32(at);
  if (word0 >>> 28 !== 4) return Ipv4Parse.Version;
  const headerLength = (word0 >>> 22) & 0x3c;
  if (headerLength < IPV4.headerLength || headerLength > size) return Ipv4Parse.HeaderLength;
  const totalLength = word0 & 0xffff;
  if (totalLength < headerLength || totalLength > size) return Ipv4Parse.TotalLength;

  let sum = fillHeader(view, at, word0, out);
  if (headerLength !== IPV4.headerLength) {
    sum += onesComplementSum(view, at + IPV4.headerLength, headerLength - IPV4.headerLength, 0);
  }
  if (fold(sum) !== 0xffff) return Ipv4Parse.Checksum;
  out.headerLength = headerLength;
  out.totalLength = totalLength;
  out.payloadAt = at + headerLength;
  out.payloadEnd = at + totalLength;
  out.hasOptions = headerLength !== IPV4.headerLength;
  return Ipv4Parse.Ok;
}

/**
 * The header quoted in an ICMP error. Unlike a received datagram it is cut off behind some bytes of payload, and
 * routers may have changed it without repairing the checksum, so neither total length nor checksum is checked;
 * `payloadEnd` is where the quotation ends.
 */
export function parseQuotedIpv4(view: DataView, at: number, end: number, out: Ipv4Header): Ipv4Parse {
  const size = end - at;
  if (size < IPV4.headerLength) return Ipv4Parse.Short;
  const word0 = view.getInt32(at);
  if (word0 >>> 28 !== 4) return Ipv4Parse.Version;
  const headerLength = (word0 >>> 22) & 0x3c;
  if (headerLength < IPV4.headerLength || headerLength > size) return Ipv4Parse.HeaderLength;
  const totalLength = word0 & 0xffff;
  if (totalLength < headerLength) return Ipv4Parse.TotalLength;
  fillHeader(view, at, word0, out);
  out.headerLength = headerLength;
  out.totalLength = totalLength;
  out.payloadAt = at + headerLength;
  out.payloadEnd = at + Math.min(size, totalLength);
  out.hasOptions = headerLength !== IPV4.headerLength;
  return Ipv4Parse.Ok;
}

/** Fills the fields of the fixed part behind the first word; returns the unfolded sum of the fixed part. */
function fillHeader(view: DataView, at: number, word0: number, out: Ipv4Header): number {
  const word1 = view.getInt32(at + 4);
  const word2 = view.getInt32(at + 8);
  const source = view.getInt32(at + 12);
  const destination = view.getInt32(at + 16);
  out.tos = (word0 >>> 16) & 0xff;
  out.identification = word1 >>> 16;
  out.df = (word1 & Ipv4Fragment.Df) !== 0;
  out.mf = (word1 & Ipv4Fragment.Mf) !== 0;
  out.fragmentOffset = word1 & Ipv4Fragment.OffsetMask;
  out.ttl = word2 >>> 24;
  out.protocol = (word2 >>> 16) & 0xff;
  out.source = source;
  out.destination = destination;
  const fixed = (word0 >>> 16) + (word0 & 0xffff) + (word1 >>> 16) + (word1 & 0xffff);
  const addresses = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  return fixed + (word2 >>> 16) + (word2 & 0xffff) + addresses;
}

/**
 * Writes a 20-byte header with its checksum and returns 20. `fragment` is made of `Ipv4Fragment` bits and an
 * offset; the checksum comes from the arguments, nothing is read back.
 */
export function emitIpv4(
  view: DataView,
  at: number,
  tos: number,
  totalLength: number,
  identification: number,
  fragment: number,
  ttl: number,
  protocol: number,
  source: number,
  destination: number,
): number {
  const half0 = 0x4500 | (tos & 0xff);
  const half4 = ((ttl & 0xff) << 8) | (protocol & 0xff);
  const addresses = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  const fixed = half0 + (totalLength & 0xffff) + (identification & 0xffff) + (fragment & 0xffff) + half4;
  view.setInt32(at, (half0 << 16) | (totalLength & 0xffff));
  view.setInt32(at + 4, (identification << 16) | (fragment & 0xffff));
  view.setInt32(at + 8, (half4 << 16) | checksumOf(fixed + addresses));
  view.setInt32(at + 12, source);
  view.setInt32(at + 16, destination);
  return IPV4.headerLength;
}

/**
 * One hop of forwarding: lowers the TTL and repairs the checksum (RFC 1624). Returns the new TTL; 0 says that the
 * datagram must go no further (RFC 1812 5.3.1) and was left as it came, so that an ICMP error quotes it faithfully.
 */
export function decrementTtl(view: DataView, at: number): number {
  const before = view.getUint16(at + IPV4.ttl);
  if (before < 0x0200) return 0;
  const after = before - 0x0100;
  view.setUint16(at + IPV4.ttl, after);
  view.setUint16(at + IPV4.checksum, updateChecksum16(view.getUint16(at + IPV4.checksum), before, after));
  return after >>> 8;
}

/** A fragment, first or later: its payload cannot be interpreted before reassembly. */
export function isFragment(header: Ipv4Header): boolean {
  return header.mf || header.fragmentOffset !== 0;
}

/** 224.0.0.0/4 (RFC 1112 4). */
export function isMulticastAddress(address: number): boolean {
  return address >>> 28 === 0xe;
}

/** 127.0.0.0/8 (RFC 1122 3.2.1.3(g)): must not appear on a wire. */
export function isLoopbackAddress(address: number): boolean {
  return address >>> 24 === 127;
}

/** Could this address be the source of a datagram, that is, does it name a single host (RFC 1122 3.2.1.3)? */
export function isSingleHost(address: number): boolean {
  const network = address >>> 24;
  // 0/8 is "this network", 224/4 multicast, 240/4 class E with the limited broadcast at its end.
  return network !== 0 && network !== 127 && network < 224;
}

/** The netmask of a prefix length of 0 to 32 as int32. A shift by 32 would be one by 0 in JavaScript. */
export function prefixMask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : -1 << (32 - prefixLength);
}
