/**
 * Seeds by the thousand, on a pool of threads (piscina): from the built package only, since workers need JavaScript.
 *
 * Tasks of some seeds are handed out as threads come free, so that neither tasks nor results pile up; of what went well
 * only sums are kept.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { SeedResult } from './simulate.ts';
import type { SeedTask } from './simulate-worker.ts';

export interface CampaignOptions extends SeedRange {
  /** After every task. */
  readonly onProgress?: ((progress: CampaignTotals) => void) | undefined;
}

export interface CampaignTotals {
  seeds: number;
  failed: number;
  connections: number;
  completed: number;
  failovers: number;
  offloaded: number;
  takenBack: number;
  refused: number;
  lost: number;
  frames: number;
  virtualUs: number;
  invariantsChecked: number;
}

export interface CampaignResult {
  readonly totals: CampaignTotals;
  /** In the order of their seeds. */
  readonly failures: readonly SeedResult[];
}

const SEEDS_A_TASK = 16;

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const totals = noTotals();
  const failures: SeedResult[] = [];
  await forEachSeed<SeedResult>('./simulate-worker.js', options, results => {
    for (const result of results) {
      add(totals, result);
      if (!result.ok) failures.push(result);
    }
    options.onProgress?.(totals);
  });
  failures.sort((a, b) => a.seed - b.seed);
  return { totals, failures };
}

export interface SeedRange {
  readonly first: number;
  readonly count: number;
  /** All cores unless said otherwise. */
  readonly threads?: number | undefined;
}

/** Runs the worker's function on tasks of seeds; `done` gets the results of each task as it ends. */
export async function forEachSeed<R>(worker: string, range: SeedRange, done: (results: R[]) => void): Promise<void> {
  const threads = range.threads ?? availableParallelism();
  const filename = new URL(worker, import.meta.url).href;
  const pool = new Piscina<SeedTask, R[]>({ filename, minThreads: threads, maxThreads: threads });
  let next = range.first;
  const end = next + range.count;
  // One lane a thread: its next task is made when the one before has been counted.
  const lane = async (): Promise<void> => {
    while (next < end) {
      const from = next;
      next = Math.min(end, from + SEEDS_A_TASK);
      const seeds = Array.from({ length: next - from }, (_, index) => from + index);
      done(await pool.run({ seeds }));
    }
  };
  try {
    await Promise.all(Array.from({ length: threads }, lane));
  } finally {
    await pool.destroy();
  }
}

function noTotals(): CampaignTotals {
  return {
    seeds: 0,
    failed: 0,
    connections: 0,
    completed: 0,
    failovers: 0,
    offloaded: 0,
    takenBack: 0,
    refused: 0,
    lost: 0,
    frames: 0,
    virtualUs: 0,
    invariantsChecked: 0,
  };
}

function add(totals: CampaignTotals, result: SeedResult): void {
  totals.seeds++;
  if (!result.ok) totals.failed++;
  totals.connections += result.connections;
  totals.completed += result.completed;
  totals.failovers += result.failovers;
  totals.offloaded += result.offloaded;
  totals.takenBack += result.takenBack;
  totals.refused += result.refused;
  totals.lost += result.lost;
  totals.frames += result.frames;
  totals.virtualUs += result.virtualUs;
  totals.invariantsChecked += result.invariantsChecked;
}
