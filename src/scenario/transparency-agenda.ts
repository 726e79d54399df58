/**
 * Calls at times of their own, in virtual time: what an application or an action does a while later.
 *
 * Few are due at once, so that a sorted list is all it takes; calls of one time keep their order.
 */
import type { Clock } from '../base/clock.ts';

interface Entry {
  readonly us: number;
  readonly call: () => void;
}

export class Agenda {
  readonly #clock: Clock;
  readonly #entries: Entry[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** When the first is due; never is the end of time. */
  get nextUs(): number {
    return this.#entries[0]?.us ?? Number.MAX_SAFE_INTEGER;
  }

  after(us: number, call: () => void): void {
    const entry = { us: this.#clock.nowUs() + us, call };
    let at = this.#entries.length;
    while (at > 0 && this.#entries[at - 1]!.us > entry.us) at--;
    this.#entries.splice(at, 0, entry);
  }

  runDue(): void {
    const nowUs = this.#clock.nowUs();
    while (this.nextUs <= nowUs) this.#entries.shift()!.call();
  }
}
