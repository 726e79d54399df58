/**
 * UDP: RFC 768, with RFC 1122 4.1.3.4 and RFC 8200 8.1 (checksums).
 *
 * Parsing and verifying are separate, because what is to be done without a checksum is another question for each IP version.
 * The pseudo-header comes as its partial sum, so that both versions are alike; those of IPv4 are made here.
 */
import { checksumOf, onesComplementSum, pseudoHeaderSum } from './checksum.ts';
import { IpProtocol } from './ipv4.ts';

/** Byte offsets. */
export const UDP = { srcPort: 0, dstPort: 2, length: 4, checksum: 6, headerLength: 8 } as const;

export const UdpParse = {
  Ok: 0,
  /** Fewer than 8 bytes. */
  Short: 1,
  /** The length field is below 8, or exceeds the datagram. */
  Length: 2,
} as const;
export type UdpParse = (typeof UdpParse)[keyof typeof UdpParse];

export class UdpHeader {
  srcPort = 0;
  dstPort = 0;
  /** Header and data. */
  length = 0;
  /** As on the wire; 0 means that the sender computed none. */
  checksum = 0;
  payloadAt = 0;
  payloadLength = 0;
}

/** Fills `out`; meaningful only when the answer is Ok. */
export function parseUdp(view: DataView, at: number, end: number, out: UdpHeader): UdpParse {
  const size = end - at;
  if (size < UDP.headerLength) return UdpParse.Short;
  const length = view.getUint16(at + UDP.length);
  if (length < UDP.headerLength || length > size) return UdpParse.Length;
  out.srcPort = view.getUint16(at);
  out.dstPort = view.getUint16(at + UDP.dstPort);
  out.length = length;
  out.checksum = view.getUint16(at + UDP.checksum);
  out.payloadAt = at + UDP.headerLength;
  out.payloadLength = length - UDP.headerLength;
  return UdpParse.Ok;
}

/** Checks the datagram that `parseUdp` accepted at `at`; one of IPv4 without checksum passes (RFC 1122 4.1.3.4). */
export function isUdpChecksumValid(
  view: DataView,
  at: number,
  header: UdpHeader,
  source: number,
  destination: number,
): boolean {
  if (header.checksum === 0) return true;
  return isUdpSumRight(view, at, header, pseudoHeaderSum(source, destination, IpProtocol.Udp, header.length));
}

/** The same for a datagram that has a checksum; `pseudo` is the partial sum of its pseudo-header, of either IP version. */
export function isUdpSumRight(view: DataView, at: number, header: UdpHeader, pseudo: number): boolean {
  return onesComplementSum(view, at, header.length, pseudo) === 0xffff;
}

/** Writes the header in front of `payloadLength` bytes already placed at `at + 8`; returns header plus data length. */
export function emitUdp(
  view: DataView,
  at: number,
  srcPort: number,
  dstPort: number,
  payloadLength: number,
  source: number,
  destination: number,
): number {
  const pseudo = pseudoHeaderSum(source, destination, IpProtocol.Udp, UDP.headerLength + payloadLength);
  return emitUdpHeader(view, at, srcPort, dstPort, payloadLength, pseudo);
}

/** The same, with the partial sum of the pseudo-header of either IP version. */
export function emitUdpHeader(
  view: DataView,
  at: number,
  srcPort: number,
  dstPort: number,
  payloadLength: number,
  pseudo: number,
): number {
  const length = UDP.headerLength + payloadLength;
  view.setUint16(at, srcPort);
  view.setUint16(at + UDP.dstPort, dstPort);
  view.setUint16(at + UDP.length, length);
  view.setUint16(at + UDP.checksum, 0);
  const checksum = checksumOf(onesComplementSum(view, at, length, pseudo));
  // RFC 768: a computed zero is sent as all ones, because zero says "no checksum".
  view.setUint16(at + UDP.checksum, checksum === 0 ? 0xffff : checksum);
  return length;
}
