/**
 * One whole machine in virtual time, everything drawn from a seed (style §6): it serves documents while cables lose
 * frames, links flap, NICs refuse and teams fail over. Every byte must arrive, and every invariant hold.
 *
 *   plan (simulate-plan.ts) → warm-up: stations learn the server's address → faults and script → load finishes
 *   → script ends → connections leave TIME-WAIT → checks of the end
 *
 * Same seed, same frames at the same times, same hash: on any machine, in any process, whatever ran before.
 */
import { Prng } from '../base/prng.ts';
import type { Memory } from '../memory/memory.ts';
import { TraceHash } from '../fabric/trace-hash.ts';
import { Simulation } from '../simulation.ts';
import { InvariantChecker } from './invariants.ts';
import { SERVER_PORT } from './network.ts';
import { drawSeed, SCRATCH_BYTES, type SeedPlan } from './simulate-plan.ts';
import { ScriptRunner } from './simulate-script.ts';
import { SimulatedServer } from './simulate-server.ts';

export interface SeedResult {
  readonly seed: number;
  readonly ok: boolean;
  /** Of every frame on every cable and every event of the log. */
  readonly traceHash: string;
  readonly virtualUs: number;
  readonly rounds: number;
  readonly connections: number;
  readonly completed: number;
  /** Cut off by the server on purpose. */
  readonly aborted: number;
  readonly failovers: number;
  /** Connections that devices took over, gave back, and lost. */
  readonly offloaded: number;
  readonly takenBack: number;
  readonly lost: number;
  readonly refused: number;
  readonly frames: number;
  readonly invariantsChecked: number;
  /** Why it is not ok. */
  readonly error?: string;
}

export interface SeedOptions {
  /** Memory of an earlier seed, to be used again. */
  readonly memory?: Memory | undefined;
  /** Sees the machine before it runs: for traces, captures, and tests that break something. */
  readonly prepare?: ((run: SeedRun) => void) | undefined;
}

/** The load must be done by then. */
const LOAD_UNTIL_US = 1_200_000_000;
/** And this long after it everything must be over. */
const END_US = 300_000_000;
const SETTLE_US = 1_000_000;
const WARM_UP_ROUNDS_MAX = 10_000;

export function runSeed(seed: number, options: SeedOptions = {}): SeedResult {
  const run = new SeedRun(drawSeed(seed), options.memory);
  options.prepare?.(run);
  let error: string | undefined;
  try {
    run.run();
  } catch (cause) {
    error = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    run.stack = cause instanceof Error ? (cause.stack ?? '') : '';
  }
  return run.result(error);
}

export class SeedRun {
  readonly plan: SeedPlan;
  readonly sim: Simulation;
  readonly checker: InvariantChecker;
  readonly server: SimulatedServer;
  readonly script: ScriptRunner;
  readonly hash: TraceHash;
  /** Of the error that ended it. */
  stack = '';
  #warm = false;
  #nextCheck = 0;

