/**
 * Loss recovery: what an ACK means when something is SACKed, lost or sent again, and what a time-out does.
 *
 *            SACK, duplicate ACK        loss detected
 *     Open ─────────────────────► Disorder ─────────► Recovery      fast recovery, until `recover` is acknowledged
 *       │ ECE ► Cwr                                      │
 *       └──────────────── time-out ──────────────────────┴─► Loss    slow start, F-RTO decides whether it was spurious
 *
 * Losses are found by RACK (rack.ts) where the peer speaks SACK, by the third duplicate ACK where it does not (RFC 6582); how
 * much may be sent meanwhile is PRR's (prr.ts); a reduction that proves wrong is undone (undo.ts). States and order of the
 * steps are those of Linux, so that traces read alike.
 */
import { seqGeq, seqGt } from '../base/seq.ts';
import type { AckReport } from './ack-report.ts';
import {
  currentSsthresh,
  flightSize,
  inFlight,
  initialWindow,
  isUncontrolled,
  ssthreshAfterLoss,
} from './congestion.ts';
import { cubicReset } from './cubic.ts';
import type { Effects } from './effects.ts';
import { probeLost } from './mtu-probe.ts';
import { beginReduction, endReduction, enterCwr, isReducing, reduceWindow } from './prr.ts';
import { detectLoss, isTimedOut } from './rack.ts';
import { doubtReordering, noteExcessDuplicates, noteLateOriginal } from './reordering.ts';
import { SentFlag } from './sent-flag.ts';
import { CaState, type Tcb, TcpConstFlag, TcpLossFlag, TcpTimer } from './tcb.ts';
import { isRtxRunning, rto, startRtx } from './timers.ts';
import { beginUndo, mayUndo, tryUndoByDuplicates, tryUndoTimeOut, undoReduction } from './undo.ts';

/** Ticks added to the reordering timer: less than what the clock can tell (Linux adds two of its own). */
const REORDERING_SLACK = 2;

export function isSackUsed(tcb: Tcb): boolean {
  return (tcb.constFlags & TcpConstFlag.Sack) !== 0;
}

/** An ACK that is not plain progress: RFC 5681 3.2, RFC 6675 5, RFC 8985 6.2. SND.UNA is the new one. */
export function recover(tcb: Tcb, report: AckReport, now: number, fx: Effects): void {
  const done = seqGeq(tcb.sndUna, tcb.recover);
  if (report.hasEce) tcb.priorSsthresh = 0;
  if (tcb.caState === CaState.Cwr && done) {
    // CWR ends with the ACK of something sent after it began.
    if (tcb.sndUna !== tcb.recover) {
      endReduction(tcb);
      tcb.caState = CaState.Open;
    }
  } else if (tcb.caState === CaState.Recovery && done) {
    if (tryUndoRecovery(tcb, report, fx)) return;
    endReduction(tcb);
  }
  if (tcb.caState === CaState.Recovery) {
    inRecovery(tcb, report, now, fx);
    return;
  }
  if (isLoss(tcb)) {
    inLoss(tcb, report, fx);
    if (isLoss(tcb)) identifyLosses(tcb, report, now, fx);
    // Only a retransmission that is lost as well makes a fast recovery of it.
    if (isLoss(tcb) && !report.lostRetransmission) return;
  } else {
    noteDuplicateAck(tcb, report, fx);
    if (tcb.caState <= CaState.Disorder) tryUndoByDuplicates(tcb, fx);
    identifyLosses(tcb, report, now, fx);
  }
  if (tcb.lostBytes > 0 && probeLost(tcb, now, fx)) return;
  if (tcb.lostBytes > 0) enterRecovery(tcb, report.hasEce);
  else keepOpen(tcb, report.hasEce, fx);
}

function inRecovery(tcb: Tcb, report: AckReport, now: number, fx: Effects): void {
  if (!report.advanced) noteDuplicateAck(tcb, report, fx);
  else if (tryUndoPartial(tcb, report, fx)) return;
  if (tryUndoByDuplicates(tcb, fx)) keepOpen(tcb, report.hasEce, fx);
  identifyLosses(tcb, report, now, fx);
  // Undone, but something is lost all the same.
  if (tcb.caState !== CaState.Recovery && tcb.lostBytes > 0) enterRecovery(tcb, report.hasEce);
}

