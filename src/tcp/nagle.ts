/**
 * When a segment may leave that is not full: Nagle's algorithm (RFC 9293 3.7.4) in Minshall's form, TCP_CORK and MSG_MORE, and
 * the sender's silly window avoidance (RFC 9293 3.8.6.2.1).
 *
 * Minshall (draft-minshall-nagle): the last, short segment of a write waits only while another short one is not
 * acknowledged, so that a long write need not wait for its own beginning. Linux does the same. Which is the last short one
 * is remembered in the place of ISS, which nobody needs once the handshake is over.
 *
 *   NoDelay  Corked   the rest of a write
 *      -       -      waits for the ACK of a short segment
 *     yes      -      goes at once
 *      -/yes  yes     waits for more, or until nothing has been in flight for an RTO (timer-fired.ts)
 *
 * A call with MSG_MORE is as if corked, and has no PSH at its end. PushNow overrides all of it once.
 */
import { seqGt, seqLeq } from '../base/seq.ts';
import { NetBufferFlag } from '../memory/net-buffer.ts';
import type { NetBufferCursor } from './send-queue.ts';
import { type Tcb, TcpCachedFlag, TcpPrivateFlag, TcpState } from './tcb.ts';

/**
 * May `length` bytes that are no full segment leave? `record` of them or more wait for the same one, `left` in all: those of
 * another record fill nothing up. A closing connection has nothing to wait for.
 */
export function maySendPartial(tcb: Tcb, length: number, record: number, left: number, fin: boolean): boolean {
  if (length !== record) return length >= tcb.maxSndWnd >> 1;
  if (record < left) return true;
  const { cachedFlags, privateFlags } = tcb;
  if (fin || (privateFlags & TcpPrivateFlag.PushNow) !== 0) return true;
  if ((cachedFlags & TcpCachedFlag.Corked) !== 0 || (privateFlags & TcpPrivateFlag.MoreToCome) !== 0) return false;
  if ((cachedFlags & TcpCachedFlag.NaglingEnabled) === 0 || !isSmallInFlight(tcb)) return true;
  return length >= tcb.maxSndWnd >> 1;
}

/** A segment up to `end` has left that was not full. Before the handshake is complete (RFC 7413) there is no place for that. */
export function noteSmall(tcb: Tcb, end: number): void {
  if (tcb.state >= TcpState.Established) tcb.iss = end;
}

/** End of the last short segment, as long as it is not acknowledged; SND.UNA when there is none. */
export function smallEnd(tcb: Tcb): number {
  return isSmallInFlight(tcb) ? tcb.iss : tcb.sndUna;
}

function isSmallInFlight(tcb: Tcb): boolean {
  return seqGt(tcb.iss, tcb.sndUna) && seqLeq(tcb.iss, tcb.sndNxt);
}

/** What waits goes out at the next transmit, cork or not: TCP_NODELAY was set. New bytes end it. */
export function pushNow(tcb: Tcb): void {
  tcb.privateFlags |= TcpPrivateFlag.PushNow;
}

/** A chain was queued: is more to come, as its end says? */
export function noteQueued(tcb: Tcb, buffers: NetBufferCursor): void {
  tcb.privateFlags &= ~(TcpPrivateFlag.PushNow | TcpPrivateFlag.MoreToCome | TcpPrivateFlag.Unpushed);
  if (endsWithMore(tcb, buffers)) tcb.privateFlags |= TcpPrivateFlag.MoreToCome | TcpPrivateFlag.Unpushed;
}

/** A segment of the peer's has come: it lets go what MSG_MORE held back, if Nagle does. */
export function heardFromPeer(tcb: Tcb): void {
  tcb.privateFlags &= ~TcpPrivateFlag.MoreToCome;
}

/** After a hand-over: what private state said of the queue's end, and a command that nobody has obeyed. */
export function resumePushing(tcb: Tcb, buffers: NetBufferCursor): void {
  if (endsWithMore(tcb, buffers)) tcb.privateFlags |= TcpPrivateFlag.MoreToCome | TcpPrivateFlag.Unpushed;
  if ((tcb.cachedFlags & TcpCachedFlag.PushNow) === 0) return;
  tcb.cachedFlags &= ~TcpCachedFlag.PushNow;
  pushNow(tcb);
}

function endsWithMore(tcb: Tcb, buffers: NetBufferCursor): boolean {
  return tcb.sendDataTail !== 0 && (buffers.at(tcb.sendDataTail).flags & NetBufferFlag.More) !== 0;
}
