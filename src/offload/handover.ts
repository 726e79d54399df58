/**
 * The moment a connection changes hands: delegated state is made portable by the one who gives it, and taken up by the
 * one who gets it (R4, R28; digest §3.6, §4.4–4.7).
 *
 * Deadlines become remainders (-1 = not running), the age of TS.Recent becomes a span, our timestamp clock a reading, so
 * that two owners with different clocks agree. A delayed ACK does not travel as a timer: the new owner sends it at once.
 * Out-of-order data has not been acknowledged and is dropped; the peer sends it again.
 */
import { SSTHRESH_MAX } from '../tcp/reno.ts';
import { goOnAcknowledging } from '../tcp/delayed-ack.ts';
import type { Effects } from '../tcp/effects.ts';
import { hyStartReset } from '../tcp/hystart.ts';
import { type Tcb, TcpDelegatedFlag, TcpPrivateFlag, TcpState, TcpTimer, TcpTimerBit } from '../tcp/tcb.ts';
import { rearm } from '../tcp/timers.ts';
import { goOnTrusting } from '../tcp/window.ts';

const NOT_RUNNING = -1;

/** Unsigned in the shipped structure, where 0xFFFFFFFF stands for no limit (B20). */
function atMost(window: number): number {
  return window < 0 || window > SSTHRESH_MAX ? SSTHRESH_MAX : window;
}

/** The giver: after this the TCB's delegated range is the snapshot. */
export function exportDelegated(tcb: Tcb, now: number): void {
  const { timers, privateFlags } = tcb;
  if ((timers & TcpTimerBit.DelayedAck) !== 0 || (privateFlags & TcpPrivateFlag.AckNow) !== 0) {
    tcb.delegatedFlags |= TcpDelegatedFlag.AckOwed;
  }
  const running = (timers & TcpTimerBit.Retransmit) !== 0;
  tcb.rtxTimeoutDelta = running ? Math.max(0, (tcb.rtxAt - now) | 0) : NOT_RUNNING;
  if (!running) tcb.rtxKind = TcpTimer.None;
  tcb.kaTimeoutDelta = (timers & TcpTimerBit.KeepAlive) !== 0 ? Math.max(0, (tcb.kaAt - now) | 0) : NOT_RUNNING;
  tcb.tsRecentAge = (now - tcb.tsRecentAge) | 0;
  tcb.rackSentAt = (now - tcb.rackSentAt) | 0;
  tcb.lastSendAt = (now - tcb.lastSendAt) | 0;
  tcb.challengeAt = (now - tcb.challengeAt) | 0;
  tcb.cubicEpochAt = (now - tcb.cubicEpochAt) | 0;
  tcb.tsTime = (now + tcb.tsOffset) | 0;
  tcb.timers = 0;
}

/** Backlogs of a query whose device cannot tell (digest §1.6). */
export const UNSUPPORTED_BACKLOG = -1;

/**
 * A query's view of delegated state (R22, C13): what `exportDelegated` would hand over now, written to a copy. The
 * connection runs on. Where a hand-over has chains, a query has backlogs: SendBacklogSize in SendDataHead's place,
 * ReceiveBacklogSize in BufferedData's.
 */
export function snapshotDelegated(tcb: Tcb, copy: Tcb, now: number, receiveBacklog: number): void {
  const { timers, privateFlags } = tcb;
  if ((timers & TcpTimerBit.DelayedAck) !== 0 || (privateFlags & TcpPrivateFlag.AckNow) !== 0) {
    copy.delegatedFlags |= TcpDelegatedFlag.AckOwed;
  }
  const running = (timers & TcpTimerBit.Retransmit) !== 0;
  copy.rtxTimeoutDelta = running ? Math.max(0, (tcb.rtxAt - now) | 0) : NOT_RUNNING;
  if (!running) copy.rtxKind = TcpTimer.None;
  copy.kaTimeoutDelta = (timers & TcpTimerBit.KeepAlive) !== 0 ? Math.max(0, (tcb.kaAt - now) | 0) : NOT_RUNNING;
  copy.tsRecentAge = (now - tcb.tsRecentAge) | 0;
  copy.rackSentAt = (now - tcb.rackSentAt) | 0;
  copy.lastSendAt = (now - tcb.lastSendAt) | 0;
  copy.challengeAt = (now - tcb.challengeAt) | 0;
  copy.cubicEpochAt = (now - tcb.cubicEpochAt) | 0;
  copy.tsTime = (now + tcb.tsOffset) | 0;
  copy.sendDataHead = sendBacklog(tcb);
  copy.sendDataTail = 0;
  copy.bufferedData = receiveBacklog;
}

/** Digest §4.1: what the path holds, as far as congestion control knows, within the peer's window; not what is posted. */
function sendBacklog(tcb: Tcb): number {
  return tcb.srtt === 0 ? UNSUPPORTED_BACKLOG : Math.min(tcb.cwnd, tcb.sndWnd);
}

/**
 * The getter: private state anew, timers from their remainders. Fire-at-once timers fire at the next tick. The out-of-order
 * queue is left alone: who gets one with the state adopts it, who gets its own state back has it still.
 */
export function importDelegated(tcb: Tcb, now: number, fx: Effects): void {
  let timers = 0;
  if (tcb.rtxTimeoutDelta !== NOT_RUNNING && tcb.rtxKind !== TcpTimer.None) {
    timers |= TcpTimerBit.Retransmit;
    tcb.rtxAt = (now + tcb.rtxTimeoutDelta) | 0;
  }
  if (tcb.kaTimeoutDelta !== NOT_RUNNING) {
    timers |= TcpTimerBit.KeepAlive;
    tcb.kaAt = (now + tcb.kaTimeoutDelta) | 0;
  }
  tcb.timers = timers;
  tcb.cwnd = atMost(tcb.cwnd);
  tcb.ssthresh = atMost(tcb.ssthresh);
  tcb.tsRecentAge = (now - tcb.tsRecentAge) | 0;
  tcb.rackSentAt = (now - tcb.rackSentAt) | 0;
  tcb.lastSendAt = (now - tcb.lastSendAt) | 0;
  tcb.challengeAt = (now - tcb.challengeAt) | 0;
  tcb.cubicEpochAt = (now - tcb.cubicEpochAt) | 0;
  tcb.tsOffset = (tcb.tsTime - now) | 0;
  const { delegatedFlags } = tcb;
  tcb.privateFlags = (delegatedFlags & TcpDelegatedFlag.AckOwed) !== 0 ? TcpPrivateFlag.AckNow : 0;
  tcb.delegatedFlags = delegatedFlags & ~TcpDelegatedFlag.AckOwed;
  tcb.curBuffer = 0;
  tcb.curSeq = tcb.sndUna;
  tcb.dsackLength = 0;
  goOnAcknowledging(tcb, now);
  goOnTrusting(tcb);
  // A giver that does not know it (the shipped structure) leaves it zero.
  if (tcb.reordering === 0) tcb.reordering = fx.params.dupAckThreshold;
  tcb.minRttAt = now;
  hyStartReset(tcb);
  tcb.rtoBackoff = 0;
  if (tcb.state !== TcpState.Closed) rearm(tcb, fx);
}
