/**
 * Opening a connection: OPEN calls (RFC 9293 3.10.1) and the SYN of a peer (3.10.7.2), with option negotiation
 * (RFC 9293 3.7.1, RFC 7323 2.2 and 3.2, RFC 2018 2, RFC 3168 6.1.1).
 */
import type { TcpHeader } from '../wire/tcp.ts';
import { defaultSendMss, familyFlag, mssFor } from './address-family.ts';
import { initialWindow, startCongestionControl } from './congestion.ts';
import { forgetTextOnSyn, startAcknowledging } from './delayed-ack.ts';
import { agreedEcn, offersEcn } from './ecn.ts';
import type { Effects } from './effects.ts';
import type { TcpParams } from './params.ts';
import { startSearch } from './mtu-probe.ts';
import { startRack } from './rack.ts';
import { segmentSizeAtMost } from './segment-size.ts';
import { receiveText } from './reassembly.ts';
import type { NetBufferCursor } from './send-queue.ts';
import { type Tcb, TcpCachedFlag, TcpConstFlag, TcpDelegatedFlag, TcpPrivateFlag, TcpTimer } from './tcb.ts';
import { TcpEvent, setState } from './transitions.ts';
import { transmit } from './transmit.ts';
import { endBackoff, startRtx } from './timers.ts';
import { segmentWindow, SYN_WINDOW_MAX, windowScaleFor } from './window.ts';

/**
 * Fills a fresh TCB (all words zero but ports and addresses) with what the owner's parameters say. ISS and the offset of
 * the timestamp clock are the owner's to choose (initial-numbers.ts).
 */
function prepare(tcb: Tcb, iss: number, tsOffset: number, now: number, fx: Effects): void {
  const { params } = fx;
  tcb.iss = iss;
  tcb.sndUna = iss;
  tcb.sndNxt = iss;
  tcb.sndMax = iss;
  // The owner may know better: a router has told it a hop limit (RFC 4861 6.3.2), the user has set an option.
  if (tcb.ttl === 0) tcb.ttl = params.ttl;
  if (tcb.initialRcvWnd === 0) tcb.initialRcvWnd = params.rcvBuffer;
  const mss = mssFor(tcb, params.mss);
  tcb.advertisedMss = tcb.advertisedMss === 0 ? mss : Math.min(tcb.advertisedMss, mss);
  tcb.rcvWnd = Math.min(tcb.initialRcvWnd, SYN_WINDOW_MAX);
  tcb.cachedFlags =
    (params.nagle ? TcpCachedFlag.NaglingEnabled : 0) | (params.keepAlive ? TcpCachedFlag.KeepAliveEnabled : 0);
  tcb.kaTimeout = params.kaTimeout;
  tcb.kaInterval = params.kaInterval;
  tcb.kaProbeMax = params.kaProbeMax;
  tcb.maxRt = params.userTimeoutTicks;
  tcb.remoteMss = defaultSendMss(tcb);
  tcb.effectiveMss = tcb.remoteMss;
  tcb.challengeAt = (now - 0x10000000) | 0;
  tcb.reordering = params.dupAckThreshold;
  tcb.tsOffset = tsOffset;
}

/** TcpConstFlag of the options that our SYN may carry. */
function offeredOptions(params: TcpParams, isActive: boolean): number {
  return (
    offersEcn(params, isActive) |
    (params.timestamps ? TcpConstFlag.Timestamp : 0) |
    (params.windowScaling ? TcpConstFlag.WindowScaling : 0) |
    (params.sack ? TcpConstFlag.Sack : 0)
  );
}

/** For the largest buffer that there may be while the connection lasts. */
function offeredScale(tcb: Tcb, { windowScaling, rcvBufferMax }: TcpParams): number {
  return windowScaling ? windowScaleFor(Math.max(tcb.initialRcvWnd, rcvBufferMax)) : 0;
}

/**
 * Active OPEN: sends SYN, SYN-SENT. With `text` the first SYN is to carry so many bytes of it at most (RFC 7413 4.2.1): it
 * leaves when there is some, with the first `send` or `close`.
 */
export function activeOpen(tcb: Tcb, iss: number, tsOffset: number, now: number, fx: Effects, text = 0): void {
  prepare(tcb, iss, tsOffset, now, fx);
  const { params } = fx;
  tcb.constFlags = offeredOptions(params, true) | familyFlag(tcb);
  tcb.rcvWindScale = offeredScale(tcb, params);
  setState(tcb, TcpEvent.ActiveOpen);
  if (text === 0) transmit(tcb, now, fx);
  else tcb.effectiveMss = text;
}

/** 3.10.7.2 third, for a listener of the owner's: takes the SYN and answers it, SYN-RECEIVED. */
export function passiveOpen(
  tcb: Tcb,
  segment: TcpHeader,
  iss: number,
  tsOffset: number,
  now: number,
  fx: Effects,
): void {
  takeFirstSyn(tcb, segment, iss, tsOffset, now, fx);
  transmit(tcb, now, fx);
}

/**
 * RFC 7413 4.2.2: as `passiveOpen`, of a SYN whose cookie is valid. Its text is taken, and the connection is the user's, who
 * may send at once.
 */
