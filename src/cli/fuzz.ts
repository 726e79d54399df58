/**
 * `chimney fuzz`: forged frames for whole machines in virtual time, a machine a seed, on all cores. A machine that broke is
 * printed with the command that breaks it again.
 */
import { Command } from 'commander';
import { ChimneyError } from '../base/errors.ts';
import type { FuzzResult } from '../scenario/fuzz/fuzz.ts';
import {
  type FuzzProgress,
  type FuzzTotals,
  machinesFor,
  noFuzzTotals,
  runFuzzCampaign,
} from '../scenario/fuzz/fuzz-campaign.ts';
import { onInterrupt } from './interrupt.ts';
import { count, figure, printJson, ProgressLine } from './output.ts';
import { wholeNumber } from './values.ts';

const EXAMPLES = `
Examples:
  chimney fuzz                                 a million frames from seed 1 on
  chimney fuzz --frames 10000000 --seed 5000   ten million, other ones
  chimney fuzz --frames 1 --seed 507           the machine of one seed
`;

interface FuzzFlags {
  frames?: number;
  seed?: number;
  threads?: number;
  json?: boolean;
  quiet?: boolean;
}

const SEED_MAX = 0x7fffffff;
const FRAMES_DEFAULT = 1_000_000;
const FRAMES_MAX = 1_000_000_000;

export function fuzzCommand(setExitCode: (code: number) => void): Command {
  return new Command('fuzz')
    .summary('forged and damaged frames for whole machines, by the million')
    .description(
      'Feeds machines with live connections — on the host path, offloaded, on the move — frames that were mutated, spliced, ' +
        'cut into fragments or made up. Nothing may throw, hang or get lost. The same seed feeds the same frames.',
    )
    .option('--frames <n>', `frames at least (${count(FRAMES_DEFAULT)})`, wholeNumber(1, FRAMES_MAX))
    .option('--seed <n>', 'seed of the first machine (1); each has the next one', wholeNumber(0, SEED_MAX))
    .option('--threads <n>', 'threads (one a core)', wholeNumber(1, 256))
    .option('--json', 'print one JSON document on stdout')
    .option('--quiet', 'no progress line')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: FuzzFlags) => setExitCode(await fuzz(flags)));
}

async function fuzz(flags: FuzzFlags): Promise<number> {
  const first = flags.seed ?? 1;
  const frames = flags.frames ?? FRAMES_DEFAULT;
  const machines = machinesFor(frames);
  if (first + machines - 1 > SEED_MAX) {
    throw new ChimneyError('ERR_CHIMNEY_OPTION', `--frames: the last seed would be above ${SEED_MAX}`);
  }
  const line = new ProgressLine(flags.quiet ?? false);
  const since = performance.now();
  const seconds = (): number => (performance.now() - since) / 1000;
  let soFar: FuzzProgress = { totals: noFuzzTotals(), failures: [] };
  let done = (): void => {};
  const interrupted = new Promise<boolean>(resolve => {
    done = onInterrupt(() => resolve(true));
  });
  const running = runFuzzCampaign({ first, count: machines, threads: flags.threads }, progress => {
    soFar = progress;
    line.show(progressText(progress.totals, frames, seconds()));
  });
  const isInterrupted = await Promise.race([running.then(() => false), interrupted]);
  done();
  line.clear();
  const report = reportOf(first, frames, soFar, seconds(), isInterrupted);
  if (flags.json === true) printJson(report);
  else process.stdout.write(fuzzText(report));
  // The pool's threads know no interrupt: they end with the process.
  if (isInterrupted) process.exit(1);
  return soFar.totals.machines === machines && soFar.totals.failed === 0 ? 0 : 1;
}

interface FuzzReport {
  readonly requested: number;
  readonly first: number;
  readonly framesPerSecond: number;
  readonly totals: FuzzTotals;
  readonly findings: readonly (FuzzResult & { replay: string })[];
  readonly seconds: number;
  readonly interrupted: boolean;
}

function reportOf(
  first: number,
  requested: number,
  { totals, failures }: FuzzProgress,
  seconds: number,
  interrupted: boolean,
): FuzzReport {
  const findings = failures
    .map(failure => ({ ...failure, replay: `npm run chimney -- fuzz --frames 1 --seed ${failure.seed}` }))
    .toSorted((a, b) => a.seed - b.seed);
  return { requested, first, framesPerSecond: totals.frames / seconds, totals, findings, seconds, interrupted };
}

function fuzzText({ first, framesPerSecond, totals, findings, seconds, interrupted }: FuzzReport): string {
  const { machines, failed, frames, connections, handOvers, uploads, virtualUs } = totals;
  const cut = interrupted ? '; interrupted' : '';
  const lines = [
    `${count(frames)} frames in ${figure(seconds, 's')} (${count(framesPerSecond)}/s), ${count(failed)} findings${cut}`,
    `  ${count(machines)} machines (seeds from ${first}), ${count(connections)} connections, ${count(handOvers)} hand-overs, ` +
      `${count(uploads)} uploads, ${figure(virtualUs / 1e6, 's')} of virtual time`,
  ];
  for (const { seed, error, replay } of findings) {
    lines.push(`FOUND seed ${seed}`, ...(error ?? '').split('\n').map(each => `  ${each}`), `  ${replay}`);
  }
  return `${lines.join('\n')}\n`;
}

function progressText(totals: FuzzTotals, frames: number, seconds: number): string {
  const findings = totals.failed > 0 ? `, ${count(totals.failed)} FINDINGS` : '';
  return `${count(totals.frames)}/${count(frames)} frames${findings}, ${count(totals.frames / seconds)}/s`;
}
