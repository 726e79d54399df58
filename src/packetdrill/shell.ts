/**
 * The shell commands of scripts, read instead of run: settings of the kernel are taken over, commands that do nothing to the
 * stack are passed over by name, and anything else makes the script unsupported. Scripts of settings beside the test
 * (`defaults.sh`) are read too.
 *
 * Enough of the shell for such lines is in shell-words.ts. Commands that look at the host (`nstat`, `ss`) show what it can tell,
 * once there is one, and what greps them decides (host-reports.ts).
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { grep } from './grep.ts';
import type { HostReports } from './host-reports.ts';
import { Mismatch } from './mismatch.ts';
import { parseRouteCommand } from './route-commands.ts';
import { Unsupported } from './script-error.ts';
import type { Settings } from './settings.ts';
import { type Pipeline, pipelinesOf } from './shell-words.ts';
import { applySysctl } from './sysctl.ts';

/** They change devices and files that are not there, or wait for nothing. */
const HARMLESS = new Set('tc ethtool true : test [ chmod mkdir modprobe sync export ulimit set cd'.split(' '));

/** A queue that neither drops nor paces is what a cable has anyway. */
const PLAIN_QDISC = /^(?:qdisc|add|replace|change|del|delete|dev|root|pfifo|pfifo_fast|noqueue)$/;

const FOLDERS_MAX = 8;

export interface ShellScript {
  readonly text: string;
  readonly line: number;
  /** Of the packetdrill script: what relative paths count from. */
  readonly folder: string;
}

/** Takes over what the commands set. Returns how long they sleep, µs. `reports`: what can be looked at by now. */
export function runShell(
  script: ShellScript,
  settings: Settings,
  reports: HostReports | null = null,
  depth = 0,
): number {
  let sleptUs = 0;
  for (const pipeline of pipelinesOf(script.text, script.line)) {
    const [first, ...filters] = pipeline;
    if (REPORTS.has(basename(first![0]!))) report(pipeline, script.line, reports);
    else if (filters.length > 0) throw new Unsupported(script.line, `shell pipes from ${first![0]}`);
    else sleptUs += runCommand(first!, script, settings, depth);
  }
  return sleptUs;
}

const REPORTS = new Set(['nstat', 'ss']);

/** Of a pipeline the last command says whether it has failed, and with it the line of the script. */
function report(pipeline: Pipeline, line: number, reports: HostReports | null): void {
  const [[command, ...args], ...filters] = pipeline as readonly [readonly [string, ...string[]], ...Pipeline];
  const name = basename(command);
  if (reports === null) {
    // Forgetting counters changes nothing before there are any.
    if (name === 'nstat' && filters.length === 0) return;
    throw new Unsupported(line, `${name} before the first event`);
  }
  const lines = name === 'nstat' ? reports.nstat(args, filters, line) : reports.sockets(args, line);
  let left = lines;
  for (const filter of filters) left = grep(filter, left, line);
  if (filters.length === 0 || left.length > 0) return;
  const text = pipeline.map(words => words.join(' ')).join(' | ');
  throw new Mismatch(line, `command failed: ${text}\n  it finds nothing in\n    ${lines.join('\n    ')}`);
}

function runCommand(words: readonly string[], script: ShellScript, settings: Settings, depth: number): number {
  const [command, ...rest] = words as [string, ...string[]];
  const { line } = script;
  const name = basename(command);
  const unknown = (): Unsupported => new Unsupported(line, `shell command: ${words.join(' ').slice(0, 60)}`);
  if (name === 'tc' && !rest.every(word => PLAIN_QDISC.test(word) || word === rest[3])) throw unknown();
  if (MAKES_FILES.has(name)) {
    makeFiles(name, rest, settings);
    return 0;
  }
  if (HARMLESS.has(name) || /^sysctl_restore_.*\.sh$/.test(name)) return 0;
  if (name === 'sysctl' || name === 'set_sysctls.py') {
    for (const word of rest) if (!word.startsWith('-')) assign(word, settings, line);
  } else if (name === 'echo') {
    runEcho(rest, settings, line, unknown);
  } else if (name === 'sleep') {
    return Math.round(Number(rest[0]) * 1e6);
  } else if (name === 'ip') {
    runIp(rest, settings, line, unknown);
  } else if (name.endsWith('.sh') && depth < FOLDERS_MAX) {
    return runFile(command, script, settings, depth);
  } else {
    throw unknown();
  }
  return 0;
}

