/**
 * The machine in threads: hosts on the main thread, each NIC and the fabric in a worker of its own (R45, R46). Composition
 * root beside simulation.ts; both start from the same layout.
 */
import { availableParallelism } from 'node:os';
import { randomInt } from 'node:crypto';
import { type AssembledHost, assembleHost, type HostWiring } from './assemble-host.ts';
import { type Clock, epochMs, RealClock } from './base/clock.ts';
import { Prng } from './base/prng.ts';
import type { NicControl, NicReport, NicWorkerData } from './device/worker.ts';
import type { FabricControl, FabricReport, FabricWorkerData } from './fabric/worker.ts';
import { HostLoop } from './host-loop.ts';
import {
  initializeLayout,
  LAYOUT_FINGERPRINT,
  layOut,
  type MachineLayout,
  type MachinePlan,
} from './machine-layout.ts';
import { type Memory, reuseMemory } from './memory/memory.ts';
import { MachineThread } from './thread.ts';

export interface ThreadedOptions {
  readonly plan: MachinePlan;
  readonly wiring: readonly HostWiring[];
  /** File for a pcapng capture of every cable. */
  readonly capture?: string | undefined;
  /** Memory of a machine that was closed, to be used again. */
  readonly memory?: Memory | undefined;
}

export interface ThreadDeath {
  readonly thread: string;
  readonly reason: string;
}

/** The fabric writes its capture to the end, and its report is what a storm reads: a busy machine may take its time. */
const FABRIC_STOP_MAX_MS = 15_000;

/** Polls before a worker sleeps, where there are cores to spare. */
const SPINS = 2000;

export class ThreadedMachine {
  readonly memory: Memory;
  readonly layout: MachineLayout;
  readonly clock: Clock;
  readonly epochMs: number;
  readonly hosts: readonly AssembledHost[];
  readonly loop: HostLoop;
  readonly #options: ThreadedOptions;
  #nics: MachineThread<NicControl>[] = [];
  #fabric: MachineThread<FabricControl> | null = null;
  readonly deaths: ThreadDeath[] = [];
  onDeath: (death: ThreadDeath) => void = () => {};
  #closing: Promise<FabricReport | undefined> | null = null;

  constructor(options: ThreadedOptions) {
    this.#options = options;
    this.layout = layOut(options.plan);
    this.memory = reuseMemory(options.memory, this.layout.byteLength);
    initializeLayout(this.memory, this.layout);
    this.epochMs = epochMs();
    this.clock = new RealClock(this.epochMs);
    const prng = new Prng(randomInt(0x7fffffff));
    this.hosts = this.layout.hosts.map((boot, index) =>
      assembleHost(this.memory, boot, options.wiring[index]!, this.clock, prng.fork(boot.name)),
    );
    const hosts = this.hosts.map(({ host }) => host);
    this.loop = new HostLoop(this.memory, this.layout.hostDoorbell, hosts, this.clock);
  }

  /** Starts the workers and the poll loop; listeners should be there already. */
  async start(): Promise<void> {
    const { layout, memory } = this;
    const threads = layout.fabric.nics.length + 2;
    const spins = availableParallelism() > threads ? SPINS : 0;
    const common = { memory: memory.wasm, epochMs: this.epochMs, spins };
    const onDeath = (thread: string, reason: string): void => this.#died({ thread, reason });
    this.#nics = layout.fabric.nics.map(boot => {
      // What a device draws is nobody's to foresee.
      const config = { ...boot.config, seed: randomInt(0x7fffffff) };
      const workerData: NicWorkerData = { ...common, boot: { ...boot, config }, layoutFingerprint: LAYOUT_FINGERPRINT };
      const { doorbell, status } = boot.regions;
      const script = new URL('./device/worker.js', import.meta.url);
      return new MachineThread<NicControl>({
        name: boot.config.name,
        script,
        workerData,
        memory,
        doorbell,
        status,
        onDeath,
      });
    });
    await Promise.all(this.#nics.map(nic => nic.ready));
    const workerData: FabricWorkerData = { ...common, boot: layout.fabric, capture: this.#options.capture ?? null };
    const { doorbell, status } = layout.fabric.regions;
    const script = new URL('./fabric/worker.js', import.meta.url);
    this.#fabric = new MachineThread<FabricControl>({
      name: 'fabric',
      script,
      workerData,
      memory,
      doorbell,
      status,
      onDeath,
    });
    await this.#fabric.ready;
    this.loop.wake();
  }

  get fabric(): MachineThread<FabricControl> {
    return this.#fabric!;
  }

  nic(name: string): MachineThread<NicControl> | undefined {
    return this.#nics.find(nic => nic.name === name);
  }

  async nicReports(): Promise<NicReport[]> {
    const alive = this.#nics.filter(nic => !nic.isDead);
    return Promise.all(alive.map(nic => nic.call(control => control.report())));
  }

  /** Stops threads and loop. The fabric's last report, if it could still give one. */
  close(): Promise<FabricReport | undefined> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<FabricReport | undefined> {
    const report = await this.#fabric?.stop(control => control.stop(), FABRIC_STOP_MAX_MS);
    await Promise.all(this.#nics.map(nic => nic.stop(control => control.stop())));
    this.loop.stop();
    return report;
  }

  #died(death: ThreadDeath): void {
    this.deaths.push(death);
    for (const { host } of this.hosts) {
      host.log.emit('thread-died', death.thread, death.reason);
      for (const miniport of host.miniports) if (miniport.adapter.name === death.thread) miniport.dead = true;
    }
    this.onDeath(death);
  }
}
