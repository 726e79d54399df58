/**
 * Fifth, check the ACK field (RFC 9293 3.10.7.4) — for the synchronized states: SND.UNA, the send window, RTT samples, SACK,
 * and what all that means for recovery and congestion control.
 *
 *   SACK blocks → sent ranges;  SEG.ACK → sent ranges, send queue;  RTT;  tail loss probe;  recovery;  cwnd
 *
 * What may be sent in answer is `transmit`'s, which every entry of the engine ends with.
 */
import { seqGeq, seqGt, seqLeq, seqLt } from '../base/seq.ts';
import { TcpFlag, type TcpHeader, segLenOf } from '../wire/tcp.ts';
import type { AckReport } from './ack-report.ts';
import { growWindow } from './congestion.ts';
import type { Effects } from './effects.ts';
import { judgeProbe, scheduleProbe } from './loss-probe.ts';
import { probeArrived } from './mtu-probe.ts';
import { isReducing, reduceWindow } from './prr.ts';
import { adaptReorderingWindow, advanceRack, startRackRtt } from './rack.ts';
import { acknowledgeDuplicates, isSackUsed, recover } from './recovery.ts';
import { isReordered, noteReordering } from './reordering.ts';
import { challengeAck } from './reset.ts';
import { takeSack } from './sack.ts';
import { acknowledgeSend, finOutstanding, type NetBufferCursor } from './send-queue.ts';
import { SentFlag } from './sent-flag.ts';
import { CaState, type Tcb, TcpConstFlag, TcpPrivateFlag, TcpTimer } from './tcb.ts';
import {
  echoTicks,
  endBackoff,
  isRtxRunning,
  noteMinRtt,
  rto,
  sampleRtt,
  startRtx,
  stopRtx,
  stopSendTimer,
} from './timers.ts';
import { tryUndoByDuplicates } from './undo.ts';
import { segmentWindow, updateSendWindow } from './window.ts';

/** A peer that has dropped what it had SACKed is waited for half a round trip, or so long (Linux). */
const RENEGING_TICKS = 10;

export const AckOutcome = {
  /** Go on with the segment. */
  Ok: 0,
  /** It acknowledges something never sent: answer with an ACK, drop it. */
  Drop: 1,
  /** As Ok, and our FIN is acknowledged by it. */
  FinAcked: 2,
} as const;
export type AckOutcome = (typeof AckOutcome)[keyof typeof AckOutcome];

export function acknowledge(
  tcb: Tcb,
  segment: TcpHeader,
  buffers: NetBufferCursor,
  now: number,
  fx: Effects,
): AckOutcome {
  const ack = segment.segAck;
  // RFC 9293 3.10.7.4: something never sent; RFC 5961 5.2 (MAY-12): something too old to be from this peer.
  if (seqGt(ack, tcb.sndMax) || seqLt(ack, (tcb.sndUna - tcb.maxSndWnd) | 0)) {
    challengeAck(tcb, now, fx);
    return AckOutcome.Drop;
  }
  const { report } = fx.sent;
  report.begin(tcb, segment.hasTimestamp, segment.tsEcr, now);
  const window = segmentWindow(tcb, segment.window, (segment.flags & TcpFlag.Syn) !== 0);
  tcb.sndWndProbeCount = 0;
  report.isDuplicate = isDuplicateAck(tcb, segment, window);
  if (report.isDuplicate && tcb.sndMax !== tcb.sndUna && tcb.dupAckCount < 255) tcb.dupAckCount++;
  // RFC 9293: the window is taken only from a segment newer than the one that set it last.
  if (
    seqGeq(ack, tcb.sndUna) &&
    (seqLt(tcb.sndWl1, segment.segSeq) || (tcb.sndWl1 === segment.segSeq && seqLeq(tcb.sndWl2, ack)))
  ) {
    updateSendWindow(tcb, segment.segSeq, ack, window);
    if (window > 0 && isRtxRunning(tcb, TcpTimer.Persist)) leavePersist(tcb);
  }
  if (tcb.sndMax === tcb.sndUna) {
    late(tcb, segment, report, fx);
    return AckOutcome.Ok;
  }
  return answer(tcb, segment, report, buffers, now, fx);
}

