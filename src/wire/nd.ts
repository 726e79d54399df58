/**
 * Neighbor discovery: RFC 4861 4 (messages and options), with the checks of 6.1, 7.1 and 8.1 that need the message alone.
 *
 * `parseNd` takes a message that `parseIcmpv6` accepted, and fills one reused object. An invalid one is to be dropped
 * silently. Whoever calls has looked at what is not in the message: the hop limit, that it is no fragment (RFC 6980 5),
 * and who sent it to whom. Addresses stay where they are; fields named `…At` are byte offsets in the view.
 */
import { emitIcmpv6, Icmpv6Type } from './icmpv6.ts';
import { isLinkLocalWord, isMulticastWord } from './ipv6-address.ts';

/** RFC 4861 6.1, 7.1, 8.1: a message from a router far away cannot have this hop limit. */
export const ND_HOP_LIMIT = 255;

export const NdOption = {
  SourceLinkLayerAddress: 1,
  TargetLinkLayerAddress: 2,
  PrefixInformation: 3,
  RedirectedHeader: 4,
  Mtu: 5,
  /** RFC 4191 2.3. */
  RouteInformation: 24,
} as const;

/** Bits of a neighbor advertisement's word behind the checksum (RFC 4861 4.4). */
export const NaFlag = { Router: 1 << 31, Solicited: 1 << 30, Override: 1 << 29 } as const;

/** Bits of a prefix information option (RFC 4861 4.6.2). */
export const PrefixFlag = { OnLink: 0x80, Autonomous: 0x40 } as const;

/** Prefixes of one router advertisement that are looked at, and routes. */
export const ND_PREFIXES_MAX = 16;
/** Options of one message; RFC 4861 sets no limit, a frame of 1,500 bytes could hold 180. */
const OPTIONS_MAX = 64;

const TARGET_AT = 8;
const ADDRESS_BYTES = 16;
const UNIT = 8;
const PREFIX_OPTION_BYTES = 32;

/** Offsets in a prefix information option. */
export const PREFIX = { length: 2, flags: 3, validLifetime: 4, preferredLifetime: 8, address: 16 } as const;

/** The same in a route information option (RFC 4191 2.3); of the prefix there is as much as the option has room for. */
export const ROUTE = { length: 2, flags: 3, lifetime: 4, prefix: 8 } as const;

/** How much a router is to be preferred (RFC 4191 2.1). */
export const RoutePreference = { Low: -1, Medium: 0, High: 1 } as const;
export type RoutePreference = (typeof RoutePreference)[keyof typeof RoutePreference];

/** What flags with a preference say; undefined is reserved. */
export function preferenceOf(flags: number): RoutePreference | undefined {
  return PREFERENCES[(flags >>> 3) & 3];
}

const PREFERENCES = [RoutePreference.Medium, RoutePreference.High, undefined, RoutePreference.Low] as const;

export class NdMessage {
  /** `Icmpv6Type` of the message. */
  type = 0;
  /** Solicitation, advertisement, redirect: the target. */
  targetAt = 0;
  /** Redirect: the destination that is redirected. */
  destinationAt = 0;
  /** Neighbor advertisement: `NaFlag` bits. */
  flags = 0;
  // Router advertisement; 0 says that the router does not say.
  curHopLimit = 0;
  /** Seconds; 0: it is no default router. */
  routerLifetime = 0;
  preference: RoutePreference = RoutePreference.Medium;
  /** Milliseconds. */
  reachableTime = 0;
  retransTimer = 0;
  // Options. A MAC address is -1, -1 when there is none.
  sourceMacHi = -1;
  sourceMacLo = -1;
  targetMacHi = -1;
  targetMacLo = -1;
  /** 0: absent. */
  mtu = 0;
  /** Byte offsets of prefix information options. */
  readonly prefixAt = new Int32Array(ND_PREFIXES_MAX);
  prefixCount = 0;
  /** And of route information options. */
  readonly routeAt = new Int32Array(ND_PREFIXES_MAX);
  routeCount = 0;
}

