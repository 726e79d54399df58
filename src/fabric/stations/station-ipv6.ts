/**
 * What arrives for a population over IPv6 (RFC 8200): neighbor discovery (RFC 4861 7) for what is on the link, ICMPv6
 * (RFC 4443), and the router of a router group: one hop off the hop limit, errors for what it cannot forward.
 *
 * Nothing is reassembled. Addresses of strangers are known by number while their packet is looked at; who goes on to deal
 * with them keeps the number. Whatever is dropped is counted by reason.
 */
import type { Memory } from '../../memory/memory.ts';
import type { AddressTable } from '../../wire/address-table.ts';
import {
  emitIcmpv6Echo,
  emitIcmpv6Error,
  fillIcmpv6Checksum,
  ICMPV6,
  Icmpv6Header,
  Icmpv6Parse,
  icmpv6QuoteLength,
  Icmpv6Type,
  isIcmpv6Error,
  mayAnswerWithIcmpv6,
  parseIcmpv6,
  TimeExceeded6Code,
  Unreachable6Code,
} from '../../wire/icmpv6.ts';
import type { IpDatagram } from '../../wire/ip-datagram.ts';
import { IpProtocol } from '../../wire/ipv4.ts';
import {
  Ipv6Header,
  Ipv6Parse,
  isMulticastDestination,
  NextHeader,
  ParameterProblem6Code,
  parseIpv6,
  pseudoHeaderSumAt,
} from '../../wire/ipv6.ts';
import { ALL_NODES, isMulticastWord, isUnspecifiedAt, MULTICAST_MAC_HI } from '../../wire/ipv6-address.ts';
import { ExtensionWalk, Ipv6Walk, walkExtensions } from '../../wire/ipv6-extensions.ts';
import {
  emitNeighborAdvertisement,
  hasSourceMac,
  hasTargetMac,
  NaFlag,
  ND_HOP_LIMIT,
  NdMessage,
  parseNd,
} from '../../wire/nd.ts';
import type { NeighborTable, NeighborWatcher } from './neighbor-table.ts';
import type { StationCounters } from './station-counters.ts';
import type { StationGroup } from './station-group.ts';
import type { StationLink } from './station-link.ts';

/** Whoever waits for neighbors, and has the time. */
interface Waiting extends NeighborWatcher {
  readonly now: number;
}

export class StationIpv6 {
  readonly #memory: Memory;
  readonly #groups: readonly StationGroup[];
  readonly #addresses: AddressTable;
  readonly #link: StationLink;
  readonly #neighbors: NeighborTable;
  readonly #counters: StationCounters;
  readonly #waiting: Waiting;
  readonly #toTcp: (group: StationGroup, ip: IpDatagram) => void;
  readonly #ip = new Ipv6Header();
  readonly #walk = new ExtensionWalk();
  readonly #icmp = new Icmpv6Header();
  readonly #nd = new NdMessage();
  // Of the frame in hand.
  #srcHi = 0;
  #srcLo = 0;

  constructor(
    memory: Memory,
    groups: readonly StationGroup[],
    addresses: AddressTable,
    link: StationLink,
    neighbors: NeighborTable,
    counters: StationCounters,
    waiting: Waiting,
    toTcp: (group: StationGroup, ip: IpDatagram) => void,
  ) {
    this.#memory = memory;
    this.#groups = groups;
    this.#addresses = addresses;
    this.#link = link;
    this.#neighbors = neighbors;
    this.#counters = counters;
    this.#waiting = waiting;
    this.#toTcp = toTcp;
  }

  receive(at: number, end: number, dstHi: number, dstLo: number, srcHi: number, srcLo: number): void {
    const ip = this.#ip;
    const { view } = this.#memory;
    if (parseIpv6(view, at, end, ip) !== Ipv6Parse.Ok || isMulticastWord(view.getInt32(ip.sourceAt))) {
      this.#counters.droppedIpHeader++;
      return;
    }
    this.#srcHi = srcHi;
    this.#srcLo = srcLo;
    const source = this.#addresses.intern(view, ip.sourceAt);
    const destination = this.#addresses.intern(view, ip.destinationAt);
    ip.source = source;
    ip.destination = destination;
    if (isMulticastDestination(view, ip)) this.#receiveGroup();
    else this.#receiveUnicast(dstHi, dstLo);
    this.#addresses.release(source);
    this.#addresses.release(destination);
  }

