/**
 * "What may I send now?" — data, FIN, window updates and ACKs (RFC 9293 3.7.4, 3.8.4, 3.8.6; RFC 5681).
 *
 * Every entry point of the engine ends here, so that an ACK rides on data where there is any. Returns early when the
 * owner has no room for a segment; the owner calls again.
 */
import { seqGt } from '../base/seq.ts';
import { TcpFlag } from '../wire/tcp.ts';
import { inFlight, noteWindowUse, restartAfterIdle, startedSending } from './congestion.ts';
import { ackSent, answered } from './delayed-ack.ts';
import { ecnFlags, ecnSent } from './ecn.ts';
import type { Effects } from './effects.ts';
import { isSynDue, maySendEarly, synLeft, synText } from './fast-open.ts';
import { isWatching, lastSegment, probeSent, scheduleProbe, ticksUntilRto } from './loss-probe.ts';
import { maySendPartial, noteSmall } from './nagle.ts';
import { nextSegmentRoom, noteProbe } from './mtu-probe.ts';
import { isReducing } from './prr.ts';
import { endsRecord, untilRecordEnd, withinRecord } from './record-end.ts';
import { endFrto } from './recovery.ts';
import { segmentRoom } from './sack-report.ts';
import { finOutstanding } from './send-queue.ts';
import { SentFlag } from './sent-flag.ts';
import { CaState, type Tcb, TcpLossFlag, TcpPrivateFlag, TcpState, TcpTimer } from './tcb.ts';
import { isRtxRunning, rto, startRtx } from './timers.ts';
import { noteSentAgain } from './undo.ts';

export function transmit(tcb: Tcb, now: number, fx: Effects): void {
  if ((tcb.privateFlags & TcpPrivateFlag.Frozen) !== 0) return;
  const state = tcb.state;
  if (state === TcpState.Closed || state === TcpState.Listen) return;
  if (state === TcpState.SynSent || state === TcpState.SynReceived) {
    transmitSyn(tcb, now, fx);
    if (!maySendEarly(tcb)) return;
  }
  let hadRoom = true;
  if ((tcb.lossFlags & TcpLossFlag.FrtoProbing) !== 0) hadRoom = probeTimeOut(tcb, now, fx);
  if (hadRoom && tcb.lostBytes > 0) hadRoom = retransmitLost(tcb, now, fx);
  if (hadRoom) hadRoom = transmitNew(tcb, now, fx);
  superviseSending(tcb, hadRoom, now, fx);
  if (hadRoom && (tcb.privateFlags & TcpPrivateFlag.AckNow) !== 0) sendAck(tcb, fx);
}

/** At the open, and after its time-out. */
function transmitSyn(tcb: Tcb, now: number, fx: Effects): void {
  if (isSynDue(tcb)) {
    const flags = tcb.state === TcpState.SynSent ? TcpFlag.Syn : TcpFlag.Syn | TcpFlag.Ack;
    const text = synText(tcb, fx);
    if (!emit(tcb, flags, tcb.iss, text, fx)) return;
    synLeft(tcb, text);
    tcb.lastSendAt = now;
    startRtx(tcb, TcpTimer.Retransmit, (now + rto(tcb, fx)) | 0, fx);
  } else if ((tcb.privateFlags & TcpPrivateFlag.AckNow) !== 0 && tcb.state === TcpState.SynReceived) {
    emit(tcb, TcpFlag.Ack, tcb.sndNxt, 0, fx);
  }
}

/** RFC 5682 3.1 step 2b: new data is to show whether the time-out was spurious. Without any the loss is taken for real. */
function probeTimeOut(tcb: Tcb, now: number, fx: Effects): boolean {
  if (seqGt(tcb.sndNxt, tcb.recover)) return true;
  const hadRoom = transmitNew(tcb, now, fx, 0, true);
  if (hadRoom && !seqGt(tcb.sndNxt, tcb.recover)) endFrto(tcb);
  return hadRoom;
}

/** Sends again what is lost, from the lowest on, as far as cwnd allows (RFC 6675 5, RFC 8985 6). False: no room. */
function retransmitLost(tcb: Tcb, now: number, fx: Effects): boolean {
  if (tcb.caState < CaState.Recovery || (tcb.lossFlags & TcpLossFlag.FrtoProbing) !== 0) return true;
  const { sent } = fx;
  let start = tcb.sndUna;
  for (let at = tcb.sentHead; at !== 0;) {
    const end = sent.end(at);
    if (!isToBeSentAgain(sent.flags(at))) {
      start = end;
      at = sent.next(at);
      continue;
    }
    const beyond = (start - tcb.sndUna) | 0;
    // Into a window that shrank goes what fits of the first (RFC 9293 MUST-34, SHLD-16); a closed one is probed instead.
    const room = segmentRoom(tcb);
    const whole = withinRecord(tcb, start, Math.min(room, lostRun(at, start, room, fx)), fx);
    const length = beyond > 0 ? whole : Math.min(whole, tcb.sndWnd);
    if (length === 0 || beyond + length > tcb.sndWnd || tcb.cwnd - inFlight(tcb) < length) return true;
    // Silly windows are not filled with each ACK either, only by the time-out (RFC 9293 MUST-38; fuzz seed 101064).
    if (length < whole && tcb.rtxCount === 0 && length < tcb.maxSndWnd >> 1) return true;
    at = resend(tcb, at, start, start, length, now, fx);
    if (at < 0) return false;
    if (beyond === 0 && !isRtxRunning(tcb, TcpTimer.Reordering)) {
      startRtx(tcb, TcpTimer.Retransmit, (now + rto(tcb, fx)) | 0, fx);
    }
    start = (start + length) | 0;
  }
  return true;
}

