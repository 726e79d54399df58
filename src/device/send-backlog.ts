/**
 * How much send data a connection should have outstanding (SendBacklogSize, SendBacklogChange; digest §3.8, §4.1, E26):
 * what fits the path — the congestion window is TCP's estimate of bandwidth times delay — and the peer's window.
 *
 * It says nothing of what is posted at the moment. The host hears of a change by a factor of two, once a round trip.
 */
import type { Tcb } from '../tcp/tcb.ts';

export class SendBacklog {
  readonly #told: Int32Array;
  readonly #toldAt: Int32Array;

  constructor(slots: number) {
    this.#told = new Int32Array(slots);
    this.#toldAt = new Int32Array(slots);
  }

  begin(slot: number, tcb: Tcb, now: number): void {
    this.#told[slot] = preferredBacklog(tcb);
    this.#toldAt[slot] = now;
  }

  /** After a segment: the new preference when the host is to hear of it, else -1. */
  change(slot: number, tcb: Tcb, now: number): number {
    const preferred = preferredBacklog(tcb);
    const told = this.#told[slot]!;
    if (preferred < 2 * told && told < 2 * preferred) return -1;
    if (preferred === told || ((now - this.#toldAt[slot]!) | 0) < Math.max(1, tcb.srtt >> 3)) return -1;
    this.#told[slot] = preferred;
    this.#toldAt[slot] = now;
    return preferred;
  }
}

/** SendBacklogSize, bytes. */
export function preferredBacklog(tcb: Tcb): number {
  return Math.min(tcb.cwnd, tcb.sndWnd);
}