/** Fills `out` from the message in [at, end), of a type that is neighbor discovery's; false: drop it. */
export function parseNd(view: DataView, at: number, end: number, out: NdMessage): boolean {
  const type = view.getUint8(at);
  const optionsAt = at + fixedLength(type);
  // RFC 4861: every message has code 0, and at least its fixed part.
  if (view.getUint8(at + 1) !== 0 || optionsAt === at || optionsAt > end) return false;
  clear(out);
  out.type = type;
  if (type === Icmpv6Type.RouterAdvertisement) {
    out.curHopLimit = view.getUint8(at + 4);
    // RFC 4191 2.2: what is reserved says medium.
    out.preference = preferenceOf(view.getUint8(at + 5)) ?? RoutePreference.Medium;
    out.routerLifetime = view.getUint16(at + 6);
    out.reachableTime = view.getUint32(at + 8);
    out.retransTimer = view.getUint32(at + 12);
  } else if (type !== Icmpv6Type.RouterSolicitation) {
    out.targetAt = at + TARGET_AT;
    out.flags = type === Icmpv6Type.NeighborAdvertisement ? view.getInt32(at + 4) : 0;
    if (!isTargetValid(view, at, out)) return false;
  }
  return parseOptions(view, optionsAt, end, out);
}

function fixedLength(type: number): number {
  switch (type) {
    case Icmpv6Type.RouterSolicitation:
      return 8;
    case Icmpv6Type.RouterAdvertisement:
      return 16;
    case Icmpv6Type.NeighborSolicitation:
    case Icmpv6Type.NeighborAdvertisement:
      return TARGET_AT + ADDRESS_BYTES;
    case Icmpv6Type.Redirect:
      return TARGET_AT + 2 * ADDRESS_BYTES;
    default:
      return 0;
  }
}

/** RFC 4861 7.1.1, 7.1.2: no group. 8.1: the target is a router's link-local address, or the destination itself. */
function isTargetValid(view: DataView, at: number, out: NdMessage): boolean {
  const { targetAt } = out;
  const target = view.getInt32(targetAt);
  if (out.type !== Icmpv6Type.Redirect) return !isMulticastWord(target);
  out.destinationAt = at + TARGET_AT + ADDRESS_BYTES;
  if (isMulticastWord(view.getInt32(out.destinationAt))) return false;
  if (isLinkLocalWord(target)) return true;
  for (let i = 0; i < ADDRESS_BYTES; i += 4) {
    if (view.getInt32(targetAt + i) !== view.getInt32(out.destinationAt + i)) return false;
  }
  return true;
}

function clear(out: NdMessage): void {
  out.targetAt = 0;
  out.destinationAt = 0;
  out.flags = 0;
  out.curHopLimit = 0;
  out.routerLifetime = 0;
  out.preference = RoutePreference.Medium;
  out.reachableTime = 0;
  out.retransTimer = 0;
  out.sourceMacHi = -1;
  out.sourceMacLo = -1;
  out.targetMacHi = -1;
  out.targetMacLo = -1;
  out.mtu = 0;
  out.prefixCount = 0;
  out.routeCount = 0;
}

/** RFC 4861 4.6: an option of length 0 spoils the message; kinds that are not known are skipped. */
function parseOptions(view: DataView, from: number, end: number, out: NdMessage): boolean {
  let p = from;
  for (let options = 0; p < end; options += 1) {
    if (options === OPTIONS_MAX || p + UNIT > end) return false;
    const length = view.getUint8(p + 1) * UNIT;
    if (length === 0 || p + length > end) return false;
    takeOption(view, p, length, out);
    p += length;
  }
  return true;
}

