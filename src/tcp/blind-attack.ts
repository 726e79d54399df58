/**
 * RST and SYN that may be forged, by the rules of the interface that shipped (digest §4.5, E19; option `blindAttack`).
 *
 *   RST outside of the window   dropped             SYN outside of the window   ACK, each time
 *   RST at RCV.NXT              resets              SYN at RCV.NXT              the connection is over: upload in CLOSED
 *   RST elsewhere in it         validation          SYN elsewhere in it         ACK once in 3 s, and validation
 *
 * Validation: one challenge ACK to a RST until a segment is accepted, and a keep-alive that asks the peer itself within
 * five minutes. The default is RFC 5961 (reset.ts), which needs no timer: the real peer answers the challenge.
 */
import type { Effects } from './effects.ts';
import { type Tcb, TcpCachedFlag, TcpPrivateFlag, TcpTimerBit } from './tcb.ts';
import { startKeepAlive, stopKeepAlive } from './timers.ts';
import { isResetInWindow } from './window.ts';

const VALIDATION_TICKS = 5 * 60 * 1000;
const SYN_CHALLENGE_TICKS = 3000;
/** Of the keep-alive, where the connection has none of its own. */
const PROBES_DEFAULT = 10;
const INTERVAL_DEFAULT_TICKS = 1000;

export const BlindVerdict = {
  /** Nothing more is to be done with the segment. */
  Handled: 0,
  /** It is believed: a reset, or a peer that has started anew. */
  Believed: 1,
} as const;
export type BlindVerdict = (typeof BlindVerdict)[keyof typeof BlindVerdict];

export function judgeReset(tcb: Tcb, segSeq: number, now: number, fx: Effects): BlindVerdict {
  if (!isResetInWindow(tcb, segSeq)) return BlindVerdict.Handled;
  if (segSeq === tcb.rcvNxt) return BlindVerdict.Believed;
  if ((tcb.privateFlags & TcpPrivateFlag.Challenged) === 0) {
    tcb.privateFlags |= TcpPrivateFlag.Challenged | TcpPrivateFlag.AckNow;
  }
  armValidation(tcb, now, fx);
  return BlindVerdict.Handled;
}

export function judgeSyn(tcb: Tcb, segSeq: number, now: number, fx: Effects): BlindVerdict {
  if (segSeq === tcb.rcvNxt) return BlindVerdict.Believed;
  if (!isResetInWindow(tcb, segSeq)) {
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
    return BlindVerdict.Handled;
  }
  if ((now - tcb.challengeAt) >>> 0 >= SYN_CHALLENGE_TICKS) {
    tcb.challengeAt = now;
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
  }
  armValidation(tcb, now, fx);
  return BlindVerdict.Handled;
}

/** An idle keep-alive starts at five minutes; one that would fire later starts anew at five. */
function armValidation(tcb: Tcb, now: number, fx: Effects): void {
  const isRunning = (tcb.timers & TcpTimerBit.KeepAlive) !== 0;
  if (isRunning && ((tcb.kaAt - now) | 0) <= VALIDATION_TICKS) return;
  if (!isRunning) tcb.privateFlags |= TcpPrivateFlag.ValidationOnly;
  startKeepAlive(tcb, VALIDATION_TICKS, now, fx);
}

/** An acceptable segment: the peer is who it was. A keep-alive that was there only for this ends with it. */
export function endValidation(tcb: Tcb): void {
  const { privateFlags } = tcb;
  if ((privateFlags & (TcpPrivateFlag.Challenged | TcpPrivateFlag.ValidationOnly)) === 0) return;
  if ((privateFlags & TcpPrivateFlag.ValidationOnly) !== 0 && !isKeepAliveEnabled(tcb)) {
    stopKeepAlive(tcb);
    tcb.kaProbeCount = 0;
  }
  tcb.privateFlags = privateFlags & ~(TcpPrivateFlag.Challenged | TcpPrivateFlag.ValidationOnly);
}

/** KaProbeCount; none given, in a validation: 10. What was inherited at the offload counts (digest §4.5). */
export function probesMax(tcb: Tcb): number {
  return tcb.kaProbeMax === 0 && isValidating(tcb) ? PROBES_DEFAULT : tcb.kaProbeMax;
}

/** KaInterval; none given, in a validation: a second. */
export function probeInterval(tcb: Tcb): number {
  return tcb.kaInterval === 0 && isValidating(tcb) ? INTERVAL_DEFAULT_TICKS : tcb.kaInterval;
}

/** While something is in flight its own timer watches the peer: when to look again. */
export function nextLook(tcb: Tcb): number {
  return isValidating(tcb) && !isKeepAliveEnabled(tcb) ? VALIDATION_TICKS : tcb.kaTimeout;
}

function isValidating(tcb: Tcb): boolean {
  return (tcb.privateFlags & (TcpPrivateFlag.Challenged | TcpPrivateFlag.ValidationOnly)) !== 0;
}

function isKeepAliveEnabled(tcb: Tcb): boolean {
  return (tcb.cachedFlags & TcpCachedFlag.KeepAliveEnabled) !== 0;
}
