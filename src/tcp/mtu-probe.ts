/**
 * Packetization layer path MTU discovery (RFC 4821), for paths that drop large datagrams and say nothing about it (RFC 2923 2.1).
 *
 *    probeLow            probeSize            probeHigh
 *       |--------------------|--------------------|        payload of a segment
 *    passes: segments     in flight          is known not to pass,
 *    have this size       as one segment     or is what the path claims
 *
 * A connection whose segments time out again and again goes back to a size that passes nearly everywhere, and searches upward
 * from there: now and then a segment of new data is larger. If it is acknowledged all are; if it alone is lost the path is to
 * blame, and not congestion. Numbers and conditions are those of Linux (tcp_mtu_probing). While probeSize is 0, probeMark is
 * the tick of the last outcome.
 */
import { seqGeq, seqLt } from '../base/seq.ts';
import { currentSsthresh, inFlight } from './congestion.ts';
import type { Effects } from './effects.ts';
import { untilRecordEnd } from './record-end.ts';
import { segmentRoom } from './sack-report.ts';
import { segmentSizeAtMost, segmentSizeFor } from './segment-size.ts';
import { SentFlag } from './sent-flag.ts';
import { CaState, type Tcb, TcpLossFlag } from './tcb.ts';

/** Retransmissions of one segment after which the path is suspected (tcp_retries1). */
const SUSPICION = 3;
/** No smaller size is tried (tcp_mtu_probe_floor). */
const SIZE_MIN = 48;
/** A range this narrow is not worth a probe (tcp_probe_threshold). */
const RANGE_MIN = 8;
/** Probes of one size that must be lost: a single one may be lost as anything is. */
const PROBES_MAX = 2;
/** Segments of the window without which there would be no fast recovery from a lost probe. */
const WINDOW_SEGMENTS = 11;
/** Segments that are to follow a probe, so that its loss shows. */
const FOLLOWERS = 4;

/** A connection is made: whoever does not trust any path begins with the search. */
export function startSearch(tcb: Tcb, now: number, fx: Effects): void {
  tcb.probeLow = 0;
  tcb.probeSize = 0;
  tcb.probeCount = 0;
  if (fx.params.mtuProbing === 'always') search(tcb, Math.min(fx.params.mtuProbeBase, tcb.effectiveMss), now);
}

/** From the owner before: the search goes on where it was; a probe that is in flight is noted afterwards. */
export function resumeSearch(tcb: Tcb, low: number, high: number, now: number): void {
  tcb.probeSize = 0;
  tcb.probeCount = 0;
  tcb.probeMark = now;
  tcb.probeLow = Math.min(low, high);
  tcb.probeHigh = high;
  if (tcb.probeLow > 0) tcb.effectiveMss = tcb.probeLow;
}

function search(tcb: Tcb, size: number, now: number): void {
  if (tcb.probeLow === 0) tcb.probeHigh = tcb.effectiveMss;
  tcb.probeLow = size;
  tcb.probeCount = 0;
  tcb.probeMark = now;
  tcb.effectiveMss = size;
}

/** Another time-out: a probe in flight says nothing any more, and full segments may be what does not pass. */
export function suspectPath(tcb: Tcb, now: number, fx: Effects): void {
  endProbe(tcb, now);
  const { mtuProbing, mtuProbeBase } = fx.params;
  if (mtuProbing === 'off' || tcb.rtxCount < SUSPICION) return;
  const head = tcb.sentHead;
  // What is small passes everywhere: something else is wrong.
  if (head === 0 || ((fx.sent.end(head) - tcb.sndUna) | 0) < tcb.effectiveMss) return;
  const size = tcb.probeLow === 0 ? mtuProbeBase : Math.min(mtuProbeBase, tcb.probeLow >> 1);
  const smaller = Math.max(SIZE_MIN, size);
  if (smaller < tcb.effectiveMss) search(tcb, smaller, now);
}

function endProbe(tcb: Tcb, now: number): void {
  if (tcb.probeSize === 0) return;
  tcb.probeSize = 0;
  tcb.probeMark = now;
}

/** The path carries datagrams of so many bytes: the size of segments from now on, and where the search ends. */
export function sizeForPath(tcb: Tcb, pathMtu: number): number {
  const most = segmentSizeFor(tcb, pathMtu);
  if (tcb.probeLow === 0) return most;
  tcb.probeHigh = most;
  tcb.probeLow = Math.min(tcb.probeLow, most);
  return tcb.probeLow;
}

