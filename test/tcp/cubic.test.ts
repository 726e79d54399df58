/** CUBIC against the formulas of RFC 9438, a segment at a time, over simulated round trips. */
import { describe, expect, test } from 'vitest';
import { createMemory } from '../../src/memory/memory.ts';
import { ssthreshAfterLoss } from '../../src/tcp/congestion.ts';
import { cubicGrow, cubicIdle, cubicReset } from '../../src/tcp/cubic.ts';
import { CongestionControl, type Tcb, TcbLayout } from '../../src/tcp/tcb.ts';

const MSS = 1000;
const C = 0.4;
const BETA = 0.7;
const memory = createMemory(1 << 16);

function fresh(segments: number, rtt: number): Tcb {
  memory.u8.fill(0, 1024, 1024 + TcbLayout.byteLength);
  const tcb = TcbLayout.view(memory).at(1024);
  tcb.effectiveMss = MSS;
  tcb.congestionControl = CongestionControl.Cubic;
  tcb.cwnd = segments * MSS;
  tcb.minRtt = rtt;
  return tcb;
}

/** A loss, and recovery done with it. */
function lose(tcb: Tcb): void {
  tcb.ssthresh = ssthreshAfterLoss(tcb);
  tcb.cwnd = tcb.ssthresh;
  tcb.cwndCount = 0;
}

/** The whole window is acknowledged in each round trip, segment by segment and evenly. The window at the end, in segments. */
function grow(tcb: Tcb, from: number, until: number, rtt: number, each: (now: number) => void = () => {}): number {
  let now = from;
  while (now < until) {
    const segments = Math.floor(tcb.cwnd / MSS);
    for (let i = 0; i < segments; i++) cubicGrow(tcb, MSS, Math.floor(now + (i * rtt) / segments));
    now += rtt;
    each(now);
  }
  return tcb.cwnd / MSS;
}

describe('after a loss', () => {
  test('seven tenths are left, and two segments at least (RFC 9438 4.6)', () => {
    const tcb = fresh(100, 100);
    lose(tcb);
    expect(tcb.cwnd).toBe(70 * MSS);
    tcb.cwnd = 2 * MSS;
    lose(tcb);
    expect(tcb.cwnd).toBe(2 * MSS);
  });

  test.each([
    [100, 100],
    [400, 50],
    [1000, 200],
  ])(
    'a window of %i with a round trip of %i ms follows W_cubic within a segment in a hundred (4.2 to 4.5)',
    (wMax, rtt) => {
      const tcb = fresh(wMax, rtt);
      lose(tcb);
      const start = tcb.cwnd / MSS;
      const k = Math.cbrt((wMax - start) / C);
      let regions = 0;
      grow(tcb, 5000, 5000 + 2 * k * 1000, rtt, now => {
        // Acknowledged a round trip later, when the curve has that much; alpha of 4.3 in the Reno-friendly region.
        const t = (now - 5000) / 1000;
        const cubic = C * (t - k) ** 3 + wMax;
        const friendly = start + (0.529 * (now - 5000)) / rtt;
        if (friendly > cubic) return;
        regions++;
        expect(Math.abs(tcb.cwnd / MSS - cubic)).toBeLessThan(1.5 + cubic / 100);
      });
      expect(regions).toBeGreaterThan(10);
      // Twice K: as far above W_max as it began below.
      expect(tcb.cwnd / MSS).toBeGreaterThan(wMax * 1.25);
    },
  );

  test('on a short path it grows as Reno of the same loss rate would (the Reno-friendly region, 4.3)', () => {
    const tcb = fresh(10, 10);
    lose(tcb);
    expect(tcb.cwnd).toBe(7 * MSS);
    // A hundred round trips with alpha = 3 (1 - beta) / (1 + beta); the curve alone would not have reached ten.
    const window = grow(tcb, 0, 1000, 10);
    const alpha = (3 * (1 - BETA)) / (1 + BETA);
    expect(Math.abs(window - (7 + alpha * 100))).toBeLessThan(0.08 * window);
  });

  test('a loss below the window of the last one gives way to others: W_max is less than that (fast convergence, 4.7)', () => {
    const tcb = fresh(100, 100);
    lose(tcb);
    expect(tcb.cubicWMax).toBe(100 * MSS);
    tcb.cwnd = 80 * MSS;
    lose(tcb);
    expect(tcb.cubicWMax).toBe(Math.floor((80 * (1 + 717 / 1024)) / 2) * MSS);
    tcb.cwnd = 90 * MSS;
    lose(tcb);
    expect(tcb.cubicWMax).toBe(90 * MSS);
  });
});

describe('the curve', () => {
  test('begins anew after a time-out, which knows no W_max (4.8): convex at once', () => {
    const tcb = fresh(100, 100);
    lose(tcb);
    cubicReset(tcb);
    tcb.cwnd = 50 * MSS;
    const window = grow(tcb, 0, 4000, 100);
    expect(window).toBeGreaterThan(50 + C * 4 ** 3 - 2);
  });

  test('stands still while nothing is sent (5.8), and never lies in the future', () => {
    const idle = fresh(100, 100);
    lose(idle);
    grow(idle, 0, 2000, 100);
    const before = idle.cwnd;
    cubicIdle(idle, 60_000, 62_000);
    expect(idle.cubicEpochAt).toBe(60_000);
    const after = grow(idle, 62_000, 62_100, 100);
    expect(after * MSS - before).toBeLessThan(4 * MSS);
    cubicIdle(idle, 70_000, 62_100);
    expect(idle.cubicEpochAt).toBe(62_100);
  });

  test('half a segment of growth for each segment acknowledged is the most', () => {
    const tcb = fresh(10, 100);
    lose(tcb);
    grow(tcb, 0, 100, 100);
    tcb.cubicEpochAt = -60_000;
    const before = tcb.cwnd;
    grow(tcb, 100, 200, 100);
    expect(tcb.cwnd).toBeLessThanOrEqual(before * 1.5 + MSS);
    expect(tcb.cwnd).toBeGreaterThan(before * 1.2);
  });
});
