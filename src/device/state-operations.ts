/**
 * Update, invalidate and query in the device (R21, R22; digest §3.4, §3.5): operations on objects that are there.
 *
 * Update changes what is cached, or links a path to another neighbor; invalidate stops transmission; query only reads.
 */
import { NdisStatus } from '../base/status.ts';
import { BLOCK_HEADER_BYTES, type BlockCursor, OffloadStateType } from '../offload/block-list.ts';
import { TcpUploadReason } from '../offload/events.ts';
import { NeighborEntry, PathEntry } from '../ring/nic-layout.ts';
import { StateRange } from '../offload/state-objects.ts';
import { TcbLayout } from '../tcp/tcb.ts';
import { EntryFlag } from './inverted-tree.ts';
import { OffloadOperation } from './offload-operation.ts';

export class StateOperations extends OffloadOperation {
  /** Cached values down, or — a neighbor with path dependents — a relink (digest §3.4). */
  update(root: number): boolean {
    const walk = this.walk;
    const tree = this.tree;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      const block = this.block.at(at);
      this.stats.updates++;
      const from = block.base + BLOCK_HEADER_BYTES;
      if (block.type === OffloadStateType.Neighbor || block.type === OffloadStateType.NeighborCached) {
        const slot = this.neighborOf(block);
        block.status = this.known(slot);
        if (slot >= 0 && block.type === OffloadStateType.NeighborCached) {
          this.copyRange(tree.neighbors.addressOf(slot), from, StateRange.neighbor.cached);
        }
      } else if (block.type === OffloadStateType.Ip4 || block.type === OffloadStateType.Ip4Cached) {
        const slot = this.pathOf(block);
        block.status = this.known(slot);
        if (slot < 0) continue;
        if (block.type === OffloadStateType.Ip4Cached) {
          this.copyRange(tree.paths.addressOf(slot), from, StateRange.path.cached);
        }
        const neighbor = walk.parent === 0 ? -1 : this.neighborOf(this.parent.at(walk.parent));
        if (neighbor >= 0) tree.relink(slot, neighbor);
      } else {
        block.status = this.#updateTcp(block, from);
      }
    }
    return !walk.corrupt;
  }

  #updateTcp(block: BlockCursor, from: number): number {
    const { table } = this.firmware;
    const slot = table.slotOfHandle(block.offloadHandle);
    if (slot < 0 || block.type !== OffloadStateType.TcpCached) return this.known(-1);
    this.copyRange(table.addressOf(slot), from, StateRange.tcp.cached);
    this.firmware.refreshed(slot);
    return NdisStatus.Success;
  }

  /** Marks objects so that nothing that depends on them transmits, and asks for what does (digest §3.5). */
  invalidate(root: number): boolean {
    const walk = this.walk;
    const tree = this.tree;
    const { table, tcb } = this.firmware;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      const block = this.block.at(at);
      const isPath = block.type === OffloadStateType.Ip4;
      const slot = isPath ? this.pathOf(block) : this.neighborOf(block);
      block.status = this.known(slot);
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
      if (!tree.climb(tcb.path)) this.firmware.retrieve(tcb, TcpUploadReason.InvalidState);
    }
    return true;
  }

  /** Fills the state behind each block with a snapshot; ownership does not move (R22). */
  query(root: number): boolean {
    const walk = this.walk;
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      const block = this.block.at(at);
      const to = block.base + BLOCK_HEADER_BYTES;
      if (block.type === OffloadStateType.Tcp) {
        const slot = this.firmware.table.slotOfHandle(block.offloadHandle);
        block.status = slot >= 0 && this.firmware.isCorrupt(slot) ? NdisStatus.Failure : this.known(slot);
        if (block.status === NdisStatus.Success)
          this.copy(to, this.firmware.table.addressOf(slot), TcbLayout.range('delegated').end);
      } else if (block.type === OffloadStateType.Ip4) {
        const slot = this.pathOf(block);
        block.status = this.known(slot);
        if (slot >= 0) this.copy(to, this.tree.paths.addressOf(slot) + PathEntry.offset.state, StateRange.path.all);
      } else {
        const slot = this.neighborOf(block);
        block.status = this.known(slot);
        const state = NeighborEntry.offset.state;
        if (slot >= 0) this.copy(to, this.tree.neighbors.addressOf(slot) + state, StateRange.neighbor.all);
      }
    }
    return !walk.corrupt;
  }
}
