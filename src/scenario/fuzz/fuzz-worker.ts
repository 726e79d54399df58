/**
 * A thread of a fuzzing campaign (fuzz-campaign.ts): feeds machines one after the other in one memory.
 *
 * The memory is made once a thread, as for simulations (simulate-worker.ts).
 */
import { createMemory } from '../../memory/memory.ts';
import type { SeedTask } from '../simulate-worker.ts';
import { FUZZ_MEMORY_BYTES, type FuzzResult, fuzzSeed } from './fuzz.ts';

const memory = createMemory(FUZZ_MEMORY_BYTES);

export default function fuzzSeeds(task: SeedTask): FuzzResult[] {
  return task.seeds.map(seed => fuzzSeed(seed, { memory }));
}
