/**
 * The main job as a whole: short HTTP/1.0 connections, each with one reply that the client checks, in threads and in real
 * time, by each path; beside the same job done with node:net over loopback.
 *
 * Every storm is a machine of its own with new threads, so the workers' warming up is part of it, as it is for a user; the
 * first turn, which warms the host thread up, does not count. No faults and no failures: that is what `npm start` shows.
 */
import { isMainThread } from 'node:worker_threads';
import { documentOf } from 'chimney/internal/scenario/documents';
import { RIVAL_NODE_NET, RivalNodeNet } from 'chimney/internal/scenario/rival-node-net';
import { Storm } from 'chimney/internal/scenario/storm';
import { PATHS, stormOptions } from 'chimney/internal/scenario/storm-options';
import { median, rateRow, runIfMain, timeRow } from './rows.mjs';

const BENCH = 'storm';
const SIZES = [300, 500, 800, 2000, 4000];
/** As many as `npm start` makes, of which the workers' warming up takes much; and enough for it not to count. */
const SHORT = [20_000];
const LONG = [100_000];
/** The rival's, after its warm-up. */
const RIVAL = 20_000;
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

async function rival(documents) {
  const { connectionsPerSecond: perSecond, error } = await new RivalNodeNet(documents, { connections: RIVAL }).run();
  if (error !== undefined) throw new Error(`${RIVAL_NODE_NET}: ${error}`);
  return { perSecond };
}

/** Results by way of doing it; the ways take turns, to spread what else the machine does. */
async function measure(connections, turns, documents) {
  const results = Object.fromEntries([...PATHS, RIVAL_NODE_NET].map(way => [way, []]));
  for (let turn = 0; turn < turns; turn++) {
    for (const [way, kept] of Object.entries(results)) {
      const result = way === RIVAL_NODE_NET ? await rival(documents) : await storm(way, connections, documents);
      if (turn > 0) kept.push(result);
    }
  }
  return (way, name) => median(results[way].map(result => result[name]));
}

/** @returns {Promise<import('./rows.mjs').Row[]>} */
export async function run({ quick }) {
  const documents = SIZES.map((size, i) => documentOf(`/${size}`, bodyOf(size, i)));
  const rows = [];
  for (const connections of quick ? SHORT : [...SHORT, ...LONG]) {
    const figure = await measure(connections, quick ? 2 : 5, documents);
    const storm = `storm of ${connections.toLocaleString('en')}`;
    const rivalRate = figure(RIVAL_NODE_NET, 'perSecond');
    for (const path of PATHS) {
      const rate = figure(path, 'perSecond');
      rows.push(rateRow(BENCH, `${storm}, path ${path}: connections`, '1/s', rate, RIVAL_NODE_NET, rivalRate));
    }
    for (const path of PATHS) {
      const name = `${storm}, path ${path}: doorbells per 1,000 packets`;
      rows.push(timeRow(BENCH, name, '', figure(path, 'bells'), BELL_EACH.name, BELL_EACH.per1000));
    }
    for (const path of ['auto', 'chimney']) {
      const name = `${storm}, path ${path}: host CPU per connection`;
      rows.push(timeRow(BENCH, name, 'ns', figure(path, 'busy'), 'path host', figure('host', 'busy')));
    }
  }
  return rows;
}

if (isMainThread) await runIfMain(import.meta.url, run);
