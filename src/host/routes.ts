/**
 * The routing table: longest prefix first (RFC 1812 5.2.4.3), then in the order in which routes were given: several default
 * gateways are a list of which the first is preferred. A handful of routes, looked up once a path.
 *
 * A gateway of 0 says that the destination is on the link. Paths cache the answer (path.ts).
 */
import { prefixMask } from '../wire/ipv4.ts';
import type { Interface } from './interface.ts';
import { NO_METRICS, type RouteMetrics } from './route-metrics.ts';

interface Route {
  readonly prefix: number;
  readonly mask: number;
  readonly prefixLength: number;
  /** 0: the destination is on the link. */
  gateway: number;
  readonly iface: Interface;
  metrics: RouteMetrics;
}

export class RoutingTable {
  /** Nobody answers at the gateway's address. */
  isDead: (iface: Interface, gateway: number) => boolean = () => false;
  readonly #routes: Route[] = [];

  add(prefix: number, prefixLength: number, gateway: number, iface: Interface, metrics = NO_METRICS): void {
    const mask = prefixMask(prefixLength);
    this.#routes.push({ prefix: prefix & mask, mask, prefixLength, gateway, iface, metrics });
    this.#routes.sort((a, b) => b.prefixLength - a.prefixLength);
  }

  has(prefix: number, prefixLength: number, iface: Interface): boolean {
    return this.#indexOf(prefix, prefixLength, iface) >= 0;
  }

  /** False: there is no such route. Without metrics it keeps those that it has. */
  change(prefix: number, prefixLength: number, iface: Interface, gateway: number, metrics?: RouteMetrics): boolean {
    const route = this.#routes[this.#indexOf(prefix, prefixLength, iface)];
    if (route === undefined) return false;
    route.gateway = gateway;
    if (metrics !== undefined) route.metrics = metrics;
    return true;
  }

  remove(prefix: number, prefixLength: number, iface: Interface): boolean {
    const index = this.#indexOf(prefix, prefixLength, iface);
    if (index >= 0) this.#routes.splice(index, 1);
    return index >= 0;
  }

  #indexOf(prefix: number, prefixLength: number, iface: Interface): number {
    return this.#routes.findIndex(
      route => route.prefix === (prefix & route.mask) && route.prefixLength === prefixLength && route.iface === iface,
    );
  }

  /**
   * The route, or undefined: network unreachable. Of several gateways for the same prefix the first that answers, as far as
   * anybody knows (RFC 1122 3.3.1.4, 3.3.1.5); if none does, the first.
   */
  find(destination: number, iface: Interface | null): Route | undefined {
    let best: Route | undefined;
    for (let i = 0; i < this.#routes.length; i++) {
      const route = this.#routes[i]!;
      if ((destination & route.mask) !== route.prefix || (iface !== null && route.iface !== iface)) continue;
      if (best !== undefined && route.prefixLength < best.prefixLength) break;
      if (route.gateway === 0 || !this.isDead(route.iface, route.gateway)) return route;
      best ??= route;
    }
    return best;
  }
}
