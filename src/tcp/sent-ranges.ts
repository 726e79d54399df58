/**
 * What was sent and is not acknowledged yet: for each stretch of SND.UNA … SND.NXT when it left last and what became of it.
 * This is the scoreboard of RFC 6675 and the transmit times of RFC 8985 in one.
 *
 *    SND.UNA                                            SND.NXT
 *      |-- lost, sent again --|- SACKed -|-- in flight --|
 *
 * Segments of equal length that left in the same tick share a range, so that a window of hundreds of segments takes a
 * handful of them. A range is cut only between its segments: a SACK that covers half of one does not count (RFC 6675 and
 * Linux agree), and a peer that SACKs single octets cannot make it grow.
 *
 * Ranges are the owner's private memory. What a hand-over carries is in `offload/handover.ts`.
 */
import { seqGt, seqLeq } from '../base/seq.ts';
import { AckReport } from './ack-report.ts';
import { SentFlag } from './sent-flag.ts';
import type { Tcb } from './tcb.ts';

const { Sacked, Lost, Retransmitted, EverRetransmitted } = SentFlag;
const SEGMENTS_MAX = 0xffff;
/** Per owner, for each connection on average; beyond it new segments join the last range, and only cuts find memory. */
const RANGES_PER_CONNECTION = 64;
const RANGES_MIN = 4096;

export class SentRanges {
  /** What the ACK in hand has done; one for all connections of the owner, filled anew for each. */
  readonly report = new AckReport();
  readonly #max: number;
  #end: Int32Array;
  #sentAt: Int32Array;
  #next: Int32Array;
  #flags: Uint8Array;
  #segments: Uint16Array;
  #free = 0;
  /** Number 0 is "none". */
  #used = 1;
  #grown: number;

  constructor(connections: number) {
    this.#max = Math.max(RANGES_MIN, connections * RANGES_PER_CONNECTION);
    this.#grown = Math.min(1024, this.#max);
    this.#end = new Int32Array(this.#grown);
    this.#sentAt = new Int32Array(this.#grown);
    this.#next = new Int32Array(this.#grown);
    this.#flags = new Uint8Array(this.#grown);
    this.#segments = new Uint16Array(this.#grown);
  }

  // --- reading; 0 is "none" ---

  next(range: number): number {
    return this.#next[range]!;
  }

  /** One past its last sequence number; it begins where the one before it ends, the first at SND.UNA. */
  end(range: number): number {
    return this.#end[range]!;
  }

  sentAt(range: number): number {
    return this.#sentAt[range]!;
  }

  flags(range: number): number {
    return this.#flags[range]!;
  }

  segments(range: number): number {
    return this.#segments[range]!;
  }

  // --- the send side ---

