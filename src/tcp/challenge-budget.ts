/**
 * The throttle of challenge ACKs over all connections of an owner (RFC 5961 7): so many a second.
 *
 * The limit is drawn anew for each second, as Linux does since an attacker could count the ACKs that it got itself, and see
 * from what was missing whether another connection had been challenged.
 */
import type { Prng } from '../base/prng.ts';

const SECOND_TICKS = 1000;

export class ChallengeBudget {
  readonly #prng: Prng;
  readonly #limit: number;
  #left = 0;
  #second = -1;
  /** Challenge ACKs that were sent, and not for want of budget. */
  sent = 0;
  skipped = 0;

  constructor(limit: number, prng: Prng) {
    this.#limit = limit;
    this.#prng = prng;
  }

  /** One may be sent now; it counts. */
  take(now: number): boolean {
    const second = Math.floor((now >>> 0) / SECOND_TICKS);
    if (second !== this.#second) {
      this.#second = second;
      const half = (this.#limit + 1) >>> 1;
      this.#left = this.#prng.between(half, this.#limit + half - 1);
    }
    if (this.#left === 0) {
      this.skipped++;
      return false;
    }
    this.#left--;
    this.sent++;
    return true;
  }
}
