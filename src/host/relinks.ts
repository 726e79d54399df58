/**
 * Another next hop for paths that are on a device (R8, R9, ¶102; Figures 4C and 4D): after an ICMP redirect, or when a
 * route changes.
 *
 *   redirected ─► neighbor resolved (ARP) ─► neighbor initiated, alone ─► paths relinked, one update ─► old one terminated
 *
 * The new neighbor is there before the old one loses a path (R9), and the old one is terminated by itself when it has
 * lost the last (C03). The host's own datagrams go the new way at once. If the new neighbor cannot be had, the connections
 * are taken back.
 */
import { NdisStatus } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import { Block, type BlockCursor, type BlockPool, BlockRole, OffloadStateType } from '../offload/block-list.ts';
import { OffloadState } from '../offload/offload-state.ts';
import type { Framing } from './framing.ts';
import { Outcome, takeEntry } from './lower-object.ts';
import { type Neighbor, isResolved, Reachability } from './neighbor.ts';
import type { Network } from './network.ts';
import type { Path } from './path.ts';
import type { Recalls } from './recalls.ts';

export class Relinks {
  readonly #framing: Framing;
  readonly #network: Network;
  readonly #blocks: BlockPool;
  readonly #block: BlockCursor;
  readonly #recalls: Recalls;
  /** Paths whose object on the device hangs on another neighbor than it should. */
  readonly #waiting = new Set<Path>();
  readonly #initiates = new Map<number, Neighbor>();
  readonly #updates = new Map<number, { readonly neighbor: Neighbor; readonly paths: readonly Path[] }>();
  trace: Trace | null = null;
  pathsMoved = 0;
  #calls = 0;

  constructor(memory: Memory, framing: Framing, network: Network, blocks: BlockPool, recalls: Recalls) {
    this.#framing = framing;
    this.#network = network;
    this.#blocks = blocks;
    this.#block = Block.view(memory);
    this.#recalls = recalls;
  }

  /** The path has another neighbor now; its object on the device is to follow. */
  request(path: Path): void {
    if (path.offloadState !== OffloadState.InHost) this.#waiting.add(path);
  }

  /** Takes every waiting path as far as it can go; returns the calls that were made. */
  step(): number {
    if (this.#waiting.size === 0) return 0;
    const before = this.#calls;
    const ready = new Map<Neighbor, Path[]>();
    for (const path of this.#waiting) {
      if (path.offloadState === OffloadState.InHost || path.linked === path.neighbor) this.#waiting.delete(path);
      else if (this.#isReady(path)) {
        const paths = ready.get(path.neighbor);
        if (paths === undefined) ready.set(path.neighbor, [path]);
        else paths.push(path);
      }
    }
    for (const [neighbor, paths] of ready) this.#relink(neighbor, paths);
    return this.#calls - before;
  }

  #isReady(path: Path): boolean {
    const { neighbor } = path;
    // One update at a time (C10), and none of what is invalid (C12).
    if (path.offloadState !== OffloadState.Offloaded || path.updateOut || path.invalidated) return false;
    if (!isResolved(neighbor)) {
      if (neighbor.reachability === Reachability.Failed) this.#giveUp(path);
      else this.#framing.neighbors.resolve(neighbor);
      return false;
    }
    if (neighbor.offloadState === OffloadState.InHost) this.#initiate(neighbor);
    return neighbor.offloadState === OffloadState.Offloaded && !neighbor.updateOut && !neighbor.invalidated;
  }

  #giveUp(path: Path): void {
    this.#waiting.delete(path);
    this.#recalls.path(path);
  }

  /** R9: a list of one block. */
  #initiate(neighbor: Neighbor): void {
    const { adapter } = neighbor.iface;
    const address = this.#recalls.isPaused(adapter) ? 0 : this.#blocks.allocate(OffloadStateType.Neighbor);
    if (address === 0) return;
    this.#framing.offload.describeAlone(neighbor, this.#block.at(address));
    this.#initiates.set(address, neighbor);
    this.trace?.emit('framing', adapter.name, 'initiate neighbor');
    this.#calls++;
    adapter.down.initiateOffload(address);
  }

  initiateComplete(root: number): boolean {
    const neighbor = this.#initiates.get(root);
    if (neighbor === undefined) return false;
    this.#initiates.delete(root);
    const outcome = takeEntry(neighbor, true, this.#block.at(root), neighbor.iface.adapter.down);
    this.#blocks.free(root);
    this.#framing.offload.updates.settled(neighbor);
    if (outcome === Outcome.Refused) {
      for (const path of this.#waiting) if (path.neighbor === neighbor) this.#giveUp(path);
      return true;
    }
    this.step();
    // Nobody wants it any more.
    if (neighbor.offloadedPaths === 0) this.#recalls.orphaned(neighbor.iface.adapter);
    return true;
  }

  /** Root: the new neighbor; dependents: the paths that move to it, in one transaction (digest §3.4). */
  #relink(neighbor: Neighbor, paths: Path[]): void {
    // What finds no block follows with the next step.
    const moved = paths.slice(0, this.#blocks.available - 1);
    if (moved.length === 0) return;
    const root = this.#named(OffloadStateType.Neighbor, neighbor.offloadHandle, neighbor.id);
    let previous = 0;
    for (const path of moved) {
      const address = this.#named(path.blockType, path.offloadHandle, 0);
      if (previous === 0) this.#block.at(root).dependentBlockList = address;
      else this.#block.at(previous).nextBlock = address;
      previous = address;
      path.updateOut = true;
      path.callsOut++;
    }
    neighbor.updateOut = true;
    neighbor.callsOut++;
    this.#updates.set(root, { neighbor, paths: moved });
    const { adapter } = neighbor.iface;
    this.trace?.emit('network', adapter.name, `relink ${moved.length} paths`);
    this.#calls++;
    adapter.down.updateOffload(root);
  }

  #named(type: OffloadStateType, handle: number, context: number): number {
    const address = this.#blocks.allocate(type);
    const block = this.#block.at(address);
    block.role = BlockRole.Linker;
    block.offloadHandle = handle;
    block.ndisOffloadHandle = context;
    return address;
  }

  updateComplete(root: number): boolean {
    const call = this.#updates.get(root);
    if (call === undefined) return false;
    this.#updates.delete(root);
    const { neighbor, paths } = call;
    neighbor.updateOut = false;
    neighbor.callsOut--;
    let address = this.#block.at(root).dependentBlockList;
    for (const path of paths) {
      const { status, nextBlock } = this.#block.at(address);
      this.#blocks.free(address);
      address = nextBlock;
      path.updateOut = false;
      path.callsOut--;
      this.#moved(path, neighbor, status === NdisStatus.Success);
      this.#network.offload.updates.settled(path);
    }
    this.#blocks.free(root);
    this.#framing.offload.updates.settled(neighbor);
    this.#recalls.orphaned(neighbor.iface.adapter);
    return true;
  }

  #moved(path: Path, neighbor: Neighbor, done: boolean): void {
    if (!done) {
      this.#giveUp(path);
      return;
    }
    path.linked!.offloadedPaths--;
    neighbor.offloadedPaths++;
    path.linked = neighbor;
    this.pathsMoved++;
    // Redirected once more meanwhile, it moves on with the next step.
    if (path.neighbor === neighbor) this.#waiting.delete(path);
    else this.#waiting.add(path);
  }
}
