/**
 * SEGMENT ARRIVES: RFC 9293 3.10.7.3 (SYN-SENT) and 3.10.7.4 (all other states), step by step.
 *
 * CLOSED and LISTEN have no TCB here: the owner answers with reset.ts or opens with open.ts. Whoever calls places the
 * cursor; nothing here moves it. Callbacks through Effects must not run application code before this returns.
 */
import { seqGt, seqLeq, seqLt } from '../base/seq.ts';
import { TcpFlag, type TcpHeader, segLenOf } from '../wire/tcp.ts';
import { AckOutcome, acknowledge, measureSyn } from './acknowledge.ts';
import { endValidation } from './blind-attack.ts';
import { acknowledgeFin, enterQuickAcks } from './delayed-ack.ts';
import { isEcnSetup, takeEcn } from './ecn.ts';
import { CloseReason, type Effects } from './effects.ts';
import { repeatSyn, synTextAcked } from './fast-open.ts';
import { isUnwanted, prolongFinWait2, startFinWait2 } from './half-close.ts';
import { heardFromPeer } from './nagle.ts';
import { enterEstablished, startTimeWait, takeSyn } from './open.ts';
import { receiveText } from './reassembly.ts';
import {
  answerUnacceptable,
  challengeAck,
  checkForgedSyn,
  checkReset,
  endConnection,
  reportClosed,
  type ResetReply,
  resetFor,
} from './reset.ts';
import { noteDuplicate } from './sack-report.ts';
import { finOutstanding, type NetBufferCursor } from './send-queue.ts';
import {
  stillReceives,
  type Tcb,
  TcpCachedFlag,
  TcpConstFlag,
  TcpDelegatedFlag,
  TcpPrivateFlag,
  TcpState,
} from './tcb.ts';
import { startKeepAlive, stopRtx } from './timers.ts';
import { TcpEvent, setState } from './transitions.ts';
import { transmit } from './transmit.ts';
import { isAcceptable, segmentWindow, updateSendWindow } from './window.ts';

/** No SYN is sent for longer. */
const SYN_LIFE_TICKS = 10 * 60_000;
/** RFC 7323 5.5: a timestamp older than 24 days says nothing any more. */
const PAWS_TICKS = 24 * 24 * 3600 * 1000;

/**
 * One arriving segment, checksum verified. `reply` is filled, and true returned, when a reset must be sent that does not
 * belong to the connection (3.5.2).
 */
export function segmentArrives(
  tcb: Tcb,
  segment: TcpHeader,
  buffers: NetBufferCursor,
  now: number,
  fx: Effects,
  reply: ResetReply,
): boolean {
  if (tcb.state === TcpState.SynSent) return synSent(tcb, segment, buffers, now, fx, reply);
  const sendReset = otherStates(tcb, segment, buffers, now, fx, reply);
  heardFromPeer(tcb);
  if (tcb.state !== TcpState.Closed) transmit(tcb, now, fx);
  return sendReset;
}

/** 3.10.7.3 */
function synSent(
  tcb: Tcb,
  segment: TcpHeader,
  buffers: NetBufferCursor,
  now: number,
  fx: Effects,
  reply: ResetReply,
): boolean {
  const { flags } = segment;
  // First, check the ACK bit.
  const acked = (flags & TcpFlag.Ack) !== 0;
  if (acked && (seqLeq(segment.segAck, tcb.iss) || seqGt(segment.segAck, tcb.sndMax))) return resetFor(segment, reply);
  if (acked && (flags & TcpFlag.Rst) === 0 && !echoesUs(tcb, segment, now)) return resetFor(segment, reply);
  // Second, check the RST bit.
  if ((flags & TcpFlag.Rst) !== 0) {
    if (acked) endConnection(tcb, CloseReason.Refused, fx);
    return false;
  }
  // Fourth, check the SYN bit.
  if ((flags & TcpFlag.Syn) === 0) return false;
  takeSyn(tcb, segment, now, fx);
  if (acked) {
    measureSyn(tcb, segment, now);
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
    tcb.sndUna = segment.segAck;
    tcb.sndNxt = segment.segAck;
    stopRtx(tcb);
    setState(tcb, TcpEvent.SynAckArrives);
    enterEstablished(tcb, fx);
    synTextAcked(tcb, buffers, now, fx);
    noteActivity(tcb, now, fx);
    if (segment.payloadLength > 0 || (flags & TcpFlag.Fin) !== 0) textAndFin(tcb, segment, buffers, now, fx);
    closeIfAsked(tcb);
  } else {
    // RFC 9293 MUST-10: simultaneous open. SYN,ACK repeats our SYN, which is not timed any more (Karn). Text on either SYN
    // waits for the other side's ACK: the peer may have taken ours.
    tcb.delegatedFlags &= ~TcpDelegatedFlag.FastOpen;
    setState(tcb, TcpEvent.SynArrives);
    repeatSyn(tcb);
  }
  transmit(tcb, now, fx);
  return false;
}

