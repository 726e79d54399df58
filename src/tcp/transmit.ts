/**
 * "What may I send now?" — data, FIN, window updates and ACKs (RFC 9293 3.7.4, 3.8.4, 3.8.6; RFC 5681).
 *
 * Every entry point of the engine ends here, so that an ACK rides on data where there is any. Returns early when the
 * owner has no room for a segment; the owner calls again.
 */
import { seqGt, seqLt } from '../base/seq.ts';
import { TcpFlag } from '../wire/tcp.ts';
import { flightSize, limitedTransmit, restartAfterIdle } from './congestion.ts';
import type { Effects } from './effects.ts';
import { segmentRoom } from './sack-report.ts';
import { finOutstanding } from './send-queue.ts';
import { type Tcb, TcpCachedFlag, TcpPrivateFlag, TcpState, TcpTimer } from './tcb.ts';
import { isRtxRunning, rto, startRtx, stopDelayedAck } from './timers.ts';

export function transmit(tcb: Tcb, now: number, fx: Effects): void {
  if ((tcb.privateFlags & TcpPrivateFlag.Frozen) !== 0) return;
  const state = tcb.state;
  if (state === TcpState.Closed || state === TcpState.Listen) return;
  if (state === TcpState.SynSent || state === TcpState.SynReceived) {
    transmitSyn(tcb, now, fx);
    return;
  }
  if ((tcb.privateFlags & TcpPrivateFlag.RetransmitFirst) !== 0 && !retransmitFirst(tcb, fx)) return;
  const hadRoom = transmitNew(tcb, now, fx);
  superviseSending(tcb, hadRoom, now, fx);
  if (hadRoom && (tcb.privateFlags & TcpPrivateFlag.AckNow) !== 0) sendAck(tcb, fx);
}

/** SND.NXT = ISS says that a SYN is due: at the open, and after its time-out. */
function transmitSyn(tcb: Tcb, now: number, fx: Effects): void {
  if (tcb.sndNxt === tcb.iss) {
    const flags = tcb.state === TcpState.SynSent ? TcpFlag.Syn : TcpFlag.Syn | TcpFlag.Ack;
    if (!emit(tcb, flags, tcb.iss, 0, fx)) return;
    tcb.sndNxt = (tcb.iss + 1) | 0;
    if (seqGt(tcb.sndNxt, tcb.sndMax)) {
      tcb.sndMax = tcb.sndNxt;
      startTiming(tcb, tcb.iss, now);
    }
    startRtx(tcb, TcpTimer.Retransmit, (now + rto(tcb, fx)) | 0, fx);
  } else if ((tcb.privateFlags & TcpPrivateFlag.AckNow) !== 0 && tcb.state === TcpState.SynReceived) {
    emit(tcb, TcpFlag.Ack, tcb.sndNxt, 0, fx);
  }
}

/** Fast retransmit: the first unacknowledged segment again, as far as it was sent and the window goes; SND.NXT unmoved. */
function retransmitFirst(tcb: Tcb, fx: Effects): boolean {
  const queued = tcb.sendDataBytes;
  const sent = Math.min(flightSize(tcb), tcb.sndWnd);
  const length = Math.min(segmentRoom(tcb), queued, sent);
  const fin = length === queued && sent > queued;
  if (length > 0 || fin) {
    if (!emit(tcb, TcpFlag.Ack | (fin ? TcpFlag.Fin : 0), tcb.sndUna, length, fx)) return false;
  }
  tcb.privateFlags &= ~(TcpPrivateFlag.RetransmitFirst | TcpPrivateFlag.Timing);
  return true;
}

/** Sends what windows, Nagle and room allow from SND.NXT on. False when there was no room. */
function transmitNew(tcb: Tcb, now: number, fx: Effects): boolean {
  const fin = finOutstanding(tcb.state);
  let offset = (tcb.sndNxt - tcb.sndUna) | 0;
  const queued = tcb.sendDataBytes;
  if (offset >= queued && (!fin || offset > queued)) return true;
  if (flightSize(tcb) === 0 && queued > 0 && (now - tcb.lastSendAt) >>> 0 > rto(tcb, fx)) restartAfterIdle(tcb);
  const window = Math.min(tcb.sndWnd, tcb.cwnd + limitedTransmit(tcb, fx));
  for (;;) {
    // Anew for each segment: the first one out may take a D-SACK with it.
    const mss = segmentRoom(tcb);
    const left = queued - offset;
    let length = Math.min(left, mss, window - offset);
    if (length < 0) length = 0;
    if (left > 0) {
      if (length === 0) return true;
      if (length < mss && !maySendPartial(tcb, length, left, offset, fin)) return true;
    } else if (!fin || left < 0 || tcb.sndWnd <= offset) {
      // A FIN takes a sequence number, and so a place in the window.
      return true;
    }
    const last = length === left;
    const withFin = last && fin && tcb.sndWnd > offset + length;
    let flags: number = TcpFlag.Ack;
    if (withFin) flags |= TcpFlag.Fin;
    // RFC 9293 MUST-61: PSH on the last buffered segment.
    if (last && length > 0) flags |= TcpFlag.Psh;
    if (!emit(tcb, flags, tcb.sndNxt, length, fx)) return false;
    advanceSndNxt(tcb, length + (withFin ? 1 : 0), length, now);
    offset += length;
    if (withFin) return true;
  }
}

