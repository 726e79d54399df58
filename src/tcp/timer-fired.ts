/**
 * TIME-OUTS (RFC 9293 3.10.8): retransmission (RFC 6298 5.4–5.7), persist (3.8.6.1), delayed ACK, keep-alive (3.8.4),
 * FIN-WAIT-2 and TIME-WAIT.
 *
 * The owner calls `timerFired` at or before a deadline; what is not due yet is armed again (timers.ts).
 */
import { seqGt } from '../base/seq.ts';
import { TcpFlag } from '../wire/tcp.ts';
import { timedOut } from './congestion.ts';
import { CloseReason, type Effects } from './effects.ts';
import { endConnection } from './reset.ts';
import { type Tcb, TcpDelegatedFlag, TcpPrivateFlag, TcpState, TcpTimer, TcpTimerBit } from './tcb.ts';
import { isDue, rearm, rto, startKeepAlive, startRtx, stopDelayedAck, stopRtx } from './timers.ts';
import { emit, transmit } from './transmit.ts';
import { TcpEvent, setState } from './transitions.ts';

export function timerFired(tcb: Tcb, now: number, fx: Effects): void {
  if (isDue(tcb, TcpTimerBit.DelayedAck, tcb.ackAt, now)) {
    stopDelayedAck(tcb);
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
  }
  if (isDue(tcb, TcpTimerBit.Retransmit, tcb.rtxAt, now)) rtxFired(tcb, now, fx);
  if (tcb.state !== TcpState.Closed && isDue(tcb, TcpTimerBit.KeepAlive, tcb.kaAt, now)) keepAliveFired(tcb, now, fx);
  if (tcb.state === TcpState.Closed) return;
  transmit(tcb, now, fx);
  rearm(tcb, fx);
}

function rtxFired(tcb: Tcb, now: number, fx: Effects): void {
  switch (tcb.rtxKind) {
    case TcpTimer.Retransmit:
      retransmissionTimeOut(tcb, now, fx);
      return;
    case TcpTimer.Persist:
      persistTimeOut(tcb, now, fx);
      return;
    case TcpTimer.FinWait2:
      endConnection(tcb, CloseReason.Normal, fx);
      return;
    case TcpTimer.TimeWait:
      stopRtx(tcb);
      setState(tcb, TcpEvent.TimeWaitOver);
      tcb.timers = 0;
      fx.closed(tcb, CloseReason.Normal);
      return;
    default:
      stopRtx(tcb);
  }
}

/** RFC 6298 5.4–5.6: send the earliest unacknowledged segment again, back off, restart the timer. */
function retransmissionTimeOut(tcb: Tcb, now: number, fx: Effects): void {
  const opening = tcb.state === TcpState.SynSent || tcb.state === TcpState.SynReceived;
  const limit = opening ? fx.params.synRetransmissionsMax : fx.params.retransmissionsMax;
  if (tcb.maxRt > 0 ? tcb.totalRt >= tcb.maxRt : tcb.rtxCount >= limit) {
    endConnection(tcb, CloseReason.TimedOut, fx);
    return;
  }
  tcb.totalRt += rto(tcb, fx);
  if (opening) tcb.delegatedFlags |= TcpDelegatedFlag.SynRetransmitted;
  else timedOut(tcb);
  if (tcb.rtxCount < 255) tcb.rtxCount++;
  // Karn: what is sent again is not timed.
  tcb.privateFlags &= ~(TcpPrivateFlag.Timing | TcpPrivateFlag.RetransmitFirst);
  tcb.sndNxt = opening ? tcb.iss : tcb.sndUna;
  stopRtx(tcb);
  if (!opening && tcb.sndWnd === 0) {
    // The window closed on data in flight: keep trying one segment, as a probe would.
    probe(tcb, fx);
  }
  startRtx(tcb, TcpTimer.Retransmit, (now + rto(tcb, fx)) | 0, fx);
}

/** RFC 9293 MUST-36, MUST-37: probe a zero window with one octet, for as long as the peer answers. */
function persistTimeOut(tcb: Tcb, now: number, fx: Effects): void {
  if (tcb.sndWndProbeCount < 255) tcb.sndWndProbeCount++;
  if (tcb.rtxCount < 12) tcb.rtxCount++;
  if (tcb.sndWnd > 0 || probe(tcb, fx)) {
    // A window smaller than a segment: RFC 9293 3.8.6.2.1 (4), the override time-out sends what fits.
    if (tcb.sndWnd > 0) sendOverride(tcb, fx);
  }
  startRtx(tcb, TcpTimer.Persist, (now + rto(tcb, fx)) | 0, fx);
}

function probe(tcb: Tcb, fx: Effects): boolean {
  if (tcb.sendDataBytes === 0) return true;
  if (!emit(tcb, TcpFlag.Ack, tcb.sndUna, 1, fx)) return false;
  const end = (tcb.sndUna + 1) | 0;
  if (seqGt(end, tcb.sndMax)) tcb.sndMax = end;
  return true;
}

function sendOverride(tcb: Tcb, fx: Effects): void {
  const length = Math.min(tcb.sndWnd, tcb.effectiveMss, tcb.sendDataBytes);
  if (length === 0 || !emit(tcb, TcpFlag.Ack | TcpFlag.Psh, tcb.sndUna, length, fx)) return;
  tcb.sndNxt = (tcb.sndUna + length) | 0;
  if (seqGt(tcb.sndNxt, tcb.sndMax)) tcb.sndMax = tcb.sndNxt;
}

/** RFC 9293 MUST-24 to MUST-29: <SEQ=SND.UNA-1> without text, which any peer answers. */
function keepAliveFired(tcb: Tcb, now: number, fx: Effects): void {
  if (tcb.sndMax !== tcb.sndUna || tcb.sendDataBytes > 0) {
    // Something is in flight: its own timer watches the peer.
    startKeepAlive(tcb, tcb.kaTimeout, now, fx);
    return;
  }
  if (tcb.kaProbeCount >= tcb.kaProbeMax) {
    endConnection(tcb, CloseReason.TimedOut, fx);
    return;
  }
  if (emit(tcb, TcpFlag.Ack, (tcb.sndUna - 1) | 0, 0, fx)) tcb.kaProbeCount++;
  startKeepAlive(tcb, tcb.kaInterval, now, fx);
}
