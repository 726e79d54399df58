/**
 * The chimney: makes block lists of connections to offload and of connections to take back, and sees each request
 * through (Figures 3, 7 and 8).
 *
 * Candidates wait in a list until it is full or its oldest has waited long enough; connections whose path or neighbor is
 * in transition wait for the next one (R17). A device's pause, upload-all and resume (R38) end up here.
 */
import type { Clock } from '../base/clock.ts';
import { NdisStatus } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import type { BlockPool } from '../offload/block-list.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { AdapterQueue } from './adapter-queue.ts';
import type { TliSwitch } from './tli.ts';
import type { ConnectionWatcher, TliConnection } from './connection.ts';
import { ChimneyStatistics } from './chimney-statistics.ts';
import type { EventLog } from '../base/event-log.ts';
import type { Framing } from './framing.ts';
import type { Adapter } from './ndis.ts';
import type { Network } from './network.ts';
import { OffloadOperation, OffloadRequest } from './offload-request.ts';
import type { OffloadPolicy } from './policy.ts';
import type { TransportOffload } from './transport-offload.ts';

/** Lists that one step sends at most, so that short lists do not take the host for themselves. */
const LISTS_PER_STEP = 64;

export class Chimney implements ConnectionWatcher {
  readonly stats = new ChimneyStatistics();
  readonly #tli: TliSwitch;
  readonly #offload: TransportOffload;
  readonly #network: Network;
  readonly #framing: Framing;
  readonly #blocks: BlockPool;
  readonly #clock: Clock;
  readonly #log: EventLog;
  readonly #queues = new Map<Adapter, AdapterQueue>();
  /** Requests on the way, by the index of their root block. */
  readonly #pending: (OffloadRequest | null)[];
  #pendingCount = 0;
  readonly #spare: OffloadRequest[] = [];
  readonly #listMax: number;
  policy: OffloadPolicy;
  trace: Trace | null = null;
  nowUs = 0;

  constructor(
    tli: TliSwitch,
    offload: TransportOffload,
    network: Network,
    framing: Framing,
    blocks: BlockPool,
    clock: Clock,
    log: EventLog,
    policy: OffloadPolicy,
    listMax: number,
  ) {
    this.#tli = tli;
    this.#offload = offload;
    this.#network = network;
    this.#framing = framing;
    this.#blocks = blocks;
    this.#clock = clock;
    this.#log = log;
    this.policy = policy;
    this.#listMax = listMax;
    this.#pending = Array.from({ length: blocks.capacity }, () => null);
    tli.watcher = this;
  }

  /** Connections that are on a device now. */
  get offloaded(): number {
    let count = 0;
    for (const queue of this.#queues.values()) count += queue.offloaded;
    return count;
  }

  get requestsPending(): number {
    return this.#pendingCount;
  }

  // --- ConnectionWatcher ---

  candidate(connection: TliConnection): void {
    if (connection.listed || !this.policy.wants(connection)) return;
    const queue = this.#queueOf(connection);
    if (queue.paused || queue.adapter.capabilities.tcpConnections === 0) return;
    if (queue.young.length === 0) queue.youngSinceUs = this.nowUs;
    connection.listed = true;
    // Once: what comes back after a failover is not kept waiting again.
    if (this.policy.holdsData && !connection.everOffloaded) connection.paused = true;
    queue.stuck = false;
    queue.young.push(connection);
  }

  takeBack(connection: TliConnection): void {
    if (connection.listed || this.#tli.stateOf(connection) !== OffloadState.Offloaded) return;
    const queue = this.#queueOf(connection);
    if (queue.returning.length === 0) queue.returningSinceUs = this.nowUs;
    connection.listed = true;
    queue.stuck = false;
    queue.returning.push(connection);
  }

  cachedChanged(connection: TliConnection): void {
    this.#offload.updateCached(connection.slot);
  }

  // --- status indications of a device ---

  pause(adapter: Adapter): void {
    this.#queue(adapter).paused = true;
    this.#log.emit('offload-pause', adapter.name, '');
  }

  resume(adapter: Adapter): void {
    const queue = this.#queue(adapter);
    queue.paused = false;
    queue.uploadingAll = false;
    this.#log.emit('offload-resume', adapter.name, `${adapter.capabilities.tcpConnections} connections`);
    this.#tli.connections.forEach(connection => {
      if (connection.handler !== null && this.#tli.adapterOf(connection) === adapter) this.candidate(connection);
    });
  }

  uploadAll(adapter: Adapter): void {
    const queue = this.#queue(adapter);
    queue.uploadingAll = true;
    queue.orphansDue = true;
    this.#giveUpYoung(queue);
    this.#log.emit('upload-all', adapter.name, `${queue.offloaded} connections`);
    this.#tli.connections.forEach(connection => {
      if (this.#tli.adapterOf(connection) === adapter) this.takeBack(connection);
    });
  }

  // --- every step ---

