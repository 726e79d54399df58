/**
 * Offload transparency, the theorem of the project: whatever is handed over, taken back, updated or refused, and
 * whatever the cables do, both applications see what they see with offload disabled.
 *
 *   plan (transparency-plan.ts) → run without offload ─┐
 *                               → run with hand-overs ─┴→ what was seen is compared (transparency-compare.ts)
 *
 * Both runs are whole machines in virtual time: two hosts with their NICs, cables and the switch, the same scripts,
 * faults and actions, only the policies of the chimneys differ. After each run nothing may be left anywhere.
 */
import type { Memory } from '../memory/memory.ts';
import type { Simulation } from '../simulation.ts';
import { TransparencyRun, type RunCounts } from './transparency-run.ts';
import { firstDifference } from './transparency-compare.ts';
import { drawTransparency, type TransparencyPlan } from './transparency-plan.ts';

export interface TransparencyResult extends RunCounts {
  readonly seed: number;
  readonly ok: boolean;
  readonly connections: number;
  /** The first difference, or what went wrong in one of the runs. */
  readonly error?: string;
}

export interface TransparencyOptions {
  /** Memory of an earlier seed, to be used again. */
  readonly memory?: Memory | undefined;
  /** Sees the machine of the run with offload before it runs: for tests that break something. */
  readonly prepare?: ((sim: Simulation) => void) | undefined;
}

/** What a machine of two small hosts needs at most. */
export const TRANSPARENCY_MEMORY_BYTES = 16 << 20;

export function checkTransparency(seed: number, options: TransparencyOptions = {}): TransparencyResult {
  return checkPlan(drawTransparency(seed), options);
}

export function checkPlan(plan: TransparencyPlan, options: TransparencyOptions = {}): TransparencyResult {
  const without = new TransparencyRun(plan, false, options.memory);
  const withoutError = without.run();
  const offloaded = new TransparencyRun(plan, true, options.memory ?? without.sim.memory);
  options.prepare?.(offloaded.sim);
  const offloadedError = offloaded.run();
  const difference = firstDifference(plan.connections, without.seen, offloaded.seen);
  const errors = [
    ...(difference === null ? [] : [difference]),
    ...(withoutError === '' ? [] : [`without offload: ${withoutError}`]),
    ...(offloadedError === '' ? [] : [`with offload: ${offloadedError}`]),
  ];
  const { seed, connections } = plan;
  const counts = offloaded.counts();
  const error = errors.join('\n');
  return { seed, ok: error === '', connections: connections.length, ...counts, ...(error === '' ? {} : { error }) };
}
