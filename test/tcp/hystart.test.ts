/** HyStart++ (RFC 9406) round by round. */
import { describe, expect, test } from 'vitest';
import { createMemory } from '../../src/memory/memory.ts';
import { growWindow } from '../../src/tcp/congestion.ts';
import { hyStartReset } from '../../src/tcp/hystart.ts';
import { SSTHRESH_MAX } from '../../src/tcp/reno.ts';
import { CongestionControl, type Tcb, TcbLayout, TcpLossFlag } from '../../src/tcp/tcb.ts';

const MSS = 1000;
const memory = createMemory(1 << 16);

function fresh(segments: number): Tcb {
  memory.u8.fill(0, 1024, 1024 + TcbLayout.byteLength);
  const tcb = TcbLayout.view(memory).at(1024);
  tcb.effectiveMss = MSS;
  tcb.congestionControl = CongestionControl.Cubic;
  tcb.cwnd = segments * MSS;
  tcb.ssthresh = SSTHRESH_MAX;
  tcb.lossFlags = TcpLossFlag.CwndLimited;
  hyStartReset(tcb);
  return tcb;
}

/** A round: the window is sent, and acknowledged segment by segment with these round trips. */
function round(tcb: Tcb, rtt: number, samples = 1000): void {
  const segments = Math.floor(tcb.cwnd / MSS);
  tcb.maxFlight = tcb.cwnd;
  tcb.sndNxt = (tcb.sndUna + segments * MSS) | 0;
  for (let i = 0; i < segments; i++) {
    tcb.sndUna = (tcb.sndUna + MSS) | 0;
    growWindow(tcb, MSS, i < samples ? rtt : -1, 0);
  }
}

const grown = (tcb: Tcb, rtt: number, samples?: number): number => {
  const before = tcb.cwnd;
  round(tcb, rtt, samples);
  return tcb.cwnd / before;
};

describe('slow start', () => {
  test('doubles while the round trip stays', () => {
    const tcb = fresh(10);
    for (let i = 0; i < 4; i++) expect(grown(tcb, 100)).toBe(2);
    expect(tcb.ssthresh).toBe(SSTHRESH_MAX);
  });

  test('takes a least round trip that is an eighth longer for a queue: a quarter of the growth (CSS, RFC 9406 4.2)', () => {
    const tcb = fresh(20);
    round(tcb, 100);
    round(tcb, 100);
    round(tcb, 112);
    expect(tcb.hyStartRounds).toBeGreaterThan(0);
    expect(grown(tcb, 112)).toBeCloseTo(1.25, 1);
  });

  test('not one that is less than that, nor on fewer than eight samples (N_RTT_SAMPLE)', () => {
    const tcb = fresh(20);
    round(tcb, 100);
    round(tcb, 100);
    expect(grown(tcb, 111)).toBe(2);
    expect(grown(tcb, 150, 7)).toBe(2);
  });

  test('four milliseconds at least and sixteen at most are the difference (MIN_RTT_THRESH, MAX_RTT_THRESH)', () => {
    const short = fresh(20);
    round(short, 4);
    round(short, 4);
    expect(grown(short, 7)).toBe(2);
    expect(grown(short, 11)).toBeLessThan(2);
    const long = fresh(20);
    round(long, 800);
    round(long, 800);
    expect(grown(long, 815)).toBe(2);
    expect(grown(long, 831)).toBeLessThan(2);
  });
});

describe('conservative slow start', () => {
  const inCss = (): Tcb => {
    const tcb = fresh(20);
    round(tcb, 100);
    round(tcb, 100);
    round(tcb, 120);
    expect(tcb.hyStartRounds).toBeGreaterThan(0);
    return tcb;
  };

  test('of noise: the round trip shrinks again, and slow start goes on (RFC 9406 4.2)', () => {
    const tcb = inCss();
    round(tcb, 100);
    expect(tcb.hyStartRounds).toBe(0);
    expect(grown(tcb, 100)).toBe(2);
    expect(tcb.ssthresh).toBe(SSTHRESH_MAX);
  });

  test('of a queue: after five rounds slow start is over (CSS_ROUNDS)', () => {
    const tcb = inCss();
    let rounds = 1;
    for (; tcb.ssthresh === SSTHRESH_MAX && rounds < 20; rounds++) round(tcb, 120);
    expect(rounds).toBeGreaterThanOrEqual(5);
    expect(rounds).toBeLessThanOrEqual(6);
    expect(tcb.ssthresh).toBeLessThanOrEqual(tcb.cwnd);
  });
});

test('a later slow start ends at ssthresh, whatever the round trips are (4.3)', () => {
  const tcb = fresh(10);
  tcb.ssthresh = 400 * MSS;
  round(tcb, 100);
  round(tcb, 100);
  expect(grown(tcb, 200)).toBe(2);
  expect(grown(tcb, 200)).toBe(2);
  expect(tcb.hyStartRounds).toBe(0);
});
