/** The load in virtual time against an HTTP server that runs on a second population. */
import { describe, expect, test } from 'vitest';
import { LoadProgress } from '../../../src/fabric/load-progress.ts';
import { ClientLoad } from '../../../src/fabric/stations/client-load.ts';
import type { ClientLoadOptions } from '../../../src/fabric/stations/client-load-options.ts';
import type { PopulationOptions } from '../../../src/fabric/stations/population-regions.ts';
import { type Faults, FileServer, ip, local, makeFiles, type Reply, remote, World } from './support.ts';

interface Fetching {
  readonly sizes: readonly number[];
  readonly connections: number;
  readonly concurrency?: number;
  readonly faults?: Faults;
  readonly reply?: (path: string, nth: number) => Reply;
  readonly load?: Partial<ClientLoadOptions>;
  readonly clients?: Partial<PopulationOptions>;
  readonly limitUs?: number;
}

/** Runs a load to its end and on until nothing is open any more. */
function fetch(options: Fetching): { world: World; server: FileServer; load: ClientLoad; isDone: boolean } {
  const { sizes, connections, concurrency = 50 } = options;
  const catalog = makeFiles(sizes).map(({ file }) => file);
  const load = { connections, concurrency, catalog, seed: 7, ...options.load };
  const groups = [local(200), remote(500)];
  const spare = FileServer.spareBytes(sizes);
  const world = new World({ groups, load, ...options.clients }, options.faults, {}, spare);
  const server = new FileServer(world, sizes, options.reply);
  const client = new ClientLoad(world.clients, world.memory, world.regions.load!, load);
  const isDone = world.run(() => progress(world).finished === 1, options.limitUs ?? 600e6);
  world.faults = {};
  // TIME-WAIT, and what the server has to repeat.
  world.run(() => world.clients.connections + world.clients.timeWaits + world.server.connections === 0, 200e6);
  return { world, server, load: client, isDone };
}

function progress(world: World): Record<string, number> {
  const cursor = LoadProgress.view(world.memory).at(world.regions.load!.progress.offset);
  return Object.fromEntries(Object.keys(LoadProgress.fields).map(key => [key, cursor[key as 'started']]));
}

function expectEmpty({ world, server, load }: ReturnType<typeof fetch>): void {
  expect(server.errors).toEqual([]);
  expect(world.clients.connections).toBe(0);
  expect(world.clients.timeWaits).toBe(0);
  expect(world.server.connections).toBe(0);
  expect(world.clients.buffersInUse).toBe(0);
  expect(world.server.buffersInUse).toBe(0);
  expect(load.bodiesInUse).toBe(0);
}

const MIXED = [0, 1, 500, 1000, 1400, 1460, 3000, 10_000, 70_000, 300_000];

