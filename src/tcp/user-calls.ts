/**
 * The user's calls on an open connection: SEND, RECEIVE's credit, CLOSE, ABORT (RFC 9293 3.10.2–3.10.5).
 *
 * Called by the owner, which has placed the cursor. Each ends in `transmit`, and says by its answer whether the state
 * allowed it; a chain that was refused stays the caller's.
 */
import { TcpFlag } from '../wire/tcp.ts';
import { acknowledgesRead } from './delayed-ack.ts';
import { CloseReason, type Effects } from './effects.ts';
import { noteQueued } from './nagle.ts';
import { endConnection } from './reset.ts';
import { acknowledgeSend, enqueueSend, type NetBufferCursor } from './send-queue.ts';
import { stillReceives, type Tcb, TcpPrivateFlag, TcpState } from './tcb.ts';
import { TcpEvent, setState } from './transitions.ts';
import { acceptableSeq, transmit } from './transmit.ts';
import { windowHasGrown, windowUpdateDue } from './window.ts';

/** SEND: a chain of NET_BUFFERs, borrowed until each is completed. False when the state does not allow it. */
export function send(tcb: Tcb, chain: number, buffers: NetBufferCursor, now: number, fx: Effects): boolean {
  if (!maySend(tcb.state)) return false;
  if ((tcb.privateFlags & TcpPrivateFlag.CloseWhenEstablished) !== 0) return false;
  enqueueSend(tcb, chain, buffers);
  // Empty descriptors with nothing before them wait for no ACK.
  if (chain !== 0 && buffers.at(tcb.sendDataHead).dataLength === 0) acknowledgeSend(tcb, 0, buffers, fx);
  noteQueued(tcb, buffers);
  transmit(tcb, now, fx);
  return true;
}

export function maySend(state: number): boolean {
  return (
    state === TcpState.Established ||
    state === TcpState.CloseWait ||
    state === TcpState.SynSent ||
    state === TcpState.SynReceived
  );
}

/**
 * CLOSE of the sending direction: FIN after everything queued. False when it was closed before.
 *
 * DEVIATION RFC 9293 3.10.4: in SYN-SENT it waits for the handshake too, as SYN-RECEIVED does, so that nothing queued is
 * lost; an owner that wants the TCB deleted calls `abort`, which is silent there.
 */
export function close(tcb: Tcb, now: number, fx: Effects): boolean {
  const { state } = tcb;
  if (!maySend(state) || (tcb.privateFlags & TcpPrivateFlag.CloseWhenEstablished) !== 0) return false;
  if (state === TcpState.SynSent || state === TcpState.SynReceived) {
    tcb.privateFlags |= TcpPrivateFlag.CloseWhenEstablished;
    // A SYN that has waited for text (RFC 7413) waits no more.
    transmit(tcb, now, fx);
    return true;
  }
  setState(tcb, TcpEvent.Close);
  transmit(tcb, now, fx);
  return true;
}

/** SEND and CLOSE in one: the FIN rides on the last data segment. */
export function sendAndClose(tcb: Tcb, chain: number, buffers: NetBufferCursor, now: number, fx: Effects): boolean {
  if (!maySend(tcb.state) || (tcb.privateFlags & TcpPrivateFlag.CloseWhenEstablished) !== 0) return false;
  enqueueSend(tcb, chain, buffers);
  return close(tcb, now, fx);
}

/** ABORT: RST, CLOSED. What is queued stays with the owner. */
export function abort(tcb: Tcb, fx: Effects): void {
  const { state } = tcb;
  if (state === TcpState.Closed) return;
  // RFC 9293 3.10.5: <SEQ=SND.NXT><CTL=RST>, with ACK as every stack sends it; nothing where both sides have closed.
  // Without room it is not sent: the peer's next segment will be answered with a RST.
  if (owesReset(state)) fx.emitSegment(tcb, TcpFlag.Rst | TcpFlag.Ack, acceptableSeq(tcb), 0);
  endConnection(tcb, CloseReason.Aborted, fx);
}

function owesReset(state: number): boolean {
  return (
    state === TcpState.SynReceived ||
    state === TcpState.Established ||
    state === TcpState.FinWait1 ||
    state === TcpState.FinWait2 ||
    state === TcpState.CloseWait
  );
}

/** The application took `count` indicated bytes: the window may open (RFC 9293 3.8.6.2.2). */
export function consumed(tcb: Tcb, count: number, now: number, fx: Effects): void {
  tcb.rcvPending = Math.max(0, tcb.rcvPending - count);
  if (!stillReceives(tcb.state)) return;
  const isReadOut = count > 0 && tcb.rcvPending === 0 && acknowledgesRead(tcb, fx);
  if (!isReadOut && !windowUpdateDue(tcb)) return;
  tcb.privateFlags |= TcpPrivateFlag.AckNow;
  transmit(tcb, now, fx);
}

/**
 * The same for an owner that hears of it late and in large steps: the last ACKs did not offer what had been read long ago, so
 * the peer is told at once.
 */
export function credited(tcb: Tcb, count: number, now: number, fx: Effects): void {
  tcb.rcvPending = Math.max(0, tcb.rcvPending - count);
  if (!stillReceives(tcb.state) || !windowHasGrown(tcb)) return;
  tcb.privateFlags |= TcpPrivateFlag.AckNow;
  transmit(tcb, now, fx);
}
