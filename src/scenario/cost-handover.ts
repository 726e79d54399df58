/**
 * A of A + [B − C] (¶13, ¶23): what it costs to hand connections over to a NIC and to take them back, for lists of many
 * lengths. Host and NIC run in this thread, step by step under virtual time, each on its own clock: processor time
 * alone, nobody has to be woken.
 *
 * Every list goes through the whole stack, over the rings, into the firmware, and its completion comes back up.
 */
import type { TliConnection, TliHandler } from '../host/connection.ts';
import { NOTHING } from '../host/policy/nothing.ts';
import type { OffloadPolicy } from '../host/policy/offload-policy.ts';
import { planMachine } from '../machine-plan.ts';
import type { Memory } from '../memory/memory.ts';
import { DoorbellSleeper } from '../ring/doorbell.ts';
import { Simulation } from '../simulation.ts';
import { type Shape, shapeNetwork } from './cost-shapes.ts';
import { type Spread, spreadOf } from './cost-statistics.ts';
import { SERVER_PORT } from './network.ts';

/** ns a connection. */
export interface HandOverCost {
  readonly shape: Shape;
  /** Connections in a list. */
  readonly list: number;
  /** Blocks in a list, on average: connections, paths and neighbors. */
  readonly blocks: number;
  readonly initiate: { readonly host: Spread; readonly device: Spread };
  readonly terminate: { readonly host: Spread; readonly device: Spread };
}

export interface HandOverOptions {
  readonly shape: Shape;
  readonly lists: readonly number[];
  readonly rounds: number;
  readonly memory: Memory | undefined;
}

/** A list is ready as soon as the host steps. */
const AT_ONCE: OffloadPolicy = { name: 'at-once', batchUs: 0, holdsData: false, wants: () => true };
const WARM_UP = 3;
const BUDGET = 256;
const SETTLE_US = 1_000_000;
const NS_PER_MS = 1e6;

/** Lists of a length in a round at least: of the longest there would be one. */
const LISTS_MIN = 4;
/** From this length on a list takes so long that other programs may have the processor meanwhile. */
const LONG_LIST = 128;

/**
 * Time between laps, ms. For long lists the processor time of the process if that is less: time by the clock counts who
 * else was running, processor time counts Node's helper threads, and the truth is below both.
 */
class Stopwatch {
  readonly #long: boolean;
  #clockMs = 0;
  #cpuUs = 0;

  constructor(long: boolean) {
    this.#long = long;
    this.lap();
  }

  lap(): number {
    const clockMs = performance.now();
    let ms = clockMs - this.#clockMs;
    this.#clockMs = clockMs;
    if (!this.#long) return ms;
    const { user, system } = process.cpuUsage();
    ms = Math.min(ms, (user + system - this.#cpuUs) / 1000);
    this.#cpuUs = user + system;
    return ms;
  }
}

/** Takes requests and never replies, so that connections stay. */
class Silent implements TliHandler {
  readonly connections: TliConnection[] = [];

  connected(connection: TliConnection): void {
    this.connections.push(connection);
  }
  received(_connection: TliConnection, _address: number, length: number): number {
    return length;
  }
  ended(): void {}
  sent(): void {}
  closed(): void {}
}

/** Times of one operation, ns a connection, a sample a list. */
class Bill {
  readonly host: number[] = [];
  readonly device: number[] = [];
}

export class HandOverMeter {
  readonly memory: Memory;
  readonly #options: HandOverOptions;
  readonly #sim: Simulation;
  readonly #connections: readonly TliConnection[];
  readonly #sleepers: readonly DoorbellSleeper[];

  constructor(options: HandOverOptions) {
    this.#options = options;
    const count = Math.max(...options.lists);
    const { interfaces, routes, populations } = shapeNetwork(options.shape, count);
    const sizes = { connections: count * 2, blockList: count };
    const plan = planMachine({ hosts: [{ name: 'server', nics: [{ name: 'nic0' }], ...sizes }], populations });
    const wiring = [{ interfaces, routes, team: false, policy: NOTHING }];
    const sim = (this.#sim = new Simulation({ plan, wiring, seed: 1, memory: options.memory, checker: false }));
    this.memory = sim.memory;
    const silent = new Silent();
    const { host } = sim.host;
    host.tli.listen(SERVER_PORT, silent);
    if (!sim.run(() => silent.connections.length === count)) throw new Error('cost: the clients stand still');
    sim.runFor(SETTLE_US);
    host.chimney.policy = AT_ONCE;
    this.#connections = silent.connections;
    const { hostDoorbell, regions } = sim.nics[0]!.boot;
    this.#sleepers = [hostDoorbell, regions.doorbell].map(region => new DoorbellSleeper(sim.memory, region));
  }

  /** Lengths take turns, to spread what else the machine does. */
  measure(progress: (text: string) => void): HandOverCost[] {
    const { lists, rounds, shape } = this.#options;
    const results = lists.map(list => ({ list, initiate: new Bill(), terminate: new Bill(), blocks: 0 }));
    const { stats } = this.#sim.host.host.chimney;
    for (let round = -WARM_UP; round < rounds; round++) {
      progress(`A, ${shape}: round ${Math.max(0, round + 1)} of ${rounds}`);
      for (const result of results) {
        const { initiateBlocks, initiateCalls } = stats;
        const isWarm = round >= 0;
        for (let lists = 0; lists < LISTS_MIN; lists += Math.ceil(this.#connections.length / result.list)) {
          this.#carryAll(result.list, 'candidate', isWarm ? result.initiate : new Bill());
          this.#carryAll(result.list, 'takeBack', isWarm ? result.terminate : new Bill());
        }
        result.blocks = (stats.initiateBlocks - initiateBlocks) / (stats.initiateCalls - initiateCalls);
      }
    }
    return results.map(({ list, blocks, initiate, terminate }) => ({
      shape,
      list,
      blocks,
      initiate: { host: spreadOf(initiate.host), device: spreadOf(initiate.device) },
      terminate: { host: spreadOf(terminate.host), device: spreadOf(terminate.device) },
    }));
  }

  #carryAll(length: number, call: 'candidate' | 'takeBack', bill: Bill): void {
    const all = this.#connections;
    for (let at = 0; at < all.length; at += length) this.#carry(all.slice(at, at + length), call, bill);
    const { offloaded } = this.#sim.host.host.chimney;
    if (offloaded !== (call === 'candidate' ? all.length : 0)) throw new Error(`cost: ${offloaded} are offloaded`);
  }

  /** One list, there and back. Both sides are told that the other sleeps, so that each publication rings. */
  #carry(list: readonly TliConnection[], call: 'candidate' | 'takeBack', bill: Bill): void {
    const [nic] = this.#sim.nics;
    const { host } = this.#sim.host;
    const now = this.#sim.clock.nowUs();
    for (const sleeper of this.#sleepers) sleeper.announce();
    const watch = new Stopwatch(list.length >= LONG_LIST);
    for (const connection of list) host.chimney[call](connection);
    host.step(now, BUDGET);
    const submitting = watch.lap();
    nic!.step(now, BUDGET);
    const answering = watch.lap();
    host.step(now, BUDGET);
    const completing = watch.lap();
    bill.host.push(((submitting + completing) * NS_PER_MS) / list.length);
    bill.device.push((answering * NS_PER_MS) / list.length);
  }
}
