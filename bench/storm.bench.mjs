/**
 * The main job as a whole: short HTTP/1.0 connections, each with one reply that the client checks, in threads and in real
 * time, by each path; beside the same job done with node:net over loopback.
 *
 * Every storm is a machine of its own with new threads, so the workers' warming up is part of it, as it is for a user; the
 * first turn, which warms the host thread up, does not count. No faults and no failures: that is `npm start`.
 */
import { isMainThread } from 'node:worker_threads';
import { documentOf } from 'chimney/internal/scenario/documents';
import { RIVAL_NODE_NET, RivalNodeNet } from 'chimney/internal/scenario/rival-node-net';
import { Storm } from 'chimney/internal/scenario/storm';
import { PATHS, stormOptions } from 'chimney/internal/scenario/storm-options';
import { median, rateRow, runIfMain, timeRow } from './rows.mjs';

const BENCH = 'storm';
const SIZES = [300, 500, 800, 2000, 4000];
/** What a driver does that rings for each packet. */
const BELL_EACH = { name: 'one a packet', per1000: 1000 };

/** Bytes of no particular kind; the same in every run. */
function bodyOf(size, salt) {
  return new Uint8Array(size).map((_, i) => (i * 7 + salt) & 255);
}

async function storm(path, connections, documents) {
  const result = await new Storm(stormOptions({ path, connections, failures: [] }), documents).run(() => {});
  const { completed, failed } = result.connections;
  if (completed !== connections || failed > 0) throw new Error(`${path}: ${completed} of ${connections} completed`);
  return {
    perSecond: result.connectionsPerSecond,
    bells: (result.doorbells / result.packets) * 1000,
    busy: ((result.hostCpuUs ?? result.hostBusyUs) * 1000) / completed,
  };
}

async function rival(connections, documents) {
  const { connectionsPerSecond: perSecond, error } = await new RivalNodeNet(documents, { connections }).run();
  if (error !== undefined) throw new Error(`${RIVAL_NODE_NET}: ${error}`);
  return { perSecond };
}

/** @returns {Promise<import('./rows.mjs').Row[]>} */
export async function run({ quick }) {
  const connections = quick ? 5000 : 20_000;
  const turns = quick ? 2 : 6;
  const documents = SIZES.map((size, i) => documentOf(`/${size}`, bodyOf(size, i)));
  const results = Object.fromEntries([...PATHS, RIVAL_NODE_NET].map(way => [way, []]));
  for (let turn = 0; turn < turns; turn++) {
    for (const [way, kept] of Object.entries(results)) {
      const done = way === RIVAL_NODE_NET ? rival : storm.bind(null, way);
      const result = await done(connections, documents);
      if (turn > 0) kept.push(result);
    }
  }
  const figure = (way, name) => median(results[way].map(result => result[name]));
  const rows = PATHS.map(path =>
    rateRow(
      BENCH,
      `connections, path ${path}`,
      '1/s',
      figure(path, 'perSecond'),
      RIVAL_NODE_NET,
      figure(RIVAL_NODE_NET, 'perSecond'),
    ),
  );
  for (const path of PATHS) {
    const bells = figure(path, 'bells');
    rows.push(
      timeRow(BENCH, `doorbells per 1,000 packets, path ${path}`, '', bells, BELL_EACH.name, BELL_EACH.per1000),
    );
  }
  for (const path of ['auto', 'chimney']) {
    const [busy, hostBusy] = [figure(path, 'busy'), figure('host', 'busy')];
    rows.push(timeRow(BENCH, `host busy per connection, path ${path}`, 'ns', busy, 'path host', hostBusy));
  }
  return rows;
}

if (isMainThread) await runIfMain(import.meta.url, run);
