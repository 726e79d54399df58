/** What is in flight, against a model that keeps every segment, and one that keeps every byte (RFC 6675, RFC 8985). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMemory } from '../../src/memory/memory.ts';
import { SentFlag } from '../../src/tcp/sent-flag.ts';
import { SentRanges } from '../../src/tcp/sent-ranges.ts';
import { type Tcb, TcbLayout, TcpConstFlag } from '../../src/tcp/tcb.ts';

const { Sacked, Lost, Retransmitted, EverRetransmitted } = SentFlag;
const CONNECTIONS = 2;
const memory = createMemory(1 << 16);

function fresh(index: number, iss: number): Tcb {
  const base = 1024 + index * TcbLayout.byteLength;
  memory.u8.fill(0, base, base + TcbLayout.byteLength);
  const tcb = TcbLayout.view(memory).at(base);
  tcb.constFlags = TcpConstFlag.Sack;
  tcb.sndUna = iss;
  tcb.sndNxt = iss;
  tcb.sndMax = iss;
  tcb.recover = iss;
  tcb.minRtt = 0xffff;
  return tcb;
}

interface Range {
  readonly range: number;
  readonly start: number;
  readonly end: number;
  readonly flags: number;
  readonly sentAt: number;
  readonly segments: number;
}

/** Relative to `base`. */
function rangesOf(tcb: Tcb, sent: SentRanges, base: number): Range[] {
  const ranges: Range[] = [];
  let start = (tcb.sndUna - base) | 0;
  for (let range = tcb.sentHead; range !== 0; range = sent.next(range)) {
    const end = (sent.end(range) - base) | 0;
    const [flags, sentAt, segments] = [sent.flags(range), sent.sentAt(range), sent.segments(range)];
    ranges.push({ range, start, end, flags, sentAt, segments });
    start = end;
  }
  return ranges;
}

/** What holds whatever was done. */
function check(tcb: Tcb, ranges: readonly Range[], base: number): void {
  expect(ranges.every(({ start, end, segments }) => end > start && segments > 0)).toBe(true);
  expect(ranges.at(-1)?.end ?? (tcb.sndUna - base) | 0).toBe((tcb.sndMax - base) | 0);
  expect(tcb.sentTail).toBe(ranges.at(-1)?.range ?? 0);
  const bytes = (flag: number): number =>
    ranges.reduce((sum, { start, end, flags }) => sum + ((flags & flag) !== 0 ? end - start : 0), 0);
  expect(tcb.sackedBytes).toBe(bytes(Sacked));
  expect(tcb.lostBytes).toBe(bytes(Lost));
  expect(tcb.retransBytes).toBe(bytes(Retransmitted));
  const sacked = ranges.filter(({ flags }) => (flags & Sacked) !== 0);
  expect(tcb.sackedSegments).toBe(sacked.reduce((sum, { segments }) => sum + segments, 0));
  expect(ranges.some(({ flags }) => (flags & Sacked) !== 0 && (flags & Lost) !== 0)).toBe(false);
}

interface Segment {
  start: number;
  end: number;
  flags: number;
  sentAt: number;
}

/** One connection with an honest peer: everything happens to whole segments. */
class Honest {
  readonly tcb: Tcb;
  readonly base: number;
  readonly sent: SentRanges;
  segments: Segment[] = [];
  una = 0;
  next = 0;

  constructor(index: number, base: number, sent: SentRanges) {
    this.tcb = fresh(index, base);
    this.base = base;
    this.sent = sent;
  }

  send(length: number, now: number): void {
    this.segments.push({ start: this.next, end: this.next + length, flags: 0, sentAt: now });
    this.next += length;
    this.tcb.sndNxt = this.tcb.sndMax = (this.base + this.next) | 0;
    this.sent.append(this.tcb, this.tcb.sndMax, now);
  }