  /** Sends the lists that are ready; returns how many. */
  step(nowUs: number): number {
    this.nowUs = nowUs;
    let sent = 0;
    for (const queue of this.#queues.values()) {
      if (queue.returning.length > 0 && this.#returningReady(queue)) {
        const lists = this.#terminate(queue);
        queue.stuck = lists === 0;
        sent += lists;
      }
      if (queue.young.length > 0 && !queue.paused && this.#youngReady(queue)) {
        const lists = this.#initiateReady(queue);
        queue.stuck ||= lists === 0;
        sent += lists;
      }
      if (queue.orphansDue && queue.returning.length === 0) this.#terminateOrphans(queue);
    }
    return sent;
  }

  /** µs until a list is due by age, -1 for never. */
  usUntilNext(nowUs: number): number {
    let least = -1;
    for (const queue of this.#queues.values()) {
      // What is due but cannot go waits for a completion, not for time.
      if (queue.stuck) continue;
      const ages = [
        queue.young.length > 0 && !queue.paused ? queue.youngSinceUs : -1,
        queue.returning.length > 0 ? queue.returningSinceUs : -1,
      ];
      for (const since of ages) {
        if (since < 0) continue;
        const us = Math.max(0, since + this.policy.batchUs - nowUs);
        if (least < 0 || us < least) least = us;
      }
    }
    return least;
  }

