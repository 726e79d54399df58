/**
 * Who hangs on whom: for each parent of an inverted tree (R8) the list of its children, so that an operation on a path or
 * a neighbor costs what its dependents cost, and not a look at every connection.
 *
 * Doubly linked through arrays of the tables' sizes; nothing is allocated after construction.
 */
const NONE = -1;

export class Dependents {
  readonly #parent: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #first: Int32Array;
  readonly #last: Int32Array;

  constructor(parents: number, children: number) {
    this.#first = new Int32Array(parents).fill(NONE);
    this.#last = new Int32Array(parents).fill(NONE);
    this.#parent = new Int32Array(children).fill(NONE);
    this.#next = new Int32Array(children).fill(NONE);
    this.#previous = new Int32Array(children).fill(NONE);
  }

  attach(parent: number, child: number): void {
    const last = this.#last[parent]!;
    this.#parent[child] = parent;
    this.#previous[child] = last;
    this.#next[child] = NONE;
    if (last === NONE) this.#first[parent] = child;
    else this.#next[last] = child;
    this.#last[parent] = child;
  }

  detach(child: number): void {
    const parent = this.#parent[child]!;
    if (parent === NONE) return;
    const next = this.#next[child]!;
    const previous = this.#previous[child]!;
    if (previous === NONE) this.#first[parent] = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#last[parent] = previous;
    else this.#previous[next] = previous;
    this.#parent[child] = NONE;
  }

  /** The child that was attached first, or -1; the others follow by `next`. */
  first(parent: number): number {
    return this.#first[parent]!;
  }

  next(child: number): number {
    return this.#next[child]!;
  }
}
