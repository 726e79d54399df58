/**
 * Mutations of a frame in place: blind ones (bits, bytes, length, splices) and ones that know the field they change. Each
 * draws what it does from the seed and returns the frame's new length; the frame has FRAME_ROOM.
 */
import type { Prng } from '../../base/prng.ts';
import type { Memory } from '../../memory/memory.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO, ETHERNET, EtherType } from '../../wire/ethernet.ts';
import { IPV4 } from '../../wire/ipv4.ts';
import { TCP } from '../../wire/tcp.ts';
import { VLAN } from '../../wire/vlan.ts';
import { edgeValue, nearValue, oneOf } from './draw.ts';
import type { FrameLayout } from './frame-layout.ts';
import type { Ipv6Fuzz } from './ipv6-fuzz.ts';
import type { RecordedFrames } from './recorded-frames.ts';
import { fillTcpOptions } from './tcp-options-fuzz.ts';

/** What the wire carries at most here. */
export const FUZZ_FRAME_MAX = 1518;
const HEADERS = 96;
const ETHER_TYPES = [...Object.values(EtherType), 0, 46, 1500, 0x05ff, 0x9100, 0xffff];
const VIDS = [0, 1, 10, 20, 21, 4094, 4095];
const PROTOCOLS = [0, 1, 2, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 255];
/** SYN, RST, FIN and whatever nobody sends: null, Christmas tree, SYN with FIN. */
const FLAGS = [0, 0x01, 0x02, 0x04, 0x10, 0x11, 0x12, 0x14, 0x18, 0x03, 0x06, 0x29, 0x3f, 0xff, 0xc2, 0x52];

export class Mutations {
  readonly #memory: Memory;
  readonly #view: DataView;
  readonly #prng: Prng;
  readonly #layout: FrameLayout;
  readonly #recorded: RecordedFrames;
  readonly #ipv6: Ipv6Fuzz;
  /** IPv4 addresses that mean something in this machine. */
  readonly #addresses: readonly number[];

  constructor(
    memory: Memory,
    prng: Prng,
    layout: FrameLayout,
    recorded: RecordedFrames,
    ipv6: Ipv6Fuzz,
    addresses: readonly number[],
  ) {
    this.#memory = memory;
    this.#view = memory.view;
    this.#prng = prng;
    this.#layout = layout;
    this.#recorded = recorded;
    this.#ipv6 = ipv6;
    this.#addresses = addresses;
  }

  /** One mutation of the frame in [at, at + length). */
  mutate(at: number, length: number): number {
    const prng = this.#prng;
    this.#layout.read(at, length);
    const { isTcp, ipAt } = this.#layout;
    const kind = prng.float();
    if (isTcp && kind < 0.5) return this.#tcp(at, length);
    if (ipAt >= 0 && kind < 0.65) return this.#ip(at, length);
    if (kind < 0.75) return this.#link(at, length);
    if (kind < 0.87) return this.#blind(at, length);
    return this.#resize(at, length);
  }

  #tcp(at: number, length: number): number {
    const prng = this.#prng;
    const view = this.#view;
    const tcpAt = this.#layout.transportAt;
    switch (prng.below(9)) {
      case 0:
        view.setInt32(tcpAt + TCP.segSeq, this.#number(view.getInt32(tcpAt + TCP.segSeq)));
        return length;
      case 1:
        view.setInt32(tcpAt + TCP.segAck, this.#number(view.getInt32(tcpAt + TCP.segAck)));
        return length;
      case 2:
        view.setUint8(tcpAt + TCP.flags, prng.chance(0.7) ? oneOf(prng, FLAGS) : prng.int32() & 0xff);
        return length;
      case 3:
        view.setUint16(tcpAt + TCP.window, oneOf(prng, [0, 1, 2, 100, 536, 1460, 65_535, prng.int32() & 0xffff]));
        return length;
      case 4:
        view.setUint8(tcpAt + TCP.dataOffset, (prng.below(16) << 4) | prng.below(16));
        return length;
      case 5:
        view.setUint16(tcpAt + TCP.urgentPointer, edgeValue(prng) & 0xffff);
        view.setUint8(tcpAt + TCP.flags, view.getUint8(tcpAt + TCP.flags) | 0x20);
        return length;
      case 6:
        view.setUint16(
          tcpAt + (prng.chance(0.5) ? TCP.srcPort : TCP.dstPort),
          oneOf(prng, [0, 80, 81, 20_000, 65_535]),
        );
        return length;
      default:
        return this.#options(at, length);
    }
  }

  #number(value: number): number {
    return this.#prng.chance(0.8) ? nearValue(this.#prng, value) : edgeValue(this.#prng);
  }

