/**
 * Initiate in the device (R11, R13; digest §2.2–2.4): all that allocates.
 *
 * Depth first, so that scarce entries make the most whole chains; a block whose parent failed is not attempted; afterwards
 * parents are told what became of their dependents.
 */
import { isOffloaded, NdisStatus } from '../base/status.ts';
import type { Memory } from '../memory/memory.ts';
import type { Cursor } from '../memory/record.ts';
import { BLOCK_HEADER_BYTES, BlockRole, isIpv6Type, OffloadStateType } from '../offload/block-list.ts';
import { ResourceNeeds } from '../offload/resource-needs.ts';
import { StateRange } from '../offload/state-objects.ts';
import type { NicBoot } from '../ring/nic-layout.ts';
import { EntryFlag, type InvertedTree } from './inverted-tree.ts';
import { OffloadOperation } from './offload-operation.ts';
import type { NicStatistics } from './statistics.ts';
import type { TcpFirmware } from './tcp-firmware.ts';
import type { TcpLoader } from './tcp-loader.ts';

export class Initiate extends OffloadOperation {
  readonly #loader: TcpLoader;
  readonly #needs: Cursor<typeof ResourceNeeds.fields>;

  constructor(
    memory: Memory,
    boot: NicBoot,
    loader: TcpLoader,
    firmware: TcpFirmware,
    tree: InvertedTree,
    stats: NicStatistics,
  ) {
    super(memory, boot, firmware, tree, stats);
    this.#loader = loader;
    this.#needs = ResourceNeeds.view(memory);
  }

  /** False when the list is not one: the device faults. */
  run(root: number): boolean {
    const walk = this.walk;
    const block = this.block;
    this.#loader.begin();
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
    if (this.boot.config.target.partialSuccess === 'transitive') this.#settleUpward(root);
    return true;
  }

