/** So many challenge ACKs a second over all connections, and not always as many (RFC 5961 7). */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { ChallengeBudget } from '../../src/tcp/challenge-budget.ts';

/** How many are granted in the second that begins at `tick`. */
function granted(budget: ChallengeBudget, tick: number): number {
  let count = 0;
  for (let i = 0; i < 10_000; i++) if (budget.take(tick + (i % 1000))) count++;
  return count;
}

describe('the budget of challenges', () => {
  test('is between half the limit and one and a half of it, another one each second', () => {
    const budget = new ChallengeBudget(1000, new Prng(1));
    const seconds = Array.from({ length: 40 }, (_, n) => granted(budget, n * 1000));
    expect(Math.min(...seconds)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...seconds)).toBeLessThanOrEqual(1499);
    expect(new Set(seconds).size).toBeGreaterThan(20);
    expect(budget.sent).toBe(seconds.reduce((sum, count) => sum + count, 0));
    expect(budget.skipped).toBe(40 * 10_000 - budget.sent);
  });

  test('begins anew where ticks wrap', () => {
    const budget = new ChallengeBudget(1, new Prng(1));
    expect([0x7fffffff, -0x80000000, -1].map(tick => budget.take(tick))).toEqual([true, false, true]);
  });
});
