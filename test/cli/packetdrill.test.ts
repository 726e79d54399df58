/** `chimney packetdrill`: exit codes, the report, one JSON document on stdout. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { captureOutput } from '../support/captured-output.ts';

const folder = mkdtempSync(join(tmpdir(), 'chimney-drill-'));
afterAll(() => rmSync(folder, { recursive: true }));
const printed = captureOutput();

function script(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const good = script('good.pkt', '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 %{ print("said") }%');
const bad = script('bad.pkt', '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = -1');
const other = script(
  'other.pkt',
  '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 setsockopt(3, SOL_TCP, TCP_MD5SIG, [1], 4) = 0',
);

test('exits 0 when everything passes or is unsupported, and shows what is', async () => {
  expect(await runCommandLine(['packetdrill', good, other])).toBe(0);
  expect(printed.stdout).toBe(
    `passed       ${good}\nunsupported  ${other}:2: TCP MD5 signatures\n1 passed, 0 failed, 1 unsupported (path host)\n`,
  );
  expect(printed.stderr).toBe('said\n');
});

test('exits 1 when a script fails, and says where', async () => {
  expect(await runCommandLine(['packetdrill', '--quiet', '--path', 'chimney', good, bad])).toBe(1);
  expect(printed.stdout).toContain(`FAILED       ${bad}:1: result\n  expected: 0 socket`);
  expect(printed.stdout).toContain('1 passed, 1 failed, 0 unsupported (path chimney)');
});

test('--json prints one document on stdout, everything else on stderr', async () => {
  expect(await runCommandLine(['packetdrill', '--json', '--path', 'every', good, bad, other])).toBe(1);
  const document = JSON.parse(printed.stdout) as unknown;
  expect(document).toEqual({
    passed: 1,
    failed: 1,
    unsupported: 1,
    scripts: [
      { file: good, path: 'every', verdict: 'passed', reason: '' },
      { file: bad, path: 'every', verdict: 'failed', reason: expect.stringContaining(`${bad}:1: result`) },
      { file: other, path: 'every', verdict: 'unsupported', reason: `${other}:2: TCP MD5 signatures` },
    ],
  });
  expect(printed.stderr).toContain(`${bad}:1: result`);
});

test('--define replaces words of scripts', async () => {
  const file = script('define.pkt', '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = NUMBER');
  expect(await runCommandLine(['packetdrill', '--define', 'NUMBER=3', file])).toBe(0);
  expect(await runCommandLine(['packetdrill', '--define', 'NUMBER=-1', file])).toBe(1);
});

test('--option gives what scripts do not', async () => {
  const text = '0 `ip route change 192.0.2.9 via 192.168.0.2 dev tun0`\n+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3';
  const file = script('option.pkt', text);
  const option = (value: string): Promise<number> => runCommandLine(['packetdrill', '--option', value, file]);
  expect(await option('remote_ip=192.0.2.9')).toBe(0);
  expect(printed.stdout).toContain('1 passed, 0 failed, 0 unsupported');
  expect(await option('strict_segments')).toBe(0);
  expect(printed.stdout).toContain('0 passed, 0 failed, 1 unsupported');
  expect(await option('=1')).toBe(2);
});