/** What a SYN,ACK echoes has been on our clock since the first SYN, or it answers another connection's (as Linux). */
function echoesUs(tcb: Tcb, segment: TcpHeader, now: number): boolean {
  if ((tcb.constFlags & TcpConstFlag.Timestamp) === 0 || !segment.hasTimestamp || segment.tsEcr === 0) return true;
  return (now + tcb.tsOffset - segment.tsEcr) >>> 0 < SYN_LIFE_TICKS;
}

/** 3.10.7.4 */
function otherStates(
  tcb: Tcb,
  segment: TcpHeader,
  buffers: NetBufferCursor,
  now: number,
  fx: Effects,
  reply: ResetReply,
): boolean {
  // First, check sequence number — with PAWS before it (RFC 7323 5.3).
  // Second, check the RST bit, which has a sequence check of its own (RFC 5961 3.2).
  if (checkReset(tcb, segment, now, fx) || checkForgedSyn(tcb, segment, now, fx)) return false;
  if (!pawsAccepts(tcb, segment, now)) {
    unacceptable(tcb, segment, now, fx);
    return false;
  }
  if (tcb.state === TcpState.SynReceived && segment.segSeq === tcb.irs && (segment.flags & TcpFlag.Syn) !== 0) {
    return handshakeSyn(tcb, segment, buffers, now, fx, reply);
  }
  if (!isAcceptable(tcb, segment.segSeq, segLenOf(segment)) && !isBareFin(tcb, segment)) {
    unacceptable(tcb, segment, now, fx);
    acknowledgeAtClosedWindow(tcb, segment, buffers, now, fx);
    return false;
  }
  // Fourth, check the SYN bit.
  if ((segment.flags & TcpFlag.Syn) !== 0) {
    unexpectedSyn(tcb, now, fx);
    return false;
  }
  // Fifth, check the ACK field.
  if ((segment.flags & TcpFlag.Ack) === 0) return false;
  if (tcb.state === TcpState.SynReceived && !synReceivedAck(tcb, segment, buffers, now, fx)) {
    return resetFor(segment, reply);
  }
  return synchronized(tcb, segment, buffers, now, fx, reply);
}

/** The rest of 3.10.7.4 from the ACK field on. */
function synchronized(
  tcb: Tcb,
  segment: TcpHeader,
  buffers: NetBufferCursor,
  now: number,
  fx: Effects,
  reply: ResetReply,
): boolean {
  const outcome = acknowledge(tcb, segment, buffers, now, fx);
  if (outcome === AckOutcome.Drop) return false;
  recordTimestamp(tcb, segment, now);
  noteActivity(tcb, now, fx);
  if (outcome === AckOutcome.FinAcked && finAcked(tcb, now, fx)) return false;
  if (tcb.state === TcpState.TimeWait && (segment.flags & TcpFlag.Fin) !== 0) {
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
    startTimeWait(tcb, now, fx);
    return false;
  }
  if (isUnwanted(tcb, segment)) {
    endConnection(tcb, CloseReason.Reset, fx);
    return resetFor(segment, reply);
  }
  // Seventh, process the segment text; eighth, check the FIN bit.
  if (segment.payloadLength > 0 || (segment.flags & TcpFlag.Fin) !== 0) textAndFin(tcb, segment, buffers, now, fx);
  closeIfAsked(tcb);
  return false;
}

/**
 * DEVIATION RFC 9293 3.10.7.4: a FIN alone takes no room, so that as in Linux it is taken at the edge of a closed window too;
 * else the peer would probe until the application reads, which may be waiting for just that.
 */
function isBareFin(tcb: Tcb, segment: TcpHeader): boolean {
  const isEmpty = segment.payloadLength === 0 && (segment.flags & (TcpFlag.Fin | TcpFlag.Syn)) === TcpFlag.Fin;
  return isEmpty && tcb.rcvWnd === 0 && segment.segSeq === tcb.rcvNxt;
}

/**
 * RFC 7323 5.3 R1: older than TS.Recent, and TS.Recent is fresh. A RST is not subject to it. A TS.Recent of zero is that of a
 * peer whose SYN had none of its clock yet: any is newer.
 *
 * DEVIATION RFC 7323 3.2: a segment without the option SHOULD be dropped once it is in use; like Linux we take it.
 */
