/**
 * The neighbors of all interfaces: which there are, what waits for the address of one, and who is being asked for.
 *
 * The life of a neighbor is the same for every address family; how one is asked for is the resolver's business (arp.ts).
 */
import { broken } from '../base/assert.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { type AddressTable, isIpv6 } from '../wire/address-table.ts';
import { type Interface, keyOf } from './interface.ts';
import { becomeBroadcast, confirm, isResolved, Neighbor, Reachability } from './neighbor.ts';

/** For one neighbor: the fragments of the largest datagram are 45, and less than all of them is worth nothing. */
const WAITING_MAX = 64;
/** For all of them, where there are few buffers. */
const WAITING_LEAST = 32;
/** Neighbors that are asked for at once: above, the one that has not answered for longest is given up (RFC 6583 7.1). */
const UNRESOLVED_MAX = 512;
/** ARP. */
const RETRY_TICKS = 1000;
const ATTEMPTS = 5;
/** RFC 4861 10, MAX_MULTICAST_SOLICIT; how long each waits, the link's routers say. */
const ATTEMPTS_IPV6 = 3;
/** Above this, neighbors that nothing is sent to are forgotten, the oldest first (RFC 6583 7.1). */
const NEIGHBORS_MAX = 1024;
const FORGOTTEN_AT_ONCE = 64;

/** What the table asks of the layer that it is part of. */
export interface NeighborOwner {
  /** Asks the link for the address. */
  solicit(neighbor: Neighbor): void;
  /** The address is known: a datagram that waited for it goes out. */
  sendWaiting(neighbor: Neighbor, buffer: number): void;
  /** Nobody answers. */
  neighborFailed(neighbor: Neighbor): void;
  /** It has another MAC address than before. */
  updateNeighbor(neighbor: Neighbor): void;
}

export class NeighborTable {
  readonly #owner: NeighborOwner;
  readonly #tx: BufferPool;
  readonly #byAddress = new Map<number, Neighbor>();
  readonly #byId: (Neighbor | null)[] = [];
  /** Entries at which it is worth looking for idle ones. */
  #fullAt = NEIGHBORS_MAX;
  readonly #freeIds: number[] = [];
  readonly #addresses: AddressTable;
  readonly #unresolved = new Set<Neighbor>();
  now = 0;
  /** Datagrams that wait for an address; all together no more than a quarter of the buffers, and those of one neighbor. */
  waiting = 0;
  readonly #waitingMax: number;
  /** Datagrams that gave way to later ones while the address was asked for. */
  waitingDropped = 0;

  constructor(tx: BufferPool, addresses: AddressTable, owner: NeighborOwner) {
    this.#addresses = addresses;
    this.#tx = tx;
    this.#waitingMax = Math.max(WAITING_LEAST, tx.count >> 2);
    this.#owner = owner;
  }

  [Symbol.iterator](): Iterator<Neighbor> {
    return this.#byAddress.values();
  }

  get unresolvedCount(): number {
    return this.#unresolved.size;
  }

