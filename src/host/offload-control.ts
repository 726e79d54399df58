/**
 * Calls about objects that are on devices, other than initiate and terminate, together: updates of the three layers,
 * relinks, invalidations, queries, and reachability. One of them knows each root that is out.
 */
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import type { BlockPool } from '../offload/block-list.ts';
import type { Tcb } from '../tcp/tcb.ts';
import type { Framing } from './framing.ts';
import { Invalidations } from './invalidations.ts';
import { Neighbor } from './neighbor.ts';
import type { Network } from './network.ts';
import type { PathControl } from './path-table.ts';
import type { Path } from './path.ts';
import { Queries } from './queries.ts';
import { NeighborUnreachability } from './reachability.ts';
import type { Recalls } from './recalls.ts';
import { Relinks } from './relinks.ts';
import type { TransportOffload } from './transport-offload.ts';

export class OffloadControl implements PathControl {
  readonly queries: Queries;
  readonly invalidations: Invalidations;
  readonly relinks: Relinks;
  readonly reachability: NeighborUnreachability;
  readonly #framing: Framing;
  readonly #network: Network;
  readonly #offload: TransportOffload;
  readonly #recalls: Recalls;

  constructor(
    memory: Memory,
    framing: Framing,
    network: Network,
    offload: TransportOffload,
    blocks: BlockPool,
    recalls: Recalls,
  ) {
    this.#framing = framing;
    this.#network = network;
    this.#offload = offload;
    this.#recalls = recalls;
    this.queries = new Queries(memory, blocks);
    this.invalidations = new Invalidations(memory, blocks, recalls);
    this.relinks = new Relinks(memory, framing, network, blocks, recalls);
    this.reachability = new NeighborUnreachability(framing, this.queries);
    network.control = this;
    offload.recalls = recalls;
  }

  setTrace(trace: Trace | null): void {
    this.#framing.offload.updates.trace = trace;
    this.#network.offload.updates.trace = trace;
    this.#offload.updates.trace = trace;
    this.invalidations.trace = trace;
    this.relinks.trace = trace;
    this.reachability.trace = trace;
  }

  // --- PathControl ---

  relink(path: Path): void {
    this.relinks.request(path);
  }

  invalidate(object: Path | Neighbor): void {
    this.invalidations.invalidate(object);
  }

  takeBack(object: Path | Neighbor): void {
    if (object instanceof Neighbor) this.#recalls.neighbor(object);
    else this.#recalls.path(object);
  }

  // --- for statistics and diagnostics (R22) ---

  /** False: the connection is on no device, or there is no block for the question now. */
  queryConnection(slot: number, answer: (status: number, tcb: Tcb) => void): boolean {
    return this.queries.connection(this.#offload.objectOf(slot), this.#offload.adapterOf(slot), answer);
  }

  // --- every step ---

  /** An update can go that was called for outside of a step. */
  get hasWork(): boolean {
    return (
      this.#framing.offload.updates.isReady || this.#network.offload.updates.isReady || this.#offload.updates.isReady
    );
  }

  step(now: number): number {
    const calls = this.reachability.step(now) + this.invalidations.step() + this.relinks.step();
    return (
      calls +
      this.#framing.offload.updates.flush() +
      this.#network.offload.updates.flush() +
      this.#offload.updates.flush()
    );
  }

  ticksUntilNext(): number {
    return this.reachability.ticksUntilNext();
  }

  // --- completions ---

  initiateComplete(root: number): boolean {
    return this.relinks.initiateComplete(root);
  }

  updateComplete(root: number): void {
    if (this.#framing.offload.updates.complete(root) || this.#network.offload.updates.complete(root)) return;
    if (!this.#offload.updates.complete(root)) this.relinks.updateComplete(root);
  }
}
