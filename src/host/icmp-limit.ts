/**
 * How many ICMP errors this host sends (RFC 1812 4.3.2.8, RFC 1122 3.2.2 "limit"; the numbers are Linux's).
 *
 * Two token buckets must both have one: that of the destination, one error a second and six at once, so that nobody is
 * flooded by way of us; and that of the host, a thousand a second and fifty at once, so that errors never become its main
 * occupation. Answers to questions (echo) are not errors, and not limited.
 */
const BURST = 6;
const TOKEN_TICKS = 1000;
const HOST_BURST = 50;
/** Errors that the host regains in one tick: a thousand a second. */
const HOST_PER_TICK = 1;
/** Destinations that are told apart; others share a bucket, which errs on the side of silence. */
const BUCKETS = 256;

export class IcmpLimit {
  readonly #credit = new Int32Array(BUCKETS).fill(BURST * TOKEN_TICKS);
  readonly #filledAt = new Int32Array(BUCKETS);
  #hostCredit = HOST_BURST;
  #hostFilledAt = 0;
  /** Errors that were not sent. */
  suppressed = 0;

  /** May an error go to this address at the tick `now`? If so, it is taken as sent. */
  allows(destination: number, now: number): boolean {
    const hostCredit = Math.min(HOST_BURST, this.#hostCredit + ((now - this.#hostFilledAt) >>> 0) * HOST_PER_TICK);
    this.#hostCredit = hostCredit;
    this.#hostFilledAt = now;
    const bucket = (Math.imul(destination, 0x9e3779b1) >>> 24) & (BUCKETS - 1);
    const since = (now - this.#filledAt[bucket]!) >>> 0;
    const credit = Math.min(BURST * TOKEN_TICKS, this.#credit[bucket]! + since);
    this.#credit[bucket] = credit;
    this.#filledAt[bucket] = now;
    if (hostCredit < 1 || credit < TOKEN_TICKS) {
      this.suppressed++;
      return false;
    }
    this.#hostCredit--;
    this.#credit[bucket] = credit - TOKEN_TICKS;
    return true;
  }
}
