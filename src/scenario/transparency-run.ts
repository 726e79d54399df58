/**
 * One run of a seed of the transparency property: the machine, its applications and actions, until everything is over.
 *
 * Calls of applications and actions come between two rounds, at their time; the run stops the machine there.
 */
import type { AssembledHost } from '../assemble-host.ts';
import { type Adapter, patch } from '../host/ndis.ts';
import { NOTHING } from '../host/policy/nothing.ts';
import type { OffloadPolicy } from '../host/policy/offload-policy.ts';
import type { TliConnection, TliHandler } from '../host/connection.ts';
import type { Interface } from '../host/interface.ts';
import type { Memory } from '../memory/memory.ts';
import { OFFLOAD_STATE_NAMES } from '../offload/offload-state.ts';
import { Simulation } from '../simulation.ts';
import { TCP_STATE_NAMES } from '../tcp/tcb.ts';
import { Agenda } from './transparency-agenda.ts';
import { type ActionPlan, type ActionScene, perform } from './transparency-actions.ts';
import { Endpoint, PATTERN } from './transparency-application.ts';
import type { Seen } from './transparency-compare.ts';
import { leftBehind } from './transparency-leaks.ts';
import { addressOf, ipv6AddressOf, SCRATCH_BYTES, type TransparencyPlan } from './transparency-plan.ts';
import type { ConnectionScript } from './transparency-script.ts';

export interface RunCounts {
  readonly handOvers: number;
  readonly uploads: number;
  /** Of connections that their application still had. */
  readonly liveUploads: number;
  readonly refusals: number;
  readonly updates: number;
  readonly queries: number;
  readonly failovers: number;
  readonly bytes: number;
  readonly virtualUs: number;
}

const PORT = 80;
/** Nobody listens there. */
const CLOSED_PORT = 81;
const FIRST_LOCAL_PORT = 20_000;
const UNTIL_US = 1_500_000_000;
/** After the last connection: TIME-WAIT, returned buffers, old duplicates. */
const END_US = 400_000_000;
const SETTLE_US = 500_000;
/** Of the wait that is only for TIME-WAIT, most is skipped: what beats or expires meanwhile is only late. */
const SKIP_US = 10_000_000;

/** Both ends of a connection of the plan. */
interface Pair {
  readonly script: ConnectionScript;
  readonly ends: readonly [Endpoint, Endpoint];
}

export class TransparencyRun implements ActionScene {
  readonly sim: Simulation;
  readonly mayOffload: boolean[];
  readonly #plan: TransparencyPlan;
  readonly #agenda: Agenda;
  readonly #pairs: readonly Pair[];
  readonly #actions: ActionPlan[];
  #started = 0;
  #bytes = 0;
  #liveUploads = 0;
  #updates = 0;
  #queries = 0;

