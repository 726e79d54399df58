/**
 * The congestion window: how it starts, grows and is used (RFC 5681, RFC 6928, RFC 7661). How much a loss takes from it is
 * asked of the algorithm here (`ssthreshAfterLoss`); when that happens is decided in recovery.ts.
 *
 * As in Linux the window grows only while it is used, and by what an ACK acknowledges, not by a segment for each ACK
 * (RFC 3465, without its limit: stretch ACKs of receive offloads would starve the sender).
 */
import { seqGeq } from '../base/seq.ts';
import { cubicGrow, cubicIdle, cubicSsthresh } from './cubic.ts';
import type { Effects } from './effects.ts';
import { hyStartAck, hyStartReset } from './hystart.ts';
import { avoidCongestion, SSTHRESH_MAX } from './reno.ts';
import { CaState, CongestionControl, type Tcb, TcpDelegatedFlag, TcpLossFlag } from './tcb.ts';
import { rto } from './timers.ts';

/** RFC 6928 2: of the default ten segments. */
const INITIAL_WINDOW_BYTES = 14600;

const ALGORITHMS = {
  cubic: CongestionControl.Cubic,
  newreno: CongestionControl.NewReno,
  none: CongestionControl.None,
} as const;

/** RFC 6928 2; one segment after a SYN was lost (RFC 5681 3.1). */
export function initialWindow(tcb: Tcb, fx: Effects): number {
  const mss = tcb.effectiveMss;
  if (isUncontrolled(tcb)) return SSTHRESH_MAX;
  if ((tcb.delegatedFlags & TcpDelegatedFlag.SynRetransmitted) !== 0) return mss;
  const ofPath = fx.initialWindowSegments?.(tcb) ?? 0;
  if (ofPath > 0) return ofPath * mss;
  const segments = fx.params.initialWindowSegments;
  return segments === 10 ? Math.min(10 * mss, Math.max(2 * mss, INITIAL_WINDOW_BYTES)) : segments * mss;
}

export function startCongestionControl(tcb: Tcb, fx: Effects): void {
  tcb.congestionControl = ALGORITHMS[fx.params.congestionControl];
  tcb.cwnd = initialWindow(tcb, fx);
  tcb.ssthresh = SSTHRESH_MAX;
  tcb.recover = tcb.iss;
  tcb.cwndUsageSeq = tcb.sndNxt;
  hyStartReset(tcb);
}

/** RFC 5681 2: sent and not cumulatively acknowledged. */
export function flightSize(tcb: Tcb): number {
  return (tcb.sndMax - tcb.sndUna) | 0;
}

/** RFC 6675 "pipe": what is probably still in the network. */
export function inFlight(tcb: Tcb): number {
  return flightSize(tcb) - tcb.sackedBytes - tcb.lostBytes + tcb.retransBytes;
}

export function isUncontrolled(tcb: Tcb): boolean {
  return tcb.congestionControl === CongestionControl.None;
}

export function inSlowStart(tcb: Tcb): boolean {
  return tcb.cwnd < tcb.ssthresh;
}

/** RFC 7661 4: was the window used, so that what arrived says something about it? In slow start half is enough (Linux). */
export function isCwndLimited(tcb: Tcb): boolean {
  if (inSlowStart(tcb)) return tcb.cwnd < 2 * tcb.maxFlight;
  return (tcb.lossFlags & TcpLossFlag.CwndLimited) !== 0;
}

/** After sending: the strongest sign of this window's use counts until the window is acknowledged. */
export function noteWindowUse(tcb: Tcb, limited: boolean): void {
  const flight = flightSize(tcb);
  const was = (tcb.lossFlags & TcpLossFlag.CwndLimited) !== 0;
  if (!seqGeq(tcb.sndUna, tcb.cwndUsageSeq) && !limited && (was || flight <= tcb.maxFlight)) return;
  tcb.maxFlight = flight;
  tcb.cwndUsageSeq = tcb.sndNxt;
  if (limited) tcb.lossFlags |= TcpLossFlag.CwndLimited;
  else tcb.lossFlags &= ~TcpLossFlag.CwndLimited;
}

/** An ACK for `acked` new bytes outside of recovery: RFC 5681 3.1. `rtt` in ticks, -1 without a sample. */
export function growWindow(tcb: Tcb, acked: number, rtt: number, now: number): void {
  const isCubic = tcb.congestionControl === CongestionControl.Cubic;
  if (!isCwndLimited(tcb) || isUncontrolled(tcb)) return;
  let left = acked;
  if (inSlowStart(tcb)) {
    // RFC 9406 4.3: only before the first loss; later slow starts know from ssthresh where to end.
    const grown = isCubic && tcb.ssthresh === SSTHRESH_MAX ? hyStartAck(tcb, acked, rtt) : acked;
    const cwnd = Math.min(tcb.cwnd + grown, tcb.ssthresh);
    left = grown === acked ? acked - (cwnd - tcb.cwnd) : 0;
    tcb.cwnd = Math.min(cwnd, SSTHRESH_MAX);
    if (left <= 0) return;
  }
  if (isCubic) cubicGrow(tcb, left, now);
  else avoidCongestion(tcb, Math.max(1, Math.floor(tcb.cwnd / tcb.effectiveMss)), left);
}

/**
 * What the algorithm leaves of the window after a loss: whole segments, at least two.
 *
 * DEVIATION RFC 5681 3.1 (4): as in Linux a part of cwnd, not of FlightSize. RFC 9438 4.6 allows that where cwnd does not grow
 * beyond what is used (`isCwndLimited`).
 */
export function ssthreshAfterLoss(tcb: Tcb): number {
  if (isUncontrolled(tcb)) return SSTHRESH_MAX;
  const mss = tcb.effectiveMss;
  const segments = Math.floor(tcb.cwnd / mss);
  const left = tcb.congestionControl === CongestionControl.Cubic ? cubicSsthresh(tcb) : segments >> 1;
  return Math.max(2, left) * mss;
}

/** The threshold worth restoring: what has been proven, unless a reduction is under way. */
export function currentSsthresh(tcb: Tcb): number {
  if (tcb.caState === CaState.Cwr || tcb.caState === CaState.Recovery) return tcb.ssthresh;
  return Math.max(tcb.ssthresh, (tcb.cwnd >> 1) + (tcb.cwnd >> 2));
}

/** RFC 5681 4.1, RFC 2861 3.1: after an idle time of more than one RTO the window restarts, halved for each RTO that passed. */
export function restartAfterIdle(tcb: Tcb, idle: number, fx: Effects): void {
  const patience = rto(tcb, fx);
  const least = Math.min(initialWindow(tcb, fx), tcb.cwnd);
  tcb.ssthresh = currentSsthresh(tcb);
  let cwnd = tcb.cwnd;
  for (let left = idle - patience; left > 0 && cwnd > least; left -= patience) cwnd >>= 1;
  tcb.cwnd = Math.max(cwnd, least);
  tcb.maxFlight = 0;
  tcb.cwndCount = 0;
}

/** Sending begins again after `idle` ticks in which nothing was in flight. */
export function startedSending(tcb: Tcb, idle: number, now: number): void {
  if (tcb.congestionControl === CongestionControl.Cubic) cubicIdle(tcb, idle, now);
}
