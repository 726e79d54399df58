/**
 * The price of offload, A in A + [B − C]: what it costs to hand connections over to a NIC, and to take them back, in block
 * lists of several sizes beside one by one.
 *
 * Thousands of established connections of clients behind routers go down through the whole stack (chimney, Transport,
 * Network, Framing, miniport), over the rings, into the NIC's firmware, and their completions come back up.
 *
 *   one thread   virtual time; host and NIC step in turn, each on its own clock. Every list is one descriptor down, one
 *                completion up and a doorbell each; nobody has to be woken, so this is processor time alone.
 *   team         the same, through an active-backup team, which translates every handle.
 *   threads      the NIC in its worker; a list is sent when the one before is completed. Here waking each other counts.
 */
import { isMainThread } from 'node:worker_threads';
import { planMachine } from 'chimney/internal/machine-plan';
import { ThreadedMachine } from 'chimney/internal/machine-threads';
import { DoorbellSleeper } from 'chimney/internal/ring/doorbell';
import { SERVER_PORT, stormNetwork } from 'chimney/internal/scenario/network';
import { Simulation } from 'chimney/internal/simulation';
import { median, runIfMain, timeRow } from './rows.mjs';

const BENCH = 'offload';
const SIZES = [1, 8, 32, 64, 256];
const CONNECTIONS = 4096;
/** As many as in the storm: nearly every connection has a path of its own. */
const STATIONS = 4096;
const BUDGET = 256;
/** Rounds that warm up: every size, down and up. */
const WARM_UP = 3;
const IDLE_US = 1_000_000;
const SLEEP_MS = 1000;

/** A list is ready as soon as the host steps; its size is the number of candidates. */
const AT_ONCE = { name: 'at-once', batchUs: 0, holdsData: false, wants: () => true };
const NOTHING = { ...AT_ONCE, wants: () => false };

/** Takes requests and never replies, so that connections stay. */
class Silent {
  connections = [];
  bytes = 0;

  connected(connection) {
    this.connections.push(connection);
  }

  received(_, __, length) {
    this.bytes += length;
    return length;
  }

  ended() {}
  sent() {}
  closed() {}
}

function machinePlan(team) {
  const network = stormNetwork({
    vids: [],
    connections: CONNECTIONS,
    concurrency: CONNECTIONS,
    catalog: [{ path: '/', size: 0, sha256: '' }],
    seed: 1,
    timeWaitTicks: 1000,
    stations: STATIONS,
  });
  const nics = team ? [{ name: 'nic0' }, { name: 'nic1' }] : [{ name: 'nic0' }];
  const sizes = { connections: CONNECTIONS * 2, blockList: Math.max(...SIZES) };
  const plan = planMachine({ hosts: [{ name: 'server', nics, ...sizes }], populations: network.populations });
  const { interfaces, routes } = network;
  return { plan, wiring: [{ interfaces, routes, team, policy: NOTHING }] };
}

/** Counts the time of the two sides apart. */
class Bill {
  host = 0;
  device = 0;
}

/** Host and NIC step by step; both are told that the other sleeps, so that each publication rings. */
class OneThread {
  #simulation;
  #host;
  #nic;
  #sleepers;

