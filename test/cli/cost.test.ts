/** `chimney cost` (R35): a table, one JSON document, a drawing; one clear line for what cannot be. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import type { CostReport } from '../../src/scenario/cost-report.ts';
import { captureOutput } from '../support/captured-output.ts';
import { parseXml } from '../support/xml.ts';

const folder = mkdtempSync(join(tmpdir(), 'chimney-cost-'));
afterAll(() => rmSync(folder, { recursive: true }));

const printed = captureOutput();

describe('chimney cost', () => {
  test('--json prints one document, --svg writes the curves beside it', async () => {
    const file = join(folder, 'cost.svg');
    const words = ['cost', '--quick', '--max', '20', '--rounds', '2', '--quiet', '--json', '--svg', file];
    expect(await runCommandLine(words)).toBe(0);
    const report = JSON.parse(printed.stdout) as CostReport;
    expect(report).toMatchObject({ quick: true, rounds: 2, mtu: 1500, segmentBytes: 1448 });
    expect(report.machine.cpu).not.toBe('');
    const lists = report.handOver.filter(({ shape }) => shape === 'mixed').map(({ list }) => list);
    expect(lists).toEqual([1, 2, 4, 8, 16, 20]);
    expect(report.samples).toHaveLength(16);
    expect(Object.keys(report.traffic)).toEqual(['host', 'chimney']);
    expect(report.breakEven).toHaveLength(report.handOver.length);
    expect(parseXml(readFileSync(file, 'utf8'))[0]).toBe('svg');
    expect(printed.stderr).toBe('');
  });

  test('prints a table, and its progress elsewhere', async () => {
    expect(await runCommandLine(['cost', '--max', '2', '--rounds', '1'])).toBe(0);
    expect(printed.stdout).toMatch(/^The cost of offload, A \+ \[B − C\], on .*Node v/);
    expect(printed.stdout).toContain('B  host path, host');
    expect(printed.stderr).toContain('round');
  });

  test('--help explains the terms', async () => {
    expect(await runCommandLine(['cost', '--help'])).toBe(0);
    expect(printed.stdout).toMatch(/^Usage: chimney cost/);
    for (const text of ['A + [B − C]', 'docs/cost-model.md', 'Examples:\n  chimney cost'])
      expect(printed.stdout).toContain(text);
  });

  test.each([
    ['no list', ['--max', '0'], ["'--max <n>'", 'from 1 to 4,096']],
    ['a list longer than any', ['--max', '5000'], ["'--max <n>'", "'5000'"]],
    ['no round', ['--rounds', '0'], ["'--rounds <n>'"]],
    ['a file in no folder', ['--svg', '/no/such/x.svg'], ['--svg', '/no/such/x.svg']],
    ['an argument too many', ['now'], ["too many arguments for 'cost'"]],
  ])('refuses %s in one line', async (_what, words, named) => {
    expect(await runCommandLine(['cost', ...words])).toBe(2);
    expect(printed.stdout).toBe('');
    expect(printed.stderr.split('\n')).toEqual([expect.stringMatching(/^chimney: /), '']);
    for (const part of named) expect(printed.stderr).toContain(part);
  });
});
