/**
 * The IPv6 half of the Network layer: its parts, composed, and their clock. An interface speaks IPv6 once `enable` was
 * called for it; a host on which it never was pays nothing.
 *
 *   input ─► ICMPv6 ─► neighbor discovery, router discovery        output
 *     └────► Transport                                               ▲
 *                      routes ◄── paths (path-table.ts) ─────────────┘
 */
import type { EventLog } from '../base/event-log.ts';
import { assert } from '../base/assert.ts';
import type { Prng } from '../base/prng.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory, Region } from '../memory/memory.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { maskIpv6 } from '../wire/ipv6-address.ts';
import { parseIpv6Address } from '../wire/ipv6-text.ts';
import { RoutePreference } from '../wire/nd.ts';
import { type AddressWatcher, DuplicateDetection } from './duplicate-detection.ts';
import type { Framing, Ipv6Link } from './framing.ts';
import { HostIcmpv6 } from './host-icmpv6.ts';
import type { Interface } from './interface.ts';
import { Ipv6Input } from './ipv6-input.ts';
import { AddressState, FOREVER, Ipv6Interface, type OwnAddress } from './ipv6-interface.ts';
import { Ipv6Output } from './ipv6-output.ts';
import { Ipv6Routes } from './ipv6-routes.ts';
import { type Neighbor, Reachability } from './neighbor.ts';
import { NeighborDiscovery } from './neighbor-discovery.ts';
import type { NetworkErrors, TransportInput } from './network.ts';
import type { PathTable } from './path-table.ts';
import { NO_METRICS, type RouteMetrics } from './route-metrics.ts';
import { RouterDiscovery, type RouterWatcher } from './router-discovery.ts';

/** RFC 4862 5.1, DupAddrDetectTransmits. */
export const DUPLICATE_PROBES = 1;
/** RFC 4862 5.4.2: MAX_RTR_SOLICITATION_DELAY. */
const PROBE_DELAY = 1000;
const LINK_LOCAL_PREFIX = parseIpv6Address('fe80::')!;

export interface Ipv6Options {
  /** Times that the link is asked whether an address is taken; 0: never. */
  readonly duplicateProbes: number;
  /** Routers may give the interface addresses and routes. */
  readonly autoconfigure: boolean;
}

export class Ipv6 implements Ipv6Link, AddressWatcher, RouterWatcher {
  readonly interfaces: Ipv6Interface[] = [];
  readonly routes: Ipv6Routes;
  readonly output: Ipv6Output;
  readonly input: Ipv6Input;
  readonly icmp: HostIcmpv6;
  readonly neighbors: NeighborDiscovery;
  readonly routers: RouterDiscovery;
  readonly #table: AddressTable;
  readonly #paths: PathTable;
  readonly #prng: Prng;
  readonly #duplicates: DuplicateDetection;
  /** Who looks after neighbors that something is sent to (reachability.ts). */
  watched: ((neighbor: Neighbor) => void) | null = null;
  log: EventLog | null = null;
  /** Milliseconds since the start. */
  #clock = 0;
  #errors: NetworkErrors | null = null;
  #now = 0;
  #dueAt = Infinity;
  readonly #waiting: (() => void)[] = [];

  constructor(
    memory: Memory,
    table: AddressTable,
    framing: Framing,
    tx: BufferPool,
    paths: PathTable,
    room: Region,
    prng: Prng,
  ) {
    this.#table = table;
    this.#paths = paths;
    this.#prng = prng;
    const { neighbors } = framing;
    this.routes = new Ipv6Routes(table, (iface, gateway) => {
      return neighbors.find(iface, gateway)?.reachability === Reachability.Failed;
    });
    this.output = new Ipv6Output(memory, table, framing, tx, prng.int32());
    this.#duplicates = new DuplicateDetection(memory, table, this.output, this);
    this.routers = new RouterDiscovery(memory, table, this.routes, neighbors, this.output, prng, this);
    this.neighbors = new NeighborDiscovery(
      memory,
      table,
      neighbors,
      this.output,
      this.#duplicates,
      paths,
      (on, router) => this.routers.left(on, router),
    );
    this.icmp = new HostIcmpv6(memory, table, paths, this.output, this.neighbors, this.routers);
    this.input = new Ipv6Input(memory, table, this.icmp, room);
  }

  // --- configuration ---