  constructor(plan: TransparencyPlan, offload: boolean, memory: Memory | undefined) {
    this.#plan = plan;
    this.mayOffload = plan.policies.map(() => false);
    const wiring = plan.wiring.map((host, index) => ({
      ...host,
      policy: offload ? this.#policy(index) : NOTHING,
    }));
    const { seed, machine, faults } = plan;
    this.sim = new Simulation({ plan: machine, wiring, seed, memory });
    const { fabric, layout, clock } = this.sim;
    this.#agenda = new Agenda(clock);
    if (plan.isIpv6) this.#introduce();
    fabric.cables.forEach((cable, nic) => fabric.setFaults(cable.name, faults[nic]!));
    for (const { regions } of layout.hosts) this.sim.memory.u8.set(PATTERN, regions.application.offset);
    this.#pairs = plan.connections.map(script => this.#pair(script));
    this.#actions = [...plan.actions];
    this.sim.hosts.forEach(({ host }, index) => {
      host.tli.listen(PORT, this.#acceptor(index));
      const takenBack = host.tli.takenBack.bind(host.tli);
      host.tli.takenBack = (connection, ...how) => {
        if (connection.handler !== null) this.#liveUploads++;
        takenBack(connection, ...how);
      };
      for (const { adapter } of host.miniports) this.#watch(adapter);
    });
  }

  get seen(): Seen[] {
    return this.#pairs.map(({ ends }) => [ends[0].seen, ends[1].seen]);
  }

  /** Runs to the end; says what went wrong with the machine, or nothing. */
  run(): string {
    try {
      this.#runScripts();
      return this.#runOut();
    } catch (cause) {
      return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    }
  }

  counts(): RunCounts {
    const sum = (of: (host: AssembledHost) => number): number =>
      this.sim.hosts.reduce((total, host) => total + of(host), 0);
    return {
      handOvers: sum(({ host }) => host.chimney.stats.connectionsOffloaded),
      uploads: sum(({ host }) => host.chimney.stats.connectionsTakenBack),
      refusals: sum(({ host }) => host.chimney.stats.connectionsRefused),
      liveUploads: this.#liveUploads,
      updates: this.#updates,
      queries: this.#queries,
      failovers: sum(({ team }) => team?.failovers.length ?? 0),
      bytes: this.#bytes,
      virtualUs: this.sim.clock.nowUs(),
    };
  }

  // --- ActionScene ---

  connectionAt(index: number, host: number): TliConnection | null {
    const pair = this.#pairs.find(({ script }) => script.index === index);
    const end = pair?.ends[pair.script.from === host ? 0 : 1];
    // Before it is established there is nothing to hand over.
    return end === undefined || end.seen.connected === 0 ? null : end.connection;
  }

  after(us: number, call: () => void): void {
    this.#agenda.after(us, call);
  }

  get scratch(): number {
    const { application } = this.sim.layout.hosts[0]!.regions;
    return (application.offset + application.byteLength - SCRATCH_BYTES) & ~63;
  }

  vidOf(iface: Interface): number {
    return this.#plan.wiring[0]!.interfaces[iface.index]!.vid;
  }

  // --- set-up ---

  /** RFC 4861 10 gives up after three questions, which a bad cable may well lose: they are asked before it is one. */
  #introduce(): void {
    for (const [index, { host }] of this.sim.hosts.entries()) {
      const { neighbors } = host.framing;
      for (const iface of host.interfaces)
        neighbors.resolve(neighbors.for(iface, this.#peerOf(index, this.vidOf(iface))));
    }
    this.sim.runFor(SETTLE_US);
  }

  /** Where the other host is: an IPv6 address is kept for the rest of the run. */
  #peerOf(host: number, vid: number): number {
    if (!this.#plan.isIpv6) return addressOf(1 - host, vid);
    return this.sim.hosts[host]!.host.addresses.internWords(ipv6AddressOf(1 - host, vid));
  }

  #policy(host: number): OffloadPolicy {
    const { automatic, batchUs, holdsData } = this.#plan.policies[host]!;
    const wants = (connection: TliConnection): boolean =>
      connection.handler !== null && (automatic || this.mayOffload[host]!);
    return { name: 'drawn', batchUs, holdsData, wants };
  }

  #watch({ down }: Adapter): void {
    patch(down, 'updateOffload', next => root => {
      this.#updates++;
      next(root);
    });
    patch(down, 'queryOffload', next => root => {
      this.#queries++;
      next(root);
    });
  }

  #pair(script: ConnectionScript): Pair {
    const end = (at: 0 | 1): Endpoint => {
      const index = at === 0 ? script.from : 1 - script.from;
      const host = {
        tli: this.sim.hosts[index]!.host.tli,
        memory: this.sim.memory,
        patternAt: this.sim.layout.hosts[index]!.regions.application.offset,
        after: (us: number, call: () => void) => this.after(us, call),
        count: (bytes: number) => void (this.#bytes += bytes),
      };
      return new Endpoint(host, script.ends[at], 2 * script.index + at);
    };
    this.#agenda.after(script.startUs, () => this.#connect(script));
    return { script, ends: [end(0), end(1)] };
  }

