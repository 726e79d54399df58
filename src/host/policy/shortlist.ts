/**
 * The few best of many, in order: what a sweep keeps of the connections that it has seen. Bounded, so that a sweep costs the
 * same per connection however many there are.
 */
export class Shortlist<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  readonly #ranks: number[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Of equals the one that came first stays in front. */
  add(item: T, rank: number): void {
    const items = this.#items;
    const ranks = this.#ranks;
    if (items.length === this.#capacity) {
      if (rank <= ranks.at(-1)!) return;
      items.pop();
      ranks.pop();
    }
    let at = items.length;
    for (; at > 0 && ranks[at - 1]! < rank; at--) {
      items[at] = items[at - 1]!;
      ranks[at] = ranks[at - 1]!;
    }
    items[at] = item;
    ranks[at] = rank;
  }

  item(at: number): T {
    return this.#items[at]!;
  }

  rank(at: number): number {
    return this.#ranks[at]!;
  }

  clear(): void {
    this.#items.length = 0;
    this.#ranks.length = 0;
  }
}
