import { describe, expect, it } from 'vitest';
import { RealClock, US_PER_TICK, VirtualClock, epochMs, ticksOf } from '../../src/base/clock.ts';

describe('ticks', () => {
  it('are whole milliseconds, rounded down', () => {
    expect([0, 999, 1000, 1999, 2000].map(ticksOf)).toEqual([0, 0, 1, 1, 2]);
    expect(US_PER_TICK).toBe(1000);
  });

  it('wrap as int32 after 2^31 and 2^32 milliseconds', () => {
    expect(ticksOf((2 ** 31 - 1) * 1000)).toBe(0x7fffffff);
    expect(ticksOf(2 ** 31 * 1000)).toBe(-0x80000000);
    expect(ticksOf(2 ** 32 * 1000)).toBe(0);
    expect(ticksOf(2 ** 32 * 1000 - 1)).toBe(-1);
  });
});

describe('virtual clock', () => {
  it('starts at 0, stands still until it is advanced, and never goes back', () => {
    const clock = new VirtualClock();
    expect(clock.nowUs()).toBe(0);
    clock.advanceTo(1500);
    expect(clock.nowUs()).toBe(1500);
    clock.advanceTo(1499);
    expect(clock.nowUs()).toBe(1500);
  });
});

describe('real clock', () => {
  it('counts integer microseconds from its epoch and never goes back', () => {
    const clock = new RealClock(epochMs() - 1000);
    let last = clock.nowUs();
    expect(last).toBeGreaterThanOrEqual(999_999);
    expect(last).toBeLessThan(60_000_000);
    for (let i = 0; i < 1000; i++) {
      const now = clock.nowUs();
      expect(Number.isInteger(now)).toBe(true);
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });

  it('agrees with every other clock of the same epoch', () => {
    const epoch = epochMs();
    const [a, b] = [new RealClock(epoch), new RealClock(epoch)];
    const [first, between, last] = [a.nowUs(), b.nowUs(), a.nowUs()];
    expect(first).toBeLessThanOrEqual(between);
    expect(between).toBeLessThanOrEqual(last);
  });
});
