/**
 * The five state operations in the device: initiate, terminate, update, invalidate, query (digest §3.2).
 *
 * Each walks a block list once or twice, writes a status into every block, and is completed by the caller with the same
 * root. Host memory is read through the walk's bounds and the window; every handle is checked. Initiate is all that
 * allocates; terminate is all that frees.
 */
import { isOffloaded, NdisStatus } from '../base/status.ts';
import type { Memory, Window } from '../memory/memory.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  BlockRole,
  BlockWalk,
  type BlockCursor,
  OffloadStateType,
} from '../offload/block-list.ts';
import { TcpUploadReason } from '../offload/events.ts';
import { exportDelegated, importDelegated } from '../offload/handover.ts';
import { type NicBoot, NeighborEntry, PathEntry } from '../ring/nic-layout.ts';
import { StateRange } from '../offload/state-objects.ts';
import { mayOffload, TcbLayout, TcpPrivateFlag } from '../tcp/tcb.ts';
import { isChainGranted } from './granted.ts';
import { EntryFlag, type InvertedTree } from './inverted-tree.ts';
import type { NicStatistics } from './statistics.ts';
import type { TcpFirmware } from './tcp-firmware.ts';

export class OffloadRequests {
  readonly #memory: Memory;
  readonly #window: Window;
  readonly #firmware: TcpFirmware;
  readonly #tree: InvertedTree;
  readonly #stats: NicStatistics;
  readonly #walk: BlockWalk;
  readonly #block: BlockCursor;
  readonly #parent: BlockCursor;
  readonly #rcvWindowMax: number;
  readonly #mtu: number;
  /** Slots loaded by the initiate in hand, to be set going after its completion. */
  readonly #loaded: Int32Array;
  #loadedCount = 0;

  constructor(
    memory: Memory,
    boot: NicBoot,
    window: Window,
    firmware: TcpFirmware,
    tree: InvertedTree,
    stats: NicStatistics,
  ) {
    this.#memory = memory;
    this.#window = window;
    this.#firmware = firmware;
    this.#tree = tree;
    this.#stats = stats;
    this.#walk = new BlockWalk(memory, boot.blocks);
    this.#block = Block.view(memory);
    this.#parent = Block.view(memory);
    this.#rcvWindowMax = boot.config.rcvWindowMax;
    this.#mtu = boot.config.mtu;
    this.#loaded = new Int32Array(boot.config.tcpEntries);
  }

  get pathsInUse(): number {
    return this.#tree.paths.inUse;
  }

  get neighborsInUse(): number {
    return this.#tree.neighbors.inUse;
  }