  for(iface: Interface, address: number): Neighbor {
    const key = keyOf(iface, address);
    let neighbor = this.#byAddress.get(key);
    if (neighbor === undefined) {
      if (this.#byAddress.size >= this.#fullAt) this.#forgetIdle();
      const id = this.#freeIds.pop() ?? this.#byId.length + 1;
      neighbor = new Neighbor(id, iface, address);
      // Nobody is asked where everybody is.
      if (iface.isGroup(address)) becomeBroadcast(neighbor);
      this.#addresses.retain(address);
      this.#byId[id - 1] = neighbor;
      this.#byAddress.set(key, neighbor);
    }
    return neighbor;
  }

  /** Those that answer for a path, are on a device or are being asked for stay. */
  #forgetIdle(): void {
    let left = FORGOTTEN_AT_ONCE;
    for (const [key, neighbor] of this.#byAddress) {
      const isIdle = neighbor.paths === 0 && neighbor.offloadState === OffloadState.InHost && neighbor.callsOut === 0;
      if (!isIdle || this.#unresolved.has(neighbor)) continue;
      this.#byAddress.delete(key);
      this.#byId[neighbor.id - 1] = null;
      this.#freeIds.push(neighbor.id);
      this.#addresses.release(neighbor.address);
      if (--left === 0) break;
    }
    this.#fullAt = Math.max(NEIGHBORS_MAX, this.#byAddress.size + (left === 0 ? 0 : FORGOTTEN_AT_ONCE));
  }

  /** The neighbor with this address, if somebody had to do with it. */
  find(iface: Interface, address: number): Neighbor | undefined {
    return this.#byAddress.get(keyOf(iface, address));
  }

  /** The neighbor that devices know by this handle. */
  of(id: number): Neighbor | null {
    return this.#byId[id - 1] ?? null;
  }

  /** A datagram whose next hop's address is not known. */
  wait(neighbor: Neighbor, buffer: number): void {
    // RFC 1122 2.3.2.2: save at least the latest packet.
    if (neighbor.waiting.length >= WAITING_MAX) this.#dropOldest(neighbor);
    else if (this.waiting >= this.#waitingMax) this.#dropOldest(this.#longestAsked);
    neighbor.waiting.push(buffer);
    this.waiting++;
    this.resolve(neighbor);
  }

  #dropOldest(neighbor: Neighbor): void {
    this.waiting--;
    this.waitingDropped++;
    this.#tx.free(neighbor.waiting.shift()!);
  }

  /** Of those that datagrams wait for: who answers at all, answers soon. */
  get #longestAsked(): Neighbor {
    for (const neighbor of this.#unresolved) if (neighbor.waiting.length > 0) return neighbor;
    return broken('a datagram waits for a neighbor that is being asked for');
  }

  /** What waited for its address, or for nothing. */
  #takeWaiting(neighbor: Neighbor): number[] {
    this.waiting -= neighbor.waiting.length;
    return neighbor.waiting.splice(0);
  }

  /** Asks for the address, if it is not known and not being asked for. */
  resolve(neighbor: Neighbor): void {
    if (isResolved(neighbor) || this.#unresolved.has(neighbor)) return;
    if (this.#unresolved.size >= UNRESOLVED_MAX) this.failed(this.#unresolved.values().next().value!);
    this.#unresolved.add(neighbor);
    neighbor.reachability = Reachability.Incomplete;
    neighbor.requestsSent = 0;
    this.#solicit(neighbor);
  }

  #solicit(neighbor: Neighbor): void {
    neighbor.requestsSent++;
    neighbor.nextRequestAt =
      (this.now +
        (neighbor.iface.ipv6 !== null && isIpv6(neighbor.address) ? neighbor.iface.ipv6.retransTimer : RETRY_TICKS)) |
      0;
    this.#owner.solicit(neighbor);
  }

  /** Retries and gives up; called every step while something is unresolved. Returns how much was due. */
  expire(): number {
    let due = 0;
    for (const neighbor of this.#unresolved) {
      if (((neighbor.nextRequestAt - this.now) | 0) > 0) continue;
      due++;
      if (neighbor.requestsSent < (isIpv6(neighbor.address) ? ATTEMPTS_IPV6 : ATTEMPTS)) this.#solicit(neighbor);
      else this.failed(neighbor);
    }
    return due;
  }

  /** Ticks until `expire` has something to do, -1 for never. */
  ticksUntilNext(): number {
    let least = -1;
    for (const neighbor of this.#unresolved) {
      const ticks = Math.max(0, (neighbor.nextRequestAt - this.now) | 0);
      if (least < 0 || ticks < least) least = ticks;
    }
    return least;
  }

  /** Nobody answers at the address. */
  failed(neighbor: Neighbor): void {
    this.#unresolved.delete(neighbor);
    neighbor.reachability = Reachability.Failed;
    neighbor.failedAt = this.now;
    for (const buffer of this.#takeWaiting(neighbor)) this.#tx.free(buffer);
    this.#owner.neighborFailed(neighbor);
  }

  /** The neighbor was heard of with this MAC address; `answers`: it answered a question of ours. */
  learn(neighbor: Neighbor, macHi: number, macLo: number, answers: boolean): void {
    const moved = neighbor.macHi !== macHi || neighbor.macLo !== macLo;
    neighbor.macHi = macHi;
    neighbor.macLo = macLo;
    if (moved || !isResolved(neighbor)) neighbor.reachability = Reachability.Stale;
    if (answers) confirm(neighbor, this.now);
    if (this.#unresolved.delete(neighbor)) {
      for (const buffer of this.#takeWaiting(neighbor)) this.#owner.sendWaiting(neighbor, buffer);
    }
    if (moved) this.#owner.updateNeighbor(neighbor);
  }
}