/** RFC 5682 3.1 steps 2 and 3; RFC 5681 3.1 otherwise. */
function inLoss(tcb: Tcb, report: AckReport, fx: Effects): void {
  const isSack = isSackUsed(tcb);
  const isDone = seqGeq(tcb.sndUna, tcb.recover);
  if (report.advanced && tryUndoTimeOut(tcb, false, isSack, report, fx)) return;
  if ((tcb.lossFlags & (TcpLossFlag.Frto | TcpLossFlag.FrtoProbing)) !== 0) {
    // Step 3b: what was sent before the time-out, and not again, has arrived. Without SACK it may have done so long ago, and
    // be acknowledged now because of what was sent again.
    const isOriginal = report.originalArrived && (isSack || !report.retransmittedAcked);
    if (isOriginal && tryUndoTimeOut(tcb, true, isSack, report, fx)) return;
    if ((tcb.lossFlags & TcpLossFlag.FrtoProbing) !== 0) {
      // Step 3a: the new data only brought a duplicate ACK. The loss was real.
      if (report.hasSacked || report.isDuplicate) endFrto(tcb);
    } else if (report.advanced && !isDone) {
      // Step 2b: send new data, if there is some and the window allows it; what is lost waits for the verdict.
      tcb.recover = tcb.sndNxt;
      const unsent = tcb.sendDataBytes - flightSize(tcb);
      if (unsent > 0 && tcb.sndWnd > flightSize(tcb)) tcb.lossFlags |= TcpLossFlag.FrtoProbing;
      else endFrto(tcb);
    }
  }
  if (isDone) {
    tryUndoRecovery(tcb, report, fx);
    endFrto(tcb);
    return;
  }
  if (isSack) return;
  if (seqGt(tcb.sndNxt, tcb.recover) && report.isDuplicate) noteDuplicateAck(tcb, report, fx);
  else if (report.advanced) clearDuplicateAcks(tcb);
}

export function endFrto(tcb: Tcb): void {
  tcb.lossFlags &= ~(TcpLossFlag.Frto | TcpLossFlag.FrtoProbing);
}

/** Without SACK a duplicate ACK stands for a segment that has arrived (RFC 5681 3.2). */
function noteDuplicateAck(tcb: Tcb, report: AckReport, fx: Effects): void {
  if (isSackUsed(tcb) || !report.isDuplicate) return;
  const segments = segmentsOut(tcb, fx);
  // One segment at least is missing.
  if (tcb.sackedSegments >= segments - 1) {
    noteExcessDuplicates(tcb, segments);
    return;
  }
  // They may be small: as large as one is on average.
  const size = Math.min(tcb.effectiveMss, Math.ceil(flightSize(tcb) / segments));
  const bytes = Math.min(tcb.sackedBytes + size, flightSize(tcb) - tcb.lostBytes);
  if (bytes <= tcb.sackedBytes) {
    noteExcessDuplicates(tcb, segments);
    return;
  }
  report.delivered += bytes - tcb.sackedBytes;
  tcb.sackedSegments++;
  tcb.sackedBytes = bytes;
}

function segmentsOut(tcb: Tcb, { sent }: Effects): number {
  let segments = 0;
  for (let at = tcb.sentHead; at !== 0; at = sent.next(at)) segments += sent.segments(at);
  return segments;
}

/** Without SACK: new data is acknowledged, and with it that many of the segments that duplicate ACKs stood for. */
export function acknowledgeDuplicates(tcb: Tcb, report: AckReport, fx: Effects): void {
  if (isSackUsed(tcb)) return;
  const { sackedBytes: known, sackedSegments: before } = tcb;
  if (before > 0) {
    const out = segmentsOut(tcb, fx);
    const most = Math.max(0, out - 1);
    tcb.sackedSegments = Math.max(0, before - Math.max(0, report.ackedSegments - 1));
    if (tcb.sackedSegments > most) {
      noteExcessDuplicates(tcb, out + report.ackedSegments);
      tcb.sackedSegments = most;
    }
    const left = Math.floor((known * tcb.sackedSegments) / before);
    tcb.sackedBytes = Math.min(left, Math.max(0, flightSize(tcb) - tcb.lostBytes));
  }
  report.delivered = Math.max(Math.min(tcb.effectiveMss, report.acked), report.delivered - known);
}

export function clearDuplicateAcks(tcb: Tcb): void {
  if (isSackUsed(tcb)) return;
  tcb.sackedSegments = 0;
  tcb.sackedBytes = 0;
}

/** RACK with SACK; RFC 6582 without: the first segment at the threshold, and at every partial ACK. */
function identifyLosses(tcb: Tcb, report: AckReport, now: number, fx: Effects): void {
  if (tcb.sentHead === 0) return;
  if (isSackUsed(tcb) && fx.params.rack) {
    if (!report.hasRack) return;
    const timeout = detectLoss(tcb, now, fx);
    if (timeout > 0) armReordering(tcb, timeout, now, fx);
    return;
  }
  // DEVIATION RFC 5681 3.2: the third duplicate ACK only until it was seen that so many need not be a loss (Linux).
  const first = tcb.caState < CaState.Recovery && tcb.sackedSegments >= tcb.reordering;
  if (!first && !(tcb.caState === CaState.Recovery && report.advanced)) return;
  if (isSackUsed(tcb)) markHolesLost(tcb, fx);
  else markFirstLost(tcb, fx);
}

