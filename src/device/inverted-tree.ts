/**
 * The inverted tree of a NIC (R8, Figures 4A–4D): TCP entry → path entry → neighbor entry.
 *
 * Transmission walks it upward to build headers, so that one cached update of a neighbor reaches every connection on it,
 * and a relink of a path moves all of its connections at once. Entries count their dependents; none is freed before.
 */
import type { Memory } from '../memory/memory.ts';
import type { Cursor } from '../memory/record.ts';
import { NeighborEntry, type NicRegions, PathEntry } from '../ring/nic-layout.ts';
import { NeighborState, PathState } from '../offload/state-objects.ts';
import { EntryTable } from './entry-table.ts';

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

  constructor(memory: Memory, regions: NicRegions) {
    this.paths = new EntryTable(memory, regions.paths, PathEntry.byteLength);
    this.neighbors = new EntryTable(memory, regions.neighbors, NeighborEntry.byteLength);
    this.path = PathEntry.view(memory);
    this.pathState = PathState.view(memory);
    this.neighbor = NeighborEntry.view(memory);
    this.neighborState = NeighborState.view(memory);
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

  placePath(slot: number): void {
    this.path.at(this.paths.addressOf(slot));
    this.pathState.at(this.path.base);
  }

  placeNeighbor(slot: number): void {
    this.neighbor.at(this.neighbors.addressOf(slot));
    this.neighborState.at(this.neighbor.base);
  }

  /** Moves a path to another neighbor: one transaction, trees merge (Figure 4D). */
  relink(pathSlot: number, neighborSlot: number): void {
    this.placePath(pathSlot);
    const old = this.path.neighbor;
    this.neighbor.at(this.neighbors.addressOf(old)).dependents--;
    this.neighbor.at(this.neighbors.addressOf(neighborSlot)).dependents++;
    this.path.neighbor = neighborSlot;
  }
}
