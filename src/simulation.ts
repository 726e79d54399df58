/**
 * The machine in one thread under virtual time (architecture §2.6): same hosts, NICs and fabric, a seeded scheduler that
 * also chooses the interleaving — who steps next, and for how many descriptors. Same seed, same bytes.
 *
 *   while something to do: shuffle the components, step each with a random budget
 *   nothing to do: time jumps to the earliest timer
 */
import { type AssembledHost, assembleHost, type HostWiring } from './assemble-host.ts';
import { attachCheckers } from './attach-checkers.ts';
import { VirtualClock } from './base/clock.ts';
import { Prng } from './base/prng.ts';
import { Nic } from './device/nic.ts';
import { Fabric } from './fabric/fabric.ts';
import type { OffloadChecker } from './intermediate-driver/diagnostics/offload-checker.ts';
import { initializeLayout, layOut, type MachineLayout, type MachinePlan } from './machine-layout.ts';
import { type Memory, reuseMemory } from './memory/memory.ts';
import type { Polled } from './ring/poll-loop.ts';

const BUDGET_MAX = 64;

export interface SimulationOptions {
  readonly plan: MachinePlan;
  readonly wiring: readonly HostWiring[];
  readonly seed: number;
  /** Memory of an earlier simulation to use again; it is cleared. */
  readonly memory?: Memory | undefined;
  /** Descriptors that a step takes at most: 1 is the finest interleaving. */
  readonly budgetMax?: number | undefined;
  /** Whether every adapter is watched by a checker (R5); what is measured goes without. */
  readonly checker?: boolean | undefined;
}

export class Simulation {
  readonly clock = new VirtualClock();
  readonly layout: MachineLayout;
  readonly memory: Memory;
  readonly hosts: AssembledHost[];
  readonly nics: Nic[];
  readonly fabric: Fabric;
  /** Of all hosts. */
  readonly checkers: readonly OffloadChecker[];
  readonly #components: Polled[];
  readonly #prng: Prng;
  readonly #budgetMax: number;
  rounds = 0;
  /** Called after every round: invariants, events at their times. */
  onRound: (nowUs: number) => void = () => {};
  /** Called after every step of a component. */
  onStep: (component: Polled) => void = () => {};

  constructor(options: SimulationOptions) {
    this.#prng = new Prng(options.seed);
    this.#budgetMax = options.budgetMax ?? BUDGET_MAX;
    this.layout = layOut(options.plan);
    this.memory = reuseMemory(options.memory, this.layout.byteLength);
    initializeLayout(this.memory, this.layout);
    this.fabric = new Fabric(this.memory, this.layout.fabric, 0);
    this.nics = this.layout.fabric.nics.map(boot => new Nic(this.memory, boot));
    this.hosts = this.layout.hosts.map((boot, index) =>
      assembleHost(this.memory, boot, options.wiring[index]!, this.clock, this.#prng.fork(boot.name)),
    );
    this.checkers =
      options.checker === false
        ? []
        : this.hosts.flatMap((host, index) => attachCheckers(this.memory, this.layout.hosts[index]!, host));
    this.#components = [...this.hosts.map(({ host }) => host), ...this.nics, this.fabric];
  }

  get host(): AssembledHost {
    return this.hosts[0]!;
  }

  /**
   * Runs until `done` says so, or the virtual time is over, or nothing will ever happen again. True if done.
   */
  run(done: () => boolean, untilUs = Number.MAX_SAFE_INTEGER): boolean {
    for (;;) {
      const work = this.#round();
      this.onRound(this.clock.nowUs());
      if (done()) return true;
      if (work > 0) continue;
      const wait = this.#usUntilNext();
      if (wait < 0) return false;
      const next = this.clock.nowUs() + Math.max(1, wait);
      if (next > untilUs) {
        this.clock.advanceTo(untilUs);
        return done();
      }
      this.clock.advanceTo(next);
    }
  }

  /** Runs for a span of virtual time. */
  runFor(us: number): void {
    this.run(() => false, this.clock.nowUs() + us);
  }

  #round(): number {
    this.rounds++;
    const components = this.#components;
    for (let i = components.length - 1; i > 0; i--) {
      const j = this.#prng.below(i + 1);
      const swap = components[i]!;
      components[i] = components[j]!;
      components[j] = swap;
    }
    const now = this.clock.nowUs();
    let work = 0;
    for (const component of components) {
      work += component.step(now, 1 + this.#prng.below(this.#budgetMax));
      this.onStep(component);
    }
    return work;
  }

  #usUntilNext(): number {
    const now = this.clock.nowUs();
    let least = -1;
    for (const component of this.#components) {
      const us = component.usUntilNext(now);
      if (us >= 0 && (least < 0 || us < least)) least = us;
    }
    return least;
  }
}
