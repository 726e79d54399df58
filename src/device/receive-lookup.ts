/**
 * Receive lookup: which offloaded connection a frame belongs to, if any (digest §2.3, §4.5, §4.8).
 *
 * Direct, by addresses, ports and VID; options, extension headers and fragments are the host's business, which forwards
 * what comes of them.
 */
import type { Memory } from '../memory/memory.ts';
import type { NicConfig } from '../ring/nic-layout.ts';
import { isMarked } from '../tcp/ecn.ts';
import type { TcbTable } from '../tcp/tcb-table.ts';
import { type AddressTable, isIpv6 } from '../wire/address-table.ts';
import { ETHERNET, EtherType, isGroupMac } from '../wire/ethernet.ts';
import type { IpDatagram } from '../wire/ip-datagram.ts';
import { Ipv4Header, Ipv4Parse, IpProtocol, isFragment, parseIpv4 } from '../wire/ipv4.ts';
import { Ipv6Header, Ipv6Parse, NextHeader, parseIpv6 } from '../wire/ipv6.ts';
import { FramePayload, readPayload } from '../wire/llc-snap.ts';
import { parseTcp, TcpHeader, TcpParse } from '../wire/tcp.ts';
import { isTpid, vidOf, VLAN } from '../wire/vlan.ts';
import { IcmpFilter } from './icmp-filter.ts';
import type { NicStatistics } from './statistics.ts';

/** Where there is no slot: the frame goes up the normal path, or nowhere. */
export const NORMAL_PATH = -1;
export const DROPPED = -2;

export class ReceiveLookup {
  /** Of the frame that was looked up. */
  ip: IpDatagram;
  readonly #ipv4 = new Ipv4Header();
  readonly #ipv6 = new Ipv6Header();
  readonly tcp = new TcpHeader();
  readonly #payload = new FramePayload();
  readonly #memory: Memory;
  readonly #table: TcbTable;
  readonly #addresses: AddressTable;
  readonly #icmp: IcmpFilter;
  readonly #vlanIds: readonly number[];
  readonly #stats: NicStatistics;

  constructor(memory: Memory, table: TcbTable, addresses: AddressTable, config: NicConfig, stats: NicStatistics) {
    this.#memory = memory;
    this.#table = table;
    this.#addresses = addresses;
    this.ip = this.#ipv4;
    this.#icmp = new IcmpFilter(memory, table, addresses);
    this.#vlanIds = config.target.vlanIds;
    this.#stats = stats;
  }

  /** The slot of the connection, NORMAL_PATH or DROPPED. */
  slotOf(frameAt: number, frameLength: number): number {
    const { view } = this.#memory;
    // RFC 1122 3.3.6: what came in a link-layer broadcast or multicast is for no connection; the host drops it.
    if (isGroupMac(view.getUint16(frameAt))) return NORMAL_PATH;
    const end = frameAt + frameLength;
    let ipAt = frameAt + ETHERNET.headerLength;
    let vid = 0;
    let etherType = view.getUint16(frameAt + ETHERNET.etherType);
    if (isTpid(etherType)) {
      vid = vidOf(view, frameAt, end);
      ipAt += VLAN.tagLength;
      if (vid < 0 || ipAt > end) return NORMAL_PATH;
      etherType = view.getUint16(ipAt - 2);
    }
    if (etherType < EtherType.LowestType) {
      // RFC 1042: a frame with a length, and the type behind an LLC/SNAP header.
      readPayload(view, ipAt - 2, end, this.#payload);
      etherType = this.#payload.etherType;
      ipAt = this.#payload.at;
    }
    const isOurs = etherType === EtherType.Ipv6 ? this.#readIpv6(ipAt, end) : this.#readIpv4(etherType, ipAt, end);
    const { ip } = this;
    const isIcmp = ip.protocol === IpProtocol.Icmp || ip.protocol === NextHeader.Icmpv6;
    if (isOurs && isIcmp) return this.#icmpError(vid);
    if (!isOurs || ip.protocol !== IpProtocol.Tcp || ip.payloadEnd - ip.payloadAt < 20) return NORMAL_PATH;
    const ports = view.getInt32(ip.payloadAt);
    const slot = this.#find(ports, vid);
    return slot >= 0 || this.#vlanIds.length === 0 ? slot : this.#foreignVlan(ports, vid);
  }

  #readIpv4(etherType: number, at: number, end: number): boolean {
    const ip = this.#ipv4;
    this.ip = ip;
    if (etherType !== EtherType.Ipv4 || parseIpv4(this.#memory.view, at, end, ip) !== Ipv4Parse.Ok) return false;
    // RFC 1112 4: no host has an address of class E; here they stand for those of IPv6.
    return !ip.hasOptions && !isFragment(ip) && !isIpv6(ip.source);
  }

  #readIpv6(at: number, end: number): boolean {
    const { view } = this.#memory;
    const ip = this.#ipv6;
    this.ip = ip;
    if (parseIpv6(view, at, end, ip) !== Ipv6Parse.Ok) return false;
    ip.source = this.#addresses.find(view, ip.sourceAt);
    ip.destination = this.#addresses.find(view, ip.destinationAt);
    // An error may come from a router that no connection of ours has to do with.
    return ip.protocol === NextHeader.Icmpv6 || (ip.source !== 0 && ip.destination !== 0);
  }

  #icmpError(vid: number): number {
    if (!this.#icmp.isForged(this.ip, vid)) return NORMAL_PATH;
    this.#stats.dropForgedIcmp++;
    return DROPPED;
  }

  #find(ports: number, vid: number): number {
    return this.#table.lookup(this.ip.source, ports >>> 16, this.ip.destination, ports & 0xffff, vid);
  }

  /**
   * Digest §4.8, for a device that knows the VIDs of its interfaces: a connection of no VLAN takes what has a tag of none
   * of them; a connection of one takes nothing else, and what would be its own but for the tag is dropped. A VID that is
   * one of them may be another virtual adapter's business (F15): the host sorts it out.
   */
  #foreignVlan(ports: number, vid: number): number {
    if (this.#vlanIds.includes(vid)) return NORMAL_PATH;
    const untagged = vid === 0 ? NORMAL_PATH : this.#find(ports, 0);
    if (untagged >= 0) return untagged;
    for (const own of this.#vlanIds) {
      if (this.#find(ports, own) < 0) continue;
      this.#stats.dropVlan++;
      return DROPPED;
    }
    return NORMAL_PATH;
  }

  /** Parses the segment into `tcp`; false when it is damaged. */
  takeSegment(): boolean {
    const { ip } = this;
    const length = ip.payloadEnd - ip.payloadAt;
    const pseudo = this.#addresses.pseudoHeaderSum(ip.source, ip.destination, IpProtocol.Tcp, length);
    if (this.#memory.kernels.checksum(ip.payloadAt, length, pseudo) !== 0xffff) return false;
    this.tcp.congestionExperienced = isMarked(ip.tos);
    return parseTcp(this.#memory.view, ip.payloadAt, ip.payloadEnd, this.tcp) === TcpParse.Ok;
  }
}
