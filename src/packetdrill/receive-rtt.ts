/**
 * tcpi_rcv_rtt: the round trip as the receiver sees it, which gets text and has none of its own in flight. As Linux measures
 * it (tcp_rcv_rtt_measure, tcp_rcv_rtt_measure_ts):
 *
 *   with timestamps      from when the value left that a full segment echoes (RFC 7323 4.3), once for each value; smoothed
 *   from the window      from when text up to a number was allowed until it has come; the least counts, because a sender need
 *                        not use the whole window in one round trip
 *
 * It is for information only: the engine has no use for it, so that it is taken where segments and variables can be seen.
 */
import { seqGeq, seqGt, seqLt } from '../base/seq.ts';
import { type Tcb, TcpConstFlag } from '../tcp/tcb.ts';

/** A segment with text has come. */
export interface Arrival {
  readonly seq: number;
  readonly length: number;
  /** TSecr, on the wire; undefined without the option. */
  readonly echo: number | undefined;
}

const US_PER_TICK = 1000;

export class ReceiveRtt {
  /** In eighths of a microsecond; 0: none yet. */
  #smoothed = 0;
  #lastEcho = 0;
  /** The number that was allowed, and when; -1: not measured. */
  #allowed = 0;
  #allowedUs = -1;
  /** As they were before what has come since. */
  #hasLooked = false;
  #rcvNxt = 0;
  #rcvWnd = 0;
  #unacked = 0;
  #rcvMss = 0;

  get us(): number {
    return Math.floor(this.#smoothed / 8);
  }

  look(tcb: Tcb, arrivals: readonly Arrival[], nowTicks: number, nowUs: number): void {
    if (!this.#hasLooked) this.#remember(tcb);
    this.#hasLooked = true;
    for (const arrival of arrivals) this.#measureEcho(tcb, arrival, nowTicks);
    if (tcb.rcvNxt !== this.#rcvNxt) this.#measureWindow(tcb, nowUs);
    this.#remember(tcb);
  }

  #remember({ rcvNxt, rcvWnd, rcvMss, unackedBytes }: Tcb): void {
    this.#rcvNxt = rcvNxt;
    this.#rcvWnd = rcvWnd;
    this.#rcvMss = rcvMss;
    this.#unacked = unackedBytes;
  }

  #measureEcho(tcb: Tcb, { seq, length, echo }: Arrival, nowTicks: number): void {
    if (echo === undefined || echo === this.#lastEcho || (tcb.constFlags & TcpConstFlag.Timestamp) === 0) return;
    const isTaken = seqGt((seq + length) | 0, this.#rcvNxt) && seqLt(seq, (this.#rcvNxt + this.#rcvWnd) | 0);
    if (!isTaken) return;
    this.#lastEcho = echo;
    const ticks = (nowTicks + tcb.tsOffset - echo) | 0;
    // A small one may have waited for something (Nagle).
    if (length < this.#rcvMss || ticks <= 0) return;
    const us = ticks * US_PER_TICK;
    if (this.#smoothed === 0) this.#smoothed = us * 8;
    else this.#smoothed += us - Math.floor(this.#smoothed / 8);
  }

  #measureWindow({ rcvNxt }: Tcb, nowUs: number): void {
    if (this.#allowedUs >= 0) {
      if (!seqGeq(rcvNxt, this.#allowed)) return;
      const sample = 8 * Math.max(1, nowUs - this.#allowedUs);
      this.#smoothed = this.#smoothed === 0 ? sample : Math.min(this.#smoothed, sample);
    }
    // The window as it was offered last, from here on: what had been allowed before would be here in no time.
    this.#allowed = (rcvNxt + this.#rcvWnd + this.#unacked) | 0;
    this.#allowedUs = nowUs;
  }
}
