/**
 * Requests that move connections between host and device, on their way: made, handed down through the layers (330 of
 * Figure 3), and found again by the root block that comes back up.
 *
 * Requests are used again; none is made in steady state.
 */
import type { Trace } from '../base/trace.ts';
import type { BlockPool } from '../offload/block-list.ts';
import type { TliConnection } from './connection.ts';
import type { Framing } from './framing.ts';
import type { Adapter } from './ndis.ts';
import type { Network } from './network.ts';
import type { HostOffloadOptions } from './offload-options.ts';
import { OffloadOperation, OffloadRequest } from './offload-request.ts';
import type { TliSwitch } from './tli.ts';
import type { TransportOffload } from './transport-offload.ts';

export class HandOvers {
  readonly #offload: TransportOffload;
  readonly #network: Network;
  readonly #framing: Framing;
  readonly #blocks: BlockPool;
  readonly #listMax: number;
  readonly #options: HostOffloadOptions;
  /** By the index of their root block. */
  readonly #pending: (OffloadRequest | null)[];
  readonly #spare: OffloadRequest[] = [];
  pendingCount = 0;
  /** The last look for orphans found some about which a call is unanswered: look again. */
  orphansBusy = false;
  trace: Trace | null = null;

  constructor(
    offload: TransportOffload,
    network: Network,
    framing: Framing,
    blocks: BlockPool,
    listMax: number,
    options: HostOffloadOptions,
  ) {
    this.#offload = offload;
    this.#network = network;
    this.#framing = framing;
    this.#blocks = blocks;
    this.#listMax = listMax;
    this.#options = options;
    this.#pending = Array.from({ length: blocks.capacity }, () => null);
  }

  /** Blocks for a list of so many connections: a path and a neighbor for each at worst. */
  hasBlocks(connections: number): boolean {
    return this.#blocks.available >= 3 * connections;
  }

  make(operation: OffloadOperation, adapter: Adapter): OffloadRequest {
    const request = this.#spare.pop() ?? new OffloadRequest(adapter, this.#listMax);
    request.reset(operation, adapter);
    request.isReserving = operation === OffloadOperation.Initiate && this.#options.state === 'at-completion';
    request.keepsLower = operation === OffloadOperation.Terminate && this.#options.lowerUploads === 'later';
    return request;
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
    this.#await(request.root, request);
    const { down, name } = request.adapter;
    this.trace?.emit('ndis', name, `${what} offload, ${request.blockCount} blocks`);
    if (initiate) down.initiateOffload(request.root);
    else down.terminateOffload(request.root);
  }

  #await(root: number, request: OffloadRequest): void {
    this.#pending[this.#blocks.indexOf(root)] = request;
    this.pendingCount++;
  }

  isAwaited(root: number): boolean {
    const index = this.#blocks.indexOf(root);
    return index >= 0 && this.#pending[index] !== null;
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

  /**
   * Framing, Network and Transport each take their entries. Returns the request that is complete now: where connections have
   * only now sent their states (Figure 3) that is what was refused, or null; the rest is complete when they are loaded.
   */
  climb(request: OffloadRequest): OffloadRequest | null {
    if (request.loadRoot !== 0) {
      this.#offload.takeAll(request);
      this.trace?.emit('transport', 'tli', 'initiate complete');
      return request;
    }
    request.beginCompletion(request.adapter.down);
    const initiate = request.operation === OffloadOperation.Initiate;
    this.trace?.emit(request.adapter.name, 'framing', initiate ? 'initiate complete' : 'terminate complete');
    this.#framing.offload.complete(request);
    this.#network.offload.complete(request);
    if (request.isReserving) return this.#load(request);
    this.#offload.complete(request);
    return request;
  }

  #load(request: OffloadRequest): OffloadRequest | null {
    const refused = this.make(OffloadOperation.Initiate, request.adapter);
    this.#offload.load(request, refused);
    if (request.loadRoot !== 0) this.#await(request.loadRoot, request);
    else this.drop(request);
    if (refused.count > 0 || request.loadRoot === 0) return refused;
    this.drop(refused);
    return null;
  }

  /** States of neighbors or paths have been loaded. */
  loaded(root: number): void {
    if (!this.#framing.offload.loaded(root)) this.#network.offload.loaded(root);
  }

  /** 322 of Figure 3: the switch lets go what it held, to wherever the state is now. */
  traceHeld(connection: TliConnection, tli: TliSwitch): void {
    const { queuedHead, queuedDisconnect, queuedAbort } = connection;
    if (this.trace === null || (queuedHead === 0 && !queuedDisconnect && !queuedAbort)) return;
    const { name } = tli.adapterOf(connection);
    this.trace.emit('tli', tli.isOffloaded(connection) ? name : 'transport', 'held calls');
  }

  /** A16: paths and neighbors that a device took but whose connections it refused. False when there are none. */
  terminateOrphans(adapter: Adapter): boolean {
    const request = this.make(OffloadOperation.Terminate, adapter);
    request.keepsLower = false;
    const most = Math.min(this.#listMax, Math.floor(this.#blocks.available / 3));
    this.orphansBusy = this.#network.offload.orphans(this.#network.paths, adapter, request, most);
    if (request.paths.count === 0 && this.#framing.offload.orphans(adapter, request)) this.orphansBusy = true;
    if (request.blockCount === 0) {
      this.drop(request);
      return false;
    }
    this.submit(request);
    return true;
  }
}
