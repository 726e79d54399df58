/**
 * The TCP and IP groups of MIB-II (RFC 4022, RFC 4293 by their old names) for a host whose connections live in more than one
 * place: what the host's own stack counted, and what its NICs count of what they have taken over (R22, E28).
 *
 * Each segment is counted where it was processed, so a connection that is offloaded and comes back loses nothing and counts
 * nothing twice. `tcpCurrEstab` counts each connection where its state is; one that is changing hands at this moment is
 * counted by the host until the device has said so.
 */
import { OffloadState } from '../offload/offload-state.ts';
import { isEstablished } from '../tcp/end-counters.ts';
import type { Host } from './host.ts';

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
  readonly ipInReceives: number;
  readonly ipInHdrErrors: number;
  readonly ipInAddrErrors: number;
  readonly ipInDelivers: number;
  readonly ipInDiscards: number;
  readonly ipOutRequests: number;
  readonly ipOutDiscards: number;
}

export function hostStatistics(host: Host): HostStatistics {
  const { transport } = host;
  const { ipv4Input, ipv4Output } = host.network;
  const { counters } = transport;
  const devices = host.miniports.map(miniport => miniport.offloadStatistics());
  const sum = (of: (device: (typeof devices)[number]) => number): number =>
    devices.reduce((total, device) => total + of(device), 0);
  return {
    tcpActiveOpens: counters.activeOpens,
    tcpPassiveOpens: counters.passiveOpens,
    tcpAttemptFails: counters.attemptFails,
    tcpEstabResets: counters.establishedResets + sum(device => device.resetEstablished),
    tcpCurrEstab: establishedInHost(host) + sum(device => device.currentlyEstablished),
    tcpInSegs: transport.segmentsIn + sum(device => device.inSegments),
    tcpOutSegs:
      transport.segmentsOut - transport.retransmissions + transport.resetsSent + sum(device => device.outSegments),
    tcpRetransSegs: transport.retransmissions + sum(device => device.retransmittedSegments),
    tcpInErrs: transport.checksumErrors + sum(device => device.inErrors),
    tcpOutRsts: transport.resetsSent + counters.outResets + sum(device => device.outResets),
    ipInReceives: ipv4Input.received + sum(device => device.inReceives),
    ipInHdrErrors: ipv4Input.headerErrors,
    ipInAddrErrors: ipv4Input.addressErrors,
    ipInDelivers: ipv4Input.delivered + sum(device => device.inDelivers),
    ipInDiscards: sum(device => device.inDiscards),
    ipOutRequests: ipv4Output.sent + sum(device => device.outRequests),
    ipOutDiscards: ipv4Output.discarded + sum(device => device.outDiscards),
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
