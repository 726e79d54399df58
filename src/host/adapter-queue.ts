/**
 * The chimney's bookkeeping of one adapter: its young connections, which may be offloaded, and its returning ones; whether it
 * takes new ones at the moment; what is due.
 */
import { ConnectionQueue } from './connection-queue.ts';
import type { Adapter } from './ndis.ts';

export class AdapterQueue {
  readonly adapter: Adapter;
  readonly young = new ConnectionQueue();
  readonly returning = new ConnectionQueue();
  youngSinceUs = 0;
  returningSinceUs = 0;
  paused = false;
  uploadingAll = false;
  /** Paths or neighbors may be on the device without a connection. */
  orphansDue = false;
  /** A list was due and could not go: no blocks, or nothing settled. */
  stuck = false;
  offloaded = 0;

  constructor(adapter: Adapter) {
    this.adapter = adapter;
  }
}
