/**
 * What the documents promise: the README's sample and the examples run as they stand, and generated pages are current.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT_MS = 20_000;

async function runScript(path: string): Promise<string> {
  const { stdout } = await run(process.execPath, [path], { cwd: root, timeout: TIMEOUT_MS });
  return stdout;
}

describe('documents', () => {
  it('the first sample of the README runs and prints what it says', { timeout: TIMEOUT_MS }, async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const sample = /<!-- sample: readme -->\s*```js\n([\s\S]*?)```/.exec(readme);
    expect(sample, 'README.md has a sample').not.toBeNull();
    // Inside the project, so that it finds the package by its own name.
    const path = join(root, `.readme-sample-${process.pid}.mjs`);
    writeFileSync(path, sample![1]!);
    try {
      const output = await runScript(path);
      expect(output).toContain('hello');
      expect(output).toContain('to nic1: link');
    } finally {
      rmSync(path);
    }
  });

  for (const example of readdirSync(join(root, 'examples')).filter(name => name.endsWith('.mjs'))) {
    it(`examples/${example} runs to its end`, { timeout: TIMEOUT_MS }, async () => {
      const output = await runScript(join(root, 'examples', example));
      expect(output).not.toBe('');
      expect(output).not.toContain('DAMAGED');
    });
  }

  it('the generated pages are current: layouts, state objects, compliance, loss sweep', async () => {
    await run(process.execPath, ['scripts/generate-docs.mjs', '--check'], { cwd: root });
  });

  it('docs/compliance.md has a row for each of the 142 cases and 50 requirements', () => {
    const text = readFileSync(join(root, 'docs/compliance.md'), 'utf8');
    const [cases, requirements] = text.split('\n## Requirements\n');
    const rows = (part: string, pattern: RegExp) => [...part.matchAll(pattern)].map(match => match[1]);
    const wanted = { A: 21, B: 20, C: 20, D: 30, E: 30, F: 21 };
    const ids = Object.entries(wanted).flatMap(([letter, count]) =>
      Array.from({ length: count }, (_, i) => letter + String(i + 1).padStart(2, '0')),
    );
    expect(rows(cases!, /^\| ([A-F]\d\d) \| [^|]+ \|/gm)).toEqual(ids);
    expect(rows(requirements!, /^\| (R\d+) \| [^|]+ \|/gm)).toEqual(Array.from({ length: 50 }, (_, i) => `R${i + 1}`));
  });
});
