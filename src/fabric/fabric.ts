/**
 * The fabric: one cable a NIC, the switch they meet in, populations of stations, capture. A plain object with `step(now)`
 * (architecture §2.6), driven by the worker shell or by the simulation.
 *
 *   NIC ═ cable ─┐
 *   NIC ═ cable ─┤ switch ├─ population (access port of a VLAN, or untagged)
 */
import { Prng } from '../base/prng.ts';
import { BufferPool, type PoolShape, poolBytes } from '../memory/buffer-pool.ts';
import type { Memory, Region, RegionPlan } from '../memory/memory.ts';
import { cableShape, type NicBoot, NicStatus } from '../ring/nic-layout.ts';
import { Doorbell } from '../ring/doorbell.ts';
import type { Polled } from '../ring/poll-loop.ts';
import { RingConsumer, RingProducer } from '../ring/spsc-ring.ts';
import { Cable } from './cable.ts';
import { Capture, type FrameTap } from './capture.ts';
import { linePoolShape } from './delay-line.ts';
import type { FaultPlan } from './faults.ts';
import { ClientLoad } from './stations/client-load.ts';
import type { LoadReport } from './stations/load-counters.ts';
import { Population } from './stations/population.ts';
import { type PopulationOptions, type PopulationRegions, populationRegions } from './stations/population-regions.ts';
import { Switch } from './switch.ts';

export interface PopulationPlan {
  readonly options: PopulationOptions;
  /** VLAN of its access port, 0 for the untagged network. */
  readonly vid: number;
}

export interface FabricConfig {
  readonly populations: readonly PopulationPlan[];
  /** Of every cable, both directions, unless changed later. */
  readonly faults: Partial<FaultPlan>;
  readonly seed: number;
  /** Frames that all cables together can hold back. */
  readonly lineFrames: number;
}

export interface FabricRegions {
  readonly doorbell: Region;
  /** NicStatus of the fabric's own thread: heartbeat and control words. */
  readonly status: Region;
  readonly line: Region;
  readonly populations: readonly PopulationRegions[];
}

/** What the fabric's thread is started with. Plain data. */
export interface FabricBoot {
  readonly config: FabricConfig;
  readonly regions: FabricRegions;
  /** The NICs whose cables end here. */
  readonly nics: readonly NicBoot[];
}

function lineShape(config: FabricConfig, slotBytes: number): PoolShape {
  return linePoolShape(config.lineFrames, slotBytes);
}

export function planFabric(plan: RegionPlan, config: FabricConfig, wireSlotBytes: number): FabricRegions {
  return {
    doorbell: plan.add('fabric.doorbell', 128),
    status: plan.add('fabric.status', NicStatus.byteLength),
    line: plan.add('fabric.line', poolBytes(lineShape(config, wireSlotBytes))),
    populations: config.populations.map(({ options }) => populationRegions(plan, options)),
  };
}

/** Pool ids of the fabric's own buffers: behind all others. */
const LINE_POOL_ID = 0x200;

export class Fabric implements Polled {
  readonly cables: Cable[] = [];
  readonly switch: Switch;
  readonly populations: Population[] = [];
  readonly loads: ClientLoad[] = [];
  readonly #memory: Memory;
  readonly #boot: FabricBoot;
  readonly #bells: Doorbell[] = [];
  #capture: Capture | null = null;
  #now = 0;

  constructor(memory: Memory, boot: FabricBoot, nowUs: number) {
    this.#memory = memory;
    this.#boot = boot;
    const { config, regions, nics } = boot;
    const prng = new Prng(config.seed);
    this.switch = new Switch(memory);
    const slotBytes = Math.max(...nics.map(nic => cableShape(nic.config).slotBytes));
    const pool = new BufferPool(memory, regions.line, lineShape(config, slotBytes), LINE_POOL_ID);
    for (const nic of nics) this.#connect(nic, pool, prng);
    config.populations.forEach(({ options, vid }, index) => {
      const population = new Population(memory, regions.populations[index]!, options, nowUs);
      population.attach(this.switch.attach(population, { mode: 'access', vid }));
      this.populations.push(population);
      const { load } = regions.populations[index]!;
      if (options.load === undefined || load === undefined) return;
      const clients = new ClientLoad(population, memory, load, options.load);
      population.drive(clients);
      this.loads.push(clients);
    });
  }

