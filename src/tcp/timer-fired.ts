/**
 * TIME-OUTS (RFC 9293 3.10.8): retransmission (RFC 6298 5.4–5.7), persist (3.8.6.1), delayed ACK, keep-alive (3.8.4),
 * FIN-WAIT-2 and TIME-WAIT.
 *
 * The owner calls `timerFired` at or before a deadline; what is not due yet is armed again (timers.ts).
 */
import { TcpFlag } from '../wire/tcp.ts';
import { nextLook, probeInterval } from './blind-attack.ts';
import { delayedAckFired } from './delayed-ack.ts';
import { CloseReason, type Effects } from './effects.ts';
import { repeatSyn } from './fast-open.ts';
import { isKeepAliveOver, isProbingOver, isRetransmissionOver, noteWait } from './giving-up.ts';
import { mayProbe, ticksUntilRto } from './loss-probe.ts';
import { suspectPath } from './mtu-probe.ts';
import { enterLoss, reorderingTimeOut } from './recovery.ts';
import { endConnection, reportClosed } from './reset.ts';
import { type Tcb, TcpDelegatedFlag, TcpState, TcpTimer, TcpTimerBit } from './tcb.ts';
import { isDue, rearm, rto, startKeepAlive, startRtx, stopRtx } from './timers.ts';
import { acceptableSeq, emit, sendLossProbe, transmit, transmitOverride } from './transmit.ts';
import { TcpEvent, setState } from './transitions.ts';

/** Doublings of the probe interval; RTO's own maximum is reached before. */
const PERSIST_BACKOFF_MAX = 12;
/** A probe found no room: again so soon. */
const RETRY_TICKS = 500;

export function timerFired(tcb: Tcb, now: number, fx: Effects): void {
  if (isDue(tcb, TcpTimerBit.DelayedAck, tcb.ackAt, now)) {
    delayedAckFired(tcb, fx);
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
    case TcpTimer.LossProbe:
      probeTimeOut(tcb, now, fx);
      return;
    case TcpTimer.Reordering:
      stopRtx(tcb);
      reorderingTimeOut(tcb, now, fx);
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
      reportClosed(tcb, CloseReason.Normal, fx);
      return;
    default:
      stopRtx(tcb);
  }
}

/** RFC 6298 5.4–5.6: send the earliest unacknowledged segment again, back off, restart the timer. */
function retransmissionTimeOut(tcb: Tcb, now: number, fx: Effects): void {
  const opening = tcb.state === TcpState.SynSent || tcb.state === TcpState.SynReceived;
  noteWait(tcb, rto(tcb, fx));
  if (isRetransmissionOver(tcb, fx)) {
    endConnection(tcb, CloseReason.TimedOut, fx);
    return;
  }
  stopRtx(tcb);
  let kind: TcpTimer = TcpTimer.Retransmit;
  if (opening) {
    tcb.delegatedFlags |= TcpDelegatedFlag.SynRetransmitted;
    repeatSyn(tcb);
  } else {
    suspectPath(tcb, now, fx);
    enterLoss(tcb, now, fx);
  }
  if (tcb.rtxCount < 255) tcb.rtxCount++;
  if (!opening && tcb.sndWnd === 0) {
    // RFC 9293 MUST-35, SHLD-17: the window closed on data in flight. It is probed, which ends only with the answers.
    kind = TcpTimer.Persist;
    probe(tcb, fx);
  }
  startRtx(tcb, kind, (now + rto(tcb, fx)) | 0, fx);
}

/** RFC 8985 7.3. The retransmission timer follows, whole if a probe left. */
function probeTimeOut(tcb: Tcb, now: number, fx: Effects): void {
  stopRtx(tcb);
  const probed = mayProbe(tcb) && sendLossProbe(tcb, now, fx);
  const ticks = probed ? rto(tcb, fx) : ticksUntilRto(tcb, now, fx);
  startRtx(tcb, TcpTimer.Retransmit, (now + ticks) | 0, fx);
}

/** RFC 9293 MUST-36, MUST-37: probe a zero window for as long as the peer answers. */
function persistTimeOut(tcb: Tcb, now: number, fx: Effects): void {
  if (tcb.sndWnd > 0) {
    sendOverride(tcb, now, fx);
    return;
  }
  noteWait(tcb, rto(tcb, fx));
  if (isProbingOver(tcb, fx)) {
    endConnection(tcb, CloseReason.TimedOut, fx);
    return;
  }
  if (tcb.rtxCount < PERSIST_BACKOFF_MAX) tcb.rtxCount++;
  probe(tcb, fx);
  startRtx(tcb, TcpTimer.Persist, (now + rto(tcb, fx)) | 0, fx);
}

/**
 * DEVIATION RFC 9293 3.8.6.1: as in Linux and BSD the probe is an old number without text, which any peer answers with its
 * window, rather than an octet that it has no room for.
 */
function probe(tcb: Tcb, fx: Effects): void {
  if (emit(tcb, TcpFlag.Ack, (tcb.sndUna - 1) | 0, 0, fx)) tcb.sndWndProbeCount++;
}

/** A window smaller than a segment: RFC 9293 3.8.6.2.1 (4), the override time-out sends what fits. */
function sendOverride(tcb: Tcb, now: number, fx: Effects): void {
  stopRtx(tcb);
  tcb.rtxCount = 0;
  if (tcb.sndNxt === tcb.sndUna) transmitOverride(tcb, now, fx);
  // `transmit` follows and starts the timer that fits: retransmission, or persist again when there was no room.
}

/** RFC 9293 MUST-24 to MUST-29: <SEQ=SND.UNA-1> without text, which any peer answers. */
function keepAliveFired(tcb: Tcb, now: number, fx: Effects): void {
  if (tcb.sndMax !== tcb.sndUna || tcb.sendDataBytes > 0) {
    // Something is in flight: its own timer watches the peer.
    startKeepAlive(tcb, nextLook(tcb), now, fx);
    return;
  }
  if (isKeepAliveOver(tcb)) {
    // RFC 9293 3.8.4 leaves it open: as on Linux, a peer that is there after all is not left with half of a connection.
    fx.emitSegment(tcb, TcpFlag.Rst | TcpFlag.Ack, acceptableSeq(tcb), 0);
    endConnection(tcb, CloseReason.TimedOut, fx);
    return;
  }
  const probed = emit(tcb, TcpFlag.Ack, (tcb.sndUna - 1) | 0, 0, fx);
  if (probed) tcb.kaProbeCount++;
  startKeepAlive(tcb, probed ? probeInterval(tcb) : RETRY_TICKS, now, fx);
}
