/**
 * The loss sweep: every loss rate, several seeds, the median of their goodputs beside smoltcp's (loss-case.ts), between two
 * engines and through the whole machine, on the host path and offloaded.
 *
 * Same seeds, same numbers: it runs in virtual time. docs/loss-sweep.md is made of it.
 */
import {
  barOf,
  LOSS_PERCENTS,
  type LossControl,
  type LossVerdict,
  type LossWay,
  SMOLTCP,
  verdictOf,
} from './loss-case.ts';
import { lossCeiling } from './loss-ceiling.ts';
import { runLossEngines } from './loss-engines.ts';
import { runLossHost, runLossOffloaded } from './loss-machine.ts';

export const LOSS_WAYS = {
  engines: runLossEngines,
  'host path': runLossHost,
  offloaded: runLossOffloaded,
} as const satisfies Record<string, LossWay>;
export type LossWayName = keyof typeof LOSS_WAYS;

export const LOSS_CONTROLS: readonly LossControl[] = ['cubic', 'none'];

export interface LossRow {
  readonly way: LossWayName;
  readonly congestionControl: LossControl;
  readonly lossPercent: number;
  /** Median of the seeds, bytes per second, and the extremes. */
  readonly goodput: number;
  readonly least: number;
  readonly most: number;
  readonly smoltcp: number;
  readonly ratio: number;
  /** What nobody can exceed (loss-ceiling.ts). */
  readonly ceiling: number;
  /** The ratio that is asked for; null: none is. */
  readonly bar: number | null;
  readonly verdict: LossVerdict;
}

export interface LossSweepOptions {
  readonly ways: readonly LossWayName[];
  readonly controls?: readonly LossControl[];
  readonly lossPercents?: readonly number[];
  readonly seeds: readonly number[];
}

export function lossSweep(options: LossSweepOptions): LossRow[] {
  const { ways, controls = LOSS_CONTROLS, lossPercents = LOSS_PERCENTS, seeds } = options;
  return ways.flatMap(way =>
    controls.flatMap(control => lossPercents.map(lossPercent => lossRow(way, control, lossPercent, seeds))),
  );
}

function lossRow(way: LossWayName, control: LossControl, lossPercent: number, seeds: readonly number[]): LossRow {
  const run = LOSS_WAYS[way];
  const goodputs = seeds.map(seed => run(lossPercent, seed, control).goodput).toSorted((a, b) => a - b);
  const goodput = goodputs[goodputs.length >> 1]!;
  const smoltcp = SMOLTCP.get(lossPercent)!;
  return {
    way,
    congestionControl: control,
    lossPercent,
    goodput,
    least: goodputs[0]!,
    most: goodputs.at(-1)!,
    smoltcp,
    ratio: goodput / smoltcp,
    ceiling: lossCeiling(lossPercent),
    bar: barOf(lossPercent),
    verdict: verdictOf(lossPercent, goodput),
  };
}
