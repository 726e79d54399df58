/**
 * What the chimney keeps for each adapter: connections that wait to be offered or asked back, and where its pause and
 * upload-all stand (R38).
 */
import { ConnectionQueue } from './connection-queue.ts';
import type { Adapter } from './ndis.ts';

/** Young and returning connections of one adapter. */
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
