/**
 * The second half of an offload in the seed's form (Figure 3, 308–320): the state of objects that initiate made room for.
 *
 * Each layer sends a flat list of its own blocks as the completion passes it: neighbors first, then paths, then
 * connections, which are live from then on. A handle that has gone meanwhile is refused.
 */
import { NdisStatus } from '../base/status.ts';
import type { Memory } from '../memory/memory.ts';
import { BLOCK_HEADER_BYTES, type BlockCursor, isIpv6Type, OffloadStateType } from '../offload/block-list.ts';
import { StateRange } from '../offload/state-objects.ts';
import type { NicBoot } from '../ring/nic-layout.ts';
import { TcpState } from '../tcp/tcb.ts';
import { EntryFlag, type InvertedTree } from './inverted-tree.ts';
import { OffloadOperation } from './offload-operation.ts';
import type { NicStatistics } from './statistics.ts';
import type { TcpFirmware } from './tcp-firmware.ts';
import type { TcpLoader } from './tcp-loader.ts';

export class LoadState extends OffloadOperation {
  readonly #loader: TcpLoader;

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
  }

  /** False when the list is not one: the device faults. */
  run(root: number): boolean {
    this.#loader.begin();
    for (let at = this.walk.start(root); at !== 0; at = this.walk.next()) {
      const block = this.block.at(at);
      const status = this.#load(block);
      block.at(at).status = status;
    }
    return !this.walk.corrupt;
  }

  #load(block: BlockCursor): number {
    const from = block.base + BLOCK_HEADER_BYTES;
    switch (block.type) {
      case OffloadStateType.Neighbor: {
        const slot = this.neighborOf(block);
        if (slot < 0) return this.known(slot);
        this.tree.placeNeighbor(slot);
        this.copy(this.tree.neighbor.base, from, StateRange.neighbor.all);
        this.tree.neighbor.flags &= ~EntryFlag.Reserved;
        this.firmware.neighborLoaded(slot);
        return NdisStatus.Success;
      }
      case OffloadStateType.Ip6:
      case OffloadStateType.Ip4: {
        const slot = this.pathOf(block);
        if (slot < 0) return this.known(slot);
        this.tree.placePath(slot);
        // State goes in once.
        if ((this.tree.path.flags & EntryFlag.Reserved) === 0) return NdisStatus.Failure;
        this.copy(this.tree.path.base, from, StateRange.path.all);
        this.tree.numberAddresses(isIpv6Type(block.type));
        this.tree.path.flags &= ~EntryFlag.Reserved;
        return NdisStatus.Success;
      }
      case OffloadStateType.Tcp:
        return this.#loadTcp(block);
      default:
        return NdisStatus.NotSupported;
    }
  }

  #loadTcp(block: BlockCursor): number {
    const { table, tcb } = this.firmware;
    const slot = table.slotOfHandle(block.offloadHandle);
    if (slot < 0) return this.known(slot);
    // State goes in once: what runs already is its own.
    if (tcb.at(table.addressOf(slot)).state !== TcpState.Closed) return NdisStatus.Failure;
    return this.#loader.load(slot, block.base);
  }
}