export function fastPassiveOpen(
  tcb: Tcb,
  segment: TcpHeader,
  iss: number,
  tsOffset: number,
  buffers: NetBufferCursor,
  now: number,
  fx: Effects,
): void {
  takeFirstSyn(tcb, segment, iss, tsOffset, now, fx);
  tcb.delegatedFlags |= TcpDelegatedFlag.FastOpen | TcpDelegatedFlag.SynDue;
  fx.established(tcb);
  if (segment.payloadLength > 0) {
    receiveText(tcb, segment, buffers, now, fx);
    forgetTextOnSyn(tcb);
    tcb.delegatedFlags |= TcpDelegatedFlag.SynData;
  }
  transmit(tcb, now, fx);
}

function takeFirstSyn(tcb: Tcb, segment: TcpHeader, iss: number, tsOffset: number, now: number, fx: Effects): void {
  prepare(tcb, iss, tsOffset, now, fx);
  const { params } = fx;
  tcb.privateFlags |= TcpPrivateFlag.Passive;
  tcb.constFlags = offeredOptions(params, false) | familyFlag(tcb);
  tcb.rcvWindScale = offeredScale(tcb, params);
  takeSyn(tcb, segment, now, fx);
  setState(tcb, TcpEvent.SynArrives);
}

/**
 * The ACK of a SYN cookie (RFC 4987 3.6) has come: `syn` is what the peer's SYN was, and acknowledges our ISN. The
 * handshake is complete with it; the segment itself is still to be processed. It gives no round-trip sample, since its
 * timestamp carries options.
 */
export function cookieOpen(tcb: Tcb, syn: TcpHeader, tsOffset: number, now: number, fx: Effects): void {
  takeFirstSyn(tcb, syn, (syn.segAck - 1) | 0, tsOffset, now, fx);
  tcb.sndUna = syn.segAck;
  tcb.sndNxt = syn.segAck;
  tcb.sndMax = syn.segAck;
  setState(tcb, TcpEvent.HandshakeAcked);
  enterEstablished(tcb, fx);
}

/** IRS, window and options of the peer's SYN; both sides must have offered an option for it to be on. */
export function takeSyn(tcb: Tcb, segment: TcpHeader, now: number, fx: Effects): void {
  tcb.irs = segment.segSeq;
  tcb.rcvNxt = (segment.segSeq + 1) | 0;
  tcb.sndWnd = segmentWindow(tcb, segment.window, true);
  tcb.maxSndWnd = tcb.sndWnd;
  tcb.sndWl1 = segment.segSeq;
  tcb.sndWl2 = segment.segAck;
  let flags = tcb.constFlags;
  if (segment.windowScale >= 0 && (flags & TcpConstFlag.WindowScaling) !== 0) {
    tcb.sndWindScale = segment.windowScale;
  } else {
    // RFC 7323 2.2: without the peer's option neither side scales.
    flags &= ~TcpConstFlag.WindowScaling;
    tcb.rcvWindScale = 0;
    tcb.initialRcvWnd = Math.min(tcb.initialRcvWnd, 0xffff);
  }
  if (segment.hasTimestamp && (flags & TcpConstFlag.Timestamp) !== 0) {
    tcb.tsRecent = segment.tsVal;
    tcb.tsRecentAge = now;
  } else {
    flags &= ~TcpConstFlag.Timestamp;
  }
  // RFC 2018 2.
  if (!segment.sackPermitted) flags &= ~TcpConstFlag.Sack;
  tcb.constFlags = (flags & ~TcpConstFlag.Ecn) | agreedEcn(tcb, segment);
  // What the user allows (TCP_MAXSEG) holds for both directions.
  tcb.remoteMss = Math.min(segment.mss >= 0 ? segment.mss : defaultSendMss(tcb), tcb.advertisedMss);
  // Eff.snd.MSS, RFC 9293 3.7.1: the smaller of both, less the options every segment carries (RFC 6691).
  tcb.effectiveMss = segmentSizeAtMost(tcb, fx.params.mss);
  startSearch(tcb, now, fx);
  startCongestionControl(tcb, fx);
  startRack(tcb, now);
  startAcknowledging(tcb, now);
}

/** The handshake is done: its retransmissions are forgotten, but for what they say of the path (initialWindow). */
export function enterEstablished(tcb: Tcb, fx: Effects): void {
  endBackoff(tcb, true);
  // The owner knows the path: what it says of the size of segments counts for the window.
  fx.established(tcb);
  // Of a Fast Open the window is in use already.
  if ((tcb.delegatedFlags & TcpDelegatedFlag.FastOpen) === 0 || (tcb.privateFlags & TcpPrivateFlag.Passive) === 0) {
    tcb.cwnd = initialWindow(tcb, fx);
  }
  tcb.delegatedFlags &= ~(TcpDelegatedFlag.FastOpen | TcpDelegatedFlag.SynDue);
}

/** Starts (or restarts) the 2 MSL wait: RFC 9293 3.10.7.4. */
export function startTimeWait(tcb: Tcb, now: number, fx: Effects): void {
  startRtx(tcb, TcpTimer.TimeWait, (now + fx.params.timeWaitTicks) | 0, fx);
}