function isToBeSentAgain(flags: number): boolean {
  return (flags & (SentFlag.Lost | SentFlag.Retransmitted | SentFlag.Sacked)) === SentFlag.Lost;
}

/** Bytes that are to be sent again in a row from here on, as far as `most`: small segments are sent again as one. */
function lostRun(first: number, start: number, most: number, fx: Effects): number {
  const { sent } = fx;
  let end = start;
  for (let at = first; at !== 0 && isToBeSentAgain(sent.flags(at)); at = sent.next(at)) {
    end = sent.end(at);
    if (((end - start) | 0) >= most) break;
  }
  return (end - start) | 0;
}

/** Sends [start, start + length) again, which begins in the range `first`, itself beginning at `firstStart`. The range behind it (0: none), -1 without room. */
function resend(
  tcb: Tcb,
  first: number,
  firstStart: number,
  start: number,
  length: number,
  now: number,
  fx: Effects,
): number {
  const { sent } = fx;
  const offset = (start - tcb.sndUna) | 0;
  const payload = Math.min(length, tcb.sendDataBytes - offset);
  let flags: number = TcpFlag.Ack;
  if (length > payload) flags |= TcpFlag.Fin;
  const isLast = offset + payload === tcb.sendDataBytes;
  if (payload > 0 && (isLast || endsRecord(tcb, start, payload, fx))) flags |= TcpFlag.Psh;
  if (!emit(tcb, flags, start, payload, fx)) return -1;
  const stop = (start + length) | 0;
  let range = first;
  let from = start;
  while (from !== stop) {
    const end = sent.end(range);
    const to = seqGt(end, stop) ? stop : end;
    range = sent.next(sent.sentAgain(tcb, range, from === start ? firstStart : from, from, to, now));
    from = to;
  }
  noteSentAgain(tcb, Math.ceil(length / tcb.effectiveMss));
  if (isReducing(tcb)) tcb.prrOut += length;
  return range;
}

/** RFC 8985 7.3: new data if there is some, beyond cwnd if need be, else the last segment once more. False: no room. */
export function sendLossProbe(tcb: Tcb, now: number, fx: Effects): boolean {
  const before = tcb.sndNxt;
  if (!transmitNew(tcb, now, fx, tcb.effectiveMss, true)) return false;
  if (tcb.sndNxt !== before) {
    probeSent(tcb, false);
    return true;
  }
  const { rangeStart, start, length } = lastSegment(tcb, fx);
  if (resend(tcb, tcb.sentTail, rangeStart, start, length, now, fx) < 0) return false;
  probeSent(tcb, true);
  return true;
}

/**
 * Sends what windows, Nagle and room allow from SND.NXT on; for a probe (`isProbe`) without Nagle, and one segment of up to
 * `extra` bytes beyond cwnd. False when there was no room.
 */
function transmitNew(tcb: Tcb, now: number, fx: Effects, extra = 0, isProbe = false): boolean {
  const fin = finOutstanding(tcb.state);
  let offset = (tcb.sndNxt - tcb.sndUna) | 0;
  const queued = tcb.sendDataBytes;
  if (offset >= queued && (!fin || offset > queued)) return true;
  const first = tcb.sndNxt;
  let more = extra;
  let limited = false;
  let hadRoom = true;
  for (;;) {
    // Anew for each segment: the first one out may take a D-SACK with it.
    const left = queued - offset;
    const mss = extra > 0 ? segmentRoom(tcb) : nextSegmentRoom(tcb, left, now, fx);
    const record = untilRecordEnd(tcb, tcb.sndNxt, left, mss, fx);
    let length = Math.min(record, mss, tcb.sndWnd - offset);
    if (length < 0) length = 0;
    const last = length === left;
    const withFin = last && fin && tcb.sndWnd > offset + length;
    if (left > 0) {
      if (length === 0 || (length < mss && !isProbe && !maySendPartial(tcb, length, record, left, fin))) break;
      // The window does not hold back the last segment of all.
      limited = !(withFin && left <= mss) && tcb.cwnd - inFlight(tcb) + more < length;
      if (limited) break;
    } else if (!withFin || left < 0) {
      // A FIN takes a sequence number, and so a place in the window.
      break;
    }
    let flags: number = TcpFlag.Ack;
    if (withFin) flags |= TcpFlag.Fin;
    // RFC 9293 MUST-61: PSH on the last buffered segment, unless the user has said that more is to come.
    if (length > 0 && (last ? !isUnpushed(tcb) : endsRecord(tcb, tcb.sndNxt, length, fx))) flags |= TcpFlag.Psh;
    if (offset === 0 && length > 0) wakeUp(tcb, now, fx);
    hadRoom = emit(tcb, flags, tcb.sndNxt, length, fx);
    if (!hadRoom) break;
    advanceSndNxt(tcb, length + (withFin ? 1 : 0), length, now, fx);
    if (length < mss) noteSmall(tcb, tcb.sndNxt);
    offset += length;
    if (withFin) break;
    if (extra > 0) more = -tcb.cwnd;
  }
  if (tcb.sndNxt !== first) watchNew(tcb, now, fx);
  if (hadRoom && offset > 0) noteWindowUse(tcb, limited || inFlight(tcb) + tcb.effectiveMss > tcb.cwnd);
  return hadRoom;
}

