/**
 * Descriptors of 16 bytes from one thread to another, beside ringbuf.js.
 *
 * Both run in the same two threads, with room for as many descriptors, and idle in the same way: poll some thousand times,
 * then sleep on a doorbell, which both ring only for a sleeper. Ours fills and reads slots in place, in two ways: a call a
 * run of slots that lie one behind the other (reserveRun, nextRun), or a call a slot (reserve, next). ringbuf.js copies from
 * and to an array of one batch, which is how it is meant to be used. The consumer takes the time of every million or so
 * descriptors in one unbroken stream, after a few to warm up; all do the same work per descriptor.
 */
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { RegionPlan, attachMemory, createMemory } from 'chimney/internal/memory/memory';
import { Doorbell, DoorbellLayout, DoorbellSleeper } from 'chimney/internal/ring/doorbell';
import { RING_EMPTY, RING_FULL, RingConsumer, RingProducer, initializeRing } from 'chimney/internal/ring/spsc-ring';
import { ringBytes } from 'chimney/internal/ring/spsc-ring';
import { RingBuffer } from 'ringbuf.js';
import { median, rateRow, runIfMain } from './rows.mjs';

const BENCH = 'ring';
const BATCHES = [1, 8, 32, 256];
const SLOTS = 4096;
const WORDS = 4;
const SPINS = 5000;
const WARM_UP_LAPS = 3;

/** Sleeps when polling has found nothing for long; `ready` is the look again after the announcement. */
class Idler {
  #polls = 0;
  #sleeper;

  constructor(sleeper) {
    this.#sleeper = sleeper;
  }

  worked() {
    this.#polls = 0;
  }

  idle(ready) {
    if (this.#polls++ < SPINS) return;
    this.#polls = 0;
    this.#sleeper.announce();
    if (ready()) this.#sleeper.awake();
    else this.#sleeper.wait(1000);
  }
}

function setUp() {
  const plan = new RegionPlan();
  const shape = { slots: SLOTS, slotBytes: WORDS * 4 };
  const regions = {
    ring: plan.add('ring', ringBytes(shape)),
    toConsumer: plan.add('consumer doorbell', DoorbellLayout.byteLength),
    toProducer: plan.add('producer doorbell', DoorbellLayout.byteLength),
  };
  const memory = createMemory(plan.byteLength);
  initializeRing(memory, regions.ring, shape);
  const rivalBuffer = RingBuffer.getStorageForCapacity(SLOTS * WORDS, Int32Array);
  return { wasm: memory.wasm, regions, rivalBuffer };
}

/*
 * What a thread does per batch is a function of its own, so that V8 optimizes it as in any long-running program; one big
 * loop would be replaced on the stack half-way, to the disadvantage of whichever ring has more code in it.
 */

function fillSlots(words, ring, first, wanted) {
  let count = 0;
  for (; count < wanted; count++) {
    const address = ring.reserve();
    if (address === RING_FULL) break;
    const at = address >> 2;
    const item = first + count;
    words[at] = item;
    words[at + 1] = item + 1;
    words[at + 2] = item + 2;
    words[at + 3] = item + 3;
  }
  if (count === wanted && ring.commit()) ring.doorbell.ring();
  return count;
}

function sumSlots(words, ring, batch, totals) {
  let count = 0;
  let sum = totals.sum;
  for (; count < batch; count++) {
    const address = ring.next();
    if (address === RING_EMPTY) break;
    const at = address >> 2;
    sum = (sum + words[at] + words[at + 1] + words[at + 2] + words[at + 3]) | 0;
  }
  totals.sum = sum;
  if (ring.release()) ring.producerDoorbell.ring();
  return count;
}

function fillRuns(words, ring, first, wanted) {
  let count = 0;
  while (count < wanted) {
    const run = ring.reserveRun(wanted - count);
    if (run === 0) break;
    let at = ring.runAddress >> 2;
    for (const end = at + run * WORDS; at < end; at += WORDS, count++) {
      const item = first + count;
      words[at] = item;
      words[at + 1] = item + 1;
      words[at + 2] = item + 2;
      words[at + 3] = item + 3;
    }
  }
  if (count === wanted && ring.commit()) ring.doorbell.ring();
  return count;
}

function sumRuns(words, ring, batch, totals) {
  const count = ring.nextRun(batch);
  let at = ring.runAddress >> 2;
  let sum = totals.sum;
  for (const end = at + count * WORDS; at < end; at += WORDS) {
    sum = (sum + words[at] + words[at + 1] + words[at + 2] + words[at + 3]) | 0;
  }
  totals.sum = sum;
  if (ring.release()) ring.producerDoorbell.ring();
  return count;
}

const produceOurs =
  fill =>
  ({ wasm, regions, batch, total }) => {
    const memory = attachMemory(wasm);
    const ring = new RingProducer(memory, regions.ring, new Doorbell(memory, regions.toConsumer));
    const idler = new Idler(new DoorbellSleeper(memory, regions.toProducer));
    const ready = () => !ring.announceWait();
    for (let made = 0; made < total;) {
      const count = fill(memory.i32, ring, made, batch - (made % batch));
      if (count === 0) idler.idle(ready);
      else idler.worked();
      made += count;
    }
    return 0;
  };

const consumeOurs =
  sum =>
  ({ wasm, regions, batch, total, lap }) => {
    const memory = attachMemory(wasm);
    const ring = new RingConsumer(memory, regions.ring, new Doorbell(memory, regions.toProducer));
    const idler = new Idler(new DoorbellSleeper(memory, regions.toConsumer));
    const ready = () => ring.hasWork();
    const laps = new LapTimer(lap);
    const totals = { sum: 0 };
    for (let seen = 0; seen < total;) {
      const count = sum(memory.i32, ring, batch, totals);
      if (count === 0) idler.idle(ready);
      else idler.worked();
      seen += count;
      laps.at(seen);
    }
    return { sum: totals.sum, rates: laps.rates };
  };

function fillStaging(staging, first, wanted) {
  for (let count = 0, at = 0; count < wanted; count++, at += WORDS) {
    const item = first + count;
    staging[at] = item;
    staging[at + 1] = item + 1;
    staging[at + 2] = item + 2;
    staging[at + 3] = item + 3;
  }
}

function sumStaging(staging, words, totals) {
  let sum = totals.sum;
  for (let at = 0; at < words; at += WORDS) {
    sum = (sum + staging[at] + staging[at + 1] + staging[at + 2] + staging[at + 3]) | 0;
  }
  totals.sum = sum;
}

function produceRival({ wasm, regions, rivalBuffer, batch, total }) {
  const memory = attachMemory(wasm);
  const ring = new RingBuffer(rivalBuffer, Int32Array);
  const doorbell = new Doorbell(memory, regions.toConsumer);
  const idler = new Idler(new DoorbellSleeper(memory, regions.toProducer));
  const ready = () => ring.available_write() >= WORDS;
  const staging = new Int32Array(batch * WORDS);
  for (let made = 0; made < total; made += batch) {
    fillStaging(staging, made, batch);
    for (let pushed = 0; pushed < staging.length;) {
      const count = ring.push(staging, staging.length - pushed, pushed);
      if (count > 0) doorbell.ringIfWanted();
      if (count === 0) idler.idle(ready);
      else idler.worked();
      pushed += count;
    }
  }
  return 0;
}

function consumeRival({ wasm, regions, rivalBuffer, batch, total, lap }) {
  const memory = attachMemory(wasm);
  const ring = new RingBuffer(rivalBuffer, Int32Array);
  const doorbell = new Doorbell(memory, regions.toProducer);
  const idler = new Idler(new DoorbellSleeper(memory, regions.toConsumer));
  const ready = () => !ring.empty();
  const staging = new Int32Array(batch * WORDS);
  const laps = new LapTimer(lap);
  const totals = { sum: 0 };
  for (let seen = 0; seen < total * WORDS;) {
    // Descriptors are pushed whole and the ring holds a whole number of them, so only whole ones come out.
    const count = ring.pop(staging, staging.length);
    sumStaging(staging, count, totals);
    if (count > 0) doorbell.ringIfWanted();
    if (count === 0) idler.idle(ready);
    else idler.worked();
    seen += count;
    laps.at(seen / WORDS);
  }
  return { sum: totals.sum, rates: laps.rates };
}

/** Descriptors per second of each lap, without those that warm up. */
class LapTimer {
  rates = [];
  #lap;
  #next;
  #count = 0;
  #since = performance.now();
  #from = 0;

