/**
 * The loss sweep: every loss rate, several seeds, the median of their goodputs beside smoltcp's (loss-case.ts), between two
 * engines and through the whole machine, on the host path and offloaded.
 *
 * Same seeds, same numbers: it runs in virtual time. docs/loss-sweep.md is made of it.
 */
import { barOf, LOSS_PERCENTS, type LossVerdict, type LossWay, SMOLTCP, verdictOf } from './loss-case.ts';
import { runLossEngines } from './loss-engines.ts';
import { runLossHost, runLossOffloaded } from './loss-machine.ts';

export const LOSS_WAYS = {
  engines: runLossEngines,
  'host path': runLossHost,
  offloaded: runLossOffloaded,
} as const satisfies Record<string, LossWay>;
export type LossWayName = keyof typeof LOSS_WAYS;

export interface LossRow {
  readonly way: LossWayName;
  readonly lossPercent: number;
  /** Median of the seeds, bytes per second, and the extremes. */
  readonly goodput: number;
  readonly least: number;
  readonly most: number;
  readonly smoltcp: number;
  readonly ratio: number;
  /** The ratio that is asked for; null: none is. */
  readonly bar: number | null;
  readonly verdict: LossVerdict;
}

export interface LossSweepOptions {
  readonly ways: readonly LossWayName[];
  readonly lossPercents?: readonly number[];
  readonly seeds: readonly number[];
  /** Before each row. */
  readonly onRow?: (way: LossWayName, lossPercent: number) => void;
}

export function lossSweep({ ways, lossPercents = LOSS_PERCENTS, seeds, onRow }: LossSweepOptions): LossRow[] {
  return ways.flatMap(way =>
    lossPercents.map(lossPercent => {
      onRow?.(way, lossPercent);
      return lossRow(way, lossPercent, seeds);
    }),
  );
}

function lossRow(way: LossWayName, lossPercent: number, seeds: readonly number[]): LossRow {
  const goodputs = seeds.map(seed => LOSS_WAYS[way](lossPercent, seed).goodput).toSorted((a, b) => a - b);
  const goodput = goodputs[goodputs.length >> 1]!;
  const smoltcp = SMOLTCP.get(lossPercent)!;
  return {
    way,
    lossPercent,
    goodput,
    least: goodputs[0]!,
    most: goodputs.at(-1)!,
    smoltcp,
    ratio: goodput / smoltcp,
    bar: barOf(lossPercent),
    verdict: verdictOf(lossPercent, goodput),
  };
}
