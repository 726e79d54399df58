/**
 * VLANs (R42): one virtual adapter a VLAN over one adapter below, 802.1Q tags in and out.
 *
 * On the host path the driver patches the virtual adapter's `sendFrame` to insert the tag and sends received frames to
 * the adapter of their tag, without it. For offloaded connections it writes the VID into the neighbor's CONST state; the
 * device tags and filters. Frames without a tag, or with a VID that nobody has, are dropped and counted.
 */
import { BLOCK_HEADER_BYTES, BlockRole, BlockWalk, Block, OffloadStateType } from '../offload/block-list.ts';
import { ResourceNeeds } from '../offload/resource-needs.ts';
import { NeighborState } from '../offload/state-objects.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { type Adapter, patch } from '../host/ndis.ts';
import { insertTag, removeTag, tciOf, vidOf } from '../wire/vlan.ts';
import { IntermediateDriver } from './intermediate-driver.ts';

export class VlanDriver extends IntermediateDriver {
  readonly #byVid = new Map<number, number>();
  readonly #treeWalk: BlockWalk;
  readonly #treeBlock;
  readonly #neighbor;
  readonly #needs;
  untagged = 0;
  foreignVid = 0;

  constructor(memory: Memory, blocks: Region, lower: Adapter, vids: readonly number[]) {
    super(memory, blocks, [lower]);
    this.#treeWalk = new BlockWalk(memory, blocks);
    this.#treeBlock = Block.view(memory);
    this.#neighbor = NeighborState.view(memory);
    this.#needs = ResourceNeeds.view(memory);
    for (const vid of vids) this.#addVlan(lower, vid);
  }

  #addVlan(lower: Adapter, vid: number): void {
    const adapter = this.addVirtual(`${lower.name}.${vid}`, lower.macHi, lower.macLo, lower.mtu);
    adapter.capabilities = lower.capabilities;
    this.#byVid.set(vid, this.virtuals.length - 1);
    const tci = tciOf(0, 0, vid);
    patch(adapter.down, 'sendFrame', next => buffer => {
      const descriptor = this.buffer.at(buffer);
      descriptor.dataAddress = insertTag(this.memory.view, descriptor.dataAddress, descriptor.dataLength, tci);
      descriptor.dataLength += 4;
      next(buffer);
    });
    // The VID is among the needs, and in the state, wherever that travels.
    for (const entry of ['initiateOffload', 'loadOffloadState'] as const) {
      patch(adapter.down, entry, next => root => {
        this.#tagNeighbors(root, vid);
        next(root);
      });
    }
  }

  /** ¶116: the VID travels in the framing state object. */
  #tagNeighbors(root: number, vid: number): void {
    const walk = this.#treeWalk;
    for (let at = walk.start(root); at !== 0; at = walk.next(true)) {
      const block = this.#treeBlock.at(at);
      if (block.type !== OffloadStateType.Neighbor) continue;
      if (block.role === BlockRole.New) this.#neighbor.at(at + BLOCK_HEADER_BYTES).vlanId = vid;
      else if (block.role === BlockRole.Reserve) this.#needs.at(at + BLOCK_HEADER_BYTES).vlanId = vid;
    }
  }

  protected routeOut(): number {
    return 0;
  }

  protected routeIn(_member: number, address: number): number {
    const buffer = this.buffer.at(address);
    const { dataAddress, dataLength } = buffer;
    const vid = vidOf(this.memory.view, dataAddress, dataAddress + dataLength);
    if (vid < 0) {
      this.untagged++;
      return -1;
    }
    const virtual = this.#byVid.get(vid);
    if (virtual === undefined) {
      this.foreignVid++;
      return -1;
    }
    buffer.dataAddress = removeTag(this.memory.view, dataAddress, dataLength);
    buffer.dataLength = dataLength - 4;
    buffer.vid = vid;
    return virtual;
  }

  protected statusIndicated(_member: number, status: number): void {
    for (const adapter of this.virtuals) {
      adapter.capabilities = this.members[0]!.capabilities;
      adapter.linkUp = this.members[0]!.linkUp;
      adapter.up.indicateStatus(status);
    }
  }
}
