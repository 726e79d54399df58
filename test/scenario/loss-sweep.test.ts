/**
 * The loss sweep (loss-case.ts): what it measures is what it says, and the same in every run. Whether the bars are met is
 * in docs/loss-sweep.md.
 */
import { describe, expect, test } from 'vitest';
import { LOSS, LOSS_PERCENTS, LossVerdict, SMOLTCP, verdictOf } from '../../src/scenario/loss-case.ts';
import { lossCeiling } from '../../src/scenario/loss-ceiling.ts';
import { runLossEngines } from '../../src/scenario/loss-engines.ts';
import { LOSS_WAYS, lossSweep } from '../../src/scenario/loss-sweep.ts';

/** A window an RTT: more cannot go through. */
const CEILING = (LOSS.bufferBytes / LOSS.rttMs) * 1000;

describe('a loss sweep', () => {
  test.each(Object.entries(LOSS_WAYS))(
    '%s: the same seed gives the same goodput, another one another',
    (_name, run) => {
      const first = run(5, 1, 'cubic');
      expect(run(5, 1, 'cubic')).toEqual(first);
      expect(run(5, 2, 'cubic')).not.toEqual(first);
    },
  );

  test.each(Object.entries(LOSS_WAYS))('%s: fills most of the window without loss, less with it', (_name, run) => {
    const clean = run(0, 1, 'cubic').goodput;
    expect(clean).toBeGreaterThan(0.75 * CEILING);
    expect(clean).toBeLessThanOrEqual(CEILING);
    expect(run(2, 1, 'cubic').goodput).toBeLessThan(clean);
  });

  test('the buffer is what limits a transfer without loss: half of it, half the goodput', () => {
    const half = runLossEngines(0, 1, 'cubic', { rcvBuffer: LOSS.bufferBytes / 2 }).goodput;
    expect(half).toBeGreaterThan(0.35 * CEILING);
    expect(half).toBeLessThanOrEqual(CEILING / 2);
  });

  test('no run exceeds the ceiling, which without loss is a window an RTT', () => {
    expect(lossCeiling(0)).toBeCloseTo(CEILING, 6);
    for (const lossPercent of [1, 10]) {
      const { goodput } = runLossEngines(lossPercent, 1, 'none');
      expect(goodput).toBeLessThan(lossCeiling(lossPercent));
      expect(runLossEngines(lossPercent, 1, 'cubic').goodput).toBeLessThan(goodput);
    }
  });

  test('rows carry the median and the extremes of their seeds, and the verdict of the median', () => {
    const seeds = [1, 2, 3];
    const [row] = lossSweep({ ways: ['engines'], controls: ['cubic'], lossPercents: [10], seeds });
    const goodputs = seeds.map(seed => runLossEngines(10, seed, 'cubic').goodput).toSorted((a, b) => a - b);
    expect(row).toMatchObject({ least: goodputs[0], goodput: goodputs[1], most: goodputs[2], smoltcp: 37_775 });
    expect(row!.verdict).toBe(verdictOf(10, goodputs[1]!));
  });

  test('at 0 % as good as smoltcp is enough, from 1 to 10 % half as much again is asked for, beyond nothing is', () => {
    const times = (ratio: number) => LOSS_PERCENTS.map(percent => verdictOf(percent, ratio * SMOLTCP.get(percent)!));
    const { Pass, Miss, Reported } = LossVerdict;
    expect(times(0.99)).toEqual([Miss, Reported, Miss, Miss, Miss, Miss, Reported, Reported]);
    expect(times(1)).toEqual([Pass, Reported, Miss, Miss, Miss, Miss, Reported, Reported]);
    expect(times(1.5)).toEqual([Pass, Reported, Pass, Pass, Pass, Pass, Reported, Reported]);
  });
});