  /** The interface speaks IPv6 from now on; its link-local address is on its way. */
  enable(iface: Interface, options: Ipv6Options): Ipv6Interface {
    assert(iface.ipv6 === null, 'IPv6 is enabled once');
    const on = new Ipv6Interface(iface, this.#table, options.duplicateProbes, options.autoconfigure);
    iface.ipv6 = on;
    this.interfaces.push(on);
    this.routes.add(LINK_LOCAL_PREFIX, 64, 0, iface, 'static', FOREVER);
    this.#check(on, on.addLinkLocal());
    return on;
  }

  /** An address of the administrator's. False: the interface has it, or has no room for it. */
  addAddress(on: Ipv6Interface, words: Readonly<Int32Array>, prefixLength: number): boolean {
    const address = on.add(words, prefixLength, 'manual');
    if (address === undefined) return false;
    const prefix = Int32Array.from(words);
    maskIpv6(prefix, prefixLength);
    this.routes.add(prefix, prefixLength, 0, on.iface, 'static', FOREVER);
    this.#check(on, address);
    return true;
  }

  /** A static route; `gateway` is four words, or null for a destination on the link. */
  addRoute(
    words: Readonly<Int32Array>,
    prefixLength: number,
    gateway: Readonly<Int32Array> | null,
    iface: Interface,
    metrics: RouteMetrics = NO_METRICS,
  ): void {
    const number = gateway === null ? 0 : this.#table.internWords(gateway);
    this.routes.add(words, prefixLength, number, iface, 'static', FOREVER, RoutePreference.Medium, metrics);
    // The route has a reference of its own.
    this.#table.release(number);
    this.#paths.reroute();
  }

  /** Another one of the administrator's in the place of that for the prefix. False: there is none. */
  changeRoute(
    words: Readonly<Int32Array>,
    prefixLength: number,
    gateway: Readonly<Int32Array> | null,
    iface: Interface,
    metrics: RouteMetrics,
  ): boolean {
    const before = this.routes.staticRoute(words, prefixLength, iface);
    if (before === undefined) return false;
    this.routes.remove(before);
    this.addRoute(words, prefixLength, gateway, iface, metrics);
    return true;
  }

  #check(on: Ipv6Interface, address: OwnAddress): void {
    this.#duplicates.begin(on, address, this.#clock, this.#prng.below(PROBE_DELAY));
    this.#dueAt = 0;
  }

  /** Every address is usable, or known not to be. */
  get isSettled(): boolean {
    return this.interfaces.every(on => on.addresses.every(({ state }) => state !== AddressState.Tentative));
  }

  /** Calls back once that is so, at once if it is. */
  whenSettled(settled: () => void): void {
    if (this.isSettled) settled();
    else this.#waiting.push(settled);
  }

  #tellSettled(): void {
    if (this.#waiting.length === 0 || !this.isSettled) return;
    for (const settled of this.#waiting.splice(0)) settled();
  }

  // --- time ---

  /** Ticks wrap, lifetimes do not. */
  set now(now: number) {
    this.#clock += (now - this.#now) >>> 0;
    this.#now = now;
    this.routers.clock = this.#clock;
    this.icmp.now = now;
    this.input.reassembler.now = now;
  }

  expire(): number {
    if (this.interfaces.length === 0) return 0;
    let work = this.input.reassembler.expire();
    if (this.#dueAt > this.#clock) return work;
    for (const on of this.interfaces) work += this.#duplicates.step(on, this.#clock);
    work += this.routers.step() + this.routers.expire(this.interfaces);
    this.#schedule();
    return work;
  }

  #schedule(): void {
    this.#dueAt = this.routers.dueAt(this.interfaces);
    for (const on of this.interfaces) this.#dueAt = Math.min(this.#dueAt, this.#duplicates.dueAt(on));
  }

  ticksUntilNext(): number {
    if (this.interfaces.length === 0) return -1;
    const fragments = this.input.reassembler.ticksUntilNext();
    if (this.#dueAt === Infinity) return fragments;
    const ticks = Math.min(0x7fffffff, Math.max(0, Math.ceil(this.#dueAt - this.#clock)));
    return fragments >= 0 && fragments < ticks ? fragments : ticks;
  }

  set errors(errors: NetworkErrors) {
    this.#errors = errors;
    this.icmp.errors = errors;
  }

  set transport(transport: TransportInput) {
    this.input.transport = transport;
  }

  // --- Ipv6Link ---

  receive(iface: Interface, buffer: number, at: number, end: number, linkGroup: boolean): boolean {
    return iface.ipv6 !== null && this.input.receive(iface.ipv6, buffer, at, end, linkGroup);
  }

  solicit(neighbor: Neighbor): void {
    this.neighbors.solicit(neighbor);
  }

  probe(neighbor: Neighbor): void {
    this.neighbors.probe(neighbor);
  }

  used(neighbor: Neighbor): void {
    this.watched?.(neighbor);
  }

  announce(iface: Interface): void {
    if (iface.ipv6 !== null) this.neighbors.announce(iface.ipv6);
  }

  // --- AddressWatcher, RouterWatcher ---

  assigned(on: Ipv6Interface, address: OwnAddress): void {
    if (address.origin === 'link-local') this.routers.begin(on);
    this.#dueAt = 0;
    this.#tellSettled();
  }

  duplicate(on: Ipv6Interface, { number }: OwnAddress): void {
    this.log?.emit('address-conflict', on.iface.adapter.name, this.#table.format(number));
    this.#tellSettled();
  }

  formed(on: Ipv6Interface, address: OwnAddress): void {
    this.#check(on, address);
  }

  routesChanged(): void {
    this.#dueAt = 0;
    this.#paths.reroute();
  }

  linkMtuChanged(on: Ipv6Interface): void {
    for (const path of this.#paths) {
      if (!path.isIpv6 || path.iface !== on.iface) continue;
      if (this.#paths.linkMtuChanged(path, on.linkMtu)) this.#errors!.pathMtuChanged(path);
    }
  }

  expired(on: Ipv6Interface, { number }: OwnAddress): void {
    this.#paths.sourceGone(on.iface, number);
  }
}
