/**
 * The paths that are in use, made by the routing table (RFC 1122 3.3.1.2: the route cache), and what changes of them:
 * their MTU, their next hop.
 */
import { OffloadState } from '../offload/offload-state.ts';
import type { Framing } from './framing.ts';
import { type Interface, keyOf } from './interface.ts';
import type { Neighbor } from './neighbor.ts';
import { Path } from './path.ts';
import { RoutingTable } from './routes.ts';

const IDLE_PATHS_MAX = 4096;

/** What becomes of objects that are on a device when their layer changes its mind (offload-control.ts). */
export interface PathControl {
  relink(path: Path): void;
  invalidate(object: Path | Neighbor): void;
  takeBack(object: Path | Neighbor): void;
}

export class PathTable {
  readonly routes = new RoutingTable();
  readonly #framing: Framing;
  readonly #byDestination = new Map<number, Path>();
  readonly #paths: Path[] = [];
  readonly #freeIndexes: number[] = [];
  /** A cached value of a path changed, which a device may have (path-offload.ts). */
  readonly #changed: (path: Path) => void;
  #idle = 0;
  control: PathControl | null = null;
  redirects = 0;

  constructor(framing: Framing, changed: (path: Path) => void) {
    this.#framing = framing;
    this.#changed = changed;
  }

  [Symbol.iterator](): Iterator<Path> {
    return this.#byDestination.values();
  }

  at(index: number): Path {
    return this.#paths[index]!;
  }

  /** The path to a destination, referenced by the caller until `release`; null when there is no route. */
  acquire(destination: number, iface: Interface | null): Path | null {
    const route = this.routes.find(destination, iface);
    if (route === undefined) return null;
    const key = keyOf(route.iface, destination);
    let path = this.#byDestination.get(key);
    if (path === undefined) {
      const hop = route.gateway === 0 ? destination : route.gateway;
      const index = this.#freeIndexes.pop() ?? this.#paths.length;
      path = new Path(index, route.iface, destination, this.#framing.neighbors.for(route.iface, hop));
      this.#paths[index] = path;
      this.#byDestination.set(key, path);
    } else if (path.references === 0) {
      this.#idle--;
    }
    path.references++;
    return path;
  }

  release(path: Path): void {
    if (--path.references === 0) this.#idle++;
    if (this.#idle > IDLE_PATHS_MAX) this.#forgetIdle();
  }

  /** The route cache is bounded: idle paths go, those a device still holds stay. */
  #forgetIdle(): void {
    for (const [key, path] of this.#byDestination) {
      if (path.references > 0 || path.offloadState !== OffloadState.InHost) continue;
      this.#byDestination.delete(key);
      this.#freeIndexes.push(path.index);
      this.#idle--;
    }
  }

  /** "Fragmentation needed" (RFC 1191): false when it is no news. */
  lowerMtu(path: Path, mtu: number): boolean {
    if (mtu >= path.mtu) return false;
    path.mtu = mtu;
    this.#changed(path);
    return true;
  }

  /** ICMP redirect (RFC 1122 3.2.2.2): only from the hop that is used now, only to one that is on the link. */
  redirect(iface: Interface, from: number, destination: number, gateway: number): void {
    const path = this.#byDestination.get(keyOf(iface, destination));
    if (path === undefined || path.neighbor.address !== from || from === destination) return;
    if (!iface.isLocal(gateway) || gateway === iface.address || gateway === iface.broadcast) return;
    this.redirects++;
    this.changeNextHop(path, gateway);
  }

  /** What goes to this destination goes through `gateway` from now on, also what a device sends (R8, R9). */
  changeNextHop(path: Path, gateway: number): void {
    const neighbor = this.#framing.neighbors.for(path.iface, gateway);
    if (path.neighbor === neighbor) return;
    path.neighbor = neighbor;
    this.#framing.neighbors.resolve(neighbor);
    this.control?.relink(path);
  }

  /** Replaces the gateway of a route: every path that is routed by it follows. False: there is no such route. */
  changeRoute(prefix: number, prefixLength: number, iface: Interface, gateway: number): boolean {
    if (!this.routes.change(prefix, prefixLength, iface, gateway)) return false;
    for (const path of this) {
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
      const route = this.routes.find(path.destination, path.iface);
      if (route === undefined) this.control?.invalidate(path);
      else this.changeNextHop(path, route.gateway === 0 ? path.destination : route.gateway);
    }
  }
}
