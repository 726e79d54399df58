/**
 * The frame by which a host or router says to everybody where one of its addresses is now: a gratuitous ARP (RFC 5227 2.3),
 * or an unsolicited neighbor advertisement (RFC 4861 7.2.6).
 */
import type { Fabric } from '../fabric/fabric.ts';
import { type AddressTable, isIpv6 } from '../wire/address-table.ts';
import { emitArpAnnouncement } from '../wire/arp.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO, emitEthernet, ETHERNET, EtherType } from '../wire/ethernet.ts';
import { fillIcmpv6Checksum } from '../wire/icmpv6.ts';
import { emitIpv6, IPV6, NextHeader, pseudoHeaderSumAt } from '../wire/ipv6.ts';
import { ALL_NODES, MULTICAST_MAC_HI } from '../wire/ipv6-address.ts';
import { emitNeighborAdvertisement, NaFlag, ND_HOP_LIMIT } from '../wire/nd.ts';
import { insertTag, tciOf, VLAN } from '../wire/vlan.ts';

/** To every NIC, as the switch would flood it; in a VLAN with its tag. Room for that is in front of `at`. */
export function announce(
  fabric: Fabric,
  view: DataView,
  at: number,
  addresses: AddressTable,
  address: number,
  macHi: number,
  macLo: number,
  vid: number,
): void {
  let frameAt = at;
  let length = emitAnnouncement(view, at, addresses, address, macHi, macLo);
  if (vid !== 0) {
    frameAt = insertTag(view, at, length, tciOf(0, 0, vid));
    length += VLAN.tagLength;
  }
  for (const cable of fabric.cables) cable.deliver(frameAt, length);
}

/** Writes it and returns its length. `addresses`: of whose numbers `address` is one. */
function emitAnnouncement(
  view: DataView,
  at: number,
  addresses: AddressTable,
  address: number,
  macHi: number,
  macLo: number,
): number {
  const ipAt = at + ETHERNET.headerLength;
  if (!isIpv6(address)) {
    emitEthernet(view, at, BROADCAST_MAC_HI, BROADCAST_MAC_LO, macHi, macLo, EtherType.Arp);
    return ETHERNET.headerLength + emitArpAnnouncement(view, ipAt, macHi, macLo, address);
  }
  const { words } = addresses;
  const from = addresses.indexOf(address);
  const messageAt = ipAt + IPV6.headerLength;
  emitEthernet(view, at, MULTICAST_MAC_HI, ALL_NODES[3]!, macHi, macLo, EtherType.Ipv6);
  const length = emitNeighborAdvertisement(view, messageAt, NaFlag.Override, words, from, macHi, macLo);
  emitIpv6(view, ipAt, 0, 0, length, NextHeader.Icmpv6, ND_HOP_LIMIT, words, from, ALL_NODES, 0);
  fillIcmpv6Checksum(view, messageAt, length, pseudoHeaderSumAt(view, ipAt, NextHeader.Icmpv6, length));
  return messageAt + length - at;
}