  #connect(nic: NicBoot, pool: BufferPool, prng: Prng): void {
    const memory = this.#memory;
    const { config } = this.#boot;
    const bell = new Doorbell(memory, nic.regions.doorbell);
    this.#bells.push(bell);
    const { name } = nic.config;
    const cable = new Cable({
      name,
      memory,
      tx: new RingProducer(memory, nic.regions.fromFabric, bell),
      rx: new RingConsumer(memory, nic.regions.toFabric, bell),
      pool,
      prng: prng.fork(name),
      toNic: config.faults,
      fromNic: config.faults,
      lineFrames: Math.ceil(config.lineFrames / this.#boot.nics.length),
    });
    const port = this.switch.attach(cable, { mode: 'trunk' });
    cable.uplink = port;
    const at = nic.regions.status.offset;
    const carrier = (at + NicStatus.offset.carrier) >> 2;
    const changedUs = (at + NicStatus.offset.carrierChangedUs) >> 2;
    cable.linkChanged = up => {
      if (!up) port.forget();
      Atomics.store(memory.i32, changedUs, this.#now % 0x7fffffff);
      Atomics.store(memory.i32, carrier, up ? 1 : 0);
      bell.ringIfWanted();
    };
    this.cables.push(cable);
  }

  step(nowUs: number, budget: number): number {
    this.#now = nowUs;
    this.switch.step(nowUs);
    // All of them before any frame moves: what goes from one cable to another meets the same time there.
    for (const cable of this.cables) cable.setTime(nowUs);
    let work = 0;
    for (const cable of this.cables) {
      work += cable.step(nowUs);
      work += cable.poll(budget, nowUs);
    }
    for (const population of this.populations) work += population.step(nowUs);
    for (const cable of this.cables) cable.flush();
    return work;
  }

  hasWork(): boolean {
    return this.cables.some(cable => cable.hasWork());
  }

  usUntilNext(nowUs: number): number {
    let least = this.switch.usUntilNext();
    for (const part of [...this.cables, ...this.populations]) {
      const us = part.usUntilNext(nowUs);
      if (us >= 0 && (least < 0 || us < least)) least = us;
    }
    return least;
  }

  get doorbellsRung(): number {
    return this.#bells.reduce((sum, bell) => sum + bell.rings, 0);
  }

  // --- control plane ---

  cable(name: string): Cable | undefined {
    return this.cables.find(cable => cable.name === name);
  }

  setFaults(name: string, plan: Partial<FaultPlan>): void {
    const cable = this.cable(name);
    cable?.toNic.faults.set(plan);
    cable?.fromNic.faults.set(plan);
  }

  /** Every frame of every cable goes to the tap from now on; interface ids are the cables' order. */
  addTap(tap: FrameTap): void {
    this.cables.forEach((cable, index) => cable.addTap(tap, index));
  }

  /** One capture interface a cable. */
  startCapture(path: string, epochMs: number): void {
    const capture = Capture.toFile(this.#memory, path, { epochMs });
    for (const cable of this.cables) {
      cable.addTap(capture, capture.addInterface(cable.name, `cable of ${cable.name}`));
    }
    this.#capture = capture;
  }

  /** Ends the capture; returns how many frames are in the file. */
  stopCapture(): number {
    const capture = this.#capture;
    if (capture === null) return 0;
    this.#capture = null;
    for (const cable of this.cables) cable.removeTap(capture);
    capture.close();
    return capture.frames;
  }

  loadReports(): LoadReport[] {
    return this.loads.map(load => load.report());
  }
}
