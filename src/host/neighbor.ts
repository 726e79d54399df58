/**
 * Host objects of the Framing layer: a neighbor is a next hop on one interface, with the state that can be offloaded
 * (NeighborState) and what only the host needs.
 */
import { OffloadState } from '../offload/offload-state.ts';
import type { Interface } from './interface.ts';
import type { ProviderTable } from './ndis.ts';

export const Reachability = { Incomplete: 0, Reachable: 1, Failed: 2 } as const;
export type Reachability = (typeof Reachability)[keyof typeof Reachability];

export class Neighbor {
  readonly iface: Interface;
  readonly address: number;
  macHi = 0;
  macLo = 0;
  reachability: Reachability = Reachability.Incomplete;
  /** NET_BUFFERs that wait for the address, oldest first. */
  readonly waiting: number[] = [];
  requestsSent = 0;
  nextRequestAt = 0;
  /** Tick of the last proof of reachability (HostReachabilityDelta). */
  confirmedAt = 0;
  // Offload: the device's handle, who owns the object, paths that depend on it there.
  offloadHandle = 0;
  table: ProviderTable | null = null;
  offloadState: OffloadState = OffloadState.InHost;
  offloadedPaths = 0;
  /** A cached value changed while a request was under way (R18). */
  updateDue = false;
  /** While a block list is described: the chain of blocks that depend on this one. */
  firstDependent = 0;
  lastDependent = 0;

  constructor(iface: Interface, address: number) {
    this.iface = iface;
    this.address = address;
  }
}
