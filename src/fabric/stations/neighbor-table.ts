/**
 * The neighbors of a population's groups: address resolution by RFC 826, kept current by announcements (RFC 5227 3), and
 * by RFC 4861 7.2 alike, which IPv6 has for both.
 *
 * The stations of a group share one cache, since the broadcasts that fill it reach them all alike. Once resolved, an entry
 * stays in use; but it is asked for again when it is old, and when a connection retransmits for the second time (RFC 1122
 * 2.3.2.1: out-of-date entries). Connections wait for an unresolved entry in the lists of station-connections.ts; after
 * REQUESTS_MAX unanswered requests, one a second, they are told.
 */
import { seqGeq, seqLt } from '../../base/seq.ts';
import type { Memory } from '../../memory/memory.ts';
import { type AddressTable, isIpv6 } from '../../wire/address-table.ts';
import { ArpOperation } from '../../wire/arp.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO } from '../../wire/ethernet.ts';
import { IPV6_ADDRESS_WORDS, MULTICAST_MAC_HI, solicitedNodeOf } from '../../wire/ipv6-address.ts';
import { emitNeighborSolicitation } from '../../wire/nd.ts';
import type { StationCounters } from './station-counters.ts';
import type { StationGroup } from './station-group.ts';
import type { StationLink } from './station-link.ts';

const NONE = -1;
const REQUEST_INTERVAL_TICKS = 1000;
export const REQUESTS_MAX = 3;
/** An answer older than this is asked for again. */
const REFRESH_TICKS = 30_000;

const NeighborState = { Idle: 0, Incomplete: 1, Reachable: 2 } as const;

export interface NeighborWatcher {
  neighborResolved(neighbor: number): void;
  /** Nobody answered; whoever waits should give up. */
  neighborFailed(neighbor: number): void;
}

export class NeighborTable {
  readonly capacity: number;
  readonly macHi: Int32Array;
  readonly macLo: Int32Array;
  readonly #groups: readonly StationGroup[];
  readonly #addresses: AddressTable;
  readonly #view: DataView;
  readonly #link: StationLink;
  readonly #counters: StationCounters;
  readonly #address: Int32Array;
  readonly #group: Int32Array;
  readonly #state: Uint8Array;
  readonly #requests: Uint8Array;
  readonly #askedAt: Int32Array;
  readonly #heardAt: Int32Array;
  /** On whose behalf the neighbor is asked for. */
  readonly #asker: Int32Array;
  readonly #hashNext: Int32Array;
  readonly #buckets: Int32Array;
  #count = 0;
  #incomplete = 0;
  #dueAt = 0;

  constructor(
    capacity: number,
    groups: readonly StationGroup[],
    memory: Memory,
    addresses: AddressTable,
    link: StationLink,
    counters: StationCounters,
  ) {
    this.capacity = capacity;
    this.macHi = new Int32Array(capacity);
    this.macLo = new Int32Array(capacity);
    this.#groups = groups;
    this.#addresses = addresses;
    this.#view = memory.view;
    this.#link = link;
    this.#counters = counters;
    this.#address = new Int32Array(capacity);
    this.#group = new Int32Array(capacity);
    this.#state = new Uint8Array(capacity);
    this.#requests = new Uint8Array(capacity);
    this.#askedAt = new Int32Array(capacity);
    this.#heardAt = new Int32Array(capacity);
    this.#asker = new Int32Array(capacity);
    this.#hashNext = new Int32Array(capacity).fill(NONE);
    let buckets = 16;
    while (buckets < capacity) buckets <<= 1;
    this.#buckets = new Int32Array(buckets).fill(NONE);
  }

  get count(): number {
    return this.#count;
  }

  groupOf(neighbor: number): StationGroup {
    return this.#groups[this.#group[neighbor]];
  }

