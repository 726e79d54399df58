/**
 * IPv4 datagrams that arrive (RFC 791 3.2, RFC 1122 3.2.1): what is for us, well formed and whole goes to its protocol;
 * fragments wait for the others.
 *
 * Called by Network for each datagram of a frame; what cannot be read or is not ours is counted and dropped silently.
 */
import type { Memory, Region } from '../memory/memory.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { TimeExceededCode, UnreachableCode } from '../wire/icmp.ts';
import { checkIpv4Options, OPTIONS_OK, OPTIONS_SOURCE_ROUTED } from '../wire/ipv4-options.ts';
import {
  emitIpv4,
  Ipv4Header,
  Ipv4Parse,
  IPV4,
  IPV4_BROADCAST,
  IpProtocol,
  isFragment,
  isSingleHost,
  parseIpv4,
} from '../wire/ipv4.ts';
import { TCP } from '../wire/tcp.ts';
import type { HostIcmp } from './host-icmp.ts';
import type { Interface } from './interface.ts';
import type { DatagramInput, TransportInput } from './network.ts';
import { Fragment, type PartialDatagram, Reassembler, Reassembly } from './reassembler.ts';
import { SegmentPieces } from './segment-pieces.ts';

/** RFC 791 3.2 suggests 15 seconds, RFC 1122 3.3.2 60 to 120; as Linux, we take 30. */
const LIFETIME_TICKS = 30_000;

export class Ipv4Input {
  readonly reassembler: Reassembler;
  readonly pieces: SegmentPieces;
  readonly #memory: Memory;
  readonly #icmp: HostIcmp;
  readonly #ip = new Ipv4Header();
  readonly #fragment = new Fragment();
  transport: TransportInput | null = null;
  datagrams: DatagramInput | null = null;
  received = 0;
  delivered = 0;
  headerErrors = 0;
  addressErrors = 0;
  sourceRouted = 0;
  tinyFragments = 0;

  constructor(memory: Memory, addresses: AddressTable, icmp: HostIcmp, room: Region) {
    this.#memory = memory;
    this.#icmp = icmp;
    this.reassembler = new Reassembler(memory, addresses, room, datagram => this.#timedOut(datagram));
    this.pieces = new SegmentPieces(memory, addresses);
  }

  /** A datagram in [at, end) of a receive buffer; `linkGroup`: of a frame to a group address. True: the buffer was kept. */
  receive(iface: Interface, buffer: number, at: number, end: number, linkGroup: boolean): boolean {
    this.received++;
    const ip = this.#ip;
    if (parseIpv4(this.#memory.view, at, end, ip) !== Ipv4Parse.Ok) {
      this.headerErrors++;
      return false;
    }
    if (!this.#isForUs(iface, ip, linkGroup)) {
      this.addressErrors++;
      return false;
    }
    if (ip.hasOptions && !this.#acceptsOptions(iface, at, linkGroup)) return false;
    if (isFragment(ip)) return this.#receiveFragment(iface, buffer, at);
    this.delivered++;
    if (ip.protocol === IpProtocol.Tcp) {
      return iface.owns(ip.destination) && this.transport!.receive(iface, ip, buffer);
    }
    this.#deliver(iface, at, linkGroup, false);
    return false;
  }

  /** RFC 1122 3.2.1.3: the source is a single host; the destination is ours, or everybody's. */
  #isForUs(iface: Interface, ip: Ipv4Header, linkGroup: boolean): boolean {
    const { source, destination } = ip;
    if (!isSingleHost(source) || iface.isBroadcast(source)) return false;
    if (destination === IPV4_BROADCAST || iface.isBroadcast(destination)) return true;
    // RFC 1122 3.3.6: a unicast datagram in a link-layer broadcast is not for us, whatever it says.
    return !linkGroup && iface.owns(destination);
  }

  /** RFC 1122 3.2.1.8: all but source routes ask nothing of us; those are refused, for they lead around filters (RFC 6274 3.13.2.3). */
  #acceptsOptions(iface: Interface, at: number, linkGroup: boolean): boolean {
    const verdict = checkIpv4Options(this.#memory.view, at, this.#ip.headerLength);
    if (verdict === OPTIONS_OK) return true;
    if (verdict === OPTIONS_SOURCE_ROUTED) {
      this.sourceRouted++;
    } else {
      this.headerErrors++;
      this.#icmp.parameterProblem(iface, this.#ip, at, verdict, linkGroup);
    }
    return false;
  }

  /** Everything but TCP: nothing of it keeps the bytes. */
  #deliver(iface: Interface, at: number, linkGroup: boolean, cameInPieces: boolean): void {
    const ip = this.#ip;
    if (ip.protocol === IpProtocol.Icmp) this.#icmp.receive(iface, ip, cameInPieces);
    else if (ip.protocol === IpProtocol.Udp) this.#deliverUdp(iface, at, linkGroup);
    else if (iface.owns(ip.destination)) {
      this.#icmp.unreachable(iface, ip, at, UnreachableCode.Protocol, linkGroup);
    }
  }

  /** RFC 1122 4.1.3.1: a port that nobody listens at is worth an answer. */
  #deliverUdp(iface: Interface, at: number, linkGroup: boolean): void {
    const ip = this.#ip;
    const pseudo = pseudoHeaderSum(ip.source, ip.destination, IpProtocol.Udp, 0);
    if (this.datagrams!.receive(iface, ip, pseudo, !iface.owns(ip.destination))) return;
    this.#icmp.unreachable(iface, ip, at, UnreachableCode.Port, linkGroup);
  }

