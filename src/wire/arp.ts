/**
 * ARP for IPv4 over Ethernet: RFC 826, with the probes and announcements of RFC 5227.
 *
 * Only this one pair of address spaces exists here; a packet for any other is "not ours" and parse says false, as
 * RFC 826's reception rules begin ("Do I have the hardware type in ar$hrd? Do I speak the protocol in ar$pro?").
 * Called by the neighbor cache (host framing), the NIC's firmware and the fabric's stations.
 */
import { EtherType } from './ethernet.ts';

/** Byte offsets; in the RFC ar$hrd, ar$pro, ar$hln, ar$pln, ar$op, ar$sha, ar$spa, ar$tha, ar$tpa. */
export const ARP = {
  hardwareType: 0,
  protocolType: 2,
  hardwareLength: 4,
  protocolLength: 5,
  operation: 6,
  senderMac: 8,
  senderAddress: 14,
  targetMac: 18,
  targetAddress: 24,
  length: 28,
} as const;

export const ArpOperation = { Request: 1, Reply: 2 } as const;
export type ArpOperation = (typeof ArpOperation)[keyof typeof ArpOperation];

/** ar$hrd = 1 (Ethernet), ar$pro = 0x0800 (IPv4) in one word; ar$hln = 6, ar$pln = 4 in the next half. */
const ETHERNET_AND_IPV4 = 0x0001_0000 | EtherType.Ipv4;
const LENGTHS_6_AND_4 = 0x0604;

export class ArpPacket {
  /** ar$op, as on the wire: an `ArpOperation` or something to ignore. */
  operation = 0;
  senderMacHi = 0;
  senderMacLo = 0;
  senderAddress = 0;
  targetMacHi = 0;
  targetMacLo = 0;
  targetAddress = 0;
}

/** Fills `out` and returns true, if [at, end) holds an ARP packet for IPv4 over Ethernet. */
export function parseArp(view: DataView, at: number, end: number, out: ArpPacket): boolean {
  if (end - at < ARP.length) return false;
  if (view.getInt32(at) !== ETHERNET_AND_IPV4) return false;
  if (view.getUint16(at + ARP.hardwareLength) !== LENGTHS_6_AND_4) return false;
  out.operation = view.getUint16(at + ARP.operation);
  out.senderMacHi = view.getUint16(at + ARP.senderMac);
  out.senderMacLo = view.getInt32(at + ARP.senderMac + 2);
  out.senderAddress = view.getInt32(at + ARP.senderAddress);
  out.targetMacHi = view.getUint16(at + ARP.targetMac);
  out.targetMacLo = view.getInt32(at + ARP.targetMac + 2);
  out.targetAddress = view.getInt32(at + ARP.targetAddress);
  return true;
}

/** Writes the 28 bytes and returns their number. In a request the target MAC is unknown: zero. */
export function emitArp(
  view: DataView,
  at: number,
  operation: number,
  senderMacHi: number,
  senderMacLo: number,
  senderAddress: number,
  targetMacHi: number,
  targetMacLo: number,
  targetAddress: number,
): number {
  view.setInt32(at, ETHERNET_AND_IPV4);
  view.setUint16(at + ARP.hardwareLength, LENGTHS_6_AND_4);
  view.setUint16(at + ARP.operation, operation);
  view.setUint16(at + ARP.senderMac, senderMacHi);
  view.setInt32(at + ARP.senderMac + 2, senderMacLo);
  view.setInt32(at + ARP.senderAddress, senderAddress);
  view.setUint16(at + ARP.targetMac, targetMacHi);
  view.setInt32(at + ARP.targetMac + 2, targetMacLo);
  view.setInt32(at + ARP.targetAddress, targetAddress);
  return ARP.length;
}

/**
 * "This address is mine, and lives at this MAC now": sent to the broadcast address after a failover.
 * RFC 5227 2.3: a *request* (not a reply) whose sender and target address are both the announced one.
 */
export function emitArpAnnouncement(view: DataView, at: number, macHi: number, macLo: number, address: number): number {
  return emitArp(view, at, ArpOperation.Request, macHi, macLo, address, 0, 0, address);
}

/** "Does anybody use this address?" RFC 5227 2.1.1: the sender address is zero, so that no cache is polluted. */
export function emitArpProbe(view: DataView, at: number, macHi: number, macLo: number, address: number): number {
  return emitArp(view, at, ArpOperation.Request, macHi, macLo, 0, 0, 0, address);
}

/** An announcement in either form in use: request or reply with sender address = target address. */
export function isGratuitousArp(packet: ArpPacket): boolean {
  return packet.senderAddress === packet.targetAddress;
}
