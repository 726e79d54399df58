/**
 * Where a command's words go: results to stdout, everything else to stderr; one JSON document with --json.
 * The progress line is rewritten in place on a terminal, and a line a second elsewhere.
 */
import { closeSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { ChimneyError } from '../base/errors.ts';

const LINE_EVERY_MS = 1000;

export class ProgressLine {
  readonly #quiet: boolean;
  readonly #terminal = process.stderr.isTTY === true;
  #shown = 0;
  #lastMs = -LINE_EVERY_MS;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  /** What is done now; `text` may come as often as it likes. */
  show(text: string): void {
    if (this.#quiet) return;
    if (this.#terminal) {
      const width = process.stderr.columns || 80;
      const line = text.slice(0, width - 1);
      process.stderr.write(`\r${line.padEnd(Math.min(this.#shown, width - 1))}`);
      this.#shown = line.length;
      return;
    }
    const now = performance.now();
    if (now - this.#lastMs < LINE_EVERY_MS) return;
    this.#lastMs = now;
    process.stderr.write(`${text}\n`);
  }

  /** A line that stays. */
  say(text: string): void {
    if (this.#quiet) return;
    this.clear();
    process.stderr.write(`${text}\n`);
    this.#lastMs = performance.now();
  }

  clear(): void {
    if (this.#shown > 0) process.stderr.write(`\r${' '.repeat(this.#shown)}\r`);
    this.#shown = 0;
  }
}

export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

/** Text with thousands apart: 20,000. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Three significant digits, without an exponent. */
export function figure(value: number | null, unit = ''): string {
  if (value === null || !Number.isFinite(value)) return '–';
  const magnitude = Math.abs(value);
  const digits = magnitude >= 100 || value === 0 ? 0 : magnitude >= 10 ? 1 : 2;
  const text = value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return unit === '' ? text : `${text} ${unit}`;
}

/** Before a long run: could the file of this option be written? */
export function checkWritable(option: string, file: string): void {
  const isNew = statSync(file, { throwIfNoEntry: false }) === undefined;
  try {
    closeSync(openSync(file, 'a'));
    if (isNew) rmSync(file);
  } catch (cause) {
    throw cannotWrite(option, file, cause);
  }
}

export function writeText(option: string, file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw cannotWrite(option, file, cause);
  }
}

function cannotWrite(option: string, file: string, cause: unknown): ChimneyError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ChimneyError('ERR_CHIMNEY_CAPTURE', `--${option}: cannot write ${file}: ${why}`, { cause });
}
