/**
 * Proportional Rate Reduction (RFC 6937 with the safe bound of its successor, as in Linux): during a reduction the window
 * follows what the peer reports as delivered, so that sending goes on smoothly and ends at ssthresh.
 *
 * `cwnd` is set anew with each ACK to what is in flight and what may be sent in answer to it.
 */
import { inFlight, isUncontrolled, ssthreshAfterLoss } from './congestion.ts';
import type { Effects } from './effects.ts';
import { CaState, type Tcb, TcpLossFlag } from './tcb.ts';

/** RFC 6937 3: at the begin of a reduction, for loss or ECN. */
export function beginReduction(tcb: Tcb): void {
  tcb.recover = tcb.sndNxt;
  tcb.lossFlags &= ~(TcpLossFlag.TlpProbe | TcpLossFlag.TlpRetransmission);
  tcb.cwndCount = 0;
  tcb.priorCwnd = tcb.cwnd;
  tcb.prrDelivered = 0;
  tcb.prrOut = 0;
  tcb.ssthresh = ssthreshAfterLoss(tcb);
  // RFC 3168 6.1.2: the peer hears of it, if it speaks ECN.
  tcb.lossFlags |= TcpLossFlag.CwrOwed;
}

/**
 * RFC 6937 3, on every ACK: `delivered` bytes are news; `isSafe`: SND.UNA has moved, and nothing more was lost; `mustSend`: it
 * is the first ACK, or a partial one without SACK (RFC 6582 3.2 step 3), which both send something again whatever is in flight.
 */
export function reduceWindow(tcb: Tcb, delivered: number, isSafe: boolean, mustSend: boolean): void {
  if (delivered <= 0 || tcb.priorCwnd === 0 || isUncontrolled(tcb)) return;
  const mss = tcb.effectiveMss;
  const pipe = inFlight(tcb);
  const gap = tcb.ssthresh - pipe;
  tcb.prrDelivered += delivered;
  let count: number;
  if (gap < 0) {
    // Proportional part: ssthresh / priorCwnd of what was delivered.
    count = Math.ceil((tcb.ssthresh * tcb.prrDelivered) / tcb.priorCwnd) - tcb.prrOut;
    count = Math.floor(count / mss) * mss;
  } else {
    // Slow start part, back up to ssthresh; with a segment more when all goes well.
    count = Math.max(tcb.prrDelivered - tcb.prrOut, delivered) + (isSafe ? mss : 0);
    count = Math.min(gap, count);
  }
  // Small segments may leave room for less than one, and nothing in flight whose ACK would make more.
  tcb.cwnd = Math.max(mss, pipe + Math.max(count, mustSend || tcb.prrOut === 0 ? mss : 0));
}

export function isReducing(tcb: Tcb): boolean {
  return tcb.caState === CaState.Cwr || tcb.caState === CaState.Recovery;
}

export function endReduction(tcb: Tcb): void {
  if (tcb.caState === CaState.Cwr || (tcb.lossFlags & TcpLossFlag.Undo) !== 0) tcb.cwnd = tcb.ssthresh;
}

/** RFC 3168 6.1.2: the peer has seen congestion. The window goes down as for a loss, but nothing is sent again. */
export function enterCwr(tcb: Tcb, fx: Effects): void {
  tcb.priorSsthresh = 0;
  if (tcb.caState >= CaState.Cwr) return;
  tcb.lossFlags &= ~TcpLossFlag.Undo;
  beginReduction(tcb);
  tcb.caState = CaState.Cwr;
  fx.sent.report.lostRetransmission = false;
}
