/**
 * `chimney packetdrill`: scripts of the packetdrill language played against this stack in virtual time, on the host path, on
 * the chimney, or with connections that change hands at every line.
 */
import { readFileSync } from 'node:fs';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { ChimneyError } from '../base/errors.ts';
import type { ScriptOption } from '../packetdrill/ast.ts';
import { type DrillPath, PATHS, playFile, type ScriptReport } from '../packetdrill/play.ts';
import { printJson } from './output.ts';
import { oneOf } from './values.ts';

const EXAMPLES = `
Paths:
  host      TCP runs on the host
  chimney   each connection goes to the NIC right after its handshake
  every     the script again and again, with a hand-over in front of each of its lines: once to the NIC, once back

Examples:
  chimney packetdrill test/packetdrill/*.pkt
  chimney packetdrill --path every close.pkt     a hand-over shows nowhere
  chimney packetdrill --ip-version ipv6 *.pkt    scripts for both families, over the other one
  chimney packetdrill --json tests/*.pkt > report.json
`;

const IP_VERSIONS = ['ipv4', 'ipv6'];

interface DrillFlags {
  path: DrillPath;
  define: ReadonlyMap<string, string>;
  ipVersion?: string;
  option: readonly ScriptOption[];
  json?: boolean;
  quiet?: boolean;
}

/** What runners of public collections of scripts define, for the addresses that are the defaults here too. */
const DEFINITIONS: readonly (readonly [string, string])[] = [['CODE', 'host_unreachable']];

export function packetdrillCommand(setExitCode: (code: number) => void): Command {
  return new Command('packetdrill')
    .summary('packetdrill scripts against this stack')
    .description(
      'Plays packetdrill scripts in virtual time: packets in and out, system calls, TCP_INFO. What differs first is shown as ' +
        'the line that was expected and what was seen. A script that wants what is not there is unsupported, never passed.',
    )
    .addArgument(new Argument('<file...>', 'scripts'))
    .addOption(new Option('--path <path>', PATHS.join(', ')).argParser(oneOf(PATHS)).default('host'))
    .option('--define <name=value>', 'a word to replace in scripts; may be repeated', definition, new Map(DEFINITIONS))
    .addOption(
      new Option('--ip-version <version>', `of scripts that do not say: ${IP_VERSIONS.join(', ')}`).argParser(
        oneOf(IP_VERSIONS),
      ),
    )
    .option(
      '--option <name=value>',
      "one of packetdrill's own that the script does not set, such as remote_ip=2001:db8::1; may be repeated",
      scriptOption,
      [],
    )
    .option('--json', 'print one JSON document on stdout')
    .option('--quiet', 'only what did not pass')
    .addHelpText('after', EXAMPLES)
    .action((files: string[], flags: DrillFlags) => setExitCode(drill(files, flags)));
}

function definition(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It takes NAME=VALUE.');
  return new Map(before).set(text.slice(0, equals), text.slice(equals + 1));
}

function scriptOption(text: string, before: readonly ScriptOption[]): readonly ScriptOption[] {
  const [, name, value] = /^(\w+)(?:=(.*))?$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('It takes NAME=VALUE.');
  return [...before, { name, value: value ?? '', line: 0 }];
}

function drill(files: readonly string[], flags: DrillFlags): number {
  for (const file of files) checkReadable(file);
  const { ipVersion } = flags;
  const version = ipVersion === undefined ? [] : [{ name: 'ip_version', value: ipVersion, line: 0 }];
  const options: ScriptOption[] = [...version, ...flags.option];
  const reports: ScriptReport[] = [];
  for (const file of files) {
    const report = playFile(file, flags.path, { definitions: flags.define, options });
    reports.push(report);
    if (flags.json !== true) tell(report, flags.quiet ?? false);
    else if (report.verdict === 'failed') process.stderr.write(`${report.reason}\n`);
  }
  const count = (verdict: ScriptReport['verdict']): number => reports.filter(each => each.verdict === verdict).length;
  const totals = { passed: count('passed'), failed: count('failed'), unsupported: count('unsupported') };
  if (flags.json === true) {
    const scripts = reports.map(({ file, path, verdict, reason }) => ({ file, path, verdict, reason }));
    printJson({ ...totals, scripts });
  } else {
    const { passed, failed, unsupported } = totals;
    process.stdout.write(`${passed} passed, ${failed} failed, ${unsupported} unsupported (path ${flags.path})\n`);
  }
  return totals.failed === 0 ? 0 : 1;
}

function tell({ file, verdict, reason, output }: ScriptReport, quiet: boolean): void {
  for (const line of output) process.stderr.write(`${line}\n`);
  if (verdict === 'passed') {
    if (!quiet) process.stdout.write(`passed       ${file}\n`);
  } else if (verdict === 'failed') process.stdout.write(`FAILED       ${reason}\n`);
  else process.stdout.write(`unsupported  ${reason}\n`);
}

function checkReadable(file: string): void {
  try {
    readFileSync(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ChimneyError('ERR_CHIMNEY_OPTION', `<file...>: cannot read ${file} (${code})`, { cause });
  }
}
