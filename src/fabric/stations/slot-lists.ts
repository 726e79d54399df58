/**
 * Doubly linked lists of small integers (TCB slots, clients): every operation is O(1) and allocates nothing.
 *
 * Invariant: an item is in at most one of the lists; `listOf(item)` is -1 exactly when it is in none.
 */
import { broken } from '../../base/assert.ts';

const NONE = -1;

export class SlotLists {
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #listOf: Int32Array;
  readonly #head: Int32Array;
  readonly #tail: Int32Array;
  readonly #count: Int32Array;

  constructor(items: number, lists: number) {
    this.#next = new Int32Array(items).fill(NONE);
    this.#prev = new Int32Array(items).fill(NONE);
    this.#listOf = new Int32Array(items).fill(NONE);
    this.#head = new Int32Array(lists).fill(NONE);
    this.#tail = new Int32Array(lists).fill(NONE);
    this.#count = new Int32Array(lists);
  }

  listOf(item: number): number {
    return this.#listOf[item];
  }

  count(list: number): number {
    return this.#count[list];
  }

  /** The item that has been in the list for longest, or -1. */
  first(list: number): number {
    return this.#head[list];
  }

  append(list: number, item: number): void {
    if (this.#listOf[item] !== NONE) broken(`item ${item} is in no list`);
    const tail = this.#tail[list];
    this.#prev[item] = tail;
    this.#next[item] = NONE;
    if (tail === NONE) this.#head[list] = item;
    else this.#next[tail] = item;
    this.#tail[list] = item;
    this.#listOf[item] = list;
    this.#count[list]++;
  }

  /** Takes the item out of whatever list it is in, if any. */
  remove(item: number): void {
    const list = this.#listOf[item];
    if (list === NONE) return;
    const next = this.#next[item];
    const prev = this.#prev[item];
    if (prev === NONE) this.#head[list] = next;
    else this.#next[prev] = next;
    if (next === NONE) this.#tail[list] = prev;
    else this.#prev[next] = prev;
    this.#listOf[item] = NONE;
    this.#count[list]--;
  }

  /** Removes and returns the first item, or -1. */
  takeFirst(list: number): number {
    const item = this.#head[list];
    if (item !== NONE) this.remove(item);
    return item;
  }
}
