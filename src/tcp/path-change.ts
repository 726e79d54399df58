/**
 * The path below a connection was interrupted and is there again, by another way: a failover.
 *
 * What was in flight is probably lost, and waiting for the retransmission timer would add its length to every failover.
 * So the connection sends again from SND.UNA, within the restart window (RFC 5681 4.1), and acknowledges what it has, for
 * the peer's segments may have found an answer lost. The idea is that of draft-eggert-tcpm-tcp-retransmit-now.
 */
import { restartAfterIdle } from './congestion.ts';
import type { Effects } from './effects.ts';
import { type Tcb, TcpPrivateFlag, TcpState } from './tcb.ts';
import { transmit } from './transmit.ts';

export function pathChanged(tcb: Tcb, now: number, fx: Effects): void {
  const { state } = tcb;
  if (state === TcpState.Closed || state === TcpState.Listen || state === TcpState.TimeWait) return;
  if (state === TcpState.SynSent || state === TcpState.SynReceived) {
    tcb.sndNxt = tcb.iss;
  } else {
    if (tcb.sndWnd > 0 && tcb.sndMax !== tcb.sndUna) {
      tcb.sndNxt = tcb.sndUna;
      restartAfterIdle(tcb);
      // Karn (RFC 6298 3): what is sent again is not timed.
      tcb.privateFlags &= ~TcpPrivateFlag.Timing;
    }
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
  }
  transmit(tcb, now, fx);
}
