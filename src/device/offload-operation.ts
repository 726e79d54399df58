/**
 * What the state operations of a device share (digest §3.2): the walk over a block list, handles checked against the NIC's
 * tables, copies between blocks and entries.
 *
 * Each operation walks a block list once or more, writes a status into every block, and is completed by nic.ts with the
 * same root. Host memory is read through the walk's bounds and the window; every handle is checked.
 */
import { NdisStatus } from '../base/status.ts';
import type { Memory } from '../memory/memory.ts';
import { Block, BlockWalk, type BlockCursor } from '../offload/block-list.ts';
import { copyRange } from '../offload/state-objects.ts';
import type { NicBoot } from '../ring/nic-layout.ts';
import type { InvertedTree } from './inverted-tree.ts';
import type { NicStatistics } from './statistics.ts';
import type { TcpFirmware } from './tcp-firmware.ts';

export abstract class OffloadOperation {
  protected readonly memory: Memory;
  protected readonly boot: NicBoot;
  protected readonly firmware: TcpFirmware;
  protected readonly tree: InvertedTree;
  protected readonly stats: NicStatistics;
  protected readonly walk: BlockWalk;
  protected readonly block: BlockCursor;
  protected readonly parent: BlockCursor;

  constructor(memory: Memory, boot: NicBoot, firmware: TcpFirmware, tree: InvertedTree, stats: NicStatistics) {
    this.memory = memory;
    this.boot = boot;
    this.firmware = firmware;
    this.tree = tree;
    this.stats = stats;
    this.walk = new BlockWalk(memory, boot.blocks);
    this.block = Block.view(memory);
    this.parent = Block.view(memory);
  }

  /** The status of a block that names an object by its handle (A11). */
  protected known(slot: number): number {
    if (slot >= 0) return NdisStatus.Success;
    this.stats.staleHandles++;
    return NdisStatus.Failure;
  }

  protected neighborOf(block: BlockCursor): number {
    return this.tree.neighbors.slotOfHandle(block.offloadHandle);
  }

  protected pathOf(block: BlockCursor): number {
    return this.tree.paths.slotOfHandle(block.offloadHandle);
  }

  protected copy(to: number, from: number, length: number): void {
    this.memory.kernels.copy(to, from, length);
  }

  protected copyRange(to: number, from: number, range: { start: number; end: number }): void {
    copyRange(this.memory.kernels, to, from, range);
  }
}
