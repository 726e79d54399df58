/**
 * `chimney cost`: measures the terms of A + [B − C] on this machine and says when offload pays (R35). What the terms are is
 * in the help, how to read the figures in docs/cost-model.md.
 */
import { Command } from 'commander';
import { measureCost } from '../scenario/cost-job.ts';
import { costSvg } from '../scenario/cost-svg.ts';
import { costTable } from './cost-table.ts';
import { checkWritable, printJson, ProgressLine, writeText } from './output.ts';
import { name, wholeNumber } from './values.ts';

const TERMS = `
An offloaded connection costs A + [B − C]:
  A  handing it over and taking it back, which lists of many make cheap
  B  its traffic on the host path
  C  what of that traffic is left to the host when the NIC works on it
Offload pays where B − C is at least A. "any": for the shortest reply; "never": for none, the host saves nothing.
Negative figures are differences that the noise has swallowed. See docs/cost-model.md.
`;

const EXAMPLES = `
Examples:
  chimney cost                        lists of 1 to 4,096
  chimney cost --quick                rough figures in a few seconds
  chimney cost --max 256 --json       one JSON document
  chimney cost --svg cost.svg         A and break-even as curves
`;

interface CostFlags {
  max?: number;
  rounds?: number;
  quick?: boolean;
  svg?: string;
  json?: boolean;
  quiet?: boolean;
}

const MAX_DEFAULT = 4096;
const MAX_QUICK = 512;
const ROUNDS_DEFAULT = 15;
const ROUNDS_QUICK = 5;

export function costCommand(setExitCode: (code: number) => void): Command {
  return new Command('cost')
    .summary('the cost meter: what offload costs, what it saves, and when it pays')
    .description('Measures what handing connections over costs and what it saves, host thread and NIC apart.')
    .option('--max <n>', `longest list (${MAX_DEFAULT}; ${MAX_QUICK} with --quick)`, wholeNumber(1, 4096))
    .option(
      '--rounds <n>',
      `rounds to take medians of (${ROUNDS_DEFAULT}; ${ROUNDS_QUICK} with --quick)`,
      wholeNumber(1, 1000),
    )
    .option('--quick', 'measure briefly: rough numbers')
    .option('--svg <file>', 'write the curves, both axes logarithmic', name)
    .option('--json', 'print one JSON document on stdout')
    .option('--quiet', 'no progress line')
    .addHelpText('after', `${TERMS}${EXAMPLES}`)
    .action((flags: CostFlags) => setExitCode(cost(flags)));
}

function cost(flags: CostFlags): number {
  const quick = flags.quick ?? false;
  const max = flags.max ?? (quick ? MAX_QUICK : MAX_DEFAULT);
  const rounds = flags.rounds ?? (quick ? ROUNDS_QUICK : ROUNDS_DEFAULT);
  if (flags.svg !== undefined) checkWritable('svg', flags.svg);
  const line = new ProgressLine(flags.quiet ?? false);
  const report = measureCost({ max, rounds, quick }, text => line.show(text));
  line.clear();
  if (flags.svg !== undefined) writeText('svg', flags.svg, costSvg(report));
  if (flags.json === true) printJson(report);
  else process.stdout.write(costTable(report));
  return 0;
}
