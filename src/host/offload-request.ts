/**
 * An offload, or upload, of many connections on its way through the layers (Figures 3 and 7).
 *
 * It goes down from the switch: Transport adds the TCP blocks, Network the path blocks, Framing the neighbor blocks
 * and hands the root to NDIS. It comes back up the same way, each layer taking its own entries (R13, R14). A layer may
 * refuse a connection on the way down; it is then taken out of the list.
 */
import type { Adapter } from './ndis.ts';
import type { Neighbor } from './neighbor.ts';
import type { Path } from './path.ts';

export const OffloadOperation = { Initiate: 0, Terminate: 1 } as const;
export type OffloadOperation = (typeof OffloadOperation)[keyof typeof OffloadOperation];

export class OffloadRequest {
  operation: OffloadOperation = OffloadOperation.Initiate;
  adapter: Adapter;
  root = 0;
  /** TCB slots, and their blocks at the same index. */
  readonly slots: Int32Array;
  readonly blocks: Int32Array;
  /** What became of each, after the completion. */
  readonly statuses: Int32Array;
  count = 0;
  /** Paths and neighbors, and their blocks at the same index: one object may be in several requests at a time. */
  readonly paths: Path[] = [];
  readonly pathBlocks: number[] = [];
  readonly neighbors: Neighbor[] = [];
  readonly neighborBlocks: number[] = [];
  /** Host-thread time spent on it, µs: A of the cost model. */
  startedUs = 0;

  constructor(adapter: Adapter, capacity: number) {
    this.adapter = adapter;
    this.slots = new Int32Array(capacity);
    this.blocks = new Int32Array(capacity);
    this.statuses = new Int32Array(capacity);
  }

  reset(operation: OffloadOperation, adapter: Adapter): this {
    this.operation = operation;
    this.adapter = adapter;
    this.root = 0;
    this.count = 0;
    this.paths.length = 0;
    this.pathBlocks.length = 0;
    this.neighbors.length = 0;
    this.neighborBlocks.length = 0;
    return this;
  }

  add(slot: number): void {
    this.slots[this.count] = slot;
    this.blocks[this.count] = 0;
    this.count++;
  }

  get blockCount(): number {
    return this.count + this.paths.length + this.neighbors.length;
  }
}
