/**
 * An offload, or upload, of many connections on its way through the layers (Figures 3 and 7).
 *
 * It goes down from the switch: Transport adds the TCP blocks, Network the path blocks, Framing the neighbor blocks
 * and hands the root to NDIS. It comes back up the same way, each layer taking its own entries (R13, R14). A layer may
 * refuse a connection on the way down; it is then taken out of the list.
 */
import { assert } from '../base/assert.ts';
import type { Adapter, ProviderTable } from './ndis.ts';
import type { Neighbor } from './neighbor.ts';
import type { Path } from './path.ts';

export const OffloadOperation = { Initiate: 0, Terminate: 1 } as const;
export type OffloadOperation = (typeof OffloadOperation)[keyof typeof OffloadOperation];

/**
 * A layer's objects in a request, and their blocks at the same index: one object may be in several requests at a time.
 * Keeps its room from request to request; what lies behind `count` is of an earlier one.
 */
export class RequestLayer<T> {
  readonly objects: T[] = [];
  readonly blocks: number[] = [];
  count = 0;

  add(object: T): void {
    this.objects[this.count] = object;
    this.blocks[this.count] = 0;
    this.count++;
  }
}

/** An entry of the list that climbs with a completion (R14, ¶72): a layer's, with the table through which it talks on. */
export interface LayerEntry {
  readonly layer: 'framing' | 'network' | 'transport';
  readonly table: ProviderTable;
}

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
  readonly paths = new RequestLayer<Path>();
  readonly neighbors = new RequestLayer<Neighbor>();

  /** The request made room only: each layer sends its state as the completion passes (Figure 3, 308–320). */
  isReserving = false;
  /** Of a terminate: paths and neighbors stay for a later one, also without a dependent (¶104). */
  keepsLower = false;
  /** Root of the list of connection states that was sent then, or 0. */
  loadRoot = 0;
  /** What climbs: each layer takes its own entry off, lowest first; handles lie in the layer's blocks. */
  readonly #entries: LayerEntry[] = [];

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
    this.paths.count = 0;
    this.neighbors.count = 0;
    this.isReserving = false;
    this.keepsLower = false;
    this.loadRoot = 0;
    return this;
  }

  add(slot: number): void {
    this.slots[this.count] = slot;
    this.blocks[this.count] = 0;
    this.count++;
  }

  /** NDIS starts the climb: one entry a layer, in the order in which they will be taken. */
  beginCompletion(table: ProviderTable): void {
    this.#entries.length = 0;
    this.#entries.push({ layer: 'transport', table }, { layer: 'network', table }, { layer: 'framing', table });
  }

  /** A layer takes its own entry off the list, and keeps the table. */
  takeEntry(layer: LayerEntry['layer']): ProviderTable {
    const entry = this.#entries.pop();
    assert(entry !== undefined && entry.layer === layer, 'the entry is of the layer that takes it');
    return entry.table;
  }

  get blockCount(): number {
    return this.count + this.paths.count + this.neighbors.count;
  }
}