function pawsAccepts(tcb: Tcb, segment: TcpHeader, now: number): boolean {
  if ((tcb.constFlags & TcpConstFlag.Timestamp) === 0 || !segment.hasTimestamp) return true;
  if (tcb.tsRecent === 0 || !seqLt(segment.tsVal, tcb.tsRecent)) return true;
  if ((now - tcb.tsRecentAge) >>> 0 < PAWS_TICKS) return false;
  tcb.tsRecent = segment.tsVal;
  tcb.tsRecentAge = now;
  return true;
}

/**
 * RFC 7323 4.3: TS.Recent follows the first segment that the next ACK answers, so that a sample has the delay of our ACK
 * in it: SEG.SEQ <= Last.ACK.sent. What acknowledges something never sent has been dropped before.
 */
function recordTimestamp(tcb: Tcb, segment: TcpHeader, now: number): void {
  if ((tcb.constFlags & TcpConstFlag.Timestamp) === 0 || !segment.hasTimestamp) return;
  if (seqLeq(segment.segSeq, (tcb.rcvNxt - tcb.unackedBytes) | 0)) {
    tcb.tsRecent = segment.tsVal;
    tcb.tsRecentAge = now;
  }
}

/**
 * SYN-RECEIVED, and the peer's own SYN once more. Alone: our SYN,ACK was lost. With the ACK of our SYN (and perhaps text
 * behind it): the second half of a simultaneous open, RFC 9293 MUST-10.
 */
function handshakeSyn(
  tcb: Tcb,
  segment: TcpHeader,
  buffers: NetBufferCursor,
  now: number,
  fx: Effects,
  reply: ResetReply,
): boolean {
  if ((segment.flags & TcpFlag.Ack) === 0) {
    // RFC 3168 6.1.1: the peer has fallen back to a SYN without ECN.
    if (!isEcnSetup(segment)) tcb.constFlags &= ~TcpConstFlag.Ecn;
    repeatSyn(tcb);
    return false;
  }
  if (!synReceivedAck(tcb, segment, buffers, now, fx)) return resetFor(segment, reply);
  // Linux: the SYN has come twice (RFC 2883), and the ACK says so.
  noteDuplicate(tcb, segment.segSeq, (segment.segSeq + 1) | 0, fx.params);
  tcb.privateFlags |= TcpPrivateFlag.AckNow;
  return synchronized(tcb, segment, buffers, now, fx, reply);
}

/** A SYN in the window. RFC 5961 4.2: challenge; an embryonic connection goes back to LISTEN, which is the owner's. */
function unexpectedSyn(tcb: Tcb, now: number, fx: Effects): void {
  if (tcb.state === TcpState.SynReceived && (tcb.privateFlags & TcpPrivateFlag.Passive) !== 0) {
    endConnection(tcb, CloseReason.Reset, fx);
  } else {
    challengeAck(tcb, now, fx);
  }
}

/** Old, or beyond the window: answered with an ACK. Without text it may be an answer itself, so that is throttled. */
function unacceptable(tcb: Tcb, segment: TcpHeader, now: number, fx: Effects): void {
  if ((segment.flags & TcpFlag.Syn) !== 0) {
    // RFC 5961 4.2: irrespective of its number.
    challengeAck(tcb, now, fx);
    return;
  }
  if (segment.payloadLength === 0 && (segment.flags & TcpFlag.Fin) === 0) {
    answerUnacceptable(tcb, now, fx);
    return;
  }
  const end = (segment.segSeq + segLenOf(segment)) | 0;
  if (tcb.state !== TcpState.TimeWait && seqLt(segment.segSeq, tcb.rcvNxt)) {
    enterQuickAcks(tcb, fx.params.quickAcksMax, fx);
    noteDuplicate(tcb, segment.segSeq, seqLt(end, tcb.rcvNxt) ? end : tcb.rcvNxt, fx.params);
  }
  tcb.privateFlags |= TcpPrivateFlag.AckNow;
  // A retransmitted FIN restarts the 2 MSL wait even though its number is old.
  if (tcb.state === TcpState.TimeWait && (segment.flags & TcpFlag.Fin) !== 0) startTimeWait(tcb, now, fx);
}

/** RFC 9293 3.10.7.4: with a zero window, valid ACKs are still taken from segments whose text has no room. */
function acknowledgeAtClosedWindow(
  tcb: Tcb,
  segment: TcpHeader,
  buffers: NetBufferCursor,
  now: number,
  fx: Effects,
): void {
  if (tcb.rcvWnd !== 0 || segment.segSeq !== tcb.rcvNxt || (segment.flags & TcpFlag.Ack) === 0) return;
  if (tcb.state === TcpState.SynReceived) return;
  const outcome = acknowledge(tcb, segment, buffers, now, fx);
  if (outcome === AckOutcome.Drop) return;
  recordTimestamp(tcb, segment, now);
  noteActivity(tcb, now, fx);
  if (outcome === AckOutcome.FinAcked) finAcked(tcb, now, fx);
}

