/**
 * Tail loss probe (RFC 8985 7): when the end of a flight goes unanswered for two round trips, its last segment (or new data)
 * is sent, so that the answer brings SACKs for recovery instead of a time-out. One probe at a time.
 */
import { seqGt, seqLt } from '../base/seq.ts';
import type { AckReport } from './ack-report.ts';
import { flightSize } from './congestion.ts';
import type { Effects } from './effects.ts';
import { beginReduction, endReduction } from './prr.ts';
import { withinRecord } from './record-end.ts';
import { segmentRoom } from './sack-report.ts';
import { CaState, type Tcb, TcpConstFlag, TcpLossFlag, TcpState, TcpTimer } from './tcb.ts';
import { isRtxRunning, rto, startRtx } from './timers.ts';

/** What the clock cannot tell apart (Linux adds two of its ticks). */
const SLACK = 2;

/**
 * PTO of RFC 8985 7.2: may a probe be sent before the retransmission timer, which is due in `rtoTicks`? Then its timer runs
 * instead, and the answer is true.
 */
export function scheduleProbe(tcb: Tcb, rtoTicks: number, now: number, fx: Effects): boolean {
  // Before the handshake is complete its own timer watches (RFC 7413).
  if (tcb.state < TcpState.Established || !fx.params.lossProbe || (tcb.constFlags & TcpConstFlag.Sack) === 0)
    return false;
  if (tcb.caState !== CaState.Open && tcb.caState !== CaState.Cwr) return false;
  if (tcb.sentHead === 0 || tcb.sackedBytes > 0) return false;
  let ticks = fx.params.rtoInitialTicks;
  if (tcb.srtt > 0) {
    ticks = tcb.srtt >> 2;
    // The answer to a lone segment may be delayed.
    ticks += isLone(tcb, fx) ? fx.params.rtoMinTicks : SLACK;
  }
  startRtx(tcb, TcpTimer.LossProbe, (now + Math.min(ticks, Math.max(1, rtoTicks))) | 0, fx);
  return true;
}

function isLone(tcb: Tcb, fx: Effects): boolean {
  return tcb.sentHead === tcb.sentTail && fx.sent.segments(tcb.sentHead) === 1;
}

/** The probe timer is due. True: a probe may be sent; new data comes first, and only without any the last segment again. */
export function mayProbe(tcb: Tcb): boolean {
  return tcb.sentHead !== 0 && (tcb.lossFlags & TcpLossFlag.TlpProbe) === 0;
}

const last = { rangeStart: 0, start: 0, length: 0 };

/** The last segment in flight; the object is filled anew by each call. */
export function lastSegment(tcb: Tcb, fx: Effects): Readonly<typeof last> {
  const { sent } = fx;
  let start = tcb.sndUna;
  for (let at = tcb.sentHead; at !== tcb.sentTail; at = sent.next(at)) start = sent.end(at);
  const length = (sent.end(tcb.sentTail) - start) | 0;
  last.rangeStart = start;
  last.length = Math.min(segmentRoom(tcb), Math.ceil(length / sent.segments(tcb.sentTail)));
  last.start = (tcb.sndMax - last.length) | 0;
  // Ranges that were merged do not know where their last segment begins (sent-ranges.ts); the end of a record does.
  for (let part; (part = withinRecord(tcb, last.start, last.length, fx)) < last.length;) {
    last.start = (last.start + part) | 0;
    last.length -= part;
  }
  return last;
}

export function probeSent(tcb: Tcb, isRetransmission: boolean): void {
  tcb.tlpEndSeq = tcb.sndNxt;
  tcb.lossFlags |= TcpLossFlag.TlpProbe;
  if (isRetransmission) tcb.lossFlags |= TcpLossFlag.TlpRetransmission;
  else tcb.lossFlags &= ~TcpLossFlag.TlpRetransmission;
}

/** RFC 8985 7.4: did the probe itself repair a loss? Then the window pays for it. */
export function judgeProbe(tcb: Tcb, ack: number, report: AckReport): void {
  const { lossFlags } = tcb;
  if ((lossFlags & TcpLossFlag.TlpProbe) === 0 || seqLt(ack, tcb.tlpEndSeq)) return;
  const end = TcpLossFlag.TlpProbe | TcpLossFlag.TlpRetransmission;
  if ((lossFlags & TcpLossFlag.TlpRetransmission) === 0 || report.duplicateProbe) {
    // New data, or both copies have arrived: nothing was lost.
    tcb.lossFlags &= ~end;
  } else if (seqGt(ack, tcb.tlpEndSeq)) {
    tcb.lossFlags &= ~end;
    beginReduction(tcb);
    tcb.caState = CaState.Cwr;
    endReduction(tcb);
    tcb.caState = tcb.sackedBytes + tcb.lostBytes + tcb.retransBytes > 0 ? CaState.Disorder : CaState.Open;
  } else if (report.isDuplicate) {
    // An ACK without news: the original had arrived before.
    tcb.lossFlags &= ~end;
  }
}

/** Ticks that the retransmission timer would have left: it counts from when the first segment in flight was sent. */
export function ticksUntilRto(tcb: Tcb, now: number, fx: Effects): number {
  if (tcb.sentHead === 0) return rto(tcb, fx);
  return Math.max(1, (fx.sent.sentAt(tcb.sentHead) + rto(tcb, fx) - now) | 0);
}

/** Whether the send timer that runs may be replaced by the one that the flight asks for. */
export function isWatching(tcb: Tcb): boolean {
  return (
    flightSize(tcb) > 0 &&
    (isRtxRunning(tcb, TcpTimer.Retransmit) ||
      isRtxRunning(tcb, TcpTimer.LossProbe) ||
      isRtxRunning(tcb, TcpTimer.Reordering))
  );
}
