/**
 * Cached state on its way to devices (R3, R21; Figure 6): for the objects of a layer, what changed and what is under way.
 *
 *              changed                 flush                complete
 *   up to date ───────► due ─────────────────► out ───────────────────────► up to date
 *                        ▲    one call, many    │ changed: due once more        │
 *                        └──── objects ─────────┴───────────────────────────────┘
 *
 * An object is in one update at a time (C10); what changes meanwhile, or while the object is being offloaded, is sent
 * afterwards in one update, whatever the number of changes (R18, B05). With no block free it waits, and is not lost. If a
 * device refuses, it goes on with the old values, and the layer has whatever depends on the object taken back (C11).
 */
import { NdisStatus } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import { Block, type BlockCursor, type BlockPool, type OffloadStateType } from '../offload/block-list.ts';
import { OffloadState } from '../offload/offload-state.ts';
import type { Adapter } from './ndis.ts';
import { isThere, type OffloadedObject } from './offloaded-object.ts';

/** From the top: an update passes through the layers that follow its own. */
const LAYERS = ['transport', 'network', 'framing', 'ndis'] as const;

export interface UpdateLayer<T extends OffloadedObject> {
  readonly name: (typeof LAYERS)[number];
  typeOf(object: T): OffloadStateType;
  adapterOf(object: T): Adapter;
  /** Writes the cached range behind the block, and the handle that the layer above the device knows it by. */
  write(object: T, block: BlockCursor): void;
  /** The device did not take it, and keeps the old values. */
  updateFailed(object: T): void;
  /** For the trace. */
  readonly noun: string;
}

export class StateUpdates<T extends OffloadedObject> {
  readonly #layer: UpdateLayer<T>;
  readonly #blocks: BlockPool;
  readonly #block: BlockCursor;
  /** Layers that a call passes through on its way to NDIS, and back; none in the direct form (¶100). */
  readonly #relays: readonly string[];
  #due: T[] = [];
  #spare: T[] = [];
  readonly #out = new Map<number, { readonly adapter: Adapter; readonly objects: readonly T[] }>();
  trace: Trace | null = null;
  calls = 0;
  objectsUpdated = 0;

  constructor(memory: Memory, blocks: BlockPool, layer: UpdateLayer<T>, form: 'relay' | 'direct') {
    this.#layer = layer;
    this.#blocks = blocks;
    this.#block = Block.view(memory);
    this.#relays = form === 'direct' ? [layer.name] : LAYERS.slice(LAYERS.indexOf(layer.name));
  }

  /** Something waits that can go now. */
  get isReady(): boolean {
    return this.#due.length > 0 && this.#blocks.available > 0;
  }

  /** A cached value of the object is another now. */
  changed(object: T): void {
    const { offloadState } = object;
    if (object.invalidated || object.updateDue) return;
    if (offloadState !== OffloadState.Offloading && offloadState !== OffloadState.Offloaded) return;
    object.updateDue = true;
    if (offloadState === OffloadState.Offloaded && !object.updateOut) this.#due.push(object);
  }

  /** A list with the object was answered: what changed meanwhile goes to the device, if the object is there. */
  settled(object: T): void {
    if (!object.updateDue) return;
    if (!isThere(object)) object.updateDue = false;
    else if (!object.updateOut) this.#due.push(object);
  }

  /** Sends what is due, an adapter at a time; returns the number of calls. */
  flush(): number {
    let sent = 0;
    while (this.#due.length > 0 && this.#blocks.available > 0) sent += this.#send();
    return sent;
  }

  #send(): number {
    const layer = this.#layer;
    const adapter = layer.adapterOf(this.#due[0]!);
    const rest = this.#spare;
    rest.length = 0;
    const objects: T[] = [];
    let root = 0;
    let previous = 0;
    for (const object of this.#due) {
      if (!object.updateDue || object.updateOut) continue;
      if (!isThere(object)) {
        object.updateDue = false;
        continue;
      }
      const address = layer.adapterOf(object) === adapter ? this.#blocks.allocate(layer.typeOf(object)) : 0;
      if (address === 0) {
        rest.push(object);
        continue;
      }
      this.#describe(object, address);
      objects.push(object);
      if (previous === 0) root = address;
      else this.#block.at(previous).nextBlock = address;
      previous = address;
    }
    this.#spare = this.#due;
    this.#due = rest;
    if (root === 0) return 0;
    this.#descend(adapter, root, objects);
    return 1;
  }

  #describe(object: T, address: number): void {
    const block = this.#block.at(address);
    block.offloadHandle = object.offloadHandle;
    this.#layer.write(object, block);
    object.updateDue = false;
    object.updateOut = true;
    object.callsOut++;
  }

  /** 610 to 640 of Figure 6, from the layer that changed: those above take no part. */
  #descend(adapter: Adapter, root: number, objects: readonly T[]): void {
    const relays = this.#relays;
    const { noun } = this.#layer;
    const what = objects.length === 1 ? `update ${noun}` : `update ${objects.length} ${noun}s`;
    for (let i = 0; i < relays.length; i++) this.trace?.emit(relays[i]!, relays[i + 1] ?? adapter.name, what);
    this.#out.set(root, { adapter, objects });
    this.calls++;
    this.objectsUpdated += objects.length;
    adapter.down.updateOffload(root);
  }

  /** 645 to 615. False: the root is none of this layer's. */
  complete(root: number): boolean {
    const call = this.#out.get(root);
    if (call === undefined) return false;
    this.#out.delete(root);
    const relays = this.#relays;
    for (let i = relays.length - 1; i >= 0; i--) {
      this.trace?.emit(relays[i + 1] ?? call.adapter.name, relays[i]!, 'update complete');
    }
    let address = root;
    for (const object of call.objects) {
      const { status, nextBlock } = this.#block.at(address);
      this.#blocks.free(address);
      address = nextBlock;
      object.updateOut = false;
      object.callsOut--;
      if (status !== NdisStatus.Success) this.#layer.updateFailed(object);
      else this.settled(object);
    }
    return true;
  }
}
