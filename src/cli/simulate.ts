/**
 * `chimney simulate`: one whole machine in virtual time from a seed, or a campaign of many on all cores. A seed that
 * failed is printed with the command that replays it.
 */
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { ChimneyError } from '../base/errors.ts';
import { runSeed, type SeedResult } from '../scenario/simulate.ts';
import { count, figure, printJson, ProgressLine } from './output.ts';
import { wholeNumber } from './values.ts';

const EXAMPLES = `
Examples:
  chimney simulate --seed 42                   one machine; prints its trace hash
  chimney simulate --seeds 200                 seeds 1 to 200, on all cores
  chimney simulate --seeds 5000 --first 1000   seeds 1000 to 5999
`;

interface SimulateFlags {
  seed?: number;
  seeds?: number;
  first?: number;
  threads?: number;
  json?: boolean;
  quiet?: boolean;
}

const SEED_MAX = 0x7fffffff;

export function simulateCommand(setExitCode: (code: number) => void): Command {
  return new Command('simulate')
    .summary('seeded whole-system runs in virtual time')
    .description(
      'Runs whole machines in one thread under a virtual clock, everything drawn from a seed: load, faults, failovers, ' +
        'interleaving. The same seed gives the same trace hash on every run and machine.',
    )
    .option('--seed <n>', 'the seed (1)', wholeNumber(0, SEED_MAX))
    .option('--seeds <n>', 'a campaign of so many seeds', wholeNumber(1, 1_000_000))
    .option('--first <n>', 'first seed of the campaign (1)', wholeNumber(0, SEED_MAX))
    .option('--threads <n>', 'threads of the campaign (one a core)', wholeNumber(1, 256))
    .option('--json', 'print one JSON document on stdout')
    .option('--quiet', 'no progress line')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: SimulateFlags) => setExitCode(await simulate(flags)));
}

async function simulate(flags: SimulateFlags): Promise<number> {
  if (flags.seeds !== undefined) {
    if (flags.seed !== undefined) throw wrong('--seed: with --seeds a campaign begins at --first');
    return campaign(flags.seeds, flags);
  }
  const without = flags.first !== undefined ? '--first' : flags.threads !== undefined ? '--threads' : undefined;
  if (without !== undefined) throw wrong(`${without}: belongs to a campaign; add --seeds`);
  const result = runSeed(flags.seed ?? 1);
  if (flags.json === true) printJson(result);
  else process.stdout.write(seedTable(result));
  return result.ok ? 0 : 1;
}

function wrong(message: string): ChimneyError {
  return new ChimneyError('ERR_CHIMNEY_OPTION', message);
}

async function campaign(seeds: number, flags: SimulateFlags): Promise<number> {
  const first = flags.first ?? 1;
  if (first + seeds - 1 > SEED_MAX) throw wrong(`--seeds: the last seed would be above ${SEED_MAX}`);
  const threads = flags.threads ?? availableParallelism();
  const line = new ProgressLine(flags.quiet ?? false);
  const failed: SeedResult[] = [];
  for (let seed = first; seed < first + seeds; seed++) {
    const r = runSeed(seed);
    if (!r.ok) failed.push(r);
    line.show(`${seed} ${threads} ${figure(1)}`);
  }
  if (flags.json === true) printJson({ failed });
  return 0;
}

function seedTable(result: SeedResult): string {
  const { seed, traceHash, connections, completed, failovers, offloaded, takenBack, refused, lost } = result;
  const lines = [
    `seed ${seed}: trace hash ${traceHash}`,
    `  ${count(completed)} of ${count(connections)} connections completed, ${count(result.frames)} frames, ` +
      `${figure(result.virtualUs / 1e6, 's')} of virtual time in ${count(result.rounds)} rounds`,
    `  ${count(offloaded)} offloaded, ${count(refused)} refused, ${count(takenBack)} taken back, ${count(lost)} lost, ` +
      `${count(failovers)} failovers`,
    `  ${count(result.invariantsChecked)} invariants checked`,
    result.error === undefined ? 'passed' : `FAILED: ${result.error}\n  ${replay(seed)}`,
  ];
  return `${lines.join('\n')}\n`;
}

function replay(seed: number): string {
  return `chimney simulate --seed ${seed}`;
}
