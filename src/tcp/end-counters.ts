/**
 * What the MIB counts of how connections begin and end (RFC 4022), for an owner of the engine: it looks at the state
 * before and after it has let the engine run.
 */
import { TcpState } from './tcb.ts';

/** ESTABLISHED or CLOSE-WAIT: "established" to the MIB and to TCP_OFFLOAD_STATS. */
export function isEstablished(state: number): boolean {
  return state === TcpState.Established || state === TcpState.CloseWait;
}

export class EndCounters {
  activeOpens = 0;
  passiveOpens = 0;
  attemptFails = 0;
  establishedResets = 0;
  outResets = 0;

  ran(before: number, after: number): void {
    if (after !== TcpState.Closed || before === after) return;
    if (isEstablished(before)) this.establishedResets++;
    else if (before === TcpState.SynSent || before === TcpState.SynReceived) this.attemptFails++;
  }
}