  /** An ACK of so many segments, and of what is SACKed behind them. */
  acknowledge(count: number, now: number): void {
    let acked = Math.min(count, this.segments.length);
    while (acked > 0 && acked < this.segments.length && (this.segments[acked]!.flags & Sacked) !== 0) acked++;
    const gone = this.segments.splice(0, acked);
    const { report } = this.sent;
    report.begin(this.tcb, false, 0, now);
    if (gone.length === 0) return;
    this.una = gone.at(-1)!.end;
    this.sent.acknowledge(this.tcb, (this.base + this.una) | 0, report);
    this.tcb.sndUna = (this.base + this.una) | 0;
    const news = gone.filter(({ flags }) => (flags & Sacked) === 0);
    expect(report.acked).toBe(gone.reduce((sum, { start, end }) => sum + end - start, 0));
    expect(report.ackedSegments).toBe(gone.length);
    expect(report.delivered).toBe(news.reduce((sum, { start, end }) => sum + end - start, 0));
    expect(report.retransmittedAcked).toBe(gone.some(({ flags }) => (flags & EverRetransmitted) !== 0));
    const sampled = news.filter(({ flags }) => (flags & (EverRetransmitted | Lost)) === 0);
    expect(report.hasSample).toBe(sampled.length > 0);
    if (sampled.length > 0) expect(report.lastSentAt).toBe(sampled.at(-1)!.sentAt);
  }

  sack(from: number, count: number, now: number): void {
    const { report } = this.sent;
    report.begin(this.tcb, false, 0, now);
    // The first one is what the ACK asks for.
    const block = this.segments.slice(1 + from, 1 + from + count);
    if (block.length === 0) return;
    const news = block.filter(({ flags }) => (flags & Sacked) === 0);
    const right = (this.base + block.at(-1)!.end) | 0;
    this.sent.sack(this.tcb, (this.base + block[0]!.start) | 0, right, report);
    for (const segment of news) {
      segment.flags |= Sacked;
      if ((segment.flags & Lost) !== 0) segment.flags &= ~(Lost | Retransmitted);
    }
    expect(report.hasSacked).toBe(news.length > 0);
    expect(report.delivered).toBe(news.reduce((sum, { start, end }) => sum + end - start, 0));
  }

  /** Everything that is SACKed is not: when it left is known of the first of a stretch. */
  renege(): void {
    this.sent.unmarkSacked(this.tcb);
    const ranges = rangesOf(this.tcb, this.sent, this.base);
    for (const segment of this.segments.filter(({ flags }) => (flags & Sacked) !== 0)) {
      segment.flags &= ~Sacked;
      const { sentAt } = ranges.find(({ end }) => end > segment.start)!;
      expect((sentAt - segment.sentAt) | 0).toBeLessThanOrEqual(0);
      segment.sentAt = sentAt;
    }
  }

  /** What was sent by then and has not arrived is lost, as RACK and the time-out find it. */
  lose(before: number): void {
    for (const { range, start, end, flags, sentAt } of rangesOf(this.tcb, this.sent, this.base)) {
      if ((flags & Sacked) === 0 && sentAt < before) this.sent.markLost(this.tcb, range, end - start);
    }
    for (const segment of this.segments) {
      if ((segment.flags & Sacked) === 0 && segment.sentAt < before) {
        segment.flags = (segment.flags | Lost) & ~Retransmitted;
      }
    }
  }

  /** The first that is to be sent again goes out. */
  resend(now: number): void {
    const segment = this.segments.find(({ flags }) => (flags & (Lost | Retransmitted)) === Lost);
    if (segment === undefined) return;
    const at = rangesOf(this.tcb, this.sent, this.base).find(({ end }) => end > segment.start)!;
    const [start, from, end] = [at.start, segment.start, segment.end].map(n => (this.base + n) | 0) as [
      number,
      number,
      number,
    ];
    const exact = this.sent.sentAgain(this.tcb, at.range, start, from, end, now);
    expect(this.sent.end(exact)).toBe(end);
    segment.flags |= Retransmitted | EverRetransmitted;
    segment.sentAt = now;
  }

  compare(): void {
    const ranges = rangesOf(this.tcb, this.sent, this.base);
    check(this.tcb, ranges, this.base);
    let i = 0;
    for (const segment of this.segments) {
      while (ranges[i]!.end <= segment.start) i++;
      const { flags, end } = ranges[i]!;
      expect(end).toBeGreaterThanOrEqual(segment.end);
      expect(flags).toBe(segment.flags);
      // Of what is SACKed nobody asks any more when it left.
      if ((segment.flags & Sacked) === 0) expect(ranges[i]!.sentAt).toBe(segment.sentAt);
    }
    expect(ranges.reduce((sum, { segments }) => sum + segments, 0)).toBe(this.segments.length);
    expect(this.tcb.sackedSegments).toBe(this.segments.filter(({ flags }) => (flags & Sacked) !== 0).length);
  }
}

