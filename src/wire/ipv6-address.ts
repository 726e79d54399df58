/**
 * Kinds of IPv6 addresses: RFC 4291 2.4-2.7 (formats), RFC 2464 7 (multicast over Ethernet), RFC 4007 4 (scopes).
 *
 * An address is four int32 words, most significant first, that stand in an Int32Array from some index on: in an
 * `AddressTable`, in a shared record, or alone. No object is made for one.
 */

export const IPV6_ADDRESS_WORDS = 4;

/** Values of the scope field of a multicast address (RFC 7346 2); unicast addresses are ranked on the same scale. */
export const Ipv6Scope = { InterfaceLocal: 1, LinkLocal: 2, SiteLocal: 5, Global: 14 } as const;

/** ff02::1 and ff02::2 (RFC 4291 2.7.1). */
export const ALL_NODES: Readonly<Int32Array> = Int32Array.of(0xff020000, 0, 0, 1);
export const ALL_ROUTERS: Readonly<Int32Array> = Int32Array.of(0xff020000, 0, 0, 2);
/** :: (RFC 4291 2.5.2): "no address", the source of a node that has none yet. */
export const UNSPECIFIED: Readonly<Int32Array> = Int32Array.of(0, 0, 0, 0);

type Words = Readonly<Int32Array>;

export function isUnspecified(words: Words, at: number): boolean {
  return (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0;
}

/** ::1 (RFC 4291 2.5.3): never on a wire. */
export function isLoopback(words: Words, at: number): boolean {
  return (words[at]! | words[at + 1]! | words[at + 2]!) === 0 && words[at + 3] === 1;
}

/** By its first word: ff00::/8. */
export function isMulticastWord(word0: number): boolean {
  return word0 >>> 24 === 0xff;
}

/** By its first word: fe80::/10. */
export function isLinkLocalWord(word0: number): boolean {
  return word0 >>> 22 === 0x3fa;
}

/** ::ffff:0:0/96 (RFC 4291 2.5.5.2): an IPv4 address in the clothes of the other family; not for the wire (RFC 4942 2.2). */
export function isMappedIpv4At(view: DataView, at: number): boolean {
  return (view.getInt32(at) | view.getInt32(at + 4)) === 0 && view.getInt32(at + 8) === 0xffff;
}

export function isMappedIpv4(words: Words, at: number): boolean {
  return (words[at]! | words[at + 1]!) === 0 && words[at + 2] === 0xffff;
}

/** Of the address at `at` of a packet: could it be a source, does it name a single interface (RFC 4443 2.4 (e.6))? */
export function isUnicastAt(view: DataView, at: number): boolean {
  return !isMulticastWord(view.getInt32(at)) && !isUnspecifiedAt(view, at);
}

export function isUnspecifiedAt(view: DataView, at: number): boolean {
  return (view.getInt32(at) | view.getInt32(at + 4) | view.getInt32(at + 8) | view.getInt32(at + 12)) === 0;
}

export function isLoopbackAt(view: DataView, at: number): boolean {
  return (view.getInt32(at) | view.getInt32(at + 4) | view.getInt32(at + 8)) === 0 && view.getInt32(at + 12) === 1;
}

export function scopeOf(words: Words, at: number): number {
  const word0 = words[at]!;
  if (isMulticastWord(word0)) return (word0 >>> 16) & 0xf;
  if (isLinkLocalWord(word0) || isLoopback(words, at)) return Ipv6Scope.LinkLocal;
  // fec0::/10, deprecated by RFC 3879; RFC 6724 3.1 ranks it still.
  if (word0 >>> 22 === 0x3fb) return Ipv6Scope.SiteLocal;
  return Ipv6Scope.Global;
}

export function equalsIpv6(a: Words, aAt: number, b: Words, bAt: number): boolean {
  return a[aAt] === b[bAt] && a[aAt + 1] === b[bAt + 1] && a[aAt + 2] === b[bAt + 2] && a[aAt + 3] === b[bAt + 3];
}

/** CommonPrefixLen of RFC 6724 2.2: bits that both have in common from the left, 0 to 128. */
export function commonPrefixLength(a: Words, aAt: number, b: Words, bAt: number): number {
  for (let i = 0; i < IPV6_ADDRESS_WORDS; i += 1) {
    const difference = a[aAt + i]! ^ b[bAt + i]!;
    if (difference !== 0) return i * 32 + Math.clz32(difference);
  }
  return 128;
}

/** ff02::1:ffXX:XXXX for the last three bytes of an address (RFC 4291 2.7.1). */
export function solicitedNodeOf(word3: number): Int32Array {
  return Int32Array.of(0xff020000, 0, 1, 0xff000000 | (word3 & 0xffffff));
}

/** fe80:: with the modified EUI-64 of a MAC address (RFC 2464 5, RFC 4291 appendix A). */
export function linkLocalOf(macHi: number, macLo: number): Int32Array {
  const address = Int32Array.of(0xfe800000, 0, 0, 0);
  putInterfaceIdentifier(address, macHi, macLo);
  return address;
}

/** Sets the last 64 bits to the modified EUI-64 of a MAC address: ff:fe in its middle, the universal bit inverted. */
export function putInterfaceIdentifier(address: Int32Array, macHi: number, macLo: number): void {
  address[2] = ((macHi ^ 0x0200) << 16) | ((macLo >>> 16) & 0xff00) | 0xff;
  address[3] = 0xfe000000 | (macLo & 0xffffff);
}

/** 33:33 and the last 32 bits of the group (RFC 2464 7): `word3` is the second half of the MAC address. */
export const MULTICAST_MAC_HI = 0x3333;

/** Keeps the first `length` bits, 0 to 128, and clears the others. */
export function maskIpv6(address: Int32Array, length: number): void {
  for (let i = 0; i < IPV6_ADDRESS_WORDS; i += 1) {
    const bits = Math.min(32, Math.max(0, length - i * 32));
    address[i]! &= bits === 0 ? 0 : -1 << (32 - bits);
  }
}
