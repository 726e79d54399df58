/**
 * What a report of the network about a segment of ours means to a connection (RFC 9293 3.9.2.2, RFC 1122 4.2.3.9, RFC 5927).
 *
 * Anybody can send one, so it is believed only if it quotes something that is in flight: the owner asks before it acts on
 * anything. Then it ends an attempt to connect; a connection that was established goes on, for routes come back, and the
 * error is what it failed of if it ever fails.
 */
import { seqGeq, seqLeq } from '../base/seq.ts';
import { type CloseReason, type Effects } from './effects.ts';
import { isEarly } from './fast-open.ts';
import { endConnection } from './reset.ts';
import { type Tcb, TcpState } from './tcb.ts';

/**
 * RFC 5927 4.1: SND.UNA =< SEG.SEQ =< SND.NXT. A segment without text stands at SND.NXT itself; what was in flight before a
 * time-out went back is so still.
 */
export function quotesInFlight(tcb: Tcb, seq: number): boolean {
  const oldest = isEarly(tcb) ? tcb.iss : tcb.sndUna;
  return tcb.state !== TcpState.Closed && seqGeq(seq, oldest) && seqLeq(seq, tcb.sndMax);
}

/** RFC 1122 4.2.3.9, RFC 5461 3: nothing is lost yet by giving up while connecting. False: it is a soft error. */
export function endsOpening(tcb: Tcb, reason: CloseReason, fx: Effects): boolean {
  if (tcb.state !== TcpState.SynSent && tcb.state !== TcpState.SynReceived) return false;
  endConnection(tcb, reason, fx);
  return true;
}
