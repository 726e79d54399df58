/**
 * `chimney ladder`: a figure of the design run live on a simulated machine, printed step by step with real values. The
 * ladder checks itself: exit code 1 says that the operation did not do what the figure says.
 */
import { Argument, Command, Option } from 'commander';
import { ChimneyError } from '../base/errors.ts';
import type { HostOffloadOptions } from '../host/offload-options.ts';
import { FIGURES } from '../scenario/figures/figures.ts';
import { ladderMermaid } from '../scenario/ladder-mermaid.ts';
import { ladderSvg } from '../scenario/ladder-svg.ts';
import { ladderText } from '../scenario/ladder-text.ts';
import { checkWritable, printJson, writeText } from './output.ts';
import { name, oneOf, wholeNumber } from './values.ts';

const EXAMPLES = `
Examples:
  chimney ladder fig3                        offload: 330 down, 308 up, then the device works
  chimney ladder fig3 --state with-request   as it shipped: state travels with the request
  chimney ladder fig9 --connections 4        failover of a team under traffic
  chimney ladder fig10 --svg fig10.svg       the same as a sequence diagram
  chimney ladder fig7 --mermaid              for Markdown
`;

interface LadderFlags {
  connections?: number;
  seed?: number;
  state?: HostOffloadOptions['state'];
  svg?: string;
  mermaid?: boolean;
  json?: boolean;
}

const CONNECTIONS_MAX = 4096;
const STATES = ['at-completion', 'with-request'] as const;

export function ladderCommand(setExitCode: (code: number) => void): Command {
  const figures = [...FIGURES.keys()];
  const told = [...FIGURES].map(([key, { what }]) => `  ${key.padEnd(6)} ${what}`).join('\n');
  return new Command('ladder')
    .summary('a figure, live: who calls whom, with real handles, sequence numbers and statuses')
    .description('Runs the operation of a figure on a simulated machine in virtual time and prints it step by step.')
    .addArgument(new Argument('<figure>', figures.join(', ')).argParser(oneOf(figures)))
    .option('--connections <n>', 'connections that take part', wholeNumber(1, CONNECTIONS_MAX))
    .option('--seed <n>', 'seed of interleaving and sequence numbers (1)', wholeNumber(0, 0x7fffffff))
    .addOption(
      new Option('--state <when>', `fig3: when layers send their state, ${STATES.join(' or ')}`).argParser(
        oneOf(STATES),
      ),
    )
    .option('--svg <file>', 'write a sequence diagram', name)
    .option('--mermaid', 'print a Mermaid sequence diagram on stdout instead')
    .option('--json', 'print one JSON document on stdout')
    .addHelpText('after', `\nFigures:\n${told}\n${EXAMPLES}`)
    .action((figure: string, flags: LadderFlags) => setExitCode(ladder(figure, flags)));
}

function ladder(key: string, flags: LadderFlags): number {
  const { run, connections: range } = FIGURES.get(key)!;
  const connections = flags.connections ?? range.default;
  if (connections < range.min || connections > range.max)
    throw wrong(`--connections: ${key} takes ${range.min} to ${range.max}`);
  if (flags.state !== undefined && key !== 'fig3') throw wrong(`--state: belongs to fig3, ${key} has one form`);
  if (flags.mermaid === true && flags.json === true)
    throw wrong('--mermaid: prints on stdout, as --json does; take one');
  if (flags.svg !== undefined) checkWritable('svg', flags.svg);
  const result = run({ seed: flags.seed ?? 1, connections, state: flags.state });
  if (flags.svg !== undefined) writeText('svg', flags.svg, ladderSvg(result));
  if (flags.json === true) printJson(result);
  else process.stdout.write(flags.mermaid === true ? ladderMermaid(result) : ladderText(result));
  return result.ok ? 0 : 1;
}

function wrong(message: string): ChimneyError {
  return new ChimneyError('ERR_CHIMNEY_OPTION', message);
}
