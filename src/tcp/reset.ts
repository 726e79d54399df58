/**
 * Resets and challenge ACKs: RFC 9293 3.5.2, 3.10.7.1 and RFC 5961; and the end of a connection by anything but the
 * orderly way.
 *
 * Called by segment-arrives.ts, timer-fired.ts and user-calls.ts. `resetFor` also serves owners, for segments that no
 * connection takes.
 */
import { TcpFlag, type TcpHeader, segLenOf } from '../wire/tcp.ts';
import { BlindVerdict, judgeReset, judgeSyn } from './blind-attack.ts';
import { CloseReason, type Effects } from './effects.ts';
import { type Tcb, TcpPrivateFlag, TcpState, TcpTimer } from './tcb.ts';
import { TcpEvent, setState } from './transitions.ts';
import { isResetInWindow } from './window.ts';

/** What to answer a segment for which there is no connection; filled by `resetFor`. */
export class ResetReply {
  flags = 0;
  segSeq = 0;
  segAck = 0;
}

/** 3.10.7.1: CLOSED. False when nothing is to be sent. */
export function resetFor(segment: TcpHeader, out: ResetReply): boolean {
  if ((segment.flags & TcpFlag.Rst) !== 0) return false;
  if ((segment.flags & TcpFlag.Ack) !== 0) {
    out.flags = TcpFlag.Rst;
    out.segSeq = segment.segAck;
    out.segAck = 0;
  } else {
    out.flags = TcpFlag.Rst | TcpFlag.Ack;
    out.segSeq = 0;
    out.segAck = (segment.segSeq + segLenOf(segment)) | 0;
  }
  return true;
}

/**
 * RFC 5961 3.2, 4.2, 5.2: a challenge ACK, within the limits of section 7 for the connection and for all of them.
 */
export function challengeAck(tcb: Tcb, now: number, fx: Effects): void {
  if (isThrottled(tcb, now, fx) || !fx.challenges.take(now)) return;
  tcb.privateFlags |= TcpPrivateFlag.AckNow;
}

/** The ACK of a segment that is not acceptable and has no text; the limit ends wars of ACKs over ACKs that nobody accepts. */
export function answerUnacceptable(tcb: Tcb, now: number, fx: Effects): void {
  if (!isThrottled(tcb, now, fx)) tcb.privateFlags |= TcpPrivateFlag.AckNow;
}

/** One of both a connection is given in so long. */
function isThrottled(tcb: Tcb, now: number, fx: Effects): boolean {
  if ((now - tcb.challengeAt) >>> 0 < fx.params.invalidAckIntervalTicks) return true;
  tcb.challengeAt = now;
  return false;
}

/** Ends the connection at once: CLOSED, timers off, the owner is told. */
export function endConnection(tcb: Tcb, reason: CloseReason, fx: Effects): void {
  setState(tcb, TcpEvent.Abort);
  reportClosed(tcb, reason, fx);
}

/** In CLOSED: nothing runs any more. That the owner has it in its list of blocked ones stays true. */
export function reportClosed(tcb: Tcb, reason: CloseReason, fx: Effects): void {
  tcb.timers = 0;
  tcb.rtxKind = TcpTimer.None;
  tcb.privateFlags &= TcpPrivateFlag.TransmitPending;
  fx.sent.clear(tcb);
  fx.closed(tcb, reason);
}

/** Second, check the RST bit. True when the segment is used up. */
export function checkReset(tcb: Tcb, segment: TcpHeader, now: number, fx: Effects): boolean {
  if ((segment.flags & TcpFlag.Rst) === 0) return false;
  if (fx.params.blindAttack === 'shipped') {
    const verdict = judgeReset(tcb, segment.segSeq, now, fx);
    if (verdict === BlindVerdict.Believed) endConnection(tcb, resetReason(tcb), fx);
    return true;
  }
  // RFC 5961 3.2: outside the window it is dropped silently, only an exact match resets, the rest is challenged.
  if (!isResetInWindow(tcb, segment.segSeq)) return true;
  if (segment.segSeq !== tcb.rcvNxt) {
    challengeAck(tcb, now, fx);
    return true;
  }
  // RFC 1337 3 (F1): TIME-WAIT is not cut short by a RST, where that is wanted.
  if (fx.params.timeWaitIgnoresReset && tcb.state === TcpState.TimeWait) return true;
  endConnection(tcb, resetReason(tcb), fx);
  return true;
}

/** The shipped rules for a SYN, which look at its number before anything else. True when the segment is used up. */
export function checkForgedSyn(tcb: Tcb, segment: TcpHeader, now: number, fx: Effects): boolean {
  const applies = fx.params.blindAttack === 'shipped' && (segment.flags & TcpFlag.Syn) !== 0;
  if (!applies || tcb.state < TcpState.Established || tcb.state === TcpState.TimeWait) return false;
  const verdict = judgeSyn(tcb, segment.segSeq, now, fx);
  if (verdict === BlindVerdict.Believed) endConnection(tcb, CloseReason.Replaced, fx);
  return true;
}

/** RFC 9293 3.10.7.4: a refusal in an active open that became simultaneous; in TIME-WAIT all is done, no news. */
function resetReason(tcb: Tcb): CloseReason {
  if (tcb.state === TcpState.TimeWait) return CloseReason.Normal;
  const refused = tcb.state === TcpState.SynReceived && (tcb.privateFlags & TcpPrivateFlag.Passive) === 0;
  return refused ? CloseReason.Refused : CloseReason.Reset;
}
