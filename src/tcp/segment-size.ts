/**
 * Eff.snd.MSS (RFC 9293 3.7.1): how much text a segment may carry, by what the peer takes and what the path does.
 *
 * Options that every segment carries take from it (RFC 6691); those that only some carry do so segment by segment
 * (sack-report.ts).
 */
import { believedMss, headersOf, mssFor } from './address-family.ts';
import { type Tcb, TcpConstFlag } from './tcb.ts';

const TIMESTAMP_OPTION_BYTES = 12;

/** Of a connection whose path carries datagrams of `pathMtu` bytes (E30). */
export function segmentSizeFor(tcb: Tcb, pathMtu: number): number {
  return sizeOf(tcb, pathMtu - headersOf(tcb));
}

/** Of one whose path takes whatever the interfaces at its ends do: `mss` is TcpParams.mss. */
export function segmentSizeAtMost(tcb: Tcb, mss: number): number {
  return sizeOf(tcb, mssFor(tcb, mss));
}

function sizeOf(tcb: Tcb, mss: number): number {
  const options = (tcb.constFlags & TcpConstFlag.Timestamp) !== 0 ? TIMESTAMP_OPTION_BYTES : 0;
  return Math.max(1, Math.min(believedMss(tcb), mss) - options);
}
