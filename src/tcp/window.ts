/**
 * The receive window: what we offer, and when (RFC 9293 3.8.6, RFC 7323 2.3).
 *
 *        RCV.NXT            RCV.NXT+RCV.WND
 *   -------|==== offered ======|---- buffer not yet offered ----|
 *
 * Invariant: the right edge never moves left (RFC 9293 SHLD-14). `rcvPending` bytes wait for the application.
 */
import { seqGeq, seqLt } from '../base/seq.ts';
import { type Tcb, TcpConstFlag, TcpState } from './tcb.ts';

/** Bytes the peer may still be offered. */
export function availableWindow(tcb: Tcb): number {
  const room = tcb.initialRcvWnd - tcb.rcvPending;
  return room > 0 ? room : 0;
}

/**
 * The window field of the next segment; moves RCV.WND with it. RFC 9293 MUST-39 (receiver's SWS avoidance): the edge
 * advances only by a full-sized segment or half the buffer.
 */
export function advertiseWindow(tcb: Tcb): number {
  const available = availableWindow(tcb);
  const threshold = Math.min(tcb.initialRcvWnd >> 1, tcb.effectiveMss);
  let window = tcb.rcvWnd;
  if (available - window >= threshold) window = available;
  const shift = tcb.state === TcpState.SynSent || tcb.state === TcpState.SynReceived ? 0 : tcb.rcvWindScale;
  // Round up as Linux does: rounding down would seem to take bytes back that were offered (RFC 7323 2.4).
  let field = (window + (1 << shift) - 1) >> shift;
  if (field > 0xffff) field = 0xffff;
  const offered = field << shift;
  if (offered > tcb.rcvWnd) tcb.rcvWnd = offered;
  return field;
}

/** The application took bytes: is the edge far enough from what could be offered that the peer must hear of it? */
export function windowUpdateDue(tcb: Tcb): boolean {
  const gain = availableWindow(tcb) - tcb.rcvWnd;
  return gain >= Math.min(tcb.initialRcvWnd >> 1, 2 * tcb.effectiveMss) && (tcb.rcvWnd === 0 || gain >= tcb.initialRcvWnd >> 2);
}

/** RFC 9293 3.10.7.4, the table of the four cases: is any part of the segment in the window? */
export function isAcceptable(tcb: Tcb, segSeq: number, segLen: number): boolean {
  const { rcvNxt, rcvWnd } = tcb;
  if (segLen === 0) {
    if (rcvWnd === 0) return segSeq === rcvNxt;
    return seqGeq(segSeq, rcvNxt) && seqLt(segSeq, (rcvNxt + rcvWnd) | 0);
  }
  if (rcvWnd === 0) return false;
  const edge = (rcvNxt + rcvWnd) | 0;
  const last = (segSeq + segLen - 1) | 0;
  return (seqGeq(segSeq, rcvNxt) && seqLt(segSeq, edge)) || (seqGeq(last, rcvNxt) && seqLt(last, edge));
}

/** The shift that lets a buffer of this size be offered whole (RFC 7323 2.2). */
export function windowScaleFor(rcvBuffer: number): number {
  let shift = 0;
  while (shift < 14 && 0xffff << shift < rcvBuffer) shift++;
  return shift;
}

/** SEG.WND in bytes. The window of a segment with SYN is never scaled (RFC 7323 2.2). */
export function segmentWindow(tcb: Tcb, field: number, isSyn: boolean): number {
  return isSyn || (tcb.constFlags & TcpConstFlag.WindowScaling) === 0 ? field : field << tcb.sndWindScale;
}

export function updateSendWindow(tcb: Tcb, segSeq: number, segAck: number, window: number): void {
  tcb.sndWnd = window;
  tcb.sndWl1 = segSeq;
  tcb.sndWl2 = segAck;
  if (window > tcb.maxSndWnd) tcb.maxSndWnd = window;
}
