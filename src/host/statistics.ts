/**
 * The TCP and UDP groups of MIB-II (RFC 4022, RFC 4113, by their old names) and the IP group of either version (RFC 4293,
 * likewise) for a host whose connections live in more than one place: what the host's own stack counted, and what its NICs
 * count of what they have taken over (R22, E28). Of UDP and of fragments NICs take nothing over.
 *
 * Each segment is counted where it was processed, so a connection that is offloaded and comes back loses nothing and counts
 * nothing twice. `tcpCurrEstab` counts each connection where its state is; one that is changing hands at this moment is
 * counted by the host until the device has said so.
 */
import { OffloadState } from '../offload/offload-state.ts';
import { isEstablished } from '../tcp/end-counters.ts';
import type { Host } from './host.ts';
import type { Transport } from './transport.ts';
import type { IpOffloadStatistics, TcpOffloadStatistics } from './offload-stats-reader.ts';

export interface HostStatistics {
  readonly tcpActiveOpens: number;
  readonly tcpPassiveOpens: number;
  readonly tcpAttemptFails: number;
  /** From ESTABLISHED or CLOSE-WAIT straight to CLOSED. */
  readonly tcpEstabResets: number;
  /** In ESTABLISHED or CLOSE-WAIT. */
  readonly tcpCurrEstab: number;
  readonly tcpInSegs: number;
  /** Without those that only send again. */
  readonly tcpOutSegs: number;
  readonly tcpRetransSegs: number;
  readonly tcpInErrs: number;
  readonly tcpOutRsts: number;
  /** Of Linux's TcpExt: ICMP errors about nothing in flight, handshakes that found no place, SYN cookies, TCP Fast Open. */
  readonly tcpOutOfWindowIcmps: number;
  readonly tcpListenOverflows: number;
  readonly tcpListenDrops: number;
  readonly tcpSyncookiesSent: number;
  readonly tcpSyncookiesRecv: number;
  readonly tcpSyncookiesFailed: number;
  readonly tcpFastOpenCookieReqd: number;
  readonly tcpFastOpenPassive: number;
  readonly tcpFastOpenPassiveFail: number;
  readonly tcpFastOpenListenOverflow: number;
  readonly tcpFastOpenActive: number;
  readonly tcpFastOpenActiveFail: number;
  readonly ipInReceives: number;
  readonly ipInHdrErrors: number;
  readonly ipInAddrErrors: number;
  readonly ipInDelivers: number;
  readonly ipInDiscards: number;
  readonly ipOutRequests: number;
  readonly ipOutDiscards: number;
  readonly ipReasmReqds: number;
  readonly ipReasmOKs: number;
  readonly ipReasmFails: number;
  readonly ipFragOKs: number;
  readonly ipFragCreates: number;
  readonly ip6InReceives: number;
  readonly ip6InHdrErrors: number;
  readonly ip6InAddrErrors: number;
  readonly ip6InDelivers: number;
  readonly ip6InDiscards: number;
  readonly ip6OutRequests: number;
  readonly ip6OutDiscards: number;
  readonly ip6ReasmReqds: number;
  readonly ip6ReasmOKs: number;
  readonly ip6ReasmFails: number;
  readonly ip6FragOKs: number;
  readonly ip6FragCreates: number;
  readonly udpInDatagrams: number;
  readonly udpNoPorts: number;
  readonly udpInErrors: number;
  readonly udpOutDatagrams: number;
}

