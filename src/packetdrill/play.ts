/**
 * A script on a path: the host's, the chimney's from the handshake on, or every point of the script as the one at which
 * connections change hands, once to the device and once back.
 */
import { readFileSync } from 'node:fs';
import { AssertionError } from '../base/assert.ts';
import type { Script, ScriptOption } from './ast.ts';
import { Mismatch } from './mismatch.ts';
import { parseScript } from './parser.ts';
import { type Ownership, Runner } from './runner.ts';
import { ScriptError, Unsupported } from './script-error.ts';
import { refuseUnsupported } from './support.ts';

export const PATHS = ['host', 'chimney', 'every'] as const;
export type DrillPath = (typeof PATHS)[number];

export interface ScriptReport {
  readonly file: string;
  readonly path: DrillPath;
  readonly verdict: 'passed' | 'failed' | 'unsupported';
  /** '' of what has passed; else `FILE:LINE: …`. */
  readonly reason: string;
  /** What code blocks have printed. */
  readonly output: readonly string[];
}

const HOST: Ownership = { fromHandshake: false, changeBefore: -1 };
const CHIMNEY: Ownership = { fromHandshake: true, changeBefore: -1 };

/** What a command line adds to a script: words to replace, options that it does not have itself. */
export interface Additions {
  readonly definitions: ReadonlyMap<string, string>;
  readonly options: readonly ScriptOption[];
}

export const NO_ADDITIONS: Additions = { definitions: new Map(), options: [] };

export function playFile(file: string, path: DrillPath, additions: Additions): ScriptReport {
  const output: string[] = [];
  try {
    const parsed = parseScript(file, readFileSync(file, 'utf8'), additions.definitions);
    // The script's own come last, and so count.
    const script = { ...parsed, options: [...additions.options, ...parsed.options] };
    refuseUnsupported(script);
    if (path === 'every') playEvery(script);
    else play(script, path === 'host' ? HOST : CHIMNEY, '', output);
    return { file, path, verdict: 'passed', reason: '', output };
  } catch (error) {
    if (error instanceof Unsupported) {
      return { file, path, verdict: 'unsupported', reason: `${file}:${error.line}: ${error.message}`, output };
    }
    return { file, path, verdict: 'failed', reason: reasonOf(file, error), output };
  }
}

function reasonOf(file: string, error: unknown): string {
  if (error instanceof Mismatch || error instanceof ScriptError) return `${file}:${error.line}: ${error.message}`;
  return `${file}: ${error instanceof Error ? error.message : String(error)}`;
}

/** Returns how often a connection changed hands. */
function play(script: Script, ownership: Ownership, where: string, output: string[]): number {
  const runner = new Runner(script, ownership);
  try {
    runner.run();
  } catch (error) {
    if (error instanceof AssertionError)
      throw new Mismatch(0, `broken promise inside the stack: ${error.message}${where}`);
    if (error instanceof Mismatch && where !== '') throw new Mismatch(error.line, `${error.message}\n  ${where}`);
    throw error;
  } finally {
    output.push(...runner.output);
  }
  return runner.handOvers.count;
}

function playEvery(script: Script): void {
  play(script, HOST, '', []);
  script.events.forEach(({ line }, changeBefore) => {
    play(script, { fromHandshake: false, changeBefore }, `with an offload just before line ${line}`, []);
    play(script, { fromHandshake: true, changeBefore }, `offloaded until an upload just before line ${line}`, []);
  });
}
