/**
 * What the socket layer needs to know of a connection's sending side to decide what a write takes.
 * A copy of a few variables of the TCB, wherever that is at the moment (tcb-view.ts).
 */
import { SSTHRESH_MAX } from '../tcp/reno.ts';
import type { Tcb } from '../tcp/tcb.ts';

export interface SendState {
  readonly mss: number;
  readonly remoteMss: number;
  readonly cwnd: number;
  readonly sndWnd: number;
  readonly maxSndWnd: number;
  /** Written in all; not acknowledged; sent and not acknowledged; not sent. */
  readonly written: number;
  readonly queued: number;
  readonly inFlight: number;
  readonly unsent: number;
}

export const CONGESTION_INFINITE = SSTHRESH_MAX;

export function sendStateOf(tcb: Tcb, written: number): SendState {
  const queued = tcb.sendDataBytes;
  const inFlight = Math.max(0, Math.min(queued, (tcb.sndMax - tcb.sndUna) | 0));
  return {
    mss: tcb.effectiveMss,
    remoteMss: tcb.remoteMss,
    cwnd: tcb.cwnd,
    sndWnd: tcb.sndWnd,
    maxSndWnd: tcb.maxSndWnd,
    written,
    queued,
    inFlight,
    unsent: queued - inFlight,
  };
}
