/**
 * Connections that wait for a list of the chimney: first in, first out. What stays is not moved when a list is taken, and
 * the array keeps its room, so that long queues and short lists go together.
 */
import type { TliConnection } from './connection.ts';

/** Taken places at the front before the rest moves up. */
const GAP_MAX = 4096;

export class ConnectionQueue {
  readonly #items: (TliConnection | null)[] = [];
  #from = 0;
  #to = 0;

  get length(): number {
    return this.#to - this.#from;
  }

  push(connection: TliConnection): void {
    this.#items[this.#to++] = connection;
  }

  /** Takes the one that has waited for longest; there must be one. */
  shift(): TliConnection {
    const connection = this.#items[this.#from]!;
    this.#items[this.#from++] = null;
    if (this.#from === this.#to) {
      this.#from = 0;
      this.#to = 0;
    } else if (this.#from >= GAP_MAX && this.#from > this.#to >> 1) {
      this.#moveUp();
    }
    return connection;
  }

  #moveUp(): void {
    const items = this.#items;
    let to = 0;
    for (let at = this.#from; at < this.#to; at++) {
      items[to++] = items[at]!;
      items[at] = null;
    }
    this.#from = 0;
    this.#to = to;
  }
}
