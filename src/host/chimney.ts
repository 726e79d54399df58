/**
 * The chimney: makes block lists of connections to offload and of connections to take back, and sees each request
 * through (Figures 3, 7 and 8).
 *
 * Candidates wait in a list until it is full or its oldest has waited long enough; connections whose path or neighbor is
 * in transition wait for the next one (R17). What goes down is said by the administrator's directives, then by the policy
 * (R34); what comes back, by both, by the devices' requests, and by their pause, upload-all and resume (R38).
 */
import type { Clock } from '../base/clock.ts';
import type { EventLog } from '../base/event-log.ts';
import { NdisStatus } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import { isMandatory } from '../offload/events.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { type AdapterQueue, AdapterQueues } from './adapter-queue.ts';
import { ChimneyStatistics } from './chimney-statistics.ts';
import type { ConnectionQueue } from './connection-queue.ts';
import type { ConnectionWatcher, TliConnection } from './connection.ts';
import { Directive, type DirectiveMatch, Directives, directiveText } from './directives.ts';
import type { HandOvers } from './hand-overs.ts';
import type { LoadMeter } from './load-meter.ts';
import type { Adapter } from './ndis.ts';
import { OffloadOperation, type OffloadRequest } from './offload-request.ts';
import { type Mover, Placement } from './placement.ts';
import type { OffloadPolicy } from './policy/offload-policy.ts';
import { Retrieves } from './retrieves.ts';
import type { TliSwitch } from './tli.ts';
import type { TransportOffload } from './transport-offload.ts';

/** Lists that one step sends at most, so that short lists do not take the host for themselves. */
const LISTS_PER_STEP = 64;

export class Chimney implements ConnectionWatcher, Mover {
  readonly stats = new ChimneyStatistics();
  readonly #tli: TliSwitch;
  readonly #offload: TransportOffload;
  readonly #handOvers: HandOvers;
  readonly #clock: Clock;
  readonly #log: EventLog;
  readonly queues = new AdapterQueues();
  readonly #directives = new Directives();
  readonly placement: Placement;
  readonly retrieves: Retrieves;
  readonly #listMax: number;
  /** Of what comes; `replacePolicy` is for what is there too. */
  policy: OffloadPolicy;
  nowUs = 0;

  constructor(
    tli: TliSwitch,
    offload: TransportOffload,
    handOvers: HandOvers,
    clock: Clock,
    log: EventLog,
    load: LoadMeter,
    policy: OffloadPolicy,
    listMax: number,
  ) {
    this.#tli = tli;
    this.#offload = offload;
    this.#handOvers = handOvers;
    this.#clock = clock;
    this.#log = log;
    this.placement = new Placement(this, tli, offload, this.#directives, load, log);
    this.retrieves = new Retrieves(tli, offload, this.#directives, log);
    this.policy = policy;
    this.#listMax = listMax;
    tli.watcher = this;
  }

  set trace(trace: Trace | null) {
    this.#handOvers.trace = trace;
  }

  get trace(): Trace | null {
    return this.#handOvers.trace;
  }

  /** Connections that are on a device now. */
  get offloaded(): number {
    return this.queues.offloaded;
  }

  get requestsPending(): number {
    return this.#handOvers.pendingCount;
  }

  // --- ConnectionWatcher ---

  candidate(connection: TliConnection): void {
    if (connection.listed || connection.handler === null) return;
    connection.reviewDue = false;
    // What is there already, or on its way, listed as young could not be taken back.
    const state = this.#tli.stateOf(connection);
    if (state === OffloadState.Offloaded || state === OffloadState.Offloading) return;
    const directive = this.#directives.of(connection);
    if (directive === Directive.KeepInHost) return;
    if (directive !== Directive.Offload && !this.policy.wants(connection)) return;
    const queue = this.queueOf(connection);
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
    const queue = this.queueOf(connection);
    if (queue.returning.length === 0) queue.returningSinceUs = this.nowUs;
    connection.listed = true;
    queue.stuck = false;
    queue.returning.push(connection);
  }

  cachedChanged(connection: TliConnection): void {
    this.#offload.updateCached(connection.slot);
  }

  // --- the administrator, and the placement ---

  /** Another policy: every connection is looked at again, those in the host and those on devices. */
  replacePolicy(policy: OffloadPolicy): void {
    this.policy = policy;
    this.#log.emit('offload-policy', 'machine', policy.name);
    this.placement.askAgain();
  }

  /** Orders about all connections that match, from now on (R24, ¶62). Returns the undo. */
  direct(directive: Directive, match: DirectiveMatch): () => void {
    const revoke = this.#directives.add(directive, match);
    const text = directiveText(directive, match);
    this.#log.emit('offload-directed', 'machine', text);
    this.placement.askAgain();
    return () => {
      revoke();
      this.#log.emit('offload-directed', 'machine', `no more: ${text}`);
      this.placement.askAgain();
    };
  }

  evict(victim: TliConnection, better: TliConnection): void {
    // A sweep takes its time: either may have ended meanwhile.
    if (victim.handler === null || better.handler === null || victim.listed || better.listed) return;
    this.takeBack(victim);
    better.listed = true;
    this.queueOf(better).promoted.push(better);
    this.stats.connectionsEvicted++;
  }

  // --- indications of a device ---

  /** It wants to end the offload of a connection, as often as it likes (D02). */
  retrieve(connection: TliConnection, reason: number): void {
    const isDue = this.retrieves.asked(connection, reason, this.policy);
    if (isMandatory(reason)) this.queueOf(connection).isUrgent = true;
    if (isDue) this.takeBack(connection);
  }

  pause(adapter: Adapter): void {
    this.queues.of(adapter).paused = true;
    this.#log.emit('offload-pause', adapter.name, '');
  }

  resume(adapter: Adapter): void {
    const queue = this.queues.of(adapter);
    queue.paused = false;
    queue.uploadingAll = false;
    this.#log.emit('offload-resume', adapter.name, `${adapter.capabilities.tcpConnections} connections`);
    this.#tli.connections.forEach(connection => {
      if (connection.handler !== null && this.#tli.adapterOf(connection) === adapter) this.candidate(connection);
    });
  }

  uploadAll(adapter: Adapter): void {
    const queue = this.queues.of(adapter);
    queue.uploadingAll = true;
    queue.orphansDue = true;
    this.#giveUpAll(queue.young);
    this.#giveUpAll(queue.promoted);
    this.#log.emit('upload-all', adapter.name, `${queue.offloaded} connections`);
    this.#tli.connections.forEach(connection => {
      if (this.#tli.adapterOf(connection) === adapter) this.takeBack(connection);
    });
  }

