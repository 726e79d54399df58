/**
 * The paths that are in use, made by the routing table (RFC 1122 3.3.1.2: the route cache), and what changes of them:
 * their MTU, their next hop.
 */
import { OffloadState } from '../offload/offload-state.ts';
import { type AddressTable, isIpv6 } from '../wire/address-table.ts';
import { IPV4_LEAST_PATH_MTU, isSingleHost } from '../wire/ipv4.ts';
import { IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import type { Framing } from './framing.ts';
import { type Interface, keyOf, keyOfIpv6 } from './interface.ts';
import type { Ipv6Routes } from './ipv6-routes.ts';
import { type Neighbor, Reachability } from './neighbor.ts';
import { Path } from './path.ts';
import { mtuThrough, NO_METRICS, type RouteMetrics } from './route-metrics.ts';
import { RoutingTable } from './routes.ts';

const IDLE_PATHS_MAX = 4096;
const MTU_LIFETIME_TICKS = 600_000;
const DEAD_GATEWAY_TICKS = 60_000;

/** What becomes of objects that are on a device when their layer changes its mind (offload-control.ts). */
export interface PathControl {
  relink(path: Path): void;
  invalidate(object: Path | Neighbor): void;
  takeBack(object: Path | Neighbor): void;
}

export class PathTable {
  readonly routes = new RoutingTable();
  /** Null: this host speaks no IPv6 (ipv6.ts). */
  routesIpv6: Ipv6Routes | null = null;
  readonly #addresses: AddressTable;
  readonly #framing: Framing;
  readonly #byDestination = new Map<number, Path>();
  readonly #paths: Path[] = [];
  readonly #freeIndexes: number[] = [];
  /** A cached value of a path changed, which a device may have (path-offload.ts). */
  readonly #changed: (path: Path) => void;
  /** Paths that carry less than their interface. */
  readonly #lowered = new Set<Path>();
  #idle = 0;
  now = 0;
  control: PathControl | null = null;
  redirects = 0;

  constructor(addresses: AddressTable, framing: Framing, changed: (path: Path) => void) {
    this.#addresses = addresses;
    this.#framing = framing;
    this.#changed = changed;
    this.routes.isDead = (iface, gateway) => this.#isDead(iface, gateway);
  }

  [Symbol.iterator](): Iterator<Path> {
    return this.#byDestination.values();
  }

  at(index: number): Path {
    return this.#paths[index]!;
  }

  /**
   * The path to a destination, referenced by the caller until `release`; null when there is no route, or it is not one host's
   * address (RFC 1122 3.2.1.3, RFC 9293 MUST-46). `source`: from that address of ours, where there are several; 0 leaves the
   * choice to us.
   */
  acquire(destination: number, iface: Interface | null, source = 0): Path | null {
    if (isIpv6(destination)) return this.#acquireIpv6(destination, iface, source);
    if (!isSingleHost(destination)) return null;
    const route = this.routes.find(destination, iface);
    if (route === undefined || route.iface.isBroadcast(destination)) return null;
    const hop = route.gateway === 0 ? destination : route.gateway;
    return this.#acquireIpv4(destination, route.iface, hop, source, route.metrics);
  }

  /**
   * The same for a broadcast address (RFC 1122 3.3.6). One that says nothing of the subnet goes to that of the source, else of
   * the default route, else of the first interface.
   */
  acquireBroadcast(destination: number, iface: Interface | null, source = 0): Path | null {
    const { interfaces } = this.#framing;
    const candidates = [
      ...interfaces.filter(on => on === iface || (iface === null && source !== 0 && on.owns(source))),
      this.routes.find(0, iface)?.iface,
      ...interfaces.filter(on => on.hasIpv4 && iface === null),
    ];
    const on = candidates.find(candidate => candidate?.isGroup(destination) === true);
    return on === undefined ? null : this.#acquireIpv4(destination, on, destination, source, NO_METRICS);
  }

  #acquireIpv4(destination: number, iface: Interface, hop: number, source: number, metrics: RouteMetrics): Path | null {
    const own = source === 0 ? iface.sourceFor(hop) : source;
    if (!iface.owns(own)) return null;
    const key = keyOf(iface, destination, iface.positionOf(own));
    let path = this.#byDestination.get(key);
    if (path === undefined) {
      const index = this.#freeIndexes.pop() ?? this.#paths.length;
      path = new Path(index, iface, own, destination, this.#neighborFor(iface, hop));
      path.applyMetrics(metrics);
      this.#paths[index] = path;
      this.#byDestination.set(key, path);
    } else if (path.references === 0) {
      this.#idle--;
    }
    path.references++;
    return path;
  }

  #acquireIpv6(destination: number, iface: Interface | null, wanted: number): Path | null {
    const route = this.routesIpv6?.lookup(destination, iface);
    const on = route?.iface.ipv6;
    if (route === undefined || on === undefined || on === null) return null;
    const source = wanted === 0 ? on.sourceFor(destination) : wanted;
    if (source === 0) return null;
    const key = keyOfIpv6(route.iface, source, destination);
    let path = this.#byDestination.get(key);
    if (path === undefined) {
      const hop = route.gateway === 0 ? destination : route.gateway;
      const index = this.#freeIndexes.pop() ?? this.#paths.length;
      this.#addresses.retain(source);
      this.#addresses.retain(destination);
      path = new Path(index, route.iface, source, destination, this.#neighborFor(route.iface, hop));
      path.applyMetrics(route.metrics);
      this.#paths[index] = path;
      this.#byDestination.set(key, path);
    } else if (path.references === 0) {
      this.#idle--;
    }
    path.references++;
    return path;
  }

  /** The next hop of one more path. */
  #neighborFor(iface: Interface, hop: number): Neighbor {
    const neighbor = this.#framing.neighbors.for(iface, hop);
    neighbor.paths++;
    return neighbor;
  }

  release(path: Path): void {
    if (--path.references === 0) this.#idle++;
    if (this.#idle > IDLE_PATHS_MAX) this.#forgetIdle();
  }

  /** The route cache is bounded: idle paths go, those a device still holds stay. */
  #forgetIdle(): void {
    for (const [key, path] of this.#byDestination) {
      if (path.references > 0 || path.offloadState !== OffloadState.InHost) continue;
      this.#forget(key, path);
      this.#idle--;
    }
  }

  #forget(key: number, path: Path): void {
    this.#byDestination.delete(key);
    this.#lowered.delete(path);
    this.#freeIndexes.push(path.index);
    path.neighbor.paths--;
    this.#addresses.release(path.source);
    this.#addresses.release(path.destination);
  }

  /**
   * "Fragmentation needed" and "packet too big" (RFC 1191 6.3, RFC 8201 4). Whoever forges one can make segments small, so
   * there is a least MTU that is believed, the rest is left to fragmentation; a router of before RFC 1191 says 0. False: it is
   * no news.
   */
  tooBig(path: Path, mtu: number): boolean {
    const least = path.isIpv6 ? IPV6_MINIMUM_MTU : IPV4_LEAST_PATH_MTU;
    const before = path.mtu;
    if (mtu >= before || path.metrics.isMtuLocked) return false;
    path.mtu = Math.min(before, Math.max(mtu, least));
    path.mtuExpiresAt = (this.now + MTU_LIFETIME_TICKS) | 0;
    this.#lowered.add(path);
    if (path.mtu === before) return false;
    this.#changed(path);
    return true;
  }

  /** The link carries datagrams of another size (RFC 4861 6.3.4). False: the path's MTU is what it was. */
  linkMtuChanged(path: Path, mtu: number): boolean {
    const before = path.mtu;
    path.linkMtu = mtuThrough(path.metrics, mtu);
    path.mtu = this.#lowered.has(path) ? Math.min(before, path.linkMtu) : path.linkMtu;
    if (path.mtu === before) return false;
    this.#changed(path);
    return true;
  }

  /** RFC 1191 6.3, RFC 8201 4: routes change; after ten minutes the path is tried again. Returns how many there were. */
  expire(raised: (path: Path) => void): number {
    let due = 0;
    for (const path of this.#lowered) {
      if (((path.mtuExpiresAt - this.now) | 0) > 0) continue;
      due++;
      this.#lowered.delete(path);
      path.mtu = path.linkMtu;
      this.#changed(path);
      raised(path);
    }
    return due;
  }

  /** Ticks until `expire` has something to do, -1 for never. */
  ticksUntilNext(): number {
    let least = -1;
    for (const { mtuExpiresAt } of this.#lowered) {
      const ticks = Math.max(0, (mtuExpiresAt - this.now) | 0);
      if (least < 0 || ticks < least) least = ticks;
    }
    return least;
  }

  /** ICMP redirect (RFC 1122 3.2.2.2): only from the hop that is used now, only to one that is on the link. */
  redirect(iface: Interface, from: number, destination: number, gateway: number): void {
    if (from === destination || !iface.isLocal(gateway) || iface.owns(gateway) || iface.isBroadcast(gateway)) return;
    for (let position = 0; position < iface.ipv4.length; position++) {
      const path = this.#byDestination.get(keyOf(iface, destination, position));
      if (path === undefined || path.neighbor.address !== from) continue;
      this.redirects++;
      this.changeNextHop(path, gateway);
    }
  }

  /**
   * RFC 1122 3.3.1.4, 3.3.1.5: the gateway does not answer. Paths go through another of those for their route, if there is one
   * that does.
   */
  leaveGateway(neighbor: Neighbor): void {
    for (const path of this) {
      if (path.neighbor !== neighbor || path.destination === neighbor.address) continue;
      const route = this.routes.find(path.destination, path.iface);
      if (route !== undefined && route.gateway !== 0) this.changeNextHop(path, route.gateway);
    }
  }

  /** A gateway that did not answer is worth another try after a while. */
  #isDead(iface: Interface, gateway: number): boolean {
    const neighbor = this.#framing.neighbors.find(iface, gateway);
    if (neighbor === undefined || neighbor.reachability !== Reachability.Failed) return false;
    return ((this.now - neighbor.failedAt) | 0) < DEAD_GATEWAY_TICKS;
  }

  /** What goes to this destination goes through `gateway` from now on, also what a device sends (R8, R9). */
  changeNextHop(path: Path, gateway: number): void {
    const neighbor = this.#framing.neighbors.for(path.iface, gateway);
    if (path.neighbor === neighbor) return;
    path.neighbor.paths--;
    neighbor.paths++;
    path.neighbor = neighbor;
    this.#framing.neighbors.resolve(neighbor);
    this.control?.relink(path);
  }

  /** ICMPv6 redirect (RFC 4861 8.3), checked by neighbor-discovery.ts but for this: it is from the hop that is used now. */
  redirectIpv6(iface: Interface, from: number, destination: number, hop: number): boolean {
    let isHeeded = false;
    for (const path of this) {
      if (path.destination !== destination || path.iface !== iface || path.neighbor.address !== from) continue;
      isHeeded = true;
      path.isRedirected = true;
      this.changeNextHop(path, hop);
    }
    return isHeeded;
  }

  /** IPv6 routes came or went, or a next hop turned out to be unreachable: paths go where the table says now. */
  reroute(): void {
    for (const path of this) {
      if (!path.isIpv6) continue;
      const isFailed = path.neighbor.reachability === Reachability.Failed;
      if (path.isRedirected && !isFailed) continue;
      path.isRedirected = false;
      const route = this.routesIpv6!.lookup(path.destination, path.iface);
      if (route === undefined) this.control?.invalidate(path);
      else this.changeNextHop(path, route.gateway === 0 ? path.destination : route.gateway);
    }
  }

  /** An address of ours is no more: what is idle and would use it again is forgotten. */
  sourceGone(iface: Interface, source: number): void {
    for (const [key, path] of this.#byDestination) {
      if (path.source !== source || path.iface !== iface || path.references > 0) continue;
      if (path.offloadState !== OffloadState.InHost) continue;
      this.#forget(key, path);
      this.#idle--;
    }
  }

  /** Routes say something else of their paths. `changed` hears of those whose MTU is another now. */
  applyMetrics(changed: (path: Path) => void): void {
    for (const path of this) {
      if (path.isBroadcast) continue;
      const { routesIpv6, routes } = this;
      const { destination, iface, mtu } = path;
      const route = path.isIpv6 ? routesIpv6!.lookup(destination, iface) : routes.find(destination, iface);
      if (route === undefined || route.metrics === path.metrics) continue;
      path.applyMetrics(route.metrics);
      this.#lowered.delete(path);
      if (path.mtu === mtu) continue;
      this.#changed(path);
      changed(path);
    }
  }

  /** Replaces gateway and metrics of a route: every path that is routed by it follows. False: there is no such route. */
  changeRoute(
    prefix: number,
    prefixLength: number,
    iface: Interface,
    gateway: number,
    metrics?: RouteMetrics,
  ): boolean {
    if (!this.routes.change(prefix, prefixLength, iface, gateway, metrics)) return false;
    for (const path of this) {
      if (path.isIpv6 || path.isBroadcast) continue;
      const route = this.routes.find(path.destination, path.iface);
      if (route === undefined) continue;
      const { prefixLength: length } = route;
      if (length === prefixLength && route.gateway === gateway && gateway !== 0) this.changeNextHop(path, gateway);
    }
    return true;
  }

  /** A route goes away: paths that have no other are invalid. */
  removeRoute(prefix: number, prefixLength: number, iface: Interface): void {
    this.routes.remove(prefix, prefixLength, iface);
    for (const path of this) {
      if (path.isIpv6 || path.isBroadcast) continue;
      const route = this.routes.find(path.destination, path.iface);
      if (route === undefined) this.control?.invalidate(path);
      else this.changeNextHop(path, route.gateway === 0 ? path.destination : route.gateway);
    }
  }
}
