/** What a report says about success, and the table that is made from it. */
import { describe, expect, test } from 'vitest';
import { stormTable } from '../../src/cli/storm-table.ts';
import { ChimneyStatistics } from '../../src/host/chimney-statistics.ts';
import { documentOf } from '../../src/scenario/documents.ts';
import type { StormResult } from '../../src/scenario/storm.ts';
import { stormOptions } from '../../src/scenario/storm-options.ts';
import { reportStorm, type StormFindings, type StormReport } from '../../src/scenario/storm-report.ts';

const failover = {
  nic: 'nic0',
  to: 'nic1',
  cause: 'link' as const,
  atUs: 1000,
  detectedAfterMs: 3,
  connectionsMoved: 200,
  connectionsLost: 0,
  bytesLost: 0,
  ms: 7,
};

function resultOf(changes: Partial<StormResult>): StormResult {
  const chimney = Object.assign(new ChimneyStatistics(), {
    initiateCalls: 10,
    initiateBlocks: 2500,
    connectionsOffloaded: 1000,
    initiateUs: 1200,
    largestList: 256,
  });
  return {
    options: stormOptions({ connections: 1000 }),
    connections: { requested: 1000, completed: 1000, failed: 0, reset: 0 },
    unfinished: 0,
    bytes: { verified: 3_000_000, wrong: 0, lost: 0 },
    failures: {},
    seconds: 0.5,
    connectionsPerSecond: 2000,
    coldConnectionsPerSecond: 1500,
    warmUp: 250,
    chimney,
    failovers: [failover],
    pulled: [{ nic: 'nic0', wasActive: true }],
    retransmissions: { host: 1, nic: 2, clients: 3 },
    segments: { host: 100, nic: 900 },
    packets: 10_000,
    doorbells: 50,
    hostBusyUs: 20_000,
    hostCpuUs: 10_000,
    memoryMiB: 40,
    residentMiB: 120,
    capturedFrames: 0,
    deaths: [],
    interrupted: false,
    nics: [],
    ...changes,
  };
}

function report(changes: Partial<StormResult> = {}, findings: Partial<StormFindings> = {}): StormReport {
  const main = resultOf(changes);
  return reportStorm({
    options: main.options,
    documents: [documentOf('/a', new Uint8Array(3000))],
    main,
    comparison: {
      connections: 4000,
      hostBusyNs: { host: 12_000, chimney: 6000 },
      offloadNs: { oneByOne: 8000, inLists: 1000 },
      blockList: 256,
    },
    rivals: [
      {
        name: 'node:net',
        connections: { requested: 1000, completed: 1000, failed: 0 },
        bytesVerified: 3_000_000,
        seconds: 1,
        connectionsPerSecond: 1000,
        concurrency: 64,
      },
    ],
    interrupted: main.interrupted,
    deaths: main.deaths,
    ...findings,
  });
}