/**
 * RFC 5681 2: the five conditions but the first (something is in flight), which those who count see to. With a closed window
 * it is the answer to a probe: nothing fell out.
 */
function isDuplicateAck(tcb: Tcb, segment: TcpHeader, window: number): boolean {
  return segment.segAck === tcb.sndUna && segLenOf(segment) === 0 && window === tcb.sndWnd && window !== 0;
}

/** Nothing is in flight any more, but an ACK may say that something has arrived twice: a probe, or what was taken for lost. */
function late(tcb: Tcb, segment: TcpHeader, report: AckReport, fx: Effects): void {
  const ack = segment.segAck;
  takeSack(tcb, segment, fx.sent, report);
  adaptReorderingWindow(tcb, report, seqGeq(ack, tcb.cwndUsageSeq));
  judgeProbe(tcb, ack, report);
  if (report.duplicateSegments > 0 && tcb.caState <= CaState.Disorder) tryUndoByDuplicates(tcb, fx);
}

/** Something is in flight: what of it has arrived, and what follows from that. */
function answer(
  tcb: Tcb,
  segment: TcpHeader,
  report: AckReport,
  buffers: NetBufferCursor,
  now: number,
  fx: Effects,
): AckOutcome {
  const ack = segment.segAck;
  const highest = tcb.sackedBytes > 0 ? highestSacked(tcb, fx) : tcb.sndUna;
  report.fack = highest;
  report.hasEce = (segment.flags & TcpFlag.Ece) !== 0 && (tcb.constFlags & TcpConstFlag.Ecn) !== 0;
  takeSack(tcb, segment, fx.sent, report);
  const roundOver = seqGeq(ack, tcb.cwndUsageSeq);
  let outcome: AckOutcome = AckOutcome.Ok;
  report.advanced = seqGt(ack, tcb.sndUna);
  const rtt = report.advanced || report.hasSacked ? measure(tcb, segment, ack, report, fx) : -1;
  if (report.advanced) outcome = advance(tcb, ack, report, buffers, rtt >= 0, fx);
  if (report.advanced) probeArrived(tcb, now);
  advanceRack(tcb, report);
  noteReordering(tcb, report, highest);
  adaptReorderingWindow(tcb, report, roundOver);
  judgeProbe(tcb, ack, report);
  const isPlain =
    tcb.caState === CaState.Open && report.advanced && !report.hasSacked && !report.hasEce && !report.duplicateSegments;
  if (report.isReneging) {
    // It may only have shrunk its queue, and ask for the rest soon; if not, everything is taken for lost (recovery.ts).
    startRtx(tcb, TcpTimer.Retransmit, (now + Math.max(RENEGING_TICKS, tcb.srtt >> 4)) | 0, fx);
  } else {
    if (!isPlain) recover(tcb, report, now, fx);
    else if (seqGeq(tcb.sndUna, tcb.recover)) tcb.recover = tcb.sndUna;
    if (report.advanced) restartSendTimer(tcb, now, fx);
  }
  if (isReducing(tcb)) {
    const isPartial = report.advanced && !isSackUsed(tcb) && tcb.caState === CaState.Recovery;
    reduceWindow(tcb, report.delivered, report.advanced && report.lost === 0, isPartial);
  } else if (report.acked > 0 || (report.hasSacked && isReordered(tcb, fx))) {
    growWindow(tcb, report.delivered, rtt, now);
  }
  return outcome;
}

