/** The machine in threads: the storm through failovers, VLANs and bad cables; deaths and shutdown. */
import { afterEach, describe, expect, test } from 'vitest';
import { LoadProgress } from 'chimney/internal/fabric/load-progress';
import { everything } from 'chimney/internal/host/policy/everything';
import { youngInBatches } from 'chimney/internal/host/policy/young-in-batches';
import { planMachine } from 'chimney/internal/machine-plan';
import { ThreadedMachine } from 'chimney/internal/machine-threads';
import { type Document, documentOf } from 'chimney/internal/scenario/documents';
import { FileServer, repliesBytes } from 'chimney/internal/scenario/file-server';
import { SERVER_PORT, stormNetwork } from 'chimney/internal/scenario/network';
import { Storm, type StormResult } from 'chimney/internal/scenario/storm';
import { type StormOptions, stormOptions } from 'chimney/internal/scenario/storm-options';

/** Bytes that tell where they belong. */
const DOCUMENTS: Document[] = [120, 1000, 5000, 20_000].map((length, index) =>
  documentOf(
    `/file${index}`,
    new Uint8Array(length).map((_, at) => (at * 7 + index) & 0xff),
  ),
);

async function storm(options: Partial<StormOptions>): Promise<StormResult> {
  const given = { connections: 3000, concurrency: 256, stations: 512, failures: [], ...options };
  return new Storm(stormOptions(given), DOCUMENTS).run(() => {});
}

function expectAllServed(result: StormResult, connections = 3000): void {
  const what = JSON.stringify({ ...result.connections, failovers: result.failovers, deaths: result.deaths });
  expect(result.connections, what).toMatchObject({
    requested: connections,
    completed: connections,
    failed: 0,
    reset: 0,
  });
  expect(result.bytes).toMatchObject({ wrong: 0, lost: 0 });
  expect(result.bytes.verified).toBeGreaterThan(connections * 120);
  expect(result.deaths).toEqual([]);
  expect(result.nics.map(({ faultReason }) => faultReason)).toEqual(result.nics.map(() => ''));
}

/** Threads that this process still has; a closed machine leaves none. */
function threads(): number {
  return process.getActiveResourcesInfo().filter(name => name === 'MessagePort' || name === 'Worker').length;
}

let before = 0;
afterEach(() => {
  expect(threads(), 'no thread is left behind').toBeLessThanOrEqual(before);
});

describe('the storm', () => {
  test('fails over half-way: every reply verified, nothing lost (R38, R45, R47)', async () => {
    before = threads();
    const result = await storm({ failures: [{ nic: 'nic0', at: 0.5 }] });
    expectAllServed(result);
    expect(result.failovers).toHaveLength(1);
    expect(result.failovers[0]).toMatchObject({ nic: 'nic0', to: 'nic1', cause: 'link', connectionsLost: 0 });
    expect(result.chimney.connectionsOffloaded).toBeGreaterThan(0);
    expect(result.chimney.connectionsLost).toBe(0);
  });

  test('serves two VLANs at once (R42, R47)', async () => {
    before = threads();
    const result = await storm({ connections: 2000, vlans: [10, 20] });
    expectAllServed(result, 2000);
    expect(result.segments.nic).toBeGreaterThan(0);
  });

  test('goes through the chimney only: every connection is offloaded before its data is seen', async () => {
    before = threads();
    const result = await storm({ connections: 2000, path: 'chimney' });
    expectAllServed(result, 2000);
    expect(result.chimney.connectionsOffloaded).toBeGreaterThan(1900);
    // All offloads are ended again; some connections had left before.
    expect(result.chimney.connectionsTakenBack).toBeGreaterThan(1800);
  });

  test('goes through the host only: no block list is sent', async () => {
    before = threads();
    const result = await storm({ connections: 2000, path: 'host' });
    expectAllServed(result, 2000);
    expect(result.chimney.initiateCalls).toBe(0);
  });

  test('survives a cable that loses 1 % and reorders 1 %, with a failover', async () => {
    before = threads();
    const result = await storm({ connections: 2000, loss: 1, reorder: 1, failures: [{ nic: 'nic0', at: 0.5 }] });
    expectAllServed(result, 2000);
    const { host, nic, clients } = result.retransmissions;
    expect(host + nic + clients).toBeGreaterThan(0);
  });

  test('runs on one NIC without a team', async () => {
    before = threads();
    expectAllServed(await storm({ connections: 1000, nics: 1 }), 1000);
  });

  test('ends early with the results so far when it is interrupted', async () => {
    before = threads();
    const options = stormOptions({ connections: 1_000_000, concurrency: 256, stations: 512, failures: [] });
    const endless = new Storm(options, DOCUMENTS);
    const result = await endless.run(({ completed }) => {
      if (completed > 0) endless.interrupt();
    }, 20);
    expect(result.interrupted).toBe(true);
    expect(result.connections.completed).toBeGreaterThan(0);
    expect(result.connections.completed).toBeLessThan(1_000_000);
  });
});