  /** The entry of an address for a group, or -1. */
  find(group: StationGroup, address: number): number {
    let at = this.#buckets[this.#bucketOf(group.index, address)];
    while (at !== NONE && (this.#address[at] !== address || this.#group[at] !== group.index)) at = this.#hashNext[at];
    return at;
  }

  /** As `find`, made when there is none; -1 when the table is full. */
  entryFor(group: StationGroup, address: number): number {
    const found = this.find(group, address);
    if (found !== NONE || this.#count === this.capacity) return found;
    const entry = this.#count++;
    const bucket = this.#bucketOf(group.index, address);
    this.#addresses.retain(address);
    this.#address[entry] = address;
    this.#group[entry] = group.index;
    this.#hashNext[entry] = this.#buckets[bucket];
    this.#buckets[bucket] = entry;
    return entry;
  }

  isReachable(neighbor: number): boolean {
    return this.#state[neighbor] === NeighborState.Reachable;
  }

  /** Is there a MAC to send to? Asks when there is none, unless that is under way, and when it is old. */
  mayUse(neighbor: number, onBehalfOf: number, now: number): boolean {
    const state = this.#state[neighbor];
    if (state === NeighborState.Reachable) {
      if (((now - this.#heardAt[neighbor]) | 0) >= REFRESH_TICKS) this.doubt(neighbor, onBehalfOf, now);
      return true;
    }
    if (state === NeighborState.Incomplete) return false;
    this.#state[neighbor] = NeighborState.Incomplete;
    this.#requests[neighbor] = 0;
    this.#asker[neighbor] = onBehalfOf;
    this.#incomplete++;
    this.#ask(neighbor, now);
    return false;
  }

  /** Nothing comes back from this neighbor: asks again, at most once a second, and goes on using what is known. */
  doubt(neighbor: number, onBehalfOf: number, now: number): void {
    if (this.#state[neighbor] !== NeighborState.Reachable) return;
    if (((now - this.#askedAt[neighbor]) | 0) < REQUEST_INTERVAL_TICKS) return;
    this.#asker[neighbor] = onBehalfOf;
    this.#askedAt[neighbor] = now;
    if (this.#link.uplink.hasRoom) this.#request(neighbor);
  }

  /**
   * RFC 826: "If the pair <protocol type, sender protocol address> is already in my translation table, update the sender
   * hardware address field"; `isTarget` adds it.
   */
  learn(
    group: StationGroup,
    address: number,
    macHi: number,
    macLo: number,
    isTarget: boolean,
    now: number,
    watcher: NeighborWatcher,
  ): void {
    const entry = isTarget ? this.entryFor(group, address) : this.find(group, address);
    if (entry === NONE) return;
    const before = this.#state[entry];
    if (before === NeighborState.Reachable && (this.macHi[entry] !== macHi || this.macLo[entry] !== macLo)) {
      this.#counters.neighborsMoved++;
    }
    this.macHi[entry] = macHi;
    this.macLo[entry] = macLo;
    this.#state[entry] = NeighborState.Reachable;
    this.#heardAt[entry] = now;
    if (before !== NeighborState.Incomplete) return;
    this.#incomplete--;
    watcher.neighborResolved(entry);
  }

  /** Repeats what is due; gives up on who does not answer. Returns how many things it did. */
  step(now: number, watcher: NeighborWatcher): number {
    if (this.#incomplete === 0 || seqLt(now, this.#dueAt)) return 0;
    let did = 0;
    this.#dueAt = (now + REQUEST_INTERVAL_TICKS) | 0;
    for (let entry = 0; entry < this.#count; entry++) {
      if (this.#state[entry] !== NeighborState.Incomplete) continue;
      const dueAt = (this.#askedAt[entry] + REQUEST_INTERVAL_TICKS) | 0;
      if (this.#requests[entry] > 0 && seqLt(now, dueAt)) {
        if (seqLt(dueAt, this.#dueAt)) this.#dueAt = dueAt;
      } else {
        did++;
        this.#askOrGiveUp(entry, now, watcher);
      }
    }
    return did;
  }

  /** Ticks until a request is due, -1 for never. */
  ticksUntilNext(now: number): number {
    if (this.#incomplete === 0) return -1;
    return seqGeq(now, this.#dueAt) ? 0 : (this.#dueAt - now) | 0;
  }

  #askOrGiveUp(entry: number, now: number, watcher: NeighborWatcher): void {
    if (this.#requests[entry] < REQUESTS_MAX) {
      this.#ask(entry, now);
      return;
    }
    this.#state[entry] = NeighborState.Idle;
    this.#incomplete--;
    this.#counters.neighborsFailed++;
    watcher.neighborFailed(entry);
  }

  #ask(neighbor: number, now: number): void {
    this.#askedAt[neighbor] = now;
    // A request that found no room is repeated soon, and does not count.
    const hasRoom = this.#link.uplink.hasRoom;
    const dueAt = hasRoom ? (now + REQUEST_INTERVAL_TICKS) | 0 : (now + 1) | 0;
    if (this.#incomplete === 1 || seqLt(dueAt, this.#dueAt)) this.#dueAt = dueAt;
    if (!hasRoom) return;
    this.#requests[neighbor]++;
    this.#request(neighbor);
  }

  #request(neighbor: number): void {
    const group = this.groupOf(neighbor);
    const sender = group.linkAddressOf(this.#asker[neighbor]);
    const address = this.#address[neighbor];
    if (isIpv6(address)) {
      this.#solicit(group, sender, address);
      return;
    }
    this.#counters.arpRequestsOut++;
    this.#link.sendArp(
      ArpOperation.Request,
      BROADCAST_MAC_HI,
      BROADCAST_MAC_LO,
      group.macHi,
      group.macLoOf(sender),
      sender,
      0,
      0,
      address,
    );
  }

  /** RFC 4861 7.2.2: to the group of the nodes whose addresses end like this one. */
  #solicit(group: StationGroup, sender: number, address: number): void {
    const { words } = this.#addresses;
    const at = this.#addresses.indexOf(address);
    const solicited = solicitedNodeOf(words[at + IPV6_ADDRESS_WORDS - 1]!);
    const [macHi, macLo] = [group.macHi, group.macLoOf(sender)];
    const length = emitNeighborSolicitation(this.#view, this.#link.payloadAt, words, at, macHi, macLo);
    this.#counters.solicitationsOut++;
    this.#link.sendDiscovery(group, length, sender, solicited, 0, MULTICAST_MAC_HI, solicited[3]!);
  }

  #bucketOf(group: number, address: number): number {
    const h = Math.imul(address ^ group, 0x9e3779b1);
    return (h ^ (h >>> 15)) & (this.#buckets.length - 1);
  }
}
