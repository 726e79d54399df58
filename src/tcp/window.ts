/**
 * The receive window: what we offer, and when (RFC 9293 3.8.6, RFC 7323 2.3).
 *
 *        RCV.NXT            RCV.NXT+RCV.WND
 *   -------|==== offered ======|---- buffer not yet offered ----|
 *
 * Invariant: the right edge never moves left (RFC 9293 SHLD-14). `rcvPending` bytes wait for the application.
 */
import { seqGeq, seqLeq, seqLt } from '../base/seq.ts';
import { type Tcb, TcpConstFlag } from './tcb.ts';

/** Bytes the peer may still be offered. */
export function availableWindow(tcb: Tcb): number {
  const room = tcb.initialRcvWnd - tcb.rcvPending;
  return room > 0 ? room : 0;
}

/**
 * The window field of the next segment; moves RCV.WND with it. RFC 9293 MUST-39 (receiver's SWS avoidance): the edge
 * advances only by a full-sized segment or half the buffer.
 */
export function advertiseWindow(tcb: Tcb, isSyn: boolean): number {
  const available = availableWindow(tcb);
  const threshold = Math.min(tcb.initialRcvWnd >> 1, tcb.effectiveMss);
  let window = tcb.rcvWnd;
  if (available - window >= threshold) window = available;
  const shift = isSyn ? 0 : tcb.rcvWindScale;
  // Round up as Linux does: rounding down seems to take bytes back that were offered (RFC 7323 2.4). But only as far as
  // the buffer goes: else a peer of tiny segments would be given up to a unit with each ACK, and never a closed window.
  const unit = 1 << shift;
  let field = (window + unit - 1) >> shift;
  if (field << shift >= available + unit) field = window >> shift;
  if (field > 0xffff) field = 0xffff;
  const offered = field << shift;
  if (offered > tcb.rcvWnd) tcb.rcvWnd = offered;
  return field;
}

/** The application took bytes: is the edge far enough from what could be offered that the peer must hear of it? */
export function windowUpdateDue(tcb: Tcb): boolean {
  const gain = availableWindow(tcb) - tcb.rcvWnd;
  if (gain < Math.min(tcb.initialRcvWnd >> 1, 2 * tcb.effectiveMss)) return false;
  // A peer with less than a segment to fill stands still: tell it at once.
  return tcb.rcvWnd < tcb.effectiveMss || gain >= tcb.initialRcvWnd >> 2;
}

/**
 * RFC 9293 3.10.7.4, the table of the four cases: is any part of the segment in the window?
 *
 * DEVIATION RFC 9293 A.2: as in Linux and BSD an empty segment may also stand on the right edge, because a peer that has
 * filled the window sends its ACKs from there; and a segment that reaches over both edges is taken for what it covers.
 */
export function isAcceptable(tcb: Tcb, segSeq: number, segLen: number): boolean {
  const { rcvNxt } = tcb;
  const edge = (rcvNxt + tcb.rcvWnd) | 0;
  if (segLen === 0) return seqGeq(segSeq, rcvNxt) && seqLeq(segSeq, edge);
  const last = (segSeq + segLen - 1) | 0;
  return seqLt(segSeq, edge) && seqGeq(last, rcvNxt);
}

/** RFC 5961 3.2: the number of a RST alone counts, text or not; a zero window admits RCV.NXT (RFC 9293 MUST-66). */
export function isResetInWindow(tcb: Tcb, segSeq: number): boolean {
  const offset = (segSeq - tcb.rcvNxt) | 0;
  return offset === 0 || (offset > 0 && offset < tcb.rcvWnd);
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
