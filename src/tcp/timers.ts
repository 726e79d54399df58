/**
 * The timers of a connection and their deadlines (RFC 6298 for the retransmission timer).
 *
 * Retransmit, persist, FIN-WAIT-2 and TIME-WAIT exclude one another and share `rtxAt`, as Retransmit.TimeoutDelta of the
 * shipped interface carries them all. Stopping only clears a bit: the owner's wheel may fire early, `timerFired` then
 * finds nothing due and re-arms (base/timer-wheel.ts).
 */
import { seqLeq, seqLt } from '../base/seq.ts';
import type { TcpHeader } from '../wire/tcp.ts';
import type { Effects } from './effects.ts';
import { type Tcb, TcpConstFlag, TcpDelegatedFlag, TcpPrivateFlag, TcpState, TcpTimer, TcpTimerBit } from './tcb.ts';

const BACKOFF_MAX = 10;
/** An echo older than this is a peer's nonsense. */
const SAMPLE_MAX_TICKS = 600_000;
const MIN_RTT_TICKS = 300_000;
/** 0xffff says that there is none. */
const MIN_RTT_MAX = 0xfffe;

export function startRtx(tcb: Tcb, kind: TcpTimer, deadline: number, fx: Effects): void {
  tcb.rtxKind = kind;
  tcb.rtxAt = deadline;
  tcb.timers |= TcpTimerBit.Retransmit;
  fx.armTimer(tcb, deadline);
}

export function stopRtx(tcb: Tcb): void {
  tcb.rtxKind = TcpTimer.None;
  tcb.timers &= ~TcpTimerBit.Retransmit;
}

/** Nothing is outstanding or waits for a window any more. */
export function stopSendTimer(tcb: Tcb): void {
  const { rtxKind } = tcb;
  if (rtxKind !== TcpTimer.FinWait2 && rtxKind !== TcpTimer.TimeWait) stopRtx(tcb);
}

export function isRtxRunning(tcb: Tcb, kind: TcpTimer): boolean {
  return (tcb.timers & TcpTimerBit.Retransmit) !== 0 && tcb.rtxKind === kind;
}

/** A delayed ACK is due in `ticks`, or earlier if one was before; one that is due soon goes at once, with this text too. */
export function startDelayedAck(tcb: Tcb, ticks: number, now: number, fx: Effects): void {
  const at = (now + ticks) | 0;
  if ((tcb.timers & TcpTimerBit.DelayedAck) !== 0) {
    if (seqLeq(tcb.ackAt, (now + (ticks >> 2)) | 0)) tcb.privateFlags |= TcpPrivateFlag.AckNow;
    if (seqLeq(tcb.ackAt, at)) return;
  }
  tcb.timers |= TcpTimerBit.DelayedAck;
  tcb.ackAt = at;
  fx.armTimer(tcb, tcb.ackAt);
}

export function startKeepAlive(tcb: Tcb, ticks: number, now: number, fx: Effects): void {
  tcb.timers |= TcpTimerBit.KeepAlive;
  tcb.kaAt = (now + ticks) | 0;
  fx.armTimer(tcb, tcb.kaAt);
}

export function stopKeepAlive(tcb: Tcb): void {
  tcb.timers &= ~TcpTimerBit.KeepAlive;
}

export function isDue(tcb: Tcb, bit: number, at: number, now: number): boolean {
  return (tcb.timers & bit) !== 0 && seqLeq(at, now);
}

/** Arms the owner's wheel for the earliest running timer; to be called after a firing and after an import. */
export function rearm(tcb: Tcb, fx: Effects): void {
  const timers = tcb.timers;
  if (timers === 0) return;
  let deadline = 0;
  let found = false;
  if ((timers & TcpTimerBit.Retransmit) !== 0) {
    deadline = tcb.rtxAt;
    found = true;
  }
  if ((timers & TcpTimerBit.DelayedAck) !== 0 && (!found || seqLt(tcb.ackAt, deadline))) {
    deadline = tcb.ackAt;
    found = true;
  }
  if ((timers & TcpTimerBit.KeepAlive) !== 0 && (!found || seqLt(tcb.kaAt, deadline))) deadline = tcb.kaAt;
  fx.armTimer(tcb, deadline);
}

