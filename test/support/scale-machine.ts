/**
 * A machine for tests of scale: a host with one NIC, clients behind routers that all have connected, and nothing else to
 * do. Block lists of any size go down and come back, step by step, in one thread.
 *
 * Every router is a neighbor of the host, every client station a path, so that the tree of all connections is known.
 */
import { assert } from '../../src/base/assert.ts';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import type { Neighbor } from '../../src/host/neighbor.ts';
import { patch } from '../../src/host/ndis.ts';
import { NOTHING } from '../../src/host/policy/nothing.ts';
import type { OffloadPolicy } from '../../src/host/policy/offload-policy.ts';
import { Block, BlockWalk } from '../../src/offload/block-list.ts';
import { planMachine } from '../../src/machine-plan.ts';
import { Simulation } from '../../src/simulation.ts';

export interface ScaleShape {
  readonly neighbors: number;
  readonly pathsPerNeighbor: number;
  readonly connections: number;
}

const PORT = 80;
const SERVER = ip(10, 0, 0, 1);
/** Steps take what there is: nothing waits for a budget. */
const BUDGET = 1024;
const SETTLE_US = 2_000_000;
const CONNECT_US = 120_000_000;
const SPARE_CONNECTIONS = 1024;
/** Whoever asks is offloaded, and at once. */
const AT_ONCE: OffloadPolicy = { name: 'at-once', batchUs: 0, holdsData: false, wants: () => true };

function ip(a: number, b: number, c: number, d: number): number {
  return (a << 24) | (b << 16) | (c << 8) | d;
}

export class ScaleMachine {
  readonly #sim: Simulation;
  readonly connections: TliConnection[] = [];
  /** Calls that reached the adapter's table. */
  readonly calls = { initiate: 0, terminate: 0, update: 0 };

  constructor(shape: ScaleShape) {
    const capacity = shape.connections + SPARE_CONNECTIONS;
    const host = { name: 'server', nics: [{ name: 'nic0' }], connections: capacity, blockList: shape.connections };
    const plan = planMachine({ hosts: [host], populations: [clients(shape)] });
    const gateways = Array.from({ length: shape.neighbors }, (_, i) => i);
    const routes = gateways.map(i => ({ prefix: ip(10, i + 1, 0, 0), prefixLength: 16, gateway: router(i), iface: 0 }));
    const interfaces = [{ address: SERVER, prefixLength: 24, vid: 0 }];
    this.#sim = new Simulation({
      plan,
      wiring: [{ interfaces, routes, team: false, policy: NOTHING }],
      seed: 1,
      checker: false,
    });
    this.#count();
    const handler: TliHandler = {
      connected: connection => this.connections.push(connection),
      received: (_connection, _address, length) => length,
      ended: () => {},
      sent: () => {},
      closed: () => {},
    };
    this.host.tli.listen(PORT, handler);
    const all = this.#sim.run(() => this.connections.length === shape.connections, CONNECT_US);
    assert(all, `${this.connections.length} of ${shape.connections} clients have connected`);
    this.#sim.runFor(SETTLE_US);
    this.host.chimney.policy = AT_ONCE;
  }

  get host() {
    return this.#sim.host.host;
  }

  get nic() {
    return this.#sim.nics[0]!;
  }

  get neighbors(): Neighbor[] {
    return [...this.host.framing.neighbors];
  }

  get pathCount(): number {
    return [...this.host.network.paths].length;
  }

  offload(list: readonly TliConnection[]): void {
    for (const connection of list) this.host.chimney.candidate(connection);
    this.settle();
  }

  takeBack(list: readonly TliConnection[]): void {
    for (const connection of list) this.host.chimney.takeBack(connection);
    this.settle();
  }

  /** A neighbor's MAC address is announced to the device. */
  update(neighbor: Neighbor): void {
    this.host.framing.updateNeighbor(neighbor);
    this.settle();
  }

  /** Request down, work, completion up. */
  settle(): void {
    const now = this.#sim.clock.nowUs();
    this.host.step(now, BUDGET);
    this.nic.step(now, BUDGET);
    this.host.step(now, BUDGET);
  }

  #count(): void {
    const { adapter } = this.host.miniports[0]!;
    patch(adapter.down, 'initiateOffload', next => root => {
      this.calls.initiate++;
      next(root);
    });
    patch(adapter.down, 'terminateOffload', next => root => {
      this.calls.terminate++;
      next(root);
    });
    patch(adapter.down, 'updateOffload', next => root => {
      this.calls.update++;
      next(root);
    });
  }

  /** Statuses of the blocks of every list that is completed from now on; undo with what is returned. */
  watchStatuses(statuses: Map<number, number>): () => void {
    const { up } = this.host.miniports[0]!.adapter;
    const { memory } = this.#sim;
    const block = Block.view(memory);
    const walk = new BlockWalk(memory, this.nic.boot.blocks);
    const watch = (next: (root: number) => void) => (root: number) => {
      for (let at = walk.start(root); at !== 0; at = walk.next()) {
        const { status } = block.at(at);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      assert(!walk.corrupt, 'the list is a tree');
      next(root);
    };
    const undo = [patch(up, 'initiateOffloadComplete', watch), patch(up, 'terminateOffloadComplete', watch)];
    return () => undo.forEach(each => each());
  }
}

function router(index: number): number {
  return ip(10, 0, 0, 200 + index);
}

function clients({ neighbors, pathsPerNeighbor, connections }: ScaleShape) {
  const groups = Array.from({ length: neighbors }, (_, i) => ({
    name: `behind router ${i}`,
    kind: 'router' as const,
    vid: 0,
    firstAddress: ip(10, i + 1, 0, 1),
    count: pathsPerNeighbor,
    prefixLength: 16,
    routerAddress: router(i),
    serverAddress: SERVER,
    serverPort: PORT,
  }));
  const catalog = [{ path: '/', size: 0, sha256: '' }];
  const load = { connections, concurrency: connections, catalog, seed: 1, timeWaitTicks: 1000 };
  return { vid: 0, options: { name: 'clients', groups, seed: 1, load } };
}
