/**
 * When text is acknowledged (RFC 9293 3.8.6.3, RFC 5681 4.2), as Linux decides it:
 *
 *   at once      out of order, filling a gap, twice; every second full-sized segment; while quick ACKs are left
 *   when read    a small segment, or one with PSH, of a peer that is not answered: the application has taken all there is
 *   later        else, and the peer's FIN, in the hope that it rides on an answer; after 40 to 200 ms, as far apart as
 *                segments come
 *
 * Quick ACKs are so many segments that are acknowledged one by one: at the beginning, when the peer has slow start before
 * it, after an idle time, and after a sign of loss. A connection whose application answers ("ping-pong") takes none; a delayed
 * ACK that found no answer to ride on ends that.
 *
 * Without any (`quickAcksMax` 0) ACKs are delayed as RFC 9293 has it, whatever the application does.
 *
 * `ackFrequency` and `delayedAckTicks` are the interface's (TcpAckFrequency, TcpDelayedAckTicks): full-sized segments before an
 * ACK, and the least time that one is delayed. Quick ACKs and the adapted time are delegated state.
 */
import { TcpFlag, type TcpHeader } from '../wire/tcp.ts';
import type { Effects } from './effects.ts';
import { type Tcb, TcpDelegatedFlag, TcpPrivateFlag, TcpTimerBit } from './tcb.ts';
import { rto, startDelayedAck } from './timers.ts';

const UNACKED_MAX = 0xffff;
/** What a peer that has sent nothing yet may call a full segment. */
const RCV_MSS_LEAST = 88;
const RCV_MSS_INITIAL = 536;
/** `ackTimeout` has a byte, and RFC 9293 MUST-40 allows 500 ms. */
const TIMEOUT_UNIT = 2;

/** Before anything has come from the peer. */
export function startAcknowledging(tcb: Tcb, now: number): void {
  const hint = Math.min(tcb.effectiveMss, tcb.initialRcvWnd >> 1, RCV_MSS_INITIAL);
  tcb.rcvMss = Math.max(RCV_MSS_LEAST, hint);
  tcb.unackedBytes = 0;
  tcb.lastReceiveAt = now;
}

/** A new owner measures anew: until then the peer's segments are taken to be as large as ours. */
export function goOnAcknowledging(tcb: Tcb, now: number): void {
  tcb.rcvMss = Math.max(RCV_MSS_LEAST, tcb.effectiveMss);
  tcb.unackedBytes = 0;
  // Neither just now, which would make an answer of the next text, nor long ago.
  tcb.lastReceiveAt = (now - tcb.ackTimeout * TIMEOUT_UNIT) | 0;
}

/** Text in order has come, and is about to be delivered. */
export function textArrived(tcb: Tcb, segment: TcpHeader, now: number, fx: Effects): void {
  measureSegment(tcb, segment, fx);
  const least = fx.params.delayedAckTicks;
  if (tcb.ackTimeout === 0) {
    addQuickAcks(tcb, fx.params.quickAcksMax, fx);
    setAckTimeout(tcb, least);
  } else {
    const gap = (now - tcb.lastReceiveAt) | 0;
    const timeout = tcb.ackTimeout * TIMEOUT_UNIT;
    if (gap <= least >> 1) setAckTimeout(tcb, (timeout >> 1) + (least >> 1));
    else if (gap < timeout) setAckTimeout(tcb, Math.min((timeout >> 1) + gap, rto(tcb, fx)));
    // The peer should have begun again with slow start (RFC 5681 4.1).
    else if (gap > rto(tcb, fx)) addQuickAcks(tcb, fx.params.quickAcksMax, fx);
  }
  tcb.lastReceiveAt = now;
}

/** What is a full segment? One without PSH is taken for one, because its sender had more. */
function measureSegment(tcb: Tcb, segment: TcpHeader, fx: Effects): void {
  const { payloadLength } = segment;
  const pushed = (segment.flags & TcpFlag.Psh) !== 0;
  if (payloadLength >= tcb.rcvMss) tcb.rcvMss = Math.min(payloadLength, Math.max(RCV_MSS_LEAST, fx.params.mss));
  else if (!pushed && payloadLength >= RCV_MSS_LEAST) tcb.rcvMss = payloadLength;
  else if ((tcb.privateFlags & TcpPrivateFlag.AckOnRead) !== 0) tcb.privateFlags |= TcpPrivateFlag.AckOnReadTwice;
  if (pushed || payloadLength < tcb.rcvMss) tcb.privateFlags |= TcpPrivateFlag.AckOnRead;
}

/** RCV.NXT has moved over text. */
export function countUnacked(tcb: Tcb, length: number): void {
  tcb.unackedBytes = Math.min(UNACKED_MAX, tcb.unackedBytes + length);
}

/** RFC 9293 MUST-58, MUST-59: text in order, with nothing queued behind it, has been delivered. */
export function acknowledgeText(tcb: Tcb, now: number, fx: Effects): void {
  if (hasEnough(tcb, fx) || (tcb.quickAcks > 0 && !isPingPong(tcb))) tcb.privateFlags |= TcpPrivateFlag.AckNow;
  else startDelayedAck(tcb, delay(tcb, fx), now, fx);
}

/**
 * The peer sends no more. Most applications close now too, and the ACK rides on our FIN: as Linux, it waits for that, unless
 * there was no text before it, or no room for more.
 */
