/**
 * A machine to watch: one host with its NICs and drivers, other hosts to talk to, virtual time, and a recorder.
 *
 * What is offloaded and when is the ladder's decision; connections are opened before the recording begins.
 */
import type { HostWiring, InterfacePlan, RoutePlan } from '../../assemble-host.ts';
import type { PopulationPlan } from '../../fabric/fabric.ts';
import { type Adapter, patch } from '../../host/ndis.ts';
import { NOTHING } from '../../host/policy/nothing.ts';
import type { OffloadPolicy } from '../../host/policy/offload-policy.ts';
import type { TliConnection } from '../../host/connection.ts';
import type { Host } from '../../host/host.ts';
import type { HostOffloadOptions } from '../../host/offload-options.ts';
import { planMachine } from '../../machine-plan.ts';
import { createMemory, type Memory } from '../../memory/memory.ts';
import { Simulation } from '../../simulation.ts';
import { parseIpv4Address } from '../../wire/ipv4-text.ts';
import type { Ladder, LadderCheck } from '../ladder.ts';
import { ConnectionNames } from './connection-names.ts';
import { Recorder } from './recorder.ts';

export interface FigureOptions {
  readonly seed: number;
  readonly connections: number;
  /** Figure 3: when layers send their state; as the figure has it unless told otherwise. */
  readonly state?: HostOffloadOptions['state'] | undefined;
}

export interface StagePeer {
  readonly name: string;
  readonly address: string;
  /** VLAN that it is in, 0 for none. */
  readonly vid: number;
}

export interface StageOptions {
  readonly figure: string;
  readonly title: string;
  readonly seed: number;
  readonly peers: readonly StagePeer[];
  readonly nics?: readonly string[];
  /** Of the host that is watched; one interface 10.0.0.1/24 unless said otherwise. */
  readonly interfaces?: readonly InterfacePlan[];
  readonly routes?: readonly RoutePlan[];
  readonly populations?: readonly PopulationPlan[];
  /** Bytes of application memory of every host. */
  readonly applicationBytes: number;
  readonly connections: number;
  /** Forms of offload of the host that is watched. */
  readonly offload?: Partial<HostOffloadOptions>;
}

export const SERVER_ADDRESS = '10.0.0.1';
/** One way through a cable: a segment takes twice as long from host to host. */
const CABLE_US = 50;
const SETTLE_US = 1_000_000;

/** Used again from one ladder to the next. */
let kept: Memory | undefined;

export class Stage {
  readonly sim: Simulation;
  readonly names = new ConnectionNames();
  readonly recorder: Recorder;
  readonly checks: LadderCheck[] = [];
  readonly #options: StageOptions;
  #mayOffload = false;

  constructor(options: StageOptions) {
    this.#options = options;
    const { nics = ['nic0'], peers, connections, applicationBytes, seed } = options;
    const sizes = { connections: Math.max(64, connections * 2), applicationBytes };
    const plan = planMachine({
      hosts: [
        {
          name: 'server',
          nics: nics.map(name => ({ name })),
          blockList: Math.max(256, connections),
          offload: options.offload,
          ...sizes,
        },
        ...peers.map(({ name }) => ({ name, nics: [{ name: `${name}-nic` }], ...sizes })),
      ],
      populations: options.populations ?? [],
      faults: { delayUs: CABLE_US },
      small: connections <= 64,
      seed,
    });
    // Nothing is offloaded unless the ladder says so; what it says goes at once.
    const policy: OffloadPolicy = { name: 'ladder', batchUs: 0, holdsData: false, wants: () => this.#mayOffload };
    const interfaces = options.interfaces ?? [{ address: addressOf(SERVER_ADDRESS), prefixLength: 24, vid: 0 }];
    const wiring: HostWiring[] = [
      { interfaces, routes: options.routes ?? [], team: nics.length > 1, policy },
      ...peers.map(({ address, vid }) => ({
        interfaces: [{ address: addressOf(address), prefixLength: 24, vid }],
        routes: [],
        team: false,
        policy: NOTHING,
      })),
    ];
    kept ??= createMemory(16 << 20);
    this.sim = new Simulation({ plan, wiring, seed, memory: kept });
    this.recorder = new Recorder(this.sim, this.names);
  }

  get host(): Host {
    return this.sim.host.host;
  }

  peer(index: number): Host {
    return this.sim.hosts[index + 1]!.host;
  }

  /** Everything so far was preparation: quiet first, then time 0. */
  begin(): void {
    const now = this.sim.clock.nowUs();
    this.sim.runFor(SETTLE_US - (now % SETTLE_US));
    this.recorder.begin();
  }

  act(text: string, step = ''): void {
    this.recorder.act(text, step);
  }

  check(text: string, ok: boolean): void {
    this.checks.push({ text, ok });
  }

  /** A call from outside of a step: at the right time, and published. */
  call(host: Host, work: () => void): void {
    host.setTime(this.sim.clock.nowUs());
    work();
    for (const miniport of host.miniports) miniport.flush();
    for (const cable of this.sim.fabric.cables) cable.flush();
  }

  /** The switch decides: these, in one list. */
  offload(connections: Iterable<TliConnection>): void {
    this.call(this.host, () => {
      this.#mayOffload = true;
      for (const connection of connections) this.host.chimney.candidate(connection);
      this.#mayOffload = false;
    });
  }

  upload(connections: Iterable<TliConnection>): void {
    this.call(this.host, () => {
      for (const connection of connections) this.host.chimney.takeBack(connection);
    });
  }

  /** Whatever comes back may be offloaded again. */
  allowReoffload(): void {
    this.#mayOffload = true;
  }

  /** The call waits on its way for so long: a filter driver in the dispatch table (¶71). */
  delay(adapter: Adapter, entry: 'initiateOffload' | 'terminateOffload', us: number, meanwhile: () => void): void {
    const calls: (() => void)[] = [];
    const undo = patch(adapter.down, entry, next => root => void calls.push(() => next(root)));
    this.sim.run(() => calls.length > 0);
    meanwhile();
    this.sim.runFor(us);
    undo();
    this.call(this.host, () => {
      for (const call of calls) call();
    });
  }

  runFor(us: number): void {
    this.sim.runFor(us);
  }

  /** False: it did not happen in time. */
  until(done: () => boolean, us = 120_000_000): boolean {
    return this.sim.run(done, this.sim.clock.nowUs() + us);
  }

  end(): Ladder {
    const { figure, title, seed } = this.#options;
    const { events, participants, leftOut } = this.recorder;
    const { checks } = this;
    return { figure, title, seed, participants, events, leftOut, checks, ok: checks.every(({ ok }) => ok) };
  }
}

export function addressOf(text: string): number {
  return parseIpv4Address(text)!;
}