describe('a load on a clean wire', () => {
  test('verifies 2,000 connections of local and remote stations, sizes from 0 bytes to 300 KB', () => {
    const run = fetch({ sizes: MIXED, connections: 2000 });
    expect(run.isDone).toBe(true);
    const report = run.load.report();
    expect(report).toMatchObject({ started: 2000, completed: 2000, failed: 0, active: 0, bytesWrong: 0, bytesLost: 0 });
    expect(report.retransmissions).toBe(0);
    expect(report.bytesVerified).toBeGreaterThan(2000 * 30_000);
    expect(progress(run.world)).toMatchObject({ started: 2000, completed: 2000, failed: 0, finished: 1, active: 0 });
    const { bytesVerifiedLo, bytesVerifiedHi } = progress(run.world);
    expect(bytesVerifiedLo! + bytesVerifiedHi! * 2 ** 31).toBe(report.bytesVerified);
    expect(run.world.clients.counters.dropped).toBe(0);
    expect(run.world.server.counters.dropped).toBe(0);
    expect(run.world.clients.counters.datagramsForwarded).toBeGreaterThan(2000);
    expectEmpty(run);
  });

  test('sends requests of 100 to 1,000 bytes, spread over the whole range', () => {
    const { server } = fetch({ sizes: [100, 200], connections: 1000 });
    const lengths = server.requestLengths;
    expect(lengths).toHaveLength(1000);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(100);
    expect(Math.min(...lengths)).toBeLessThan(160);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(1000);
    expect(Math.max(...lengths)).toBeGreaterThan(940);
  });

  test('takes four frames out of a client for a short reply', () => {
    const { world } = fetch({ sizes: [500], connections: 1000, clients: { groups: [remote(100)] } });
    const { framesOut, arpRequestsOut } = world.clients.counters;
    expect(arpRequestsOut).toBe(1);
    expect((framesOut - arpRequestsOut) / 1000).toBeLessThanOrEqual(5);
  });

  test('uses many stations and ports', () => {
    const run = fetch({ sizes: [10], connections: 3000, concurrency: 1000, clients: { groups: [local(3)] } });
    expect(run.load.report()).toMatchObject({ completed: 3000, failed: 0 });
    expectEmpty(run);
  });

  test('recycles TIME-WAIT when the table is full', () => {
    const run = fetch({ sizes: [10], connections: 2000, concurrency: 20, clients: { slots: 64 } });
    expect(run.load.report()).toMatchObject({ completed: 2000, failed: 0 });
    expect(run.world.clients.counters.timeWaitRecycled).toBeGreaterThan(1000);
    expectEmpty(run);
  });

  test('is the same for the same seed', () => {
    const frames = (): number[] => {
      const { world } = fetch({ sizes: MIXED, connections: 200, faults: { loss: 0.02, reordering: 0.05 } });
      return [world.frames, world.nowUs, world.clients.counters.retransmissions];
    };
    expect(frames()).toEqual(frames());
  });
});

describe('a load on a bad wire', () => {
  test.each([
    ['loses frames', { loss: 0.03 }, 600],
    ['duplicates frames', { duplication: 0.2 }, 600],
    ['reorders frames', { reordering: 0.3 }, 600],
    ['flips bits', { corruption: 0.03 }, 300],
    ['does all of it', { loss: 0.02, duplication: 0.05, reordering: 0.1, corruption: 0.01 }, 600],
  ] as [string, Faults, number][])('verifies every byte when it %s', (_name, faults, connections) => {
    const run = fetch({ sizes: MIXED, connections, faults, load: { timeoutTicks: 600_000 } });
    expect(run.isDone).toBe(true);
    expect(run.load.report()).toMatchObject({ completed: connections, failed: 0, bytesWrong: 0, bytesLost: 0 });
    const lost = (faults.loss ?? 0) + (faults.corruption ?? 0);
    if (lost > 0) expect(run.load.report().retransmissions).toBeGreaterThan(connections * lost);
    expect(run.world.clients.counters.droppedTcpChecksum > 0).toBe(faults.corruption !== undefined);
    expectEmpty(run);
  });

  test('needs no buffer to fill a gap, so that a small pool does not stop it', () => {
    const faults = { loss: 0.03, reordering: 0.1 };
    const run = fetch({ sizes: MIXED, connections: 600, faults, clients: { payloadBuffers: 8 } });
    expect(run.isDone).toBe(true);
    expect(run.load.report()).toMatchObject({ completed: 600, failed: 0 });
    expect(run.world.clients.counters.droppedNoBuffer).toBeGreaterThan(0);
    expectEmpty(run);
  });

  test('loses nothing when the uplink has no room half of the time', () => {
    const run = fetch({ sizes: MIXED, connections: 1000, faults: { noRoom: 0.5 } });
    expect(run.isDone).toBe(true);
    expect(run.load.report()).toMatchObject({ completed: 1000, failed: 0, retransmissions: 0 });
    expectEmpty(run);
  });
});

