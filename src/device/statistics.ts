/**
 * What a NIC counts, by reason (R22; TCP_OFFLOAD_STATS and IP_OFFLOAD_STATS for the offloaded part). Plain numbers: the
 * control plane sends a copy of the object.
 */
import { isIpv6 } from '../wire/address-table.ts';

/** Offloaded traffic of one family. */
export class OffloadedTraffic {
  /** As TCP_OFFLOAD_STATS has it: what is sent again is counted there only. */
  inSegments = 0;
  outSegments = 0;
  retransmittedSegments = 0;
  inErrors = 0;
  outResets = 0;
  resetEstablished = 0;
  /** Connections in ESTABLISHED or CLOSE-WAIT now. */
  established = 0;
  /** The datagrams of these segments: IP_OFFLOAD_STATS. */
  inDatagrams = 0;
  inOctets = 0;
  outDatagrams = 0;
  outOctets = 0;
  inDiscards = 0;
  outDiscards = 0;
}

export class NicStatistics {
  framesReceived = 0;
  framesTransmitted = 0;
  bytesReceived = 0;
  bytesTransmitted = 0;
  /** Frames handed to the host, and frames taken from it. */
  hostFramesReceived = 0;
  hostFramesTransmitted = 0;
  readonly ipv4 = new OffloadedTraffic();
  readonly ipv6 = new OffloadedTraffic();
  dropFcs = 0;
  dropFilter = 0;
  /** Of an offloaded connection but for their tag (E21). */
  dropVlan = 0;
  /** ICMP errors about offloaded connections that quote nothing in flight (RFC 5927). */
  dropForgedIcmp = 0;
  dropNoBuffer = 0;
  dropLinkDown = 0;
  /** Runts and giants. */
  dropLength = 0;
  offloadsTaken = 0;
  offloadsRefused = 0;
  uploads = 0;
  updates = 0;
  staleHandles = 0;
  initiateCalls = 0;
  blocksSeen = 0;
}

/** Where the traffic of a connection with this local address is counted. */
export function trafficOf(stats: NicStatistics, localAddress: number): OffloadedTraffic {
  return isIpv6(localAddress) ? stats.ipv6 : stats.ipv4;
}

/** Of both families together. */
export function offloadedTotal(stats: NicStatistics, counter: keyof OffloadedTraffic): number {
  return stats.ipv4[counter] + stats.ipv6[counter];
}
