/** The command line as a process: the storm's document, Ctrl-C, a thread that dies. Bad input is in test/cli. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { documentOf } from 'chimney/internal/scenario/documents';
import { Storm } from 'chimney/internal/scenario/storm';
import { stormOptions } from 'chimney/internal/scenario/storm-options';
import { reportStorm, type StormReport } from 'chimney/internal/scenario/storm-report';

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  ms: number;
}

const main = resolve('dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'chimney-cli-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** @param meanwhile sees each piece of stderr */
function chimney(
  words: readonly string[],
  meanwhile: (child: ChildProcess, text: string) => void = () => {},
): Promise<Ended> {
  const since = performance.now();
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', piece => (stdout += String(piece)));
  child.stderr.on('data', piece => {
    stderr += String(piece);
    meanwhile(child, String(piece));
  });
  return new Promise(done => {
    child.on('close', code => done({ code, stdout, stderr, ms: performance.now() - since }));
  });
}

describe('chimney storm --json', () => {
  test('prints one document with what happened, through a failover, and a capture', async () => {
    const pcap = join(folder, 'storm.pcapng');
    const words = ['storm', '--connections', '2000', '--rivals', 'none', '--no-compare', '--pcap', pcap, '--json'];
    const { code, stdout, stderr } = await chimney(words);
    const report = JSON.parse(stdout) as StormReport;
    expect(report.problems).toEqual([]);
    expect({ code, ok: report.ok }).toEqual({ code: 0, ok: true });
    expect(report).toMatchObject({
      connections: { requested: 2000, completed: 2000, failed: 0, reset: 0 },
      bytes: { wrong: 0, lost: 0 },
      failovers: [{ nic: 'nic0', to: 'nic1', cause: 'link', bytesLost: 0, connectionsLost: 0 }],
      rivals: [],
      hostBusyNsPerConnection: { host: null },
      deaths: [],
      interrupted: false,
      options: { connections: 2000, path: 'auto', seed: 1 },
    });
    expect(report.offload.connections).toBeGreaterThan(0);
    expect(report.offload.nsPerConnection).toBeGreaterThan(0);
    expect(report.hostBusyNsPerConnection.chimney).toBeGreaterThan(0);
    expect(report.rate.connectionsPerSecond).toBeGreaterThan(0);
    expect(report.capture?.frames).toBeGreaterThan(2000 * 8);
    expect(statSync(pcap).size).toBeGreaterThan(report.bytes.verified);
    expect(stderr).toMatch(/storm: 2,000 connections/);
  });

  test('compares with the host path and with node:net', async () => {
    const { code, stdout } = await chimney(['storm', '--connections', '1000', '--fail', 'none', '--json', '--quiet']);
    const report = JSON.parse(stdout) as StormReport;
    expect({ code, problems: report.problems }).toEqual({ code: 0, problems: [] });
    const { host, chimney: offloaded } = report.hostBusyNsPerConnection;
    expect(host).toBeGreaterThan(0);
    expect(offloaded).toBeGreaterThan(0);
    expect(report.offload.comparison?.nsPerConnectionOneByOne).toBeGreaterThan(0);
    expect(report.rivals).toMatchObject([
      { name: 'node:net', connections: { requested: 1000, completed: 1000, failed: 0 } },
    ]);
    expect(report.rivals[0]!.ratio).toBeGreaterThan(0);
  });
});

describe('a run that does not come to its end', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('ends soon after %s, with the results so far', async signal => {
    let pressedAt = 0;
    const words = ['storm', '--connections', '5000000', '--no-compare', '--json'];
    const { code, stdout, stderr } = await chimney(words, (child, text) => {
      if (pressedAt > 0 || !text.includes('/s, ')) return;
      pressedAt = performance.now();
      child.kill(signal);
      child.kill(signal);
    });
    expect(performance.now() - pressedAt).toBeLessThan(2000);
    const report = JSON.parse(stdout) as StormReport;
    expect(report).toMatchObject({ ok: false, interrupted: true, deaths: [], rivals: [] });
    expect(report.problems[0]).toBe('interrupted');
    expect(report.connections.completed).toBeGreaterThan(0);
    expect({ code, stderr: stderr.includes('left') }).toEqual({ code: 1, stderr: false });
  });

  test.each(['nic0', 'nic1', 'fabric'])('names %s when that thread dies, and what was lost', async thread => {
    const documents = [documentOf('/a', new Uint8Array(2000))];
    const options = stormOptions({ connections: 1_000_000, concurrency: 256, failures: [] });
    const storm = new Storm(options, documents);
    const result = await storm.run(({ completed }) => {
      if (completed > 100) storm.crash(thread);
    }, 20);
    expect(result.deaths).toEqual([{ thread, reason: expect.stringContaining('told to crash') as string }]);
    const { interrupted, deaths } = result;
    const report = reportStorm({ options, documents, main: result, comparison: null, rivals: [], interrupted, deaths });
    expect(report.ok).toBe(false);
    expect(report.problems[0]).toMatch(new RegExp(`^thread ${thread} died: .*told to crash`));
    expect(report.problems[1]).toMatch(/connections were open at the end, \d+ not begun/);
    expect(result.unfinished).toBeGreaterThan(0);
  });
});

describe('chimney simulate --seeds', () => {
  test('runs a campaign on a pool and counts what passed', async () => {
    const { code, stdout } = await chimney(['simulate', '--seeds', '20', '--threads', '2', '--json', '--quiet']);
    expect(JSON.parse(stdout)).toMatchObject({ seeds: 20, passed: 20, failed: [], interrupted: false });
    expect(code).toBe(0);
  });
});
