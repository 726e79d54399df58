/** The load over random wires, with random TCP parameters on both sides: every byte arrives, every buffer comes back. */
import { expect, test } from 'vitest';
import { Prng } from '../../../src/base/prng.ts';
import { ClientLoad } from '../../../src/fabric/stations/client-load.ts';
import type { TcpParams } from '../../../src/tcp/params.ts';
import { type Faults, FileServer, local, makeFiles, remote, World } from './support.ts';

const SIZES = [0, 1, 500, 1400, 3000, 10_000, 70_000, 300_000];
const CONNECTIONS = 150;
const catalog = makeFiles(SIZES).map(({ file }) => file);

function pick<T>(prng: Prng, values: readonly T[]): T {
  return values[prng.below(values.length)]!;
}

function randomTcp(prng: Prng): Partial<TcpParams> {
  return {
    timestamps: prng.chance(0.7),
    windowScaling: prng.chance(0.7),
    nagle: prng.chance(0.5),
    rcvBuffer: pick(prng, [8000, 20_000, 65_535, 262_140]),
    mss: pick(prng, [536, 1000, 1460]),
  };
}

function randomFaults(prng: Prng): Faults {
  return {
    loss: prng.float() * 0.12,
    duplication: prng.float() * 0.2,
    reordering: prng.float() * 0.4,
    reorderUs: 1 + prng.below(60_000),
    corruption: prng.float() * 0.02,
    ...(prng.chance(0.3) ? { noRoom: prng.float() * 0.7 } : {}),
  };
}

test.each(Array.from({ length: 12 }, (_, i) => i + 1))('seed %i', seed => {
  const prng = new Prng(seed);
  const faults = randomFaults(prng);
  const load = { connections: CONNECTIONS, concurrency: 30, catalog, seed, timeoutTicks: 3_000_000 };
  const clients = { groups: [local(20), remote(20)], load, seed, tcp: randomTcp(prng) };
  const world = new World(clients, faults, { tcp: randomTcp(prng) }, FileServer.spareBytes(SIZES));
  const server = new FileServer(world, SIZES);
  const client = new ClientLoad(world.clients, world.memory, world.regions.load!, load);
  expect(world.run(() => client.report().finished, 4e9)).toBe(true);
  expect(client.report()).toMatchObject({ completed: CONNECTIONS, failed: 0, bytesLost: 0, bytesWrong: 0 });
  world.faults = {};
  world.run(() => world.clients.timeWaits + world.server.connections === 0, 400e6);
  const left = [world.clients.buffersInUse, world.server.buffersInUse, world.server.connections, client.bodiesInUse];
  expect(left).toEqual([0, 0, 0, 0]);
  expect(server.errors).toEqual([]);
});
