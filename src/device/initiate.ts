/**
 * Initiate in the device (R11, R13; digest §2.2–2.4): all that allocates.
 *
 * Depth first, so that scarce entries make the most whole chains; a block whose parent failed is not attempted; afterwards
 * parents are told what became of their dependents.
 */
import { isOffloaded, NdisStatus } from '../base/status.ts';
import type { Memory, Window } from '../memory/memory.ts';
import { BLOCK_HEADER_BYTES, BlockRole, OffloadStateType } from '../offload/block-list.ts';
import { importDelegated } from '../offload/handover.ts';
import type { NicBoot } from '../ring/nic-layout.ts';
import { StateRange } from '../offload/state-objects.ts';
import { mayOffload } from '../tcp/tcb.ts';
import { isChainGranted } from './granted.ts';
import type { InvertedTree } from './inverted-tree.ts';
import { OffloadOperation } from './offload-operation.ts';
import type { NicStatistics } from './statistics.ts';
import type { TcpFirmware } from './tcp-firmware.ts';

export class Initiate extends OffloadOperation {
  readonly #window: Window;
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
    super(memory, boot, firmware, tree, stats);
    this.#window = window;
    this.#loaded = new Int32Array(boot.config.tcpEntries);
  }

  /** False when the list is not one: the device faults. */
  run(root: number): boolean {
    const walk = this.walk;
    const block = this.block;
    this.#loadedCount = 0;
    this.stats.initiateCalls++;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      this.stats.blocksSeen++;
      block.at(at);
      block.miniportReserved0 = 0;
      block.miniportReserved1 = 0;
      const parent = walk.parent;
      const parentStatus = parent === 0 ? NdisStatus.Success : this.parent.at(parent).status;
      // A block whose parent failed is never attempted (A04, A05).
      const status = isOffloaded(parentStatus) ? this.#take(parent) : NdisStatus.Failure;
      block.at(at).status = status;
      if (parent === 0) continue;
      this.parent.at(parent);
      if (status === NdisStatus.Success) this.parent.miniportReserved1++;
      else this.parent.miniportReserved0++;
    }
    if (walk.corrupt) return false;
    this.#settle(root);
    return true;
  }

  /** After the completion is on its way: loaded connections may transmit and indicate. */
  start(): void {
    for (let i = 0; i < this.#loadedCount; i++) this.firmware.kick(this.#loaded[i]!);
    this.#loadedCount = 0;
  }

  /**
   * Digest §2.2, §2.4: what the fate of its immediate dependents says about a block. Paths first: a linker that turns out to
   * have failed counts as failed for its neighbor.
   */
  #settle(root: number): void {
    const walk = this.walk;
    for (let level = 1; level >= 0; level--) {
      for (let at = walk.start(root); at !== 0; at = walk.next()) {
        if (walk.level === level) this.#settleBlock(at, walk.parent);
      }
    }
  }

  #settleBlock(at: number, parent: number): void {
    const block = this.block.at(at);
    const failed = block.miniportReserved0;
    if (failed === 0 || !isOffloaded(block.status) || block.role === BlockRole.Placeholder) return;
    const none = block.miniportReserved1 === 0;
    block.status = none && block.role === BlockRole.Linker ? NdisStatus.Failure : NdisStatus.OffloadPartialSuccess;
    if (parent === 0 || block.status !== NdisStatus.Failure) return;
    this.parent.at(parent);
    this.parent.miniportReserved0++;
    this.parent.miniportReserved1--;
  }

  #take(parent: number): number {
    const block = this.block;
    if (block.role === BlockRole.Placeholder) return NdisStatus.Success;
    switch (block.type) {
      case OffloadStateType.Neighbor:
        return block.role === BlockRole.Linker ? this.known(this.neighborOf(block)) : this.#takeNeighbor();
      case OffloadStateType.Ip4:
        return block.role === BlockRole.Linker ? this.known(this.pathOf(block)) : this.#takePath(parent);
      case OffloadStateType.Tcp:
        return this.#takeTcp(parent);
      default:
        return NdisStatus.NotSupported;
    }
  }

  #takeNeighbor(): number {
    const tree = this.tree;
    const block = this.block;
    const slot = tree.neighbors.allocate();
    if (slot < 0) return NdisStatus.OffloadNeighborEntries;
    tree.placeNeighbor(slot);
    this.copy(tree.neighbor.base, block.base + BLOCK_HEADER_BYTES, StateRange.neighbor.all);
    tree.neighbor.ndisOffloadHandle = block.ndisOffloadHandle;
    block.offloadHandle = tree.neighbors.handleOf(slot);
    return NdisStatus.Success;
  }

  #takePath(parent: number): number {
    const tree = this.tree;
    const block = this.block;
    const neighbor = parent === 0 ? -1 : this.neighborOf(this.parent.at(parent));
    if (neighbor < 0) return NdisStatus.Failure;
    const slot = tree.paths.allocate();
    if (slot < 0) return NdisStatus.OffloadPathEntries;
    tree.placePath(slot);
    this.copy(tree.path.base, block.base + BLOCK_HEADER_BYTES, StateRange.path.all);
    if (tree.pathState.pathMtu > this.boot.config.mtu) {
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
    const tree = this.tree;
    const block = this.block;
    const { table, tcb } = this.firmware;
    const path = parent === 0 ? -1 : this.pathOf(this.parent.at(parent));
    if (path < 0) return NdisStatus.Failure;
    const slot = table.allocate();
    if (slot < 0) {
      this.stats.offloadsRefused++;
      return NdisStatus.OffloadTcpEntries;
    }
    tcb.at(table.addressOf(slot));
    this.copy(tcb.base, block.base + BLOCK_HEADER_BYTES, StateRange.tcp.all);
    if (
      !mayOffload(tcb.state) ||
      tcb.initialRcvWnd > this.boot.config.rcvWindowMax ||
      !this.#isGranted(tcb.sendDataHead)
    ) {
      const tooWide = tcb.initialRcvWnd > this.boot.config.rcvWindowMax;
      table.free(slot);
      this.stats.offloadsRefused++;
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
    importDelegated(tcb, this.firmware.now, this.firmware);
    table.insert(slot);
    block.offloadHandle = table.handleOf(slot);
    this.stats.offloadsTaken++;
    this.#loaded[this.#loadedCount++] = slot;
    return NdisStatus.Success;
  }

  /** An adopted send chain must lie where the device may read. */
  #isGranted(head: number): boolean {
    return isChainGranted(this.#window, this.firmware.buffers, head);
  }
}