export function acknowledgeFin(tcb: Tcb, now: number, fx: Effects): void {
  countOnAnswers(tcb);
  countUnacked(tcb, 1);
  if (tcb.ackTimeout === 0 || tcb.rcvWnd === 0) tcb.privateFlags |= TcpPrivateFlag.AckNow;
  else acknowledgeText(tcb, now, fx);
}

/** Linux: more than one full segment for the usual frequency of two; what is one byte larger counts. */
function hasEnough(tcb: Tcb, fx: Effects): boolean {
  return tcb.unackedBytes > (fx.params.ackFrequency - 1) * tcb.rcvMss;
}

/** The application has taken what there was, and nothing is left. True: acknowledge now. */
export function acknowledgesRead(tcb: Tcb, fx: Effects): boolean {
  if (fx.params.quickAcksMax === 0 || !isAckScheduled(tcb)) return false;
  if ((tcb.privateFlags & TcpPrivateFlag.AckOnReadTwice) !== 0) return true;
  return (tcb.privateFlags & TcpPrivateFlag.AckOnRead) !== 0 && !isPingPong(tcb);
}

function isAckScheduled(tcb: Tcb): boolean {
  const isDue = (tcb.privateFlags & TcpPrivateFlag.AckNow) !== 0 || (tcb.timers & TcpTimerBit.DelayedAck) !== 0;
  return isDue || tcb.unackedBytes > 0;
}

export function isPingPong(tcb: Tcb): boolean {
  return (tcb.delegatedFlags & TcpDelegatedFlag.PingPong) !== 0;
}

/** Data leaves: an answer, if something came just before. */
export function answered(tcb: Tcb, now: number): void {
  if ((now - tcb.lastReceiveAt) >>> 0 < tcb.ackTimeout * TIMEOUT_UNIT) tcb.delegatedFlags |= TcpDelegatedFlag.PingPong;
}

/** Text on a SYN is acknowledged with that: it says nothing about when others are to be. */
export function forgetTextOnSyn(tcb: Tcb): void {
  tcb.ackTimeout = 0;
  tcb.quickAcks = 0;
}

/** ACKs wait for answers of the application, which are to be expected. */
export function countOnAnswers(tcb: Tcb): void {
  tcb.delegatedFlags |= TcpDelegatedFlag.PingPong;
}

/** A segment that acknowledges has left. */
export function ackSent(tcb: Tcb, fx: Effects): void {
  if (tcb.quickAcks > 0 && isAckScheduled(tcb)) {
    tcb.quickAcks--;
    if (tcb.quickAcks === 0) setAckTimeout(tcb, fx.params.delayedAckTicks);
  }
  tcb.privateFlags &= ~(TcpPrivateFlag.AckNow | TcpPrivateFlag.AckOnRead | TcpPrivateFlag.AckOnReadTwice);
  tcb.unackedBytes = 0;
  tcb.timers &= ~TcpTimerBit.DelayedAck;
}

/** The time of a delayed ACK is over. */
export function delayedAckFired(tcb: Tcb, fx: Effects): void {
  const { delayedAckTicks } = fx.params;
  tcb.timers &= ~TcpTimerBit.DelayedAck;
  tcb.privateFlags |= TcpPrivateFlag.AckNow;
  if (!isPingPong(tcb)) {
    setAckTimeout(tcb, Math.min(2 * tcb.ackTimeout * TIMEOUT_UNIT, rto(tcb, fx)));
    return;
  }
  // No answer came.
  tcb.delegatedFlags &= ~TcpDelegatedFlag.PingPong;
  setAckTimeout(tcb, delayedAckTicks);
}

/** A sign that the peer's window is small, or that it has lost something: the next segments are acknowledged at once. */
export function enterQuickAcks(tcb: Tcb, most: number, fx: Effects): void {
  addQuickAcks(tcb, most, fx);
  tcb.delegatedFlags &= ~TcpDelegatedFlag.PingPong;
  setAckTimeout(tcb, fx.params.delayedAckTicks);
}

/** TCP_QUICKACK of the application: acknowledge now what is owed, and soon from now on; or count on answers. */
export function setQuickAck(tcb: Tcb, enabled: boolean): void {
  if (!enabled) {
    countOnAnswers(tcb);
    return;
  }
  tcb.delegatedFlags &= ~TcpDelegatedFlag.PingPong;
  if (isAckScheduled(tcb)) tcb.privateFlags |= TcpPrivateFlag.AckNow;
}

function addQuickAcks(tcb: Tcb, most: number, fx: Effects): void {
  const window = Math.max(2, Math.floor(tcb.rcvWnd / (2 * tcb.rcvMss)));
  const count = Math.min(window, most, fx.params.quickAcksMax);
  if (count > tcb.quickAcks) tcb.quickAcks = count;
}

/** How long to wait for an answer: the adapted time, within what the round trip makes reasonable. */
function delay(tcb: Tcb, fx: Effects): number {
  const { delayedAckTicks, delayedAckMaxTicks } = fx.params;
  const timeout = tcb.ackTimeout * TIMEOUT_UNIT;
  if (timeout <= delayedAckTicks) return delayedAckTicks;
  const roundTrip = tcb.srtt === 0 ? delayedAckMaxTicks : Math.max(tcb.srtt >> 3, delayedAckTicks);
  return Math.min(timeout, roundTrip, delayedAckMaxTicks);
}

function setAckTimeout(tcb: Tcb, ticks: number): void {
  tcb.ackTimeout = Math.max(1, Math.min(255, Math.floor(ticks / TIMEOUT_UNIT)));
}