function machineOf(nics: number): ThreadedMachine {
  const names = Array.from({ length: nics }, (_, index) => ({ name: `nic${index}` }));
  const plan = planMachine({ hosts: [{ name: 'server', nics: names, connections: 64 }], small: true });
  const interfaces = [{ address: 0x0a000001, prefixLength: 24, vid: 0 }];
  const wiring = [{ interfaces, routes: [], team: nics > 1, policy: youngInBatches(1000) }];
  return new ThreadedMachine({ plan, wiring });
}

async function until(condition: () => boolean, what: string): Promise<void> {
  // oxlint-disable-next-line no-restricted-globals -- real threads, real time
  const pause = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 10));
  for (let waited = 0; waited < 800; waited++) {
    if (condition()) return;
    await pause();
  }
  throw new Error(`not in time: ${what}`);
}

describe('a NIC that fails', () => {
  test('by crashing: the death is reported with its reason, the team moves on, nothing hangs', async () => {
    before = threads();
    const machine = machineOf(2);
    try {
      await machine.start();
      const { team, host } = machine.hosts[0]!;
      await machine.nic('nic0')!.control.crash();
      await until(() => machine.deaths.length > 0, 'the death of nic0 is noticed');
      expect(machine.deaths).toEqual([{ thread: 'nic0', reason: expect.stringContaining('told to crash') }]);
      expect(host.log.events.some(({ kind, subject }) => kind === 'thread-died' && subject === 'nic0')).toBe(true);
      await until(() => team!.active.name === 'nic1', 'the team goes on with nic1');
      expect((await machine.nicReports()).map(({ name }) => name)).toEqual(['nic1']);
    } finally {
      await machine.close();
    }
    expect(machine.deaths).toHaveLength(1);
  });

  test('by hanging: the heartbeat stops, the team fails over, and says how long it took to notice (R37)', async () => {
    before = threads();
    const machine = machineOf(2);
    try {
      await machine.start();
      const { team } = machine.hosts[0]!;
      await machine.nic('nic0')!.control.stall();
      await until(() => team!.failovers.length > 0, 'the heartbeat is missed');
      expect(team!.failovers[0]).toMatchObject({ nic: 'nic0', to: 'nic1', cause: 'heartbeat', connectionsLost: 0 });
      expect(team!.failovers[0]!.detectedAfterMs).toBeGreaterThan(0);
      expect(machine.deaths).toEqual([]);
    } finally {
      await machine.close();
    }
  });

  test('under load: connections that were on it are lost and counted, others are served by the survivor', async () => {
    before = threads();
    const network = stormNetwork({
      vids: [],
      connections: 1_000_000,
      concurrency: 128,
      catalog: DOCUMENTS.map(({ path, bytes, sha256 }) => ({ path, size: bytes.length, sha256 })),
      seed: 5,
      timeWaitTicks: 1000,
      stations: 128,
    });
    const applicationBytes = repliesBytes(DOCUMENTS);
    const nics = [{ name: 'nic0' }, { name: 'nic1' }];
    const hosts = [{ name: 'server', nics, connections: 4096, applicationBytes }];
    const { interfaces, routes, populations } = network;
    const wiring = [{ interfaces, routes, team: true, policy: everything(1000) }];
    const machine = new ThreadedMachine({ plan: planMachine({ hosts, populations }), wiring });
    const { host, team } = machine.hosts[0]!;
    const { regions } = machine.layout.hosts[0]!;
    host.tli.listen(SERVER_PORT, new FileServer(machine.memory, regions.application, DOCUMENTS));
    const { progress } = machine.layout.fabric.regions.populations[0]!.load!;
    const at = (progress.offset >> 2) + LoadProgress.index.completed;
    const completed = (): number => Atomics.load(machine.memory.i32, at);
    try {
      await machine.start();
      await until(() => completed() > 200 && host.chimney.offloaded > 0, 'it serves');
      await machine.nic('nic0')!.control.crash();
      await until(() => team!.failovers.length > 0, 'the team moves on');
      // A busy machine may miss the heartbeat before it hears that the thread is gone.
      await until(() => machine.deaths.length > 0, 'the death of nic0 is noticed');
      expect(machine.deaths.map(({ thread }) => thread)).toEqual(['nic0']);
      const { cause, connectionsLost, connectionsMoved } = team!.failovers[0]!;
      expect([cause, connectionsMoved]).toEqual(['heartbeat', 0]);
      expect(connectionsLost).toBeGreaterThan(0);
      const served = completed();
      await until(() => completed() > served + 200, 'nic1 serves');
      await until(() => host.chimney.stats.connectionsLost >= connectionsLost, 'the lost ones are given up');
    } finally {
      await machine.close();
    }
  });
});

describe('close', () => {
  test('ends every thread, more than once and before start', async () => {
    before = threads();
    const machine = machineOf(2);
    await machine.start();
    const [first, second] = await Promise.all([machine.close(), machine.close()]);
    expect(first).toEqual(second);
    const idle = machineOf(1);
    expect(await idle.close()).toBeUndefined();
  });

  test('of a machine whose NIC is stalled or dead does not wait for it', async () => {
    before = threads();
    const machine = machineOf(2);
    await machine.start();
    await machine.nic('nic0')!.control.stall();
    await machine.nic('nic1')!.control.crash();
    await until(() => machine.deaths.length === 1, 'nic1 is dead');
    await machine.close();
  });
});