  constructor(plan: SeedPlan, memory: Memory | undefined) {
    const sim = new Simulation({ plan: plan.machine, wiring: [plan.wiring], seed: plan.seed, memory });
    const { application } = sim.layout.hosts[0]!.regions;
    const { host } = sim.host;
    this.plan = plan;
    this.sim = sim;
    this.hash = new TraceHash(sim.memory);
    sim.fabric.addTap(this.hash);
    host.log.subscribe(({ us, kind, subject, text }) => this.#hashText(us, `${kind} ${subject} ${text}`));
    this.checker = new InvariantChecker(sim);
    this.server = new SimulatedServer(sim.memory, application, plan.documents, new Prng(plan.seed).fork('server'));
    host.tli.listen(SERVER_PORT, this.server);
    const scratch = (application.offset + application.byteLength - SCRATCH_BYTES) & ~63;
    this.script = new ScriptRunner(sim, plan.script, scratch, plan.vids);
    sim.onRound = nowUs => this.#round(nowUs);
  }

  get completed(): number {
    return this.sim.fabric.loadReports().reduce((sum, load) => sum + load.completed, 0);
  }

  run(): void {
    const { sim, script } = this;
    const { loads } = sim.fabric;
    const isFinished = (): boolean => loads.every(load => load.report().finished);
    const finished = sim.run(() => this.#answered >= this.plan.connections && isFinished(), LOAD_UNTIL_US);
    if (!finished) throw new Error(`not finished: ${this.#describeLoads()}`);
    this.#checkLoads();
    script.cancel();
    const until = sim.clock.nowUs() + END_US;
    do {
      sim.run(() => script.isOver && this.#isIdle(), until);
      // What is still on its way: returned buffers, last completions, old duplicates of a SYN.
      sim.runFor(SETTLE_US);
    } while (!this.#isIdle() && sim.clock.nowUs() < until);
    this.checker.checkEnd();
    if (this.server.open > 0) throw new Error(`${this.server.open} connections were never reported closed`);
  }

  result(error: string | undefined): SeedResult {
    const { sim, plan, hash } = this;
    const { host, team } = sim.host;
    const { stats } = host.chimney;
    const lost = stats.connectionsLost;
    const problem = error ?? (lost > 0 ? `${lost} connections lost` : undefined);
    return {
      seed: plan.seed,
      ok: problem === undefined,
      traceHash: hash.digest(),
      virtualUs: sim.clock.nowUs(),
      rounds: sim.rounds,
      connections: plan.connections,
      completed: this.completed,
      aborted: this.server.aborted,
      failovers: team?.failovers.length ?? 0,
      offloaded: stats.connectionsOffloaded,
      takenBack: stats.connectionsTakenBack,
      lost,
      refused: stats.connectionsRefused,
      frames: hash.frames,
      invariantsChecked: this.checker.checked,
      ...(problem === undefined ? {} : { error: problem }),
    };
  }

  #round(nowUs: number): void {
    const { sim, plan } = this;
    this.server.round(nowUs);
    if (!this.#warm) this.#warmUp();
    else this.script.round(nowUs, sim.rounds, this.#answered);
    for (const nic of sim.nics) {
      if (nic.faultReason !== '') throw new Error(`${nic.boot.config.name} stopped: ${nic.faultReason}`);
    }
    if (sim.rounds < this.#nextCheck) return;
    this.#nextCheck = sim.rounds + plan.checkEvery;
    this.checker.check();
  }

  /** One station of each group asks for the server's address; with all answers there the cables get their faults. */
  #warmUp(): void {
    const { fabric, rounds } = this.sim;
    let left = 0;
    for (const population of fabric.populations) {
      for (const group of population.groups) {
        if (!population.ping(group.firstStation, group.serverAddress, 1, 1, 8)) left++;
      }
    }
    if (left > 0 && rounds < WARM_UP_ROUNDS_MAX) return;
    this.#warm = true;
    fabric.cables.forEach((cable, nic) => fabric.setFaults(cable.name, this.plan.faults[nic]!));
  }

  /** Nothing is left but what the checks of the end look at. */
  #isIdle(): boolean {
    const { nics, fabric } = this.sim;
    const { host } = this.sim.host;
    if (host.tli.active > 0 || host.transport.table.inUse > 0 || host.chimney.requestsPending > 0) return false;
    // A reset for an old duplicate may wait for an address.
    if (host.framing.neighbors.unresolvedCount > 0 || host.tx.inUse > 0) return false;
    if (nics.some(nic => nic.tree.paths + nic.tree.neighbors + nic.tree.connections > 0)) return false;
    return fabric.populations.every(population => population.connections === 0);
  }

  get #answered(): number {
    return this.server.served + this.server.aborted;
  }

  /** Every byte arrived, except at those who were cut off on purpose. */
  #checkLoads(): void {
    const { served, aborted } = this.server;
    let wrong = 0;
    let failed = 0;
    let unexpected = 0;
    for (const load of this.sim.fabric.loadReports()) {
      wrong += load.bytesWrong;
      failed += load.failed;
      if (aborted === 0) unexpected += load.reset + load.bytesLost;
    }
    // One that was cut behind its last byte, and whose RST was lost, has its whole document.
    const isWhole = this.completed + failed === this.plan.connections && failed <= aborted;
    if (isWhole && wrong === 0 && unexpected === 0) return;
    throw new Error(`served ${served}, cut ${aborted} of ${this.plan.connections}: ${this.#describeLoads()}`);
  }

  #describeLoads(): string {
    return this.sim.fabric
      .loadReports()
      .map(({ failures, ...numbers }) => {
        const why = Object.entries(failures).filter(([, count]) => count > 0);
        return JSON.stringify({ ...numbers, ...Object.fromEntries(why) });
      })
      .join(' ');
  }

  #hashText(us: number, text: string): void {
    this.hash.add(us | 0);
    for (let i = 0; i < text.length; i++) this.hash.add(text.charCodeAt(i));
  }
}
