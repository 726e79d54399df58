/**
 * Structure-aware fuzzing of a whole machine: hosts and NICs with live connections — on the host path, offloaded, on their
 * way between the two — are fed forged frames in virtual time, with the checkers and invariants of the machine on.
 *
 * Forged are numbers that only somebody on the path can know, so connections may be reset and streams may carry anything.
 * What must hold all the same:
 *
 *   nothing throws      no assertion, no checker, no invariant, no NIC that stops
 *   nothing hangs       rounds at one time are bounded: whoever answers answers endlessly is found here
 *   nothing is lost     when all is closed every buffer, block, slot and table entry is back
 *   nothing grows       neighbors and paths stay below their bounds
 */
import { AssertionError } from '../../base/assert.ts';
import { Prng } from '../../base/prng.ts';
import { NOTHING } from '../../host/policy/nothing.ts';
import type { OffloadPolicy } from '../../host/policy/offload-policy.ts';
import { OWN_ADDRESSES_MAX } from '../../host/ipv6-interface.ts';
import type { Memory } from '../../memory/memory.ts';
import { linkLocalOf } from '../../wire/ipv6-address.ts';
import { Simulation } from '../../simulation.ts';
import { InvariantChecker } from '../invariants.ts';
import { leftBehind } from '../transparency-leaks.ts';
import { FrameSource } from './frame-source.ts';
import { APPLICATION_BYTES, FuzzApplication } from './fuzz-application.ts';
import { FuzzDatagrams } from './fuzz-datagrams.ts';
import { addressOf, drawFuzz, farAddressOf, type FuzzPlan, ipv6AddressOf } from './fuzz-plan.ts';
import { RECORDED_BYTES, RecordedFrames } from './recorded-frames.ts';

/** Frames that one machine is fed: a few thousand, so that making it costs little. */
export const FRAMES_A_MACHINE = 4096;
/** What a machine needs at most. */
export const FUZZ_MEMORY_BYTES = 8 << 20;

export interface FuzzResult {
  readonly seed: number;
  readonly ok: boolean;
  /** Frames that were on a cable. */
  readonly frames: number;
  readonly connections: number;
  readonly handOvers: number;
  readonly uploads: number;
  readonly virtualUs: number;
  readonly rounds: number;
  /** After how many frames it went wrong, and what. */
  readonly error?: string;
}

export interface FuzzOptions {
  readonly memory?: Memory | undefined;
  readonly frames?: number;
  /** Sees the machine before it is fed: for tests that break something. */
  readonly prepare?: ((sim: Simulation) => void) | undefined;
}

const PORT = 80;
const CONNECTIONS = 6;
const BATCH_MAX = 48;
/** How likely something breaks, or is mended, between two batches. */
const DISTURBANCE = 0.02;
/** Two zero-delay stacks may have much to say to each other at one time, but not this much. */
const ROUNDS_MAX = 4000;
const DRAIN_US = 120_000_000;
const DRAIN_STEP_US = 500_000;
/** Each host has a /24 or two of IPv4; of IPv6 there is a bound (host/neighbor-table.ts). */
const NEIGHBORS_MAX = 600 + 1100;

export function fuzzSeed(seed: number, options: FuzzOptions = {}): FuzzResult {
  const run = new FuzzRun(seed, options);
  const error = run.run();
  return { ...run.counts(), seed, ok: error === '', ...(error === '' ? {} : { error }) };
}

class FuzzRun {
  readonly sim: Simulation;
  readonly #prng: Prng;
  readonly #plan: FuzzPlan;
  readonly #applications: readonly FuzzApplication[];
  readonly #datagrams: readonly FuzzDatagrams[];
  readonly #recorded: RecordedFrames;
  readonly #source: FrameSource;
  readonly #invariants: InvariantChecker;
  readonly #framesMax: number;
  readonly #mayOffload = [false, false];
  #frames = 0;
  #roundsHere = 0;
  #hereUs = 0;

