/**
 * What one ACK did, collected while the sent ranges are walked: what it delivered, how long that took, and what it says of
 * order and loss. Filled for each ACK anew (`begin`), read by the modules that react to it.
 */
import { seqGt, seqLeq, seqLt } from '../base/seq.ts';
import { SentFlag } from './sent-flag.ts';
import { type Tcb, TcpConstFlag } from './tcb.ts';

const { Sacked, Lost, EverRetransmitted, Retransmitted } = SentFlag;

export class AckReport {
  now = 0;
  /** SND.UNA moved. */
  advanced = false;
  /** Bytes that SEG.ACK acknowledged. */
  acked = 0;
  /** Segments among them; at least 1 when there were bytes. */
  ackedSegments = 0;
  /** Bytes that have arrived according to this ACK, and of which that was news: RFC 6937 DeliveredData. */
  delivered = 0;
  /** The ACK SACKed something for the first time. */
  hasSacked = false;
  /** A D-SACK: the peer has received something twice (RFC 2883), so many segments. */
  duplicateSegments = 0;
  /** What the D-SACK named was the tail loss probe. */
  duplicateProbe = false;
  /** Data that was never sent again, and sent before recovery began, has arrived (RFC 5682). */
  originalArrived = false;
  /** Data that had been sent again was acknowledged. */
  retransmittedAcked = false;
  /** By its timestamp the ACK answers the original of what was sent again (RFC 3522). */
  isSpurious = false;
  /** SEG.ACK stops where the peer had SACKed: it has dropped that (RFC 2018 8). */
  isReneging = false;
  /** A retransmission was found to be lost as well. */
  lostRetransmission = false;
  /** ECE was set. */
  hasEce = false;
  /** A duplicate ACK in the sense of RFC 5681 2, or another one that brings no news. */
  isDuplicate = false;
  /** Ticks at which the first and the last of the newly acknowledged, never retransmitted segments were sent. */
  hasSample = false;
  firstSentAt = 0;
  lastSentAt = 0;
  /** The same of those newly SACKed. */
  hasSackSample = false;
  sackFirstSentAt = 0;
  sackLastSentAt = 0;
  /** The lowest newly acknowledged byte that was sent once. */
  hasOrder = false;
  lowest = 0;
  /** The same of what was SACKed. */
  hasSackOrder = false;
  sackLowest = 0;
  /** Begin of what a D-SACK names and had been SACKed, although it was sent again. */
  hasLateDuplicate = false;
  lateDuplicate = 0;
  /** RFC 8985 RACK.fack: the end of the highest that is SACKed, or SND.UNA. */
  fack = 0;
  /** The latest sent of what was delivered (RFC 8985 6.2 step 2). */
  hasRack = false;
  rackSentAt = 0;
  rackEnd = 0;
  /** Round trip of the last of them in the order in which the ACK names them (Linux takes that, not the latest sent). */
  rackRtt = 0;
  /** Bytes found to be lost, or lost again, since the ACK came. */
  lost = 0;
  #tsEcr = 0;
  #hasEcho = false;
  /** From the first to the last time that what stands at SND.UNA was sent again. */
  #sinceFirst = 0;

  begin(tcb: Tcb, hasTimestamp: boolean, tsEcr: number, now: number): void {
    this.now = now;
    this.advanced = false;
    this.acked = 0;
    this.ackedSegments = 0;
    this.delivered = 0;
    this.hasSacked = false;
    this.duplicateSegments = 0;
    this.duplicateProbe = false;
    this.originalArrived = false;
    this.retransmittedAcked = false;
    this.isSpurious = false;
    this.isReneging = false;
    this.lostRetransmission = false;
    this.hasEce = false;
    this.isDuplicate = false;
    this.hasSample = false;
    this.hasSackSample = false;
    this.hasOrder = false;
    this.hasSackOrder = false;
    this.hasLateDuplicate = false;
    this.hasRack = false;
    this.lost = 0;
    this.#hasEcho = hasTimestamp && tsEcr !== 0 && (tcb.constFlags & TcpConstFlag.Timestamp) !== 0;
    this.#tsEcr = (tsEcr - tcb.tsOffset) | 0;
    this.#sinceFirst = sinceFirstTimeOut(tcb);
  }

