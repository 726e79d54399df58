/**
 * What the IP version below a connection means to TCP: the size of the headers (RFC 9293 3.7.1, RFC 8200 8.3), the MSS of
 * a peer that announces none, and the flag by which a device knows.
 *
 * Addresses are numbers of the owner's (wire/address-table.ts), which tell their family.
 */
import { isIpv6 } from '../wire/address-table.ts';
import { type Tcb, TcpConstFlag } from './tcb.ts';

/** IPv4 and TCP, and IPv6 and TCP, without options. */
const HEADERS_4 = 40;
const HEADERS_6 = 60;
/** Linux's tcp_min_snd_mss. */
const LEAST_SEND_MSS = 48;

/** TcpConstFlag.Ipv6, or none. */
export function familyFlag(tcb: Tcb): number {
  return isIpv6(tcb.localAddress) ? TcpConstFlag.Ipv6 : 0;
}

/** What of an MTU is not payload. */
export function headersOf(tcb: Tcb): number {
  return isIpv6(tcb.localAddress) ? HEADERS_6 : HEADERS_4;
}

/** Of an MSS that counts on the headers of IPv4 (TcpParams.mss): what this connection announces. */
export function mssFor(tcb: Tcb, mss: number): number {
  return Math.max(1, mss + HEADERS_4 - headersOf(tcb));
}

/** The peer's MSS as far as it is believed: one of a few bytes would have all data cut into them (CVE-2019-11479). */
export function believedMss(tcb: Tcb): number {
  return Math.max(tcb.remoteMss, LEAST_SEND_MSS);
}

/** RFC 9293 MUST-15, MUST-16: what a peer that says nothing takes. */
export function defaultSendMss(tcb: Tcb): number {
  return isIpv6(tcb.localAddress) ? 1220 : 536;
}
