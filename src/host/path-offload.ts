/**
 * Path objects on devices (R6, R8, R31): the path blocks of offload requests, and updates of what is cached there.
 *
 * The middle layer of a request: between the connections (transport-offload.ts) and neighbor-offload.ts.
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
import { ResourceNeeds } from '../offload/resource-needs.ts';
import { PathState } from '../offload/state-objects.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { IPV6_ADDRESS_WORDS } from '../wire/ipv6-address.ts';
import { describeInitiate, describeTerminate, Outcome, LayerEntries, takeEntry } from './lower-object.ts';
import type { Adapter, ProviderTable } from './ndis.ts';
import { isResolved } from './neighbor.ts';
import type { NeighborOffload } from './neighbor-offload.ts';
import { OffloadOperation, type OffloadRequest } from './offload-request.ts';
import type { Path } from './path.ts';
import { StateUpdates } from './state-updates.ts';

export class PathOffload {
  readonly #lower: NeighborOffload;
  readonly #blocks: BlockPool;
  readonly #i32: Int32Array;
  readonly #addresses: AddressTable;
  readonly #block: BlockCursor;
  readonly #state: Cursor<typeof PathState.fields>;
  readonly #needs: Cursor<typeof ResourceNeeds.fields>;
  readonly #entries: LayerEntries<Path>;
  readonly updates: StateUpdates<Path>;
  trace: Trace | null = null;

  constructor(
    memory: Memory,
    addresses: AddressTable,
    blocks: BlockPool,
    lower: NeighborOffload,
    updates: 'relay' | 'direct',
    updateFailed: (path: Path) => void,
  ) {
    this.#i32 = memory.i32;
    this.#addresses = addresses;
    this.#lower = lower;
    this.#blocks = blocks;
    this.#block = Block.view(memory);
    this.#state = PathState.view(memory);
    this.#needs = ResourceNeeds.view(memory);
    this.#entries = new LayerEntries(Block.view(memory), {
      writeState: (path, address) => this.#writeState(path, address),
      take: (path, address, initiate, table) => this.#take(path, address, initiate, table),
    });
    const layer = {
      name: 'network',
      noun: 'path',
      typeOf: (path: Path) => (path.isIpv6 ? OffloadStateType.Ip6Cached : OffloadStateType.Ip4Cached),
      adapterOf: (path: Path) => path.iface.adapter,
      write: (path: Path, block: BlockCursor) => this.#writeState(path, block.base),
      updateFailed,
    } as const;
    this.updates = new StateUpdates(memory, blocks, layer, updates);
  }

  /** May connections of this path go into a list now? A parent in transition makes them wait (R17, digest §3.3). */
  isSettled(path: Path): boolean {
    const hop = path.linked ?? path.neighbor;
    if (path.invalidated || hop.invalidated || !isResolved(hop)) return false;
    return isStable(path.offloadState) && isStable(hop.offloadState);
  }

  /** Adds the path blocks and passes the request on: step 334 of Figure 3. */
  describe(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    const { paths } = request;
    for (let i = 0; i < paths.count; i++) {
      const path = paths.objects[i]!;
      const address = this.#blocks.allocate(path.blockType);
      const block = this.#block.at(address);
      block.dependentBlockList = path.firstDependent;
      path.firstDependent = 0;
      path.lastDependent = 0;
      paths.blocks[i] = address;
      if (initiate && describeInitiate(path, block, request.isReserving)) {
        path.linked = path.neighbor;
        path.linked.offloadedPaths++;
        if (request.isReserving) this.#needs.at(address + BLOCK_HEADER_BYTES).pathMtu = path.mtu;
        else this.#writeState(path, address);
      }
      const neighbor = path.linked ?? path.neighbor;
      if (!initiate && describeTerminate(path, path.offloadedConnections, block, request.keepsLower)) {
        neighbor.offloadedPaths--;
      }
      if (neighbor.firstDependent === 0) {
        neighbor.firstDependent = address;
        request.neighbors.add(neighbor);
      } else {
        this.#block.at(neighbor.lastDependent).nextBlock = address;
      }
      neighbor.lastDependent = address;
    }
    const what = initiate ? 'initiate' : 'terminate';
    this.trace?.emit('network', 'framing', `${what} offload, ${request.paths.count} paths`);
    this.#lower.describe(request);
  }

  #writeState(path: Path, address: number): void {
    const state = this.#state.at(address + BLOCK_HEADER_BYTES);
    if (path.isIpv6) {
      this.#writeIpv6(state.base + PathState.offset.sourceAddress, path.source);
      this.#writeIpv6(state.base + PathState.offset.destinationAddress, path.destination);
    } else {
      state.sourceAddress = path.source;
      state.destinationAddress = path.destination;
    }
    state.pathMtu = path.mtu;
    state.ipIdStart = path.ipIdStart;
  }

  /** The NIC has numbers of its own: it gets the whole address. */
  #writeIpv6(at: number, address: number): void {
    const { words } = this.#addresses;
    const from = this.#addresses.indexOf(address);
    for (let i = 0; i < IPV6_ADDRESS_WORDS; i++) this.#i32[(at >> 2) + i] = words[from + i]!;
  }

  /** Takes this layer's entries out of a completed request. */
  complete(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    const table = request.takeEntry('network');
    const loads = this.#entries.complete(request.paths, initiate, table);
    if (loads > 0) this.trace?.emit('network', request.adapter.name, `load ${loads} path states`);
    this.trace?.emit('network', 'transport', initiate ? 'initiate complete' : 'terminate complete');
  }

  #take(path: Path, address: number, initiate: boolean, table: ProviderTable): void {
    const outcome = takeEntry(path, initiate, this.#block.at(address), table);
    if (outcome === Outcome.Refused) path.linked!.offloadedPaths--;
    else if (outcome === Outcome.Uploaded) path.ipIdStart = this.#state.at(address + BLOCK_HEADER_BYTES).ipIdStart;
    if (path.offloadState === OffloadState.InHost) path.linked = null;
    this.#blocks.free(address);
    this.updates.settled(path);
  }

  /** States that were sent on the way (Figure 3, 312) were answered. False: they were not this layer's. */
  loaded(root: number): boolean {
    return this.#entries.loaded(root);
  }

  /**
   * Path objects on devices that no connection uses: to be terminated with the next list (A16). True: there are more, about
   * which a call is unanswered.
   */
  orphans(paths: Iterable<Path>, adapter: Adapter, request: OffloadRequest, limit: number): boolean {
    let busy = false;
    for (const path of paths) {
      if (request.paths.count >= limit) break;
      if (path.iface.adapter !== adapter || path.offloadedConnections > 0) continue;
      if (path.offloadState === OffloadState.Offloading) busy = true;
      if (path.offloadState !== OffloadState.Offloaded) continue;
      // Its neighbor may go with it.
      if (path.callsOut > 0 || path.linked!.callsOut > 0) busy = true;
      else request.paths.add(path);
    }
    return busy;
  }
}

function isStable(state: OffloadState): boolean {
  return state === OffloadState.InHost || state === OffloadState.Offloaded;
}
