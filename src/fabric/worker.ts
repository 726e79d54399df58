/**
 * The fabric's thread: a thin shell around Fabric. Its control plane pulls and plugs cables, changes faults, captures.
 *
 * Started with `workerData` alone; answers `ready`, then polls (ring/worker-shell.ts). `stop` gives the last report.
 */
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { parentPort, workerData } from 'node:worker_threads';
import { RealClock } from '../base/clock.ts';
import { attachMemory } from '../memory/memory.ts';
import { NicStatus } from '../ring/nic-layout.ts';
import { WorkerShell } from '../ring/worker-shell.ts';
import type { FaultPlan } from './faults.ts';
import { Fabric, type FabricBoot } from './fabric.ts';
import type { LoadReport } from './stations/load-counters.ts';

export interface FabricWorkerData {
  readonly memory: WebAssembly.Memory;
  readonly boot: FabricBoot;
  readonly epochMs: number;
  readonly capture: string | null;
  readonly spins: number;
}

export interface FabricReport {
  readonly loads: LoadReport[];
  readonly switch: { unicast: number; flooded: number; learned: number; moves: number; foreignVlan: number };
  readonly cables: { name: string; toNic: CableCounts; fromNic: CableCounts; up: boolean }[];
  readonly capturedFrames: number;
  readonly doorbellsRung: number;
}

export interface CableCounts {
  readonly frames: number;
  readonly bytes: number;
  readonly linkDown: number;
  readonly noRoom: number;
  readonly lost: number;
  readonly reordered: number;
  readonly duplicated: number;
  readonly corrupted: number;
}

/** Half a ring: large enough that a burst costs one doorbell, and the other half goes on being filled. */
const STEP_BUDGET = 256;
const SLEEP_MAX_MS = 50;

const data = workerData as FabricWorkerData;
const memory = attachMemory(data.memory);
const clock = new RealClock(data.epochMs);
const fabric = new Fabric(memory, data.boot, clock.nowUs());
if (data.capture !== null) fabric.startCapture(data.capture, data.epochMs);
const options = {
  doorbell: data.boot.regions.doorbell,
  controlAddress: data.boot.regions.status.offset + NicStatus.offset.control,
  budget: STEP_BUDGET,
  sleepMaxMs: SLEEP_MAX_MS,
  spins: data.spins,
};
const shell = new WorkerShell(memory, options);
let capturedFrames = 0;

const control = {
  /** False when there is no such cable. */
  pull: (name: string): boolean => {
    fabric.cable(name)?.pull();
    return fabric.cable(name) !== undefined;
  },
  plug: (name: string): boolean => {
    fabric.cable(name)?.plug();
    return fabric.cable(name) !== undefined;
  },
  setFaults: (name: string, plan: Partial<FaultPlan>) => fabric.setFaults(name, plan),
  crash: () => {
    setImmediate(() => {
      throw new Error('the fabric was told to crash');
    });
  },
  report: (): FabricReport => report(),
  stop: () => {
    capturedFrames = fabric.stopCapture();
    const last = report();
    shell.stop();
    return last;
  },
};
export type FabricControl = typeof control;

function report(): FabricReport {
  const { unicast, flooded, learned, moves, foreignVlan } = fabric.switch;
  return {
    loads: fabric.loadReports(),
    switch: { unicast, flooded, learned, moves, foreignVlan },
    cables: fabric.cables.map(cable => ({
      name: cable.name,
      up: cable.up,
      toNic: countsOf(cable.toNic),
      fromNic: countsOf(cable.fromNic),
    })),
    capturedFrames,
    doorbellsRung: fabric.doorbellsRung,
  };
}

function countsOf(direction: (typeof fabric.cables)[number]['toNic']): CableCounts {
  const { frames, bytes, linkDown, noRoom, faults } = direction;
  const { lost, reordered, duplicated, corrupted } = faults;
  return { frames, bytes, linkDown, noRoom, lost, reordered, duplicated, corrupted };
}

expose(control, nodeEndpoint(parentPort!));
parentPort!.postMessage({ ready: 'fabric' });
shell.run(memory, fabric, clock, options);
