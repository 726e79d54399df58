/**
 * OID_TCP4_OFFLOAD_STATS, OID_IP4_OFFLOAD_STATS and their likes of IPv6 (digest §1.7): what a device counts of offloaded
 * traffic, in its own memory, for the host to read at any time.
 *
 * One writer, the device, at the end of a step that did something. `sequence` is odd while it writes, so that a reader
 * in another thread takes a family whole or tries again. Counters wrap at their width.
 */
import type { Memory } from '../memory/memory.ts';
import { record, word } from '../memory/record.ts';
import type { OffloadStatsFamily } from './descriptors.ts';

export const TcpOffloadStats = record('TCP_OFFLOAD_STATS', 40, {
  sequence: word('odd while the device writes'),
  inSegmentsLo: word('InSegments, low 32 bits'),
  inSegmentsHi: word('InSegments, high 32 bits'),
  outSegmentsLo: word('OutSegments: without those that only send again, low 32 bits'),
  outSegmentsHi: word('OutSegments, high 32 bits'),
  currentlyEstablished: word('CurrentlyEstablished: in ESTABLISHED or CLOSE-WAIT'),
  resetEstablished: word('ResetEstablished: from one of these to CLOSED'),
  retransmittedSegments: word('RetransmittedSegments'),
  inErrors: word('InErrors'),
  outResets: word('OutResets'),
});

export const IpOffloadStats = record('IP_OFFLOAD_STATS', 64, {
  sequence: word('odd while the device writes'),
  inReceivesLo: word('InReceives, low 32 bits'),
  inReceivesHi: word('InReceives, high 32 bits'),
  inOctetsLo: word('InOctets, low 32 bits'),
  inOctetsHi: word('InOctets, high 32 bits'),
  inDeliversLo: word('InDelivers, low 32 bits'),
  inDeliversHi: word('InDelivers, high 32 bits'),
  outRequestsLo: word('OutRequests, low 32 bits'),
  outRequestsHi: word('OutRequests, high 32 bits'),
  outOctetsLo: word('OutOctets, low 32 bits'),
  outOctetsHi: word('OutOctets, high 32 bits'),
  inHeaderErrors: word('InHeaderErrors: zero; a damaged header goes up, and the host counts it'),
  inTruncatedPackets: word('InTruncatedPackets: zero, likewise'),
  inDiscards: word('InDiscards: there was no buffer'),
  outDiscards: word('OutDiscards: the path or neighbor is invalid'),
  outNoRoutes: word('OutNoRoutes: zero; a path comes with the connection'),
});

/** Every family of a NIC on a cache line of its own, in the order of `OffloadStatsFamily`. */
export const OFFLOAD_STATS_BYTES = 256;

export function offloadStatsOffset(family: OffloadStatsFamily): number {
  return 64 * family;
}

/** A u64 of two words. Exact up to 2^53, which no counter here will see. */
export function wide(lo: number, hi: number): number {
  return (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
}

export function highWord(value: number): number {
  return Math.floor(value / 0x1_0000_0000) | 0;
}

/** Writes a family as one: `sequence` at this word index. */
export function publishFamily(memory: Memory, sequenceIndex: number, write: () => void): void {
  const sequence = memory.i32[sequenceIndex]!;
  Atomics.store(memory.i32, sequenceIndex, (sequence + 1) | 0);
  write();
  Atomics.store(memory.i32, sequenceIndex, (sequence + 2) | 0);
}

/** Reads a family as one. */
export function readFamily<T>(memory: Memory, sequenceIndex: number, read: () => T): T {
  for (;;) {
    const before = Atomics.load(memory.i32, sequenceIndex);
    const taken = read();
    if ((before & 1) === 0 && Atomics.load(memory.i32, sequenceIndex) === before) return taken;
  }
}
