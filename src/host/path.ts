/**
 * Host objects of the Network layer: a path is a destination reached through a neighbor (a route cache entry), shared by
 * all connections to that address.
 */
import { OffloadStateType } from '../offload/block-list.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { isIpv6 } from '../wire/address-table.ts';
import { IPV4_LEAST_PATH_MTU } from '../wire/ipv4.ts';
import type { Interface } from './interface.ts';
import type { ProviderTable } from './ndis.ts';
import type { LowerObject } from './lower-object.ts';
import type { Neighbor } from './neighbor.ts';
import { mtuThrough, NO_METRICS, type RouteMetrics } from './route-metrics.ts';

export class Path implements LowerObject {
  readonly index: number;
  iface: Interface;
  source = 0;
  destination = 0;
  /** The next hop of what the host sends. */
  neighbor: Neighbor;
  /** The one that its object on the device hangs on, which may lag behind (relinks.ts). */
  linked: Neighbor | null = null;
  mtu = 0;
  /** What its link carries, and its route says that it does: more is not to be expected. */
  linkMtu = 0;
  /** What its route says. */
  metrics: RouteMetrics = NO_METRICS;
  /** When a path MTU that was learned is forgotten. */
  mtuExpiresAt = 0;
  /** Next identification, in the host's half of the space (R31). */
  ipId = 0;
  /** The next hop is one that a router has named (RFC 4861 8.3), not the routing table's. */
  isRedirected = false;
  /** Connections of the host's that use the path, offloaded ones included. */
  references = 0;
  /** ¶84: IP Packet ID start value for the next offload. */
  ipIdStart = 0;
  offloadHandle = 0;
  table: ProviderTable | null = null;
  offloadState: OffloadState = OffloadState.InHost;
  callsOut = 0;
  updateDue = false;
  updateOut = false;
  invalidated = false;
  /** Connections that are offloaded on it, or on their way (R6). */
  offloadedConnections = 0;
  /** While a block list is described: the chain of blocks that depend on this one. */
  firstDependent = 0;
  lastDependent = 0;

  constructor(index: number, iface: Interface, source: number, destination: number, neighbor: Neighbor) {
    this.index = index;
    this.iface = iface;
    this.neighbor = neighbor;
    this.destination = destination;
    this.source = source;
    this.applyMetrics(NO_METRICS);
  }

  /** The route says something else from now on: what was learned of the path is not known any more. */
  applyMetrics(metrics: RouteMetrics): void {
    this.metrics = metrics;
    this.linkMtu = mtuThrough(metrics, this.isIpv6 ? this.#ipv6Mtu : this.iface.ipv4Mtu);
    this.mtu = this.linkMtu;
  }

  /** Routers may have said that the link carries less (RFC 4861 6.3.4). */
  get #ipv6Mtu(): number {
    const { adapter, ipv6 } = this.iface;
    return Math.min(adapter.mtu, ipv6?.linkMtu ?? adapter.mtu);
  }

  /** Routers may cut what goes this way: it cannot become smaller, or nobody is told that it should. */
  get mayBeCut(): boolean {
    return this.mtu <= IPV4_LEAST_PATH_MTU || this.metrics.isMtuLocked;
  }

  get isIpv6(): boolean {
    return isIpv6(this.destination);
  }

  /** To all hosts of a subnet: the link itself is the next hop. */
  get isBroadcast(): boolean {
    return this.iface.isGroup(this.destination);
  }

  /** Of the block that stands for the path in an operation, with all of its state. */
  get blockType(): OffloadStateType {
    return this.isIpv6 ? OffloadStateType.Ip6 : OffloadStateType.Ip4;
  }
}
