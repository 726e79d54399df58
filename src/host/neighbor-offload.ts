/**
 * Neighbor objects on devices (R6, R7, R9): the neighbor blocks of offload requests, and updates of what is cached there.
 *
 * The lowest layer of a request: its blocks are the roots of the list. Above stands path-offload.ts.
 */
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import type { Cursor } from '../memory/record.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  type BlockCursor,
  type BlockPool,
  OffloadStateType,
} from '../offload/block-list.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { NeighborState } from '../offload/state-objects.ts';
import { describeInitiate, describeTerminate, LayerEntries, takeEntry } from './lower-object.ts';
import type { Adapter, ProviderTable } from './ndis.ts';
import { type Neighbor, Reachability } from './neighbor.ts';
import type { NeighborTable } from './neighbor-table.ts';
import { OffloadOperation, type OffloadRequest } from './offload-request.ts';
import { StateUpdates } from './state-updates.ts';

export class NeighborOffload {
  readonly #blocks: BlockPool;
  readonly #neighbors: NeighborTable;
  readonly #block: BlockCursor;
  readonly #state: Cursor<typeof NeighborState.fields>;
  readonly #entries: LayerEntries<Neighbor>;
  readonly updates: StateUpdates<Neighbor>;
  trace: Trace | null = null;
  now = 0;

  constructor(
    memory: Memory,
    blocks: BlockPool,
    neighbors: NeighborTable,
    updates: 'relay' | 'direct',
    updateFailed: (neighbor: Neighbor) => void,
  ) {
    this.#blocks = blocks;
    this.#neighbors = neighbors;
    this.#block = Block.view(memory);
    this.#state = NeighborState.view(memory);
    this.#entries = new LayerEntries(Block.view(memory), {
      writeState: (neighbor, address) => this.#writeState(neighbor, address),
      take: (neighbor, address, initiate, table) => this.#take(neighbor, address, initiate, table),
    });
    const layer = {
      name: 'framing',
      noun: 'neighbor',
      typeOf: () => OffloadStateType.NeighborCached,
      adapterOf: (neighbor: Neighbor) => neighbor.iface.adapter,
      write: (neighbor: Neighbor, block: BlockCursor) => {
        block.ndisOffloadHandle = neighbor.id;
        this.#writeState(neighbor, block.base);
      },
      updateFailed,
    } as const;
    this.updates = new StateUpdates(memory, blocks, layer, updates);
  }

  /** Adds the neighbor blocks and sends the list on its way: step 336 of Figure 3, or 724 of Figure 7. */
  describe(request: OffloadRequest): void {
    let previous = 0;
    const { neighbors } = request;
    for (let i = 0; i < neighbors.count; i++) {
      const neighbor = neighbors.objects[i]!;
      const address = this.#blocks.allocate(OffloadStateType.Neighbor);
      const block = this.#block.at(address);
      block.dependentBlockList = neighbor.firstDependent;
      neighbor.firstDependent = 0;
      neighbor.lastDependent = 0;
      neighbors.blocks[i] = address;
      if (request.operation === OffloadOperation.Initiate) {
        this.describeAlone(neighbor, block, request.isReserving);
      } else {
        describeTerminate(neighbor, neighbor.offloadedPaths, block, request.keepsLower);
      }
      if (previous === 0) request.root = address;
      else this.#block.at(previous).nextBlock = address;
      previous = address;
    }
    const what = request.operation === OffloadOperation.Initiate ? 'initiate' : 'terminate';
    this.trace?.emit('framing', 'ndis', `${what} offload, ${request.blockCount} blocks`);
  }

  /** Its block in an initiate: with its state, or by its handle. */
  describeAlone(neighbor: Neighbor, block: BlockCursor, isReserving = false): void {
    block.ndisOffloadHandle = neighbor.id;
    // Room only: a neighbor needs nothing but its entry; a VLAN driver adds the VID (¶116).
    const isNew = describeInitiate(neighbor, block, isReserving);
    if (isNew && !isReserving) this.#writeState(neighbor, block.base);
  }

  #writeState(neighbor: Neighbor, address: number): void {
    const state = this.#state.at(address + BLOCK_HEADER_BYTES);
    // The block may have carried needs before; a VLAN driver fills in the VID below.
    state.dlSourceHi = 0;
    state.dlSourceLo = 0;
    state.vlanId = 0;
    state.dlDestinationHi = neighbor.macHi;
    state.dlDestinationLo = neighbor.macLo;
    state.headerFormat = neighbor.headerFormat;
    const age = Math.max(1, (this.now - neighbor.confirmedAt) >>> 0);
    // Digest §3.9: 0 says that the host has no proof either, and mutes the device while the host finds out.
    state.hostReachabilityDelta = neighbor.reachability === Reachability.Reachable ? age | 0 : 0;
    state.nicReachabilityDelta = state.hostReachabilityDelta;
  }

  /**
   * Neighbor objects on a device that no path uses any more: to be terminated by themselves. True: there are more, about
   * which a call is unanswered.
   */
  orphans(adapter: Adapter, request: OffloadRequest): boolean {
    let busy = false;
    for (const neighbor of this.#neighbors) {
      if (neighbor.iface.adapter !== adapter || neighbor.offloadedPaths > 0) continue;
      if (neighbor.offloadState === OffloadState.Offloading) busy = true;
      if (neighbor.offloadState !== OffloadState.Offloaded) continue;
      if (neighbor.callsOut > 0) busy = true;
      else request.neighbors.add(neighbor);
    }
    return busy;
  }

  /** Takes this layer's entries out of a completed request. */
  complete(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    const table = request.takeEntry('framing');
    const loads = this.#entries.complete(request.neighbors, initiate, table);
    if (loads > 0) this.trace?.emit('framing', request.adapter.name, `load ${loads} neighbor states`);
    this.trace?.emit('framing', 'network', initiate ? 'initiate complete' : 'terminate complete');
  }

  #take(neighbor: Neighbor, address: number, initiate: boolean, table: ProviderTable): void {
    takeEntry(neighbor, initiate, this.#block.at(address), table);
    this.#blocks.free(address);
    this.updates.settled(neighbor);
  }

  /** States that were sent on the way (Figure 3, 308) were answered. False: they were not this layer's. */
  loaded(root: number): boolean {
    return this.#entries.loaded(root);
  }
}
