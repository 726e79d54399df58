/**
 * An IP interface: an adapter (physical or virtual, the stack cannot tell) with addresses.
 *
 * Its index stands for it wherever a word is all there is: as part of the key of a connection, a neighbor or a path.
 */
import { HeaderFormat } from '../offload/state-objects.ts';
import { IPV4_BROADCAST } from '../wire/ipv4.ts';
import { SNAP } from '../wire/llc-snap.ts';
import { Ipv4Address } from './ipv4-address.ts';
import type { Ipv6Interface } from './ipv6-interface.ts';
import type { Adapter } from './ndis.ts';

/** Positions of addresses are part of keys. */
export const IPV4_ADDRESSES_MAX = 64;

export class Interface {
  /** Small number that keeps apart connections of equal addresses on two interfaces. */
  readonly index: number;
  readonly adapter: Adapter;
  /** The first is the one that is used where nothing else speaks for another. */
  readonly ipv4: Ipv4Address[] = [];
  /** How IPv4 is put into frames here; both ways are understood (RFC 1122 2.3.3). */
  headerFormat: HeaderFormat = HeaderFormat.Dix;
  /** What it knows of IPv6; null: it does not speak it (ipv6.ts). */
  ipv6: Ipv6Interface | null = null;

  constructor(index: number, adapter: Adapter, address: number, prefixLength: number) {
    this.index = index;
    this.adapter = adapter;
    if (address !== 0) this.ipv4.push(new Ipv4Address(address, prefixLength));
  }

  /** The largest IPv4 datagram that a frame holds (RFC 1042: 1492 bytes, since a length says no more than 1500). */
  get ipv4Mtu(): number {
    const { mtu } = this.adapter;
    return this.headerFormat === HeaderFormat.Snap ? Math.min(mtu, SNAP.lengthMax) - SNAP.headerLength : mtu;
  }

  /** Its first IPv4 address, 0 without any. */
  get address(): number {
    return this.ipv4.length === 0 ? 0 : this.ipv4[0]!.address;
  }

  /** It has an IPv4 address, or is about to. */
  get hasIpv4(): boolean {
    return this.ipv4.length > 0;
  }

  /** One of its IPv4 addresses, and in use. */
  owns(address: number): boolean {
    for (let i = 0; i < this.ipv4.length; i++) {
      const own = this.ipv4[i]!;
      if (own.address === address) return own.isAssigned;
    }
    return false;
  }

  /** One of its addresses of either IP version, and in use. */
  has(address: number): boolean {
    return this.owns(address) || (this.ipv6?.isAssigned(address) ?? false);
  }

  /** Directed broadcast address of one of its subnets. */
  isBroadcast(address: number): boolean {
    for (let i = 0; i < this.ipv4.length; i++) if (this.ipv4[i]!.broadcast === address) return true;
    return false;
  }

  /** The address of all hosts of a subnet here, or of this link (RFC 1122 3.2.1.3). */
  isGroup(address: number): boolean {
    return address === IPV4_BROADCAST || this.isBroadcast(address);
  }

  /** On the link: in the subnet of one of its addresses. */
  isLocal(address: number): boolean {
    return this.ipv4.some(own => own.isLocal(address));
  }

  /** RFC 1122 3.3.4.3: the address that speaks to this one on the link: of its subnet, else the first. 0: none is in use. */
  sourceFor(address: number): number {
    const local = this.ipv4.find(own => own.isAssigned && own.isLocal(address));
    return (local ?? this.ipv4.find(own => own.isAssigned))?.address ?? 0;
  }

  /** Which of its addresses it is, for keys; 0 for one of another family. */
  positionOf(address: number): number {
    return Math.max(
      0,
      this.ipv4.findIndex(own => own.address === address),
    );
  }
}

/** Numbers of IPv6 addresses fit, and interfaces: VLANs and NICs are fewer. */
const NUMBER_RANGE = 0x20_0000;

/** Of a path of IPv6, where an interface has several addresses: negative, so that it is the key of nothing else. */
export function keyOfIpv6(iface: Interface, source: number, destination: number): number {
  const numbers = (source & 0x0fffffff) * NUMBER_RANGE + (destination & 0x0fffffff);
  return -1 - numbers - iface.index * NUMBER_RANGE * NUMBER_RANGE;
}

/** One number for an address on an interface: the key of neighbors; and of paths from the address at this position. */
export function keyOf(iface: Interface, address: number, position = 0): number {
  return (iface.index * IPV4_ADDRESSES_MAX + position) * 0x1_0000_0000 + (address >>> 0);
}
