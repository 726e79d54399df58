/**
 * A NIC's thread (R45): a thin shell around Nic. Started with `workerData` alone; answers `ready`, then polls.
 *
 * The control plane is what an engineer at the bench can do to a card: stall its firmware, crash it, read its counters.
 * Its cable is the fabric's to pull.
 */
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { parentPort, workerData } from 'node:worker_threads';
import { RealClock } from '../base/clock.ts';
import { attachMemory } from '../memory/memory.ts';
import type { TcpUploadReason } from '../offload/events.ts';
import { HEARTBEAT_MS, type NicBoot, NicStatus } from '../ring/nic-layout.ts';
import { WorkerShell } from '../ring/worker-shell.ts';
import { Nic } from './nic.ts';
import type { NicStatistics } from './statistics.ts';

export interface NicWorkerData {
  readonly memory: WebAssembly.Memory;
  readonly boot: NicBoot;
  readonly epochMs: number;
  readonly layoutFingerprint: number;
  readonly spins: number;
}

export interface NicReport {
  readonly name: string;
  readonly stats: NicStatistics;
  readonly connections: number;
  readonly paths: number;
  readonly neighbors: number;
  readonly doorbellsRung: number;
  readonly receiveBuffersInUse: number;
  readonly receiveBuffersLowest: number;
  readonly faultReason: string;
}

/** Half a ring: large enough that a burst costs one doorbell, and the other half goes on being filled. */
const STEP_BUDGET = 256;

const data = workerData as NicWorkerData;
if (data.boot.layoutFingerprint !== data.layoutFingerprint) {
  throw new Error(`${data.boot.config.name}: built from other layouts than the host; run the build again`);
}
const memory = attachMemory(data.memory);
const nic = new Nic(memory, data.boot);
const options = {
  doorbell: data.boot.regions.doorbell,
  controlAddress: data.boot.regions.status.offset + NicStatus.offset.control,
  budget: STEP_BUDGET,
  sleepMaxMs: HEARTBEAT_MS,
  spins: data.spins,
};
const shell = new WorkerShell(memory, options);

const control = {
  stall: () => nic.stall(),
  resume: () => nic.resume(),
  corrupt: (slot: number | 'all') => nic.corrupt(slot),
  requestUpload: (slot: number | 'all', reason: TcpUploadReason) => nic.requestUpload(slot, reason),
  /** The thread dies as a card does that falls off the bus: at once, with all that it has. */
  crash: () => shell.crash(new Error(`${data.boot.config.name} was told to crash`)),
  report: (): NicReport => ({
    name: data.boot.config.name,
    stats: nic.stats,
    ...nic.tree,
    doorbellsRung: nic.doorbellsRung,
    receiveBuffersInUse: nic.firmware.pool.inUse,
    receiveBuffersLowest: nic.firmware.pool.lowestAvailable,
    faultReason: nic.faultReason,
  }),
  stop: () => shell.stop(),
};
export type NicControl = typeof control;

expose(control, nodeEndpoint(parentPort!));
parentPort!.postMessage({ ready: data.boot.config.name });
shell.run(memory, nic, new RealClock(data.epochMs), options);