  /** False when the list is not one: the device faults. */
  initiate(root: number): boolean {
    const walk = this.#walk;
    const block = this.#block;
    this.#loadedCount = 0;
    this.#stats.initiateCalls++;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      this.#stats.blocksSeen++;
      block.at(at);
      block.miniportReserved0 = 0;
      block.miniportReserved1 = 0;
      const parent = walk.parent;
      const parentStatus = parent === 0 ? NdisStatus.Success : this.#parent.at(parent).status;
      // A block whose parent failed is never attempted (A04, A05).
      const status = isOffloaded(parentStatus) ? this.#take(parent) : NdisStatus.Failure;
      block.at(at).status = status;
      if (parent === 0) continue;
      this.#parent.at(parent);
      if (status === NdisStatus.Success) this.#parent.miniportReserved1++;
      else this.#parent.miniportReserved0++;
    }
    if (walk.corrupt) return false;
    this.#settle(root);
    return true;
  }

  /** After the completion is on its way: loaded connections may transmit and indicate. */
  start(): void {
    for (let i = 0; i < this.#loadedCount; i++) this.#firmware.kick(this.#loaded[i]!);
    this.#loadedCount = 0;
  }

  /** Digest §2.2, §2.4: what the fate of its immediate dependents says about a block. */
  #settle(root: number): void {
    const walk = this.#walk;
    const block = this.#block;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      block.at(at);
      const failed = block.miniportReserved0;
      if (failed === 0 || !isOffloaded(block.status) || block.role === BlockRole.Placeholder) continue;
      const none = block.miniportReserved1 === 0;
      block.status = none && block.role === BlockRole.Linker ? NdisStatus.Failure : NdisStatus.OffloadPartialSuccess;
    }
  }

  #take(parent: number): number {
    const block = this.#block;
    if (block.role === BlockRole.Placeholder) return NdisStatus.Success;
    switch (block.type) {
      case OffloadStateType.Neighbor:
        return block.role === BlockRole.Linker ? this.#known(this.#neighborOf(block)) : this.#takeNeighbor();
      case OffloadStateType.Ip4:
        return block.role === BlockRole.Linker ? this.#known(this.#pathOf(block)) : this.#takePath(parent);
      case OffloadStateType.Tcp:
        return this.#takeTcp(parent);
      default:
        return NdisStatus.NotSupported;
    }
  }

  #known(slot: number): number {
    if (slot >= 0) return NdisStatus.Success;
    this.#stats.staleHandles++;
    return NdisStatus.Failure;
  }

  #neighborOf(block: BlockCursor): number {
    return this.#tree.neighbors.slotOfHandle(block.offloadHandle);
  }

  #pathOf(block: BlockCursor): number {
    return this.#tree.paths.slotOfHandle(block.offloadHandle);
  }

  #takeNeighbor(): number {
    const tree = this.#tree;
    const block = this.#block;
    const slot = tree.neighbors.allocate();
    if (slot < 0) return NdisStatus.OffloadNeighborEntries;
    tree.placeNeighbor(slot);
    this.#copy(tree.neighbor.base, block.base + BLOCK_HEADER_BYTES, StateRange.neighbor.all);
    tree.neighbor.ndisOffloadHandle = block.ndisOffloadHandle;
    block.offloadHandle = tree.neighbors.handleOf(slot);
    return NdisStatus.Success;
  }

  #takePath(parent: number): number {
    const tree = this.#tree;
    const block = this.#block;
    const neighbor = parent === 0 ? -1 : this.#neighborOf(this.#parent.at(parent));
    if (neighbor < 0) return NdisStatus.Failure;
    const slot = tree.paths.allocate();
    if (slot < 0) return NdisStatus.OffloadPathEntries;
    tree.placePath(slot);
    this.#copy(tree.path.base, block.base + BLOCK_HEADER_BYTES, StateRange.path.all);
    if (tree.pathState.pathMtu > this.#mtu) {
      tree.paths.free(slot);
      return NdisStatus.OffloadPathMtu;
    }
    tree.path.neighbor = neighbor;
    tree.placeNeighbor(neighbor);
    tree.neighbor.dependents++;
    block.offloadHandle = tree.paths.handleOf(slot);
    return NdisStatus.Success;
  }

  #takeTcp(parent: number): number {
    const tree = this.#tree;
    const block = this.#block;
    const { table, tcb } = this.#firmware;
    const path = parent === 0 ? -1 : this.#pathOf(this.#parent.at(parent));
    if (path < 0) return NdisStatus.Failure;
    const slot = table.allocate();
    if (slot < 0) {
      this.#stats.offloadsRefused++;
      return NdisStatus.OffloadTcpEntries;
    }
    tcb.at(table.addressOf(slot));
    this.#copy(tcb.base, block.base + BLOCK_HEADER_BYTES, StateRange.tcp.all);
    if (!mayOffload(tcb.state) || tcb.initialRcvWnd > this.#rcvWindowMax || !this.#isGranted(tcb.sendDataHead)) {
      const tooWide = tcb.initialRcvWnd > this.#rcvWindowMax;
      table.free(slot);
      this.#stats.offloadsRefused++;
      return tooWide ? NdisStatus.OffloadTcpRcvWindow : NdisStatus.Failure;
    }
    tree.placePath(path);
    tcb.localAddress = tree.pathState.sourceAddress;
    tcb.remoteAddress = tree.pathState.destinationAddress;
    tcb.path = path;
    tcb.context = block.ndisOffloadHandle;
    tree.placeNeighbor(tree.path.neighbor);
    tcb.vid = tree.neighborState.vlanId;
    tree.path.dependents++;
    importDelegated(tcb, this.#firmware.now, this.#firmware);
    table.insert(slot);
    block.offloadHandle = table.handleOf(slot);
    this.#stats.offloadsTaken++;
    this.#loaded[this.#loadedCount++] = slot;
    return NdisStatus.Success;
  }

  /** An adopted send chain must lie where the device may read. */
  #isGranted(head: number): boolean {
    return isChainGranted(this.#window, this.#firmware.buffers, head);
  }

  /** Uploads what the list names: connections, then paths, then neighbors, so that counts reach zero in order. */
  terminate(root: number): boolean {
    for (let layer = 2; layer >= 0; layer--) {
      const walk = this.#walk;
      for (let at = walk.start(root); at !== 0; at = walk.next()) {
        const block = this.#block.at(at);
        if (block.role === BlockRole.Placeholder) {
          block.status = NdisStatus.Success;
        } else if (layer === 2 && block.type === OffloadStateType.Tcp) {
          block.status = this.#terminateTcp(block);
        } else if (layer === 1 && block.type === OffloadStateType.Ip4) {
          block.status = this.#terminatePath(block);
        } else if (layer === 0 && block.type === OffloadStateType.Neighbor) {
          block.status = this.#terminateNeighbor(block);
        }
      }
      if (walk.corrupt) return false;
    }
    return true;
  }

  #terminateTcp(block: BlockCursor): number {
    const firmware = this.#firmware;
    const { table, tcb } = firmware;
    const slot = table.slotOfHandle(block.offloadHandle);
    if (slot < 0) return this.#known(slot);
    tcb.at(table.addressOf(slot));
    exportDelegated(tcb, firmware.buffers, firmware.now, firmware);
    tcb.privateFlags = TcpPrivateFlag.Frozen;
    firmware.detach(slot, NdisStatus.UploadInProgress);
    tcb.at(table.addressOf(slot));
    const { start, end } = StateRange.tcp.delegated;
    this.#copy(block.base + BLOCK_HEADER_BYTES + start, tcb.base + start, end - start);
    block.netBufferListChain = tcb.sendDataHead;
    this.#tree.placePath(tcb.path);
    this.#tree.path.dependents--;
    table.free(slot);
    this.#stats.uploads++;
    return NdisStatus.Success;
  }

  #terminatePath(block: BlockCursor): number {
    const tree = this.#tree;
    const slot = this.#pathOf(block);
    if (slot < 0) return this.#known(slot);
    tree.placePath(slot);
    // The host never terminates a path that still has dependents (D21).
    if (tree.path.dependents !== 0) return NdisStatus.Failure;
    tree.pathState.ipIdStart = (tree.pathState.ipIdStart + tree.path.ipIdCounter) & 0xffff;
    const { start, end } = StateRange.path.delegated;
    this.#copy(block.base + BLOCK_HEADER_BYTES + start, tree.path.base + start, end - start);
    tree.placeNeighbor(tree.path.neighbor);
    tree.neighbor.dependents--;
    tree.paths.free(slot);
    return NdisStatus.Success;
  }

  #terminateNeighbor(block: BlockCursor): number {
    const tree = this.#tree;
    const slot = this.#neighborOf(block);
    if (slot < 0) return this.#known(slot);
    tree.placeNeighbor(slot);
    if (tree.neighbor.dependents !== 0) return NdisStatus.Failure;
    const { start, end } = StateRange.neighbor.delegated;
    this.#copy(block.base + BLOCK_HEADER_BYTES + start, tree.neighbor.base + start, end - start);
    tree.neighbors.free(slot);
    return NdisStatus.Success;
  }

  /** Cached values down, or — a neighbor with path dependents — a relink (digest §3.4). */
  update(root: number): boolean {
    const walk = this.#walk;
    const tree = this.#tree;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      const block = this.#block.at(at);
      this.#stats.updates++;
      const from = block.base + BLOCK_HEADER_BYTES;
      if (block.type === OffloadStateType.Neighbor || block.type === OffloadStateType.NeighborCached) {
        const slot = this.#neighborOf(block);
        block.status = this.#known(slot);
        if (slot >= 0 && block.type === OffloadStateType.NeighborCached) {
          this.#copyRange(tree.neighbors.addressOf(slot), from, StateRange.neighbor.cached);
        }
      } else if (block.type === OffloadStateType.Ip4 || block.type === OffloadStateType.Ip4Cached) {
        const slot = this.#pathOf(block);
        block.status = this.#known(slot);
        if (slot < 0) continue;
        if (block.type === OffloadStateType.Ip4Cached) {
          this.#copyRange(tree.paths.addressOf(slot), from, StateRange.path.cached);
        }
        const neighbor = walk.parent === 0 ? -1 : this.#neighborOf(this.#parent.at(walk.parent));
        if (neighbor >= 0) tree.relink(slot, neighbor);
      } else {
        block.status = this.#updateTcp(block, from);
      }
    }
    return !walk.corrupt;
  }

  #updateTcp(block: BlockCursor, from: number): number {
    const { table } = this.#firmware;
    const slot = table.slotOfHandle(block.offloadHandle);
    if (slot < 0 || block.type !== OffloadStateType.TcpCached) return this.#known(-1);
    this.#copyRange(table.addressOf(slot), from, StateRange.tcp.cached);
    this.#firmware.refreshed(slot);
    return NdisStatus.Success;
  }

  /** Marks objects so that nothing that depends on them transmits, and asks for what does (digest §3.5). */
  invalidate(root: number): boolean {
    const walk = this.#walk;
    const tree = this.#tree;
    const { table, tcb } = this.#firmware;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      const block = this.#block.at(at);
      const isPath = block.type === OffloadStateType.Ip4;
      const slot = isPath ? this.#pathOf(block) : this.#neighborOf(block);
      block.status = this.#known(slot);
      if (slot < 0) continue;
      if (isPath) {
        tree.placePath(slot);
        tree.path.flags |= EntryFlag.Invalid;
      } else {
        tree.placeNeighbor(slot);
        tree.neighbor.flags |= EntryFlag.Invalid;
      }
    }
    if (walk.corrupt) return false;
    for (let slot = 0; slot < table.capacity; slot++) {
      if (!table.isLive(slot)) continue;
      tcb.at(table.addressOf(slot));
      if (!tree.climb(tcb.path)) this.#firmware.retrieve(tcb, TcpUploadReason.InvalidState);
    }
    return true;
  }

  /** Fills the state behind each block with a snapshot; ownership does not move (R22). */
  query(root: number): boolean {
    const walk = this.#walk;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      const block = this.#block.at(at);
      const to = block.base + BLOCK_HEADER_BYTES;
      if (block.type === OffloadStateType.Tcp) {
        const slot = this.#firmware.table.slotOfHandle(block.offloadHandle);
        block.status = this.#known(slot);
        if (slot >= 0) this.#copy(to, this.#firmware.table.addressOf(slot), TcbLayout.range('delegated').end);
      } else if (block.type === OffloadStateType.Ip4) {
        const slot = this.#pathOf(block);
        block.status = this.#known(slot);
        if (slot >= 0) this.#copy(to, this.#tree.paths.addressOf(slot) + PathEntry.offset.state, StateRange.path.all);
      } else {
        const slot = this.#neighborOf(block);
        block.status = this.#known(slot);
        const state = NeighborEntry.offset.state;
        if (slot >= 0) this.#copy(to, this.#tree.neighbors.addressOf(slot) + state, StateRange.neighbor.all);
      }
    }
    return !walk.corrupt;
  }

  #copy(to: number, from: number, length: number): void {
    this.#memory.kernels.copy(to, from, length);
  }

  #copyRange(object: number, from: number, range: { start: number; end: number }): void {
    this.#copy(object + range.start, from + range.start, range.end - range.start);
  }
}
