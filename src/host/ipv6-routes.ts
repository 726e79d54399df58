/**
 * The IPv6 routing table of a host: on-link prefixes, static routes, and the default router list (RFC 4861 5.1, 5.2).
 *
 * Routes whose neighbor is not known to be unreachable come first (RFC 4861 6.3.6), then those with the longest prefix, then
 * those that their router prefers (RFC 4191 3.2). Paths cache the answer (path-table.ts).
 */
import type { AddressTable } from '../wire/address-table.ts';
import { commonPrefixLength, maskIpv6 } from '../wire/ipv6-address.ts';
import { RoutePreference } from '../wire/nd.ts';
import type { Interface } from './interface.ts';
import { NO_METRICS, type RouteMetrics } from './route-metrics.ts';

/** Where a route is from: only those of routers have lifetimes, and only they are a router's to take back. */
export type RouteOrigin = 'static' | 'router';

export interface Route6 {
  readonly prefix: Int32Array;
  readonly prefixLength: number;
  /** Number of the gateway, with a reference; 0: the destination is on the link. */
  readonly gateway: number;
  readonly iface: Interface;
  readonly origin: RouteOrigin;
  /** Milliseconds of the host's clock that does not wrap. */
  validUntil: number;
  preference: RoutePreference;
  readonly metrics: RouteMetrics;
}

/** Routes of one host; routers could announce any number. */
const ROUTES_MAX = 256;

export class Ipv6Routes {
  readonly #addresses: AddressTable;
  readonly #routes: Route6[] = [];
  /** Has the gateway's neighbor turned out to be unreachable? */
  readonly #isDead: (iface: Interface, gateway: number) => boolean;

  constructor(addresses: AddressTable, isDead: (iface: Interface, gateway: number) => boolean) {
    this.#addresses = addresses;
    this.#isDead = isDead;
  }

  [Symbol.iterator](): Iterator<Route6> {
    return this.#routes.values();
  }

  /** False: there is one already, or there is no room. */
  add(
    words: Readonly<Int32Array>,
    prefixLength: number,
    gateway: number,
    iface: Interface,
    origin: RouteOrigin,
    validUntil: number,
    preference: RoutePreference = RoutePreference.Medium,
    metrics: RouteMetrics = NO_METRICS,
  ): boolean {
    if (this.#routes.length >= ROUTES_MAX || this.find(words, prefixLength, gateway, iface) !== undefined) return false;
    const prefix = Int32Array.from(words);
    maskIpv6(prefix, prefixLength);
    this.#addresses.retain(gateway);
    this.#routes.push({ prefix, prefixLength, gateway, iface, origin, validUntil, preference, metrics });
    this.#sort();
    return true;
  }

  prefer(route: Route6, preference: RoutePreference): void {
    route.preference = preference;
    this.#sort();
  }

  #sort(): void {
    this.#routes.sort((a, b) => b.prefixLength - a.prefixLength || b.preference - a.preference);
  }

  find(words: Readonly<Int32Array>, prefixLength: number, gateway: number, iface: Interface): Route6 | undefined {
    return this.#routes.find(
      route =>
        route.prefixLength === prefixLength &&
        route.gateway === gateway &&
        route.iface === iface &&
        commonPrefixLength(route.prefix, 0, words, 0) >= prefixLength,
    );
  }

  /** The administrator's, whatever its gateway. */
  staticRoute(words: Readonly<Int32Array>, prefixLength: number, iface: Interface): Route6 | undefined {
    return this.#routes.find(
      route =>
        route.origin === 'static' &&
        route.prefixLength === prefixLength &&
        route.iface === iface &&
        commonPrefixLength(route.prefix, 0, words, 0) >= prefixLength,
    );
  }

  remove(route: Route6): void {
    this.#routes.splice(this.#routes.indexOf(route), 1);
    this.#addresses.release(route.gateway);
  }

  /** RFC 4861 5.2, RFC 4191 3.2: next-hop determination. Undefined: no route to the destination. */
  lookup(destination: number, iface: Interface | null): Route6 | undefined {
    const { words } = this.#addresses;
    const at = this.#addresses.indexOf(destination);
    let found: Route6 | undefined;
    for (let i = 0; i < this.#routes.length; i++) {
      const route = this.#routes[i]!;
      if (iface !== null && route.iface !== iface) continue;
      if (commonPrefixLength(words, at, route.prefix, 0) < route.prefixLength) continue;
      if (route.gateway === 0 || !this.#isDead(route.iface, route.gateway)) return route;
      found ??= route;
    }
    return found;
  }
}