/** `TCP_CASES=100000 TCP_SEED=7 npx vitest run --project unit test/tcp/sent-ranges.test.ts` is a campaign. */
const CASES = Number(process.env.TCP_CASES ?? 300);
const SEED = Number(process.env.TCP_SEED ?? 20261130);
const PATIENCE = { timeout: 30_000 + CASES * 10 };

const OPERATIONS = [
  'send',
  'send',
  'send',
  'ack',
  'sack',
  'sack',
  'lose',
  'resend',
  'unlose',
  'renege',
  'tick',
] as const;
const step = fc.record({
  which: fc.constantFrom(...OPERATIONS),
  connection: fc.nat(CONNECTIONS - 1),
  a: fc.nat(30),
  b: fc.nat(6),
});
const numbers = fc.constantFrom(1000, -3000, 0x7ffffff0, -0x7fffff00);

describe('an honest peer', () => {
  test(
    'each segment is what the model says, and the counters are the sums (RFC 6675 4, RFC 8985 5.2)',
    PATIENCE,
    () => {
      const lengths = [1460, 1460, 1460, 700, 10];
      const run = fc.property(fc.array(step, { maxLength: 120 }), numbers, (steps, base) => {
        const sent = new SentRanges(CONNECTIONS);
        const connections = [new Honest(0, base, sent), new Honest(1, base + 77, sent)] as const;
        let now = base | 0;
        for (const { which, connection, a, b } of steps) {
          const one = connections[connection]!;
          if (which === 'send') for (let i = 0; i <= b; i++) one.send(lengths[a % lengths.length]!, now);
          else if (which === 'ack') one.acknowledge(b, now);
          else if (which === 'sack') one.sack(a % 12, 1 + b, now);
          else if (which === 'lose') one.lose((now - (a % 4)) | 0);
          else if (which === 'resend') one.resend(now);
          else if (which === 'tick') now = (now + 1 + (a % 3)) | 0;
          else if (which === 'unlose') {
            sent.unmarkLost(one.tcb);
            for (const segment of one.segments) segment.flags &= ~Lost;
          } else {
            one.renege();
          }
          for (const each of connections) each.compare();
        }
        const used = connections.reduce((sum, each) => sum + rangesOf(each.tcb, sent, base).length, 0);
        expect(sent.inUse).toBe(used);
        for (const { tcb } of connections) sent.clear(tcb);
        expect(sent.inUse).toBe(0);
      });
      fc.assert(run, { numRuns: CASES, seed: SEED });
    },
  );
});