  /** A call about an object was answered: what waited for it may go, and what nothing depends on any more. */
  orphansMayBe(adapter: Adapter): void {
    const queue = this.queues.of(adapter);
    queue.orphansDue = true;
    queue.stuck = false;
  }

  isPaused(adapter: Adapter): boolean {
    return this.queues.of(adapter).paused;
  }

  // --- every step ---

  /** Sends the lists that are ready; returns how many. */
  step(nowUs: number): number {
    this.nowUs = nowUs;
    let sent = this.placement.step(nowUs) ? 1 : 0;
    for (const queue of this.queues) {
      if (queue.isTerminateDue(nowUs, this.policy.batchUs, this.#listMax)) {
        const lists = this.#terminate(queue);
        queue.stuck = lists === 0;
        sent += lists;
      }
      if (queue.isInitiateDue(nowUs, this.policy.batchUs, this.#listMax)) {
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
    let least = this.placement.usUntilNext(nowUs);
    for (const queue of this.queues) {
      const us = queue.usUntilDue(nowUs, this.policy.batchUs);
      if (us >= 0 && (least < 0 || us < least)) least = us;
    }
    return least;
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
    const limit = Math.min(this.#listMax, queue.room);
    if (limit <= 0) {
      this.#giveUpAll(queue.young);
      return 0;
    }
    if (!this.#handOvers.hasBlocks(Math.min(limit, queue.promoted.length + queue.young.length))) return 0;
    const started = this.#clock.nowUs();
    const request = this.#handOvers.make(OffloadOperation.Initiate, queue.adapter);
    const { young, promoted } = queue;
    for (let looks = promoted.length + young.length; looks > 0 && request.count < limit; looks--) {
      const connection = promoted.length > 0 ? promoted.shift() : young.shift();
      const { slot } = connection;
      const isOver = connection.handler === null || !this.#offload.accepts(slot);
      if (isOver || this.placement.isUnwanted(connection)) this.#giveUp(connection);
      else if (!this.#offload.isSettled(slot)) young.push(connection);
      else {
        connection.listed = false;
        request.add(slot);
      }
    }
    queue.youngSinceUs = this.nowUs;
    if (request.count === 0) {
      this.#handOvers.drop(request);
      return 0;
    }
    queue.offloaded += request.count;
    this.#handOvers.submit(request);
    this.stats.initiateCalls++;
    this.stats.initiateBlocks += request.blockCount;
    if (request.count > this.stats.largestList) this.stats.largestList = request.count;
    this.stats.initiateSpent(request.count, this.#clock.nowUs() - started, false);
    return 1;
  }

  /** The device is full: these stay in the host (partial acceptance is the common case under scarcity). */
  #giveUpAll(waiting: ConnectionQueue): void {
    while (waiting.length > 0) this.#giveUp(waiting.shift());
  }

  #giveUp(connection: TliConnection): void {
    connection.listed = false;
    this.#tli.unpause(connection);
  }

  #terminate(queue: AdapterQueue): number {
    const started = this.#clock.nowUs();
    let sent = 0;
    const { returning } = queue;
    // A call about them is unanswered (digest §3.6): they wait for the next list.
    const busy: TliConnection[] = [];
    while (returning.length > 0 && this.#handOvers.hasBlocks(Math.min(this.#listMax, returning.length))) {
      const request = this.#handOvers.make(OffloadOperation.Terminate, queue.adapter);
      while (returning.length > 0 && request.count < this.#listMax) {
        const connection = returning.shift();
        if (this.#offload.isBusy(connection.slot)) {
          busy.push(connection);
          continue;
        }
        connection.listed = false;
        if (this.#tli.stateOf(connection) === OffloadState.Offloaded) request.add(connection.slot);
      }
      if (request.count === 0) {
        this.#handOvers.drop(request);
        continue;
      }
      this.#handOvers.submit(request);
      this.stats.terminateCalls++;
      sent++;
    }
    for (const connection of busy) returning.push(connection);
    if (returning.length === 0) queue.isUrgent = false;
    queue.returningSinceUs = this.nowUs;
    this.stats.terminateUs += this.#clock.nowUs() - started;
    return sent;
  }

  #terminateOrphans(queue: AdapterQueue): void {
    if (!this.#handOvers.hasBlocks(1) || this.#handOvers.terminateOrphans(queue.adapter)) return;
    queue.orphansDue = this.#handOvers.orphansBusy || (queue.uploadingAll && queue.offloaded > 0);
  }

  /** The completion climbs; then the switch lets held calls go. */
  complete(root: number): void {
    const request = this.#handOvers.take(root);
    if (request === null) return;
    this.queues.release();
    const started = this.#clock.nowUs();
    const { count } = request;
    const done = this.#handOvers.climb(request);
    const initiate = request.operation === OffloadOperation.Initiate;
    const queue = this.queues.of(request.adapter);
    if (done !== null && initiate) this.#initiated(done, queue);
    else if (done !== null) this.#terminated(done, queue);
    const spent = this.#clock.nowUs() - started;
    if (initiate) this.stats.initiateSpent(count, spent, done !== null);
    else this.stats.terminateUs += spent;
    if (done !== null) this.#handOvers.drop(done);
  }

  /** States that followed a request (Figure 3) are on the device: those of connections complete it. */
  loaded(root: number): void {
    if (this.#handOvers.isAwaited(root)) this.complete(root);
    else this.#handOvers.loaded(root);
  }

  #initiated(request: OffloadRequest, queue: AdapterQueue): void {
    let refused = 0;
    for (let i = 0; i < request.count; i++) {
      const slot = request.slots[i]!;
      const connection = this.#tli.connections.at(slot);
      if (request.statuses[i] === NdisStatus.Success) this.stats.connectionsOffloaded++;
      else refused++;
      connection.movedUs = this.nowUs;
      this.#handOvers.traceHeld(connection, this.#tli);
      this.#tli.handedOver(connection);
      this.#offload.releaseHeld(slot);
      const isOver = connection.handler === null || this.#offload.isUploadDue(slot);
      if (queue.uploadingAll || isOver || this.placement.isUnwanted(connection)) this.takeBack(connection);
    }
    queue.offloaded -= refused;
    if (refused === 0) return;
    this.stats.connectionsRefused += refused;
    queue.orphansDue = true;
    this.#log.emit('offload-refused', request.adapter.name, `${refused} of ${request.count} connections`);
  }

  #terminated(request: OffloadRequest, queue: AdapterQueue): void {
    queue.orphansDue ||= request.keepsLower;
    queue.offloaded -= request.count;
    for (let i = 0; i < request.count; i++) {
      const slot = request.slots[i]!;
      const connection = this.#tli.connections.at(slot);
      const lost = request.statuses[i] !== NdisStatus.Success;
      this.stats.connectionsTakenBack++;
      connection.movedUs = this.nowUs;
      if (lost) this.stats.connectionsLost++;
      const closed = !lost && this.#offload.isClosed(slot);
      // What was held is for the connection; where that is over it is answered as from CLOSED, while the slot is there.
      if (lost) this.#offload.dropHeld(slot);
      else if (closed) this.#offload.releaseHeld(slot);
      this.#handOvers.traceHeld(connection, this.#tli);
      this.#tli.takenBack(connection, lost, queue.uploadingAll);
      if (!lost && !closed) this.#offload.releaseHeld(slot);
      if (connection.reviewDue) this.candidate(connection);
    }
  }

  queueOf(connection: TliConnection): AdapterQueue {
    return this.queues.of(this.#tli.adapterOf(connection));
  }
}
