/**
 * How long it takes to wake a thread: a ring with a doorbell (event count) beside postMessage.
 *
 * One side sends a number, the other sends it back; both sleep while they wait, nobody polls. The value is the median
 * round trip, that is two wake-ups. `host` sleeps in Atomics.waitAsync, as the main thread must; a worker in Atomics.wait.
 */
import { MessageChannel, Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { RegionPlan, attachMemory, createMemory } from 'chimney/internal/memory/memory';
import { Doorbell, DoorbellLayout, DoorbellSleeper, SleepResult } from 'chimney/internal/ring/doorbell';
import { RING_EMPTY, RingConsumer, RingProducer, initializeRing, ringBytes } from 'chimney/internal/ring/spsc-ring';
import { median, runIfMain, timeRow } from './rows.mjs';

const BENCH = 'doorbell';
const RIVAL = 'postMessage';
const WARM_UP = 500;
const WAKE_MS = 10_000;

function setUp() {
  const plan = new RegionPlan();
  const shape = { slots: 4, slotBytes: 16 };
  const regions = {
    pings: plan.add('pings', ringBytes(shape)),
    pongs: plan.add('pongs', ringBytes(shape)),
    pingBell: plan.add('doorbell of the answering side', DoorbellLayout.byteLength),
    pongBell: plan.add('doorbell of the asking side', DoorbellLayout.byteLength),
  };
  const memory = createMemory(plan.byteLength);
  initializeRing(memory, regions.pings, shape);
  initializeRing(memory, regions.pongs, shape);
  return { wasm: memory.wasm, regions };
}

/** A side of two rings: sends on one, receives on the other. */
class Station {
  #words;
  #out;
  #in;
  #sleeper;

  constructor({ wasm, regions }, asks) {
    const memory = attachMemory(wasm);
    const { pings, pongs, pingBell, pongBell } = regions;
    this.#words = memory.i32;
    this.#out = new RingProducer(memory, asks ? pings : pongs, new Doorbell(memory, asks ? pingBell : pongBell));
    this.#in = new RingConsumer(memory, asks ? pongs : pings, null);
    this.#sleeper = new DoorbellSleeper(memory, asks ? pongBell : pingBell);
  }

  send(value) {
    this.#words[this.#out.reserve() >> 2] = value;
    if (this.#out.commit()) this.#out.doorbell.ring();
  }

  /** The value that arrived, or -1. */
  #take() {
    const address = this.#in.next();
    if (address === RING_EMPTY) return -1;
    const value = this.#words[address >> 2];
    this.#in.release();
    return value;
  }

  receive() {
    for (;;) {
      const value = this.#take();
      if (value >= 0) return value;
      this.#sleeper.announce();
      if (this.#in.hasWork()) this.#sleeper.awake();
      else if (this.#sleeper.wait(WAKE_MS) === SleepResult.TimedOut) throw new Error('the doorbell bench stands still');
    }
  }

  async receiveAsync() {
    for (;;) {
      const value = this.#take();
      if (value >= 0) return value;
      this.#sleeper.announce();
      if (this.#in.hasWork()) this.#sleeper.awake();
      else await this.#sleeper.waitAsync(WAKE_MS);
    }
  }
}

/** Round trips in microseconds, without those that warm up. */
function askByDoorbell({ rounds, ...shared }) {
  const station = new Station(shared, true);
  const times = [];
  for (let i = 0; i < rounds + WARM_UP; i++) {
    const since = performance.now();
    station.send(i);
    if (station.receive() !== i) throw new Error('the answer is another');
    if (i >= WARM_UP) times.push((performance.now() - since) * 1000);
  }
  return times;
}

async function askByDoorbellFromHost({ rounds, ...shared }) {
  const station = new Station(shared, true);
  const times = [];
  for (let i = 0; i < rounds + WARM_UP; i++) {
    const since = performance.now();
    station.send(i);
    if ((await station.receiveAsync()) !== i) throw new Error('the answer is another');
    if (i >= WARM_UP) times.push((performance.now() - since) * 1000);
  }
  return times;
}

function answerByDoorbell({ rounds, ...shared }) {
  const station = new Station(shared, false);
  for (let i = 0; i < rounds + WARM_UP; i++) station.send(station.receive());
  return [];
}

/** @param port a MessagePort or a Worker: what the other side listens on */
function askByMessage({ rounds, port }) {
  const times = [];
  return new Promise(resolve => {
    let since = 0;
    let i = 0;
    port.on('message', () => {
      if (i++ >= WARM_UP) times.push((performance.now() - since) * 1000);
      if (times.length === rounds) {
        port.removeAllListeners('message');
        resolve(times);
        return;
      }
      since = performance.now();
      port.postMessage(i);
    });
    since = performance.now();
    port.postMessage(i);
  });
}

function answerByMessage({ port }) {
  port.on('message', value => port.postMessage(value));
}

/** Starts the threads of one measurement, takes the report of the one that asks, and ends them all. */
async function measure(start) {
  const workers = [];
  const spawn = (data, transferList = []) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { bench: BENCH, ...data }, transferList });
    workers.push(worker);
    return worker;
  };
  try {
    return median(await start(spawn));
  } finally {
    await Promise.all(workers.map(worker => worker.terminate()));
  }
}

function report(worker) {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

const workerByDoorbell = rounds => spawn => {
  const shared = { rounds, ...setUp() };
  spawn({ side: 'answerByDoorbell', ...shared });
  return report(spawn({ side: 'askByDoorbell', ...shared }));
};

const hostByDoorbell = rounds => spawn => {
  const shared = { rounds, ...setUp() };
  spawn({ side: 'answerByDoorbell', ...shared });
  return askByDoorbellFromHost(shared);
};

const workerByMessage = rounds => spawn => {
  const { port1, port2 } = new MessageChannel();
  spawn({ side: 'answerByMessage', port: port1 }, [port1]);
  return report(spawn({ side: 'askByMessage', rounds, port: port2 }, [port2]));
};

const hostByMessage = rounds => spawn => askByMessage({ rounds, port: spawn({ side: 'answerByMessage' }) });

/** @returns {Promise<import('./rows.mjs').Row[]>} */
export async function run({ quick }) {
  const rounds = quick ? 3000 : 20_000;
  const turns = quick ? 3 : 5;
  const cases = [
    ['round trip worker – worker', workerByDoorbell, workerByMessage],
    ['round trip host – worker', hostByDoorbell, hostByMessage],
  ];
  const rows = [];
  for (const [name, ours, rival] of cases) {
    const medians = [[], []];
    for (let turn = 0; turn < turns; turn++) {
      medians[0].push(await measure(ours(rounds)));
      medians[1].push(await measure(rival(rounds)));
    }
    rows.push(timeRow(BENCH, name, 'us', median(medians[0]), RIVAL, median(medians[1])));
  }
  return rows;
}

const SIDES = { askByDoorbell, answerByDoorbell, askByMessage, answerByMessage };

if (!isMainThread && workerData?.bench === BENCH) {
  const { side, ...data } = workerData;
  const times = await SIDES[side]({ ...data, port: data.port ?? parentPort });
  if (times !== undefined) parentPort.postMessage(times);
} else if (isMainThread) await runIfMain(import.meta.url, run);
