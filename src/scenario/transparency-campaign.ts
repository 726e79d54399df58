/**
 * The transparency property on seeds by the thousand, on a pool of threads, from the built package (simulate-campaign.ts).
 *
 * Sums say that the property is not empty: how much was handed over, taken back, updated and refused meanwhile.
 */
import { forEachSeed, type SeedRange } from './simulate-campaign.ts';
import type { TransparencyResult } from './transparency.ts';

export interface TransparencyTotals {
  seeds: number;
  failed: number;
  connections: number;
  handOvers: number;
  uploads: number;
  liveUploads: number;
  refusals: number;
  updates: number;
  queries: number;
  failovers: number;
  bytes: number;
  virtualUs: number;
}

/** What is there after each task: the totals so far, and the failures in the order they were found. */
export interface TransparencyProgress {
  readonly totals: TransparencyTotals;
  readonly failures: readonly TransparencyResult[];
}

export async function runTransparencyCampaign(
  range: SeedRange,
  onProgress: (progress: TransparencyProgress) => void,
): Promise<void> {
  const totals = noTransparencyTotals();
  const failures: TransparencyResult[] = [];
  await forEachSeed<TransparencyResult>('./transparency-worker.js', range, results => {
    for (const result of results) {
      addTransparency(totals, result);
      if (!result.ok) failures.push(result);
    }
    onProgress({ totals, failures });
  });
}

export function noTransparencyTotals(): TransparencyTotals {
  return {
    seeds: 0,
    failed: 0,
    connections: 0,
    handOvers: 0,
    uploads: 0,
    liveUploads: 0,
    refusals: 0,
    updates: 0,
    queries: 0,
    failovers: 0,
    bytes: 0,
    virtualUs: 0,
  };
}

export function addTransparency(totals: TransparencyTotals, result: TransparencyResult): void {
  totals.seeds++;
  if (!result.ok) totals.failed++;
  totals.connections += result.connections;
  totals.handOvers += result.handOvers;
  totals.uploads += result.uploads;
  totals.liveUploads += result.liveUploads;
  totals.refusals += result.refusals;
  totals.updates += result.updates;
  totals.queries += result.queries;
  totals.failovers += result.failovers;
  totals.bytes += result.bytes;
  totals.virtualUs += result.virtualUs;
}
