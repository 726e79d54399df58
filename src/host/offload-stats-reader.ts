/**
 * The host's end of the counters that a NIC keeps of offloaded traffic (digest §1.7): reads them out of the NIC's memory
 * at any time, each family whole.
 */
import type { Memory, Region } from '../memory/memory.ts';
import type { Cursor } from '../memory/record.ts';
import { OffloadStatsFamily } from '../offload/descriptors.ts';
import {
  IpOffloadStats,
  offloadStatsOffset,
  readFamily,
  TcpOffloadStats,
  wide,
} from '../offload/offload-statistics.ts';

export interface TcpOffloadStatistics {
  readonly inSegments: number;
  readonly outSegments: number;
  readonly currentlyEstablished: number;
  readonly resetEstablished: number;
  readonly retransmittedSegments: number;
  readonly inErrors: number;
  readonly outResets: number;
}

export interface IpOffloadStatistics {
  readonly inReceives: number;
  readonly inDelivers: number;
  readonly inOctets: number;
  readonly outRequests: number;
  readonly outOctets: number;
  readonly inDiscards: number;
  readonly outDiscards: number;
}

export interface OffloadStatistics {
  readonly tcp4: TcpOffloadStatistics;
  readonly ip4: IpOffloadStatistics;
  readonly tcp6: TcpOffloadStatistics;
  readonly ip6: IpOffloadStatistics;
}

export class OffloadStatsReader {
  readonly #memory: Memory;
  readonly #at: number;
  readonly #tcp: Cursor<typeof TcpOffloadStats.fields>;
  readonly #ip: Cursor<typeof IpOffloadStats.fields>;

  constructor(memory: Memory, region: Region) {
    this.#memory = memory;
    this.#at = region.offset;
    this.#tcp = TcpOffloadStats.view(memory);
    this.#ip = IpOffloadStats.view(memory);
  }

  /** What was counted stays counted when the NIC is gone; its connections are not. */
  read(gone: boolean): OffloadStatistics {
    return {
      tcp4: this.#readTcp(OffloadStatsFamily.Tcp4, gone),
      ip4: this.#readIp(OffloadStatsFamily.Ip4),
      tcp6: this.#readTcp(OffloadStatsFamily.Tcp6, gone),
      ip6: this.#readIp(OffloadStatsFamily.Ip6),
    };
  }

  #readTcp(family: OffloadStatsFamily, gone: boolean): TcpOffloadStatistics {
    const from = this.#tcp.at(this.#at + offloadStatsOffset(family));
    return readFamily(this.#memory, from.base >> 2, () => ({
      inSegments: wide(from.inSegmentsLo, from.inSegmentsHi),
      outSegments: wide(from.outSegmentsLo, from.outSegmentsHi),
      currentlyEstablished: gone ? 0 : from.currentlyEstablished >>> 0,
      resetEstablished: from.resetEstablished >>> 0,
      retransmittedSegments: from.retransmittedSegments >>> 0,
      inErrors: from.inErrors >>> 0,
      outResets: from.outResets >>> 0,
    }));
  }

  #readIp(family: OffloadStatsFamily): IpOffloadStatistics {
    const from = this.#ip.at(this.#at + offloadStatsOffset(family));
    return readFamily(this.#memory, from.base >> 2, () => ({
      inReceives: wide(from.inReceivesLo, from.inReceivesHi),
      inDelivers: wide(from.inDeliversLo, from.inDeliversHi),
      inOctets: wide(from.inOctetsLo, from.inOctetsHi),
      outRequests: wide(from.outRequestsLo, from.outRequestsHi),
      outOctets: wide(from.outOctetsLo, from.outOctetsHi),
      inDiscards: from.inDiscards >>> 0,
      outDiscards: from.outDiscards >>> 0,
    }));
  }
}