  constructor(lap) {
    this.#lap = lap;
    this.#next = lap;
  }

  at(seen) {
    if (seen < this.#next) return;
    const now = performance.now();
    if (++this.#count > WARM_UP_LAPS) this.rates.push(((seen - this.#from) / (now - this.#since)) * 1000);
    this.#since = now;
    this.#from = seen;
    this.#next = seen + this.#lap;
  }
}

const SIDES = {
  produceSlots: produceOurs(fillSlots),
  consumeSlots: consumeOurs(sumSlots),
  produceRuns: produceOurs(fillRuns),
  consumeRuns: consumeOurs(sumRuns),
  produceRival,
  consumeRival,
};

/** One stream of one ring; rates of its laps. */
async function stream(producer, consumer, parameters) {
  const shared = { bench: BENCH, ...parameters, ...setUp() };
  const workers = [consumer, producer].map(
    side => new Worker(new URL(import.meta.url), { workerData: { ...shared, side } }),
  );
  try {
    const [consumed] = await Promise.all(workers.map(report));
    return consumed;
  } finally {
    await Promise.all(workers.map(worker => worker.terminate()));
  }
}

function report(worker) {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', code => reject(new Error(`a thread of the ring bench ended early with ${code}`)));
  });
}

/** @returns {Promise<import('./rows.mjs').Row[]>} */
export async function run({ quick }) {
  const rows = [];
  for (const batch of BATCHES) {
    const lap = 250_000 * Math.min(batch, 16) * (quick ? 1 : 4);
    const laps = WARM_UP_LAPS + (quick ? 5 : 7);
    const parameters = { batch, lap, total: Math.ceil((lap * laps) / batch) * batch };
    const rates = { Runs: [], Slots: [], Rival: [] };
    const sums = new Set();
    // Taking turns spreads what else the machine does over all of them.
    for (let turn = 0; turn < (quick ? 2 : 3); turn++) {
      for (const [way, laps] of Object.entries(rates)) {
        const consumed = await stream(`produce${way}`, `consume${way}`, parameters);
        sums.add(consumed.sum);
        laps.push(...consumed.rates);
      }
    }
    if (sums.size !== 1) throw new Error('the rings did not carry the same descriptors');
    const [runs, slots, rival] = Object.values(rates).map(laps => median(laps) / 1e6);
    rows.push(rateRow(BENCH, `batch ${batch}, in runs`, 'M/s', runs, 'ringbuf.js', rival));
    rows.push(rateRow(BENCH, `batch ${batch}, slot by slot`, 'M/s', slots, 'ringbuf.js', rival));
  }
  return rows;
}

if (!isMainThread && workerData?.bench === BENCH) parentPort.postMessage(SIDES[workerData.side](workerData));
else if (isMainThread) await runIfMain(import.meta.url, run);
