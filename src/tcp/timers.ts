/**
 * The timers of a connection and their deadlines (RFC 6298 for the retransmission timer).
 *
 * Retransmit, persist, FIN-WAIT-2 and TIME-WAIT exclude one another and share `rtxAt`, as Retransmit.TimeoutDelta of the
 * shipped interface carries them all. Stopping only clears a bit: the owner's wheel may fire early, `timerFired` then
 * finds nothing due and re-arms (base/timer-wheel.ts).
 */
import { seqLeq, seqLt } from '../base/seq.ts';
import type { Effects } from './effects.ts';
import { type Tcb, TcpTimer, TcpTimerBit } from './tcb.ts';

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

export function isRtxRunning(tcb: Tcb, kind: TcpTimer): boolean {
  return (tcb.timers & TcpTimerBit.Retransmit) !== 0 && tcb.rtxKind === kind;
}

export function startDelayedAck(tcb: Tcb, now: number, fx: Effects): void {
  if ((tcb.timers & TcpTimerBit.DelayedAck) !== 0) return;
  tcb.timers |= TcpTimerBit.DelayedAck;
  tcb.ackAt = (now + fx.params.delayedAckTicks) | 0;
  fx.armTimer(tcb, tcb.ackAt);
}

export function stopDelayedAck(tcb: Tcb): void {
  tcb.timers &= ~TcpTimerBit.DelayedAck;
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

/** RTO with back-off: RFC 6298 2.3 and 5.5. SRTT is kept × 8, RTTVAR × 4, so SRTT + 4·RTTVAR is cheap. */
export function rto(tcb: Tcb, fx: Effects): number {
  const { rtoInitialTicks, rtoMinTicks, rtoMaxTicks } = fx.params;
  let ticks = tcb.srtt === 0 ? rtoInitialTicks : (tcb.srtt >> 3) + Math.max(1, tcb.rttvar);
  if (ticks < rtoMinTicks) ticks = rtoMinTicks;
  const backoff = tcb.rtxCount > 10 ? 10 : tcb.rtxCount;
  ticks *= 1 << backoff;
  return ticks > rtoMaxTicks ? rtoMaxTicks : ticks;
}

/** A round-trip sample in ticks: RFC 6298 2.2 and 2.3 with alpha 1/8, beta 1/4. */
export function sampleRtt(tcb: Tcb, ticks: number): void {
  const r = ticks < 1 ? 1 : ticks;
  if (tcb.srtt === 0) {
    tcb.srtt = r << 3;
    tcb.rttvar = r << 1;
    return;
  }
  const delta = r - (tcb.srtt >> 3);
  tcb.rttvar = Math.max(1, tcb.rttvar + Math.abs(delta) - (tcb.rttvar >> 2));
  tcb.srtt = Math.max(1, tcb.srtt + delta);
}
