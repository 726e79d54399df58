/**
 * HyStart++ (RFC 9406): slow start ends before it overflows the bottleneck's queue. When the least round trip of a round
 * has grown by an eighth, growth slows to a quarter (Conservative Slow Start); if the delay stays for five rounds, it was
 * the queue and slow start is over; if it goes away, it was noise.
 *
 * DEVIATION RFC 9406 4.3: no limit L on what one ACK adds, as in Linux (congestion.ts says why). A hand-over begins a new
 * round, which at worst leaves slow start a round later.
 */
import { seqGt } from '../base/seq.ts';
import type { Tcb } from './tcb.ts';

const MIN_RTT_THRESH = 4;
const MAX_RTT_THRESH = 16;
const MIN_RTT_DIVISOR = 8;
const N_RTT_SAMPLE = 8;
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;
const NONE = 0xffff;

export function hyStartReset(tcb: Tcb): void {
  tcb.hyStartEnd = tcb.sndNxt;
  tcb.hyStartLastRtt = NONE;
  tcb.hyStartRtt = NONE;
  tcb.hyStartBaseline = NONE;
  tcb.hyStartSamples = 0;
  tcb.hyStartRounds = 0;
}

/** An ACK of `acked` bytes in slow start, with a round trip of `rtt` ticks (-1: none). What cwnd may grow by. */
export function hyStartAck(tcb: Tcb, acked: number, rtt: number): number {
  if (rtt >= 0 && rtt < NONE) {
    if (rtt < tcb.hyStartRtt) tcb.hyStartRtt = rtt;
    if (tcb.hyStartSamples < 255) tcb.hyStartSamples++;
    judge(tcb);
  }
  if (seqGt(tcb.sndUna, tcb.hyStartEnd)) endRound(tcb);
  return tcb.hyStartRounds > 0 ? Math.max(1, Math.floor(acked / CSS_GROWTH_DIVISOR)) : acked;
}

function judge(tcb: Tcb): void {
  if (tcb.hyStartSamples < N_RTT_SAMPLE || tcb.hyStartRtt === NONE) return;
  if (tcb.hyStartRounds > 0) {
    // It was noise: slow start goes on.
    if (tcb.hyStartRtt >= tcb.hyStartBaseline) return;
    tcb.hyStartBaseline = NONE;
    tcb.hyStartRounds = 0;
    return;
  }
  if (tcb.hyStartLastRtt === NONE) return;
  const eighth = Math.floor(tcb.hyStartLastRtt / MIN_RTT_DIVISOR);
  const threshold = Math.max(MIN_RTT_THRESH, Math.min(eighth, MAX_RTT_THRESH));
  if (tcb.hyStartRtt < tcb.hyStartLastRtt + threshold) return;
  tcb.hyStartBaseline = tcb.hyStartRtt;
  tcb.hyStartRounds = CSS_ROUNDS;
}

function endRound(tcb: Tcb): void {
  tcb.hyStartEnd = tcb.sndNxt;
  tcb.hyStartLastRtt = tcb.hyStartRtt;
  tcb.hyStartRtt = NONE;
  tcb.hyStartSamples = 0;
  if (tcb.hyStartRounds === 0) return;
  tcb.hyStartRounds--;
  if (tcb.hyStartRounds === 0) tcb.ssthresh = tcb.cwnd;
}
