/**
 * The host's end of the counters that a NIC keeps of offloaded traffic (digest §1.7): reads them out of the NIC's memory
 * at any time, each family whole.
 */
import type { Memory, Region } from '../memory/memory.ts';
import type { Cursor } from '../memory/record.ts';
import {
  Ip4OffloadStats,
  IP4_OFFLOAD_STATS_OFFSET,
  readFamily,
  Tcp4OffloadStats,
  wide,
} from '../offload/offload-statistics.ts';

export interface OffloadStatistics {
  readonly inSegments: number;
  readonly outSegments: number;
  readonly currentlyEstablished: number;
  readonly resetEstablished: number;
  readonly retransmittedSegments: number;
  readonly inErrors: number;
  readonly outResets: number;
  readonly inReceives: number;
  readonly inDelivers: number;
  readonly inOctets: number;
  readonly outRequests: number;
  readonly outOctets: number;
  readonly inDiscards: number;
  readonly outDiscards: number;
}

export class OffloadStatsReader {
  readonly #memory: Memory;
  readonly #tcp: Cursor<typeof Tcp4OffloadStats.fields>;
  readonly #ip: Cursor<typeof Ip4OffloadStats.fields>;

  constructor(memory: Memory, region: Region) {
    this.#memory = memory;
    this.#tcp = Tcp4OffloadStats.view(memory).at(region.offset);
    this.#ip = Ip4OffloadStats.view(memory).at(region.offset + IP4_OFFLOAD_STATS_OFFSET);
  }

  /** What was counted stays counted when the NIC is gone; its connections are not. */
  read(gone: boolean): OffloadStatistics {
    const tcp = readFamily(this.#memory, this.#tcp.base >> 2, () => this.#readTcp(gone));
    return { ...tcp, ...readFamily(this.#memory, this.#ip.base >> 2, () => this.#readIp()) };
  }

  #readTcp(gone: boolean) {
    const from = this.#tcp;
    return {
      inSegments: wide(from.inSegmentsLo, from.inSegmentsHi),
      outSegments: wide(from.outSegmentsLo, from.outSegmentsHi),
      currentlyEstablished: gone ? 0 : from.currentlyEstablished >>> 0,
      resetEstablished: from.resetEstablished >>> 0,
      retransmittedSegments: from.retransmittedSegments >>> 0,
      inErrors: from.inErrors >>> 0,
      outResets: from.outResets >>> 0,
    };
  }

  #readIp() {
    const from = this.#ip;
    return {
      inReceives: wide(from.inReceivesLo, from.inReceivesHi),
      inDelivers: wide(from.inDeliversLo, from.inDeliversHi),
      inOctets: wide(from.inOctetsLo, from.inOctetsHi),
      outRequests: wide(from.outRequestsLo, from.outRequestsHi),
      outOctets: wide(from.outOctetsLo, from.outOctetsHi),
      inDiscards: from.inDiscards >>> 0,
      outDiscards: from.outDiscards >>> 0,
    };
  }
}
