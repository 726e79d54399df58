/**
 * What a checker knows of the objects that an adapter was given: neighbors, paths and connections by their handles, with
 * everything that is under way for each (digest §3.3, §3.10).
 *
 * An object is dependent on its parent from the moment the initiate is issued, and stays so until a completion says that it
 * is gone: the host must not take a parent back in between (D21).
 */
import { handleSlot } from '../../base/handle.ts';
import { AssertionError } from '../../base/assert.ts';

/** Where an object is: offered to the device, there, asked back. */
export const Phase = { Offloading: 0, Offloaded: 1, Uploading: 2, Gone: 3 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

const PHASE_NAMES = ['being offloaded', 'offloaded', 'being uploaded', 'gone'] as const;
const LAYER_NAMES = ['neighbor', 'path', 'connection'] as const;
export const TCP_LAYER = 2;

/** The part of a connection's delegated state that only ever moves forward (invariant 8). */
export interface Progress {
  readonly rcvNxt: number;
  readonly sndUna: number;
  readonly sndMax: number;
  /** Reading of the sender's timestamp clock; null where the connection has none. */
  readonly tsTime: number | null;
}

export class CheckedObject {
  readonly layer: number;
  /** The word of the layer above that indications carry, 0 = none. */
  readonly context: number;
  /** Root of the list that gives or takes it, or has last done so. */
  root: number;
  handle = 0;
  phase: Phase = Phase.Offloading;
  parent: CheckedObject | null = null;
  readonly dependents = new Set<CheckedObject>();
  /** Roots of what is under way; an update has the object for itself. */
  update = 0;
  queries = 0;
  invalidates = 0;
  /** Lists under way in which it is a linker, or the new neighbor of a relink. */
  links = 0;
  invalidated = false;
  /** Data went to or came from it since it was offloaded: too late to load its state. */
  used = false;
  /** Posted and unanswered, in order of posting. */
  readonly sends = new Set<number>();
  readonly receives = new Set<number>();
  readonly forwards = new Set<number>();
  disconnects = 0;
  /** A FIN that the host had sent before the offload: its ACK may be reported, though no disconnect was posted (B15). */
  inheritedFin = false;
  /** Epoch in which the end of the stream was last told of, -1: not yet. */
  endEpoch = -1;
  /** Indicated once at most. */
  aborted = false;
  progress: Progress | null = null;

  constructor(layer: number, context: number, root: number) {
    this.layer = layer;
    this.context = context;
    this.root = root;
  }

  get name(): string {
    const handle = this.handle === 0 ? 'without a handle' : `0x${this.handle.toString(16)}`;
    return `${LAYER_NAMES[this.layer]} ${handle} (${PHASE_NAMES[this.phase]}, list ${this.root})`;
  }

  /** Makes it depend on another parent. */
  moveTo(parent: CheckedObject | null): void {
    this.parent?.dependents.delete(this);
    this.parent = parent;
    parent?.dependents.add(this);
  }
}

export class CheckedObjects {
  readonly adapter: string;
  readonly #byHandle = [0, 1, 2].map(() => new Map<number, CheckedObject>());
  readonly #byContext = [0, 1, 2].map(() => new Map<number, CheckedObject>());
  /** By slot of the context: how far a connection was when it was last seen, and which connection. */
  readonly #lastSeen = new Map<number, { context: number; progress: Progress }>();

  constructor(adapter: string) {
    this.adapter = adapter;
  }

  /** Objects of a layer that have handles. */
  ofLayer(layer: number): Iterable<CheckedObject> {
    return this.#byHandle[layer]!.values();
  }

  find(layer: number, handle: number): CheckedObject | undefined {
    return this.#byHandle[layer]!.get(handle);
  }

  inContext(layer: number, context: number): CheckedObject | undefined {
    return this.#byContext[layer]!.get(context);
  }

  /** An object is offered; its context is its own from now on. */
  offer(object: CheckedObject): void {
    const { layer, context } = object;
    if (context === 0) return;
    const other = this.#byContext[layer]!.get(context);
    if (other !== undefined) {
      violation(this, `initiate (list ${object.root}) of ${other.name}: it was offered before (digest §3.3)`);
    }
    this.#byContext[layer]!.set(context, object);
  }

  taken(object: CheckedObject, handle: number): void {
    const { layer } = object;
    const other = this.#byHandle[layer]!.get(handle);
    if (handle === 0) violation(this, `initiate complete: ${object.name} was taken, and its handle is 0`);
    if (other !== undefined) {
      violation(this, `initiate complete (list ${object.root}): the handle of a new object is that of ${other.name}`);
    }
    object.handle = handle;
    object.phase = Phase.Offloaded;
    this.#byHandle[layer]!.set(handle, object);
  }

  /** Refused, or taken back: nothing may name it any more. */
  forget(object: CheckedObject): void {
    const { layer, handle, context } = object;
    object.moveTo(null);
    object.phase = Phase.Gone;
    if (this.#byHandle[layer]!.get(handle) === object) this.#byHandle[layer]!.delete(handle);
    if (this.#byContext[layer]!.get(context) === object) this.#byContext[layer]!.delete(context);
  }

  /** How far the connection of this context was when it was last handed over. */
  lastSeen(context: number): Progress | null {
    const last = this.#lastSeen.get(handleSlot(context));
    return last?.context === context ? last.progress : null;
  }

  remember(context: number, progress: Progress): void {
    this.#lastSeen.set(handleSlot(context), { context, progress });
  }
}

/** A rule was broken; `sentence` names the object, what was done, and what it collided with. */
export function violation(objects: CheckedObjects, sentence: string): never {
  throw new AssertionError(`${objects.adapter}: ${sentence}`);
}