  // --- fragments ---

  #receiveFragment(iface: Interface, buffer: number, at: number): boolean {
    const ip = this.#ip;
    if (isTiny(ip)) {
      this.tinyFragments++;
      return false;
    }
    const fragment = this.#fragment;
    fragment.source = ip.source;
    fragment.destination = ip.destination;
    fragment.protocol = ip.protocol;
    fragment.identification = ip.identification;
    fragment.offset = ip.fragmentOffset << 3;
    fragment.more = ip.mf;
    fragment.headerAt = at;
    fragment.payloadAt = ip.payloadAt;
    fragment.payloadEnd = ip.payloadEnd;
    fragment.ecn = ip.tos & 3;
    fragment.lifetimeTicks = LIFETIME_TICKS;
    const outcome = this.reassembler.add(iface, buffer, fragment);
    if (outcome === Reassembly.Complete) this.#deliverWhole(iface);
    return outcome !== Reassembly.Refused;
  }

  /** The header of the first fragment becomes that of the whole, in the reassembler's room. */
  #deliverWhole(iface: Interface): void {
    const { headerAt, payloadAt, payloadEnd, ecn, buffers } = this.reassembler;
    const ip = this.#ip;
    const { view } = this.#memory;
    // RFC 6040 has no say here: the field is that of the fragments together.
    const tos = (view.getUint8(headerAt + IPV4.tos) & ~3) | ecn;
    const source = view.getInt32(headerAt + IPV4.source);
    const destination = view.getInt32(headerAt + IPV4.destination);
    const at = payloadAt - IPV4.headerLength;
    emitIpv4(
      view,
      at,
      tos,
      payloadEnd - at,
      view.getUint16(headerAt + IPV4.identification),
      0,
      view.getUint8(headerAt + IPV4.ttl),
      view.getUint8(headerAt + IPV4.protocol),
      source,
      destination,
    );
    // Options are dropped with the first fragment's header: none that was accepted asks for anything.
    parseIpv4(view, at, payloadEnd, ip);
    this.delivered++;
    if (ip.protocol === IpProtocol.Tcp && iface.owns(destination)) {
      this.pieces.deliver(iface, ip, buffers, this.transport!);
      return;
    }
    this.#deliver(iface, at, false, true);
    this.pieces.giveBack(iface, buffers);
  }

  /** RFC 1122 3.3.2: only with the first fragment is there something to tell it by. */
  #timedOut(datagram: PartialDatagram): void {
    const ip = this.#ip;
    parseIpv4(this.#memory.view, datagram.headerAt, datagram.payloadEnd, ip);
    this.#icmp.timeExceeded(datagram.iface!, ip, datagram.headerAt, TimeExceededCode.Reassembly);
  }
}

/** RFC 1858 3, RFC 3128: a TCP header that is cut in two is a way around filters, and nobody needs it. */
function isTiny(ip: Ipv4Header): boolean {
  if (ip.protocol !== IpProtocol.Tcp) return false;
  if (ip.fragmentOffset === 0) return ip.payloadEnd - ip.payloadAt < TCP.headerLength;
  return ip.fragmentOffset === 1;
}