  /**
   * Digest §2.2, §2.4: what the fate of its immediate dependents says about a block. Paths first: a linker that fails is a
   * failed dependent of its neighbor (A07). Connections have no dependents to tell of, and are not seen again.
   */
  #settle(root: number): void {
    for (let layer = 1; layer >= 0; layer--) this.#settleLayer(root, layer);
  }

  #settleLayer(root: number, layer: number): void {
    const { walk, block } = this;
    for (let at = walk.start(root); at !== 0; at = walk.next(walk.level >= layer)) {
      if (walk.level !== layer) continue;
      block.at(at);
      const failed = block.miniportReserved0;
      if (failed === 0 || !isOffloaded(block.status) || block.role === BlockRole.Placeholder) continue;
      const none = block.miniportReserved1 === 0;
      block.status = none && block.role === BlockRole.Linker ? NdisStatus.Failure : NdisStatus.OffloadPartialSuccess;
      if (block.status !== NdisStatus.Failure || walk.parent === 0) continue;
      this.parent.at(walk.parent);
      this.parent.miniportReserved0++;
      this.parent.miniportReserved1--;
    }
  }

  /** The other reading of §2.4 (A15): a neighbor is partial also when one of its paths is. */
  #settleUpward(root: number): void {
    const { walk, block, parent } = this;
    for (let at = walk.start(root); at !== 0; at = walk.next(walk.level >= 1)) {
      if (walk.parent === 0 || block.at(at).status !== NdisStatus.OffloadPartialSuccess) continue;
      const isTold = parent.at(walk.parent).role === BlockRole.Placeholder;
      if (!isTold && parent.status === NdisStatus.Success) parent.status = NdisStatus.OffloadPartialSuccess;
    }
  }

  #take(parent: number): number {
    const block = this.block;
    if (block.role === BlockRole.Placeholder) return NdisStatus.Success;
    switch (block.type) {
      case OffloadStateType.Neighbor:
        return block.role === BlockRole.Linker ? this.known(this.neighborOf(block)) : this.#takeNeighbor();
      case OffloadStateType.Ip6:
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
    if (block.role === BlockRole.Reserve) {
      const { vlanId, dlSourceHi, dlSourceLo } = this.#needs.at(block.base + BLOCK_HEADER_BYTES);
      tree.neighborState.vlanId = vlanId;
      tree.neighborState.dlSourceHi = dlSourceHi;
      tree.neighborState.dlSourceLo = dlSourceLo;
      tree.neighbor.flags = EntryFlag.Reserved;
    } else {
      this.copy(tree.neighbor.base, block.base + BLOCK_HEADER_BYTES, StateRange.neighbor.all);
    }
    const refusal = this.#refuseNeighbor();
    if (refusal !== NdisStatus.Success) {
      tree.neighbors.free(slot);
      return refusal;
    }
    tree.neighbor.ndisOffloadHandle = block.ndisOffloadHandle;
    this.firmware.neighborLoaded(slot);
    block.offloadHandle = tree.neighbors.handleOf(slot);
    return NdisStatus.Success;
  }

  /** Digest §4.8: a VID that is none of the interface's; §1.2: a source address that the device cannot send from. */
  #refuseNeighbor(): number {
    const { vlanId, dlSourceHi, dlSourceLo } = this.tree.neighborState;
    const { vlanIds } = this.boot.config.target;
    if (vlanId !== 0 && vlanIds.length > 0 && !vlanIds.includes(vlanId)) return NdisStatus.OffloadVlanMismatch;
    const taken = this.firmware.takeSource(dlSourceHi, dlSourceLo);
    return taken ? NdisStatus.Success : NdisStatus.OffloadHwAddressEntries;
  }

  #takePath(parent: number): number {
    const tree = this.tree;
    const block = this.block;
    const neighbor = parent === 0 ? -1 : this.neighborOf(this.parent.at(parent));
    if (neighbor < 0) return NdisStatus.Failure;
    // A21: what the device cannot do is refused, whoever asks.
    const isIpv6 = isIpv6Type(block.type);
    if (isIpv6 && !this.boot.config.target.supportsIpv6) return NdisStatus.NotSupported;
    const slot = tree.paths.allocate();
    if (slot < 0) return NdisStatus.OffloadPathEntries;
    tree.placePath(slot);
    if (block.role === BlockRole.Reserve) {
      tree.pathState.pathMtu = this.#needs.at(block.base + BLOCK_HEADER_BYTES).pathMtu;
      tree.path.flags = EntryFlag.Reserved;
    } else {
      this.copy(tree.path.base, block.base + BLOCK_HEADER_BYTES, StateRange.path.all);
    }
    if (tree.pathState.pathMtu > this.boot.config.mtu) {
      tree.paths.free(slot);
      return NdisStatus.OffloadPathMtu;
    }
    if (block.role === BlockRole.New) tree.numberAddresses(isIpv6);
    tree.attachPath(neighbor, slot);
    block.offloadHandle = tree.paths.handleOf(slot);
    return NdisStatus.Success;
  }

  #takeTcp(parent: number): number {
    const block = this.block;
    const path = parent === 0 ? -1 : this.pathOf(this.parent.at(parent));
    if (path < 0) return NdisStatus.Failure;
    const slot = this.#loader.reserve(path, block.ndisOffloadHandle);
    if (slot < 0) return NdisStatus.OffloadTcpEntries;
    const status = block.role === BlockRole.Reserve ? this.#reserveTcp(slot) : this.#loader.load(slot, block.base);
    if (status === NdisStatus.Success) block.offloadHandle = this.firmware.table.handleOf(slot);
    return status;
  }

  /** Figure 3, 324: does it fit? */
  #reserveTcp(slot: number): number {
    const { initialRcvWnd, constFlags } = this.#needs.at(this.block.base + BLOCK_HEADER_BYTES);
    const refusal = this.#loader.refusalOf(initialRcvWnd, constFlags);
    if (refusal === NdisStatus.Success) return refusal;
    this.#loader.release(slot);
    this.stats.offloadsRefused++;
    return refusal;
  }
}
