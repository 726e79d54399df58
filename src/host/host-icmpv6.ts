/**
 * ICMPv6 of the host (RFC 4443): answers echo requests, reports what it cannot deliver (at a limited rate), passes errors
 * about what it has sent up, and neighbor discovery's messages on (RFC 4861).
 *
 * Above Network errors of both families have the same names (network-error.ts).
 */
import type { Memory } from '../memory/memory.ts';
import type { AddressTable } from '../wire/address-table.ts';
import {
  emitIcmpv6Echo,
  emitIcmpv6Error,
  fillIcmpv6Checksum,
  Icmpv6Header,
  Icmpv6Parse,
  icmpv6QuoteLength,
  Icmpv6Type,
  isIcmpv6Error,
  mayAnswerWithIcmpv6,
  parseIcmpv6,
  TimeExceeded6Code,
} from '../wire/icmpv6.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import {
  Ipv6Header,
  Ipv6Parse,
  IPV6,
  IPV6_MINIMUM_MTU,
  isMulticastDestination,
  NextHeader,
  parseQuotedIpv6,
  pseudoHeaderSumAt,
} from '../wire/ipv6.ts';
import { ExtensionWalk, Ipv6Walk, walkExtensions } from '../wire/ipv6-extensions.ts';
import { ND_HOP_LIMIT, NdMessage, parseNd } from '../wire/nd.ts';
import { IcmpLimit } from './icmp-limit.ts';
import type { Ipv6Interface } from './ipv6-interface.ts';
import type { Ipv6Output } from './ipv6-output.ts';
import type { NeighborDiscovery } from './neighbor-discovery.ts';
import type { DatagramInput, NetworkErrors } from './network.ts';
import { NetworkError, networkErrorOf6, QUOTED_BYTES } from './network-error.ts';
import type { PathTable } from './path-table.ts';
import type { Path } from './path.ts';
import type { RouterDiscovery } from './router-discovery.ts';

export class HostIcmpv6 {
  readonly #memory: Memory;
  readonly #table: AddressTable;
  readonly #paths: PathTable;
  readonly #output: Ipv6Output;
  readonly #neighbors: NeighborDiscovery;
  readonly #routers: RouterDiscovery;
  readonly #header = new Icmpv6Header();
  readonly #message = new NdMessage();
  readonly #quoted = new Ipv6Header();
  readonly #walk = new ExtensionWalk();
  readonly limit = new IcmpLimit();
  errors: NetworkErrors | null = null;
  datagrams: DatagramInput | null = null;
  now = 0;
  echoRequests = 0;
  errorsReceived = 0;
  errorsSent = 0;
  checksumErrors = 0;
  /** Of neighbor discovery, and not from the link or not well formed. */
  invalid = 0;

  constructor(
    memory: Memory,
    table: AddressTable,
    paths: PathTable,
    output: Ipv6Output,
    neighbors: NeighborDiscovery,
    routers: RouterDiscovery,
  ) {
    this.#memory = memory;
    this.#table = table;
    this.#paths = paths;
    this.#output = output;
    this.#neighbors = neighbors;
    this.#routers = routers;
  }

  /** A whole message [ip.payloadAt, ip.payloadEnd); `cameInPieces`: it was put together from fragments. */
  receive(on: Ipv6Interface, ip: Ipv6Header, cameInPieces: boolean): void {
    const { view } = this.#memory;
    const { payloadAt, payloadEnd } = ip;
    const icmp = this.#header;
    const pseudo = pseudoHeaderSumAt(view, ip.at, NextHeader.Icmpv6, payloadEnd - payloadAt);
    if (parseIcmpv6(view, payloadAt, payloadEnd, pseudo, icmp) !== Icmpv6Parse.Ok) {
      this.checksumErrors++;
    } else if (isIcmpv6Error(icmp.type)) {
      this.errorsReceived++;
      this.#passUp(on, icmp, !cameInPieces && hasNoExtensions(ip));
    } else if (icmp.type === Icmpv6Type.EchoRequest) {
      this.#answerEcho(on, ip, icmp);
    } else if (icmp.type >= Icmpv6Type.RouterSolicitation && icmp.type <= Icmpv6Type.Redirect) {
      this.#discovery(on, ip, cameInPieces);
    }
  }

  /** RFC 4861 6.1, 7.1, 8.1: the sender is on the link. RFC 6980 5: nobody needs fragments for these. */
  #discovery(on: Ipv6Interface, ip: Ipv6Header, cameInPieces: boolean): void {
    const message = this.#message;
    const isLocal = ip.ttl === ND_HOP_LIMIT && !cameInPieces;
    if (!isLocal || !parseNd(this.#memory.view, ip.payloadAt, ip.payloadEnd, message)) {
      this.invalid++;
      return;
    }
    switch (message.type) {
      case Icmpv6Type.NeighborSolicitation:
        this.#neighbors.solicited(on, ip, message);
        return;
      case Icmpv6Type.NeighborAdvertisement:
        this.#neighbors.advertised(on, ip, message);
        return;
      case Icmpv6Type.RouterAdvertisement:
        this.#routers.advertised(on, ip, message);
        return;
      case Icmpv6Type.Redirect:
        this.#neighbors.redirected(on, ip, message);
    }
  }