  /** RFC 4291 2.8: of what goes to many, neighbor discovery is for us. */
  #receiveGroup(): void {
    const ip = this.#ip;
    const isUpper = walkExtensions(this.#memory.view, ip, this.#walk) === Ipv6Walk.UpperLayer;
    if (!isUpper || ip.protocol !== NextHeader.Icmpv6) this.#counters.droppedBroadcast++;
    else if (this.#parseIcmp() && !this.#receiveNd()) this.#counters.droppedBroadcast++;
  }

  #receiveUnicast(dstHi: number, dstLo: number): void {
    const ip = this.#ip;
    const counters = this.#counters;
    const group = this.#groupFor(dstHi, dstLo, ip.destination);
    if (group === undefined) {
      counters.droppedNotForUs++;
      return;
    }
    if (group.isRouter && ip.destination !== group.routerAddress && !this.#forward(group)) return;
    switch (walkExtensions(this.#memory.view, ip, this.#walk)) {
      case Ipv6Walk.UpperLayer:
        this.#deliver(group);
        return;
      case Ipv6Walk.Fragment:
        counters.droppedFragment++;
        return;
      case Ipv6Walk.Report:
        counters.droppedIpHeader++;
        this.#reportProblem(group, this.#walk.problemCode, this.#walk.problemAt);
        return;
      case Ipv6Walk.Discard:
        counters.droppedIpHeader++;
    }
  }

  #groupFor(dstHi: number, dstLo: number, destination: number): StationGroup | undefined {
    for (let i = 0; i < this.#groups.length; i++) {
      if (this.#groups[i].hasMac(dstHi, dstLo, destination)) return this.#groups[i];
    }
    return undefined;
  }

  #deliver(group: StationGroup): void {
    const ip = this.#ip;
    if (ip.protocol === IpProtocol.Tcp) {
      this.#toTcp(group, ip);
    } else if (ip.protocol === NextHeader.Icmpv6) {
      this.#receiveIcmp(group);
    } else {
      this.#counters.droppedProtocol++;
      // RFC 4443 3.1, 3.4: nobody listens on a port, or nobody knows the protocol.
      if (ip.protocol === IpProtocol.Udp) {
        const { DestinationUnreachable } = Icmpv6Type;
        this.#sendError(group, DestinationUnreachable, Unreachable6Code.Port, 0, ip.destination);
      } else {
        this.#reportProblem(group, ParameterProblem6Code.NextHeader, ip.protocolAt);
      }
    }
  }

  /** RFC 8200 3, RFC 4443 3: the router's part for a packet to the far side. False when it goes no further. */
  #forward(group: StationGroup): boolean {
    const ip = this.#ip;
    const { routerAddress } = group;
    if (ip.ttl <= 1) {
      this.#counters.ttlExpired++;
      this.#sendError(group, Icmpv6Type.TimeExceeded, TimeExceeded6Code.HopLimit, 0, routerAddress);
      return false;
    }
    if (!group.isStation(ip.destination)) {
      const code = group.isInPrefix(ip.destination) ? Unreachable6Code.Address : Unreachable6Code.NoRoute;
      this.#counters.droppedNotForUs++;
      this.#sendError(group, Icmpv6Type.DestinationUnreachable, code, 0, routerAddress);
      return false;
    }
    // The bytes behind the router lie on no wire; what the station sees is this header.
    ip.ttl--;
    this.#counters.datagramsForwarded++;
    return true;
  }

  // --- ICMPv6 ---

