/**
 * A thread of a transparency campaign (transparency-campaign.ts): checks seeds one after the other in one memory.
 *
 * The memory is made once a thread, as for simulations (simulate-worker.ts).
 */
import { createMemory } from '../memory/memory.ts';
import type { SeedTask } from './simulate-worker.ts';
import { checkTransparency, TRANSPARENCY_MEMORY_BYTES, type TransparencyResult } from './transparency.ts';

const memory = createMemory(TRANSPARENCY_MEMORY_BYTES);

export default function checkSeeds(task: SeedTask): TransparencyResult[] {
  return task.seeds.map(seed => checkTransparency(seed, { memory }));
}
