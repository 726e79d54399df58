/**
 * What a connection wants otherwise than its host's parameters say, before its SYN leaves: given to `connect`, or to `listen`
 * for all connections of the listener. They are put into the fresh TCB, where the engine finds them (tcp/open.ts).
 */
import type { Tcb } from '../tcp/tcb.ts';

export interface OpenOptions {
  /** TCP_MAXSEG: the MSS that is announced, and that no segment of ours exceeds; absent: what the interface allows. */
  readonly mss?: number | undefined;
  /** SO_RCVBUF, bytes. */
  readonly receiveBuffer?: number | undefined;
  /** TCP_SYNCNT: how often the SYN is sent again, 1 to 255. */
  readonly synRetransmissionsMax?: number | undefined;
  /**
   * TCP_FASTOPEN_CONNECT (RFC 7413): with a cookie of the peer the SYN waits for the first `send`, and carries it; without, it
   * asks for one. Only for what may be delivered twice: a SYN may be.
   */
  readonly fastOpen?: boolean | undefined;
}

export function presetTcb(tcb: Tcb, { mss = 0, receiveBuffer = 0, synRetransmissionsMax = 0 }: OpenOptions): void {
  tcb.advertisedMss = mss;
  tcb.initialRcvWnd = receiveBuffer;
  tcb.probeCount = Math.min(synRetransmissionsMax, 255);
}
