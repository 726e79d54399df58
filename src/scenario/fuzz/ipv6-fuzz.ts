/**
 * IPv6 for the fuzzer: packets with extension headers, ICMPv6, neighbor discovery with options right and wrong; and mutations
 * of the headers that a recorded packet has.
 */
import type { Prng } from '../../base/prng.ts';
import type { Memory } from '../../memory/memory.ts';
import { Icmpv6Type } from '../../wire/icmpv6.ts';
import { ALL_NODES, ALL_ROUTERS, UNSPECIFIED } from '../../wire/ipv6-address.ts';
import { emitIpv6, IPV6, NextHeader } from '../../wire/ipv6.ts';
import { NdOption } from '../../wire/nd.ts';
import { edgeValue, oneOf } from './draw.ts';

const HEADER = IPV6.headerLength;
const EXTENSIONS = [NextHeader.HopByHop, NextHeader.Routing, NextHeader.Fragment, NextHeader.DestinationOptions, 51];
const PROTOCOLS = [...EXTENSIONS, 6, 17, 41, 58, 59, 135, 253, 255];
const ND_TYPES = [
  Icmpv6Type.RouterSolicitation,
  Icmpv6Type.RouterAdvertisement,
  Icmpv6Type.NeighborSolicitation,
  Icmpv6Type.NeighborSolicitation,
  Icmpv6Type.NeighborAdvertisement,
  Icmpv6Type.Redirect,
];
const ICMP_TYPES = [1, 2, 2, 3, 4, 128, 129, 130, 131, 143, 255];
const ND_OPTIONS = [...Object.values(NdOption), 0, 14, 25, 31, 253];
const UNIT = 8;
const ND_OPTIONS_MAX = 6;

export class Ipv6Fuzz {
  readonly #memory: Memory;
  readonly #view: DataView;
  readonly #prng: Prng;
  /** Those that mean something in this machine. */
  readonly #addresses: readonly Readonly<Int32Array>[];

  constructor(memory: Memory, prng: Prng, addresses: readonly Readonly<Int32Array>[]) {
    this.#memory = memory;
    this.#view = memory.view;
    this.#prng = prng;
    this.#addresses = [...addresses, ...addresses, ALL_NODES, ALL_ROUTERS, UNSPECIFIED, Int32Array.of(0, 0, 0, 1)];
  }

  /** Writes a packet at `ipAt`, and returns its length; checksums are still to be repaired. */
  make(ipAt: number): number {
    const kind = this.#prng.float();
    if (kind < 0.5) return this.#discovery(ipAt);
    return kind < 0.8 ? this.#icmp(ipAt) : this.#anything(ipAt);
  }

  /** One mutation of the header at `ipAt`; returns the new end of the frame. */
  mutate(ipAt: number, end: number, endMax: number): number {
    const prng = this.#prng;
    const view = this.#view;
    switch (prng.below(7)) {
      case 0:
        view.setUint8(ipAt + IPV6.nextHeader, oneOf(prng, PROTOCOLS));
        return end;
      case 1:
        view.setUint8(ipAt + IPV6.nextHeader + 1, oneOf(prng, [0, 1, 2, 64, 255]));
        return end;
      case 2:
        view.setUint16(ipAt + IPV6.payloadLength, prng.chance(0.5) ? prng.below(1600) : edgeValue(prng) & 0xffff);
        return end;
      case 3:
        view.setInt32(ipAt, prng.chance(0.7) ? 0x60000000 | prng.below(0x10000000) : prng.int32());
        return end;
      case 4:
        this.#address(ipAt + (prng.chance(0.6) ? IPV6.source : IPV6.destination));
        return end;
      default:
        return this.#extend(ipAt, end, endMax);
    }
  }

