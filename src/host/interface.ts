/**
 * An IP interface: an adapter (physical or virtual, the stack cannot tell) with an address.
 *
 * Its index stands for it wherever a word is all there is: as part of the key of a connection, a neighbor or a path.
 */
import type { Ipv6Interface } from './ipv6-interface.ts';
import type { Adapter } from './ndis.ts';

export class Interface {
  /** Small number that keeps apart connections of equal addresses on two interfaces. */
  readonly index: number;
  readonly adapter: Adapter;
  readonly address: number;
  readonly mask: number;
  /** What it knows of IPv6; null: it does not speak it (ipv6.ts). */
  ipv6: Ipv6Interface | null = null;

  constructor(index: number, adapter: Adapter, address: number, prefixLength: number) {
    this.index = index;
    this.adapter = adapter;
    this.address = address;
    this.mask = prefixLength === 0 ? 0 : -1 << (32 - prefixLength);
  }

  /** Directed broadcast address of the subnet. */
  get broadcast(): number {
    return this.address | ~this.mask;
  }

  /** It has an IPv4 address. */
  get hasIpv4(): boolean {
    return this.address !== 0;
  }

  isLocal(address: number): boolean {
    return ((address ^ this.address) & this.mask) === 0;
  }
}

/** Numbers of IPv6 addresses fit, and interfaces: VLANs and NICs are fewer. */
const NUMBER_RANGE = 0x20_0000;

/** Of a path of IPv6, where an interface has several addresses: negative, so that it is the key of nothing else. */
export function keyOfIpv6(iface: Interface, source: number, destination: number): number {
  const numbers = (source & 0x0fffffff) * NUMBER_RANGE + (destination & 0x0fffffff);
  return -1 - numbers - iface.index * NUMBER_RANGE * NUMBER_RANGE;
}

/** One number for an address on an interface: the key of neighbors and paths. */
export function keyOf(iface: Interface, address: number): number {
  return iface.index * 0x1_0000_0000 + (address >>> 0);
}
