/**
 * RACK: loss is detected by time (RFC 8985 6). A segment is lost when one that was sent later has been delivered, and a
 * round trip and a reordering window have passed since it was sent.
 *
 * The reordering window is nothing while no reordering has been seen (reordering.ts) and three segments are SACKed (or
 * recovery goes on), a quarter of the least round trip otherwise; D-SACKs widen it (RFC 8985 6.2 step 4), for sixteen recoveries.
 */
import { type AckReport, sentAfter } from './ack-report.ts';
import type { Effects } from './effects.ts';
import { SentFlag } from './sent-flag.ts';
import { CaState, type Tcb, TcpLossFlag } from './tcb.ts';

const RTT_NONE = 0xffff;
const REO_WND_PERSIST = 16;

/** The handshake's round trip serves until there is one of text: a time-out before that marks only what is old enough. */
export function startRackRtt(tcb: Tcb, ticks: number): void {
  tcb.rackRtt = Math.min(RTT_NONE, ticks);
}

export function startRack(tcb: Tcb, now: number): void {
  tcb.rackSentAt = now;
  tcb.rackEndSeq = tcb.iss;
  tcb.rackReoWndMult = 1;
  tcb.minRtt = RTT_NONE;
}

/** RFC 8985 6.2 step 2: the latest sent of what this ACK delivered. */
export function advanceRack(tcb: Tcb, report: AckReport): void {
  if (!report.hasRack) return;
  tcb.rackRtt = Math.min(RTT_NONE, report.rackRtt);
  if (!sentAfter(report.rackSentAt, report.rackEnd, tcb.rackSentAt, tcb.rackEndSeq)) return;
  tcb.rackSentAt = report.rackSentAt;
  tcb.rackEndSeq = report.rackEnd;
}

/** RFC 8985 6.2 step 4, once in a round trip: `roundOver` says that what was sent when the window was widened is acknowledged. */
export function adaptReorderingWindow(tcb: Tcb, report: AckReport, roundOver: boolean): void {
  if (roundOver) tcb.lossFlags &= ~TcpLossFlag.RackDsackRound;
  if (report.duplicateSegments > 0 && (tcb.lossFlags & TcpLossFlag.RackDsackRound) === 0) {
    tcb.lossFlags |= TcpLossFlag.RackDsackRound;
    if (tcb.rackReoWndMult < 255) tcb.rackReoWndMult++;
    tcb.rackReoWndPersist = REO_WND_PERSIST;
  } else if (tcb.rackReoWndPersist === 0) {
    tcb.rackReoWndMult = 1;
  }
}

function reorderingWindow(tcb: Tcb, fx: Effects): number {
  if ((tcb.lossFlags & TcpLossFlag.ReorderingSeen) === 0) {
    if (tcb.caState >= CaState.Recovery || tcb.sackedSegments >= fx.params.dupAckThreshold) return 0;
  }
  const quarters = tcb.minRtt === RTT_NONE ? 0 : (tcb.minRtt * tcb.rackReoWndMult) >> 2;
  // Our clock ticks once in a millisecond: less than a tick is a tick.
  return Math.max(1, Math.min(quarters, tcb.srtt >> 3));
}

/**
 * RFC 8985 6.2 step 5: marks what is lost by now. Ticks after which more may have become so, 0 for none. `lostRetransmission`
 * of the report tells that a retransmission was among it.
 */
export function detectLoss(tcb: Tcb, now: number, fx: Effects): number {
  const { sent } = fx;
  const patience = tcb.rackRtt + reorderingWindow(tcb, fx);
  let timeout = 0;
  let start = tcb.sndUna;
  for (let at = tcb.sentHead; at !== 0; at = sent.next(at)) {
    const end = sent.end(at);
    const flags = sent.flags(at);
    const inFlight =
      (flags & SentFlag.Sacked) === 0 && (flags & (SentFlag.Lost | SentFlag.Retransmitted)) !== SentFlag.Lost;
    if (inFlight && sentAfter(tcb.rackSentAt, tcb.rackEndSeq, sent.sentAt(at), end)) {
      // Within a tick nobody knows which was first: what was sent again may have left behind what was delivered.
      const isUnsure = (flags & SentFlag.Retransmitted) !== 0 && sent.sentAt(at) === tcb.rackSentAt;
      const remaining = patience + (isUnsure ? 1 : 0) - ((now - sent.sentAt(at)) | 0);
      if (remaining <= 0) {
        if ((flags & SentFlag.Retransmitted) !== 0) sent.report.lostRetransmission = true;
        sent.markLost(tcb, at, (end - start) | 0);
      } else if (remaining > timeout) {
        timeout = remaining;
      }
    }
    start = end;
  }
  return timeout;
}

/** Is it so long ago that the segment was sent that a time-out may take it for lost (RFC 8985 6.3)? */
export function isTimedOut(tcb: Tcb, sentAt: number, now: number, fx: Effects): boolean {
  return ((now - sentAt) | 0) >= tcb.rackRtt + reorderingWindow(tcb, fx);
}
