/**
 * Forged frames by the million, on a pool of threads, from the built package (simulate-campaign.ts): one machine a seed.
 *
 * Sums say that the connections were alive and moved meanwhile: of a dead machine nobody learns anything.
 */
import { forEachSeed, type SeedRange } from '../simulate-campaign.ts';
import { FRAMES_A_MACHINE, type FuzzResult } from './fuzz.ts';

export interface FuzzTotals {
  machines: number;
  failed: number;
  frames: number;
  connections: number;
  handOvers: number;
  uploads: number;
  virtualUs: number;
}

/** What is there after each task: the totals so far, and the failures in the order they were found. */
export interface FuzzProgress {
  readonly totals: FuzzTotals;
  readonly failures: readonly FuzzResult[];
}

/** Machines that so many frames take. */
export function machinesFor(frames: number): number {
  return Math.ceil(frames / FRAMES_A_MACHINE);
}

export async function runFuzzCampaign(range: SeedRange, onProgress: (progress: FuzzProgress) => void): Promise<void> {
  const totals = noFuzzTotals();
  const failures: FuzzResult[] = [];
  await forEachSeed<FuzzResult>('./fuzz/fuzz-worker.js', range, results => {
    for (const result of results) {
      addFuzz(totals, result);
      if (!result.ok) failures.push(result);
    }
    onProgress({ totals, failures });
  });
}

export function noFuzzTotals(): FuzzTotals {
  return { machines: 0, failed: 0, frames: 0, connections: 0, handOvers: 0, uploads: 0, virtualUs: 0 };
}

export function addFuzz(totals: FuzzTotals, result: FuzzResult): void {
  totals.machines++;
  if (!result.ok) totals.failed++;
  totals.frames += result.frames;
  totals.connections += result.connections;
  totals.handOvers += result.handOvers;
  totals.uploads += result.uploads;
  totals.virtualUs += result.virtualUs;
}
