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
  IpOffloadStats,
  offloadStatsOffset,
  publishFamily,
  TcpOffloadStats,
} from '../offload/offload-statistics.ts';
import { type NicStatistics, OffloadedTraffic } from './statistics.ts';

/** One family: its record, and what had been counted when it was set to zero. */
abstract class PublishedFamily {
  readonly #memory: Memory;
  protected readonly now: OffloadedTraffic;
  protected readonly base = new OffloadedTraffic();

  constructor(memory: Memory, now: OffloadedTraffic) {
    this.#memory = memory;
    this.now = now;
  }

  zero(): void {
    Object.assign(this.base, this.now);
  }

  protected publishAt(at: number): void {
    publishFamily(this.#memory, at >> 2, this.write);
  }

  abstract publish(): void;
  protected abstract readonly write: () => void;
}

class PublishedTcp extends PublishedFamily {
  readonly #to: Cursor<typeof TcpOffloadStats.fields>;

  constructor(memory: Memory, at: number, now: OffloadedTraffic) {
    super(memory, now);
    this.#to = TcpOffloadStats.view(memory).at(at);
  }

  publish(): void {
    this.publishAt(this.#to.base);
  }

  protected readonly write = (): void => {
    const { now, base } = this;
    const to = this.#to;
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
}

class PublishedIp extends PublishedFamily {
  readonly #to: Cursor<typeof IpOffloadStats.fields>;

  constructor(memory: Memory, at: number, now: OffloadedTraffic) {
    super(memory, now);
    this.#to = IpOffloadStats.view(memory).at(at);
  }

  publish(): void {
    this.publishAt(this.#to.base);
  }

  protected readonly write = (): void => {
    const { now, base } = this;
    const to = this.#to;
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

export class PublishedStatistics {
  /** By `OffloadStatsFamily`. */
  readonly #families: readonly PublishedFamily[];

  constructor(memory: Memory, region: Region, { ipv4, ipv6 }: NicStatistics) {
    const at = (family: OffloadStatsFamily): number => region.offset + offloadStatsOffset(family);
    this.#families = [
      new PublishedTcp(memory, at(OffloadStatsFamily.Tcp4), ipv4),
      new PublishedIp(memory, at(OffloadStatsFamily.Ip4), ipv4),
      new PublishedTcp(memory, at(OffloadStatsFamily.Tcp6), ipv6),
      new PublishedIp(memory, at(OffloadStatsFamily.Ip6), ipv6),
    ];
  }

  /** OID set: one family counts from zero again; what was set to is of no interest. */
  zero(family: number): void {
    this.#families[family]?.zero();
  }

  publish(): void {
    for (const family of this.#families) family.publish();
  }
}
