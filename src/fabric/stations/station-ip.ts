/**
 * What arrives for a population: Ethernet, ARP (RFC 826), IPv4 (RFC 1122 3.2.1), ICMP (RFC 792), and the router of a
 * router group (RFC 1812 5.2.1, 5.3.1): one hop off the TTL, errors for what it cannot forward. Segments of either IP
 * version go on to TCP from here; what else IPv6 brings is in station-ipv6.ts.
 *
 * Nothing is reassembled. Frames are read where they lie and not changed. Whatever is dropped is counted by reason.
 */
import type { Memory } from '../../memory/memory.ts';
import { isMarked } from '../../tcp/ecn.ts';
import { type AddressTable, isIpv6 } from '../../wire/address-table.ts';
import { ArpOperation, ArpPacket, parseArp } from '../../wire/arp.ts';
import { ETHERNET, EtherType, isBroadcastMac } from '../../wire/ethernet.ts';
import {
  echoReplyInPlace,
  emitDestinationUnreachable,
  emitIcmpEcho,
  emitTimeExceeded,
  ICMP,
  IcmpHeader,
  IcmpParse,
  icmpQuoteLength,
  IcmpType,
  isIcmpError,
  mayAnswerWithError,
  parseIcmp,
  TimeExceededCode,
  UnreachableCode,
} from '../../wire/icmp.ts';
import type { IpDatagram } from '../../wire/ip-datagram.ts';
import { IPV4_BROADCAST, Ipv4Header, Ipv4Parse, IpProtocol, isFragment, parseIpv4 } from '../../wire/ipv4.ts';
import { parseTcp, TcpFlag, TcpHeader, TcpParse } from '../../wire/tcp.ts';
import type { NeighborTable } from './neighbor-table.ts';
import type { StationApp } from './station-app.ts';
import type { StationCounters } from './station-counters.ts';
import type { StationGroup } from './station-group.ts';
import { StationIpv6 } from './station-ipv6.ts';
import type { StationLink } from './station-link.ts';
import type { StationTcp } from './station-tcp.ts';

interface Listener {
  /** 0: every station. */
  readonly address: number;
  readonly port: number;
  readonly app: StationApp;
}

export class StationIp {
  readonly #memory: Memory;
  readonly #groups: readonly StationGroup[];
  readonly #addresses: AddressTable;
  readonly #link: StationLink;
  readonly #neighbors: NeighborTable;
  readonly #counters: StationCounters;
  readonly #tcp: StationTcp;
  readonly #listeners: Listener[] = [];
  readonly #arp = new ArpPacket();
  readonly #ip = new Ipv4Header();
  readonly #segment = new TcpHeader();
  readonly #icmp = new IcmpHeader();
  readonly #ipv6: StationIpv6;
  // Of the frame in hand.
  #isBroadcast = false;
  #srcHi = 0;
  #srcLo = 0;

  constructor(
    memory: Memory,
    groups: readonly StationGroup[],
    addresses: AddressTable,
    link: StationLink,
    neighbors: NeighborTable,
    counters: StationCounters,
    tcp: StationTcp,
  ) {
    this.#memory = memory;
    this.#groups = groups;
    this.#addresses = addresses;
    this.#link = link;
    this.#neighbors = neighbors;
    this.#counters = counters;
    this.#tcp = tcp;
    const toTcp = (group: StationGroup, ip: IpDatagram): void => this.#receiveTcp(group, ip);
    this.#ipv6 = new StationIpv6(memory, groups, addresses, link, neighbors, counters, tcp, toTcp);
  }

  listen(address: number, port: number, app: StationApp): void {
    this.#listeners.push({ address, port, app });
  }

  receive(frameAt: number, length: number): void {
    const counters = this.#counters;
    counters.framesIn++;
    if (length < ETHERNET.headerLength) {
      counters.droppedShort++;
      return;
    }
    const { view } = this.#memory;
    const end = frameAt + length;
    const dstHi = view.getUint16(frameAt);
    const dstLo = view.getInt32(frameAt + 2);
    this.#srcHi = view.getUint16(frameAt + ETHERNET.source);
    this.#srcLo = view.getInt32(frameAt + ETHERNET.source + 2);
    this.#isBroadcast = isBroadcastMac(dstHi, dstLo);
    const etherType = view.getUint16(frameAt + ETHERNET.etherType);
    const at = frameAt + ETHERNET.headerLength;
    if (etherType === EtherType.Ipv4) this.#receiveIpv4(at, end, dstHi, dstLo);
    else if (etherType === EtherType.Ipv6) this.#ipv6.receive(at, end, dstHi, dstLo, this.#srcHi, this.#srcLo);
    else if (etherType === EtherType.Arp) this.#receiveArp(at, end, dstHi, dstLo);
    else counters.droppedEtherType++;
  }

