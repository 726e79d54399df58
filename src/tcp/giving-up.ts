/**
 * When a connection whose peer does not answer is given up: R2 (RFC 9293 3.8.3) by count, or the user timeout (RFC 5482,
 * MaxRT of the shipped interface, TCP_USER_TIMEOUT), which then holds for retransmissions, probes and keep-alive alike.
 *
 *   sent    1st time-out      2nd                       user timeout after the first
 *    |---------|==================|========…===========|  given up
 *              TotalRT →
 *
 * Called by timer-fired.ts when a timer has run out. TotalRT counts from the first time-out on, as Linux does; the last wait
 * is cut so that it ends with it (`rto`). A connection that nobody owns any more gets fewer attempts.
 */
import { probeInterval, probesMax } from './blind-attack.ts';
import type { Effects } from './effects.ts';
import { type Tcb, TcpCachedFlag, TcpState } from './tcb.ts';
import { hasUserTimeout } from './timers.ts';

/** A timer of so many ticks has run out without an answer. After MAX_RT_RESTART TotalRT counts from the next one on. */
export function noteWait(tcb: Tcb, ticks: number): void {
  const isRestarted = tcb.rtxCount > 1 && tcb.totalRt === 0;
  if (tcb.rtxCount > 0) tcb.totalRt += isRestarted ? 1 : ticks;
}

/**
 * The retransmission timer has run out. MaxRT (C09): 0 is the count, -1 never gives up. Reduced below what has been spent it
 * ends the connection at the next time-out: only MAX_RT_RESTART forgets TotalRT.
 */
export function isRetransmissionOver(tcb: Tcb, fx: Effects): boolean {
  const { maxRt, state } = tcb;
  const isOpening = state === TcpState.SynSent || state === TcpState.SynReceived;
  if ((maxRt === 0 || isOpening) && tcb.rtxCount >= retransmissionsMax(tcb, fx)) return true;
  return isUserTimeoutOver(tcb);
}

function isUserTimeoutOver(tcb: Tcb): boolean {
  return hasUserTimeout(tcb) && tcb.totalRt >>> 0 >= tcb.maxRt >>> 0;
}

function retransmissionsMax(tcb: Tcb, { params }: Effects): number {
  if (tcb.state === TcpState.SynSent) return tcb.probeCount === 0 ? params.synRetransmissionsMax : tcb.probeCount;
  if (tcb.state === TcpState.SynReceived) return params.synAckRetransmissionsMax;
  const max = params.retransmissionsMax;
  return isOrphan(tcb) ? Math.min(max, params.orphanRetransmissionsMax) : max;
}

/**
 * A closed window is probed as long as the peer answers (RFC 9293 MUST-37), but not for a user that has set a limit, nor
 * for one that is gone (RFC 6429 4).
 */
export function isProbingOver(tcb: Tcb, fx: Effects): boolean {
  if (tcb.sndWndProbeCount >= retransmissionsMax(tcb, fx)) return true;
  if (isOrphan(tcb) && tcb.rtxCount >= fx.params.orphanRetransmissionsMax) return true;
  return isUserTimeoutOver(tcb);
}

/** Keep-alive: by the count of probes, or by the user timeout once there was one, as on Linux. */
export function isKeepAliveOver(tcb: Tcb): boolean {
  const { maxRt, kaProbeCount } = tcb;
  if (!hasUserTimeout(tcb)) return kaProbeCount >= probesMax(tcb);
  return kaProbeCount > 0 && tcb.kaTimeout + kaProbeCount * probeInterval(tcb) >= maxRt >>> 0;
}

/** close(2) was called: nobody waits for what becomes of it. */
function isOrphan(tcb: Tcb): boolean {
  return (tcb.cachedFlags & (TcpCachedFlag.NoReader | TcpCachedFlag.HalfClosed)) === TcpCachedFlag.NoReader;
}