function markFirstLost(tcb: Tcb, fx: Effects): void {
  const head = tcb.sentHead;
  if ((fx.sent.flags(head) & SentFlag.Lost) !== 0) return;
  const segment = Math.ceil(((fx.sent.end(head) - tcb.sndUna) | 0) / fx.sent.segments(head));
  const length = Math.min(tcb.effectiveMss, segment);
  fx.sent.markFirstLost(tcb, (tcb.sndUna + length) | 0);
  // What duplicate ACKs stand for cannot be more than the rest.
  tcb.sackedBytes = Math.min(tcb.sackedBytes, Math.max(0, flightSize(tcb) - tcb.lostBytes));
}

/** RFC 6675 4 IsLost, without RACK: as many segments SACKed above it as the threshold says. */
function markHolesLost(tcb: Tcb, fx: Effects): void {
  const { sent } = fx;
  let above = tcb.sackedSegments;
  let start = tcb.sndUna;
  for (let at = tcb.sentHead; at !== 0 && above >= tcb.reordering; at = sent.next(at)) {
    const flags = sent.flags(at);
    const end = sent.end(at);
    if ((flags & SentFlag.Sacked) !== 0) above -= sent.segments(at);
    else if ((flags & SentFlag.Lost) === 0) sent.markLost(tcb, at, (end - start) | 0);
    start = end;
  }
}

function armReordering(tcb: Tcb, timeout: number, now: number, fx: Effects): void {
  const ticks = Math.min(timeout + REORDERING_SLACK, rto(tcb, fx));
  startRtx(tcb, TcpTimer.Reordering, (now + ticks) | 0, fx);
}

/** RFC 8985 6.2: the reordering timer ran out. True when it found losses; the caller transmits. */
export function reorderingTimeOut(tcb: Tcb, now: number, fx: Effects): void {
  const before = inFlight(tcb);
  fx.sent.report.begin(tcb, false, 0, now);
  const timeout = detectLoss(tcb, now, fx);
  if (inFlight(tcb) !== before) {
    const isNew = tcb.caState !== CaState.Recovery && tcb.caState !== CaState.Loss;
    if (isNew && !probeLost(tcb, now, fx)) enterRecovery(tcb, false);
    if (isReducing(tcb)) reduceWindow(tcb, 1, false, false);
  }
  if (timeout > 0) armReordering(tcb, timeout, now, fx);
}

/** Nothing is lost that we know of. */
function keepOpen(tcb: Tcb, hasEce: boolean, fx: Effects): void {
  if (hasEce) enterCwr(tcb, fx);
  if (tcb.caState === CaState.Cwr) return;
  const state = tcb.sackedBytes + tcb.lostBytes + tcb.retransBytes > 0 ? CaState.Disorder : CaState.Open;
  if (tcb.caState === state) return;
  tcb.caState = state;
  tcb.recover = tcb.sndNxt;
}

export function enterRecovery(tcb: Tcb, hasEce: boolean): void {
  tcb.lossFlags &= ~(TcpLossFlag.TlpProbe | TcpLossFlag.TlpRetransmission);
  beginUndo(tcb);
  if (!isReducing(tcb)) {
    if (!hasEce) tcb.priorSsthresh = currentSsthresh(tcb);
    beginReduction(tcb);
  }
  endFrto(tcb);
  tcb.caState = CaState.Recovery;
  // Whatever timer watched is replaced by the one of the retransmission (transmit.ts).
  if (isRtxRunning(tcb, TcpTimer.LossProbe)) tcb.rtxKind = TcpTimer.Retransmit;
}

/** RFC 6582 3.2, RFC 6675 5: all that was in flight when recovery began is acknowledged. True: nothing changes yet. */
function tryUndoRecovery(tcb: Tcb, report: AckReport, fx: Effects): boolean {
  if (mayUndo(tcb, report)) undoReduction(tcb, false, fx);
  else if (tcb.rackReoWndPersist > 0) tcb.rackReoWndPersist--;
  if (tcb.sndUna === tcb.recover && !isSackUsed(tcb)) {
    // RFC 6582 4.1: duplicate ACKs of what was sent again must not begin another recovery.
    return true;
  }
  if (tcb.caState === CaState.Recovery) endReduction(tcb);
  clearDuplicateAcks(tcb);
  tcb.caState = CaState.Open;
  return false;
}

