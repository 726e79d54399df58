/** What is known of the data in flight goes along with a connection: round trips through a block, and blocks without it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMemory } from '../../src/memory/memory.ts';
import { SentTransfer } from '../../src/offload/sent-transfer.ts';
import { SENT_RANGES_MAX, TCP_TRANSFER_OFFSET, TcpTransfer } from '../../src/offload/tcp-transfer.ts';
import { inFlight } from '../../src/tcp/congestion.ts';
import { SentFlag } from '../../src/tcp/sent-flag.ts';
import { SentRanges } from '../../src/tcp/sent-ranges.ts';
import { CaState, type Tcb, TcbLayout, TcpConstFlag, TcpState } from '../../src/tcp/tcb.ts';

const { Sacked, Lost, Retransmitted, EverRetransmitted } = SentFlag;
const memory = createMemory(1 << 16);
const BLOCK = 8192;
const transfer = new SentTransfer(memory);

interface Range {
  readonly length: number;
  readonly age: number;
  readonly flags: number;
  readonly segments: number;
}

function fresh(una: number, flight: number, constFlags: number): Tcb {
  memory.u8.fill(0, 1024, 1024 + TcbLayout.byteLength);
  const tcb = TcbLayout.view(memory).at(1024);
  tcb.state = TcpState.Established;
  tcb.constFlags = constFlags;
  tcb.effectiveMss = 1000;
  tcb.sndUna = una;
  tcb.sndNxt = tcb.sndMax = (una + flight) | 0;
  tcb.recover = una;
  return tcb;
}

function load(tcb: Tcb, sent: SentRanges, ranges: readonly Range[], now: number): void {
  let end = tcb.sndUna;
  for (const { length, age, flags, segments } of ranges) {
    end = (end + length) | 0;
    sent.load(tcb, end, (now - age) | 0, flags, segments);
  }
}

function ranges(tcb: Tcb, sent: SentRanges, now: number): Range[] {
  const found: Range[] = [];
  let start = tcb.sndUna;
  for (let at = tcb.sentHead; at !== 0; at = sent.next(at)) {
    const length = (sent.end(at) - start) | 0;
    found.push({ length, age: (now - sent.sentAt(at)) | 0, flags: sent.flags(at), segments: sent.segments(at) });
    start = sent.end(at);
  }
  return found;
}

const counters = ({ sackedBytes, lostBytes, retransBytes, sackedSegments }: Tcb): object => {
  return { sackedBytes, lostBytes, retransBytes, sackedSegments };
};

const range = fc.record({
  length: fc.integer({ min: 1, max: 5000 }),
  age: fc.nat(60_000),
  flags: fc.constantFrom(
    0,
    Sacked,
    Lost,
    Retransmitted | EverRetransmitted,
    Lost | Retransmitted | EverRetransmitted,
    Lost | EverRetransmitted,
    Sacked | EverRetransmitted,
  ),
  segments: fc.integer({ min: 1, max: 255 }),
});
const anywhere = fc.constantFrom(1000, -3000, 0x7fffff00);
const total = (list: readonly Range[]): number => list.reduce((sum, { length }) => sum + length, 0);

describe('with the list', () => {
  test('everything comes out as it went in, at another time and for another owner', () => {
    const run = fc.property(fc.array(range, { maxLength: SENT_RANGES_MAX }), anywhere, (list, una) => {
      const [giver, getter] = [new SentRanges(1), new SentRanges(1)];
      const tcb = fresh(una, total(list), TcpConstFlag.Sack);
      load(tcb, giver, list, una);
      const before = counters(tcb);
      transfer.give(tcb, BLOCK, una, giver);
      expect(giver.inUse).toBe(0);
      transfer.take(tcb, BLOCK, (una + 12_345) | 0, getter);
      expect(ranges(tcb, getter, (una + 12_345) | 0)).toEqual(list);
      expect(counters(tcb)).toEqual(before);
      getter.clear(tcb);
      expect(getter.inUse).toBe(0);
    });
    fc.assert(run);
  });

  test('more than fit become one at the end: sent last, not SACKed, lost only if all of it is, and not timed (Karn)', () => {
    const many = fc.array(range, { minLength: SENT_RANGES_MAX + 1, maxLength: 60 });
    const run = fc.property(many, anywhere, (list, una) => {
      const [giver, getter] = [new SentRanges(1), new SentRanges(1)];
      const tcb = fresh(una, total(list), TcpConstFlag.Sack);
      load(tcb, giver, list, una);
      transfer.give(tcb, BLOCK, una, giver);
      transfer.take(tcb, BLOCK, una, getter);
      const found = ranges(tcb, getter, una);
      const [kept, rest] = [list.slice(0, SENT_RANGES_MAX - 1), list.slice(SENT_RANGES_MAX - 1)];
      expect(found.slice(0, -1)).toEqual(kept);
      const last = found.at(-1)!;
      expect(last.length).toBe(total(rest));
      expect(last.age).toBe(Math.min(...rest.map(({ age }) => age)));
      expect(last.flags & Sacked).toBe(0);
      expect((last.flags & Lost) !== 0).toBe(rest.every(({ flags }) => (flags & Lost) !== 0));
      const again = rest.some(({ flags }) => (flags & EverRetransmitted) !== 0);
      expect((last.flags & EverRetransmitted) !== 0).toBe(again);
      expect(inFlight(tcb)).toBeGreaterThanOrEqual(0);
    });
    fc.assert(run);
  });

  test('what cannot be is not believed: SACKed and lost at once, SACKed without SACK, beyond SND.NXT', () => {
    const [giver, getter] = [new SentRanges(1), new SentRanges(1)];
    const tcb = fresh(0, 3000, TcpConstFlag.Sack);
    load(tcb, giver, [{ length: 1000, age: 5, flags: Sacked | Lost, segments: 1 }], 0);
    load(tcb, giver, [{ length: 9000, age: 5, flags: Lost, segments: 9 }], 0);
    transfer.give(tcb, BLOCK, 0, giver);
    transfer.take(tcb, BLOCK, 0, getter);
    expect(counters(tcb)).toEqual({ sackedBytes: 1000, lostBytes: 2000, retransBytes: 0, sackedSegments: 1 });
    getter.clear(tcb);
    tcb.constFlags = 0;
    load(tcb, giver, [{ length: 3000, age: 5, flags: Sacked, segments: 3 }], 0);
    transfer.give(tcb, BLOCK, 0, giver);
    transfer.take(tcb, BLOCK, 0, getter);
    expect(counters(tcb)).toEqual({ sackedBytes: 0, lostBytes: 0, retransBytes: 0, sackedSegments: 0 });
  });
});

describe('without', () => {
  const withoutList = (una: number, next: number, max: number): [Tcb, SentRanges] => {
    const sent = new SentRanges(1);
    const tcb = fresh(una, max, TcpConstFlag.Sack);
    tcb.sndNxt = (una + next) | 0;
    TcpTransfer.view(memory).at(BLOCK + TCP_TRANSFER_OFFSET).sentRangeCount = 0;
    transfer.take(tcb, BLOCK, 77, sent);
    return [tcb, sent];
  };

  test('SND.UNA to SND.NXT is in flight, and what was sent beyond that is to be sent again', () => {
    const run = fc.property(anywhere, fc.nat(20_000), fc.nat(20_000), (una, next, behind) => {
      const [tcb, sent] = withoutList(una, next, next + behind);
      expect(inFlight(tcb)).toBe(next);
      expect(tcb.lostBytes).toBe(behind);
      expect(tcb.sndNxt).toBe(tcb.sndMax);
      expect(tcb.caState).toBe(behind > 0 ? CaState.Loss : CaState.Open);
      if (behind > 0) expect(tcb.recover).toBe(tcb.sndMax);
      expect(ranges(tcb, sent, 77).every(({ age }) => age === 0)).toBe(true);
    });
    fc.assert(run);
  });

  test('segments are counted as of full size', () => {
    const [tcb, sent] = withoutList(0, 2500, 4000);
    expect(ranges(tcb, sent, 77).map(({ length, segments }) => [length, segments])).toEqual([
      [2500, 3],
      [1500, 2],
    ]);
  });

  test('duplicate ACKs of a peer without SACK stand for what has arrived', () => {
    const sent = new SentRanges(1);
    const tcb = fresh(0, 5000, 0);
    tcb.dupAckCount = 2;
    TcpTransfer.view(memory).at(BLOCK + TCP_TRANSFER_OFFSET).sentRangeCount = 0;
    transfer.take(tcb, BLOCK, 0, sent);
    expect(counters(tcb)).toMatchObject({ sackedSegments: 2, sackedBytes: 2000 });
  });
});
