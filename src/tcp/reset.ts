/**
 * Resets and challenge ACKs: RFC 9293 3.5.2, 3.10.7.1 and RFC 5961.
 */
import { TcpFlag, type TcpHeader, segLenOf } from '../wire/tcp.ts';
import { CloseReason, type Effects } from './effects.ts';
import { type Tcb, TcpPrivateFlag, TcpState } from './tcb.ts';
import { TcpEvent, setState } from './transitions.ts';

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

const CHALLENGE_INTERVAL_TICKS = 500;

/** RFC 5961 3.2, 4.2, with the throttle of section 7. */
export function challengeAck(tcb: Tcb, now: number): void {
  if (((now - tcb.challengeAt) | 0) < CHALLENGE_INTERVAL_TICKS) return;
  tcb.challengeAt = now;
  tcb.privateFlags |= TcpPrivateFlag.AckNow;
}

/** Ends the connection at once: CLOSED, timers off, the owner is told. */
export function endConnection(tcb: Tcb, reason: CloseReason, fx: Effects): void {
  setState(tcb, TcpEvent.Abort);
  tcb.timers = 0;
  tcb.privateFlags = 0;
  fx.closed(tcb, reason);
}

/** Second, check the RST bit. True when the segment is used up. */
export function checkReset(tcb: Tcb, segment: TcpHeader, now: number, fx: Effects): boolean {
  if ((segment.flags & TcpFlag.Rst) === 0) return false;
  // RFC 5961 3.2: only an exact match resets; anything else in the window is challenged.
  if (segment.segSeq !== tcb.rcvNxt) {
    challengeAck(tcb, now);
    return true;
  }
  const refused = tcb.state === TcpState.SynReceived && (tcb.privateFlags & TcpPrivateFlag.Passive) === 0;
  endConnection(tcb, refused ? CloseReason.Refused : CloseReason.Reset, fx);
  return true;
}
