/**
 * The command line: `chimney storm`, `simulate`, `fuzz`, `ladder`, `packetdrill`, `cost`, `bench`.
 *
 * Exit codes: 0 success, 1 a failed result, 2 a usage error, told in one line that names the option and the remedy.
 */
import { Command, CommanderError } from 'commander';
import { ChimneyError } from '../base/errors.ts';
import { benchCommand } from './bench.ts';
import { costCommand } from './cost.ts';
import { fuzzCommand } from './fuzz.ts';
import { ladderCommand } from './ladder.ts';
import { printJson } from './output.ts';
import { packetdrillCommand } from './packetdrill.ts';
import { packageVersion } from './package-root.ts';
import { simulateCommand } from './simulate.ts';
import { stormCommand } from './storm.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** What the user can put right; everything else with a code is a failure. */
const USAGE_CODES = new Set([
  'ERR_CHIMNEY_OPTION',
  'ERR_CHIMNEY_WWW',
  'ERR_CHIMNEY_MEMORY',
  'ERR_CHIMNEY_CAPTURE',
  'ERR_CHIMNEY_CLIENT_LOAD',
  'ERR_CHIMNEY_BENCH',
]);

const EXAMPLES = `
Examples:
  chimney storm                    the main job, with a failover half-way
  chimney storm --help             its options
  chimney simulate --seeds 200     200 seeded machines in virtual time
  chimney fuzz                     a million forged frames
  chimney ladder fig3              a connection is offloaded, step by step
  chimney packetdrill FILE...      packetdrill scripts against this stack
  chimney cost --quick             what offload costs here, and when it pays
  chimney bench --quick            the benchmarks, briefly
`;

/**
 * Runs a command to its end; resolves with the exit code and never rejects.
 * @param words what stands behind `chimney`
 */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = makeProgram(code => (exitCode = code));
  try {
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (error) {
    return exitCodeOf(error, words.includes('--json'));
  }
}

function makeProgram(setExitCode: (code: number) => void): Command {
  const program = new Command('chimney')
    .description('An emulator of network adapters that take over whole TCP connections (TCP chimney offload).')
    .version(packageVersion(), '-V, --version', 'print the version')
    .addHelpText('after', EXAMPLES);
  const commands = [
    stormCommand,
    simulateCommand,
    fuzzCommand,
    ladderCommand,
    packetdrillCommand,
    costCommand,
    benchCommand,
  ];
  for (const make of commands) program.addCommand(make(setExitCode));
  for (const command of [program, ...program.commands]) {
    command.exitOverride();
    command.configureOutput({ outputError: text => complain(oneLine(text), command) });
    command.helpOption('-h, --help', 'print this help');
  }
  return program;
}

/** Commander says `error: …`, a suggestion on a line of its own. */
function oneLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*\((.*)\)/g, ' ($1)')
    .replaceAll(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
}

function complain(text: string, command: Command): void {
  const name = command.parent === null ? command.name() : `${command.parent.name()} ${command.name()}`;
  process.stderr.write(`chimney: ${text} (see ${name} --help)\n`);
}

function exitCodeOf(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof ChimneyError && USAGE_CODES.has(error.code)) {
    process.stderr.write(`chimney: ${oneLine(error.message)}\n`);
    return EXIT_USAGE;
  }
  const told = error instanceof ChimneyError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`chimney: ${told}\n`);
  if (json) {
    const { code, message } = error as Partial<ChimneyError>;
    printJson({ ok: false, error: { code: code ?? 'ERR_CHIMNEY_INTERNAL', message: message ?? String(error) } });
  }
  return EXIT_FAILED;
}