/** A partial ACK that answers the original: what was sent again was only late. */
function tryUndoPartial(tcb: Tcb, report: AckReport, fx: Effects): boolean {
  if ((tcb.lossFlags & TcpLossFlag.Undo) === 0 || !report.isSpurious) return false;
  noteLateOriginal(tcb, report);
  // Something else is in flight again: what it brings is not known yet.
  if (tcb.retransBytes > 0) return true;
  undoReduction(tcb, true, fx);
  keepOpen(tcb, report.hasEce, fx);
  return true;
}

/** RFC 5681 3.1, RFC 6298 5: everything old enough is lost; the window is a segment, on top of what may still arrive. */
export function enterLoss(tcb: Tcb, now: number, fx: Effects): void {
  const isNew = tcb.caState < CaState.Recovery;
  doubtReordering(tcb, fx.params.dupAckThreshold);
  markTimedOut(tcb, now, fx);
  if (tcb.caState <= CaState.Disorder || seqGeq(tcb.sndUna, tcb.recover) || isRepeated(tcb)) {
    tcb.priorSsthresh = currentSsthresh(tcb);
    tcb.priorCwnd = tcb.cwnd;
    tcb.ssthresh = ssthreshAfterLoss(tcb);
    beginUndo(tcb);
  }
  cubicReset(tcb);
  if (!isUncontrolled(tcb)) tcb.cwnd = inFlight(tcb) + tcb.effectiveMss;
  tcb.cwndCount = 0;
  tcb.caState = CaState.Loss;
  tcb.recover = tcb.sndNxt;
  tcb.lossFlags &= ~(TcpLossFlag.TlpProbe | TcpLossFlag.TlpRetransmission | TcpLossFlag.FrtoProbing);
  tcb.lossFlags |= TcpLossFlag.CwrOwed;
  // RFC 5682 3.1 step 1: not within another recovery, unless that was a time-out as well.
  if (fx.params.frto && (isNew || tcb.rtxCount > 0) && tcb.probeSize === 0) tcb.lossFlags |= TcpLossFlag.Frto;
  else tcb.lossFlags &= ~TcpLossFlag.Frto;
}

/** As it is by now. */
function isLoss(tcb: Tcb): boolean {
  return tcb.caState === CaState.Loss;
}

/** A time-out in a Loss whose retransmissions had begun to be answered. */
function isRepeated(tcb: Tcb): boolean {
  return tcb.caState === CaState.Loss && tcb.rtxCount === 0;
}

function markTimedOut(tcb: Tcb, now: number, fx: Effects): void {
  const { sent } = fx;
  const head = tcb.sentHead;
  if (head !== 0 && (sent.flags(head) & SentFlag.Sacked) !== 0) sent.unmarkSacked(tcb);
  clearDuplicateAcks(tcb);
  const byTime = isSackUsed(tcb) && fx.params.rack;
  let start = tcb.sndUna;
  for (let at = head; at !== 0; at = sent.next(at)) {
    const end = sent.end(at);
    const isSacked = (sent.flags(at) & SentFlag.Sacked) !== 0;
    if (!isSacked && (at === head || !byTime || isTimedOut(tcb, sent.sentAt(at), now, fx))) {
      sent.markLost(tcb, at, (end - start) | 0);
    }
    start = end;
  }
}

/** The path carries smaller segments, or is another one: what is in flight is probably lost. */
function markAllLost(tcb: Tcb, fx: Effects): void {
  const { sent } = fx;
  let start = tcb.sndUna;
  clearDuplicateAcks(tcb);
  for (let at = tcb.sentHead; at !== 0; at = sent.next(at)) {
    const end = sent.end(at);
    if ((sent.flags(at) & SentFlag.Sacked) === 0) sent.markLost(tcb, at, (end - start) | 0);
    start = end;
  }
}

/**
 * What is in flight is lost, but not by congestion, and goes again within the restart window (RFC 5681 4.1); what is SACKed
 * stays where it is.
 */
export function sendAllAgain(tcb: Tcb, fx: Effects): void {
  tcb.probeSize = 0;
  markAllLost(tcb, fx);
  tcb.cwnd = Math.min(tcb.cwnd, initialWindow(tcb, fx));
  tcb.recover = tcb.sndNxt;
  tcb.caState = CaState.Loss;
  // An earlier reduction is not what an ACK of the originals speaks of.
  tcb.lossFlags &= ~TcpLossFlag.Undo;
  endFrto(tcb);
  if (isRtxRunning(tcb, TcpTimer.LossProbe)) tcb.rtxKind = TcpTimer.Retransmit;
}
