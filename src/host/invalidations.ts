/**
 * Invalidating a path or a neighbor (R23; digest §3.5): the fast way to stop what may be thousands of connections, when a
 * neighbor does not answer any more or a route goes away.
 *
 * From the request on the object is neither updated nor offered. The device stops, and asks for each connection
 * (Retrieve, InvalidState); their terminates take path and neighbor along. With them the object is valid again.
 */
import { NdisStatus } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  type BlockCursor,
  type BlockPool,
  BlockRole,
  OffloadStateType,
} from '../offload/block-list.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { PathState } from '../offload/state-objects.ts';
import { Neighbor } from './neighbor.ts';
import type { Path } from './path.ts';
import type { Recalls } from './recalls.ts';

type LowerLayerObject = Path | Neighbor;

export class Invalidations {
  readonly #blocks: BlockPool;
  readonly #block: BlockCursor;
  readonly #pathState: ReturnType<typeof PathState.view>;
  readonly #recalls: Recalls;
  /** Wait for a block, or for the end of a hand-over. */
  #due: LowerLayerObject[] = [];
  readonly #out = new Map<number, LowerLayerObject>();
  trace: Trace | null = null;

  constructor(memory: Memory, blocks: BlockPool, recalls: Recalls) {
    this.#blocks = blocks;
    this.#block = Block.view(memory);
    this.#pathState = PathState.view(memory);
    this.#recalls = recalls;
  }

  /** Nothing happens to an object that is on no device. */
  invalidate(object: LowerLayerObject): void {
    if (object.offloadState === OffloadState.InHost || object.invalidated) return;
    object.invalidated = true;
    object.updateDue = false;
    this.#due.push(object);
    this.step();
  }

  /** Sends what could not be sent before; returns how much there was. */
  step(): number {
    const { length } = this.#due;
    if (length === 0) return 0;
    this.#due = this.#due.filter(object => object.invalidated && !this.#send(object));
    return length - this.#due.length;
  }

  #send(object: LowerLayerObject): boolean {
    // Not during an initiate (digest §3.10); on its way back it stops anyhow.
    if (object.offloadState === OffloadState.Offloading) return false;
    if (object.offloadState !== OffloadState.Offloaded) return true;
    const isNeighbor = object instanceof Neighbor;
    const address = this.#blocks.allocate(isNeighbor ? OffloadStateType.Neighbor : object.blockType);
    if (address === 0) return false;
    const block = this.#block.at(address);
    block.role = BlockRole.Linker;
    block.offloadHandle = object.offloadHandle;
    if (isNeighbor) block.ndisOffloadHandle = object.id;
    object.callsOut++;
    this.#out.set(address, object);
    const { adapter } = object.iface;
    const layer = isNeighbor ? 'framing' : 'network';
    this.trace?.emit(layer, adapter.name, `invalidate ${isNeighbor ? 'neighbor' : 'path'}`);
    adapter.down.invalidateOffload(address);
    return true;
  }

  complete(root: number): boolean {
    const object = this.#out.get(root);
    if (object === undefined) return false;
    this.#out.delete(root);
    object.callsOut--;
    const { status } = this.#block.at(root);
    const isNeighbor = object instanceof Neighbor;
    if (status !== NdisStatus.Success) {
      if (isNeighbor) this.#recalls.neighbor(object);
      else this.#recalls.path(object);
    } else if (!isNeighbor) {
      // ¶87: the device says how far it came in its half of the identification space.
      object.ipIdStart = this.#pathState.at(root + BLOCK_HEADER_BYTES).ipIdStart;
    }
    this.#blocks.free(root);
    this.#recalls.orphaned(object.iface.adapter);
    return true;
  }
}
