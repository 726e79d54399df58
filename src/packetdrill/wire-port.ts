/**
 * The remote end of a script's network: a port of the switch that takes whatever the host sends, with its time, and answers
 * ARP for every address but the host's, so that scripts see IP alone, as on a tun device.
 */
import type { Clock } from '../base/clock.ts';
import type { Port } from '../fabric/port.ts';
import type { SwitchPort } from '../fabric/switch.ts';
import type { Memory } from '../memory/memory.ts';
import { ARP, ArpOperation, ArpPacket, emitArp, parseArp } from '../wire/arp.ts';
import { ETHERNET, EtherType, emitEthernet } from '../wire/ethernet.ts';
import { IPV4 } from '../wire/ipv4.ts';

/** An IP datagram of the host's. */
export interface SentDatagram {
  readonly us: number;
  readonly view: DataView;
}

const REMOTE_MAC = { hi: 0x0250, lo: 0x00000001 };
/** The switch may write tags in front of a frame. */
const HEADROOM = 16;

export class WirePort implements Port {
  readonly name = 'remote';
  readonly #memory: Memory;
  readonly #clock: Clock;
  readonly #scratch: number;
  readonly #hostAddress: number;
  readonly #hostMac: { hi: number; lo: number };
  readonly #arp = new ArpPacket();
  uplink: SwitchPort | null = null;
  readonly sent: SentDatagram[] = [];
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
    const { view, u8 } = this.#memory;
    const type = view.getUint16(frameAt + ETHERNET.etherType);
    const at = frameAt + ETHERNET.headerLength;
    if (type === EtherType.Arp) this.#answer(at, frameAt + length);
    else if (type === EtherType.Ipv4) {
      // The MAC pads short frames.
      const bytes = u8.slice(at, at + view.getUint16(at + IPV4.totalLength));
      const datagram = { us: this.#clock.nowUs(), view: new DataView(bytes.buffer) };
      this.sent.push(datagram);
      this.onSent(datagram);
    }
    return true;
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
    emitEthernet(view, frame, hi, lo, REMOTE_MAC.hi, REMOTE_MAC.lo, EtherType.Ipv4);
    u8.set(datagram, frame + ETHERNET.headerLength);
    this.uplink!.input(frame, ETHERNET.headerLength + datagram.length);
  }
}

/** What `scratch` has to hold for datagrams of so many bytes. */
export function scratchBytes(datagram: number): number {
  return HEADROOM + ETHERNET.headerLength + Math.max(datagram, ARP.length) + 4;
}
