/**
 * Router discovery and stateless address autoconfiguration (RFC 4861 6.3, RFC 4862 5.5, RFC 7559): asks for routers, and
 * takes from their advertisements default and other routes (RFC 4191), prefixes of the link, parameters, and addresses.
 *
 * DEVIATION RFC 4861 6.3.4: the managed and other flags are not looked at, because there is no DHCPv6 here to turn to.
 */
import type { Prng } from '../base/prng.ts';
import type { Memory } from '../memory/memory.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { ALL_ROUTERS, isLinkLocalWord, isMulticastWord, MULTICAST_MAC_HI } from '../wire/ipv6-address.ts';
import { maskIpv6, putInterfaceIdentifier } from '../wire/ipv6-address.ts';
import { type Ipv6Header, IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import {
  emitRouterSolicitation,
  hasSourceMac,
  ND_HOP_LIMIT,
  type NdMessage,
  PREFIX,
  preferenceOf,
  PrefixFlag,
  ROUTE,
  RoutePreference,
} from '../wire/nd.ts';
import { AddressState, FOREVER, type Ipv6Interface, type OwnAddress } from './ipv6-interface.ts';
import type { Ipv6Output } from './ipv6-output.ts';
import type { Ipv6Routes, Route6 } from './ipv6-routes.ts';
import type { NeighborTable } from './neighbor-table.ts';

/** MAX_RTR_SOLICITATION_DELAY of RFC 4861 10; IRT and MRT of RFC 7559 2.1. */
const SOLICITATION_DELAY = 1000;
const SOLICITATION_FIRST = 4000;
const SOLICITATION_LAST = 3_600_000;
/** RFC 4861 6.3.2, 10: MIN_RANDOM_FACTOR, MAX_RANDOM_FACTOR; RFC 4861 6.2.1: the largest time a router may say. */
const REACHABLE_RANDOM_MIN = 0.5;
const REACHABLE_TIME_MAX = 3_600_000;
/** Of RetransTimer RFC 4861 says nothing; but whatever waits for an address waits three times as long. */
const RETRANS_TIMER_MAX = 10_000;
/** RFC 4862 5.5.3 (e): nobody who forges an advertisement can end an address sooner. */
const VALID_TIME_KEPT = 7_200_000;
const INFINITE = 0xffffffff;
const INTERFACE_IDENTIFIER_BITS = 64;

interface Solicitations {
  dueAt: number;
  /** How long the last one waited; 0: none was sent. */
  interval: number;
}

/** What has to be done elsewhere when a router has said something new. */
export interface RouterWatcher {
  /** An address was formed, and is to be checked. */
  formed(on: Ipv6Interface, address: OwnAddress): void;
  /** Routes came or went: paths may have another next hop. */
  routesChanged(): void;
  linkMtuChanged(on: Ipv6Interface): void;
  /** An address's time is up. */
  expired(on: Ipv6Interface, address: OwnAddress): void;
}

export class RouterDiscovery {
  readonly #memory: Memory;
  readonly #table: AddressTable;
  readonly #routes: Ipv6Routes;
  readonly #neighbors: NeighborTable;
  readonly #output: Ipv6Output;
  readonly #prng: Prng;
  readonly #watcher: RouterWatcher;
  readonly #asking = new Map<Ipv6Interface, Solicitations>();
  clock = 0;
  solicitationsSent = 0;
  advertisementsReceived = 0;

  constructor(
    memory: Memory,
    table: AddressTable,
    routes: Ipv6Routes,
    neighbors: NeighborTable,
    output: Ipv6Output,
    prng: Prng,
    watcher: RouterWatcher,
  ) {
    this.#memory = memory;
    this.#table = table;
    this.#routes = routes;
    this.#neighbors = neighbors;
    this.#output = output;
    this.#prng = prng;
    this.#watcher = watcher;
  }

  // --- solicitations ---

  /** The link-local address can be used: routers are asked for. */
  begin(on: Ipv6Interface): void {
    if (on.autoconfigures) this.#asking.set(on, { dueAt: this.clock + this.#random(SOLICITATION_DELAY), interval: 0 });
  }

  step(): number {
    let work = 0;
    for (const [on, asking] of this.#asking) {
      if (asking.dueAt > this.clock) continue;
      work++;
      this.#solicit(on);
      // RFC 7559 2.1, RFC 8415 15: doubled, with a tenth of chance, to the limit.
      const chance = 0.9 + this.#prng.below(201) / 1000;
      const next = asking.interval === 0 ? SOLICITATION_FIRST * chance : asking.interval * (1 + chance);
      asking.interval = Math.min(next, SOLICITATION_LAST * chance);
      asking.dueAt = this.clock + asking.interval;
    }
    return work;
  }

  #solicit(on: Ipv6Interface): void {
    const own = on.addresses.find(address => address.origin === 'link-local' && address.isAssigned);
    if (own === undefined) return;
    this.solicitationsSent++;
    const { macHi, macLo } = on.iface.adapter;
    const { view } = this.#memory;
    const { words } = this.#table;
    const from = this.#table.indexOf(own.number);
    const group = ALL_ROUTERS;
    this.#output.sendDirect(on.iface, MULTICAST_MAC_HI, group[3]!, words, from, group, 0, ND_HOP_LIMIT, at =>
      emitRouterSolicitation(view, at, macHi, macLo),
    );
  }

  // --- advertisements ---

  /** RFC 4861 6.1.2, 6.3.4. */
  advertised(on: Ipv6Interface, ip: Ipv6Header, message: NdMessage): void {
    const { view } = this.#memory;
    if (!on.autoconfigures || !isLinkLocalWord(view.getInt32(ip.sourceAt))) return;
    const router = this.#table.intern(view, ip.sourceAt);
    if (router === 0) return;
    this.advertisementsReceived++;
    // RFC 7559 2: an advertisement of a default router ends the asking.
    if (message.routerLifetime > 0) this.#asking.delete(on);
    this.#takeParameters(on, message);
    if (hasSourceMac(message)) {
      const neighbor = this.#neighbors.for(on.iface, router);
      this.#neighbors.learn(neighbor, message.sourceMacHi, message.sourceMacLo, false);
      neighbor.isRouter = true;
    }
    const until = message.routerLifetime === 0 ? 0 : this.#until(message.routerLifetime);
    let isNew = this.#takeRoute(on, DEFAULT_PREFIX, 0, router, until, message.preference);
    // RFC 4191 3.1: what is said of ::/0 in an option counts.
    for (let i = 0; i < message.routeCount; i++) isNew = this.#takeOption(on, router, message.routeAt[i]!) || isNew;
    for (let i = 0; i < message.prefixCount; i++) isNew = this.#takePrefix(on, message.prefixAt[i]!) || isNew;
    this.#table.release(router);
    if (isNew) this.#watcher.routesChanged();
  }

  #takeParameters(on: Ipv6Interface, message: NdMessage): void {
    if (message.curHopLimit !== 0) on.hopLimit = message.curHopLimit;
    if (message.retransTimer !== 0) on.retransTimer = Math.min(message.retransTimer, RETRANS_TIMER_MAX);
    const { reachableTime, mtu } = message;
    if (reachableTime !== 0 && reachableTime !== on.baseReachableTime && reachableTime <= REACHABLE_TIME_MAX) {
      on.baseReachableTime = reachableTime;
      on.reachableTime = reachableTime * (REACHABLE_RANDOM_MIN + this.#prng.below(1001) / 1000);
    }
    // RFC 4861 6.3.4: what the link cannot carry, or no link may refuse, is ignored.
    if (mtu < IPV6_MINIMUM_MTU || mtu > on.iface.adapter.mtu || mtu === on.linkMtu) return;
    on.linkMtu = mtu;
    this.#watcher.linkMtuChanged(on);
  }

  /** RFC 4191 3.1. */
  #takeOption(on: Ipv6Interface, router: number, at: number): boolean {
    const { view } = this.#memory;
    const length = view.getUint8(at + ROUTE.length);
    const words = new Int32Array(4);
    for (let i = 0; i * 32 < length; i++) words[i] = view.getInt32(at + ROUTE.prefix + 4 * i);
    maskIpv6(words, length);
    if (isLinkLocalWord(words[0]!) || isMulticastWord(words[0]!)) return false;
    const lifetime = view.getUint32(at + ROUTE.lifetime);
    const preference = preferenceOf(view.getUint8(at + ROUTE.flags));
    return this.#takeRoute(on, words, length, router, lifetime === 0 ? 0 : this.#until(lifetime), preference);
  }

  /** Adds, prolongs or (until 0) takes away a route of a router's; true when packets may go elsewhere now. */
  #takeRoute(
    on: Ipv6Interface,
    words: Readonly<Int32Array>,
    length: number,
    gateway: number,
    until: number,
    preference: RoutePreference = RoutePreference.Medium,
  ): boolean {
    const known = this.#routes.find(words, length, gateway, on.iface);
    if (known === undefined) {
      return until > 0 && this.#routes.add(words, length, gateway, on.iface, 'router', until, preference);
    }
    // What the administrator has said stays.
    if (known.origin === 'static') return false;
    if (until === 0) {
      this.#routes.remove(known);
      return true;
    }
    known.validUntil = until;
    if (known.preference === preference) return false;
    this.#routes.prefer(known, preference);
    return true;
  }

  /** RFC 4861 6.3.4, RFC 4862 5.5.3. True when a route came or went. */
  #takePrefix(on: Ipv6Interface, at: number): boolean {
    const { view } = this.#memory;
    const length = view.getUint8(at + PREFIX.length);
    const flags = view.getUint8(at + PREFIX.flags);
    const words = Int32Array.from({ length: 4 }, (_, i) => view.getInt32(at + PREFIX.address + 4 * i));
    if (length > 128 || isLinkLocalWord(words[0]!) || isMulticastWord(words[0]!)) return false;
    maskIpv6(words, length);
    const valid = view.getUint32(at + PREFIX.validLifetime);
    const preferred = view.getUint32(at + PREFIX.preferredLifetime);
    if ((flags & PrefixFlag.Autonomous) !== 0) this.#takeAddress(on, words, length, valid, preferred);
    if ((flags & PrefixFlag.OnLink) === 0) return false;
    return this.#takeRoute(on, words, length, 0, valid === 0 ? 0 : this.#until(valid));
  }

  /** RFC 4862 5.5.3: forms an address of a prefix, or lets one live longer — or shorter, but not at once. */
  #takeAddress(on: Ipv6Interface, prefix: Int32Array, length: number, valid: number, preferred: number): void {
    if (preferred > valid || length !== INTERFACE_IDENTIFIER_BITS) return;
    const words = prefix.slice();
    const { macHi, macLo } = on.iface.adapter;
    putInterfaceIdentifier(words, macHi, macLo);
    const known = on.find(this.#table.findWords(words));
    if (known === undefined) {
      const formed = valid === 0 ? undefined : on.add(words, length, 'router');
      if (formed === undefined) return;
      formed.validUntil = this.#until(valid);
      formed.preferredUntil = this.#until(preferred);
      this.#watcher.formed(on, formed);
      return;
    }
    if (known.origin !== 'router') return;
    const left = known.validUntil - this.clock;
    const until = this.#until(valid);
    if (until - this.clock > VALID_TIME_KEPT || until > known.validUntil) known.validUntil = until;
    else if (left > VALID_TIME_KEPT) known.validUntil = this.clock + VALID_TIME_KEPT;
    known.preferredUntil = this.#until(preferred);
    this.#age(known);
  }

  #age(address: OwnAddress): void {
    if (!address.isAssigned) return;
    address.state = address.preferredUntil > this.clock ? AddressState.Preferred : AddressState.Deprecated;
  }

  // --- time ---

  /** What has come to its end: routes, and addresses of an interface; returns how much. */
  expire(interfaces: readonly Ipv6Interface[]): number {
    let work = 0;
    const overdue: Route6[] = [...this.#routes].filter(({ validUntil }) => validUntil <= this.clock);
    for (const route of overdue) this.#routes.remove(route);
    for (const on of interfaces) {
      for (const address of on.addresses.slice()) {
        if (address.state === AddressState.Preferred && address.preferredUntil <= this.clock) {
          this.#age(address);
          work++;
        }
        if (address.validUntil > this.clock) continue;
        work++;
        this.#watcher.expired(on, address);
        on.remove(address);
      }
    }
    if (overdue.length > 0) this.#watcher.routesChanged();
    return work + overdue.length;
  }

  /** When `step` or `expire` has something to do. */
  dueAt(interfaces: readonly Ipv6Interface[]): number {
    let due = Infinity;
    for (const { dueAt } of this.#asking.values()) due = Math.min(due, dueAt);
    for (const { validUntil } of this.#routes) due = Math.min(due, validUntil);
    for (const on of interfaces) {
      for (const { state, preferredUntil, validUntil } of on.addresses) {
        due = Math.min(due, validUntil);
        if (state === AddressState.Preferred) due = Math.min(due, preferredUntil);
      }
    }
    return due;
  }

  /** A router says of itself that it is one no more (RFC 4861 7.2.5): nothing goes through it. */
  left(on: Ipv6Interface, router: number): void {
    const gone = [...this.#routes].filter(
      ({ gateway, iface, origin }) => gateway === router && iface === on.iface && origin === 'router',
    );
    for (const route of gone) this.#routes.remove(route);
    if (gone.length > 0) this.#watcher.routesChanged();
  }

  #until(seconds: number): number {
    return seconds === INFINITE ? FOREVER : this.clock + seconds * 1000;
  }

  #random(below: number): number {
    return this.#prng.below(below);
  }
}

const DEFAULT_PREFIX = new Int32Array(4);
