/**
 * Simulations on a pool of threads, and in a process of their own: the hash of a seed depends on nothing but the seed.
 */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { runSeed, type SeedResult } from 'chimney/internal/scenario/simulate';
import { runCampaign } from 'chimney/internal/scenario/simulate-campaign';

const SCRIPT = `
  import { runSeed } from 'chimney/internal/scenario/simulate';
  console.log(JSON.stringify(runSeed(Number(process.argv[1]))));
`;

test('a seed gives the same hash in a process of its own', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', SCRIPT, '11'], { encoding: 'utf8' });
  expect(JSON.parse(output) as SeedResult).toEqual(runSeed(11));
});

test('a campaign on two threads counts every seed once', async () => {
  const seen: number[] = [];
  const { totals, failures } = await runCampaign({
    first: 1000,
    count: 40,
    threads: 2,
    onProgress: ({ seeds }) => seen.push(seeds),
  });
  expect(failures).toEqual([]);
  expect(totals.seeds).toBe(40);
  expect(totals.takenBack).toBe(totals.offloaded);
  expect(seen.at(-1)).toBe(40);
});
