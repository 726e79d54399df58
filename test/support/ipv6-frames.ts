/** Ethernet frames with IPv6 in them, as a peer would send them; written at a place of a view. */
import { emitEthernet, ETHERNET, EtherType } from '../../src/wire/ethernet.ts';
import { fillIcmpv6Checksum } from '../../src/wire/icmpv6.ts';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import { emitIpv6, IPV6, NextHeader, pseudoHeaderSumAt } from '../../src/wire/ipv6.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { checksumOf, onesComplementSum } from '../../src/wire/checksum.ts';
import { emitTcpHeader, TCP } from '../../src/wire/tcp.ts';

export interface Ends6 {
  readonly source: string;
  readonly destination: string;
  readonly srcMac: readonly [number, number];
  readonly dstMac: readonly [number, number];
  readonly hopLimit?: number;
  readonly tos?: number;
}

const PAYLOAD_AT = ETHERNET.headerLength + IPV6.headerLength;

/** A packet of `nextHeader` whose payload `write` puts at the place it is given; returns the frame's length. */
export function frame6(
  view: DataView,
  at: number,
  ends: Ends6,
  nextHeader: number,
  write: (at: number) => number,
): number {
  const { source, destination, srcMac, dstMac, hopLimit = 64, tos = 0 } = ends;
  const length = write(at + PAYLOAD_AT);
  const words = Int32Array.from([...parseIpv6Address(source)!, ...parseIpv6Address(destination)!]);
  emitEthernet(view, at, dstMac[0], dstMac[1], srcMac[0], srcMac[1], EtherType.Ipv6);
  emitIpv6(view, at + ETHERNET.headerLength, tos, 0, length, nextHeader, hopLimit, words, 0, words, 4);
  return PAYLOAD_AT + length;
}

/** An ICMPv6 message that `write` puts there, checksum and all. */
export function icmp6(view: DataView, at: number, ends: Ends6, write: (at: number) => number): number {
  const length = frame6(view, at, ends, NextHeader.Icmpv6, write);
  const size = length - PAYLOAD_AT;
  const pseudo = pseudoHeaderSumAt(view, at + ETHERNET.headerLength, NextHeader.Icmpv6, size);
  fillIcmpv6Checksum(view, at + PAYLOAD_AT, size, pseudo);
  return length;
}

export interface Segment6 {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window?: number;
  readonly text?: string;
}

export function tcp6(view: DataView, at: number, ends: Ends6, segment: Segment6): number {
  const { srcPort, dstPort, seq, ack, flags, window = 65_535, text = '' } = segment;
  const length = frame6(view, at, ends, IpProtocol.Tcp, to => {
    emitTcpHeader(view, to, srcPort, dstPort, seq, ack, TCP.headerLength, flags, window);
    for (let i = 0; i < text.length; i++) view.setUint8(to + TCP.headerLength + i, text.charCodeAt(i));
    return TCP.headerLength + text.length;
  });
  fillTcp6Checksum(view, at + ETHERNET.headerLength, at + length);
  return length;
}

/** Of the segment that follows the IPv6 header at `ipAt` at once. */
export function fillTcp6Checksum(view: DataView, ipAt: number, end: number): void {
  const at = ipAt + IPV6.headerLength;
  view.setUint16(at + TCP.checksum, 0);
  view.setUint16(at + TCP.checksum, checksumOf(tcp6Sum(view, ipAt, end)));
}

/** 0xffff when the checksum of the segment is right. */
export function tcp6Sum(view: DataView, ipAt: number, end: number): number {
  const at = ipAt + IPV6.headerLength;
  return onesComplementSum(view, at, end - at, pseudoHeaderSumAt(view, ipAt, IpProtocol.Tcp, end - at));
}
