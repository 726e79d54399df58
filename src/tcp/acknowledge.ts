/**
 * Fifth, check the ACK field (RFC 9293 3.10.7.4) — for the synchronized states: SND.UNA, the send window, RTT samples,
 * duplicate ACKs and what they mean for congestion control.
 */
import { seqGeq, seqGt, seqLeq, seqLt } from '../base/seq.ts';
import { TcpFlag, type TcpHeader, segLenOf } from '../wire/tcp.ts';
import { duplicateAck, growWindow, inRecovery, recoveryAck } from './congestion.ts';
import type { Effects } from './effects.ts';
import { challengeAck } from './reset.ts';
import { acknowledgeSend, finOutstanding, type NetBufferCursor } from './send-queue.ts';
import { type Tcb, TcpConstFlag, TcpPrivateFlag, TcpTimer } from './tcb.ts';
import {
  endBackoff,
  isRtxRunning,
  rto,
  sampleRtt,
  sampleTimestamp,
  startRtx,
  stopRtx,
  stopSendTimer,
} from './timers.ts';
import { segmentWindow, updateSendWindow } from './window.ts';

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
  let outcome: AckOutcome = AckOutcome.Ok;
  const window = segmentWindow(tcb, segment.window, (segment.flags & TcpFlag.Syn) !== 0);
  tcb.sndWndProbeCount = 0;
  if (seqGt(ack, tcb.sndUna)) outcome = newAck(tcb, segment, buffers, now, fx);
  else if (isDuplicateAck(tcb, segment, window)) duplicateAck(tcb, fx);
  // RFC 9293: the window is taken only from a segment newer than the one that set it last.
  if (
    seqGeq(ack, tcb.sndUna) &&
    (seqLt(tcb.sndWl1, segment.segSeq) || (tcb.sndWl1 === segment.segSeq && seqLeq(tcb.sndWl2, ack)))
  ) {
    updateSendWindow(tcb, segment.segSeq, ack, window);
    if (window > 0 && isRtxRunning(tcb, TcpTimer.Persist)) leavePersist(tcb);
  }
  return outcome;
}

/** RFC 5681 2: the five conditions. With a closed window it is the answer to a probe: nothing fell out. */
function isDuplicateAck(tcb: Tcb, segment: TcpHeader, window: number): boolean {
  return (
    segment.segAck === tcb.sndUna &&
    tcb.sndMax !== tcb.sndUna &&
    segLenOf(segment) === 0 &&
    window === tcb.sndWnd &&
    window !== 0
  );
}

function newAck(tcb: Tcb, segment: TcpHeader, buffers: NetBufferCursor, now: number, fx: Effects): AckOutcome {
  const ack = segment.segAck;
  const acked = (ack - tcb.sndUna) | 0;
  const sampled = measureRtt(tcb, segment, now);
  const fin = finOutstanding(tcb.state) && acked > tcb.sendDataBytes;
  tcb.sndUna = ack;
  if (seqLt(tcb.sndNxt, ack)) tcb.sndNxt = ack;
  const dataAcked = fin ? acked - 1 : acked;
  if (dataAcked > 0 || tcb.sendDataHead !== 0) acknowledgeSend(tcb, dataAcked, buffers, fx);
  if (isRtxRunning(tcb, TcpTimer.Persist)) tcb.rtxCount = 0;
  endBackoff(tcb, sampled);
  if (inRecovery(tcb)) {
    recoveryAck(tcb, acked);
  } else {
    growWindow(tcb, acked);
  }
  tcb.dupAckCount = 0;
  // RFC 6298 5.2, 5.3.
  if (tcb.sndUna === tcb.sndMax) {
    stopSendTimer(tcb);
  } else {
    startRtx(tcb, TcpTimer.Retransmit, (now + rto(tcb, fx)) | 0, fx);
  }
  return fin ? AckOutcome.FinAcked : AckOutcome.Ok;
}

/** RFC 7323 4.1 with timestamps; else Karn's timing of one segment at a time (RFC 6298 3). True: there was a sample. */
export function measureRtt(tcb: Tcb, segment: TcpHeader, now: number): boolean {
  if ((tcb.constFlags & TcpConstFlag.Timestamp) !== 0) {
    tcb.privateFlags &= ~TcpPrivateFlag.Timing;
    return segment.hasTimestamp && sampleTimestamp(tcb, segment.tsEcr, now);
  }
  if ((tcb.privateFlags & TcpPrivateFlag.Timing) === 0 || !seqGt(segment.segAck, tcb.rttSeq)) return false;
  tcb.privateFlags &= ~TcpPrivateFlag.Timing;
  sampleRtt(tcb, (now - tcb.rttAt) | 0);
  return true;
}

function leavePersist(tcb: Tcb): void {
  stopRtx(tcb);
  tcb.rtxCount = 0;
  tcb.sndWndProbeCount = 0;
}