  #parseIcmp(): boolean {
    const { at, payloadAt, payloadEnd } = this.#ip;
    const { view } = this.#memory;
    const pseudo = pseudoHeaderSumAt(view, at, NextHeader.Icmpv6, payloadEnd - payloadAt);
    if (parseIcmpv6(view, payloadAt, payloadEnd, pseudo, this.#icmp) === Icmpv6Parse.Ok) return true;
    this.#counters.droppedIcmp++;
    return false;
  }

  #receiveIcmp(group: StationGroup): void {
    const counters = this.#counters;
    if (!this.#parseIcmp()) return;
    const { type } = this.#icmp;
    if (type === Icmpv6Type.EchoRequest) this.#replyEcho(group);
    else if (type === Icmpv6Type.EchoReply) counters.echoReplies++;
    else if (isIcmpv6Error(type)) counters.icmpErrorsIn++;
    else if (!this.#receiveNd()) counters.droppedIcmp++;
  }

  /** RFC 4443 4.2: every node answers, with the data as they came. */
  #replyEcho(group: StationGroup): void {
    const { source, destination, payloadAt, payloadEnd } = this.#ip;
    const { payloadAt: to } = this.#link;
    const length = payloadEnd - payloadAt;
    const { identifier, sequenceNumber } = this.#icmp;
    this.#counters.echoRequests++;
    this.#memory.kernels.copy(to, payloadAt, length);
    const { EchoReply } = Icmpv6Type;
    emitIcmpv6Echo(this.#memory.view, to, EchoReply, identifier, sequenceNumber, length - ICMPV6.headerLength);
    this.send(group, destination !== group.routerAddress, length, destination, source, this.#srcHi, this.#srcLo);
  }

  /** Puts an echo request around the data that stand where it is to be sent from; returns its length. */
  putEcho(identifier: number, sequenceNumber: number, dataLength: number): number {
    const { payloadAt } = this.#link;
    const { EchoRequest } = Icmpv6Type;
    return emitIcmpv6Echo(this.#memory.view, payloadAt, EchoRequest, identifier, sequenceNumber, dataLength);
  }

  /** Sends the message of ICMPv6 that stands there. */
  send(
    group: StationGroup,
    isForwarded: boolean,
    length: number,
    source: number,
    destination: number,
    macHi: number,
    macLo: number,
  ): boolean {
    const link = this.#link;
    const { Icmpv6 } = NextHeader;
    const pseudo = this.#addresses.pseudoHeaderSum(source, destination, Icmpv6, length);
    fillIcmpv6Checksum(this.#memory.view, link.payloadAt, length, pseudo);
    return link.sendDatagram(group, isForwarded, 0, 0, length, Icmpv6, source, destination, macHi, macLo);
  }

  /** `problemAt`: the byte that is wrong, of the packet in hand. */
  #reportProblem(group: StationGroup, code: number, problemAt: number): void {
    const { at, destination } = this.#ip;
    this.#sendError(group, Icmpv6Type.ParameterProblem, code, problemAt - at, destination);
  }

  /** Answers the packet in hand, if it may be answered with an error, by way of where its frame came from. */
  #sendError(group: StationGroup, type: number, code: number, rest: number, from: number): void {
    const { view } = this.#memory;
    const ip = this.#ip;
    if (!mayAnswerWithIcmpv6(view, ip, false, false)) return;
    const length = emitIcmpv6Error(view, this.#link.payloadAt, type, code, rest, ip.at, icmpv6QuoteLength(ip));
    this.#counters.icmpErrorsOut++;
    this.send(group, from !== group.routerAddress, length, from, ip.source, this.#srcHi, this.#srcLo);
  }

  // --- neighbor discovery ---

  /** False when the message is not one of neighbor discovery, or not as it should be (RFC 4861 7.1). */
  #receiveNd(): boolean {
    const { ttl, payloadAt, payloadEnd } = this.#ip;
    const nd = this.#nd;
    if (ttl !== ND_HOP_LIMIT || !parseNd(this.#memory.view, payloadAt, payloadEnd, nd)) return false;
    if (nd.type === Icmpv6Type.NeighborSolicitation) this.#solicited();
    else if (nd.type === Icmpv6Type.NeighborAdvertisement) this.#advertised();
    else return false;
    return true;
  }

  /** RFC 4861 7.2.3 and 7.2.4, for every group on the port. */
  #solicited(): void {
    const nd = this.#nd;
    this.#counters.solicitationsIn++;
    const target = this.#addresses.find(this.#memory.view, nd.targetAt);
    for (let i = 0; i < this.#groups.length; i++) {
      const group = this.#groups[i];
      if (!group.isOnLink(target)) continue;
      if (hasSourceMac(nd)) this.#learn(group, this.#ip.source, nd.sourceMacHi, nd.sourceMacLo, true);
      this.#advertise(group, target);
    }
  }

  #advertise(group: StationGroup, target: number): void {
    const ip = this.#ip;
    const { view } = this.#memory;
    const { words } = this.#addresses;
    // RFC 4862 5.4.3: who asks has no address yet; so everybody hears the answer.
    const isProbe = isUnspecifiedAt(view, ip.sourceAt);
    const flags = NaFlag.Override | (isProbe ? 0 : NaFlag.Solicited) | (group.isRouter ? NaFlag.Router : 0);
    const at = this.#addresses.indexOf(target);
    const [macHi, macLo] = [group.macHi, group.macLoOf(target)];
    const length = emitNeighborAdvertisement(view, this.#link.payloadAt, flags, words, at, macHi, macLo);
    this.#counters.advertisementsOut++;
    if (isProbe) {
      this.#link.sendDiscovery(group, length, target, ALL_NODES, 0, MULTICAST_MAC_HI, ALL_NODES[3]!);
    } else {
      const to = this.#addresses.indexOf(ip.source);
      this.#link.sendDiscovery(group, length, target, words, to, this.#srcHi, this.#srcLo);
    }
  }

  /** RFC 4861 7.2.5: only who is known, or asked for. */
  #advertised(): void {
    const nd = this.#nd;
    this.#counters.advertisementsIn++;
    const target = this.#addresses.find(this.#memory.view, nd.targetAt);
    if (target === 0 || !hasTargetMac(nd)) return;
    for (let i = 0; i < this.#groups.length; i++) {
      const group = this.#groups[i];
      const neighbor = this.#neighbors.find(group, target);
      if (neighbor < 0 || group.isOnLink(target)) continue;
      // Without the flag it does not replace what is known.
      if ((nd.flags & NaFlag.Override) === 0 && this.#neighbors.isReachable(neighbor)) continue;
      this.#learn(group, target, nd.targetMacHi, nd.targetMacLo, false);
    }
  }

  #learn(group: StationGroup, address: number, macHi: number, macLo: number, isTarget: boolean): void {
    this.#neighbors.learn(group, address, macHi, macLo, isTarget, this.#waiting.now, this.#waiting);
  }
}