  /** RFC 4443 4.2: the whole of what came goes back, from where it went to; to a group, from an address of ours. */
  #answerEcho(on: Ipv6Interface, ip: Ipv6Header, icmp: Icmpv6Header): void {
    this.echoRequests++;
    const { view } = this.#memory;
    const path = this.#pathBack(on, ip);
    if (path === null) return;
    const { payloadAt, payloadEnd } = icmp;
    const { identifier, sequenceNumber } = icmp;
    const dataLength = payloadEnd - payloadAt;
    // Its bytes are ours to change.
    const length = emitIcmpv6Echo(view, ip.payloadAt, Icmpv6Type.EchoReply, identifier, sequenceNumber, dataLength);
    const pseudo = this.#table.pseudoHeaderSum(path.source, path.destination, NextHeader.Icmpv6, length);
    fillIcmpv6Checksum(view, ip.payloadAt, length, pseudo);
    this.#output.sendFrom(path, ip.payloadAt, length, NextHeader.Icmpv6, ip.tos, on.hopLimit);
    this.#paths.release(path);
  }

  /** To the source of a packet. RFC 4443 2.2: from the address that it came to, if that is one of ours. */
  #pathBack(on: Ipv6Interface, ip: Ipv6Header): Path | null {
    const source = this.#table.intern(this.#memory.view, ip.sourceAt);
    if (source === 0) return null;
    const own = isMulticastDestination(this.#memory.view, ip)
      ? 0
      : this.#table.find(this.#memory.view, ip.destinationAt);
    const path = this.#paths.acquire(source, on.iface, own);
    this.#table.release(source);
    return path;
  }

  // --- errors that we send ---

  /** `at`: what of the packet is wrong. */
  parameterProblem(
    on: Ipv6Interface,
    ip: Ipv6Header,
    code: number,
    at: number,
    linkGroup: boolean,
    evenToGroup: boolean,
  ): void {
    this.#sendError(on, ip, Icmpv6Type.ParameterProblem, code, at - ip.at, linkGroup, evenToGroup);
  }

  unreachable(on: Ipv6Interface, ip: Ipv6Header, code: number, linkGroup: boolean): void {
    this.#sendError(on, ip, Icmpv6Type.DestinationUnreachable, code, 0, linkGroup, false);
  }

  /** Fragments did not come in time. */
  timeExceeded(on: Ipv6Interface, ip: Ipv6Header): void {
    this.#sendError(on, ip, Icmpv6Type.TimeExceeded, TimeExceeded6Code.Reassembly, 0, false, false);
  }

  #sendError(
    on: Ipv6Interface,
    ip: Ipv6Header,
    type: number,
    code: number,
    rest: number,
    linkGroup: boolean,
    evenToGroup: boolean,
  ): void {
    const { view } = this.#memory;
    if (!mayAnswerWithIcmpv6(view, ip, linkGroup, evenToGroup)) return;
    // The last word differs most from host to host.
    if (!this.limit.allows(view.getInt32(ip.sourceAt + 12), this.now)) return;
    const path = this.#pathBack(on, ip);
    if (path === null) return;
    const quote = icmpv6QuoteLength(ip);
    const isSent = this.#output.sendMessage(path, on.hopLimit, at =>
      emitIcmpv6Error(view, at, type, code, rest, ip.at, quote),
    );
    if (isSent) this.errorsSent++;
    this.#paths.release(path);
  }

  // --- errors that come ---

  #passUp(on: Ipv6Interface, icmp: Icmpv6Header, isPlain: boolean): void {
    const { view } = this.#memory;
    const quoted = this.#quoted;
    if (parseQuotedIpv6(view, icmp.payloadAt, icmp.payloadEnd, quoted) !== Ipv6Parse.Ok) return;
    const walk = this.#walk;
    let found = walkExtensions(view, quoted, walk);
    // The first fragment of a datagram says whose it was.
    if (found === Ipv6Walk.Fragment && walk.fragmentOffset === 0) found = walkExtensions(view, quoted, walk);
    if (found !== Ipv6Walk.UpperLayer) return;
    const local = this.#table.find(view, quoted.sourceAt);
    const remote = this.#table.find(view, quoted.destinationAt);
    if (local === 0 || remote === 0 || !on.isAssigned(local)) return;
    // RFC 8201 4: no path is as narrow as that.
    if (icmp.type === Icmpv6Type.PacketTooBig && icmp.mtu < IPV6_MINIMUM_MTU) return;
    const { payloadAt: at } = quoted;
    const error = networkErrorOf6(icmp.type, icmp.code);
    if (error === NetworkError.None || quoted.payloadEnd - at < QUOTED_BYTES) return;
    const mtu = Math.min(icmp.mtu, 0xffff);
    const ports = view.getInt32(at);
    const { type, code } = icmp;
    if (quoted.protocol === IpProtocol.Udp) {
      this.datagrams!.reported(on.iface, local, remote, ports, error, mtu, type, code);
    }
    if (quoted.protocol !== IpProtocol.Tcp) return;
    // A device reads no extension headers, neither of the error nor of what it quotes.
    const isSeen = isPlain && hasNoExtensions(quoted);
    this.errors!.reported(on.iface, local, remote, ports, view.getInt32(at + 4), error, mtu, isSeen);
  }
}

function hasNoExtensions({ at, payloadAt }: Ipv6Header): boolean {
  return payloadAt === at + IPV6.headerLength;
}
