/**
 * The inverted tree of a NIC (R8, Figures 4A–4D): TCP entry → path entry → neighbor entry.
 *
 * Transmission walks it upward to build headers, so that one cached update of a neighbor reaches every connection on it,
 * and a relink of a path moves all of its connections at once. Entries count their dependents; none is freed before. They also
 * list them, for what concerns every dependent: a smaller path MTU, an invalidation.
 */
import type { Memory } from '../memory/memory.ts';
import type { Cursor } from '../memory/record.ts';
import { AddressTable } from '../wire/address-table.ts';
import { NeighborEntry, type NicRegions, PathEntry } from '../ring/nic-layout.ts';
import { NeighborState, PathState } from '../offload/state-objects.ts';
import { Dependents } from './dependents.ts';
import { EntryTable } from './entry-table.ts';
import { NeighborReachability } from './reachability.ts';

export const EntryFlag = {
  /** Nothing is transmitted through it (digest §3.5). */
  Invalid: 1,
  /** Room was made for it, its state has not come yet (Figure 3). */
  Reserved: 2,
} as const;
/** Device half of the IPv4 identification space (R31). */
const IP_ID_BASE = 0x8000;
const IP_ID_MASK = 0x7fff;

export class InvertedTree {
  readonly paths: EntryTable;
  readonly neighbors: EntryTable;
  /** Cursors for whoever holds them between two calls; a callee does not move them. */
  readonly path: Cursor<typeof PathEntry.fields>;
  readonly pathState: Cursor<typeof PathState.fields>;
  readonly neighbor: Cursor<typeof NeighborEntry.fields>;
  readonly neighborState: Cursor<typeof NeighborState.fields>;
  readonly connectionsOf: Dependents;
  readonly pathsOf: Dependents;
  readonly reachability: NeighborReachability;
  /** IPv6 addresses of the paths that are here. */
  readonly addresses: AddressTable;
  readonly #i32: Int32Array;

  constructor(memory: Memory, regions: NicRegions, connections: number, staleTicks: number) {
    this.paths = new EntryTable(memory, regions.paths, PathEntry.byteLength);
    this.neighbors = new EntryTable(memory, regions.neighbors, NeighborEntry.byteLength);
    this.path = PathEntry.view(memory);
    this.pathState = PathState.view(memory);
    this.neighbor = NeighborEntry.view(memory);
    this.neighborState = NeighborState.view(memory);
    this.connectionsOf = new Dependents(this.paths.capacity, connections);
    this.pathsOf = new Dependents(this.neighbors.capacity, this.paths.capacity);
    this.addresses = new AddressTable(2 * Math.max(1, this.paths.capacity));
    this.#i32 = memory.i32;
    this.reachability = new NeighborReachability(this.neighbors.capacity, staleTicks);
  }

  /** Places all four cursors for a transmission on this path; false when an object on the way is invalid (C04). */
  climb(pathSlot: number): boolean {
    const path = this.path.at(this.paths.addressOf(pathSlot));
    this.pathState.at(path.base);
    const neighbor = this.neighbor.at(this.neighbors.addressOf(path.neighbor));
    this.neighborState.at(neighbor.base);
    return ((path.flags | neighbor.flags) & (EntryFlag.Invalid | EntryFlag.Reserved)) === 0;
  }

  /** ¶86: the identification of the next datagram on the path that `climb` found; stays in the device's half. */
  nextIpId(): number {
    const counter = this.path.ipIdCounter;
    this.path.ipIdCounter = (counter + 1) & IP_ID_MASK;
    return IP_ID_BASE | ((this.pathState.ipIdStart + counter) & IP_ID_MASK);
  }

  /** The state of the path that the cursor is on has come: its addresses get numbers, by which segments find it. */
  numberAddresses(isIpv6: boolean): void {
    const { path, pathState } = this;
    if (isIpv6) {
      path.localAddress = this.addresses.internWords(this.#i32, this.sourceIndex);
      path.remoteAddress = this.addresses.internWords(this.#i32, this.destinationIndex);
    } else {
      path.localAddress = pathState.sourceAddress;
      path.remoteAddress = pathState.destinationAddress;
    }
  }

  /** Where the words of the path's IPv6 addresses stand in memory. */
  get sourceIndex(): number {
    return (this.path.base + PathState.offset.sourceAddress) >> 2;
  }

  get destinationIndex(): number {
    return (this.path.base + PathState.offset.destinationAddress) >> 2;
  }

  /** The path has no dependents and hangs on no neighbor. */
  freePath(slot: number): void {
    this.placePath(slot);
    this.addresses.release(this.path.localAddress);
    this.addresses.release(this.path.remoteAddress);
    this.paths.free(slot);
  }

  placePath(slot: number): void {
    this.path.at(this.paths.addressOf(slot));
    this.pathState.at(this.path.base);
  }

  placeNeighbor(slot: number): void {
    this.neighbor.at(this.neighbors.addressOf(slot));
    this.neighborState.at(this.neighbor.base);
  }

  /** A connection was loaded, and one was taken out. `placePath` of its path follows from both. */
  attachConnection(pathSlot: number, slot: number): void {
    this.placePath(pathSlot);
    this.path.dependents++;
    this.connectionsOf.attach(pathSlot, slot);
  }

  detachConnection(pathSlot: number, slot: number): void {
    this.placePath(pathSlot);
    this.path.dependents--;
    this.connectionsOf.detach(slot);
  }

  /** Links a new path; `placePath` and `placeNeighbor` of the two follow from it. */
  attachPath(neighborSlot: number, pathSlot: number): void {
    this.placePath(pathSlot);
    this.path.neighbor = neighborSlot;
    this.placeNeighbor(neighborSlot);
    this.neighbor.dependents++;
    this.pathsOf.attach(neighborSlot, pathSlot);
  }

  detachPath(pathSlot: number): void {
    this.placePath(pathSlot);
    this.placeNeighbor(this.path.neighbor);
    this.neighbor.dependents--;
    this.pathsOf.detach(pathSlot);
  }

  /** Moves a path to another neighbor: one transaction, trees merge (Figure 4D). */
  relink(pathSlot: number, neighborSlot: number): void {
    this.detachPath(pathSlot);
    this.attachPath(neighborSlot, pathSlot);
  }

  /** An acknowledgment on this path moved SND.UNA: the neighbor forwards (C20). */
  progress(pathSlot: number, now: number): void {
    this.path.at(this.paths.addressOf(pathSlot));
    this.reachability.progress(this.path.neighbor, now);
  }
}
