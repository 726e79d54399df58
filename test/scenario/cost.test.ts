/** The cost meter (R35, ¶13–16, ¶23): what its arithmetic says of known numbers, and what it measures here. */
import { describe, expect, test } from 'vitest';
import { costTable } from '../../src/cli/cost-table.ts';
import { measureCost } from '../../src/scenario/cost-job.ts';
import { breakEvenBytes, type TrafficCost } from '../../src/scenario/cost-report.ts';
import { SHAPES } from '../../src/scenario/cost-shapes.ts';
import { fit, spreadOf } from '../../src/scenario/cost-statistics.ts';
import { costSvg } from '../../src/scenario/cost-svg.ts';
import { parseXml } from '../support/xml.ts';

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

describe('a measurement', () => {
  const report = measureCost({ max: 256, rounds: 4, quick: true }, () => {});

  test('has A for every shape and length of list, each with its spread', () => {
    expect(report.handOver).toHaveLength(SHAPES.length * 9);
    for (const { initiate, terminate } of report.handOver) {
      for (const { low, median, high } of [initiate.host, initiate.device, terminate.host, terminate.device]) {
        expect(low).toBeGreaterThan(0);
        expect(median).toBeGreaterThanOrEqual(low);
        expect(high).toBeGreaterThanOrEqual(median);
      }
    }
  });

  test('lists make A cheaper by far, whatever the shape (¶23)', () => {
    for (const shape of SHAPES) {
      const a = (list: number): number =>
        report.breakEven.find(each => each.shape === shape && each.list === list)!.aNs;
      expect(a(256), shape).toBeLessThan(a(1) / 2);
    }
  });

  test('the shapes are what they are called: blocks of a list of 256', () => {
    const blocks = (shape: string): number =>
      report.handOver.find(each => each.shape === shape && each.list === 256)!.blocks;
    expect(blocks('one path')).toBe(258);
    expect(blocks('path each')).toBeGreaterThan(480);
    expect(blocks('mixed')).toBeGreaterThan(280);
    expect(blocks('mixed')).toBeLessThan(400);
  });

  test('the chimney takes the segments off the host: C is far below B for a long reply (¶13)', () => {
    const host = (path: string): number =>
      report.samples.find(each => each.path === path && each.mtu === 1500 && each.bytes === 32_000)!.hostNs;
    expect(host('chimney')).toBeLessThan(host('host') / 4);
    expect(report.traffic.host.host.perSegmentNs).toBeGreaterThan(report.traffic.chimney.host.perSegmentNs);
  });

  test('is told as a table of at most 100 columns, and drawn', () => {
    const text = costTable(report);
    for (const line of text.split('\n').slice(1)) expect([...line].length, line).toBeLessThanOrEqual(100);
    for (const shape of SHAPES) expect(text).toContain(shape);
    expect(text).toContain('B  host path, host');
    const svg = costSvg(report);
    expect(parseXml(svg)[0]).toBe('svg');
    for (const label of [...SHAPES, 'A: hand-over and take-back', 'connections in a list'])
      expect(svg).toContain(label);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test('is drawn even if offload never pays', () => {
    const breakEven = report.breakEven.map(each => ({ ...each, bytes: null, segments: null }));
    const never = { ...report, breakEven };
    expect(costTable(never)).toContain('never');
    expect(costSvg(never)).not.toMatch(/NaN|Infinity/);
  });
});
