/**
 * An IP interface: an adapter (physical or virtual, the stack cannot tell) with an address.
 *
 * Its index stands for it wherever a word is all there is: as part of the key of a connection, a neighbor or a path.
 */
import type { Adapter } from './ndis.ts';

export class Interface {
  /** Small number that keeps apart connections of equal addresses on two interfaces. */
  readonly index: number;
  readonly adapter: Adapter;
  readonly address: number;
  readonly mask: number;

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

  isLocal(address: number): boolean {
    return ((address ^ this.address) & this.mask) === 0;
  }
}

/** One number for an address on an interface: the key of neighbors and paths. */
export function keyOf(iface: Interface, address: number): number {
  return iface.index * 0x1_0000_0000 + (address >>> 0);
}