  /** SEG.ACK has passed [from, end), sent at `sentAt`. */
  acknowledged(
    tcb: Tcb,
    from: number,
    end: number,
    length: number,
    segments: number,
    sentAt: number,
    flags: number,
  ): void {
    this.acked += length;
    this.ackedSegments += segments;
    if ((flags & EverRetransmitted) !== 0) {
      this.retransmittedAcked = true;
      // The echo is of what stood at SND.UNA (RFC 7323 4.3): of the rest it only says when that was sent.
      if (from === tcb.sndUna && this.#answersOriginal((sentAt - this.#sinceFirst) | 0)) this.isSpurious = true;
    } else if ((flags & Sacked) === 0) {
      if ((flags & Lost) === 0) this.#sample(sentAt);
      if (!this.hasOrder || seqLt(from, this.lowest)) this.lowest = from;
      this.hasOrder = true;
      if (seqLeq(end, tcb.recover)) this.originalArrived = true;
    }
    if ((flags & Sacked) !== 0) return;
    this.delivered += length;
    if (!((flags & EverRetransmitted) !== 0 && this.#answersOriginal(sentAt))) this.#noteRack(tcb, end, sentAt, flags);
  }

  /** [from, end) was SACKed for the first time. */
  sacked(tcb: Tcb, from: number, end: number, length: number, sentAt: number, flags: number): void {
    this.delivered += length;
    this.hasSacked = true;
    if (seqGt(end, this.fack)) this.fack = end;
    if ((flags & Retransmitted) === 0 && (flags & EverRetransmitted) === 0) {
      if ((flags & Lost) === 0) this.#sackSample(sentAt);
      if (!this.hasSackOrder || seqLt(from, this.sackLowest)) this.sackLowest = from;
      this.hasSackOrder = true;
      if (seqLeq(end, tcb.recover)) this.originalArrived = true;
    }
    if (!((flags & EverRetransmitted) !== 0 && this.#answersOriginal(sentAt))) this.#noteRack(tcb, end, sentAt, flags);
  }

  /** Not of what was taken for lost: it may have arrived long ago, and the ACKs that said so were lost. */
  #sample(sentAt: number): void {
    this.lastSentAt = sentAt;
    if (!this.hasSample) this.firstSentAt = sentAt;
    this.hasSample = true;
  }

  #sackSample(sentAt: number): void {
    this.sackLastSentAt = sentAt;
    if (!this.hasSackSample) this.sackFirstSentAt = sentAt;
    this.hasSackSample = true;
  }

  #answersOriginal(sentAgainAt: number): boolean {
    return this.#hasEcho && seqLt(this.#tsEcr, sentAgainAt);
  }

  /** RFC 8985 6.2 step 2: a retransmission acknowledged in less than the least round trip was not what arrived. */
  #noteRack(tcb: Tcb, end: number, sentAt: number, flags: number): void {
    const rtt = Math.max(0, (this.now - sentAt) | 0);
    if ((flags & EverRetransmitted) !== 0 && tcb.minRtt !== 0xffff && rtt < tcb.minRtt) return;
    this.rackRtt = rtt;
    if (this.hasRack && !sentAfter(sentAt, end, this.rackSentAt, this.rackEnd)) return;
    this.hasRack = true;
    this.rackSentAt = sentAt;
    this.rackEnd = end;
  }
}

/**
 * RFC 3522 3.2 (2) compares with the first retransmission, and a range knows its last. After several time-outs TotalRT lies
 * between them (giving-up.ts). Half of the wait before the first, after which each was twice as long, is left to late timers.
 */
function sinceFirstTimeOut({ rtxCount, totalRt }: Tcb): number {
  return rtxCount < 2 ? 0 : totalRt + Math.floor(totalRt / (2 * (2 ** rtxCount - 2)));
}

/** RFC 8985 5.2 RACK_sent_after: later, or at the same time and behind. */
export function sentAfter(sentAt: number, end: number, thanSentAt: number, thanEnd: number): boolean {
  return sentAt === thanSentAt ? seqGt(end, thanEnd) : seqGt(sentAt, thanSentAt);
}