const MAKES_FILES = new Set(['dd', 'touch', 'truncate', 'rm']);

/** What open() finds afterwards. */
function makeFiles(name: string, words: readonly string[], { files }: Settings): void {
  const paths = words.filter(word => word.startsWith('/'));
  const value = (key: string): string | undefined => words.find(word => word.startsWith(key))?.slice(key.length);
  if (name === 'rm') for (const path of paths) files.delete(path);
  else if (name === 'touch') for (const path of paths) files.set(path, files.get(path) ?? 0);
  else if (name === 'truncate') {
    const at = words.indexOf('-s');
    const size = bytesOf(value('--size=') ?? words[at + 1] ?? '');
    for (const path of paths) files.set(path, size);
  } else {
    const size = bytesOf(value('bs=') ?? '512') * bytesOf(value('count=') ?? '1');
    files.set(value('of=') ?? '', size);
  }
}

/** `4k`, `1M`, as dd and truncate have it. */
function bytesOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+)([kKMG]?)B?$/.exec(text) ?? [];
  const power = ['', 'K', 'M', 'G'].indexOf(unit.toUpperCase());
  return digits === undefined ? 0 : Number(digits) * 1024 ** power;
}

function runIp(words: readonly string[], settings: Settings, line: number, unknown: () => Unsupported): void {
  const version = words[0] === '-4' ? 4 : words[0] === '-6' ? 6 : 0;
  const [object, ...rest] = version === 0 ? words : words.slice(1);
  if (object === 'tcp_metrics') settings.forgetsPeers = true;
  else if (object === 'route') settings.routes.push(parseRouteCommand(rest, version, line));
  else if (object !== 'link') throw unknown();
}

function assign(word: string, settings: Settings, line: number): void {
  const equals = word.indexOf('=');
  if (equals < 0) throw new Unsupported(line, `sysctl ${word}`);
  applySysctl(settings, word.slice(0, equals), word.slice(equals + 1).trim(), line);
}

/** `echo VALUE > /proc/sys/…`; to anywhere else it does nothing. */
function runEcho(words: readonly string[], settings: Settings, line: number, unknown: () => Unsupported): void {
  const arrow = words.indexOf('>');
  const target = arrow < 0 ? '' : words[arrow + 1]!;
  const value = words.slice(0, Math.max(0, arrow)).join(' ');
  if (target.startsWith('/proc/sys/')) applySysctl(settings, target, value, line);
  else if (target.startsWith('/sys/')) throw unknown();
}

function runFile(file: string, { folder, line }: ShellScript, settings: Settings, depth: number): number {
  const path = resolve(folder, file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // The usual file of settings has a usual content; others cannot be guessed.
    if (basename(file) !== 'defaults.sh') throw new Unsupported(line, `shell script ${file}: not there`);
    text = USUAL_DEFAULTS;
  }
  // Its own lines are not the script's: what is wrong in it is reported where it is called.
  const inner = text
    .split('\n')
    .filter(each => !each.startsWith('#!'))
    .join('\n');
  return runShell({ text: inner, line, folder: dirname(path) }, settings, null, depth + 1);
}

/** What test collections set first so that they do not depend on a distribution. */
const USUAL_DEFAULTS = `
  sysctl -q net.ipv4.tcp_rmem="4096 540000 15728640" net.ipv4.tcp_wmem="4096 262144 4194304"
  sysctl -q net.ipv4.tcp_timestamps=1 net.ipv4.tcp_sack=1 net.ipv4.tcp_dsack=1 net.ipv4.tcp_ecn=0
  sysctl -q net.ipv4.tcp_syn_retries=5 net.ipv4.tcp_synack_retries=5 net.ipv4.tcp_reordering=3
  sysctl -q net.ipv4.tcp_congestion_control=cubic net.ipv4.tcp_slow_start_after_idle=0 net.ipv4.tcp_frto=2
  sysctl -q net.ipv4.tcp_early_retrans=4 net.ipv4.tcp_recovery=1
  sysctl -q net.ipv4.tcp_fastopen=0x70403 net.ipv4.tcp_syncookies=1
  sysctl -q net.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4
`;
