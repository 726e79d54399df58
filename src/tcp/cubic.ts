/**
 * CUBIC (RFC 9438): after a loss the window grows along a cubic curve in time, whose plateau is the window at which the
 * loss happened; never slower than Reno would (the Reno-friendly region, 4.3).
 *
 * The window is reckoned in segments and moved a whole segment at a time, as Linux does: at least two segments are
 * acknowledged for each one that it grows by.
 *
 * DEVIATION RFC 9438 4.3: as in Linux alpha stays what it is when W_est has reached the window of the last loss.
 */
import { avoidCongestion } from './reno.ts';
import { type Tcb, TcpLossFlag } from './tcb.ts';

/** beta_cubic and C of RFC 9438 5; 0.7 as Linux rounds it. */
const BETA = 717 / 1024;
const C = 0.4;
/** RFC 9438 4.3: 3 (1 - beta) / (1 + beta), segments that Reno of the same loss rate grows by in a round trip. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);
/** Without a W_max the curve knows nothing: a twentieth of the window a round trip at least (Linux). */
const PER_SEGMENT_UNKNOWN = 20;
const PER_SEGMENT_MIN = 2;

/** RFC 9438 4.6 and 4.7: segments that are left after a loss; the curve begins anew. */
export function cubicSsthresh(tcb: Tcb): number {
  const mss = tcb.effectiveMss;
  const cwnd = Math.floor(tcb.cwnd / mss);
  const wMax = Math.floor(tcb.cubicWMax / mss);
  // Fast convergence: a flow that is pushed back gives the others room.
  tcb.cubicWMax = Math.floor(cwnd < wMax ? (cwnd * (1 + BETA)) / 2 : cwnd) * mss;
  tcb.lossFlags &= ~TcpLossFlag.CubicEpoch;
  return Math.floor(cwnd * BETA);
}

/** After a time-out nothing of the curve is believed any more (RFC 9438 4.8). */
export function cubicReset(tcb: Tcb): void {
  tcb.cubicWMax = 0;
  tcb.lossFlags &= ~TcpLossFlag.CubicEpoch;
}

/** The curve does not go on while nothing was sent (RFC 9438 4.2, 5.8). */
export function cubicIdle(tcb: Tcb, idle: number, now: number): void {
  if ((tcb.lossFlags & TcpLossFlag.CubicEpoch) === 0) return;
  // The stage may have begun after the last segment left, with its ACK.
  tcb.cubicEpochAt = (tcb.cubicEpochAt + Math.min(idle, (now - tcb.cubicEpochAt) >>> 0)) | 0;
}

/** RFC 9438 4.2 to 4.5: `acked` bytes in congestion avoidance. */
export function cubicGrow(tcb: Tcb, acked: number, now: number): void {
  const mss = tcb.effectiveMss;
  const cwnd = Math.max(1, Math.floor(tcb.cwnd / mss));
  if ((tcb.lossFlags & TcpLossFlag.CubicEpoch) === 0) beginEpoch(tcb, cwnd, now);
  tcb.cubicWEst += Math.floor((ALPHA * acked * mss) / tcb.cwnd);
  // 4.2: the window that the curve has a round trip from now.
  const rtt = tcb.minRtt === 0xffff ? 0 : tcb.minRtt;
  const t = (((now - tcb.cubicEpochAt) | 0) + rtt - tcb.cubicK) / 1000;
  const target = tcb.cubicOrigin / mss + C * t * t * t;
  let perSegment = target > cwnd ? cwnd / (target - cwnd) : 100 * cwnd;
  if (tcb.cubicWMax === 0) perSegment = Math.min(perSegment, PER_SEGMENT_UNKNOWN);
  const friendly = Math.floor(tcb.cubicWEst / mss);
  if (friendly > cwnd) perSegment = Math.min(perSegment, cwnd / (friendly - cwnd));
  avoidCongestion(tcb, Math.max(PER_SEGMENT_MIN, Math.floor(perSegment)), acked);
}

function beginEpoch(tcb: Tcb, cwnd: number, now: number): void {
  const mss = tcb.effectiveMss;
  tcb.lossFlags |= TcpLossFlag.CubicEpoch;
  tcb.cubicEpochAt = now;
  tcb.cubicWEst = tcb.cwnd;
  const wMax = tcb.cubicWMax / mss;
  if (wMax <= cwnd) {
    tcb.cubicK = 0;
    tcb.cubicOrigin = cwnd * mss;
  } else {
    tcb.cubicK = Math.round(Math.cbrt((wMax - cwnd) / C) * 1000);
    tcb.cubicOrigin = tcb.cubicWMax;
  }
}
