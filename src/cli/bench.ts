/**
 * `chimney bench`: runs the modules `bench/*.bench.mjs`, each measurement beside what a user would pick instead.
 * They belong to the repository, not to the installed package.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { ChimneyError } from '../base/errors.ts';
import { machineFacts } from '../scenario/machine-facts.ts';
import { figure, printJson, ProgressLine } from './output.ts';
import { packageRoot } from './package-root.ts';
import { listOf, name } from './values.ts';

const EXAMPLES = `
Examples:
  chimney bench                     everything
  chimney bench --only ring --quick one bench, briefly
  chimney bench --json              machine and rows as one JSON document
`;

/** As bench/rows.mjs describes it. */
interface BenchRow {
  readonly bench: string;
  readonly case: string;
  readonly value: number;
  readonly unit: string;
  readonly rival: string;
  readonly rivalValue: number;
  /** How many times better than the rival. */
  readonly ratio: number;
}

interface BenchModule {
  run(options: { quick: boolean }): Promise<readonly BenchRow[]>;
}

interface BenchFlags {
  only?: string[];
  quick?: boolean;
  json?: boolean;
}

const SUFFIX = '.bench.mjs';

export function benchCommand(setExitCode: (code: number) => void): Command {
  return new Command('bench')
    .summary('the benchmarks, each beside what a user would pick instead')
    .description('Runs the benchmarks of the repository and prints value, rival and ratio of each (above 1 is better).')
    .option('--only <names>', 'only these benches, with commas', listOf(name))
    .option('--quick', 'measure briefly: rough numbers')
    .option('--json', 'print one JSON document on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: BenchFlags) => setExitCode(await bench(flags)));
}

async function bench(flags: BenchFlags): Promise<number> {
  const line = new ProgressLine(false);
  const rows: BenchRow[] = [];
  const failed: { bench: string; error: string }[] = [];
  for (const [title, file] of benchFiles(flags.only)) {
    line.say(`bench ${title}`);
    try {
      const module = (await import(pathToFileURL(file).href)) as BenchModule;
      rows.push(...(await module.run({ quick: flags.quick ?? false })));
    } catch (error) {
      failed.push({ bench: title, error: error instanceof Error ? error.message : String(error) });
    }
  }
  if (flags.json === true) printJson({ machine: machineFacts(), rows, failed });
  else process.stdout.write(`${benchTable(rows)}\n`);
  for (const { bench: title, error } of failed) process.stderr.write(`chimney bench: ${title} failed: ${error}\n`);
  return failed.length === 0 && rows.length > 0 ? 0 : 1;
}

/** Title and file of each bench that was asked for. */
function benchFiles(only: readonly string[] | undefined): [string, string][] {
  const folder = join(packageRoot, 'bench');
  const files = existsSync(folder) ? readdirSync(folder).filter(file => file.endsWith(SUFFIX)) : [];
  if (files.length === 0) {
    const message = `bench: there are no benchmarks in ${folder}; they come with the repository, not with the package`;
    throw new ChimneyError('ERR_CHIMNEY_BENCH', message);
  }
  const titles = files.map(file => file.slice(0, -SUFFIX.length)).sort();
  const unknown = only?.find(title => !titles.includes(title));
  if (unknown !== undefined) {
    throw new ChimneyError('ERR_CHIMNEY_OPTION', `--only: no bench '${unknown}'; there are ${titles.join(', ')}`);
  }
  return titles.filter(title => only?.includes(title) ?? true).map(title => [title, join(folder, `${title}${SUFFIX}`)]);
}

function benchTable(rows: readonly BenchRow[]): string {
  const cells = rows.map(row => [
    row.bench,
    row.case,
    figure(row.value, row.unit),
    `${figure(row.rivalValue, row.unit)} (${row.rival})`,
    `${figure(row.ratio)} ×`,
  ]);
  const table = [['bench', 'case', 'chimney', 'rival', 'ratio'], ...cells];
  const widths = table[0]!.map((_, column) => Math.max(...table.map(row => row[column]!.length)));
  return table
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