  #youngReady(queue: AdapterQueue): boolean {
    return queue.young.length >= this.#listMax || this.nowUs - queue.youngSinceUs >= this.policy.batchUs;
  }

  #returningReady(queue: AdapterQueue): boolean {
    if (queue.uploadingAll || queue.returning.length >= this.#listMax) return true;
    return this.nowUs - queue.returningSinceUs >= this.policy.batchUs;
  }

  /** Full lists go at once, as many as there are, within reason. */
  #initiateReady(queue: AdapterQueue): number {
    let sent = 0;
    while (sent < LISTS_PER_STEP && this.#initiate(queue) > 0) {
      sent++;
      if (queue.young.length < this.#listMax) break;
    }
    return sent;
  }

  #initiate(queue: AdapterQueue): number {
    const room = queue.adapter.capabilities.tcpConnections - queue.offloaded;
    const limit = Math.min(this.#listMax, room);
    if (limit <= 0) {
      this.#giveUpYoung(queue);
      return 0;
    }
    if (this.#blocks.available < 3 * this.#listMax) return 0;
    const started = this.#clock.nowUs();
    const request = this.#request(OffloadOperation.Initiate, queue.adapter);
    const { young } = queue;
    for (let looks = young.length; looks > 0 && request.count < limit; looks--) {
      const connection = young.shift();
      const { slot } = connection;
      if (connection.handler === null || !this.#offload.accepts(slot)) this.#giveUp(connection);
      else if (!this.#offload.isSettled(slot)) young.push(connection);
      else {
        connection.listed = false;
        request.add(slot);
      }
    }
    queue.youngSinceUs = this.nowUs;
    if (request.count === 0) {
      this.#spare.push(request);
      return 0;
    }
    queue.offloaded += request.count;
    this.#submit(request);
    this.stats.initiateCalls++;
    this.stats.initiateBlocks += request.blockCount;
    if (request.count > this.stats.largestList) this.stats.largestList = request.count;
    this.stats.initiateUs += this.#clock.nowUs() - started;
    return 1;
  }

  /** The device is full: these stay in the host (partial acceptance is the common case under scarcity). */
  #giveUpYoung(queue: AdapterQueue): void {
    while (queue.young.length > 0) this.#giveUp(queue.young.shift());
  }

  #giveUp(connection: TliConnection): void {
    connection.listed = false;
    this.#tli.unpause(connection);
  }

  #terminate(queue: AdapterQueue): number {
    if (this.#blocks.available < 3 * this.#listMax) return 0;
    const started = this.#clock.nowUs();
    let sent = 0;
    const { returning } = queue;
    while (returning.length > 0 && this.#blocks.available >= 3 * this.#listMax) {
      const request = this.#request(OffloadOperation.Terminate, queue.adapter);
      for (let looks = returning.length; looks > 0 && request.count < this.#listMax; looks--) {
        const connection = returning.shift();
        if (this.#offload.isBusy(connection.slot)) {
          returning.push(connection);
          continue;
        }
        connection.listed = false;
        if (this.#tli.stateOf(connection) === OffloadState.Offloaded) request.add(connection.slot);
      }
      if (request.count === 0) {
        this.#spare.push(request);
        break;
      }
      this.#submit(request);
      this.stats.terminateCalls++;
      sent++;
    }
    queue.returningSinceUs = this.nowUs;
    this.stats.terminateUs += this.#clock.nowUs() - started;
    return sent;
  }

  /** A16: paths and neighbors that the device took but whose connections it refused. */
  #terminateOrphans(queue: AdapterQueue): void {
    if (this.#blocks.available < 3 * this.#listMax) return;
    const request = this.#request(OffloadOperation.Terminate, queue.adapter);
    this.#network.orphans(queue.adapter, request, this.#listMax);
    if (request.paths.count === 0) this.#framing.orphans(queue.adapter, request);
    if (request.blockCount === 0) {
      this.#spare.push(request);
      queue.orphansDue = queue.uploadingAll && queue.offloaded > 0;
      return;
    }
    this.#submit(request);
  }

  /** 330 of Figure 3; the layers add their blocks, and NDIS hands the list to the device. */
  #submit(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    const what = initiate ? 'initiate' : 'terminate';
    this.trace?.emit('tli', 'transport', `${what} offload, ${request.count} connections`);
    this.#offload.describe(request);
    this.#pending[this.#blocks.indexOf(request.root)] = request;
    this.#pendingCount++;
    const { down, name } = request.adapter;
    this.trace?.emit('ndis', name, `${what} offload, ${request.blockCount} blocks`);
    if (initiate) down.initiateOffload(request.root);
    else down.terminateOffload(request.root);
  }

  /** The completion climbs: Framing, Network, Transport each take their entries, the switch lets held calls go. */
  complete(root: number): void {
    const index = this.#blocks.indexOf(root);
    const request = index < 0 ? null : this.#pending[index]!;
    if (request === null) return;
    this.#pending[index] = null;
    this.#pendingCount--;
    for (const queue of this.#queues.values()) queue.stuck = false;
    const started = this.#clock.nowUs();
    const initiate = request.operation === OffloadOperation.Initiate;
    this.trace?.emit(request.adapter.name, 'framing', initiate ? 'initiate complete' : 'terminate complete');
    this.#framing.complete(request);
    this.#network.complete(request);
    this.#offload.complete(request);
    const queue = this.#queue(request.adapter);
    if (initiate) this.#initiated(request, queue);
    else this.#terminated(request, queue);
    const spent = this.#clock.nowUs() - started;
    if (initiate) this.stats.initiateUs += spent;
    else this.stats.terminateUs += spent;
    this.#spare.push(request);
  }

  /** An update or query was answered: who waited for it may be asked back. */
  updated(adapter: Adapter, isOrphan: boolean): void {
    const queue = this.#queue(adapter);
    queue.stuck = false;
    queue.orphansDue ||= isOrphan;
  }

  #initiated(request: OffloadRequest, queue: AdapterQueue): void {
    let refused = 0;
    for (let i = 0; i < request.count; i++) {
      const slot = request.slots[i]!;
      const connection = this.#tli.connections.at(slot);
      if (request.statuses[i] === NdisStatus.Success) this.stats.connectionsOffloaded++;
      else refused++;
      if (this.trace !== null) this.#traceHeld(connection);
      this.#tli.handedOver(connection);
      this.#offload.releaseHeld(slot);
      if (queue.uploadingAll || connection.handler === null) this.takeBack(connection);
    }
    queue.offloaded -= refused;
    if (refused === 0) return;
    this.stats.connectionsRefused += refused;
    queue.orphansDue = true;
    this.#log.emit('offload-refused', request.adapter.name, `${refused} of ${request.count} connections`);
  }

  #terminated(request: OffloadRequest, queue: AdapterQueue): void {
    queue.offloaded -= request.count;
    for (let i = 0; i < request.count; i++) {
      const slot = request.slots[i]!;
      const connection = this.#tli.connections.at(slot);
      const lost = request.statuses[i] !== NdisStatus.Success;
      this.stats.connectionsTakenBack++;
      if (lost) this.stats.connectionsLost++;
      const closed = !lost && this.#offload.isClosed(slot);
      // What was held is for the connection; where that is over it is answered as from CLOSED, while the slot is there.
      if (lost) this.#offload.dropHeld(slot);
      else if (closed) this.#offload.releaseHeld(slot);
      if (this.trace !== null) this.#traceHeld(connection);
      this.#tli.takenBack(connection, lost, queue.uploadingAll);
      if (!lost && !closed) this.#offload.releaseHeld(slot);
    }
  }

  /** 322 of Figure 3: the switch lets go what it held, to wherever the state is now. */
  #traceHeld(connection: TliConnection): void {
    const { queuedHead, queuedDisconnect, queuedAbort } = connection;
    if (queuedHead === 0 && !queuedDisconnect && !queuedAbort) return;
    const { name } = this.#tli.adapterOf(connection);
    this.trace?.emit('tli', this.#tli.isOffloaded(connection) ? name : 'transport', 'held calls');
  }

  #request(operation: OffloadOperation, adapter: Adapter): OffloadRequest {
    const request = this.#spare.pop() ?? new OffloadRequest(adapter, this.#listMax);
    return request.reset(operation, adapter);
  }

  #queueOf(connection: TliConnection): AdapterQueue {
    return this.#queue(this.#tli.adapterOf(connection));
  }

  #queue(adapter: Adapter): AdapterQueue {
    let queue = this.#queues.get(adapter);
    if (queue === undefined) this.#queues.set(adapter, (queue = new AdapterQueue(adapter)));
    return queue;
  }
}
