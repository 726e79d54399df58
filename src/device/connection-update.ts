/**
 * Cached values of a connection on the device (digest §1.5, C05–C09): what changes, and what it sets going.
 *
 * KEEP_ALIVE_RESTART, MAX_RT_RESTART, UPDATE_RCV_WND, PushNow and what TCP_QUICKACK becomes are commands, not modes: they are
 * obeyed once and forgotten. A
 * receive buffer that shrinks takes nothing back that was offered: the window closes as bytes arrive (RFC 9293 SHLD-14).
 */
import type { Kernels } from '../memory/kernels.ts';
import { copyRange, StateRange } from '../offload/state-objects.ts';
import { setQuickAck } from '../tcp/delayed-ack.ts';
import type { Effects } from '../tcp/effects.ts';
import { superviseFinWait2 } from '../tcp/half-close.ts';
import { pushNow } from '../tcp/nagle.ts';
import { CACHED_COMMANDS, type Tcb, TcpCachedFlag, TcpPrivateFlag, TcpState, TcpTimerBit } from '../tcp/tcb.ts';
import { startKeepAlive, stopKeepAlive } from '../tcp/timers.ts';
import { windowHasGrown } from '../tcp/window.ts';

/** Takes the cached range of `given`, the state behind a block; the caller transmits what has become possible. */
export function updateConnection(
  tcb: Tcb,
  given: Tcb,
  kernels: Kernels,
  asWritten: boolean,
  now: number,
  fx: Effects,
): void {
  const { kaProbeMax, kaTimeout, kaInterval } = tcb;
  copyRange(kernels, tcb.base, given.base, StateRange.tcp.cached);
  const commands = tcb.cachedFlags & CACHED_COMMANDS;
  tcb.cachedFlags &= ~CACHED_COMMANDS;
  if (tcb.state === TcpState.Closed) return;
  let restart = (commands & TcpCachedFlag.KeepAliveRestart) !== 0;
  if (restart) tcb.kaProbeCount = 0;
  if ((commands & TcpCachedFlag.MaxRtRestart) !== 0) {
    tcb.totalRt = 0;
    // C08: to the letter this flag is also the one that restarts what changed of keep-alive.
    if (asWritten && tcb.kaProbeMax !== kaProbeMax) tcb.kaProbeCount = 0;
    if (asWritten && (tcb.kaTimeout !== kaTimeout || tcb.kaInterval !== kaInterval)) restart = true;
  }
  superviseIdleness(tcb, restart, now, fx);
  superviseFinWait2(tcb, now, fx);
  if ((commands & TcpCachedFlag.PushNow) !== 0) pushNow(tcb);
  if ((commands & TcpCachedFlag.UpdateRcvWnd) !== 0 && windowHasGrown(tcb)) tcb.privateFlags |= TcpPrivateFlag.AckNow;
  if ((commands & (TcpCachedFlag.QuickAck | TcpCachedFlag.DelayAck)) !== 0) {
    setQuickAck(tcb, (commands & TcpCachedFlag.QuickAck) !== 0);
  }
}

/** C07: switched off it does not run, and forgets what it has asked; switched on it runs. */
function superviseIdleness(tcb: Tcb, restart: boolean, now: number, fx: Effects): void {
  if ((tcb.cachedFlags & TcpCachedFlag.KeepAliveEnabled) === 0) {
    stopKeepAlive(tcb);
    tcb.kaProbeCount = 0;
    return;
  }
  const runs = (tcb.timers & TcpTimerBit.KeepAlive) !== 0;
  if (tcb.state !== TcpState.TimeWait && (restart || !runs)) startKeepAlive(tcb, tcb.kaTimeout, now, fx);
}