/** The sent ranges are told first, while SND.UNA is the old one. A round trip in ticks, -1 for none. */
function measure(tcb: Tcb, segment: TcpHeader, ack: number, report: AckReport, fx: Effects): number {
  if (report.advanced) fx.sent.acknowledge(tcb, ack, report);
  const { now } = report;
  let first = -1;
  let last = -1;
  if (report.hasSample && !report.retransmittedAcked) {
    first = (now - report.firstSentAt) | 0;
    last = (now - report.lastSentAt) | 0;
  }
  if (first < 0 && report.hasSackSample) first = (now - report.sackFirstSentAt) | 0;
  if (last < 0 && report.hasSackSample) last = (now - report.sackLastSentAt) | 0;
  // RFC 7323 4.1: an echo tells retransmissions apart. With a D-SACK it is that of an earlier one, whose ACKs were lost.
  if (first < 0 && report.advanced && report.duplicateSegments === 0) {
    first = echoTicks(tcb, segment, now);
    last = first;
  }
  if (last >= 0) noteMinRtt(tcb, last, now);
  if (first < 0) return -1;
  sampleRtt(tcb, first);
  return last;
}

/** SND.UNA moves: the send queue gives back what is acknowledged. */
function advance(
  tcb: Tcb,
  ack: number,
  report: AckReport,
  buffers: NetBufferCursor,
  sampled: boolean,
  fx: Effects,
): AckOutcome {
  const acked = (ack - tcb.sndUna) | 0;
  const fin = finOutstanding(tcb.state) && acked > tcb.sendDataBytes;
  tcb.sndUna = ack;
  if (seqLt(tcb.sndNxt, ack)) tcb.sndNxt = ack;
  const dataAcked = fin ? acked - 1 : acked;
  if (dataAcked > 0 || tcb.sendDataHead !== 0) acknowledgeSend(tcb, dataAcked, buffers, fx);
  if (isRtxRunning(tcb, TcpTimer.Persist)) tcb.rtxCount = 0;
  endBackoff(tcb, sampled);
  tcb.dupAckCount = 0;
  acknowledgeDuplicates(tcb, report, fx);
  const head = tcb.sentHead;
  report.isReneging = head !== 0 && (fx.sent.flags(head) & SentFlag.Sacked) !== 0;
  return fin ? AckOutcome.FinAcked : AckOutcome.Ok;
}

function highestSacked(tcb: Tcb, fx: Effects): number {
  const { sent } = fx;
  let highest = tcb.sndUna;
  for (let at = tcb.sentHead; at !== 0; at = sent.next(at)) {
    if ((sent.flags(at) & SentFlag.Sacked) !== 0) highest = sent.end(at);
  }
  return highest;
}

/** RFC 6298 5.2, 5.3; RFC 8985 7.2. RACK's own timer goes on. */
function restartSendTimer(tcb: Tcb, now: number, fx: Effects): void {
  if (tcb.sndUna === tcb.sndMax) {
    stopSendTimer(tcb);
    return;
  }
  if (isRtxRunning(tcb, TcpTimer.Reordering)) return;
  const ticks = rto(tcb, fx);
  if (!scheduleProbe(tcb, ticks, now, fx)) startRtx(tcb, TcpTimer.Retransmit, (now + ticks) | 0, fx);
}

/** The handshake's only sample: of the SYN if it was sent once, else by the echo of the last one. True: there was one. */
export function measureSyn(tcb: Tcb, segment: TcpHeader, now: number): boolean {
  const timed = (tcb.privateFlags & TcpPrivateFlag.Timing) !== 0;
  tcb.privateFlags &= ~TcpPrivateFlag.Timing;
  const sinceSent = (now - tcb.lastSendAt) | 0;
  const ticks = timed ? sinceSent : echoTicks(tcb, segment, now);
  if (ticks < 0 || ticks > sinceSent) return false;
  sampleRtt(tcb, ticks);
  noteMinRtt(tcb, ticks, now);
  startRackRtt(tcb, ticks);
  return true;
}

function leavePersist(tcb: Tcb): void {
  stopRtx(tcb);
  tcb.rtxCount = 0;
  tcb.totalRt = 0;
  tcb.sndWndProbeCount = 0;
}