/**
 * RTO with back-off: RFC 6298 2.3 and 5.5. SRTT is kept × 8, RTTVAR × 4, so SRTT + 4·RTTVAR is cheap.
 *
 * DEVIATION RFC 6298 2.4: as in Linux the minimum is one of the variation, not of the whole: a path of 100 ms waits 300.
 */
export function rto(tcb: Tcb, fx: Effects): number {
  const { rtoMinTicks, rtoMaxTicks } = fx.params;
  let ticks = tcb.srtt === 0 ? initialRto(tcb, fx) : (tcb.srtt >> 3) + Math.max(rtoMinTicks, tcb.rttvar);
  const backoff = Math.min(BACKOFF_MAX, tcb.rtxCount + tcb.rtoBackoff);
  ticks *= 1 << backoff;
  if (ticks > rtoMaxTicks) ticks = rtoMaxTicks;
  return tcb.rtxCount > 0 && hasUserTimeout(tcb) ? cutToUserTimeout(tcb, ticks) : ticks;
}

/** MaxRT: 0 is the adapter's count, -1 for ever. */
export function hasUserTimeout(tcb: Tcb): boolean {
  return tcb.maxRt !== 0 && tcb.maxRt !== -1;
}

/** A wait that begins now does not overrun the user timeout (giving-up.ts), as on Linux. */
function cutToUserTimeout(tcb: Tcb, ticks: number): number {
  return Math.max(1, Math.min(ticks, (tcb.maxRt >>> 0) - (tcb.totalRt >>> 0)));
}

/** RFC 6298 2.1; 5.7: three times as much for data when the SYN had to be sent again and left no sample. */
function initialRto(tcb: Tcb, fx: Effects): number {
  const lostSyn = (tcb.delegatedFlags & TcpDelegatedFlag.SynRetransmitted) !== 0;
  return lostSyn && tcb.state >= TcpState.Established ? 3 * fx.params.rtoInitialTicks : fx.params.rtoInitialTicks;
}

/**
 * Karn's second half (RFC 9293 MUST-18, RFC 6298 5): new data was acknowledged. The back-off ends with a valid sample;
 * without one it stays, or a path slower than RTO would never be measured.
 */
export function endBackoff(tcb: Tcb, sampled: boolean): void {
  tcb.rtoBackoff = sampled ? 0 : Math.min(BACKOFF_MAX, tcb.rtoBackoff + tcb.rtxCount);
  tcb.rtxCount = 0;
  tcb.totalRt = 0;
}

/** The round trip by the echoed timestamp of an ACK; -1 when it is not one of ours (RFC 7323 4.1). */
export function echoTicks(tcb: Tcb, segment: TcpHeader, now: number): number {
  if ((tcb.constFlags & TcpConstFlag.Timestamp) === 0 || !segment.hasTimestamp || segment.tsEcr === 0) return -1;
  const ticks = (now + tcb.tsOffset - segment.tsEcr) | 0;
  return ticks < 0 || ticks > SAMPLE_MAX_TICKS ? -1 : ticks;
}

/** RFC 8985 6.2 step 1: the least round trip, of the last five minutes. */
export function noteMinRtt(tcb: Tcb, ticks: number, now: number): void {
  if (ticks > tcb.minRtt && ((now - tcb.minRttAt) | 0) < MIN_RTT_TICKS) return;
  tcb.minRtt = Math.min(ticks, MIN_RTT_MAX);
  tcb.minRttAt = now;
}

/** A round-trip sample in ticks: RFC 6298 2.2 and 2.3 with alpha 1/8, beta 1/4. An SRTT of 0 would say that there is none. */
export function sampleRtt(tcb: Tcb, ticks: number): void {
  if (tcb.srtt === 0) {
    tcb.srtt = Math.max(1, ticks << 3);
    tcb.rttvar = ticks << 1;
    return;
  }
  const delta = ticks - (tcb.srtt >> 3);
  tcb.rttvar = tcb.rttvar + Math.abs(delta) - (tcb.rttvar >> 2);
  tcb.srtt = Math.max(1, tcb.srtt + delta);
}
