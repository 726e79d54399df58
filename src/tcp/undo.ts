/**
 * Taking a reduction of the window back when it turns out that nothing had been lost: by the timestamp of the ACK (RFC 3522,
 * Eifel), by D-SACKs for all that was sent again (RFC 2883, RFC 3708), or by F-RTO (RFC 5682).
 */
import { seqGt } from '../base/seq.ts';
import type { AckReport } from './ack-report.ts';
import type { Effects } from './effects.ts';
import { CaState, type Tcb, TcpLossFlag } from './tcb.ts';

/** In undoRetrans: nothing was sent again in this reduction. */
const NOTHING_SENT = 0xffff;

/** A reduction begins: what it will take to undo it. */
export function beginUndo(tcb: Tcb): void {
  tcb.lossFlags |= TcpLossFlag.Undo;
  tcb.undoMarker = tcb.sndUna;
  // What is still in flight a second time may be named by a D-SACK as well.
  tcb.undoRetrans = tcb.retransBytes === 0 ? NOTHING_SENT : Math.ceil(tcb.retransBytes / tcb.effectiveMss);
}

/** Segments were sent again: as many D-SACKs would show that none of them was needed. */
export function noteSentAgain(tcb: Tcb, segments: number): void {
  const before = tcb.undoRetrans === NOTHING_SENT ? 0 : tcb.undoRetrans;
  tcb.undoRetrans = Math.min(NOTHING_SENT - 1, before + segments);
}

/** A D-SACK names some of them, up to `end`. Those of an earlier reduction do not count. */
export function noteNamed(tcb: Tcb, end: number, segments: number): void {
  if ((tcb.lossFlags & TcpLossFlag.Undo) === 0 || tcb.undoRetrans === NOTHING_SENT) return;
  if (seqGt(end, tcb.undoMarker)) tcb.undoRetrans = Math.max(0, tcb.undoRetrans - segments);
}

/** It was the original that arrived, or each retransmission has come back as a D-SACK. */
export function mayUndo(tcb: Tcb, report: AckReport): boolean {
  return (tcb.lossFlags & TcpLossFlag.Undo) !== 0 && (report.isSpurious || tcb.undoRetrans === 0);
}

export function undoReduction(tcb: Tcb, unmarkLost: boolean, fx: Effects): void {
  if (unmarkLost) fx.sent.unmarkLost(tcb);
  if (tcb.priorSsthresh !== 0) {
    tcb.cwnd = Math.max(tcb.cwnd, tcb.priorCwnd);
    if (tcb.priorSsthresh > tcb.ssthresh) {
      tcb.ssthresh = tcb.priorSsthresh;
      tcb.lossFlags &= ~TcpLossFlag.CwrOwed;
    }
  } else {
    tcb.cwnd = Math.max(tcb.cwnd, tcb.ssthresh);
  }
  tcb.lossFlags &= ~TcpLossFlag.Undo;
}

/** D-SACKs alone say so, outside of any ACK of new data. */
export function tryUndoByDuplicates(tcb: Tcb, fx: Effects): boolean {
  if ((tcb.lossFlags & TcpLossFlag.Undo) === 0 || tcb.undoRetrans !== 0) return false;
  tcb.rackReoWndPersist = Math.min(16, tcb.rackReoWndPersist + 1);
  undoReduction(tcb, false, fx);
  return true;
}

/** RFC 5682 3.1 step 3b, or Eifel after a time-out: it was spurious, and what it took for lost is in flight. */
export function tryUndoTimeOut(tcb: Tcb, byFrto: boolean, isSack: boolean, report: AckReport, fx: Effects): boolean {
  if (!byFrto && !mayUndo(tcb, report)) return false;
  undoReduction(tcb, true, fx);
  tcb.lossFlags &= ~(TcpLossFlag.Frto | TcpLossFlag.FrtoProbing);
  if (byFrto || isSack) tcb.caState = CaState.Open;
  return true;
}