export function hostStatistics(host: Host): HostStatistics {
  const { transport, udp } = host;
  const { ipv4Input, ipv4Output, ipv6 } = host.network;
  const { counters } = transport;
  const devices = host.miniports.map(miniport => miniport.offloadStatistics());
  const tcp = (counter: keyof TcpOffloadStatistics): number =>
    devices.reduce((total, { tcp4, tcp6 }) => total + tcp4[counter] + tcp6[counter], 0);
  const ip = (family: 'ip4' | 'ip6', counter: keyof IpOffloadStatistics): number =>
    devices.reduce((total, device) => total + device[family][counter], 0);
  return {
    tcpActiveOpens: counters.activeOpens,
    tcpPassiveOpens: counters.passiveOpens,
    tcpAttemptFails: counters.attemptFails,
    tcpEstabResets: counters.establishedResets + tcp('resetEstablished'),
    tcpCurrEstab: establishedInHost(host) + tcp('currentlyEstablished'),
    tcpInSegs: transport.segmentsIn + tcp('inSegments'),
    tcpOutSegs: transport.segmentsOut - transport.retransmissions + transport.resetsSent + tcp('outSegments'),
    tcpRetransSegs: transport.retransmissions + tcp('retransmittedSegments'),
    tcpInErrs: transport.checksumErrors + tcp('inErrors'),
    tcpOutRsts: transport.resetsSent + counters.outResets + tcp('outResets'),
    // A NIC drops those about its connections and counts them itself (NicStatistics.dropForgedIcmp).
    tcpOutOfWindowIcmps: transport.errors!.outOfWindow,
    ...openStatistics(transport),
    ipInReceives: ipv4Input.received + ip('ip4', 'inReceives'),
    ipInHdrErrors: ipv4Input.headerErrors,
    ipInAddrErrors: ipv4Input.addressErrors,
    ipInDelivers: ipv4Input.delivered + ip('ip4', 'inDelivers'),
    ipInDiscards: ip('ip4', 'inDiscards'),
    ipOutRequests: ipv4Output.sent + ip('ip4', 'outRequests'),
    ipOutDiscards: ipv4Output.discarded + ip('ip4', 'outDiscards'),
    ipReasmReqds: ipv4Input.reassembler.fragments,
    ipReasmOKs: ipv4Input.reassembler.completed,
    ipReasmFails: ipv4Input.reassembler.failures,
    ipFragOKs: ipv4Output.fragmented,
    ipFragCreates: ipv4Output.fragmentsSent,
    ip6InReceives: ipv6.input.received + ip('ip6', 'inReceives'),
    ip6InHdrErrors: ipv6.input.headerErrors,
    ip6InAddrErrors: ipv6.input.addressErrors,
    ip6InDelivers: ipv6.input.delivered + ip('ip6', 'inDelivers'),
    ip6InDiscards: ipv6.input.discarded + ip('ip6', 'inDiscards'),
    ip6OutRequests: ipv6.output.sent + ip('ip6', 'outRequests'),
    ip6OutDiscards: ipv6.output.discarded + ip('ip6', 'outDiscards'),
    ip6ReasmReqds: ipv6.input.reassembler.fragments,
    ip6ReasmOKs: ipv6.input.reassembler.completed,
    ip6ReasmFails: ipv6.input.reassembler.failures,
    ip6FragOKs: ipv6.output.fragmented,
    ip6FragCreates: ipv6.output.fragmentsSent,
    udpInDatagrams: udp.received,
    udpNoPorts: udp.noPorts,
    udpInErrors: udp.inErrors,
    udpOutDatagrams: udp.output.sent,
  };
}

/** Devices open nothing. */
function openStatistics({ listeners, fastOpen, fastOpenCache }: Transport) {
  const { listenOverflows, listenDrops, syncookiesSent, syncookiesRecv, syncookiesFailed } = listeners.counters;
  const { cookieReqd, passive, passiveFail, listenOverflow } = fastOpen.counters;
  return {
    tcpListenOverflows: listenOverflows,
    tcpListenDrops: listenDrops,
    tcpSyncookiesSent: syncookiesSent,
    tcpSyncookiesRecv: syncookiesRecv,
    tcpSyncookiesFailed: syncookiesFailed,
    tcpFastOpenCookieReqd: cookieReqd,
    tcpFastOpenPassive: passive,
    tcpFastOpenPassiveFail: passiveFail,
    tcpFastOpenListenOverflow: listenOverflow,
    tcpFastOpenActive: fastOpenCache.counters.active,
    tcpFastOpenActiveFail: fastOpenCache.counters.activeFail,
  };
}

function establishedInHost({ transport }: Host): number {
  let count = 0;
  for (let slot = 0; slot < transport.table.capacity; slot++) {
    if (!transport.table.isLive(slot)) continue;
    const { state, offloadState } = transport.at(slot);
    const here = offloadState === OffloadState.InHost || offloadState === OffloadState.Offloading;
    if (here && isEstablished(state)) count++;
  }
  return count;
}
