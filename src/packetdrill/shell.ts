/**
 * The shell commands of scripts, read instead of run: settings of the kernel are taken over, commands that do nothing to the
 * stack are passed over by name, and anything else makes the script unsupported. Scripts of settings beside the test
 * (`defaults.sh`) are read too.
 *
 * Enough of the shell for such lines: quotes, comments, line continuation, `$((…))`, lists with `;`, `&&` and newlines,
 * redirections.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { parseRouteCommand } from './route-commands.ts';
import { Unsupported } from './script-error.ts';
import type { Settings } from './settings.ts';
import { applySysctl } from './sysctl.ts';

/** They change devices and files that are not there, or wait for nothing. */
const HARMLESS = new Set(
  'tc ethtool true : test [ rm dd touch chmod mkdir modprobe sync export ulimit set cd'.split(' '),
);

/** A queue that neither drops nor paces is what a cable has anyway. */
const PLAIN_QDISC = /^(?:qdisc|add|replace|change|del|delete|dev|root|pfifo|pfifo_fast|noqueue)$/;

const FOLDERS_MAX = 8;

export interface ShellScript {
  readonly text: string;
  readonly line: number;
  /** Of the packetdrill script: what relative paths count from. */
  readonly folder: string;
}

/** Takes over what the commands set. Returns how long they sleep, µs. */
export function runShell(script: ShellScript, settings: Settings, depth = 0): number {
  let sleptUs = 0;
  for (const words of commandsOf(script.text, script.line)) sleptUs += runCommand(words, script, settings, depth);
  return sleptUs;
}

function runCommand(words: readonly string[], script: ShellScript, settings: Settings, depth: number): number {
  const [command, ...rest] = words as [string, ...string[]];
  const { line } = script;
  const name = basename(command);
  const unknown = (): Unsupported => new Unsupported(line, `shell command: ${words.join(' ').slice(0, 60)}`);
  if (name === 'tc' && !rest.every(word => PLAIN_QDISC.test(word) || word === rest[3])) throw unknown();
  if (HARMLESS.has(name) || /^sysctl_restore_.*\.sh$/.test(name)) return 0;
  // Forgetting counters changes nothing; to look at them takes a pipe, and is not passed over.
  if (name === 'nstat' && rest.every(word => word.startsWith('-'))) return 0;
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
  return runShell({ text: inner, line, folder: dirname(path) }, settings, depth + 1);
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

/** The words of each command. Redirections stay as words only where something is written to a file (`echo`). */
export function commandsOf(text: string, line: number): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  const end = (): void => {
    if (words.length > 0) commands.push(words);
    words = [];
  };
  const pattern =
    /\\\n|[ \t\r]+|#[^\n]*|(\n|;|&&|\|\||\||&(?!>))|(\d?>&\d|&>|\d?>>?|<)|((?:\\[\s\S]|"(?:\\[\s\S]|[^"\\])*"|'[^']*'|\$\(\([\s\S]*?\)\)|\$\{\w+\}|[^\s;&|<>"'\\])+)/y;
  for (let at = 0; at < text.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) throw new Unsupported(line, `shell text: ${text.slice(at, at + 40)}`);
    const [, separator, redirection, word] = match;
    if (separator === '|') throw new Unsupported(line, 'shell pipes');
    if (separator !== undefined) end();
    else if (redirection === '>') words.push('>');
    else if (redirection !== undefined && !/&\d$/.test(redirection)) words.push('2>');
    else if (word !== undefined) words.push(expand(word, line));
  }
  end();
  return commands.map(withoutNoise).filter(command => command.length > 0);
}

/** `2> file` and `> /dev/null` say nothing of what a command does. */
function withoutNoise(words: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const isNoise = words[i] === '2>' || (words[i] === '>' && (words[0] !== 'echo' || words[i + 1] === '/dev/null'));
    if (isNoise) i++;
    else kept.push(words[i]!);
  }
  return kept;
}

function expand(word: string, line: number): string {
  return word.replace(
    /"((?:\\[\s\S]|[^"\\])*)"|'([^']*)'|\\([\s\S])|\$\(\(([\s\S]*?)\)\)/g,
    (_, double?: string, single?: string, escaped?: string, sum?: string) => {
      if (sum !== undefined) return arithmetic(sum, line);
      if (double !== undefined) return expand(double.replace(/'/g, ''), line);
      return single ?? escaped ?? '';
    },
  );
}

/** Products and sums of numbers. */
function arithmetic(text: string, line: number): string {
  if (!/^[\d\s+*-]+$/.test(text)) throw new Unsupported(line, `shell arithmetic: ${text}`);
  const terms = text.replace(/\s+/g, '').match(/[+-]?[\d*]+/g) ?? [];
  const sum = terms.reduce((total, term) => {
    const factors = term.replace(/^[+-]/, '').split('*').map(Number);
    const product = factors.reduce((a, b) => a * b, 1);
    return term.startsWith('-') ? total - product : total + product;
  }, 0);
  return String(sum);
}
