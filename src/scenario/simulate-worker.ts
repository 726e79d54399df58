/**
 * A thread of a campaign (simulate-campaign.ts): runs seeds one after the other in one memory.
 *
 * The memory is made once a thread and used again, since a shared WebAssembly memory is given back late, if ever.
 */
import { createMemory, type Memory } from '../memory/memory.ts';
import { runSeed, type SeedResult } from './simulate.ts';

export interface SeedTask {
  readonly seeds: readonly number[];
}

/** What most seeds need; one that needs more leaves a larger memory for the next. */
const MEMORY_BYTES = 24 << 20;

let memory: Memory | undefined;

export default function runSeeds(task: SeedTask): SeedResult[] {
  memory ??= createMemory(MEMORY_BYTES);
  return task.seeds.map(seed => runSeed(seed, { memory, prepare: ({ sim }) => (memory = sim.memory) }));
}
