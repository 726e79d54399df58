/**
 * How far the network puts segments out of order, in segments: what Linux calls tp->reordering, and TCP_INFO tcpi_reordering.
 *
 *    SND.UNA            late                     RACK.fack
 *      |- in flight -|- arrives -|-- in flight --|           degree: segments from here ────► to there
 *
 * It begins with TcpDuplicateAckThreshold and grows with what is seen. Where the peer speaks SACK, a segment that was sent once
 * and arrives below what is SACKed tells of it (RFC 8985 6.2 step 3), and so does the D-SACK of one that was SACKed; where
 * it does not, more duplicate ACKs than segments can be missing. RACK only asks whether; without SACK so many duplicate
 * ACKs are waited for. The numbers are delegated: they are of the path, not of who runs the connection.
 */
import { seqLt } from '../base/seq.ts';
import type { AckReport } from './ack-report.ts';
import type { Effects } from './effects.ts';
import { CaState, type Tcb, TcpLossFlag } from './tcb.ts';

/** As Linux's tcp_max_reordering. */
const REORDERING_MAX = 300;
const SEEN_MAX = 0xff;

/** What has arrived late according to this ACK. SND.UNA is the new one; `highest` was SACKed before. */
export function noteReordering(tcb: Tcb, report: AckReport, highest: number): void {
  const isSackLate = report.hasSackOrder && seqLt(report.sackLowest, highest);
  const isAckLate = report.hasOrder && seqLt(report.lowest, highest);
  // RFC 8985 6.2 step 3.
  if (isSackLate || isAckLate) tcb.lossFlags |= TcpLossFlag.ReorderingSeen;
  if (isSackLate) cameLate(tcb, report.sackLowest, report.fack);
  // Linux takes this for RACK.reordering_seen too; but it was retransmitted, and where much is lost that makes RACK wait for nothing.
  else if (report.hasLateDuplicate) cameLate(tcb, report.lateDuplicate, report.fack);
  if (isAckLate) cameLate(tcb, report.lowest, highestArrived(tcb, report));
}

/** A partial ACK is of the original (RFC 3522): what stood at SND.UNA was late. */
export function noteLateOriginal(tcb: Tcb, report: AckReport): void {
  tcb.lossFlags |= TcpLossFlag.ReorderingSeen;
  cameLate(tcb, (tcb.sndUna - report.acked) | 0, highestArrived(tcb, report));
}

/** RACK.fack; SND.UNA while nothing above it is SACKed. */
function highestArrived(tcb: Tcb, report: AckReport): number {
  return tcb.sackedBytes > 0 && seqLt(tcb.sndUna, report.fack) ? report.fack : tcb.sndUna;
}

function cameLate(tcb: Tcb, seq: number, highest: number): void {
  // After a time-out that nobody would undo, what arrives late had been given up for good reason (Linux).
  const counts = tcb.caState !== CaState.Loss || (tcb.lossFlags & TcpLossFlag.Undo) !== 0;
  noteDegree(tcb, counts ? Math.ceil(((highest - seq) | 0) / tcb.effectiveMss) : 0);
}

/**
 * Without SACK: duplicate ACKs stand for more segments than can have arrived out of order, of `segments` that are in flight or
 * were until this ACK. It never lowers what was seen before, as Linux's would.
 */
export function noteExcessDuplicates(tcb: Tcb, segments: number): void {
  noteDegree(tcb, segments);
}

function noteDegree(tcb: Tcb, degree: number): void {
  if (tcb.reorderingSeen < SEEN_MAX) tcb.reorderingSeen++;
  if (degree > tcb.reordering) tcb.reordering = Math.min(degree, REORDERING_MAX);
}

/**
 * More than usual has been seen.
 *
 * DEVIATION RFC 5681 3.1: the window grows then by what is SACKed too, not by what SND.UNA passes alone, since gaps are
 * nothing unusual (Linux).
 */
export function isReordered(tcb: Tcb, { params }: Effects): boolean {
  return tcb.reordering > params.dupAckThreshold;
}

/** A time-out although enough had arrived out of order to show a loss: the degree is taken for too large. */
export function doubtReordering(tcb: Tcb, initial: number): void {
  if (tcb.caState <= CaState.Disorder && tcb.sackedSegments >= initial) {
    tcb.reordering = Math.min(tcb.reordering, initial);
  }
}
