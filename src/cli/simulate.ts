/**
 * `chimney simulate`: one whole machine in virtual time from a seed, or a campaign of many on all cores. A seed that
 * failed is printed with the command that replays it.
 */
import { Command } from 'commander';
import { ChimneyError } from '../base/errors.ts';
import { runSeed, type SeedResult } from '../scenario/simulate.ts';
import { type CampaignResult, type CampaignTotals, runCampaign } from '../scenario/simulate-campaign.ts';
import { onInterrupt } from './interrupt.ts';
import { count, figure, printJson, ProgressLine } from './output.ts';
import { transparencyCampaign, transparencySeed } from './transparency.ts';
import { wholeNumber } from './values.ts';

const EXAMPLES = `
Examples:
  chimney simulate --seed 42                   one machine; prints its trace hash
  chimney simulate --seeds 200                 seeds 1 to 200, on all cores
  chimney simulate --seeds 5000 --first 1000   seeds 1000 to 5999
  chimney simulate --transparency --seeds 2000 each seed with and without offload
`;

interface SimulateFlags {
  seed?: number;
  seeds?: number;
  first?: number;
  threads?: number;
  transparency?: boolean;
  shrink?: boolean;
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
    .option('--transparency', 'two applications must see what they see with offload disabled')
    .option('--shrink', 'with --transparency: leave out of a failing seed what it fails without')
    .option('--json', 'print one JSON document on stdout')
    .option('--quiet', 'no progress line')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: SimulateFlags) => setExitCode(await simulate(flags)));
}

async function simulate(flags: SimulateFlags): Promise<number> {
  const { transparency = false, shrink = false } = flags;
  if (shrink && (!transparency || flags.seeds !== undefined)) throw wrong('--shrink: goes with --transparency --seed');
  if (flags.seeds !== undefined) {
    if (flags.seed !== undefined) throw wrong('--seed: with --seeds a campaign begins at --first');
    const first = flags.first ?? 1;
    if (first + flags.seeds - 1 > SEED_MAX) throw wrong(`--seeds: the last seed would be above ${SEED_MAX}`);
    return transparency ? transparencyCampaign(first, flags.seeds, flags) : campaign(first, flags.seeds, flags);
  }
  const without = flags.first !== undefined ? '--first' : flags.threads !== undefined ? '--threads' : undefined;
  if (without !== undefined) throw wrong(`${without}: belongs to a campaign; add --seeds`);
  if (transparency) return transparencySeed(flags.seed ?? 1, shrink, flags.json ?? false);
  const result = runSeed(flags.seed ?? 1);
  if (flags.json === true) printJson(result);
  else process.stdout.write(seedTable(result));
  return result.ok ? 0 : 1;
}

function wrong(message: string): ChimneyError {
  return new ChimneyError('ERR_CHIMNEY_OPTION', message);
}

async function campaign(first: number, seeds: number, flags: SimulateFlags): Promise<number> {
  const line = new ProgressLine(flags.quiet ?? false);
  const since = performance.now();
  const seconds = (): number => (performance.now() - since) / 1000;
  let soFar: CampaignTotals | null = null;
  const onProgress = (totals: CampaignTotals): void => {
    soFar = totals;
    line.show(progressText(totals, seeds, seconds()));
  };
  let done = (): void => {};
  const interrupted = new Promise<null>(resolve => {
    done = onInterrupt(() => resolve(null));
  });
  const running = runCampaign({ first, count: seeds, threads: flags.threads, onProgress });
  const result = await Promise.race([running, interrupted]);
  done();
  line.clear();
  const report = reportOf(first, seeds, result, soFar, seconds());
  if (flags.json === true) printJson(report);
  else process.stdout.write(campaignTable(report));
  // The pool's threads know no interrupt: they end with the process.
  if (result === null) process.exit(1);
  return report.passed === seeds ? 0 : 1;
}

interface CampaignReport {
  /** How many were run, of how many. */
  readonly seeds: number;
  readonly requested: number;
  readonly first: number;
  readonly passed: number;
  readonly failed: readonly (SeedResult & { replay: string })[];
  readonly invariantsChecked: number;
  readonly totals: CampaignTotals | null;
  readonly seconds: number;
  readonly interrupted: boolean;
}

function reportOf(
  first: number,
  requested: number,
  result: CampaignResult | null,
  soFar: CampaignTotals | null,
  seconds: number,
): CampaignReport {
  const totals = result?.totals ?? soFar;
  return {
    seeds: totals?.seeds ?? 0,
    requested,
    first,
    passed: totals === null ? 0 : totals.seeds - totals.failed,
    failed: (result?.failures ?? []).map(failure => ({ ...failure, replay: replay(failure.seed) })),
    invariantsChecked: totals?.invariantsChecked ?? 0,
    totals,
    seconds,
    interrupted: result === null,
  };
}

function campaignTable(report: CampaignReport): string {
  const { seeds, requested, first, passed, failed, totals, seconds } = report;
  const interrupted = report.interrupted ? `; interrupted after ${count(seeds)}` : '';
  const lines = [
    `${count(passed)} of ${count(requested)} seeds passed (from ${first}) in ${figure(seconds, 's')}${interrupted}`,
  ];
  if (totals !== null) {
    lines.push(
      `  ${count(totals.completed)} connections, ${count(totals.failovers)} failovers, ${count(totals.offloaded)} ` +
        `offloaded, ${count(totals.takenBack)} taken back, ${count(totals.refused)} refused, ${count(totals.lost)} lost`,
      `  ${count(totals.frames)} frames, ${figure(totals.virtualUs / 1e6, 's')} of virtual time, ` +
        `${count(totals.invariantsChecked)} invariants checked`,
    );
  }
  for (const failure of failed) lines.push(`FAILED seed ${failure.seed}: ${failure.error}`, `  ${failure.replay}`);
  return `${lines.join('\n')}\n`;
}

function progressText(totals: CampaignTotals, seeds: number, seconds: number): string {
  const rate = figure(totals.seeds / seconds);
  const failures = totals.failed > 0 ? `, ${count(totals.failed)} FAILED` : '';
  return `${count(totals.seeds)}/${count(seeds)} seeds${failures}, ${rate}/s, ${count(totals.invariantsChecked)} checks`;
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
  return `npm run simulate -- --seed ${seed}`;
}
