/**
 * TCP Fast Open (RFC 7413) in the engine: text on a SYN, and a server that answers before the handshake is complete.
 *
 *   client                                     server
 *   SYN, cookie, text ──────────────────────►  takes the text, is the application's (SYN-RECEIVED)
 *          ◄────────── SYN,ACK of the text     may send
 *   ACK ────────────────────────────────────►  ESTABLISHED
 *
 * Cookies are the owner's (host/fast-open-server.ts, host/fast-open-cache.ts), which says here that a SYN may carry text, or
 * that a SYN's text is to be taken. Only the first SYN does: a path that drops such is not to be met twice. In SYN-RECEIVED
 * the server's own SYN counts as acknowledged in its numbers (SND.UNA = ISS + 1), so that text behind it is counted as
 * ever; `SynDue` says when SYN,ACK is to be sent again.
 */
import { countOnAnswers } from './delayed-ack.ts';
import type { Effects } from './effects.ts';
import { withinRecord } from './record-end.ts';
import { sendAllAgain } from './recovery.ts';
import { acknowledgeSend, type NetBufferCursor } from './send-queue.ts';
import { type Tcb, TcpDelegatedFlag, TcpPrivateFlag, TcpState } from './tcb.ts';

/** Bits of TcpParams.fastOpen, with the numbers of Linux's tcp_fastopen. */
export const TcpFastOpen = {
  /** Connections may be opened with it. */
  Client: 1,
  /** Listeners may accept it. */
  Server: 2,
  /** Text is sent whether or not there is a cookie. */
  ClientNoCookie: 4,
  /** Text is taken without a cookie. */
  ServerNoCookie: 0x200,
  /** All listeners accept it, also without saying so. */
  AllListeners: 0x400,
} as const;

export const FAST_OPEN_COOKIE_MAX = 16;

/** The option as it is to be sent, or was received: length 0 asks for a cookie, -1 is no option. */
export class FastOpenCookie {
  readonly bytes = new Uint8Array(FAST_OPEN_COOKIE_MAX);
  length = -1;
  /** In the experimental form, which some peers have still (RFC 7413 7). */
  isOld = false;

  set(from: FastOpenCookie): void {
    this.bytes.set(from.bytes);
    this.length = from.length;
    this.isOld = from.isOld;
  }
}

/** A server whose connection is the application's before its handshake is complete. */
export function isEarly(tcb: Tcb): boolean {
  return tcb.state === TcpState.SynReceived && (tcb.delegatedFlags & TcpDelegatedFlag.FastOpen) !== 0;
}

/** Text may leave, the handshake notwithstanding. */
export function maySendEarly(tcb: Tcb): boolean {
  return isEarly(tcb) && tcb.sndMax !== tcb.iss;
}

export function isSynDue(tcb: Tcb): boolean {
  return isEarly(tcb) ? (tcb.delegatedFlags & TcpDelegatedFlag.SynDue) !== 0 : tcb.sndNxt === tcb.iss;
}

/** The SYN is to be sent again; whichever of them is acknowledged then says nothing about the round trip (Karn). */
export function repeatSyn(tcb: Tcb): void {
  if (isEarly(tcb)) tcb.delegatedFlags |= TcpDelegatedFlag.SynDue;
  else tcb.sndNxt = tcb.iss;
  tcb.privateFlags &= ~TcpPrivateFlag.Timing;
}

/** Bytes of text that the SYN that is due may carry: the first of a Fast Open, as far as its peer takes them. */
export function synText(tcb: Tcb, fx: Effects): number {
  const isFirst = tcb.state === TcpState.SynSent && tcb.sndMax === tcb.iss;
  if (!isFirst || (tcb.delegatedFlags & TcpDelegatedFlag.FastOpen) === 0) return 0;
  // It stands where the SYN does, for once (synLeft).
  return withinRecord(tcb, tcb.iss, Math.min(tcb.sendDataBytes, tcb.effectiveMss), fx);
}

/** The SYN that is in flight carries text. */
export function hasTextOnSyn(tcb: Tcb): boolean {
  return tcb.state === TcpState.SynSent && ((tcb.sndMax - tcb.iss) | 0) > 1;
}

/** A SYN has left, with so many bytes of text. */
export function synLeft(tcb: Tcb, text: number): void {
  const next = (tcb.iss + 1) | 0;
  const isFirst = tcb.sndMax === tcb.iss;
  if (isFirst) {
    tcb.sndMax = (next + text) | 0;
    tcb.privateFlags |= TcpPrivateFlag.Timing;
  }
  // It was copied as if it stood where the SYN does.
  tcb.curBuffer = 0;
  if (!isEarly(tcb)) {
    tcb.sndNxt = next;
    return;
  }
  tcb.delegatedFlags &= ~TcpDelegatedFlag.SynDue;
  if (isFirst) {
    tcb.sndNxt = next;
    tcb.sndUna = next;
  }
}

/**
 * SYN,ACK has come: what it acknowledges of the SYN's text is done, the rest was lost on the way or refused, and is sent again
 * at once as it was: not because of congestion, so cwnd and SSTHRESH stay (as Linux). An application that has more to say
 * already is one that answers.
 */
export function synTextAcked(tcb: Tcb, buffers: NetBufferCursor, now: number, fx: Effects): void {
  const count = (tcb.sndUna - tcb.iss - 1) | 0;
  const rest = (tcb.sndMax - tcb.sndUna) | 0;
  if (count > 0) {
    if (rest === 0) tcb.delegatedFlags |= TcpDelegatedFlag.SynData;
    acknowledgeSend(tcb, count, buffers, fx);
  }
  if (rest > 0) {
    tcb.sndNxt = tcb.sndMax;
    fx.sent.append(tcb, tcb.sndMax, now);
    sendAllAgain(tcb, fx);
  }
  if (tcb.sendDataBytes > rest) countOnAnswers(tcb);
}
