/**
 * The MSS option of our SYNs (RFC 9293 3.7.1), by what is known of the path: its MTU and its route (route-metrics.ts). What the
 * interface takes and what the user wants is in the TCB.
 */
import { headersOf } from '../tcp/address-family.ts';
import { type Tcb, TcpPrivateFlag } from '../tcp/tcb.ts';
import type { Path } from './path.ts';

/** The least MSS that a narrow path makes us announce, by IP version: Linux's min_adv_mss, and RFC 8200 5. */
const LEAST_MSS_4 = 256;
const LEAST_MSS_6 = 1220;

/**
 * The MSS option of a SYN on this path. DEVIATION RFC 1191 3.1: in a SYN of ours not by the interface alone, as Linux did for
 * long; what is known of the path counts (RFC 9293 MUST-67, "the effective MTU"), for it is likely that the peer's
 * segments come the same way. A listener's SYN,ACK is by interface and route.
 */
export function announcedMss(tcb: Tcb, { metrics, mtu, isIpv6 }: Path): number {
  if (metrics.advertisedMss > 0) return Math.min(tcb.advertisedMss, metrics.advertisedMss);
  if ((tcb.privateFlags & TcpPrivateFlag.Passive) !== 0) return tcb.advertisedMss;
  return Math.min(tcb.advertisedMss, Math.max(isIpv6 ? LEAST_MSS_6 : LEAST_MSS_4, mtu - headersOf(tcb)));
}