/** SYN-RECEIVED: the ACK must be of our SYN. */
function synReceivedAck(tcb: Tcb, segment: TcpHeader, buffers: NetBufferCursor, now: number, fx: Effects): boolean {
  const first = (tcb.iss + 1) | 0;
  const isEarly = (tcb.delegatedFlags & TcpDelegatedFlag.FastOpen) !== 0;
  if (seqLt(segment.segAck, first) || seqGt(segment.segAck, tcb.sndMax)) return false;
  // Of text that was sent behind it, the last took the time's place.
  if (tcb.sndMax !== first) tcb.privateFlags &= ~TcpPrivateFlag.Timing;
  measureSyn(tcb, segment, now);
  tcb.sndUna = isEarly ? first : segment.segAck;
  if (!isEarly || tcb.sndMax === first) tcb.sndNxt = tcb.sndUna;
  stopRtx(tcb);
  const isSyn = (segment.flags & TcpFlag.Syn) !== 0;
  updateSendWindow(tcb, segment.segSeq, segment.segAck, segmentWindow(tcb, segment.window, isSyn));
  setState(tcb, TcpEvent.HandshakeAcked);
  enterEstablished(tcb, fx);
  if (!isEarly) synTextAcked(tcb, buffers, now, fx);
  return true;
}

/** Our FIN is acknowledged. True when the connection is over. */
function finAcked(tcb: Tcb, now: number, fx: Effects): boolean {
  if (!finOutstanding(tcb.state)) return false;
  setState(tcb, TcpEvent.FinAcked);
  fx.finAcknowledged(tcb);
  if (tcb.state === TcpState.FinWait2) {
    startFinWait2(tcb, now, fx);
  } else if (tcb.state === TcpState.TimeWait) {
    enterTimeWait(tcb, now, fx);
  } else {
    reportClosed(tcb, CloseReason.Normal, fx);
    return true;
  }
  return false;
}

function enterTimeWait(tcb: Tcb, now: number, fx: Effects): void {
  tcb.timers = 0;
  startTimeWait(tcb, now, fx);
  fx.timeWait(tcb);
}

function textAndFin(tcb: Tcb, segment: TcpHeader, buffers: NetBufferCursor, now: number, fx: Effects): void {
  const { state } = tcb;
  if (!stillReceives(state)) {
    // CLOSE-WAIT and after: "this should not occur, since a FIN has been received". Acknowledge a repetition.
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
    return;
  }
  if (segment.payloadLength > 0) takeEcn(tcb, segment, fx);
  if (!receiveText(tcb, segment, buffers, now, fx)) return;
  tcb.rcvNxt = (tcb.rcvNxt + 1) | 0;
  if (tcb.rcvWnd > 0) tcb.rcvWnd--;
  tcb.delegatedFlags |= TcpDelegatedFlag.FinReceived;
  // Everything has come: as Linux, nothing is reported any more.
  tcb.dsackLength = 0;
  if (state === TcpState.Established) acknowledgeFin(tcb, now, fx);
  else tcb.privateFlags |= TcpPrivateFlag.AckNow;
  setState(tcb, TcpEvent.FinArrives);
  fx.peerClosed(tcb);
  if (state === TcpState.FinWait2) enterTimeWait(tcb, now, fx);
}

/** CLOSE before ESTABLISHED waits for it (RFC 9293 3.10.4). */
function closeIfAsked(tcb: Tcb): void {
  if ((tcb.privateFlags & TcpPrivateFlag.CloseWhenEstablished) === 0) return;
  if (tcb.state !== TcpState.Established && tcb.state !== TcpState.CloseWait) return;
  tcb.privateFlags &= ~TcpPrivateFlag.CloseWhenEstablished;
  setState(tcb, TcpEvent.Close);
}

/** Any acceptable segment is a sign of life: keep-alive starts over; FIN-WAIT-2 too. */
function noteActivity(tcb: Tcb, now: number, fx: Effects): void {
  endValidation(tcb);
  if ((tcb.cachedFlags & TcpCachedFlag.KeepAliveEnabled) !== 0 && tcb.state !== TcpState.TimeWait) {
    tcb.kaProbeCount = 0;
    startKeepAlive(tcb, tcb.kaTimeout, now, fx);
  }
  if (tcb.state === TcpState.FinWait2) prolongFinWait2(tcb, now, fx);
}