describe('any peer', () => {
  test(
    'whatever is acknowledged and SACKed, bytes that no block names are never SACKed, and no counter drifts',
    PATIENCE,
    () => {
      const any = fc.record({ which: fc.constantFrom(...OPERATIONS), a: fc.nat(9000), b: fc.nat(3000) });
      const run = fc.property(fc.array(any, { maxLength: 80 }), numbers, (steps, base) => {
        const sent = new SentRanges(1);
        const tcb = fresh(0, base);
        const { report } = sent;
        const named = new Uint8Array(80 * 9000);
        let now = 0;
        let una = 0;
        let next = 0;
        const at = (n: number): number => (base + n) | 0;
        for (const { which, a, b } of steps) {
          report.begin(tcb, false, 0, now);
          const ranges = rangesOf(tcb, sent, base);
          const chosen = ranges[b % Math.max(1, ranges.length)];
          if (which === 'send') {
            for (let left = 1 + (b % 5); left > 0; left--) {
              next += 1 + (a % 1500);
              tcb.sndNxt = tcb.sndMax = at(next);
              sent.append(tcb, tcb.sndMax, now);
            }
          } else if (which === 'ack') {
            una = Math.min(next, una + (b % 800));
            sent.acknowledge(tcb, at(una), report);
            tcb.sndUna = at(una);
          } else if (which === 'sack') {
            // Half of them at the edges of something.
            const aligned = a % 2 === 0 && chosen !== undefined;
            const left = aligned ? chosen.start : Math.min(next, una + a);
            const right = aligned ? chosen.end : Math.min(next, left + b);
            if (right > left) sent.sack(tcb, at(left), at(right), report);
            named.fill(1, left, right);
          } else if (which === 'lose') {
            if (chosen !== undefined && (chosen.flags & Sacked) === 0) {
              sent.markLost(tcb, chosen.range, chosen.end - chosen.start);
            }
          } else if (which === 'resend' && chosen !== undefined) {
            const from = chosen.start + (a % (chosen.end - chosen.start));
            const end = Math.min(chosen.end, from + 1 + b);
            sent.sentAgain(tcb, chosen.range, at(chosen.start), at(from), at(end), now);
          } else if (which === 'unlose') sent.unmarkLost(tcb);
          else if (which === 'tick') now++;
          else if (which === 'renege' && ranges.length > 0 && (ranges[0]!.flags & Sacked) === 0) {
            sent.markFirstLost(tcb, at(Math.min(ranges[0]!.end, una + 1 + b)));
          }
          const after = rangesOf(tcb, sent, base);
          check(tcb, after, base);
          expect(tcb.sackedBytes + tcb.lostBytes).toBeLessThanOrEqual(next - una);
          for (const { start, end, flags } of after) {
            if ((flags & Sacked) !== 0) expect(named.subarray(start, end).every(byte => byte === 1)).toBe(true);
          }
          expect(sent.inUse).toBe(after.length);
        }
      });
      fc.assert(run, { numRuns: CASES, seed: SEED });
    },
  );

  test('what was SACKed in one piece and taken back is cut where its segments end, be they of several lengths (seed 12)', () => {
    const one = new Honest(0, 1000, new SentRanges(1));
    for (const length of [1460, 1460, 700]) one.send(length, 0);
    one.sack(0, 2, 0);
    one.renege();
    one.sack(0, 1, 0);
    one.compare();
    expect(one.tcb.sackedBytes).toBe(1460);
  });

  test('single octets SACKed out of full segments count for nothing, and cost nothing', () => {
    const sent = new SentRanges(1);
    const tcb = fresh(0, 0);
    for (let i = 1; i <= 10; i++) {
      tcb.sndNxt = tcb.sndMax = i * 1000;
      sent.append(tcb, i * 1000, 5);
    }
    expect(sent.inUse).toBe(1);
    sent.report.begin(tcb, false, 0, 9);
    for (let n = 1001; n < 9000; n += 7) sent.sack(tcb, n, n + 1, sent.report);
    expect(sent.report.hasSacked).toBe(false);
    expect([sent.inUse, tcb.sackedBytes]).toEqual([1, 0]);
    sent.sack(tcb, 2500, 5500, sent.report);
    expect([sent.inUse, tcb.sackedBytes, tcb.sackedSegments]).toEqual([3, 2000, 2]);
  });

  test('without memory new segments join the last range, but never one that is SACKed or lost', () => {
    const sent = new SentRanges(1);
    const tcb = fresh(0, 0);
    let end = 0;
    const send = (length: number): void => {
      end += length;
      tcb.sndNxt = tcb.sndMax = end;
      sent.append(tcb, end, 1);
    };
    // No two of equal length in a row: each is a range of its own.
    for (let i = 0; sent.inUse === i; i++) send(10 + (i & 1));
    const full = sent.inUse;
    send(30);
    expect(sent.inUse).toBe(full);
    check(tcb, rangesOf(tcb, sent, 0), 0);
    sent.report.begin(tcb, false, 0, 2);
    sent.sack(tcb, rangesOf(tcb, sent, 0).at(-1)!.start | 0, end, sent.report);
    const sacked = tcb.sackedBytes;
    expect(sacked).toBeGreaterThan(0);
    send(40);
    expect(tcb.sackedBytes).toBe(sacked);
    expect(rangesOf(tcb, sent, 0).at(-1)!.flags).toBe(0);
    sent.markLost(tcb, tcb.sentTail, 40);
    send(50);
    expect(tcb.lostBytes).toBe(40);
    check(tcb, rangesOf(tcb, sent, 0), 0);
    sent.clear(tcb);
    expect(sent.inUse).toBe(0);
  });
});