  #connect(script: ConnectionScript): void {
    this.#started++;
    const { tli } = this.sim.hosts[script.from]!.host;
    const end = this.#pairs.find(pair => pair.script === script)!.ends[0];
    const remote = this.#peerOf(script.from, script.vid);
    const connection = tli.connect(remote, script.refused ? CLOSED_PORT : PORT, end, FIRST_LOCAL_PORT + script.index);
    if (connection === null) throw new Error(`connection ${script.index} finds no slot or route`);
    end.opens(connection);
  }

  /** The listener of a host: finds the script of a new connection by the port it comes from. */
  #acceptor(host: number): TliHandler {
    const find = (connection: TliConnection): Endpoint => {
      const index = connection.remotePort - FIRST_LOCAL_PORT;
      const pair = this.#pairs.find(({ script }) => script.index === index && script.from !== host);
      if (pair === undefined) throw new Error(`a connection from port ${connection.remotePort} of nobody`);
      return pair.ends[1];
    };
    return {
      connected: connection => find(connection).connected(connection),
      received: (connection, address, length) => find(connection).received(connection, address, length),
      ended: connection => find(connection).ended(),
      sent: (connection, cookie) => find(connection).sent(connection, cookie),
      closed: (connection, reason) => find(connection).closed(connection, reason),
    };
  }

  // --- running ---

  #runScripts(): void {
    while (!this.#isDone()) {
      const { sim } = this;
      const nowUs = sim.clock.nowUs();
      if (nowUs >= UNTIL_US) throw new Error(`not finished: ${this.#describeOpen()}`);
      const until = Math.min(UNTIL_US, this.#nextUs());
      const stopped = sim.run(() => this.#isDue() || this.#isDone(), until);
      this.#call();
      // Nothing will happen by itself, and no call is due: time goes on to the next one.
      if (!stopped && sim.clock.nowUs() < until) {
        if (until === UNTIL_US && this.#actions.length === 0) throw new Error(`stuck: ${this.#describeOpen()}`);
        sim.clock.advanceTo(until);
      }
    }
  }

  #isDone(): boolean {
    if (this.#started < this.#pairs.length) return false;
    return this.#pairs.every(({ ends }) => !ends[0].isOpen && !ends[1].isOpen);
  }

  /** When the next call is due by time. */
  #nextUs(): number {
    let least = this.#agenda.nextUs;
    for (const { trigger, at } of this.#actions) if (trigger === 'us') least = Math.min(least, at);
    return least;
  }

  #isDue(): boolean {
    if (this.#agenda.nextUs <= this.sim.clock.nowUs()) return true;
    return this.#actions.some(action => this.#isActionDue(action));
  }

  #isActionDue({ trigger, at }: ActionPlan): boolean {
    const { sim } = this;
    const reached = trigger === 'us' ? sim.clock.nowUs() : trigger === 'round' ? sim.rounds : this.#bytes;
    return reached >= at;
  }

  /** Calls from outside of a step: at the right time, and published. */
  #call(): void {
    const { hosts, clock, fabric } = this.sim;
    for (const { host } of hosts) host.setTime(clock.nowUs());
    this.#agenda.runDue();
    for (let i = 0; i < this.#actions.length; i++) {
      const action = this.#actions[i]!;
      if (!this.#isActionDue(action)) continue;
      this.#actions.splice(i--, 1);
      perform(this, action);
    }
    for (const { host } of hosts) for (const miniport of host.miniports) miniport.flush();
    for (const cable of fabric.cables) cable.flush();
  }

  /** The applications are through: what was begun ends, TIME-WAIT passes, and nothing may be left. */
  #runOut(): string {
    const { sim } = this;
    this.#actions.length = 0;
    const endUs = sim.clock.nowUs() + END_US;
    for (;;) {
      sim.run(() => this.#isDue(), Math.min(sim.clock.nowUs() + SETTLE_US, this.#agenda.nextUs));
      this.#call();
      const left = this.#agenda.isEmpty ? leftBehind(sim) : 'calls are due';
      if (left === '' || sim.clock.nowUs() >= endUs) return left;
      if (this.#agenda.isEmpty) sim.clock.advanceTo(sim.clock.nowUs() + SKIP_US);
    }
  }

  #describeOpen(): string {
    const open = this.#pairs.flatMap(({ script, ends }) =>
      ends.flatMap((end, at) => {
        const { connection } = end;
        if (connection === null) return [];
        const host = at === 0 ? script.from : 1 - script.from;
        const tcb = this.sim.hosts[host]!.host.transport.at(connection.slot);
        const state = `${TCP_STATE_NAMES[tcb.state]} ${OFFLOAD_STATE_NAMES[tcb.offloadState]}`;
        return [`${script.index}.${at} ${state} received ${end.seen.received}, ${end.stepsLeft.length} steps left`];
      }),
    );
    return open.join('; ');
  }
}