  /** Other options in the room of those that are there, or with more room taken from the payload. */
  #options(at: number, length: number): number {
    const view = this.#view;
    const prng = this.#prng;
    const tcpAt = this.#layout.transportAt;
    const room = Math.min(10, Math.floor((at + length - tcpAt - TCP.headerLength) / 4));
    const words = prng.chance(0.5) ? room : prng.below(room + 1);
    view.setUint8(tcpAt + TCP.dataOffset, (5 + words) << 4);
    const base = view.getInt32(tcpAt + TCP.segAck);
    fillTcpOptions(view, tcpAt + TCP.headerLength, words * 4, base, prng);
    return length;
  }

  #ip(at: number, length: number): number {
    const prng = this.#prng;
    const view = this.#view;
    const { ipAt, isIpv6, end } = this.#layout;
    if (isIpv6) return this.#ipv6.mutate(ipAt, end, at + FUZZ_FRAME_MAX) - at;
    switch (prng.below(8)) {
      case 0:
        view.setUint8(ipAt, (prng.chance(0.8) ? 0x40 : prng.below(16) << 4) | prng.below(16));
        return length;
      case 1:
        view.setUint16(ipAt + IPV4.totalLength, prng.chance(0.5) ? prng.below(1600) : edgeValue(prng) & 0xffff);
        return length;
      case 2:
        view.setUint16(ipAt + IPV4.identification, edgeValue(prng) & 0xffff);
        view.setUint16(ipAt + IPV4.fragment, this.#fragment());
        return length;
      case 3:
        view.setUint8(ipAt + IPV4.ttl, oneOf(prng, [0, 1, 2, 64, 255]));
        return length;
      case 4:
        view.setUint8(ipAt + IPV4.protocol, oneOf(prng, PROTOCOLS));
        return length;
      case 5:
        view.setUint8(ipAt + IPV4.tos, prng.int32() & 0xff);
        return length;
      case 6:
        view.setInt32(ipAt + (prng.chance(0.6) ? IPV4.source : IPV4.destination), this.address());
        return length;
      default:
        return this.#ipOptions(at, length);
    }
  }

  #fragment(): number {
    const prng = this.#prng;
    const flags = prng.below(8) << 13;
    return flags | oneOf(prng, [0, 0, 1, 2, prng.below(190), 0x1fff, 0x1ffe]);
  }

  /** Room for options between header and payload. */
  #ipOptions(at: number, length: number): number {
    const prng = this.#prng;
    const { ipAt } = this.#layout;
    const bytes = 4 * prng.between(1, 10);
    const headerLength = (this.#view.getUint8(ipAt) & 0xf) * 4;
    if (headerLength !== IPV4.headerLength || length + bytes > FUZZ_FRAME_MAX) return length;
    const from = ipAt + IPV4.headerLength;
    this.#memory.u8.copyWithin(from + bytes, from, at + length);
    this.#view.setUint8(ipAt, 0x45 + bytes / 4);
    for (let i = 0; i < bytes; i++) {
      // EOL, NOP, record route, timestamp, router alert, source routes; then lengths and pointers.
      const option = oneOf(prng, [0, 1, 7, 68, 148, 131, 137, 130]);
      this.#view.setUint8(from + i, prng.chance(0.4) ? option : prng.below(44));
    }
    return length + bytes;
  }

  #link(at: number, length: number): number {
    const prng = this.#prng;
    const view = this.#view;
    switch (prng.below(5)) {
      case 0:
        view.setUint16(at + ETHERNET.destination, BROADCAST_MAC_HI);
        view.setInt32(at + 2, BROADCAST_MAC_LO);
        return length;
      case 1:
        view.setUint16(at + ETHERNET.source, prng.int32() & 0xffff);
        view.setInt32(at + ETHERNET.source + 2, prng.int32());
        return length;
      case 2:
        if (this.#layout.typeAt >= 0) view.setUint16(this.#layout.typeAt, oneOf(prng, ETHER_TYPES));
        return length;
      case 3:
        return this.#tags(at, length, prng.between(1, 3));
      default:
        return this.#untag(at, length);
    }
  }

  #tags(at: number, length: number, count: number): number {
    const bytes = count * VLAN.tagLength;
    if (length + bytes > FUZZ_FRAME_MAX || length < ETHERNET.headerLength) return length;
    const prng = this.#prng;
    const typeAt = at + ETHERNET.etherType;
    this.#memory.u8.copyWithin(typeAt + bytes, typeAt, at + length);
    for (let i = 0; i < count; i++) {
      const tpid = prng.chance(0.7) ? EtherType.CustomerVlan : EtherType.ServiceVlan;
      this.#view.setUint16(typeAt + i * 4, tpid);
      this.#view.setUint16(typeAt + i * 4 + 2, (prng.below(16) << 12) | oneOf(prng, VIDS));
    }
    return length + bytes;
  }

  #untag(at: number, length: number): number {
    const { typeAt } = this.#layout;
    const bytes = typeAt - at - ETHERNET.etherType;
    if (typeAt < 0 || bytes === 0) return length;
    this.#memory.u8.copyWithin(at + ETHERNET.etherType, typeAt, at + length);
    return length - bytes;
  }

  #blind(at: number, length: number): number {
    const prng = this.#prng;
    const view = this.#view;
    const reach = prng.chance(0.7) ? Math.min(HEADERS, length) : length;
    for (let left = prng.between(1, 6); left > 0; left--) {
      const to = at + prng.below(reach);
      const byte = prng.chance(0.7) ? view.getUint8(to) ^ (1 << prng.below(8)) : edgeValue(prng) & 0xff;
      view.setUint8(to, byte);
    }
    return length;
  }

  /** Cut short, made longer, or with the tail of another frame. */
  #resize(at: number, length: number): number {
    const prng = this.#prng;
    const kind = prng.float();
    if (kind < 0.45) return prng.chance(0.3) ? prng.below(length + 1) : Math.min(length, prng.between(14, 80));
    if (kind < 0.7) {
      const longer = prng.between(length, prng.chance(0.1) ? FUZZ_FRAME_MAX : Math.min(FUZZ_FRAME_MAX, length + 64));
      for (let p = at + length; p < at + longer; p++) this.#view.setUint8(p, prng.int32() & 0xff);
      return longer;
    }
    if (this.#recorded.count === 0) return length;
    const other = this.#recorded.place(prng.below(this.#recorded.count));
    const otherLength = this.#recorded.lengthOf(other);
    const cut = prng.below(Math.min(length, otherLength) + 1);
    this.#memory.kernels.copy(at + cut, this.#recorded.addressOf(other) + cut, otherLength - cut);
    return otherLength;
  }

  /** An address of the machine, a neighbor of it, or one that no datagram may come from. */
  address(): number {
    const prng = this.#prng;
    const own = oneOf(prng, this.#addresses);
    const kind = prng.float();
    if (kind < 0.4) return own;
    if (kind < 0.7) return (own & -256) | prng.below(256);
    return oneOf(prng, [0, -1, 0x7f000001, 0xe0000001 | 0, 0x0a0000ff, 0xf0000001 | 0, prng.int32()]);
  }
}
