/**
 * The remote end of a script's network: a port of the switch that takes whatever the host sends, with its time, and answers
 * ARP and neighbor solicitations for every address but the host's, so that scripts see IP alone, as on a tun device.
 */
import type { Clock } from '../base/clock.ts';
import type { Port } from '../fabric/port.ts';
import type { SwitchPort } from '../fabric/switch.ts';
import type { Memory } from '../memory/memory.ts';
import { ARP, ArpOperation, ArpPacket, emitArp, parseArp } from '../wire/arp.ts';
import { ETHERNET, EtherType, emitEthernet } from '../wire/ethernet.ts';
import { fillIcmpv6Checksum, Icmpv6Type } from '../wire/icmpv6.ts';
import { IPV4 } from '../wire/ipv4.ts';
import { emitIpv6, IPV6, NextHeader, pseudoHeaderSumAt } from '../wire/ipv6.ts';
import { emitNeighborAdvertisement, NaFlag, ND_HOP_LIMIT } from '../wire/nd.ts';

/** An IP datagram of the host's. */
export interface SentDatagram {
  readonly us: number;
  readonly view: DataView;
  /** A connection was changing hands. */
  readonly atHandOver: boolean;
}

/** Whoever the host sends to: on a link that scripts do not see. */
export const REMOTE_MAC = { hi: 0x0250, lo: 0x00000001 };
/** An ARP packet, or a neighbor advertisement with its header. */
const CONTROL_BYTES = 128;
/** The switch may write tags in front of a frame. */
const HEADROOM = 16;

export class WirePort implements Port {
  readonly name = 'remote';
  readonly #memory: Memory;
  readonly #clock: Clock;
  readonly #scratch: number;
  /** IPv4; 0: it has none. */
  readonly #hostAddress: number;
  readonly #hostMac: { hi: number; lo: number };
  readonly #arp = new ArpPacket();
  uplink: SwitchPort | null = null;
  readonly sent: SentDatagram[] = [];
  /** A connection is changing hands. */
  atHandOver = false;
  /** Hears of each. */
  onSent: (datagram: SentDatagram) => void = () => {};

  /** `scratch`: room for one frame. */
  constructor(
    memory: Memory,
    clock: Clock,
    scratch: number,
    hostAddress: number,
    hostMac: { readonly hi: number; readonly lo: number },
  ) {
    this.#memory = memory;
    this.#clock = clock;
    this.#scratch = scratch;
    this.#hostAddress = hostAddress;
    this.#hostMac = hostMac;
  }

  deliver(frameAt: number, length: number): boolean {
    const { view } = this.#memory;
    const type = view.getUint16(frameAt + ETHERNET.etherType);
    const at = frameAt + ETHERNET.headerLength;
    if (type === EtherType.Arp) this.#answer(at, frameAt + length);
    // The MAC pads short frames.
    else if (type === EtherType.Ipv4) this.#take(at, view.getUint16(at + IPV4.totalLength));
    else if (type === EtherType.Ipv6 && !this.#isControl(at)) {
      this.#take(at, IPV6.headerLength + view.getUint16(at + IPV6.payloadLength));
    }
    return true;
  }

  #take(at: number, length: number): void {
    const bytes = this.#memory.u8.slice(at, at + length);
    const { atHandOver } = this;
    const datagram = { us: this.#clock.nowUs(), view: new DataView(bytes.buffer), atHandOver };
    this.sent.push(datagram);
    this.onSent(datagram);
  }

  /** Neighbor discovery and group membership, which are the link's affair; solicitations are answered. */
  #isControl(at: number): boolean {
    const { view } = this.#memory;
    const nextHeader = view.getUint8(at + IPV6.nextHeader);
    // RFC 3810 5: membership reports stand behind a router alert.
    if (nextHeader === NextHeader.HopByHop) return true;
    if (nextHeader !== NextHeader.Icmpv6) return false;
    const type = view.getUint8(at + IPV6.headerLength);
    if (type === Icmpv6Type.NeighborSolicitation) this.#advertise(at);
    return type >= Icmpv6Type.RouterSolicitation && type <= Icmpv6Type.Redirect;
  }

  /** Whoever the solicitation at `at` asks for is here. */
  #advertise(at: number): void {
    const { view } = this.#memory;
    const words = (from: number): Int32Array => Int32Array.of(0, 4, 8, 12).map(offset => view.getInt32(from + offset));
    const asker = words(at + IPV6.source);
    const target = words(at + IPV6.headerLength + 8);
    const frame = this.#scratch + HEADROOM;
    const ip = frame + ETHERNET.headerLength;
    const body = ip + IPV6.headerLength;
    const { hi, lo } = this.#hostMac;
    emitEthernet(view, frame, hi, lo, REMOTE_MAC.hi, REMOTE_MAC.lo, EtherType.Ipv6);
    const flags = NaFlag.Solicited | NaFlag.Override;
    const length = emitNeighborAdvertisement(view, body, flags, target, 0, REMOTE_MAC.hi, REMOTE_MAC.lo);
    emitIpv6(view, ip, 0, 0, length, NextHeader.Icmpv6, ND_HOP_LIMIT, target, 0, asker, 0);
    fillIcmpv6Checksum(view, body, length, pseudoHeaderSumAt(view, ip, NextHeader.Icmpv6, length));
    this.uplink!.input(frame, body + length - frame);
  }

  #answer(at: number, end: number): void {
    const arp = this.#arp;
    if (!parseArp(this.#memory.view, at, end, arp) || arp.operation !== ArpOperation.Request) return;
    const { senderAddress, targetAddress } = arp;
    if (targetAddress === this.#hostAddress || senderAddress === targetAddress) return;
    const { view } = this.#memory;
    const frame = this.#scratch + HEADROOM;
    const { hi, lo } = this.#hostMac;
    emitEthernet(view, frame, hi, lo, REMOTE_MAC.hi, REMOTE_MAC.lo, EtherType.Arp);
    const body = frame + ETHERNET.headerLength;
    emitArp(view, body, ArpOperation.Reply, REMOTE_MAC.hi, REMOTE_MAC.lo, targetAddress, hi, lo, senderAddress);
    this.uplink!.input(frame, ETHERNET.headerLength + ARP.length);
  }

  /** A datagram to the host. */
  send(datagram: Uint8Array): void {
    const { view, u8 } = this.#memory;
    const frame = this.#scratch + HEADROOM;
    const { hi, lo } = this.#hostMac;
    const type = datagram[0]! >> 4 === 6 ? EtherType.Ipv6 : EtherType.Ipv4;
    emitEthernet(view, frame, hi, lo, REMOTE_MAC.hi, REMOTE_MAC.lo, type);
    u8.set(datagram, frame + ETHERNET.headerLength);
    this.uplink!.input(frame, ETHERNET.headerLength + datagram.length);
  }
}

/** What `scratch` has to hold for datagrams of so many bytes. */
export function scratchBytes(datagram: number): number {
  return HEADROOM + ETHERNET.headerLength + Math.max(datagram, CONTROL_BYTES) + 4;
}