  /** Sends an echo request; false when the neighbor's MAC is not known yet (it is asked for) or there is no room. */
  ping(
    group: StationGroup,
    source: number,
    destination: number,
    identifier: number,
    sequenceNumber: number,
    dataLength: number,
    now: number,
  ): boolean {
    const link = this.#link;
    if (!link.uplink.hasRoom) return false;
    const neighbors = this.#neighbors;
    const neighbor = neighbors.entryFor(group, group.nextHop(destination));
    if (neighbor < 0 || !neighbors.mayUse(neighbor, source, now)) return false;
    const { view } = this.#memory;
    const dataAt = link.payloadAt + ICMP.headerLength;
    for (let i = 0; i < dataLength; i++) view.setUint8(dataAt + i, i & 0xff);
    if (isIpv6(source)) {
      const length = this.#ipv6.putEcho(identifier, sequenceNumber, dataLength);
      return this.#ipv6.send(
        group,
        true,
        length,
        source,
        destination,
        neighbors.macHi[neighbor],
        neighbors.macLo[neighbor],
      );
    }
    const length = emitIcmpEcho(view, link.payloadAt, IcmpType.Echo, identifier, sequenceNumber, dataLength);
    const macHi = neighbors.macHi[neighbor];
    const macLo = neighbors.macLo[neighbor];
    return link.sendDatagram(group, true, 0, 0, length, IpProtocol.Icmp, source, destination, macHi, macLo);
  }

  /** RFC 826, "Packet Reception", for every group on the port. */
  #receiveArp(at: number, end: number, dstHi: number, dstLo: number): void {
    const arp = this.#arp;
    const counters = this.#counters;
    if (!parseArp(this.#memory.view, at, end, arp)) {
      counters.droppedArp++;
      return;
    }
    const isRequest = arp.operation === ArpOperation.Request;
    if (isRequest) counters.arpRequestsIn++;
    else counters.arpRepliesIn++;
    for (let i = 0; i < this.#groups.length; i++) {
      const group = this.#groups[i];
      const isTarget = group.isOnLink(arp.targetAddress);
      if (!this.#isBroadcast && (dstHi !== group.macHi || dstLo !== group.macLoOf(arp.targetAddress))) continue;
      // RFC 5227 2.1.1: a probe's sender address is zero and tells nothing.
      if (arp.senderAddress !== 0 && !group.isOnLink(arp.senderAddress)) {
        const { senderAddress, senderMacHi, senderMacLo } = arp;
        this.#neighbors.learn(group, senderAddress, senderMacHi, senderMacLo, isTarget, this.#tcp.now, this.#tcp);
      }
      if (isRequest && isTarget) this.#replyArp(group);
    }
  }

  #replyArp(group: StationGroup): void {
    const { senderMacHi, senderMacLo, senderAddress, targetAddress } = this.#arp;
    this.#counters.arpRepliesOut++;
    this.#link.sendArp(
      ArpOperation.Reply,
      senderMacHi,
      senderMacLo,
      group.macHi,
      group.macLoOf(targetAddress),
      targetAddress,
      senderMacHi,
      senderMacLo,
      senderAddress,
    );
  }

  #receiveIpv4(at: number, end: number, dstHi: number, dstLo: number): void {
    const ip = this.#ip;
    const counters = this.#counters;
    const outcome = parseIpv4(this.#memory.view, at, end, ip);
    if (outcome !== Ipv4Parse.Ok) {
      if (outcome === Ipv4Parse.Checksum) counters.droppedIpChecksum++;
      else counters.droppedIpHeader++;
      return;
    }
    const group = this.#groupFor(dstHi, dstLo, ip.destination);
    if (group === undefined) {
      if (this.#isBroadcast) counters.droppedBroadcast++;
      else counters.droppedNotForUs++;
      return;
    }
    if (group.isRouter && ip.destination !== group.routerAddress && !this.#forward(group, at)) return;
    if (isFragment(ip)) {
      counters.droppedFragment++;
    } else if (ip.protocol === IpProtocol.Tcp) {
      this.#receiveTcp(group, ip);
    } else if (ip.protocol === IpProtocol.Icmp) {
      this.#receiveIcmp(group);
    } else {
      counters.droppedProtocol++;
      // RFC 1122 3.2.2.1: nobody listens on a port, or nobody knows the protocol.
      const code = ip.protocol === IpProtocol.Udp ? UnreachableCode.Port : UnreachableCode.Protocol;
      this.#sendError(group, at, IcmpType.DestinationUnreachable, code, ip.destination, true);
    }
  }

  #groupFor(dstHi: number, dstLo: number, destination: number): StationGroup | undefined {
    for (let i = 0; i < this.#groups.length; i++) {
      if (this.#groups[i].hasMac(dstHi, dstLo, destination)) return this.#groups[i];
    }
    return undefined;
  }

  /** RFC 1812: the router's part for a datagram to the far side. False when it goes no further. */
  #forward(group: StationGroup, at: number): boolean {
    const ip = this.#ip;
    const { routerAddress } = group;
    if (ip.ttl <= 1) {
      this.#counters.ttlExpired++;
      this.#sendError(group, at, IcmpType.TimeExceeded, TimeExceededCode.Transit, routerAddress, false);
      return false;
    }
    if (!group.isStation(ip.destination)) {
      const code = group.isInPrefix(ip.destination) ? UnreachableCode.Host : UnreachableCode.Net;
      this.#counters.droppedNotForUs++;
      this.#sendError(group, at, IcmpType.DestinationUnreachable, code, routerAddress, false);
      return false;
    }
    // The bytes behind the router lie on no wire; what the station sees is this header.
    ip.ttl--;
    this.#counters.datagramsForwarded++;
    return true;
  }

  #receiveTcp(group: StationGroup, ip: IpDatagram): void {
    const segment = this.#segment;
    const counters = this.#counters;
    const { view, kernels } = this.#memory;
    const length = ip.payloadEnd - ip.payloadAt;
    const pseudo = this.#addresses.pseudoHeaderSum(ip.source, ip.destination, IpProtocol.Tcp, length);
    if (kernels.checksum(ip.payloadAt, length, pseudo) !== 0xffff) {
      counters.droppedTcpChecksum++;
      return;
    }
    if (parseTcp(view, ip.payloadAt, ip.payloadEnd, segment) !== TcpParse.Ok) {
      counters.droppedTcpHeader++;
      return;
    }
    segment.congestionExperienced = isMarked(ip.tos);
    counters.segmentsIn++;
    const tcp = this.#tcp;
    const connection = tcp.find(ip, segment);
    if (connection >= 0) {
      tcp.segmentArrives(connection, ip, segment, group, this.#srcHi, this.#srcLo);
      return;
    }
    const isOpening = (segment.flags & (TcpFlag.Syn | TcpFlag.Ack | TcpFlag.Rst)) === TcpFlag.Syn;
    const app = isOpening ? this.#listenerFor(ip.destination, segment.dstPort) : undefined;
    if (app === undefined) {
      tcp.refuse(ip, segment, group, this.#srcHi, this.#srcLo);
      return;
    }
    const neighbor = this.#neighbors.entryFor(group, group.nextHop(ip.source));
    if (neighbor < 0 || !tcp.accept(app, neighbor, ip, segment)) counters.droppedNoTcb++;
  }

  #listenerFor(address: number, port: number): StationApp | undefined {
    for (let i = 0; i < this.#listeners.length; i++) {
      const listener = this.#listeners[i];
      if (listener.port === port && (listener.address === 0 || listener.address === address)) return listener.app;
    }
    return undefined;
  }

  #receiveIcmp(group: StationGroup): void {
    const ip = this.#ip;
    const icmp = this.#icmp;
    const counters = this.#counters;
    if (parseIcmp(this.#memory.view, ip.payloadAt, ip.payloadEnd, icmp) !== IcmpParse.Ok) {
      counters.droppedIcmp++;
      return;
    }
    if (icmp.type === IcmpType.Echo) this.#replyEcho(group);
    else if (icmp.type === IcmpType.EchoReply) counters.echoReplies++;
    else if (isIcmpError(icmp.type)) counters.icmpErrorsIn++;
    else counters.droppedIcmp++;
  }

  /** RFC 1122 3.2.2.6: every host answers, with the data as they came. */
  #replyEcho(group: StationGroup): void {
    const { source, destination, payloadAt, payloadEnd, tos } = this.#ip;
    const link = this.#link;
    const length = payloadEnd - payloadAt;
    this.#counters.echoRequests++;
    this.#memory.kernels.copy(link.payloadAt, payloadAt, length);
    echoReplyInPlace(this.#memory.view, link.payloadAt);
    const isForwarded = destination !== group.routerAddress;
    link.sendDatagram(
      group,
      isForwarded,
      tos,
      0,
      length,
      IpProtocol.Icmp,
      destination,
      source,
      this.#srcHi,
      this.#srcLo,
    );
  }

  /** Answers the datagram at `at`, if it may be answered with an error, by way of where its frame came from. */
  #sendError(group: StationGroup, at: number, type: number, code: number, from: number, isForwarded: boolean): void {
    const { view } = this.#memory;
    const ip = this.#ip;
    if (!mayAnswerWithError(view, ip, this.#isBroadcast, IPV4_BROADCAST)) return;
    const to = this.#link.payloadAt;
    const quote = icmpQuoteLength(ip);
    const length =
      type === IcmpType.TimeExceeded
        ? emitTimeExceeded(view, to, code, at, quote)
        : emitDestinationUnreachable(view, to, code, 0, at, quote);
    this.#counters.icmpErrorsOut++;
    this.#link.sendDatagram(
      group,
      isForwarded && from !== group.routerAddress,
      0,
      0,
      length,
      IpProtocol.Icmp,
      from,
      ip.source,
      this.#srcHi,
      this.#srcLo,
    );
  }
}
