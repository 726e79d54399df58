/** What a device remembers of its neighbors' reachability, on a clock that wraps (digest 3.9). */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { NeighborReachability } from '../../src/device/reachability.ts';

const STALE = 1000;
const ABOUT_TO_WRAP = [1_000_000, 0x7fff_fe00, -1, -500, 0];

describe.each(ABOUT_TO_WRAP)('at tick %i', start => {
  const at = (ticks: number): number => (start + ticks) | 0;
  const loaded = (hostDelta: number, nicDelta: number): NeighborReachability => {
    const reachability = new NeighborReachability(4, STALE);
    reachability.load(2, hostDelta, nicDelta, start);
    return reachability;
  };

  test('it asks when both proofs are too old, and not before (C19)', () => {
    expect(loaded(STALE, STALE).mustAsk(2, start)).toBe(false);
    expect(loaded(STALE + 1, STALE).mustAsk(2, start)).toBe(false);
    expect(loaded(STALE, STALE + 1).mustAsk(2, start)).toBe(false);
    expect(loaded(STALE + 1, STALE + 1).mustAsk(2, start)).toBe(true);
    expect(loaded(0, 0).mustAsk(2, at(STALE))).toBe(false);
    expect(loaded(0, 0).mustAsk(2, at(STALE + 1))).toBe(true);
  });

  test('it asks once until it has been answered; 0 mutes it for NceStaleTicks (C19)', () => {
    const reachability = loaded(5000, 5000);
    expect([1, 2, 3].map(ticks => reachability.mustAsk(2, at(ticks)))).toEqual([true, false, false]);
    reachability.answered(2, 0, at(10));
    expect([11, 10 + STALE].map(ticks => reachability.mustAsk(2, at(ticks)))).toEqual([false, false]);
    expect(reachability.mustAsk(2, at(11 + STALE))).toBe(true);
  });

  test('the true age of the host’s proof counts from when it was had (C19)', () => {
    const reachability = loaded(5000, 5000);
    reachability.answered(2, 400, start);
    expect(reachability.mustAsk(2, at(STALE - 400))).toBe(false);
    expect(reachability.mustAsk(2, at(STALE - 399))).toBe(true);
  });

  test('progress is proof: NicReachabilityDelta starts anew (C20)', () => {
    const reachability = loaded(5000, 5000);
    expect(reachability.nicDelta(2, start)).toBe(5000);
    reachability.progress(2, at(100));
    expect(reachability.nicDelta(2, at(130))).toBe(30);
    expect(reachability.mustAsk(2, at(100 + STALE))).toBe(false);
    expect(reachability.mustAsk(2, at(101 + STALE))).toBe(true);
  });
});

test('for any history it asks when the rule of the interface says so (C19)', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const prng = new Prng(seed);
    const reachability = new NeighborReachability(1, STALE);
    // The rule in unbounded numbers, on a clock that starts anywhere.
    let now = prng.below(0x7fffffff) * 2;
    let host = now - prng.below(3000);
    let nic = now - prng.below(3000);
    let asked = false;
    reachability.load(0, now - host, now - nic, now | 0);
    for (let step = 0; step < 200; step++) {
      now += prng.below(700);
      if (prng.chance(0.15)) {
        nic = now;
        reachability.progress(0, now | 0);
      } else if (prng.chance(0.3)) {
        host = now - (prng.chance(0.5) ? 0 : prng.below(2000));
        asked = false;
        reachability.answered(0, now - host, now | 0);
      }
      const must: boolean = now - nic > STALE && now - host > STALE && !asked;
      expect(reachability.mustAsk(0, now | 0), `seed ${seed}, step ${step}`).toBe(must);
      asked ||= must;
      expect(reachability.nicDelta(0, now | 0)).toBe(now - nic);
    }
  }
});
