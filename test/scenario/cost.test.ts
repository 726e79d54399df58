/** The cost meter (R35, ¶13–16, ¶23): what its arithmetic says of known numbers. What it measures is in test/threads. */
import { describe, expect, test } from 'vitest';
import { breakEvenBytes, type TrafficCost } from '../../src/scenario/cost-report.ts';
import { fit, spreadOf } from '../../src/scenario/cost-statistics.ts';

function cost(perExchangeNs: number, perSegmentNs: number, perByteNs: number): TrafficCost {
  return { perExchangeNs, perSegmentNs, perByteNs };
}

describe('statistics', () => {
  test('the median and the quartiles, whatever the order and whatever one sample did', () => {
    expect(spreadOf([5, 1, 4, 2, 1000])).toEqual({ low: 2, median: 4, high: 5 });
    expect(spreadOf([1, 2])).toEqual({ low: 1.25, median: 1.5, high: 1.75 });
  });

  test('a fit finds the coefficients that the values were made of', () => {
    const observations = [
      [1, 1, 500],
      [1, 4, 2000],
      [1, 2, 2000],
      [1, 23, 32_000],
      [1, 62, 32_000],
    ].map(factors => ({ factors, value: 800 * factors[0]! + 450 * factors[1]! + 0.25 * factors[2]! }));
    const [exchange, segment, byte] = fit(observations);
    expect(exchange).toBeCloseTo(800, 4);
    expect(segment).toBeCloseTo(450, 4);
    expect(byte).toBeCloseTo(0.25, 6);
  });

  test('a fit turns rows whose pivot is zero', () => {
    expect(
      fit([
        { factors: [0, 2], value: 6 },
        { factors: [5, 0], value: 10 },
      ]),
    ).toEqual([2, 3]);
  });
});

describe('break-even', () => {
  const free = cost(0, 0, 0);

  test.each([
    ['the exchange alone saves enough', 500, cost(600, 0, 0), free, 1],
    ['the first segment does', 500, cost(100, 400, 0), free, 1],
    ['the third segment does', 1000, cost(100, 300, 0), free, 2001],
    ['bytes do', 1000, cost(0, 0, 2), free, 500],
    ['bytes of the second segment do', 5000, cost(0, 1000, 2), free, 1500],
    ['nothing is saved', 1000, cost(100, 300, 0.1), cost(100, 300, 0.1), null],
    ['the chimney costs more', 1, cost(0, 100, 0), cost(0, 200, 0), null],
  ])('%s', (_what, a, b, c, bytes) => {
    expect(breakEvenBytes(a, b, c, 1000)).toBe(bytes);
  });
});
