/** `chimney ladder` (R44): text, JSON, Mermaid and SVG; exit codes; one clear line for what cannot be. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { Framing } from '../../src/host/framing.ts';
import type { Ladder } from '../../src/scenario/ladder.ts';
import { captureOutput } from '../support/captured-output.ts';
import { parseXml } from '../support/xml.ts';

const folder = mkdtempSync(join(tmpdir(), 'chimney-ladder-'));
afterAll(() => rmSync(folder, { recursive: true }));

const printed = captureOutput();

describe('chimney ladder', () => {
  test('prints the ladder and the checks', async () => {
    expect(await runCommandLine(['ladder', 'fig3'])).toBe(0);
    expect(printed.stdout).toMatch(/^Figure 3: a connection is offloaded {3}\(seed 1\)\n/);
    expect(printed.stdout).toMatch(/^ +50\.500 {2}330 +tli +→ {2}transport +initiate offload, 1 connections$/m);
    expect(printed.stdout).toMatch(/\nAs the figure says\.\n$/);
    expect(printed.stderr).toBe('');
  });

  test('fig3 sends state as the completion passes, as the figure has it; --state with-request as it shipped (R4, R12)', async () => {
    expect(await runCommandLine(['ladder', 'fig3', '--json'])).toBe(0);
    const seed = JSON.parse(printed.stdout) as Ladder;
    const loads = ['310', '314', '318'];
    expect(seed.events.map(({ step }) => step).filter(step => loads.includes(step))).toEqual(loads);
    printed.stdout = '';
    expect(await runCommandLine(['ladder', 'fig3', '--json', '--state', 'with-request'])).toBe(0);
    const shipped = JSON.parse(printed.stdout) as Ladder;
    expect(shipped.events.some(({ step }) => loads.includes(step))).toBe(false);
  });

  test('--json prints one document with the events', async () => {
    expect(await runCommandLine(['ladder', 'fig9', '--json', '--connections', '3', '--seed', '5'])).toBe(0);
    const ladder = JSON.parse(printed.stdout) as Ladder;
    expect(ladder).toMatchObject({ figure: 'fig9', seed: 5, ok: true });
    expect(ladder.events.find(({ kind, step }) => kind === 'log' && step === '910')).toMatchObject({ from: 'nic0' });
    expect(ladder.checks[0]!.text).toContain('3 connections moved, 0 lost');
  });

  test('--mermaid prints a sequence diagram, --svg writes one beside it', async () => {
    const file = join(folder, 'fig7.svg');
    expect(await runCommandLine(['ladder', 'fig7', '--mermaid', '--svg', file])).toBe(0);
    expect(printed.stdout).toMatch(/^sequenceDiagram\n/);
    const svg = readFileSync(file, 'utf8');
    expect(parseXml(svg)[0]).toBe('svg');
    expect(svg).toContain('UploadInProgress');
  });

  test('exits 1 when the operation did not do what the figure says', async () => {
    vi.spyOn(Framing.prototype, 'updateNeighbor').mockImplementation(() => {});
    expect(await runCommandLine(['ladder', 'fig6'])).toBe(1);
    expect(printed.stdout).toContain('FAILED: not as the figure says.');
    printed.stdout = '';
    expect(await runCommandLine(['ladder', 'fig6', '--json'])).toBe(1);
    expect((JSON.parse(printed.stdout) as Ladder).ok).toBe(false);
  });

  test('--help shows the figures and examples', async () => {
    expect(await runCommandLine(['ladder', '--help'])).toBe(0);
    expect(printed.stdout).toMatch(/^Usage: chimney ladder/);
    for (const figure of ['fig3', 'fig6', 'fig7', 'fig8', 'fig9', 'fig10'])
      expect(printed.stdout).toContain(`\n  ${figure} `);
    expect(printed.stdout).toContain('Examples:\n  chimney ladder fig3');
  });

  test.each([
    ['no figure', ['ladder'], ["'figure'"]],
    ['a figure that there is not', ['ladder', 'fig4'], ["'fig4'", 'fig3, fig6']],
    ['no connections', ['ladder', 'fig3', '--connections', '0'], ["'--connections <n>'", 'from 1 to 4,096']],
    [
      'too many connections for the figure',
      ['ladder', 'fig9', '--connections', '100'],
      ['--connections', 'fig9 takes 1 to 32'],
    ],
    ['too few for the figure', ['ladder', 'fig10', '--connections', '1'], ['--connections', 'fig10 takes 2 to']],
    ['a form of another figure', ['ladder', 'fig7', '--state', 'with-request'], ['--state', 'fig3']],
    ['a form that there is not', ['ladder', 'fig3', '--state', 'early'], ['--state', 'at-completion']],
    ['a seed that is none', ['ladder', 'fig3', '--seed', 'x'], ["'--seed <n>'", "'x'"]],
    ['two documents on stdout', ['ladder', 'fig3', '--json', '--mermaid'], ['--mermaid', '--json']],
    ['a file that is a folder', ['ladder', 'fig3', '--svg', folder], ['--svg', folder]],
    ['a file in no folder', ['ladder', 'fig3', '--svg', '/no/such/x.svg'], ['--svg', '/no/such/x.svg']],
  ])('refuses %s in one line', async (_what, words, named) => {
    expect(await runCommandLine(words)).toBe(2);
    expect(printed.stdout).toBe('');
    expect(printed.stderr.split('\n')).toEqual([expect.stringMatching(/^chimney: /), '']);
    for (const part of named) expect(printed.stderr).toContain(part);
    expect(existsSync('/no/such')).toBe(false);
  });
});
