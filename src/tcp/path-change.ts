/**
 * The path below a connection was interrupted and is there again, by another way: a failover.
 *
 * What was in flight is probably lost, and waiting for the retransmission timer would add its length to every failover.
 * So the connection sends again from SND.UNA, within the restart window (RFC 5681 4.1), and acknowledges what it has, for
 * the peer's segments may have found an answer lost. The idea is that of draft-eggert-tcpm-tcp-retransmit-now.
 */
import { flightSize } from './congestion.ts';
import type { Effects } from './effects.ts';
import { repeatSyn } from './fast-open.ts';
import { sendAllAgain } from './recovery.ts';
import { type Tcb, TcpPrivateFlag, TcpState } from './tcb.ts';
import { transmit } from './transmit.ts';

export function pathChanged(tcb: Tcb, now: number, fx: Effects): void {
  const { state } = tcb;
  if (state === TcpState.Closed || state === TcpState.Listen || state === TcpState.TimeWait) return;
  if (state === TcpState.SynSent || state === TcpState.SynReceived) {
    repeatSyn(tcb);
  } else {
    if (tcb.sndWnd > 0 && tcb.sndMax !== tcb.sndUna) sendAllAgain(tcb, fx);
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
  }
  transmit(tcb, now, fx);
}

/**
 * The effective MSS is another from now on. What is in flight in larger segments was dropped on the way, and is sent again
 * in smaller ones (RFC 1191 6.4, B06): not because of congestion, so SSTHRESH stays, but from a restart window.
 */
export function segmentSizeChanged(tcb: Tcb, mss: number, now: number, fx: Effects): void {
  const smaller = mss < tcb.effectiveMss;
  tcb.effectiveMss = mss;
  // A window of less than a segment would send nothing at all.
  if (tcb.cwnd < mss && tcb.state >= TcpState.Established) tcb.cwnd = mss;
  if (!smaller || tcb.state < TcpState.Established || tcb.state === TcpState.TimeWait) return;
  if (tcb.sndWnd > 0 && flightSize(tcb) > mss) sendAllAgain(tcb, fx);
  transmit(tcb, now, fx);
}
