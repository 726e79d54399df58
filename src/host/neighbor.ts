/**
 * Host objects of the Framing layer: a neighbor is a next hop on one interface, with the state that can be offloaded
 * (NeighborState) and what only the host needs.
 */
import { OffloadState } from '../offload/offload-state.ts';
import { HeaderFormat } from '../offload/state-objects.ts';
import { isIpv6 } from '../wire/address-table.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO } from '../wire/ethernet.ts';
import type { Interface } from './interface.ts';
import type { ProviderTable } from './ndis.ts';
import type { LowerObject } from './lower-object.ts';

/** RFC 4861 7.3.2, for IPv4 as well; Failed is an Incomplete or a Probe that found no answer. */
export const Reachability = { Incomplete: 0, Reachable: 1, Failed: 2, Stale: 3, Delay: 4, Probe: 5 } as const;
export type Reachability = (typeof Reachability)[keyof typeof Reachability];

export class Neighbor implements LowerObject {
  /** What devices know it by (NdisOffloadHandle). */
  readonly id: number;
  readonly iface: Interface;
  readonly address: number;
  macHi = 0;
  macLo = 0;
  reachability: Reachability = Reachability.Incomplete;
  /** NET_BUFFERs that wait for the address, oldest first. */
  readonly waiting: number[] = [];
  requestsSent = 0;
  /** It has said that it forwards (RFC 4861 5.1: IsRouter). */
  isRouter = false;
  /** Paths whose next hop it is: one without may be forgotten. */
  paths = 0;
  /** When to ask next, or to ask the device for its progress. */
  nextRequestAt = 0;
  /** When it was found not to answer. */
  failedAt = 0;
  /** Tick of the last proof of reachability (HostReachabilityDelta). */
  confirmedAt = 0;
  // Offload: the device's handle, who owns the object, paths that depend on it there.
  offloadHandle = 0;
  table: ProviderTable | null = null;
  offloadState: OffloadState = OffloadState.InHost;
  offloadedPaths = 0;
  callsOut = 0;
  updateDue = false;
  updateOut = false;
  invalidated = false;
  /** While a block list is described: the chain of blocks that depend on this one. */
  firstDependent = 0;
  lastDependent = 0;

  /** RFC 1042 is about IPv4 and its ARP; IPv6 has one format (RFC 2464). */
  get headerFormat(): HeaderFormat {
    return isIpv6(this.address) ? HeaderFormat.Dix : this.iface.headerFormat;
  }

  constructor(id: number, iface: Interface, address: number) {
    this.id = id;
    this.iface = iface;
    this.address = address;
  }
}

/** Its MAC address is known: frames may go to it, however old the proof is. */
export function isResolved(neighbor: Neighbor): boolean {
  const { reachability } = neighbor;
  return reachability !== Reachability.Incomplete && reachability !== Reachability.Failed;
}

/** All hosts of the link (RFC 1122 3.3.6, 2.3.2): its frames are for everybody. */
export function becomeBroadcast(neighbor: Neighbor): void {
  neighbor.macHi = BROADCAST_MAC_HI;
  neighbor.macLo = BROADCAST_MAC_LO;
  neighbor.reachability = Reachability.Reachable;
}

/** Proof of reachability, from the tick `at`: an answer, or an acknowledgment of something sent through it. */
export function confirm(neighbor: Neighbor, at: number): void {
  neighbor.confirmedAt = at;
  if (isResolved(neighbor)) neighbor.reachability = Reachability.Reachable;
}
