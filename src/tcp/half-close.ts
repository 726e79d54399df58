/**
 * After our FIN: who still reads, and for how long FIN-WAIT-2 may last (RFC 9293 3.6, RFC 1122 4.2.2.13).
 *
 *   disconnect     reads on, but not for ever        FIN-WAIT-2 ends a minute after the last segment
 *   shutdown(2)    HalfClosed: reads as long as it likes     no time limit
 *   close(2)       NoReader: nobody reads            a minute, and text is answered with RST
 *
 * Both are cached flags, so that a device acts alike. Called by segment-arrives.ts, and where the flags change.
 */
import { seqGt } from '../base/seq.ts';
import type { TcpHeader } from '../wire/tcp.ts';
import type { Effects } from './effects.ts';
import { type Tcb, TcpCachedFlag, TcpState, TcpTimer } from './tcb.ts';
import { isRtxRunning, startRtx, stopRtx } from './timers.ts';

/** Text that nobody will read: RFC 1122 4.2.2.13 has the peer told by a RST. */
export function isUnwanted(tcb: Tcb, segment: TcpHeader): boolean {
  if ((tcb.cachedFlags & TcpCachedFlag.NoReader) === 0) return false;
  if (tcb.state !== TcpState.FinWait1 && tcb.state !== TcpState.FinWait2) return false;
  return segment.payloadLength > 0 && seqGt((segment.segSeq + segment.payloadLength) | 0, tcb.rcvNxt);
}

export function startFinWait2(tcb: Tcb, now: number, fx: Effects): void {
  if ((tcb.cachedFlags & TcpCachedFlag.HalfClosed) !== 0) return;
  startRtx(tcb, TcpTimer.FinWait2, (now + fx.params.finWait2Ticks) | 0, fx);
}

/** A segment was accepted in FIN-WAIT-2. Where nobody reads it says nothing: the limit stands. */
export function prolongFinWait2(tcb: Tcb, now: number, fx: Effects): void {
  if ((tcb.cachedFlags & TcpCachedFlag.NoReader) === 0) startFinWait2(tcb, now, fx);
}

/** The flags are others now. */
export function superviseFinWait2(tcb: Tcb, now: number, fx: Effects): void {
  if (tcb.state !== TcpState.FinWait2) return;
  const runs = isRtxRunning(tcb, TcpTimer.FinWait2);
  if ((tcb.cachedFlags & TcpCachedFlag.HalfClosed) === 0) {
    if (!runs) startFinWait2(tcb, now, fx);
  } else if (runs) {
    stopRtx(tcb);
  }
}
