/**
 * IPv6 packets that arrive (RFC 8200): what is for us, well formed and whole goes to its protocol; fragments wait for the
 * others. Source addresses are known by number only while the packet is looked at, unless something keeps the number.
 *
 * Called by Network for each packet of a frame; what cannot be read or is not ours is counted and dropped silently.
 */
import type { Memory, Region } from '../memory/memory.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { Unreachable6Code } from '../wire/icmpv6.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { isLoopbackAt, isMappedIpv4At, isMulticastWord, isUnspecifiedAt } from '../wire/ipv6-address.ts';
import {
  Ipv6Header,
  Ipv6Parse,
  IPV6,
  isMulticastDestination,
  NextHeader,
  ParameterProblem6Code,
  parseIpv6,
  parseQuotedIpv6,
  pseudoHeaderSumAt,
} from '../wire/ipv6.ts';
import { ExtensionWalk, FRAGMENT, Ipv6Walk, walkExtensions } from '../wire/ipv6-extensions.ts';
import type { HostIcmpv6 } from './host-icmpv6.ts';
import type { Interface } from './interface.ts';
import type { Ipv6Interface } from './ipv6-interface.ts';
import type { DatagramInput, TransportInput } from './network.ts';
import { Fragment, type PartialDatagram, Reassembler, Reassembly } from './reassembler.ts';
import { SegmentPieces } from './segment-pieces.ts';

/** RFC 8200 4.5: sixty seconds. */
const LIFETIME_TICKS = 60_000;

export class Ipv6Input {
  readonly reassembler: Reassembler;
  readonly pieces: SegmentPieces;
  readonly #memory: Memory;
  readonly #table: AddressTable;
  readonly #icmp: HostIcmpv6;
  readonly #ip = new Ipv6Header();
  readonly #walk = new ExtensionWalk();
  readonly #fragment = new Fragment();
  transport: TransportInput | null = null;
  datagrams: DatagramInput | null = null;
  received = 0;
  delivered = 0;
  headerErrors = 0;
  addressErrors = 0;
  /** There was no room to remember who sent it. */
  discarded = 0;

