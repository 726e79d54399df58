/**
 * What path and neighbor objects have in common on their way to a device and back (R6, R7, ¶104): which role their block
 * plays in a list, and what becomes of them when the list is answered.
 *
 * Network and Framing each add what is their own: the state behind the block, and the count of dependents below.
 */
import { isOffloaded } from '../base/status.ts';
import { type BlockCursor, BlockRole } from '../offload/block-list.ts';
import type { ProviderTable } from './ndis.ts';
import { nextOffloadState, OffloadEvent, OffloadState } from '../offload/offload-state.ts';
import type { OffloadedObject } from './offloaded-object.ts';
import type { RequestLayer } from './offload-request.ts';

export interface LowerObject extends OffloadedObject {
  /** Through which its layer talks to the device that has it (R14). */
  table: ProviderTable | null;
}

/** What an answered list meant for an object. */
export const Outcome = { Unchanged: 0, Taken: 1, Refused: 2, Uploaded: 3 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Its block in an initiate: offered by handle if the device has it (R7). True when it is new: its state goes along. */
export function describeInitiate(object: LowerObject, block: BlockCursor, isReserving: boolean): boolean {
  if (object.offloadState === OffloadState.Offloaded) {
    block.role = BlockRole.Linker;
    block.offloadHandle = object.offloadHandle;
    return false;
  }
  block.role = isReserving ? BlockRole.Reserve : BlockRole.New;
  object.offloadState = nextOffloadState(object.offloadState, OffloadEvent.Initiate);
  return true;
}

/** Its block in a terminate. True when its last dependent went, so that it is asked back as well (¶104). */
export function describeTerminate(
  object: LowerObject,
  dependents: number,
  block: BlockCursor,
  keepsLower: boolean,
): boolean {
  if (keepsLower || dependents > 0 || object.offloadState !== OffloadState.Offloaded) {
    block.role = BlockRole.Placeholder;
    return false;
  }
  block.role = BlockRole.Linker;
  block.offloadHandle = object.offloadHandle;
  object.offloadState = nextOffloadState(object.offloadState, OffloadEvent.Terminate);
  return true;
}

/** The list was answered; takes the object's entry, handle and all. */
export function takeEntry(object: LowerObject, initiate: boolean, block: BlockCursor, table: ProviderTable): Outcome {
  const { role } = block;
  if (initiate && (role === BlockRole.New || role === BlockRole.Reserve)) {
    const taken = isOffloaded(block.status);
    object.offloadState = nextOffloadState(object.offloadState, taken ? OffloadEvent.Taken : OffloadEvent.Refused);
    object.offloadHandle = taken ? block.offloadHandle : 0;
    object.table = taken ? table : null;
    if (!taken) object.invalidated = false;
    return taken ? Outcome.Taken : Outcome.Refused;
  }
  if (initiate || role !== BlockRole.Linker) return Outcome.Unchanged;
  object.offloadState = nextOffloadState(object.offloadState, OffloadEvent.Uploaded);
  object.offloadHandle = 0;
  object.table = null;
  object.invalidated = false;
  return Outcome.Uploaded;
}

/** Room was made for the object, nothing more: it is on the device when its state has been loaded (Figure 3). */
function isRoomMade(block: BlockCursor): boolean {
  return block.role === BlockRole.Reserve && isOffloaded(block.status);
}

interface StatesOut<T> {
  readonly table: ProviderTable;
  readonly objects: readonly T[];
}

/** What a layer of lower objects does for its entries of an answered list. */
interface EntryLayer<T> {
  writeState(object: T, address: number): void;
  /** The object is answered for: takes its entry and frees its block. */
  take(object: T, address: number, initiate: boolean, table: ProviderTable): void;
}

/**
 * A layer's entries of answered lists. Figure 3, 308 and 312: objects that the device has just made room for get their state, in
 * one flat list of their blocks; until that is answered they are on their way. All others are taken at once.
 */
export class LayerEntries<T extends LowerObject> {
  readonly #block: BlockCursor;
  readonly #layer: EntryLayer<T>;
  readonly #out = new Map<number, StatesOut<T>>();
  #objects: T[] = [];
  #first = 0;
  #last = 0;

  constructor(block: BlockCursor, layer: EntryLayer<T>) {
    this.#block = block;
    this.#layer = layer;
  }

  /** Takes what is answered; returns how many states were sent, for which that is still to come. */
  complete({ objects, blocks, count }: RequestLayer<T>, initiate: boolean, table: ProviderTable): number {
    for (let i = 0; i < count; i++) {
      const address = blocks[i]!;
      if (isRoomMade(this.#block.at(address))) this.#add(objects[i]!, address);
      else this.#layer.take(objects[i]!, address, initiate, table);
    }
    return this.#send(table);
  }

  /** The block carries the state now; it is the device's until the answer. */
  #add(object: T, address: number): void {
    this.#layer.writeState(object, address);
    const block = this.#block.at(address);
    block.role = BlockRole.New;
    block.nextBlock = 0;
    block.dependentBlockList = 0;
    if (this.#first === 0) this.#first = address;
    else this.#block.at(this.#last).nextBlock = address;
    this.#last = address;
    this.#objects.push(object);
  }

  #send(table: ProviderTable): number {
    const objects = this.#objects;
    if (objects.length === 0) return 0;
    this.#objects = [];
    this.#out.set(this.#first, { table, objects });
    const root = this.#first;
    this.#first = 0;
    table.loadOffloadState(root);
    return objects.length;
  }

  /** False: the root is none of this layer's. */
  loaded(root: number): boolean {
    const out = this.#out.get(root);
    if (out === undefined) return false;
    this.#out.delete(root);
    let address = root;
    for (const object of out.objects) {
      const { nextBlock } = this.#block.at(address);
      this.#layer.take(object, address, true, out.table);
      address = nextBlock;
    }
    return true;
  }
}