  constructor(seed: number, options: FuzzOptions) {
    const source = new Prng(seed);
    const prng = source.fork('fuzz');
    this.#prng = prng;
    this.#framesMax = options.frames ?? FRAMES_A_MACHINE;
    this.#plan = drawFuzz(source.fork('plan'), seed);
    const { machine, wiring, vids } = this.#plan;
    const policies = wiring.map((_, host) => this.#policy(host));
    this.sim = new Simulation({
      plan: machine,
      wiring: wiring.map((each, host) => ({ ...each, policy: policies[host] ?? NOTHING })),
      seed,
      memory: options.memory,
    });
    const { memory, layout, hosts, fabric, nics } = this.sim;
    this.#applications = hosts.map(({ host }, index) => {
      const { offset } = layout.hosts[index]!.regions.application;
      const application = new FuzzApplication(prng.fork('application'), host.tli, offset);
      host.tli.listen(PORT, application, { backlog: prng.chance(0.5) ? 4 : 100, fastOpenMax: 4 });
      return application;
    });
    this.#datagrams = hosts.map(({ host }) => new FuzzDatagrams(prng.fork('datagrams'), host));
    const scratch = layout.hosts[0]!.regions.application.offset + APPLICATION_BYTES;
    this.#recorded = new RecordedFrames(memory, scratch);
    fabric.addTap(this.#recorded);
    const macs = nics.map(({ boot }) => ({ hi: boot.config.macHi, lo: boot.config.macLo }));
    const ipv4 = hosts.flatMap((_, host) => vids.flatMap(vid => [addressOf(host, vid), farAddressOf(host, vid)]));
    const ipv6 = [
      ...hosts.flatMap((_, host) => vids.map(vid => ipv6AddressOf(host, vid))),
      ...macs.map(({ hi, lo }) => linkLocalOf(hi, lo)),
    ];
    this.#source = new FrameSource(memory, source.fork('frames'), scratch + RECORDED_BYTES, this.#recorded, macs, {
      ipv4,
      ipv6,
    });
    this.#invariants = new InvariantChecker(this.sim, !this.#plan.isDisturbed);
    this.sim.onRound = nowUs => this.#onRound(nowUs);
    options.prepare?.(this.sim);
  }

  #policy(host: number): OffloadPolicy {
    const wants = (): boolean => this.#plan.isAutomatic[host]! || this.#mayOffload[host]!;
    return { name: 'drawn', batchUs: 0, holdsData: this.#prng.chance(0.3), wants };
  }

  counts(): Omit<FuzzResult, 'seed' | 'ok'> {
    const sum = (of: 'connectionsOffloaded' | 'connectionsTakenBack'): number =>
      this.sim.hosts.reduce((total, { host }) => total + host.chimney.stats[of], 0);
    return {
      frames: this.#frames,
      connections: this.#applications.reduce((total, { closedCount }) => total + closedCount, 0),
      handOvers: sum('connectionsOffloaded'),
      uploads: sum('connectionsTakenBack'),
      virtualUs: this.sim.clock.nowUs(),
      rounds: this.sim.rounds,
    };
  }

  /** Says what went wrong, or nothing. */
  run(): string {
    try {
      while (this.#frames < this.#framesMax) {
        this.#call(() => this.#turn());
        this.sim.run(() => false, this.sim.clock.nowUs() + this.#span());
        this.#invariants.check();
      }
      return this.#drain();
    } catch (cause) {
      const told = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      return `after ${this.#frames} frames: ${told}`;
    }
  }

  /** Mostly no time at all, sometimes long enough for timers. */
  #span(): number {
    const kind = this.#prng.float();
    if (kind < 0.5) return 0;
    if (kind < 0.95) return this.#prng.below(5000);
    return this.#prng.below(1_500_000);
  }

  /** Applications, hand-overs and forged frames between two rounds. */
  #turn(): void {
    const prng = this.#prng;
    const host = prng.below(this.#applications.length);
    const application = this.#applications[host]!;
    const total = this.#applications.reduce((sum, { count }) => sum + count, 0);
    if (total < CONNECTIONS) {
      this.#connect(host);
    }
    this.#datagrams[host]!.act();
    const { live } = application;
    if (live.length > 0) {
      application.act(live[prng.below(live.length)]!);
      if (prng.chance(0.3)) this.#move(host);
    }
    if (this.#plan.isDisturbed && prng.chance(DISTURBANCE)) this.#disturb();
    for (let left = prng.between(1, BATCH_MAX); left > 0; left--) this.#inject();
  }

  /** A cable is pulled or plugged, a NIC hangs or wakes up, a team fails over. */
  #disturb(): void {
    const { fabric, nics, host } = this.sim;
    const nic = this.#prng.below(nics.length);
    switch (this.#prng.below(5)) {
      case 0:
        fabric.cables[nic]!.pull();
        return;
      case 1:
        // A team takes a NIC that hangs for dead, and what that has is lost.
        if (host.team === null) nics[nic]!.stall();
        return;
      case 2:
        host.team?.failOver(host.team.active.name);
        return;
      default:
        this.#mend();
    }
  }

  #mend(): void {
    for (const cable of this.sim.fabric.cables) cable.plug();
    for (const nic of this.sim.nics) nic.resume();
  }

  #connect(from: number): void {
    const prng = this.#prng;
    const { vids, hasIpv6 } = this.#plan;
    const vid = vids[prng.below(vids.length)]!;
    const port = prng.chance(0.95) ? PORT : PORT + 1;
    const { addresses } = this.sim.hosts[from]!.host.network;
    const isIpv6 = hasIpv6 && prng.chance(0.5);
    const ipv4 = prng.chance(0.3) ? farAddressOf(1 - from, vid) : addressOf(1 - from, vid);
    const to = isIpv6 ? addresses.internWords(ipv6AddressOf(1 - from, vid)) : ipv4;
    this.#applications[from]!.connect(to, port);
    if (isIpv6) addresses.release(to);
  }

  /** One connection is handed over, or taken back, or asked about. */
  #move(host: number): void {
    const { live } = this.#applications[host]!;
    if (live.length === 0) return;
    const connection = live[this.#prng.below(live.length)]!;
    const { chimney, control } = this.sim.hosts[host]!.host;
    switch (this.#prng.below(4)) {
      case 0:
        chimney.takeBack(connection);
        return;
      case 1:
        control.queryConnection(connection.slot, () => {});
        return;
      default:
        this.#mayOffload[host] = true;
        chimney.candidate(connection);
        this.#mayOffload[host] = false;
    }
  }

  #inject(): void {
    const source = this.#source;
    source.next();
    this.#recorded.isPaused = true;
    if (this.sim.fabric.cables[source.cable]!.deliver(source.at, source.length)) this.#frames++;
    this.#recorded.isPaused = false;
  }

  /** Calls from outside of a step: at the right time, and published. */
  #call(work: () => void): void {
    const { hosts, clock, fabric } = this.sim;
    for (const { host } of hosts) host.setTime(clock.nowUs());
    work();
    for (const { host } of hosts) for (const miniport of host.miniports) miniport.flush();
    for (const cable of fabric.cables) cable.flush();
  }

  #onRound(nowUs: number): void {
    if (nowUs !== this.#hereUs) {
      this.#hereUs = nowUs;
      this.#roundsHere = 0;
      return;
    }
    if (++this.#roundsHere > ROUNDS_MAX) throw new AssertionError(`${ROUNDS_MAX} rounds at one time: it never ends`);
  }

  /** The applications go; then nothing may be left. */
  #drain(): string {
    const { sim } = this;
    const endUs = sim.clock.nowUs() + DRAIN_US;
    for (const { host } of sim.hosts) host.tli.unlisten(PORT);
    for (const datagrams of this.#datagrams) datagrams.close();
    this.#call(() => this.#mend());
    this.#call(() => this.#applications.forEach(each => each.endAll()));
    for (let step = 0; ; step++) {
      sim.run(() => false, sim.clock.nowUs() + DRAIN_STEP_US);
      const left = leftBehind(sim);
      if (left === '') break;
      if (sim.clock.nowUs() >= endUs) return `after ${this.#frames} frames, ${DRAIN_US / 1e6} s later: ${left}`;
      this.#call(() => {
        if (step > 10) this.#applications.forEach(each => each.abortAll());
      });
      if (step > 20) sim.clock.advanceTo(sim.clock.nowUs() + DRAIN_STEP_US);
    }
    this.#invariants.checkEnd();
    return this.#grown();
  }

  #grown(): string {
    for (const { host } of this.sim.hosts) {
      const { network, framing, interfaces } = host;
      const neighbors = [...framing.neighbors].length;
      if (neighbors > NEIGHBORS_MAX) return `${neighbors} neighbors`;
      // Who holds addresses now: each path two, each neighbor one, and the interfaces theirs.
      const holders = 2 * [...network.paths].length + neighbors + interfaces.length * OWN_ADDRESSES_MAX;
      if (network.addresses.inUse > holders) return `${network.addresses.inUse} addresses, of ${holders} holders`;
    }
    return '';
  }
}
