/**
 * Frames made from nothing, by protocol: the kinds that a live TCP conversation does not bring along. What they say is drawn;
 * that they are well formed is not promised to anybody, mutations see to it.
 */
import type { Prng } from '../../base/prng.ts';
import type { Memory } from '../../memory/memory.ts';
import { ARP, ArpOperation, emitArp } from '../../wire/arp.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO, emitEthernet, ETHERNET, EtherType } from '../../wire/ethernet.ts';
import { emitIcmpError, IcmpType } from '../../wire/icmp.ts';
import { emitIpv4, IPV4, IpProtocol } from '../../wire/ipv4.ts';
import { emitTcpHeader, TCP } from '../../wire/tcp.ts';
import { emitUdp } from '../../wire/udp.ts';
import { edgeValue, oneOf } from './draw.ts';
import { FrameLayout } from './frame-layout.ts';
import type { Ipv6Fuzz } from './ipv6-fuzz.ts';
import type { Mutations } from './mutations.ts';
import type { RecordedFrames } from './recorded-frames.ts';
import { fillTcpOptions } from './tcp-options-fuzz.ts';

const QUOTE_MAX = 548;
const MULTICAST_MACS = [0x01005e00, 0x0180c200, 0x33330000];
const MTUS = [0, 1, 67, 68, 296, 552, 576, 1000, 1280, 1499, 1500, 65_535];

export interface Mac {
  readonly hi: number;
  readonly lo: number;
}

export class GeneratedFrames {
  readonly #view: DataView;
  readonly #prng: Prng;
  readonly #layout: FrameLayout;
  readonly #recorded: RecordedFrames;
  readonly #mutations: Mutations;
  readonly #ipv6Packets: Ipv6Fuzz;
  readonly #kinds: readonly ((at: number, to: Mac) => number)[];

