/**
 * Congestion control: slow start and congestion avoidance (RFC 5681), NewReno fast recovery (RFC 6582), limited
 * transmit (RFC 3042), an initial window of ten segments (RFC 6928).
 *
 * Called by acknowledge.ts (new and duplicate ACKs) and timer-fired.ts (time-out). `recover` and the Recovery flag are
 * delegated state: a connection that is handed over in the middle of recovery goes on with it.
 */
import { seqGt, seqLt } from '../base/seq.ts';
import type { Effects } from './effects.ts';
import { type Tcb, TcpDelegatedFlag, TcpPrivateFlag } from './tcb.ts';

/** No window is wider (RFC 7323 2.3): CWnd and SsThresh beyond it mean no limit. */
export const SSTHRESH_MAX = 0x3fffffff;

/** RFC 6928 2; one segment after a SYN was lost (RFC 5681 3.1). */
export function initialWindow(tcb: Tcb): number {
  const mss = tcb.effectiveMss;
  if ((tcb.delegatedFlags & TcpDelegatedFlag.SynRetransmitted) !== 0) return mss;
  return Math.min(10 * mss, Math.max(2 * mss, 14600));
}

export function startCongestionControl(tcb: Tcb): void {
  tcb.cwnd = initialWindow(tcb);
  tcb.ssthresh = SSTHRESH_MAX;
  tcb.recover = tcb.iss;
}

export function flightSize(tcb: Tcb): number {
  return (tcb.sndMax - tcb.sndUna) | 0;
}

export function inRecovery(tcb: Tcb): boolean {
  return (tcb.delegatedFlags & TcpDelegatedFlag.Recovery) !== 0;
}

/** An ACK for `acked` new bytes outside recovery: RFC 5681 3.1, equations (2) and (3). */
export function growWindow(tcb: Tcb, acked: number): void {
  const mss = tcb.effectiveMss;
  if (tcb.cwnd < tcb.ssthresh) tcb.cwnd += Math.min(acked, mss);
  else tcb.cwnd += Math.max(1, Math.floor((mss * mss) / tcb.cwnd));
  if (tcb.cwnd > SSTHRESH_MAX) tcb.cwnd = SSTHRESH_MAX;
}

/** RFC 5681 equation (4). */
function halveThreshold(tcb: Tcb): void {
  tcb.ssthresh = Math.max(flightSize(tcb) >> 1, 2 * tcb.effectiveMss);
}

/**
 * A duplicate ACK. RFC 6582 3.2: at the threshold, unless the loss belongs to an earlier recovery, retransmit and
 * enter recovery; each further one inflates the window by a segment that left the network.
 */
export function duplicateAck(tcb: Tcb, fx: Effects): void {
  if (tcb.dupAckCount < 255) tcb.dupAckCount++;
  if (inRecovery(tcb)) {
    tcb.cwnd = Math.min(SSTHRESH_MAX, tcb.cwnd + tcb.effectiveMss);
    return;
  }
  if (tcb.dupAckCount !== fx.params.dupAckThreshold) return;
  // RFC 6582 3.2 step 2: only if the cumulative ACK covers more than `recover`, which is one past the highest sent here.
  if (!seqGt(tcb.sndUna, tcb.recover)) return;
  halveThreshold(tcb);
  tcb.recover = tcb.sndMax;
  tcb.delegatedFlags |= TcpDelegatedFlag.Recovery;
  tcb.cwnd = tcb.ssthresh + 3 * tcb.effectiveMss;
  tcb.privateFlags |= TcpPrivateFlag.RetransmitFirst;
}

/** RFC 3042: the first two duplicate ACKs each let one new segment out, beyond cwnd. */
export function limitedTransmit(tcb: Tcb, fx: Effects): number {
  const count = tcb.dupAckCount;
  if (count === 0 || inRecovery(tcb) || count >= fx.params.dupAckThreshold) return 0;
  // While going back after a time-out nothing is new.
  if (seqLt(tcb.sndNxt, tcb.sndMax)) return 0;
  return count * tcb.effectiveMss;
}

/** A new ACK while in recovery: RFC 6582 3.2 step 3, full or partial. */
export function recoveryAck(tcb: Tcb, acked: number): void {
  const mss = tcb.effectiveMss;
  if (!seqGt(tcb.recover, tcb.sndUna)) {
    tcb.cwnd = Math.min(tcb.ssthresh, Math.max(flightSize(tcb), mss) + mss);
    tcb.delegatedFlags &= ~TcpDelegatedFlag.Recovery;
    tcb.privateFlags &= ~TcpPrivateFlag.RetransmitFirst;
    return;
  }
  tcb.cwnd = Math.max(mss, tcb.cwnd - acked + (acked >= mss ? mss : 0));
  tcb.privateFlags |= TcpPrivateFlag.RetransmitFirst;
}

/** The retransmission timer expired: RFC 5681 3.1 (loss window of one segment), RFC 6582 4. */
export function timedOut(tcb: Tcb): void {
  if (tcb.rtxCount === 0) halveThreshold(tcb);
  tcb.cwnd = tcb.effectiveMss;
  tcb.recover = tcb.sndMax;
  tcb.delegatedFlags &= ~TcpDelegatedFlag.Recovery;
  tcb.dupAckCount = 0;
}

/** RFC 5681 4.1: after an idle time of more than one RTO the window restarts. */
export function restartAfterIdle(tcb: Tcb): void {
  tcb.cwnd = Math.min(tcb.cwnd, initialWindow(tcb));
}