  /** An extension header between the fixed header and what follows. */
  #extend(ipAt: number, end: number, endMax: number): number {
    const prng = this.#prng;
    const view = this.#view;
    const kind = oneOf(prng, EXTENSIONS);
    const units = kind === NextHeader.Fragment ? 1 : prng.between(1, 3);
    const bytes = units * UNIT;
    if (end + bytes > endMax) return end;
    const at = ipAt + HEADER;
    this.#memory.u8.copyWithin(at + bytes, at, end);
    view.setUint8(at, view.getUint8(ipAt + IPV6.nextHeader));
    view.setUint8(ipAt + IPV6.nextHeader, kind);
    if (kind === NextHeader.Fragment) {
      view.setUint8(at + 1, 0);
      view.setUint16(at + 2, oneOf(prng, [0, 1, 1, 8, 9, prng.below(0x10000)]));
      view.setInt32(at + 4, prng.below(4));
    } else {
      view.setUint8(at + 1, prng.chance(0.9) ? units - 1 : prng.below(256));
      // Options: Pad1, PadN, router alert, jumbo payload, and unknown ones of each of the four reactions.
      for (let i = 2; i < bytes; i++)
        view.setUint8(at + i, oneOf(prng, [0, 0, 1, 4, 5, 0xc2, 0x1e, 0x5e, 0x9e, 0xde, 2]));
    }
    return end + bytes;
  }

  #address(at: number): void {
    const prng = this.#prng;
    const words = oneOf(prng, this.#addresses);
    for (let i = 0; i < 4; i++) this.#view.setInt32(at + i * 4, words[i]!);
    const kind = prng.float();
    // A neighbor of it, a solicited-node group, or anybody.
    if (kind < 0.2) this.#view.setInt32(at + 12, prng.below(256));
    else if (kind < 0.3) {
      this.#view.setInt32(at, 0xff020000 | 0);
      this.#view.setInt32(at + 4, 0);
      this.#view.setInt32(at + 8, 1);
      this.#view.setInt32(at + 12, 0xff000000 | (words[3]! & 0xffffff));
    } else if (kind < 0.4) this.#view.setInt32(at, prng.int32());
  }

  #header(ipAt: number, payload: number, protocol: number, hops: number): number {
    emitIpv6(this.#view, ipAt, 0, 0, payload, protocol, hops, UNSPECIFIED, 0, UNSPECIFIED, 0);
    this.#address(ipAt + IPV6.source);
    this.#address(ipAt + IPV6.destination);
    return ipAt + HEADER;
  }

  #fill(at: number, length: number): void {
    for (let p = at; p < at + length; p++) this.#view.setUint8(p, this.#prng.int32() & 0xff);
  }

  #discovery(ipAt: number): number {
    const prng = this.#prng;
    const view = this.#view;
    const at = ipAt + HEADER;
    const type = oneOf(prng, ND_TYPES);
    const fixed = type === Icmpv6Type.RouterSolicitation ? 8 : type === Icmpv6Type.RouterAdvertisement ? 16 : 24;
    let p = at + (type === Icmpv6Type.Redirect ? 40 : fixed);
    this.#fill(at, p - at);
    view.setUint8(at, type);
    view.setUint8(at + 1, prng.chance(0.95) ? 0 : prng.below(256));
    if (fixed === 24) this.#address(at + 8);
    if (type === Icmpv6Type.Redirect) this.#address(at + 24);
    if (type === Icmpv6Type.RouterAdvertisement) view.setUint16(at + 6, oneOf(prng, [0, 1, 1800, 65_535]));
    for (let left = prng.below(ND_OPTIONS_MAX); left > 0; left--) p = this.#option(p);
    this.#header(ipAt, p - at, NextHeader.Icmpv6, prng.chance(0.9) ? 255 : 64);
    return p - ipAt;
  }

  #option(at: number): number {
    const prng = this.#prng;
    const view = this.#view;
    const kind = oneOf(prng, ND_OPTIONS);
    const units = kind === NdOption.PrefixInformation ? 4 : prng.chance(0.8) ? 1 : prng.between(1, 6);
    this.#fill(at, units * UNIT);
    view.setUint8(at, kind);
    view.setUint8(at + 1, prng.chance(0.93) ? units : oneOf(prng, [0, 2, 255]));
    if (kind === NdOption.PrefixInformation) {
      view.setUint8(at + 2, oneOf(prng, [64, 64, 48, 128, 0, 255]));
      view.setInt32(at + 4, oneOf(prng, [0, 10, 3600, 7200, -1]));
      view.setInt32(at + 8, oneOf(prng, [0, 10, 3600, -1]));
      this.#address(at + 16);
    } else if (kind === NdOption.Mtu) view.setInt32(at + 4, oneOf(prng, [0, 1279, 1280, 1500, 65_536]));
    return at + units * UNIT;
  }

  /** Echo, errors with a quotation of anything, multicast listeners. */
  #icmp(ipAt: number): number {
    const prng = this.#prng;
    const at = ipAt + HEADER;
    const length = 8 + prng.below(prng.chance(0.1) ? 1200 : 100);
    this.#fill(at, length);
    this.#view.setUint8(at, oneOf(prng, ICMP_TYPES));
    this.#view.setUint8(at + 1, prng.below(8));
    if (prng.chance(0.5)) this.#view.setInt32(at + 4, oneOf(prng, [0, 68, 1279, 1280, 1400, 65_535]));
    // What is quoted begins like a packet of somebody here.
    if (length >= 8 + HEADER && prng.chance(0.8)) {
      this.#view.setUint8(at + 8, 0x60);
      this.#view.setUint8(at + 8 + IPV6.nextHeader, oneOf(prng, [6, 6, 17, 58, 44]));
      this.#address(at + 8 + IPV6.source);
      this.#address(at + 8 + IPV6.destination);
    }
    this.#header(ipAt, length, NextHeader.Icmpv6, 64);
    return HEADER + length;
  }

  #anything(ipAt: number): number {
    const prng = this.#prng;
    const length = prng.below(prng.chance(0.1) ? 1400 : 120);
    this.#fill(ipAt + HEADER, length);
    this.#header(ipAt, length, oneOf(prng, PROTOCOLS), oneOf(prng, [0, 1, 64, 255]));
    return HEADER + length;
  }
}