/**
 * Room in the next segment of new data, of which `left` bytes wait: as much as passes, or as a probe is to have. 0: nothing is to
 * be sent before the window has room for the probe.
 */
export function nextSegmentRoom(tcb: Tcb, left: number, now: number, fx: Effects): number {
  const room = segmentRoom(tcb);
  const mss = tcb.effectiveMss;
  // SACK options make segments of other sizes.
  if (tcb.probeLow === 0 || tcb.probeSize > 0 || tcb.caState !== CaState.Open || room !== mss) return room;
  if (tcb.cwnd < WINDOW_SEGMENTS * mss) return room;
  if (tcb.probeHigh - tcb.probeLow < RANGE_MIN) {
    searchAgain(tcb, now, fx);
    return room;
  }
  const size = (tcb.probeLow + tcb.probeHigh) >> 1;
  const needed = size + FOLLOWERS * mss;
  const flight = (tcb.sndNxt - tcb.sndUna) | 0;
  if (left < needed || flight + needed > tcb.sndWnd) return room;
  if (untilRecordEnd(tcb, tcb.sndNxt, left, size, fx) < size) return room;
  // It takes the place of two: the window is let drain until there is that much room.
  if (inFlight(tcb) + 2 * mss <= tcb.cwnd && inFlight(tcb) + size <= tcb.cwnd) return size;
  return flight === 0 ? room : 0;
}

/** RFC 4821 7.7, RFC 8899 5.2: routes change. Every ten minutes the search begins again, from what passes. */
function searchAgain(tcb: Tcb, now: number, { params }: Effects): void {
  if ((now - tcb.probeMark) >>> 0 < params.mtuProbeIntervalTicks) return;
  tcb.probeHigh = segmentSizeAtMost(tcb, params.mss);
  tcb.probeCount = 0;
  tcb.probeMark = now;
}

/** A segment with new data from `seq` on has left; larger than all others it is a probe. */
export function noteProbe(tcb: Tcb, seq: number, length: number): void {
  if (length <= tcb.effectiveMss || tcb.probeLow === 0) return;
  tcb.probeSize = length;
  tcb.probeMark = seq;
}

/** SND.UNA has moved: the path takes segments of the probe's size. */
export function probeArrived(tcb: Tcb, now: number): void {
  if (tcb.probeSize === 0 || seqLt(tcb.sndUna, (tcb.probeMark + tcb.probeSize) | 0)) return;
  tcb.probeLow = tcb.probeSize;
  tcb.effectiveMss = tcb.probeSize;
  tcb.probeCount = 0;
  endProbe(tcb, now);
}

/**
 * Something is lost. True: it is the probe, and nothing else; that is no sign of congestion (RFC 4821 7.6.2), and its bytes are
 * sent again in segments that pass, with the window as it is.
 */
export function probeLost(tcb: Tcb, now: number, fx: Effects): boolean {
  const { probeSize } = tcb;
  if (probeSize === 0 || tcb.caState > CaState.Disorder || tcb.sndUna !== tcb.probeMark) return false;
  endProbe(tcb, now);
  if (tcb.lostBytes > probeSize) return false;
  tcb.probeCount++;
  if (tcb.probeCount >= PROBES_MAX) {
    tcb.probeHigh = probeSize - 1;
    tcb.probeCount = 0;
  }
  markLost(tcb, probeSize, fx);
  tcb.ssthresh = currentSsthresh(tcb);
  tcb.priorSsthresh = 0;
  tcb.recover = tcb.sndNxt;
  tcb.lossFlags &= ~(TcpLossFlag.Undo | TcpLossFlag.Frto | TcpLossFlag.FrtoProbing);
  tcb.caState = CaState.Loss;
  return true;
}

/** All of the probe, also where duplicate ACKs point at its beginning only. */
function markLost(tcb: Tcb, size: number, fx: Effects): void {
  const { sent } = fx;
  const stop = (tcb.sndUna + size) | 0;
  let start = tcb.sndUna;
  for (let at = tcb.sentHead; at !== 0 && !seqGeq(start, stop); at = sent.next(at)) {
    const end = sent.end(at);
    if ((sent.flags(at) & SentFlag.Sacked) === 0) sent.markLost(tcb, at, (end - start) | 0);
    start = end;
  }
}
