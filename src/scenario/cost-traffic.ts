/**
 * B and C of A + [B − C] (¶13): what a connection's traffic costs on the host path, and through the chimney. Connections
 * to a second host carry requests and replies of several lengths, over links of two MTUs; from these samples follows the
 * cost of an exchange, of a segment and of a byte.
 *
 * Server and NIC are timed step by step in this thread; steps without work do not count, a thread would sleep. The other
 * host and the cables cost nothing here.
 */
import type { TliConnection, TliHandler } from '../host/connection.ts';
import { NOTHING } from '../host/policy/nothing.ts';
import type { OffloadPolicy } from '../host/policy/offload-policy.ts';
import { planMachine } from '../machine-plan.ts';
import type { Memory } from '../memory/memory.ts';
import type { Polled } from '../ring/poll-loop.ts';
import { Simulation } from '../simulation.ts';
import { parseIpv4Address } from '../wire/ipv4-text.ts';
import { spreadOf } from './cost-statistics.ts';

export type TrafficPath = 'host' | 'chimney';

export interface TrafficSample {
  readonly path: TrafficPath;
  readonly mtu: number;
  /** Of the reply. */
  readonly bytes: number;
  readonly segments: number;
  /** ns an exchange: the host's thread, and the NIC's. */
  readonly hostNs: number;
  readonly deviceNs: number;
}

export interface TrafficOptions {
  readonly path: TrafficPath;
  readonly mtu: number;
  readonly bytes: readonly number[];
  readonly connections: number;
  readonly rounds: number;
  readonly memory: Memory | undefined;
}

const PORT = 80;
const SERVER = parseIpv4Address('10.0.0.1')!;
const CLIENT = parseIpv4Address('10.0.0.2')!;
const REQUEST_BYTES = 300;
/** IPv4 and TCP headers with timestamps. */
const HEADER_BYTES = 52;
const WARM_UP = 3;
const NS_PER_MS = 1e6;
const PATIENCE_US = 600_000_000;

/** Milliseconds that a component's steps take, those with work. */
class StepWatch {
  ms = 0;

  constructor(component: Polled) {
    const step = component.step.bind(component);
    component.step = (nowUs, budget) => {
      const started = performance.now();
      const work = step(nowUs, budget);
      if (work > 0) this.ms += performance.now() - started;
      return work;
    };
  }
}

/** Answers each request with as many bytes as are asked for at the moment. */
class Replier implements TliHandler {
  readonly connections: TliConnection[] = [];
  readonly #address: number;
  bytes = 0;
  acknowledged = 0;

  constructor(address: number) {
    this.#address = address;
  }

  connected(connection: TliConnection): void {
    this.connections.push(connection);
    connection.tag = 0;
  }

  received(connection: TliConnection, _address: number, length: number): number {
    connection.tag += length;
    if (connection.tag >= REQUEST_BYTES) {
      connection.tag -= REQUEST_BYTES;
      connection.send(this.#address, this.bytes, 1);
    }
    return length;
  }

  ended(): void {}
  sent(): void {
    this.acknowledged++;
  }
  closed(): void {}
}

class Asker implements TliHandler {
  readonly connections: TliConnection[] = [];
  bytesReceived = 0;

  connected(connection: TliConnection): void {
    this.connections.push(connection);
  }
  received(_connection: TliConnection, _address: number, length: number): number {
    this.bytesReceived += length;
    return length;
  }
  ended(): void {}
  sent(): void {}
  closed(): void {}
}

export class TrafficMeter {
  readonly memory: Memory;
  readonly #options: TrafficOptions;
  readonly #sim: Simulation;
  readonly #server: Replier;
  readonly #client = new Asker();
  readonly #hostWatch: StepWatch;
  readonly #nicWatch: StepWatch;

  constructor(options: TrafficOptions) {
    this.#options = options;
    const { connections, mtu, bytes, path } = options;
    const applicationBytes = Math.max(REQUEST_BYTES, ...bytes);
    const plan = planMachine({
      hosts: ['server', 'client'].map((name, index) => ({
        name,
        nics: [{ name: `nic${index}` }],
        connections: connections * 2,
        mtu,
        applicationBytes,
      })),
    });
    const everything: OffloadPolicy = { name: 'all', batchUs: 0, holdsData: false, wants: () => path === 'chimney' };
    const wiring = [SERVER, CLIENT].map((address, index) => ({
      interfaces: [{ address, prefixLength: 24, vid: 0 }],
      routes: [],
      team: false,
      policy: index === 0 ? everything : NOTHING,
    }));
    const sim = (this.#sim = new Simulation({ plan, wiring, seed: 1, memory: options.memory, checker: false }));
    this.memory = sim.memory;
    this.#server = new Replier(sim.layout.hosts[0]!.regions.application.offset);
    const [server, client] = sim.hosts;
    server!.host.tli.listen(PORT, this.#server);
    this.#call(() => {
      for (let i = 0; i < connections; i++) client!.host.tli.connect(SERVER, PORT, this.#client);
    });
    this.#until(
      () => this.#server.connections.length === connections && this.#client.connections.length === connections,
    );
    sim.runFor(1_000_000);
    const { offloaded } = server!.host.chimney;
    if (offloaded !== (path === 'chimney' ? connections : 0)) throw new Error(`cost: ${offloaded} are offloaded`);
    this.#hostWatch = new StepWatch(server!.host);
    this.#nicWatch = new StepWatch(sim.nics[0]!);
  }

  measure(progress: (text: string) => void): TrafficSample[] {
    const { path, mtu, bytes, rounds, connections } = this.#options;
    const times = bytes.map(length => ({ length, host: [] as number[], device: [] as number[] }));
    for (let round = -WARM_UP; round < rounds; round++) {
      progress(`${path === 'host' ? 'B' : 'C'}, MTU ${mtu}: round ${Math.max(0, round + 1)} of ${rounds}`);
      for (const { length, host, device } of times) {
        this.#hostWatch.ms = 0;
        this.#nicWatch.ms = 0;
        this.#exchange(length);
        if (round < 0) continue;
        host.push((this.#hostWatch.ms * NS_PER_MS) / connections);
        device.push((this.#nicWatch.ms * NS_PER_MS) / connections);
      }
    }
    return times.map(({ length, host, device }) => ({
      path,
      mtu,
      bytes: length,
      segments: Math.ceil(length / (mtu - HEADER_BYTES)),
      hostNs: spreadOf(host).median,
      deviceNs: spreadOf(device).median,
    }));
  }

  /** A request and its reply on every connection, until all is acknowledged. */
  #exchange(bytes: number): void {
    const { connections } = this.#options;
    this.#server.bytes = bytes;
    this.#server.acknowledged = 0;
    this.#client.bytesReceived = 0;
    const request = this.#sim.layout.hosts[1]!.regions.application.offset;
    this.#call(() => {
      for (const connection of this.#client.connections) connection.send(request, REQUEST_BYTES, 1);
    });
    this.#until(() => this.#server.acknowledged === connections && this.#client.bytesReceived === connections * bytes);
    this.#sim.runFor(100_000);
  }

  /** A call of the client's. */
  #call(work: () => void): void {
    const { host } = this.#sim.hosts[1]!;
    host.setTime(this.#sim.clock.nowUs());
    work();
    for (const miniport of host.miniports) miniport.flush();
  }

  #until(done: () => boolean): void {
    if (!this.#sim.run(done, this.#sim.clock.nowUs() + PATIENCE_US)) throw new Error('cost: the traffic stands still');
  }
}