function takeOption(view: DataView, p: number, length: number, out: NdMessage): void {
  switch (view.getUint8(p)) {
    case NdOption.SourceLinkLayerAddress:
      out.sourceMacHi = view.getUint16(p + 2);
      out.sourceMacLo = view.getInt32(p + 4);
      return;
    case NdOption.TargetLinkLayerAddress:
      out.targetMacHi = view.getUint16(p + 2);
      out.targetMacLo = view.getInt32(p + 4);
      return;
    case NdOption.Mtu:
      out.mtu = view.getUint32(p + 4);
      return;
    case NdOption.PrefixInformation:
      if (length === PREFIX_OPTION_BYTES && out.prefixCount < ND_PREFIXES_MAX) out.prefixAt[out.prefixCount++] = p;
      return;
    case NdOption.RouteInformation:
      if (isRouteValid(view, p, length) && out.routeCount < ND_PREFIXES_MAX) out.routeAt[out.routeCount++] = p;
  }
}

/** RFC 4191 2.3: room for the prefix; and a preference that is reserved makes the option count for nothing. */
function isRouteValid(view: DataView, p: number, length: number): boolean {
  const bits = view.getUint8(p + ROUTE.length);
  return bits <= (length - UNIT) * 8 && bits <= 128 && preferenceOf(view.getUint8(p + ROUTE.flags)) !== undefined;
}

/** True when the message says a MAC address: sender's (solicitations, router advertisements), or target's. */
export function hasSourceMac(message: NdMessage): boolean {
  return message.sourceMacHi >= 0;
}

export function hasTargetMac(message: NdMessage): boolean {
  return message.targetMacHi >= 0;
}

// Writers return the message's length; the checksum is 0, fillIcmpv6Checksum comes next.

/** RFC 4861 4.3. With a `macHi` of -1 without the option, as for duplicate address detection (RFC 4862 5.4.2). */
export function emitNeighborSolicitation(
  view: DataView,
  at: number,
  targetWords: Readonly<Int32Array>,
  target: number,
  macHi: number,
  macLo: number,
): number {
  emitIcmpv6(view, at, Icmpv6Type.NeighborSolicitation, 0, 0);
  emitTarget(view, at, targetWords, target);
  return emitMac(view, at, TARGET_AT + ADDRESS_BYTES, NdOption.SourceLinkLayerAddress, macHi, macLo);
}

/** RFC 4861 4.4. */
export function emitNeighborAdvertisement(
  view: DataView,
  at: number,
  flags: number,
  targetWords: Readonly<Int32Array>,
  target: number,
  macHi: number,
  macLo: number,
): number {
  emitIcmpv6(view, at, Icmpv6Type.NeighborAdvertisement, 0, flags);
  emitTarget(view, at, targetWords, target);
  return emitMac(view, at, TARGET_AT + ADDRESS_BYTES, NdOption.TargetLinkLayerAddress, macHi, macLo);
}

/** RFC 4861 4.1. With a `macHi` of -1 without the option: the source is unspecified. */
export function emitRouterSolicitation(view: DataView, at: number, macHi: number, macLo: number): number {
  emitIcmpv6(view, at, Icmpv6Type.RouterSolicitation, 0, 0);
  return emitMac(view, at, UNIT, NdOption.SourceLinkLayerAddress, macHi, macLo);
}

function emitTarget(view: DataView, at: number, words: Readonly<Int32Array>, from: number): void {
  for (let i = 0; i < 4; i += 1) view.setInt32(at + TARGET_AT + 4 * i, words[from + i]!);
}

/** The link-layer address option behind `length` bytes of message; returns the new length. */
function emitMac(view: DataView, at: number, length: number, type: number, macHi: number, macLo: number): number {
  if (macHi < 0) return length;
  view.setUint8(at + length, type);
  view.setUint8(at + length + 1, 1);
  view.setUint16(at + length + 2, macHi);
  view.setInt32(at + length + 4, macLo);
  return length + UNIT;
}