  /** New data up to `end` has left in one segment. */
  append(tcb: Tcb, end: number, now: number): void {
    const tail = tcb.sentTail;
    const from = tail === 0 ? tcb.sndUna : this.#end[tail]!;
    const length = (end - from) | 0;
    if (tail !== 0 && this.#sentAt[tail] === now && this.#flags[tail] === 0 && this.#segments[tail]! < SEGMENTS_MAX) {
      const start = this.#startOf(tcb, tail);
      if (((from - start) | 0) === length * this.#segments[tail]!) {
        this.#end[tail] = end;
        this.#segments[tail]!++;
        return;
      }
    }
    const range = tail !== 0 && this.#isFull && this.#flags[tail] === 0 ? 0 : this.#allocate();
    if (range === 0) {
      // No memory for another: it counts as sent when the last one was, which errs on the side of patience.
      this.#end[tail] = end;
      this.#sentAt[tail] = now;
      if (this.#segments[tail]! < SEGMENTS_MAX) this.#segments[tail]!++;
      return;
    }
    this.#set(range, end, now, 0, 1);
    if (tail === 0) tcb.sentHead = range;
    else this.#next[tail] = range;
    tcb.sentTail = range;
    // So that the start of the tail need not be searched.
    this.#tailStart = from;
    this.#tailOwner = range;
  }

  /** A range as a hand-over describes it. */
  load(tcb: Tcb, end: number, sentAt: number, flags: number, segments: number): void {
    const from = tcb.sentTail === 0 ? tcb.sndUna : this.#end[tcb.sentTail]!;
    const length = (end - from) | 0;
    const range = this.#allocate();
    this.#set(range, end, sentAt, flags, Math.max(1, segments));
    if (tcb.sentTail === 0) tcb.sentHead = range;
    else this.#next[tcb.sentTail] = range;
    tcb.sentTail = range;
    if ((flags & Sacked) !== 0) {
      tcb.sackedBytes += length;
      tcb.sackedSegments += Math.max(1, segments);
    }
    if ((flags & Lost) !== 0) tcb.lostBytes += length;
    if ((flags & Retransmitted) !== 0) tcb.retransBytes += length;
  }

  /** [from, end) of the range, which begins at `start`, has left once more. Returns the range that is exactly this. */
  sentAgain(tcb: Tcb, range: number, start: number, from: number, end: number, now: number): number {
    const exact = this.#cut(tcb, range, start, from, end);
    const length = (end - from) | 0;
    const flags = this.#flags[exact]!;
    if ((flags & Retransmitted) === 0) tcb.retransBytes += length;
    this.#flags[exact] = flags | Retransmitted | EverRetransmitted;
    this.#sentAt[exact] = now;
    return exact;
  }

  markLost(tcb: Tcb, range: number, length: number): void {
    const flags = this.#flags[range]!;
    if ((flags & Lost) === 0) tcb.lostBytes += length;
    if ((flags & Retransmitted) !== 0) tcb.retransBytes -= length;
    this.report.lost += length;
    this.#flags[range] = (flags | Lost) & ~Retransmitted;
  }

  /** Everything below `end` in the first range is lost, what is behind stays as it is (RFC 6582: one segment alone). */
  markFirstLost(tcb: Tcb, end: number): void {
    const { sentHead: head, sndUna: start } = tcb;
    this.markLost(tcb, this.#cut(tcb, head, start, start, end), (end - start) | 0);
  }

  /** Nothing of it is lost after all: what was sent again is in flight twice. */
  unmarkLost(tcb: Tcb): void {
    for (let at = tcb.sentHead; at !== 0; at = this.#next[at]!) this.#flags[at]! &= ~Lost;
    tcb.lostBytes = 0;
  }

  /** The peer has dropped what it had SACKed (RFC 2018 8). */
  unmarkSacked(tcb: Tcb): void {
    for (let at = tcb.sentHead; at !== 0; at = this.#next[at]!) this.#flags[at]! &= ~Sacked;
    tcb.sackedBytes = 0;
    tcb.sackedSegments = 0;
  }

  // --- the ACK side ---

  /** SEG.ACK has passed everything below `ack`, SND.UNA still being the old one. What each range was goes to the report. */
  acknowledge(tcb: Tcb, ack: number, report: AckReport): void {
    let start = tcb.sndUna;
    while (tcb.sentHead !== 0) {
      const range = tcb.sentHead;
      const end = this.#end[range]!;
      const whole = seqLeq(end, ack);
      if (!whole && !seqGt(ack, start)) return;
      const upTo = whole ? end : ack;
      const length = (upTo - start) | 0;
      const flags = this.#flags[range]!;
      const count = whole
        ? this.#segments[range]!
        : Math.min(this.#share(range, start, ack), this.#segments[range]! - 1);
      this.#count(tcb, flags, length, count);
      report.acknowledged(tcb, start, upTo, length, Math.max(1, count), this.#sentAt[range]!, flags);
      start = upTo;
      if (!whole) {
        this.#segments[range] = this.#segments[range]! - count;
        if (range === this.#tailOwner) this.#tailStart = ack;
        return;
      }
      this.#pop(tcb);
    }
  }

  /** [left, right) is SACKed: whole segments of it, those that are not yet. */
  sack(tcb: Tcb, left: number, right: number, report: AckReport): void {
    let start = tcb.sndUna;
    let previous = 0;
    let previousStart = start;
    for (let at = tcb.sentHead; at !== 0; at = this.#next[at]!) {
      if (!seqGt(right, start)) return;
      const end = this.#end[at]!;
      if (seqGt(end, left) && (this.#flags[at]! & Sacked) === 0) {
        const from = seqGt(left, start) ? this.#roundUp(at, start, left) : start;
        const to = seqGt(end, right) ? this.#roundDown(at, start, right) : end;
        if (seqGt(to, from)) {
          if (seqGt(from, start)) {
            previous = at;
            previousStart = start;
            at = this.#split(tcb, at, start, from);
            start = from;
          }
          if (seqGt(end, to)) this.#split(tcb, at, from, to);
          this.#markSacked(tcb, at, from, to, report);
        }
      }
      if (previous === 0 || !this.#joinsSacked(tcb, previous, previousStart, at, start)) {
        previous = at;
        previousStart = start;
      }
      at = previous;
      start = this.#end[at]!;
    }
  }

  /** What stands at `seq` has been SACKed, and sent more than once. */
  arrivedTwice(tcb: Tcb, seq: number): boolean {
    let at = tcb.sentHead;
    while (at !== 0 && seqLeq(this.#end[at]!, seq)) at = this.#next[at]!;
    const both = Sacked | EverRetransmitted;
    return at !== 0 && (this.#flags[at]! & both) === both;
  }

  /** Everything of the connection is forgotten. */
  clear(tcb: Tcb): void {
    while (tcb.sentHead !== 0) this.#pop(tcb);
    tcb.sackedBytes = 0;
    tcb.sackedSegments = 0;
    tcb.lostBytes = 0;
    tcb.retransBytes = 0;
  }

  /** Ranges in use by all connections, for checks of leaks. */
  get inUse(): number {
    let free = 0;
    for (let at = this.#free; at !== 0; at = this.#next[at]!) free++;
    return this.#used - 1 - free;
  }

  // --- helpers ---

  #tailOwner = 0;
  #tailStart = 0;

  #startOf(tcb: Tcb, range: number): number {
    if (range === this.#tailOwner) return this.#tailStart;
    let start = tcb.sndUna;
    for (let at = tcb.sentHead; at !== range; at = this.#next[at]!) start = this.#end[at]!;
    return start;
  }

  #markSacked(tcb: Tcb, range: number, from: number, to: number, report: AckReport): void {
    const flags = this.#flags[range]!;
    const length = (to - from) | 0;
    const count = this.#segments[range]!;
    report.sacked(tcb, from, to, length, this.#sentAt[range]!, flags);
    // A retransmission whose original was not lost is believed to be in flight still.
    const forget = (flags & Lost) !== 0 ? Lost | Retransmitted : 0;
    if ((flags & forget & Lost) !== 0) tcb.lostBytes -= length;
    if ((flags & forget & Retransmitted) !== 0) tcb.retransBytes -= length;
    this.#flags[range] = (flags & ~forget) | Sacked;
    tcb.sackedBytes += length;
    tcb.sackedSegments += count;
  }

  /**
   * Neighbors that are both SACKed and nothing else become the first of them, if their segments are of one length: the peer
   * may take back what it has SACKed, and ranges are cut between segments then as well. True: they have.
   */
  #joinsSacked(tcb: Tcb, previous: number, previousStart: number, at: number, start: number): boolean {
    const flags = this.#flags[at]!;
    if ((flags & Sacked) === 0 || this.#flags[previous]! !== flags) return false;
    const segments = this.#segments[previous]!;
    const more = this.#segments[at]!;
    const length = (this.#end[at]! - start) | 0;
    if (segments + more > SEGMENTS_MAX || ((start - previousStart) | 0) * more !== length * segments) return false;
    this.#end[previous] = this.#end[at]!;
    this.#segments[previous] = segments + more;
    this.#next[previous] = this.#next[at]!;
    if (tcb.sentTail === at) tcb.sentTail = previous;
    this.#release(at);
    return true;
  }

  #count(tcb: Tcb, flags: number, length: number, count: number): void {
    if ((flags & Sacked) !== 0) {
      tcb.sackedBytes -= length;
      tcb.sackedSegments -= count;
    }
    if ((flags & Lost) !== 0) tcb.lostBytes -= length;
    if ((flags & Retransmitted) !== 0) tcb.retransBytes -= length;
  }

  /** Makes [from, to), which lies in the range that begins at `start`, a range of its own. */
  #cut(tcb: Tcb, range: number, start: number, from: number, to: number): number {
    let exact = range;
    if (seqGt(from, start)) exact = this.#split(tcb, range, start, from);
    if (seqGt(this.#end[exact]!, to)) this.#split(tcb, exact, from, to);
    return exact;
  }

  /** The range ends at `at` from now on; the rest is a new one, which is returned. */
  #split(tcb: Tcb, range: number, start: number, at: number): number {
    const rest = this.#allocate();
    const segments = this.#segments[range]!;
    const flags = this.#flags[range]!;
    // One segment that is cut is two.
    const count = Math.max(1, Math.min(this.#share(range, start, at), segments - 1));
    if (segments === 1 && (flags & Sacked) !== 0) tcb.sackedSegments++;
    this.#set(rest, this.#end[range]!, this.#sentAt[range]!, flags, Math.max(1, segments - count));
    this.#next[rest] = this.#next[range]!;
    this.#end[range] = at;
    this.#segments[range] = count;
    this.#next[range] = rest;
    if (tcb.sentTail === range) tcb.sentTail = rest;
    this.#tailOwner = 0;
    return rest;
  }

  /** Segments of the range below `at`. */
  #share(range: number, start: number, at: number): number {
    const length = (this.#end[range]! - start) | 0;
    return Math.round((((at - start) | 0) * this.#segments[range]!) / length);
  }

  #unit(range: number, start: number): number {
    return Math.ceil(((this.#end[range]! - start) | 0) / this.#segments[range]!);
  }

  #roundUp(range: number, start: number, at: number): number {
    const unit = this.#unit(range, start);
    return (start + Math.ceil(((at - start) | 0) / unit) * unit) | 0;
  }

  #roundDown(range: number, start: number, at: number): number {
    const unit = this.#unit(range, start);
    return (start + Math.floor(((at - start) | 0) / unit) * unit) | 0;
  }

  #pop(tcb: Tcb): void {
    const range = tcb.sentHead;
    tcb.sentHead = this.#next[range]!;
    if (tcb.sentHead === 0) tcb.sentTail = 0;
    this.#release(range);
  }

  #set(range: number, end: number, sentAt: number, flags: number, segments: number): void {
    this.#end[range] = end;
    this.#sentAt[range] = sentAt;
    this.#flags[range] = flags;
    this.#segments[range] = segments;
    this.#next[range] = 0;
  }

  #release(range: number): void {
    if (range === this.#tailOwner) this.#tailOwner = 0;
    this.#next[range] = this.#free;
    this.#free = range;
  }

  get #isFull(): boolean {
    return this.#free === 0 && this.#used >= this.#max;
  }

  #allocate(): number {
    const range = this.#free;
    if (range !== 0) {
      this.#free = this.#next[range]!;
      return range;
    }
    if (this.#used === this.#grown) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    this.#grown *= 2;
    const copy = <T extends Int32Array | Uint8Array | Uint16Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#end = copy(this.#end, new Int32Array(this.#grown));
    this.#sentAt = copy(this.#sentAt, new Int32Array(this.#grown));
    this.#next = copy(this.#next, new Int32Array(this.#grown));
    this.#flags = copy(this.#flags, new Uint8Array(this.#grown));
    this.#segments = copy(this.#segments, new Uint16Array(this.#grown));
  }
}