describe('a reply that is wrong', () => {
  const failing = (reply: Reply, sizes = [500], more: Partial<ClientLoadOptions> = {}): ReturnType<typeof fetch> => {
    // Every fifth reply.
    const run = fetch({ sizes, connections: 100, reply: (_path, nth) => (nth % 5 === 0 ? reply : {}), load: more });
    expect(run.isDone).toBe(true);
    expect(run.load.report()).toMatchObject({ completed: 80, failed: 20, active: 0 });
    expect(progress(run.world)).toMatchObject({ completed: 80, failed: 20, finished: 1 });
    expectEmpty(run);
    return run;
  };

  test.each([[500], [5000], [100_000]])('in its content is noticed (%i bytes)', size => {
    const { load } = failing({ corrupt: true }, [size]);
    expect(load.report()).toMatchObject({ bytesWrong: 20 * size, bytesVerified: 80 * size, bytesLost: 0 });
    expect(load.report().failures.wrongContent).toBe(20);
  });

  test.each([[500], [5000], [100_000]])('in that it ends short is noticed (%i bytes)', size => {
    const { load, world } = failing({ length: size - 100 }, [size]);
    expect(load.report()).toMatchObject({ bytesLost: 2000, bytesWrong: 0, reset: 0 });
    expect(load.report().failures.shortReply).toBe(20);
    expect(progress(world)['bytesLost']).toBe(2000);
  });

  test('in that it ends before the body is noticed', () => {
    expect(failing({ length: 0 }).load.report()).toMatchObject({ bytesLost: 20 * 500 });
  });

  test('in that it is too long is noticed', () => {
    const { load } = failing({ length: 501 });
    expect(load.report().bytesWrong).toBe(20);
    expect(load.report().failures.longReply).toBe(20);
  });

  test('in its status is noticed', () => {
    expect(failing({ status: '404 Not Found' }).load.report().failures.badStatus).toBe(20);
  });

  test('in its Content-Length is noticed', () => {
    const { load } = failing({ head: 'HTTP/1.0 200 OK\r\nCONTENT-LENGTH:499\r\n\r\n' });
    expect(load.report().failures.wrongLength).toBe(20);
  });

  test('in its head is noticed', () => {
    expect(failing({ head: 'SMTP/1.0 200 OK\r\n\r\n' }).load.report().failures.badHead).toBe(20);
  });

  test('in that it is a reset is noticed', () => {
    const { load, world } = failing({ reset: true });
    expect(load.report()).toMatchObject({ reset: 20, bytesLost: 20 * 500 });
    expect(progress(world)['reset']).toBe(20);
  });

  test('in that it never comes is given up after the time-out', () => {
    const { load, world } = failing({ silent: true }, [500], { timeoutTicks: 5000 });
    expect(load.report().failures.tookTooLong).toBe(20);
    expect(world.nowUs).toBeLessThan(60e6);
  });
});

test('a server that refuses is counted as reset', () => {
  const run = fetch({
    sizes: [10],
    connections: 50,
    clients: { groups: [local(5, { serverPort: 81 })] },
  });
  expect(run.load.report()).toMatchObject({ completed: 0, failed: 50, reset: 50, bytesLost: 0, finished: true });
  expect(run.load.report().failures.refused).toBe(50);
});

test('a server that is not there is given up', () => {
  const groups = [local(5, { serverAddress: ip('10.0.19.136') })];
  const run = fetch({ sizes: [10], connections: 50, clients: { groups } });
  expect(run.load.report()).toMatchObject({ completed: 0, failed: 50, reset: 0, finished: true });
  expect(run.load.report().failures.timedOut).toBe(50);
  expect(run.world.clients.counters.arpRequestsOut).toBe(3);
});

test('options that make no sense are refused', () => {
  const file = makeFiles([1])[0]!.file;
  const make = (load: Partial<ClientLoadOptions>) => () =>
    fetch({ sizes: [1], connections: 1, load: { catalog: [file], ...load } });
  expect(make({ connections: 0 })).toThrow(/1 or more/);
  expect(make({ catalog: [{ ...file, path: 'a b' }] })).toThrow(/path/);
  expect(make({ requestBytesMin: 500, requestBytesMax: 100 })).toThrow(/requestBytesMin/);
});