function isUnpushed(tcb: Tcb): boolean {
  return (tcb.privateFlags & TcpPrivateFlag.Unpushed) !== 0;
}

/** RFC 9293 3.8.6.2.1 (4): what fits into a window smaller than a segment. */
export function transmitOverride(tcb: Tcb, now: number, fx: Effects): void {
  const length = withinRecord(tcb, tcb.sndUna, Math.min(tcb.sndWnd, segmentRoom(tcb), tcb.sendDataBytes), fx);
  if (length > 0 && emit(tcb, TcpFlag.Ack | TcpFlag.Psh, tcb.sndUna, length, fx)) {
    advanceSndNxt(tcb, length, length, now, fx);
    watchNew(tcb, now, fx);
    noteSmall(tcb, tcb.sndNxt);
  }
}

/**
 * Sending begins again with nothing in flight: congestion window validation (RFC 5681 4.1, RFC 2861). Once for an idle time:
 * not while a closed window holds back what there is, nor again when the segment finds no room.
 */
function wakeUp(tcb: Tcb, now: number, fx: Effects): void {
  const idle = (now - tcb.lastSendAt) >>> 0;
  tcb.lastSendAt = now;
  if (fx.params.slowStartAfterIdle && idle > rto(tcb, fx)) restartAfterIdle(tcb, idle, fx);
  startedSending(tcb, idle, now);
}

function advanceSndNxt(tcb: Tcb, count: number, payload: number, now: number, fx: Effects): void {
  noteProbe(tcb, tcb.sndNxt, payload);
  tcb.sndNxt = (tcb.sndNxt + count) | 0;
  tcb.sndMax = tcb.sndNxt;
  fx.sent.append(tcb, tcb.sndNxt, now);
  if (payload > 0) {
    tcb.lastSendAt = now;
    answered(tcb, now);
  }
  if (isReducing(tcb)) tcb.prrOut += count;
}

/** New text has left. RFC 8985 7.2: what was sent last is what a probe would ask about. */
function watchNew(tcb: Tcb, now: number, fx: Effects): void {
  if (isRtxRunning(tcb, TcpTimer.Reordering)) return;
  const ticks = ticksUntilRto(tcb, now, fx);
  if (!scheduleProbe(tcb, ticks, now, fx) && !isRtxRunning(tcb, TcpTimer.Retransmit)) startWatch(tcb, ticks, now, fx);
}

/** RFC 6298 5.1. */
function startWatch(tcb: Tcb, ticks: number, now: number, fx: Effects): void {
  if (isRtxRunning(tcb, TcpTimer.Persist)) tcb.rtxCount = 0;
  startRtx(tcb, TcpTimer.Retransmit, (now + ticks) | 0, fx);
}

/**
 * Keeps a timer on whatever the peer owes us: RFC 6298 5.1 for what is in flight; RFC 9293 3.8.6.1 (persist) when
 * something waits and nothing is in flight.
 */
function superviseSending(tcb: Tcb, hadRoom: boolean, now: number, fx: Effects): void {
  if (tcb.sndNxt !== tcb.sndUna) {
    if (isWatching(tcb) || (isRtxRunning(tcb, TcpTimer.Persist) && tcb.sndWnd === 0)) return;
    startWatch(tcb, rto(tcb, fx), now, fx);
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

/** The number of a segment without text: the highest sent, but never beyond a window that shrank, where it would not be heard. */
export function acceptableSeq(tcb: Tcb): number {
  const edge = (tcb.sndUna + tcb.sndWnd) | 0;
  return seqGt(tcb.sndMax, edge) ? edge : tcb.sndMax;
}

/** Every segment leaves through here: it acknowledges, and clears what asked for an acknowledgment. */
export function emit(tcb: Tcb, flags: number, seq: number, length: number, fx: Effects): boolean {
  const bits = ecnFlags(tcb, flags, seq, length);
  if (!fx.emitSegment(tcb, flags | bits, seq, length)) {
    fx.transmitBlocked(tcb);
    return false;
  }
  if (bits !== 0) ecnSent(tcb, flags | bits);
  if ((flags & TcpFlag.Ack) !== 0) {
    ackSent(tcb, fx);
  }
  return true;
}