  constructor(memory: Memory, table: AddressTable, icmp: HostIcmpv6, room: Region) {
    this.#memory = memory;
    this.#table = table;
    this.#icmp = icmp;
    this.reassembler = new Reassembler(memory, table, room, datagram => this.#timedOut(datagram));
    this.pieces = new SegmentPieces(memory, table);
  }

  /** A packet in [at, end) of a receive buffer; `linkGroup`: of a frame to a group address. True: the buffer was kept. */
  receive(on: Ipv6Interface, buffer: number, at: number, end: number, linkGroup: boolean): boolean {
    this.received++;
    const ip = this.#ip;
    if (parseIpv6(this.#memory.view, at, end, ip) !== Ipv6Parse.Ok) {
      this.headerErrors++;
      return false;
    }
    if (!this.#isForUs(on, ip, linkGroup)) {
      this.addressErrors++;
      return false;
    }
    const { view } = this.#memory;
    ip.source = this.#table.intern(view, ip.sourceAt);
    ip.destination = this.#table.find(view, ip.destinationAt);
    if (ip.source === 0) {
      this.discarded++;
      return false;
    }
    const { source } = ip;
    const kept = this.#walkOn(on, buffer, linkGroup, false);
    this.#table.release(source);
    return kept;
  }

  /** RFC 4291 2.5.3, 2.7: addresses that are never sources, and destinations that are not ours. */
  #isForUs(on: Ipv6Interface, ip: Ipv6Header, linkGroup: boolean): boolean {
    const { view } = this.#memory;
    const { sourceAt, destinationAt } = ip;
    if (isMulticastWord(view.getInt32(sourceAt)) || isLoopbackAt(view, sourceAt)) return false;
    if (isMappedIpv4At(view, sourceAt)) return false;
    // Somebody without an address asks, of all protocols, neighbor discovery only.
    if (isUnspecifiedAt(view, sourceAt) && ip.protocol !== NextHeader.Icmpv6) return false;
    if (isMulticastDestination(view, ip)) return on.isMember(view, destinationAt);
    // As RFC 1122 3.3.6 for IPv4: a packet for one in a frame for many is not what it says.
    return !linkGroup && on.isAssigned(this.#table.find(view, destinationAt));
  }

  /** `isBehindFragment`: a fragment header has been passed, and there is no second one. */
  #walkOn(on: Ipv6Interface, buffer: number, linkGroup: boolean, isBehindFragment: boolean): boolean {
    const ip = this.#ip;
    const walk = this.#walk;
    switch (walkExtensions(this.#memory.view, ip, walk)) {
      case Ipv6Walk.UpperLayer:
        return this.#deliver(on, buffer, linkGroup);
      case Ipv6Walk.Fragment:
        if (!isBehindFragment) return this.#receiveFragment(on, buffer, linkGroup);
        this.headerErrors++;
        return false;
      case Ipv6Walk.Report:
        this.headerErrors++;
        this.#icmp.parameterProblem(on, ip, walk.problemCode, walk.problemAt, linkGroup, walk.answersMulticast);
        return false;
      case Ipv6Walk.Discard:
        this.headerErrors++;
        return false;
    }
  }

  /** True: the buffer was kept. */
  #deliver(on: Ipv6Interface, buffer: number, linkGroup: boolean): boolean {
    const ip = this.#ip;
    if (ip.protocol === IpProtocol.Tcp) {
      // RFC 9293 MUST-57: none of a group's.
      if (isMulticastDestination(this.#memory.view, ip)) return false;
      this.delivered++;
      return this.transport!.receive(on.iface, ip, buffer);
    }
    this.#deliverOther(on, linkGroup, false);
    return false;
  }

  /** Everything but TCP: nothing of it keeps the bytes. */
  #deliverOther(on: Ipv6Interface, linkGroup: boolean, cameInPieces: boolean): void {
    const ip = this.#ip;
    if (ip.protocol === NextHeader.Icmpv6) {
      this.delivered++;
      this.#icmp.receive(on, ip, cameInPieces);
    } else if (ip.protocol === IpProtocol.Udp) {
      this.#deliverUdp(on, linkGroup);
    } else if (ip.protocol !== NextHeader.None) {
      // RFC 8200 4: code 1, where the number of the protocol stands.
      this.#icmp.parameterProblem(on, ip, ParameterProblem6Code.NextHeader, ip.protocolAt, linkGroup, false);
    }
  }

  /** RFC 4443 3.1 code 4: a port that nobody listens at. */
  #deliverUdp(on: Ipv6Interface, linkGroup: boolean): void {
    const ip = this.#ip;
    const { view } = this.#memory;
    this.delivered++;
    const pseudo = pseudoHeaderSumAt(view, ip.at, IpProtocol.Udp, 0);
    if (this.datagrams!.receive(on.iface, ip, pseudo, isMulticastDestination(view, ip))) return;
    this.#icmp.unreachable(on, ip, Unreachable6Code.Port, linkGroup);
  }

  // --- fragments ---

  #receiveFragment(on: Ipv6Interface, buffer: number, linkGroup: boolean): boolean {
    const ip = this.#ip;
    const walk = this.#walk;
    // RFC 6946 4: a whole packet with a fragment header has nothing to do with other fragments.
    if (walk.fragmentOffset === 0 && !walk.moreFragments) return this.#walkOn(on, buffer, linkGroup, true);
    if (ip.destination === 0 || isUnspecifiedAt(this.#memory.view, ip.sourceAt)) return false;
    const fragment = this.#fragment;
    fragment.source = ip.source;
    fragment.destination = ip.destination;
    // RFC 8200 4.5: no part of what tells packets apart.
    fragment.protocol = 0;
    fragment.identification = walk.identification;
    fragment.offset = walk.fragmentOffset;
    fragment.more = walk.moreFragments;
    fragment.headerAt = ip.at;
    fragment.payloadAt = ip.payloadAt;
    fragment.payloadEnd = ip.payloadEnd;
    fragment.ecn = ip.tos & 3;
    fragment.lifetimeTicks = LIFETIME_TICKS;
    const outcome = this.reassembler.add(on.iface, buffer, fragment);
    if (outcome === Reassembly.Complete) this.#deliverWhole(on);
    return outcome !== Reassembly.Refused;
  }

  /** The headers of the first fragment become those of the whole; behind its fragment header the walk goes on. */
  #deliverWhole(on: Ipv6Interface): void {
    const { headerAt, payloadAt, payloadEnd, ecn, buffers } = this.reassembler;
    const ip = this.#ip;
    const { view } = this.#memory;
    const { source, destination } = ip;
    view.setUint16(headerAt + IPV6.payloadLength, payloadEnd - headerAt - IPV6.headerLength);
    parseQuotedIpv6(view, headerAt, payloadEnd, ip);
    ip.source = source;
    ip.destination = destination;
    ip.tos = (ip.tos & ~3) | ecn;
    ip.protocolAt = payloadAt - FRAGMENT.headerLength;
    ip.protocol = view.getUint8(ip.protocolAt);
    ip.payloadAt = payloadAt;
    const walk = this.#walk;
    const outcome = walkExtensions(view, ip, walk);
    if (outcome === Ipv6Walk.UpperLayer && ip.protocol === IpProtocol.Tcp) {
      this.delivered++;
      this.pieces.deliver(on.iface, ip, buffers, this.transport!);
      return;
    }
    if (outcome === Ipv6Walk.UpperLayer) {
      this.#deliverOther(on, false, true);
    } else {
      this.headerErrors++;
      // A fragment in fragments is nobody's need.
      if (outcome === Ipv6Walk.Report) {
        this.#icmp.parameterProblem(on, ip, walk.problemCode, walk.problemAt, false, walk.answersMulticast);
      }
    }
    this.pieces.giveBack(on.iface, buffers);
  }

  /** RFC 8200 4.5: only with the first fragment is there something to tell it by. */
  #timedOut(datagram: PartialDatagram): void {
    const iface: Interface = datagram.iface!;
    const ip = this.#ip;
    parseQuotedIpv6(this.#memory.view, datagram.headerAt, datagram.payloadEnd, ip);
    walkExtensions(this.#memory.view, ip, this.#walk);
    this.#icmp.timeExceeded(iface.ipv6!, ip);
  }
}
