/**
 * Requests that move connections between host and device, on their way: made, handed down through the layers (330 of
 * Figure 3), and found again by the root block that comes back up.
 *
 * Requests are used again; none is made in steady state.
 */
import type { Trace } from '../base/trace.ts';
import type { BlockPool } from '../offload/block-list.ts';
import type { Framing } from './framing.ts';
import type { Adapter } from './ndis.ts';
import type { Network } from './network.ts';
import { OffloadOperation, OffloadRequest } from './offload-request.ts';
import type { TransportOffload } from './transport-offload.ts';

export class HandOvers {
  readonly #offload: TransportOffload;
  readonly #network: Network;
  readonly #framing: Framing;
  readonly #blocks: BlockPool;
  readonly #listMax: number;
  /** By the index of their root block. */
  readonly #pending: (OffloadRequest | null)[];
  readonly #spare: OffloadRequest[] = [];
  pendingCount = 0;
  trace: Trace | null = null;

  constructor(offload: TransportOffload, network: Network, framing: Framing, blocks: BlockPool, listMax: number) {
    this.#offload = offload;
    this.#network = network;
    this.#framing = framing;
    this.#blocks = blocks;
    this.#listMax = listMax;
    this.#pending = Array.from({ length: blocks.capacity }, () => null);
  }

  /** Blocks for one more list: a path and a neighbor for each connection at worst. */
  get hasBlocks(): boolean {
    return this.#blocks.available >= 3 * this.#listMax;
  }

  make(operation: OffloadOperation, adapter: Adapter): OffloadRequest {
    const request = this.#spare.pop() ?? new OffloadRequest(adapter, this.#listMax);
    return request.reset(operation, adapter);
  }

  /** Nobody needs it any more. */
  drop(request: OffloadRequest): void {
    this.#spare.push(request);
  }

  /** The layers add their blocks, and NDIS hands the list to the device. */
  submit(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    const what = initiate ? 'initiate' : 'terminate';
    this.trace?.emit('tli', 'transport', `${what} offload, ${request.count} connections`);
    this.#offload.describe(request);
    this.#pending[this.#blocks.indexOf(request.root)] = request;
    this.pendingCount++;
    const { down, name } = request.adapter;
    this.trace?.emit('ndis', name, `${what} offload, ${request.blockCount} blocks`);
    if (initiate) down.initiateOffload(request.root);
    else down.terminateOffload(request.root);
  }

  /** The request of a completion, null when there is none. */
  take(root: number): OffloadRequest | null {
    const index = this.#blocks.indexOf(root);
    const request = index < 0 ? null : this.#pending[index]!;
    if (request === null) return null;
    this.#pending[index] = null;
    this.pendingCount--;
    return request;
  }

  /** Framing, Network and Transport each take their entries. */
  climb(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    this.trace?.emit(request.adapter.name, 'framing', initiate ? 'initiate complete' : 'terminate complete');
    this.#framing.complete(request);
    this.#network.complete(request);
    this.#offload.complete(request);
  }

  /** A16: paths and neighbors that a device took but whose connections it refused. False when there are none. */
  terminateOrphans(adapter: Adapter): boolean {
    const request = this.make(OffloadOperation.Terminate, adapter);
    this.#network.orphans(adapter, request, this.#listMax);
    if (request.paths.count === 0) this.#framing.orphans(adapter, request);
    if (request.blockCount === 0) {
      this.drop(request);
      return false;
    }
    this.submit(request);
    return true;
  }
}
