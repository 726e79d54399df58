/** What the cost meter measures (R35, ¶13–16, ¶23): real time, so with no other file beside it. */
import { describe, expect, test } from 'vitest';
import { costTable } from 'chimney/internal/cli/cost-table';
import { measureCost } from 'chimney/internal/scenario/cost-job';
import { SHAPES } from 'chimney/internal/scenario/cost-shapes';
import { costSvg } from 'chimney/internal/scenario/cost-svg';
import { parseXml } from '../support/xml.ts';

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
