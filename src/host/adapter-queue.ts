/**
 * The chimney's books of one adapter: connections that wait for a list, down or up, what the device has said of offloads,
 * and what a sweep of the placement has found.
 */
import { ConnectionQueue } from './connection-queue.ts';
import type { TliConnection } from './connection.ts';
import type { Adapter } from './ndis.ts';
import { Shortlist } from './policy/shortlist.ts';

/** Connections that one sweep may have change places. */
const SHORTLIST = 64;

export class AdapterQueue {
  readonly adapter: Adapter;
  readonly young = new ConnectionQueue();
  readonly returning = new ConnectionQueue();
  /** Connections for which room is being made; they go before the young ones. */
  readonly promoted = new ConnectionQueue();
  youngSinceUs = 0;
  returningSinceUs = 0;
  /** A device has stopped working on one of the returning: it waits for nothing. */
  isUrgent = false;
  paused = false;
  uploadingAll = false;
  /** Paths or neighbors may be on the device without a connection. */
  orphansDue = false;
  /** A list was due and could not go: no blocks, or nothing settled. */
  stuck = false;
  offloaded = 0;
  readonly candidates = new Shortlist<TliConnection>(SHORTLIST);
  readonly victims = new Shortlist<TliConnection>(SHORTLIST);

  constructor(adapter: Adapter) {
    this.adapter = adapter;
  }

  /** Connections that the device could take now. */
  get room(): number {
    return this.adapter.capabilities.tcpConnections - this.offloaded;
  }

  /** Room that nobody waits for. */
  get spareRoom(): number {
    return this.room - this.young.length - this.promoted.length;
  }

  isInitiateDue(nowUs: number, batchUs: number, listMax: number): boolean {
    if (this.paused) return false;
    if (this.promoted.length > 0 && this.room > 0) return true;
    if (this.young.length === 0) return false;
    return this.young.length >= listMax || nowUs - this.youngSinceUs >= batchUs;
  }

  isTerminateDue(nowUs: number, batchUs: number, listMax: number): boolean {
    const count = this.returning.length;
    if (count === 0) return false;
    return this.uploadingAll || this.isUrgent || count >= listMax || nowUs - this.returningSinceUs >= batchUs;
  }

  /** µs until a list is due by age, -1 for never. */
  usUntilDue(nowUs: number, batchUs: number): number {
    // What is due but cannot go waits for a completion, not for time.
    if (this.stuck) return -1;
    let since = Number.POSITIVE_INFINITY;
    if (this.young.length > 0 && !this.paused) since = this.youngSinceUs;
    if (this.returning.length > 0) since = Math.min(since, this.returningSinceUs);
    return since === Number.POSITIVE_INFINITY ? -1 : Math.max(0, since + batchUs - nowUs);
  }
}

/** Of every adapter that a connection was ever on. */
export class AdapterQueues {
  readonly #byAdapter = new Map<Adapter, AdapterQueue>();

  of(adapter: Adapter): AdapterQueue {
    let queue = this.#byAdapter.get(adapter);
    if (queue === undefined) this.#byAdapter.set(adapter, (queue = new AdapterQueue(adapter)));
    return queue;
  }

  /** Connections that are on a device now. */
  get offloaded(): number {
    let count = 0;
    for (const queue of this.#byAdapter.values()) count += queue.offloaded;
    return count;
  }

  /** Something was answered: what could not go may go now. */
  release(): void {
    for (const queue of this.#byAdapter.values()) queue.stuck = false;
  }

  [Symbol.iterator](): Iterator<AdapterQueue> {
    return this.#byAdapter.values();
  }
}
