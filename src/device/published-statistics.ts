/**
 * The counters of offloaded traffic where the host can read them (R22, E28; digest §1.7): written at the end of a step,
 * never within, by this NIC alone.
 *
 * Setting a family makes it count from zero; the NIC's own counters (statistics.ts) go on, for diagnosis. The number of
 * established connections is a state and no count: it stays.
 */
import type { Memory, Region } from '../memory/memory.ts';
import type { Cursor } from '../memory/record.ts';
import { OffloadStatsFamily } from '../offload/descriptors.ts';
import {
  highWord,
  Ip4OffloadStats,
  IP4_OFFLOAD_STATS_OFFSET,
  publishFamily,
  Tcp4OffloadStats,
} from '../offload/offload-statistics.ts';
import { NicStatistics } from './statistics.ts';

export class PublishedStatistics {
  readonly #memory: Memory;
  readonly #stats: NicStatistics;
  readonly #tcp: Cursor<typeof Tcp4OffloadStats.fields>;
  readonly #ip: Cursor<typeof Ip4OffloadStats.fields>;
  /** What the NIC had counted when the family was set to zero. */
  #tcpBase = new NicStatistics();
  #ipBase = new NicStatistics();

  constructor(memory: Memory, region: Region, stats: NicStatistics) {
    this.#memory = memory;
    this.#stats = stats;
    this.#tcp = Tcp4OffloadStats.view(memory).at(region.offset);
    this.#ip = Ip4OffloadStats.view(memory).at(region.offset + IP4_OFFLOAD_STATS_OFFSET);
  }

  /** OID set: one family counts from zero again; what was set to is of no interest. */
  zero(family: number): void {
    const now = Object.assign(new NicStatistics(), this.#stats);
    if (family === OffloadStatsFamily.Tcp4) this.#tcpBase = now;
    else if (family === OffloadStatsFamily.Ip4) this.#ipBase = now;
  }

  publish(): void {
    publishFamily(this.#memory, this.#tcp.base >> 2, this.#writeTcp);
    publishFamily(this.#memory, this.#ip.base >> 2, this.#writeIp);
  }

  readonly #writeTcp = (): void => {
    const to = this.#tcp;
    const now = this.#stats;
    const base = this.#tcpBase;
    const inSegments = now.inSegments - base.inSegments;
    const outSegments = now.outSegments - base.outSegments;
    to.inSegmentsLo = inSegments;
    to.inSegmentsHi = highWord(inSegments);
    to.outSegmentsLo = outSegments;
    to.outSegmentsHi = highWord(outSegments);
    to.currentlyEstablished = now.established;
    to.resetEstablished = now.resetEstablished - base.resetEstablished;
    to.retransmittedSegments = now.retransmittedSegments - base.retransmittedSegments;
    to.inErrors = now.inErrors - base.inErrors;
    to.outResets = now.outResets - base.outResets;
  };

  readonly #writeIp = (): void => {
    const to = this.#ip;
    const now = this.#stats;
    const base = this.#ipBase;
    const received = now.inDatagrams - base.inDatagrams;
    const octets = now.inOctets - base.inOctets;
    const sent = now.outDatagrams - base.outDatagrams;
    const octetsSent = now.outOctets - base.outOctets;
    to.inReceivesLo = received;
    to.inReceivesHi = highWord(received);
    to.inDeliversLo = received;
    to.inDeliversHi = highWord(received);
    to.inOctetsLo = octets;
    to.inOctetsHi = highWord(octets);
    to.outRequestsLo = sent;
    to.outRequestsHi = highWord(sent);
    to.outOctetsLo = octetsSent;
    to.outOctetsHi = highWord(octetsSent);
    to.inDiscards = now.inDiscards - base.inDiscards;
    to.outDiscards = now.outDiscards - base.outDiscards;
  };
}
