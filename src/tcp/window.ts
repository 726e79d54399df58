/**
 * The receive window: what we offer, and when (RFC 9293 3.8.6, RFC 7323 2.3).
 *
 *        RCV.NXT            RCV.NXT+RCV.WND
 *   -------|==== offered ======|---- buffer not yet offered ----|
 *
 * Invariant: the right edge never moves left (RFC 9293 SHLD-14). `rcvPending` bytes wait for the application.
 */
import { seqGeq, seqLeq, seqLt } from '../base/seq.ts';
import { type Tcb, TcpConstFlag, TcpState } from './tcb.ts';

/** RFC 7323 2.2: the window of a SYN is not scaled. */
export const SYN_WINDOW_MAX = 0xffff;
/** Half of the largest window (RFC 7323 2.3). */
const RECEIVED_ENOUGH = 1 << 29;

/** Bytes the peer may still be offered. */
export function availableWindow(tcb: Tcb): number {
  const room = tcb.initialRcvWnd - tcb.rcvPending;
  return room > 0 ? room : 0;
}

/**
 * A peer is offered what a SYN can say, and two bytes more for each that has come since, as with Linux, whose rcv_ssthresh grows by
 * two segments for one: a large buffer is for those who fill it.
 */
function trustedWindow(tcb: Tcb): number {
  const { rcvNxt, irs } = tcb;
  if (tcb.state === TcpState.SynReceived) return SYN_WINDOW_MAX;
  const received = (rcvNxt - irs - 1) >>> 0;
  // Enough for any buffer: the count stands still, or it would begin anew after 4 GiB.
  if (received > RECEIVED_ENOUGH) tcb.irs = (rcvNxt - 1 - RECEIVED_ENOUGH) | 0;
  return SYN_WINDOW_MAX + 2 * received;
}

/** After a hand-over: the peer is trusted with as much as it was. */
export function goOnTrusting(tcb: Tcb): void {
  const offered = tcb.rcvWnd + tcb.rcvPending;
  tcb.irs = (tcb.rcvNxt - 1 - (Math.max(0, offered - SYN_WINDOW_MAX) >> 1)) | 0;
}

/**
 * The window that is worth offering, as Linux reckons it; 0: what there is room for is not. RFC 9293 MUST-39 (receiver's SWS
 * avoidance): while more than half the buffer is full the edge stands still for less than a segment or a sixteenth of the
 * buffer. An unscaled window is a number of full segments, and stays while it is within one of what is free.
 */
function windowOnOffer(tcb: Tcb): number {
  const full = tcb.initialRcvWnd;
  const mss = Math.min(tcb.rcvMss, full);
  let free = availableWindow(tcb);
  if (free < full >> 1) {
    free &= -(1 << tcb.rcvWindScale);
    if (free < full >> 4 || free < mss) return 0;
  }
  free = Math.min(free, trustedWindow(tcb));
  const { rcvWnd, rcvWindScale } = tcb;
  if (rcvWindScale > 0) return free;
  if (rcvWnd <= free - mss || rcvWnd > free) return free - (free % mss);
  return mss === full && free > rcvWnd + (full >> 1) ? free : rcvWnd;
}

/** The window field of the next segment; moves RCV.WND with it. */
export function advertiseWindow(tcb: Tcb, isSyn: boolean): number {
  const available = availableWindow(tcb);
  // A peer that is to slow down needs no quick ACKs (delayed-ack.ts).
  if (available < tcb.initialRcvWnd >> 1) tcb.quickAcks = 0;
  const window = isSyn ? tcb.rcvWnd : Math.max(tcb.rcvWnd, windowOnOffer(tcb));
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

/** The buffer has grown: is there more to offer than a segment? */
export function windowHasGrown(tcb: Tcb): boolean {
  return windowOnOffer(tcb) >= tcb.rcvWnd + tcb.rcvMss;
}

/** The application took bytes: must the peer hear of it at once? When it can be offered twice as much, of half the buffer at most. */
export function windowUpdateDue(tcb: Tcb): boolean {
  const { rcvWnd } = tcb;
  if (2 * rcvWnd > tcb.initialRcvWnd) return false;
  const window = windowOnOffer(tcb);
  return window > 0 && window >= 2 * rcvWnd;
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
