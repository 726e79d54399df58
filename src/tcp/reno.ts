/**
 * Congestion avoidance, a whole segment at a time (RFC 5681 3.1), as Linux reckons it: NewReno uses it as it is, CUBIC with
 * a pace of its own.
 */
import type { Tcb } from './tcb.ts';

/** No window is wider (RFC 7323 2.3): CWnd and SsThresh beyond it mean no limit. */
export const SSTHRESH_MAX = 0x3fffffff;

/** One segment more for each `perSegment` segments that are acknowledged. */
export function avoidCongestion(tcb: Tcb, perSegment: number, acked: number): void {
  const mss = tcb.effectiveMss;
  const due = perSegment * mss;
  // Credit that was gathered towards a larger step.
  if (tcb.cwndCount >= due) {
    tcb.cwndCount = 0;
    tcb.cwnd += mss;
  }
  tcb.cwndCount += acked;
  if (tcb.cwndCount >= due) {
    const steps = Math.floor(tcb.cwndCount / due);
    tcb.cwndCount -= steps * due;
    tcb.cwnd += steps * mss;
  }
  if (tcb.cwnd > SSTHRESH_MAX) tcb.cwnd = SSTHRESH_MAX;
}