describe('the report', () => {
  test('of a storm without a flaw is ok, with every figure', () => {
    expect(report()).toMatchObject({
      ok: true,
      problems: [],
      connections: { requested: 1000, completed: 1000, failed: 0, reset: 0 },
      bytes: { verified: 3_000_000, wrong: 0, lost: 0 },
      offload: { calls: 10, blocks: 2500, connections: 1000, nsPerConnection: 1200, blocksPerCall: 250 },
      failovers: [{ nic: 'nic0', to: 'nic1', cause: 'link', connectionsMoved: 200, bytesLost: 0, ms: 7 }],
      rate: { connectionsPerSecond: 2000, coldConnectionsPerSecond: 1500, warmUp: 250, megabytesPerSecond: 6 },
      rivals: [{ name: 'node:net', connectionsPerSecond: 1000, ratio: 2, coldRatio: 1.5 }],
      hostBusyNsPerConnection: { host: 12_000, chimney: 6000, thisRun: 10_000 },
      doorbellsPer1000Packets: 5,
    });
    expect(report().offload.comparison).toMatchObject({ ratio: 8 });
  });

  test('has the cost of offload by the length of lists, as the run met them (R35)', () => {
    const chimney = new ChimneyStatistics();
    const handOver = (connections: number, us: number): void => {
      chimney.initiateSpent(connections, us / 2, false);
      chimney.initiateSpent(connections, us / 2, true);
    };
    handOver(1, 3);
    handOver(1, 5);
    handOver(255, 255);
    handOver(128, 128);
    handOver(4096, 2048);
    expect(chimney.initiateUs).toBe(2439);
    const made = report({ chimney });
    expect(made.offload.byLength).toEqual([
      { from: 1, to: 1, lists: 2, nsPerConnection: 4000 },
      { from: 128, to: 255, lists: 2, nsPerConnection: 1000 },
      { from: 4096, to: 8191, lists: 1, nsPerConnection: 500 },
    ]);
    expect(stormTable(made)).toContain('1: 4.00 µs, 128–255: 1.00 µs, 4,096–8,191: 0.50 µs');
  });

  test('survives the way to JSON and back', () => {
    const made = report();
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  });

  test.each<[string, Partial<StormResult>, RegExp]>([
    [
      'a failed connection',
      { connections: { requested: 1000, completed: 999, failed: 1, reset: 0 }, failures: { timedOut: 1 } },
      /1 connections failed: timedOut 1/,
    ],
    ['a reset', { connections: { requested: 1000, completed: 1000, failed: 0, reset: 1 } }, /1 connections reset/],
    ['wrong bytes', { bytes: { verified: 0, wrong: 5, lost: 0 } }, /5 bytes wrong/],
    ['lost bytes', { bytes: { verified: 0, wrong: 0, lost: 6 } }, /6 bytes lost/],
    ['a failover that did not follow', { failovers: [] }, /1 active NICs lost their link, but 0 failovers followed/],
    ['a failure that did not happen', { pulled: [] }, /did not happen/],
    ['an interrupt', { interrupted: true }, /interrupted/],
    [
      'a thread that died, and what was open',
      {
        deaths: [{ thread: 'nic1', reason: 'told to' }],
        connections: { requested: 1000, completed: 400, failed: 0, reset: 0 },
        unfinished: 100,
      },
      /thread nic1 died: told to; 100 connections were open at the end, 500 not begun/,
    ],
  ])('names %s', (_what, changes, named) => {
    const made = report(changes);
    expect(made.ok).toBe(false);
    expect(made.problems.join('; ')).toMatch(named);
    expect(stormTable(made)).toMatch(/FAILED: /);
  });

  test('of a job that was interrupted before the main run has no figures, and says so', () => {
    const made = report({}, { main: null, comparison: null, rivals: [], interrupted: true });
    expect(made).toMatchObject({
      ok: false,
      problems: ['interrupted'],
      connections: { requested: 1000, completed: 0 },
    });
    expect(made.offload.nsPerConnection).toBeNull();
    expect(stormTable(made)).toContain('FAILED: interrupted');
  });
});

describe('the table', () => {
  test('fits in 100 columns and names what the reader looks for', () => {
    const options = stormOptions({ connections: 1000, pcap: `${'long/'.repeat(12)}x.pcapng`, vlans: [10, 20] });
    const table = stormTable(report({ options, capturedFrames: 20_000 }, { options }));
    expect(Math.max(...table.split('\n').map(line => line.length))).toBeLessThanOrEqual(100);
    for (const words of [
      '1,000 completed, 0 failed, 0 reset',
      '10 calls, 250 blocks a call',
      '1.20 µs a connection',
      '8.00 × cheaper',
      'nic0 → nic1 (link)',
      '5.00 per 1,000 packets',
      'host path 12.0 µs a connection, chimney 6.00 µs, ratio 2.00',
      '20,000 frames in',
      'node:net',
      '2.00 ×',
      '1.50 ×',
      'every byte verified',
    ]) {
      expect(table.replaceAll(/\s+/g, ' ')).toContain(words);
    }
  });
});