  constructor({ team }) {
    this.#simulation = new Simulation({ ...machinePlan(team), seed: 1, checker: false });
    const { memory, host, nics } = this.#simulation;
    const silent = new Silent();
    this.#host = host.host;
    this.#nic = nics[0];
    this.#host.tli.listen(SERVER_PORT, silent);
    if (!this.#simulation.run(() => silent.connections.length === CONNECTIONS)) throw new Error('clients stand still');
    this.#simulation.runFor(IDLE_US);
    this.#host.chimney.policy = AT_ONCE;
    this.connections = silent.connections;
    this.chimney = this.#host.chimney;
    const { hostDoorbell, regions } = this.#nic.boot;
    this.#sleepers = [new DoorbellSleeper(memory, hostDoorbell), new DoorbellSleeper(memory, regions.doorbell)];
  }

  /** One list, there and back. */
  carry(list, call, bill) {
    const { chimney } = this;
    const now = this.#simulation.clock.nowUs();
    for (const sleeper of this.#sleepers) sleeper.announce();
    const started = performance.now();
    for (const connection of list) chimney[call](connection);
    this.#host.step(now, BUDGET);
    const submitted = performance.now();
    this.#nic.step(now, BUDGET);
    const answered = performance.now();
    this.#host.step(now, BUDGET);
    bill.host += performance.now() - answered + submitted - started;
    bill.device += answered - submitted;
  }
}

/** The NIC in a worker; the host thread blocks until the completion is there. */
class Threads {
  #machine;
  #host;
  #sleeper;

  static async start() {
    const threads = new Threads();
    const machine = (threads.#machine = new ThreadedMachine(machinePlan(false)));
    const { host } = machine.hosts[0];
    const silent = new Silent();
    host.tli.listen(SERVER_PORT, silent);
    await machine.start();
    const due = performance.now() + 20_000;
    for (let bytes = -1; silent.connections.length < CONNECTIONS || bytes !== silent.bytes;) {
      if (performance.now() > due) throw new Error('clients stand still');
      bytes = silent.bytes;
      await new Promise(resolve => setTimeout(resolve, 250));
    }
    // From here on the host is driven by `carry` alone.
    machine.loop.stop();
    await new Promise(resolve => setTimeout(resolve, 100));
    host.chimney.policy = AT_ONCE;
    threads.connections = silent.connections;
    threads.chimney = host.chimney;
    threads.#host = host;
    threads.#sleeper = new DoorbellSleeper(machine.memory, machine.layout.hostDoorbell);
    return threads;
  }

  carry(list, call, bill) {
    const { chimney } = this;
    const started = performance.now();
    for (const connection of list) chimney[call](connection);
    do {
      if (this.#host.step(this.#machine.clock.nowUs(), BUDGET) > 0) continue;
      this.#sleeper.announce();
      if (this.#host.hasWork()) this.#sleeper.awake();
      else this.#sleeper.wait(SLEEP_MS);
    } while (chimney.requestsPending > 0);
    bill.host += performance.now() - started;
  }

  async close() {
    await this.#machine.close();
  }
}

/** All connections to the NIC and back, in lists of one size. */
function round(machine, lists) {
  const bills = { candidate: new Bill(), takeBack: new Bill() };
  for (const [call, offloaded] of [
    ['candidate', CONNECTIONS],
    ['takeBack', 0],
  ]) {
    for (const list of lists) machine.carry(list, call, bills[call]);
    if (machine.chimney.offloaded !== offloaded) throw new Error(`${machine.chimney.offloaded} connections offloaded`);
  }
  return bills;
}

/** By size, call and side: median nanoseconds a connection. Sizes take turns, to spread what else the machine does. */
function measure(machine, rounds) {
  const listsOf = size =>
    Array.from({ length: CONNECTIONS / size }, (_, i) => machine.connections.slice(i * size, (i + 1) * size));
  const sizes = SIZES.map(size => ({ size, lists: listsOf(size), bills: [] }));
  for (let i = 0; i < WARM_UP + rounds; i++) {
    for (const { lists, bills } of sizes) {
      const bill = round(machine, lists);
      if (i >= WARM_UP) bills.push(bill);
    }
  }
  return (size, call, side) => {
    const { bills } = sizes.find(each => each.size === size);
    const time = bill => (side === 'both' ? bill.host + bill.device : bill[side]);
    return (median(bills.map(bill => time(bill[call]))) / CONNECTIONS) * 1e6;
  };
}

/** One row a list size: how many times cheaper than one by one. */
function rowsOf(name, figure, call, side) {
  const oneByOne = figure(1, call, side);
  return SIZES.slice(1).map(size =>
    timeRow(BENCH, `${name}, lists of ${size}`, 'ns', figure(size, call, side), 'one by one', oneByOne),
  );
}

/** @returns {Promise<import('./rows.mjs').Row[]>} */
export async function run({ quick }) {
  const rounds = quick ? 5 : 25;
  const rows = [];
  const alone = measure(new OneThread({ team: false }), rounds);
  for (const side of ['host', 'device', 'both']) {
    const who = side === 'both' ? 'host + NIC' : side === 'device' ? 'NIC' : 'host';
    rows.push(...rowsOf(`one thread: offload, ${who}`, alone, 'candidate', side));
    rows.push(...rowsOf(`one thread: take back, ${who}`, alone, 'takeBack', side));
  }
  const team = measure(new OneThread({ team: true }), rounds);
  rows.push(...rowsOf('team: offload, host + NIC', team, 'candidate', 'both'));
  rows.push(...rowsOf('team: take back, host + NIC', team, 'takeBack', 'both'));
  const threads = await Threads.start();
  try {
    const figure = measure(threads, quick ? 3 : 9);
    rows.push(...rowsOf('threads: offload, until completed', figure, 'candidate', 'host'));
    rows.push(...rowsOf('threads: take back, until completed', figure, 'takeBack', 'host'));
  } finally {
    await threads.close();
  }
  return rows;
}

if (isMainThread) await runIfMain(import.meta.url, run);