/** RFC 9293 3.8.6.2.1 (sender's SWS avoidance) with Nagle's (2)/(3); a closing connection does not wait for more. */
function maySendPartial(tcb: Tcb, length: number, left: number, offset: number, fin: boolean): boolean {
  if (length === left) {
    if (offset === 0 || fin) return true;
    if ((tcb.cachedFlags & TcpCachedFlag.NaglingEnabled) === 0) return true;
    if (seqLt(tcb.sndNxt, tcb.sndMax)) return true;
  }
  // After a time-out something must go, also into a window that shrank (RFC 9293 SHLD-16).
  if (offset === 0 && seqLt(tcb.sndNxt, tcb.sndMax) && isRtxRunning(tcb, TcpTimer.Retransmit)) return true;
  return length >= tcb.maxSndWnd >> 1;
}

function advanceSndNxt(tcb: Tcb, count: number, payload: number, now: number): void {
  const from = tcb.sndNxt;
  tcb.sndNxt = (from + count) | 0;
  if (payload > 0) tcb.lastSendAt = now;
  if (seqGt(tcb.sndNxt, tcb.sndMax)) {
    // Karn: only what is sent for the first time is timed.
    if (from === tcb.sndMax) startTiming(tcb, from, now);
    tcb.sndMax = tcb.sndNxt;
  }
}

function startTiming(tcb: Tcb, seq: number, now: number): void {
  if ((tcb.privateFlags & TcpPrivateFlag.Timing) !== 0) return;
  tcb.privateFlags |= TcpPrivateFlag.Timing;
  tcb.rttSeq = seq;
  tcb.rttAt = now;
}

/**
 * Keeps a timer on whatever the peer owes us: RFC 6298 5.1 for what is in flight; RFC 9293 3.8.6.1 (persist) when
 * something waits and nothing is in flight but, at most, a window probe.
 */
function superviseSending(tcb: Tcb, hadRoom: boolean, now: number, fx: Effects): void {
  if (tcb.sndNxt !== tcb.sndUna) {
    if (isRtxRunning(tcb, TcpTimer.Retransmit)) return;
    if (isRtxRunning(tcb, TcpTimer.Persist)) tcb.rtxCount = 0;
    startRtx(tcb, TcpTimer.Retransmit, (now + rto(tcb, fx)) | 0, fx);
    return;
  }
  if (!hadRoom || (tcb.sendDataBytes === 0 && !finOutstanding(tcb.state))) return;
  if (isRtxRunning(tcb, TcpTimer.Retransmit) || isRtxRunning(tcb, TcpTimer.Persist)) return;
  tcb.rtxCount = 0;
  startRtx(tcb, TcpTimer.Persist, (now + rto(tcb, fx)) | 0, fx);
}

/** A segment without text: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
export function sendAck(tcb: Tcb, fx: Effects): boolean {
  return emit(tcb, TcpFlag.Ack, acceptableSeq(tcb), 0, fx);
}

/**
 * The number of a segment without text. While going back after a time-out SND.NXT lies below what the peer has, so it is
 * the highest number sent; but never beyond the peer's window (a probe of a closed one, RFC 9293 A.2), where the peer
 * would answer instead of listening.
 */
export function acceptableSeq(tcb: Tcb): number {
  const edge = (tcb.sndUna + tcb.sndWnd) | 0;
  return seqGt(tcb.sndMax, edge) ? edge : tcb.sndMax;
}

/** Every segment leaves through here: it acknowledges, and clears what asked for an acknowledgment. */
export function emit(tcb: Tcb, flags: number, seq: number, length: number, fx: Effects): boolean {
  if (!fx.emitSegment(tcb, flags, seq, length)) {
    fx.transmitBlocked(tcb);
    return false;
  }
  if ((flags & TcpFlag.Ack) !== 0) {
    tcb.privateFlags &= ~TcpPrivateFlag.AckNow;
    tcb.delayedAckSegments = 0;
    stopDelayedAck(tcb);
  }
  return true;
}
