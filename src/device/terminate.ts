/**
 * Terminate in the device (R27, R28; digest §3.6): all that frees. Connections go first, then paths, then neighbors, so
 * that counts reach zero in order.
 */
import { NdisStatus } from '../base/status.ts';
import { BLOCK_HEADER_BYTES, BlockRole, type BlockCursor, layerOf, OffloadStateType } from '../offload/block-list.ts';
import { exportDelegated } from '../offload/handover.ts';
import { SentTransfer } from '../offload/sent-transfer.ts';
import { StateRange } from '../offload/state-objects.ts';
import { TCP_TRANSFER_OFFSET, TcpTransfer } from '../offload/tcp-transfer.ts';
import { TcpPrivateFlag } from '../tcp/tcb.ts';
import { OffloadOperation } from './offload-operation.ts';

/** The layer of connections. */
const TCP = 2;

export class Terminate extends OffloadOperation {
  readonly #transfer = TcpTransfer.view(this.memory);
  readonly #sent = new SentTransfer(this.memory);

  /** False when the list is not one: the device faults. */
  run(root: number): boolean {
    for (let layer = TCP; layer >= 0; layer--) {
      const walk = this.walk;
      // Of 100,000 connections the last two passes see none: only the first goes below paths.
      const skips = layer < TCP;
      for (let at = walk.start(root); at !== 0; at = walk.next(skips && layerOf(this.block.type) === layer)) {
        const block = this.block.at(at);
        if (block.role === BlockRole.Placeholder) {
          block.status = NdisStatus.Success;
        } else if (layer === TCP && block.type === OffloadStateType.Tcp) {
          block.status = this.#terminateTcp(block);
        } else if (layer === 1 && (block.type === OffloadStateType.Ip4 || block.type === OffloadStateType.Ip6)) {
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
    const firmware = this.firmware;
    const { table, tcb } = firmware;
    const slot = table.slotOfHandle(block.offloadHandle);
    if (slot < 0) return this.known(slot);
    if (firmware.isCorrupt(slot)) return this.#terminateCorrupt(slot);
    firmware.quiesce(slot);
    tcb.at(table.addressOf(slot));
    exportDelegated(tcb, firmware.now);
    this.#sent.give(tcb, block.base, firmware.now, firmware.sent);
    tcb.privateFlags = TcpPrivateFlag.Frozen;
    firmware.detach(slot, NdisStatus.UploadInProgress);
    tcb.at(table.addressOf(slot));
    tcb.bufferedData = firmware.delivery.takeHeld(slot);
    this.copyRange(block.base + BLOCK_HEADER_BYTES, tcb.base, StateRange.tcp.delegated);
    block.netBufferListChain = tcb.sendDataHead;
    const transfer = this.#transfer.at(block.base + TCP_TRANSFER_OFFSET);
    // Lent to the host from now on, as bufferedData is.
    transfer.outOfOrder = tcb.oooHead;
    transfer.forwardedSegments = firmware.kept.take(slot);
    this.#release(slot);
    this.stats.uploads++;
    return NdisStatus.Success;
  }

  /** Damaged state is no state: FAILURE, rather than something that looks like one (D26). */
  #terminateCorrupt(slot: number): number {
    this.firmware.discard(slot);
    this.firmware.detach(slot, NdisStatus.RequestAborted);
    this.#release(slot);
    return NdisStatus.Failure;
  }

  #release(slot: number): void {
    const { table, tcb } = this.firmware;
    tcb.at(table.addressOf(slot));
    this.tree.detachConnection(tcb.path, slot);
    this.firmware.leave(slot);
    table.free(slot);
  }

  #terminatePath(block: BlockCursor): number {
    const tree = this.tree;
    const slot = this.pathOf(block);
    if (slot < 0) return this.known(slot);
    tree.placePath(slot);
    // The host never terminates a path that still has dependents (D21).
    if (tree.path.dependents !== 0) return NdisStatus.Failure;
    tree.pathState.ipIdStart = (tree.pathState.ipIdStart + tree.path.ipIdCounter) & 0xffff;
    this.copyRange(block.base + BLOCK_HEADER_BYTES, tree.path.base, StateRange.path.delegated);
    tree.detachPath(slot);
    tree.freePath(slot);
    return NdisStatus.Success;
  }

  #terminateNeighbor(block: BlockCursor): number {
    const tree = this.tree;
    const slot = this.neighborOf(block);
    if (slot < 0) return this.known(slot);
    tree.placeNeighbor(slot);
    if (tree.neighbor.dependents !== 0) return NdisStatus.Failure;
    tree.neighborState.nicReachabilityDelta = tree.reachability.nicDelta(slot, this.firmware.now) | 0;
    this.copyRange(block.base + BLOCK_HEADER_BYTES, tree.neighbor.base, StateRange.neighbor.delegated);
    const { dlSourceHi, dlSourceLo } = tree.neighborState;
    this.firmware.releaseSource(dlSourceHi, dlSourceLo);
    tree.neighbors.free(slot);
    return NdisStatus.Success;
  }
}