  constructor(memory: Memory, prng: Prng, recorded: RecordedFrames, mutations: Mutations, ipv6: Ipv6Fuzz) {
    this.#view = memory.view;
    this.#prng = prng;
    this.#layout = new FrameLayout(memory.view);
    this.#recorded = recorded;
    this.#mutations = mutations;
    this.#ipv6Packets = ipv6;
    this.#kinds = [
      (at, to) => this.#arp(at, to),
      (at, to) => this.#echo(at, to),
      (at, to) => this.#icmpError(at, to),
      (at, to) => this.#icmpError(at, to),
      (at, to) => this.#udp(at, to),
      (at, to) => this.#syn(at, to),
      (at, to) => this.#ipv6(at, to),
      (at, to) => this.#ipv6(at, to),
      (at, to) => this.#ipv6(at, to),
      (at, to) => this.#llc(at, to),
      (at, to) => this.#other(at, to),
    ];
  }

  /** Writes a frame to the NIC with this MAC address; returns its length. */
  make(at: number, to: Mac): number {
    return oneOf(this.#prng, this.#kinds)(at, to);
  }

  #ethernet(at: number, to: Mac, etherType: number): number {
    const prng = this.#prng;
    const view = this.#view;
    const group = prng.chance(0.2);
    const multicast = oneOf(prng, MULTICAST_MACS);
    const isMulticast = group && prng.chance(0.5);
    const hi = isMulticast ? multicast >>> 16 : group ? BROADCAST_MAC_HI : to.hi;
    const lo = isMulticast ? (multicast << 16) | prng.below(4) : group ? BROADCAST_MAC_LO : to.lo;
    return at + emitEthernet(view, at, hi, lo, 0x0260, prng.below(300), etherType);
  }

  #arp(at: number, to: Mac): number {
    const prng = this.#prng;
    const body = this.#ethernet(at, to, EtherType.Arp);
    const operation = prng.chance(0.9) ? oneOf(prng, [ArpOperation.Request, ArpOperation.Reply]) : edgeValue(prng) & 7;
    const sender = this.#mutations.address();
    const target = prng.chance(0.2) ? sender : this.#mutations.address();
    emitArp(this.#view, body, operation, 0x0260, prng.below(300), sender, to.hi, to.lo, target);
    return ETHERNET.headerLength + ARP.length;
  }

  /** The IPv4 header for `length` bytes of payload. */
  #ipv4(at: number, protocol: number, length: number): number {
    const prng = this.#prng;
    const source = this.#mutations.address();
    const destination = this.#mutations.address();
    emitIpv4(this.#view, at, 0, IPV4.headerLength + length, prng.below(65_536), 0, 64, protocol, source, destination);
    return at + IPV4.headerLength;
  }

  #fill(at: number, length: number): void {
    for (let p = at; p < at + length; p++) this.#view.setUint8(p, this.#prng.int32() & 0xff);
  }

  #finish(at: number, end: number): number {
    this.#layout.read(at, end - at);
    this.#layout.repair(true);
    return end - at;
  }

  #echo(at: number, to: Mac): number {
    const prng = this.#prng;
    const length = prng.below(prng.chance(0.1) ? 1400 : 64);
    const icmpAt = this.#ipv4(this.#ethernet(at, to, EtherType.Ipv4), IpProtocol.Icmp, 8 + length);
    this.#fill(icmpAt, 8 + length);
    this.#view.setUint8(icmpAt, prng.chance(0.7) ? IcmpType.Echo : prng.below(45));
    this.#view.setUint8(icmpAt + 1, prng.chance(0.8) ? 0 : prng.below(16));
    return this.#finish(at, icmpAt + 8 + length);
  }

  /** An error about a segment that somebody here sent: what a blind or a sighted attacker would quote. */
  #icmpError(at: number, to: Mac): number {
    const prng = this.#prng;
    const quoteAt = this.#quoted();
    if (quoteAt < 0) return this.#echo(at, to);
    const quoteLength = Math.min(prng.chance(0.8) ? 28 : prng.below(QUOTE_MAX), QUOTE_MAX);
    const ipAt = this.#ethernet(at, to, EtherType.Ipv4);
    const icmpAt = ipAt + IPV4.headerLength;
    const type = prng.chance(0.9) ? oneOf(prng, [3, 3, 3, 4, 5, 11, 12]) : prng.below(256);
    const code = type === 3 && prng.chance(0.7) ? 4 : prng.below(16);
    const rest = type === 5 ? this.#mutations.address() : oneOf(prng, MTUS);
    const length = emitIcmpError(this.#view, icmpAt, type, code, rest, quoteAt, quoteLength);
    this.#ipv4(ipAt, IpProtocol.Icmp, length);
    // It is about what the addressee sent: it goes back to the source of the quotation.
    if (prng.chance(0.9)) this.#view.setInt32(ipAt + IPV4.destination, this.#view.getInt32(quoteAt + IPV4.source));
    return this.#finish(at, icmpAt + length);
  }

  /** The IPv4 header in a recorded frame, or -1. */
  #quoted(): number {
    const { count } = this.#recorded;
    if (count === 0) return -1;
    const place = this.#recorded.place(this.#prng.below(count));
    this.#layout.read(this.#recorded.addressOf(place), this.#recorded.lengthOf(place));
    return this.#layout.isIpv6 ? -1 : this.#layout.ipAt;
  }

  #udp(at: number, to: Mac): number {
    const prng = this.#prng;
    const length = prng.below(prng.chance(0.1) ? 1400 : 100);
    const ipAt = this.#ethernet(at, to, EtherType.Ipv4);
    const udpAt = this.#ipv4(ipAt, IpProtocol.Udp, 8 + length);
    this.#fill(udpAt + 8, length);
    emitUdp(this.#view, udpAt, edgeValue(prng) & 0xffff, oneOf(prng, [0, 7, 53, 67, 80, 65_535]), length, 0, 0);
    return this.#finish(at, udpAt + 8 + length);
  }

  /** A SYN, or something else out of the blue, from anywhere. */
  #syn(at: number, to: Mac): number {
    const prng = this.#prng;
    const words = prng.below(11);
    const payload = prng.chance(0.2) ? prng.below(600) : 0;
    const header = TCP.headerLength + words * 4;
    const tcpAt = this.#ipv4(this.#ethernet(at, to, EtherType.Ipv4), IpProtocol.Tcp, header + payload);
    const flags = prng.chance(0.7) ? 2 : prng.int32() & 0xff;
    const seq = prng.int32();
    const srcPort = prng.below(65_536);
    const dstPort = prng.chance(0.8) ? 80 : prng.below(65_536);
    emitTcpHeader(this.#view, tcpAt, srcPort, dstPort, seq, prng.int32(), header, flags, prng.below(65_536));
    fillTcpOptions(this.#view, tcpAt + TCP.headerLength, words * 4, seq, prng);
    this.#fill(tcpAt + header, payload);
    return this.#finish(at, tcpAt + header + payload);
  }

  #ipv6(at: number, to: Mac): number {
    const ipAt = this.#ethernet(at, to, EtherType.Ipv6);
    return this.#finish(at, ipAt + this.#ipv6Packets.make(ipAt));
  }

  /** IEEE 802.3 with a length: LLC, and SNAP with an EtherType (RFC 1042). */
  #llc(at: number, to: Mac): number {
    const prng = this.#prng;
    const length = prng.between(3, 100);
    const body = this.#ethernet(at, to, prng.chance(0.8) ? length : prng.below(0x600));
    this.#fill(body, length);
    this.#view.setUint16(body, oneOf(prng, [0xaaaa, 0xaaaa, 0x4242, 0xffff, 0xf0f0]));
    this.#view.setUint8(body + 2, 3);
    if (length >= 8) {
      this.#view.setUint8(body + 3, 0);
      this.#view.setUint16(body + 4, 0);
      this.#view.setUint16(body + 6, oneOf(prng, [EtherType.Ipv4, EtherType.Arp, EtherType.Ipv6, 0x8137]));
    }
    return ETHERNET.headerLength + length;
  }

  #other(at: number, to: Mac): number {
    const prng = this.#prng;
    const types = [EtherType.SlowProtocols, EtherType.Lldp, EtherType.Ipv4, EtherType.Arp, EtherType.CustomerVlan];
    const length = prng.below(prng.chance(0.1) ? 1500 : 120);
    const body = this.#ethernet(at, to, prng.chance(0.8) ? oneOf(prng, types) : edgeValue(prng) & 0xffff);
    this.#fill(body, length);
    return ETHERNET.headerLength + length;
  }
}
