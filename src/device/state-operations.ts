/**
 * Update, invalidate and query in the device (R21, R22; digest §3.4, §3.5): operations on objects that are there.
 *
 * Update changes what is cached, or links a path to another neighbor; invalidate stops transmission; query only reads. What
 * an update asks for and the device cannot do is FAILURE, and the old values stay in force (C11).
 */
import { NdisStatus } from '../base/status.ts';
import type { Memory } from '../memory/memory.ts';
import { BLOCK_HEADER_BYTES, type BlockCursor, isIpv6Type, layerOf, OffloadStateType } from '../offload/block-list.ts';
import { TcpUploadReason } from '../offload/events.ts';
import { snapshotDelegated } from '../offload/handover.ts';
import { NeighborState, PathState, StateRange } from '../offload/state-objects.ts';
import type { NicBoot } from '../ring/nic-layout.ts';
import { sizeForPath } from '../tcp/mtu-probe.ts';
import { segmentSizeChanged } from '../tcp/path-change.ts';
import { segmentSizeFor } from '../tcp/segment-size.ts';
import { type Tcb, TcbLayout, TcpCachedFlag, TcpPrivateFlag } from '../tcp/tcb.ts';
import { IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import { updateConnection } from './connection-update.ts';
import { EntryFlag, type InvertedTree } from './inverted-tree.ts';
import { OffloadOperation } from './offload-operation.ts';
import type { NicStatistics } from './statistics.ts';
import type { TcpFirmware } from './tcp-firmware.ts';

const NEIGHBOR = 0;
const PATH = 1;

/** RFC 791 3.2, RFC 8200 5: what every link carries. */
function leastMtu(type: number): number {
  return isIpv6Type(type) ? IPV6_MINIMUM_MTU : 68;
}

export class StateOperations extends OffloadOperation {
  /** The state behind the block in hand. */
  readonly #tcp: Tcb;
  readonly #pathState: ReturnType<typeof PathState.view>;
  readonly #neighborState: ReturnType<typeof NeighborState.view>;
  readonly #strict: boolean;
  readonly #asWritten: boolean;

  constructor(memory: Memory, boot: NicBoot, firmware: TcpFirmware, tree: InvertedTree, stats: NicStatistics) {
    super(memory, boot, firmware, tree, stats);
    this.#tcp = TcbLayout.view(memory);
    this.#pathState = PathState.view(memory);
    this.#neighborState = NeighborState.view(memory);
    const { target } = boot.config;
    this.#strict = target.invalidate === 'strict';
    this.#asWritten = target.restartFlags === 'as-written';
  }

  // --- update ---

  /** Cached values down, or — a neighbor with path dependents — a relink (digest §3.4). */
  update(root: number): boolean {
    const walk = this.walk;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      const block = this.block.at(at);
      this.stats.updates++;
      const layer = layerOf(block.type);
      if (layer === NEIGHBOR) block.status = this.#updateNeighbor(block);
      else if (layer === PATH) block.status = this.#updatePath(block, walk.parent);
      else block.status = this.#updateTcp(block);
    }
    return !walk.corrupt;
  }

  /** ¶91, C01: whatever depends on the neighbor finds its new address at the next transmission. */
  #updateNeighbor(block: BlockCursor): number {
    const tree = this.tree;
    const slot = this.neighborOf(block);
    if (slot < 0 || block.type !== OffloadStateType.NeighborCached) return this.known(slot);
    const from = block.base + BLOCK_HEADER_BYTES;
    this.copyRange(tree.neighbors.addressOf(slot), from, StateRange.neighbor.cached);
    const { hostReachabilityDelta } = this.#neighborState.at(from);
    tree.reachability.answered(slot, hostReachabilityDelta, this.firmware.now);
    return NdisStatus.Success;
  }

  #updatePath(block: BlockCursor, parent: number): number {
    const tree = this.tree;
    const slot = this.pathOf(block);
    if (slot < 0) return this.known(slot);
    if (block.type === OffloadStateType.Ip4Cached || block.type === OffloadStateType.Ip6Cached) {
      const from = block.base + BLOCK_HEADER_BYTES;
      const { pathMtu } = this.#pathState.at(from);
      if (pathMtu > this.boot.config.mtu || pathMtu < leastMtu(block.type)) return NdisStatus.Failure;
      this.copyRange(tree.paths.addressOf(slot), from, StateRange.path.cached);
      this.#resize(slot, pathMtu);
    }
    if (parent === 0) return NdisStatus.Success;
    const neighbor = this.neighborOf(this.parent.at(parent));
    if (neighbor < 0) return this.known(neighbor);
    tree.relink(slot, neighbor);
    return NdisStatus.Success;
  }

  /** The effective MSS of every connection on the path follows its MTU (digest §1.3). */
  #resize(path: number, pathMtu: number): void {
    const { firmware, tree } = this;
    const { table, tcb } = firmware;
    for (let slot = tree.connectionsOf.first(path); slot >= 0; slot = tree.connectionsOf.next(slot)) {
      tcb.at(table.addressOf(slot));
      if ((tcb.cachedFlags & TcpCachedFlag.MayFragment) !== 0) continue;
      segmentSizeChanged(tcb, sizeForPath(tcb, pathMtu), firmware.now, firmware);
    }
  }

  #updateTcp(block: BlockCursor): number {
    const { firmware, tree } = this;
    const { table, tcb, now } = firmware;
    const slot = table.slotOfHandle(block.offloadHandle);
    if (slot < 0 || block.type !== OffloadStateType.TcpCached) return this.known(-1);
    if (firmware.isCorrupt(slot)) return NdisStatus.Failure;
    const given = this.#tcp.at(block.base + BLOCK_HEADER_BYTES);
    if (given.initialRcvWnd > this.boot.config.rcvWindowMax) return NdisStatus.Failure;
    tcb.at(table.addressOf(slot));
    updateConnection(tcb, given, this.memory.kernels, this.#asWritten, now, firmware);
    tree.placePath(tcb.path);
    // Of a path that drops what is larger in silence the device knows more than the host.
    const size = tcb.probeLow > 0 ? tcb.probeLow : tcb.effectiveMss;
    tcb.effectiveMss = Math.min(size, segmentSizeFor(tcb, tree.pathState.pathMtu));
    firmware.kick(slot);
    return NdisStatus.Success;
  }

  // --- invalidate ---

  /**
   * Stops what depends on the objects, acknowledgments too, and asks for each connection of them once (C16, C18). What was
   * posted, and what will be, waits in the send queue (C17). Resources stay until terminate.
   */
  invalidate(root: number): boolean {
    const walk = this.walk;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      const block = this.block.at(at);
      if (layerOf(block.type) === PATH) block.status = this.#invalidatePathBlock(block);
      else block.status = this.#invalidateNeighbor(block);
    }
    return !walk.corrupt;
  }

  #invalidatePathBlock(block: BlockCursor): number {
    const slot = this.pathOf(block);
    if (slot < 0) return this.known(slot);
    if (this.#strict) {
      this.tree.placePath(slot);
      this.tree.path.flags |= EntryFlag.Invalid;
    }
    this.#stopConnections(slot);
    // ¶87: the next identification comes back now, and once more at the upload.
    this.#pathState.at(block.base + BLOCK_HEADER_BYTES).ipIdStart = this.#nextIpId(slot);
    return NdisStatus.Success;
  }

  #invalidateNeighbor(block: BlockCursor): number {
    const { tree } = this;
    const slot = this.neighborOf(block);
    if (slot < 0) return this.known(slot);
    if (this.#strict) {
      tree.placeNeighbor(slot);
      tree.neighbor.flags |= EntryFlag.Invalid;
    }
    for (let path = tree.pathsOf.first(slot); path >= 0; path = tree.pathsOf.next(path)) this.#stopConnections(path);
    return NdisStatus.Success;
  }

  #stopConnections(path: number): void {
    const { firmware, tree } = this;
    const { table, tcb } = firmware;
    for (let slot = tree.connectionsOf.first(path); slot >= 0; slot = tree.connectionsOf.next(slot)) {
      tcb.at(table.addressOf(slot));
      if (!this.#asked(tcb)) firmware.retrieve(tcb, TcpUploadReason.InvalidState);
    }
  }

  /** Its path and its neighbor may both be invalidated: the host hears of the connection once. */
  #asked(tcb: Tcb): boolean {
    const before = tcb.privateFlags;
    tcb.privateFlags |= TcpPrivateFlag.InvalidStateTold;
    if (this.#strict) tcb.privateFlags |= TcpPrivateFlag.Frozen;
    return (before & TcpPrivateFlag.InvalidStateTold) !== 0;
  }

  // --- query ---

  /** Fills the state behind each block with a snapshot; ownership does not move (R22). */
  query(root: number): boolean {
    const walk = this.walk;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      const block = this.block.at(at);
      const layer = layerOf(block.type);
      if (layer === NEIGHBOR) block.status = this.#queryNeighbor(block);
      else if (layer === PATH) block.status = this.#queryPath(block);
      else block.status = this.#queryTcp(block);
    }
    return !walk.corrupt;
  }

  #queryNeighbor(block: BlockCursor): number {
    const { tree } = this;
    const slot = this.neighborOf(block);
    if (slot < 0) return this.known(slot);
    const to = block.base + BLOCK_HEADER_BYTES;
    this.copy(to, tree.neighbors.addressOf(slot), StateRange.neighbor.all);
    this.#neighborState.at(to).nicReachabilityDelta = tree.reachability.nicDelta(slot, this.firmware.now) | 0;
    return NdisStatus.Success;
  }

  #queryPath(block: BlockCursor): number {
    const slot = this.pathOf(block);
    if (slot < 0) return this.known(slot);
    const to = block.base + BLOCK_HEADER_BYTES;
    this.copy(to, this.tree.paths.addressOf(slot), StateRange.path.all);
    this.#pathState.at(to).ipIdStart = this.#nextIpId(slot);
    return NdisStatus.Success;
  }

  #nextIpId(path: number): number {
    const { tree } = this;
    tree.placePath(path);
    return (tree.pathState.ipIdStart + tree.path.ipIdCounter) & 0xffff;
  }

  #queryTcp(block: BlockCursor): number {
    const { table, tcb, now } = this.firmware;
    const slot = table.slotOfHandle(block.offloadHandle);
    if (slot < 0) return this.known(slot);
    if (this.firmware.isCorrupt(slot)) return NdisStatus.Failure;
    tcb.at(table.addressOf(slot));
    const to = block.base + BLOCK_HEADER_BYTES;
    this.copy(to, tcb.base, StateRange.tcp.all);
    snapshotDelegated(tcb, this.#tcp.at(to), now, this.firmware.delivery.heldBytes(slot));
    return NdisStatus.Success;
  }
}
