/**
 * Scale: what a connection costs in one list of 1,000, 10,000 and 100,000, down to the NIC and back, and what the MAC
 * address of a neighbor costs that many connections share.
 *
 * Host and NIC step in turn in one thread; processor time alone. The least of several rounds counts: whatever else the
 * machine does only adds. Two comparisons, because a machine of 100,000 connections is larger than the processor's cache
 * and a machine of 1,000 is not:
 *
 *   1,000 of them      the same machine, a list of 1,000 of its connections, other ones in each round
 *   alone              a machine that has 1,000 connections and no more, always the same
 */
import { isMainThread } from 'node:worker_threads';
import { planMachine } from 'chimney/internal/machine-plan';
import { Simulation } from 'chimney/internal/simulation';
import { runIfMain, timeRow } from './rows.mjs';

const BENCH = 'scale';
const MANY = 100_000;
const FEW = 1_000;
const SIZES = [10_000, MANY];
const PORT = 80;
const BUDGET = 1024;
const SETTLE_US = 2_000_000;
const UPDATES = 5000;
const WARM_UP = 3;

const ip = (a, b, c, d) => (a << 24) | (b << 16) | (c << 8) | d;
const router = index => ip(10, 0, 0, 200 + index);
const SERVER = ip(10, 0, 0, 1);

const NOTHING = { name: 'nothing', batchUs: 0, holdsData: false, wants: () => false };
const AT_ONCE = { ...NOTHING, name: 'at-once', wants: () => true };

function planOf({ neighbors, paths, connections }) {
  const indexes = Array.from({ length: neighbors }, (_, i) => i);
  const groups = indexes.map(i => ({
    name: `behind router ${i}`,
    kind: 'router',
    vid: 0,
    firstAddress: ip(10, i + 1, 0, 1),
    count: paths / neighbors,
    prefixLength: 16,
    routerAddress: router(i),
    serverAddress: SERVER,
    serverPort: PORT,
  }));
  const catalog = [{ path: '/', size: 0, sha256: '' }];
  const load = { connections, concurrency: connections, catalog, seed: 1, timeWaitTicks: 1000 };
  const populations = [{ vid: 0, options: { name: 'clients', groups, seed: 1, load } }];
  const host = { name: 'server', nics: [{ name: 'nic0' }], connections: connections + 1024, blockList: connections };
  const interfaces = [{ address: SERVER, prefixLength: 24, vid: 0 }];
  const routes = indexes.map(i => ({ prefix: ip(10, i + 1, 0, 0), prefixLength: 16, gateway: router(i), iface: 0 }));
  return {
    plan: planMachine({ hosts: [host], populations }),
    wiring: [{ interfaces, routes, team: false, policy: NOTHING }],
  };
}

/** All clients are connected, and the network is silent. */
class Machine {
  connections = [];
  #simulation;
  #host;
  #nic;

  constructor(shape) {
    this.#simulation = new Simulation({ ...planOf(shape), seed: 1, checker: false });
    this.#host = this.#simulation.host.host;
    this.#nic = this.#simulation.nics[0];
    const connected = connection => this.connections.push(connection);
    const received = (_connection, _address, length) => length;
    this.#host.tli.listen(PORT, { connected, received, ended() {}, sent() {}, closed() {} });
    const all = () => this.connections.length === shape.connections;
    if (!this.#simulation.run(all)) throw new Error('clients stand still');
    this.#simulation.runFor(SETTLE_US);
    this.#host.chimney.policy = AT_ONCE;
  }

  /** `candidate` or `takeBack`, all in one list; nanoseconds of processor time a connection. */
  carry(list, call) {
    const { chimney } = this.#host;
    const before = chimney.stats.initiateCalls + chimney.stats.terminateCalls;
    const ns = cpuNs(() => {
      for (const connection of list) chimney[call](connection);
      this.#settle();
    });
    if (chimney.stats.initiateCalls + chimney.stats.terminateCalls !== before + 1)
      throw new Error('more than one list');
    if (chimney.offloaded !== (call === 'candidate' ? list.length : 0)) throw new Error('not all went');
    return ns / list.length;
  }

  /** Nanoseconds an update of its first neighbor's MAC address. */
  update() {
    const [neighbor] = this.#host.framing.neighbors;
    return (
      cpuNs(() => {
        for (let i = 0; i < UPDATES; i++) {
          this.#host.framing.updateNeighbor(neighbor);
          this.#settle();
        }
      }) / UPDATES
    );
  }

  #settle() {
    const now = this.#simulation.clock.nowUs();
    this.#host.step(now, BUDGET);
    this.#nic.step(now, BUDGET);
    this.#host.step(now, BUDGET);
  }
}

function cpuNs(work) {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

/** The least of all rounds, by call. */
class Least {
  candidate = Infinity;
  takeBack = Infinity;

  round(machine, list, counts) {
    for (const call of ['candidate', 'takeBack']) {
      const ns = machine.carry(list, call);
      if (counts) this[call] = Math.min(this[call], ns);
    }
  }
}

function lists(rounds) {
  const machine = new Machine({ neighbors: 10, paths: 1000, connections: MANY });
  const alone = new Machine({ neighbors: 1, paths: 10, connections: FEW });
  const bySize = new Map([FEW, ...SIZES].map(size => [size, new Least()]));
  const least = new Least();
  for (let round = 0; round < WARM_UP + rounds; round++) {
    for (const [size, bill] of bySize) {
      const from = (round * 37 * FEW) % (MANY - size + 1);
      bill.round(machine, machine.connections.slice(from, from + size), round >= WARM_UP);
    }
    for (let i = 0; i < 10; i++) least.round(alone, alone.connections, round >= WARM_UP);
  }
  const rows = [];
  for (const [call, what] of [
    ['candidate', 'offload'],
    ['takeBack', 'take back'],
  ]) {
    for (const size of SIZES) {
      const name = `${what} ${size.toLocaleString('en')} in one list, each`;
      const ns = bySize.get(size)[call];
      rows.push(timeRow(BENCH, name, 'ns', ns, '1,000 of them', bySize.get(FEW)[call]));
      rows.push(timeRow(BENCH, name, 'ns', ns, '1,000 alone', least[call]));
    }
  }
  return rows;
}

function updates(rounds) {
  const shared = new Machine({ neighbors: 1, paths: 1000, connections: MANY });
  const lone = new Machine({ neighbors: 1, paths: 1, connections: 1 });
  for (const machine of [shared, lone]) machine.carry(machine.connections, 'candidate');
  let many = Infinity;
  let one = Infinity;
  for (let round = 0; round < rounds; round++) {
    many = Math.min(many, shared.update());
    one = Math.min(one, lone.update());
  }
  return [timeRow(BENCH, 'update a neighbor of 100,000 connections', 'ns', many, 'of one connection', one)];
}

/** @returns {Promise<import('./rows.mjs').Row[]>} */
export async function run({ quick }) {
  const rounds = quick ? 5 : 20;
  return [...lists(rounds), ...updates(rounds)];
}

if (isMainThread) await runIfMain(import.meta.url, run);
