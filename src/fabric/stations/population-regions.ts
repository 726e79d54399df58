/**
 * What a population needs of the machine's memory, planned before the memory exists (memory/memory.ts, RegionPlan).
 *
 * TCBs: twice the concurrency, since a connection may be in its last time-out while its successor is opened, and one for
 * each connection that ends within a TIME-WAIT at TIME_WAIT_RATE connections a second, though never more than there are
 * to be; at least SLOTS_MIN. When they run out nevertheless, TIME-WAIT is cut short. Bodies: a reply that does not fit one
 * segment is assembled in a buffer of the largest file's size up to BODY_BYTES_MAX, within BODIES_BYTES_MAX altogether;
 * beyond both a reply is hashed piece by piece.
 */
import { type PoolShape, poolBytes } from '../../memory/buffer-pool.ts';
import type { Region, RegionPlan } from '../../memory/memory.ts';
import { NetBuffer } from '../../memory/net-buffer.ts';
import { TCB_SLOTS_MAX } from '../../tcp/tcb-table.ts';
import { TcbLayout } from '../../tcp/tcb.ts';
import { DEFAULT_TCP_PARAMS, type TcpParams } from '../../tcp/params.ts';
import { LoadProgress } from '../load-progress.ts';
import {
  checkClientLoad,
  type ClientLoadOptions,
  LOAD_DEFAULTS,
  requestTextBytes,
  requestVariants,
} from './client-load-options.ts';
import type { StationGroupOptions } from './station-group.ts';
import { frameSlotBytes, scratchBytes } from './station-link.ts';

export const SLOTS_MIN = 4096;
const TIME_WAIT_RATE = 16_384;
const BODY_BYTES_MAX = 65_536;
const BODIES_BYTES_MAX = 16 << 20;
const BODIES_MIN = 16;
const PAYLOAD_BUFFERS = { min: 512, max: 8192 };
const NEIGHBORS = 1024;
const MTU = 1500;
/** A client that has closed its direction waits for the reply there: its own time-out comes first. */
const FIN_WAIT_2_TICKS = 3_600_000;
/** Frames that wait while another is being sent (population.ts). */
export const BACKLOG_FRAMES = 256;

export interface PopulationOptions {
  readonly name: string;
  readonly groups: readonly StationGroupOptions[];
  readonly seed: number;
  readonly mtu?: number;
  /** TCBs, TIME-WAIT included; follows from the load when absent. */
  readonly slots?: number;
  /** Addresses on the link that the groups may talk to. */
  readonly neighbors?: number;
  /** Buffers for text out of order and for `Population.sendBytes`. */
  readonly payloadBuffers?: number;
  readonly tcp?: Partial<TcpParams>;
  /** The load that will run on it. */
  readonly load?: ClientLoadOptions;
}

export interface PopulationShape {
  readonly mtu: number;
  readonly slots: number;
  readonly neighbors: number;
  readonly payload: PoolShape;
}

export interface LoadRegions {
  /** Request texts. */
  readonly requests: Region;
  /** One NET_BUFFER a client. */
  readonly descriptors: Region;
  readonly bodies: Region;
  /** LoadProgress, for the host to read. */
  readonly progress: Region;
  readonly bodyBytes: number;
}

export interface PopulationRegions {
  /** The descriptor of in-order text, then the frame being sent. */
  readonly scratch: Region;
  readonly backlog: Region;
  readonly tcbs: Region;
  readonly payload: Region;
  readonly load: LoadRegions | undefined;
}

export function populationRegions(plan: RegionPlan, options: PopulationOptions): PopulationRegions {
  const shape = populationShape(options);
  const { name, load } = options;
  if (load !== undefined) checkClientLoad(load);
  return {
    scratch: plan.add(`${name} scratch`, NetBuffer.byteLength + scratchBytes(shape.mtu)),
    backlog: plan.add(`${name} backlog`, BACKLOG_FRAMES * frameSlotBytes(shape.mtu)),
    tcbs: plan.add(`${name} TCBs`, shape.slots * TcbLayout.byteLength),
    payload: plan.add(`${name} payload`, poolBytes(shape.payload)),
    load: load === undefined ? undefined : loadRegions(plan, name, load),
  };
}

export function populationShape(options: PopulationOptions): PopulationShape {
  const { load } = options;
  const mtu = options.mtu ?? MTU;
  const buffers = Math.min(PAYLOAD_BUFFERS.max, Math.max(PAYLOAD_BUFFERS.min, load?.concurrency ?? 0));
  return {
    mtu,
    slots: Math.min(TCB_SLOTS_MAX, options.slots ?? slotsFor(options)),
    neighbors: options.neighbors ?? NEIGHBORS,
    payload: { count: options.payloadBuffers ?? buffers, dataBytes: mtu },
  };
}

export function tcpParamsOf(options: PopulationOptions): TcpParams {
  const mss = (options.mtu ?? MTU) - 40;
  const byLoad = options.load === undefined ? undefined : (options.load.timeWaitTicks ?? LOAD_DEFAULTS.timeWaitTicks);
  const timeWaitTicks = byLoad ?? options.tcp?.timeWaitTicks ?? DEFAULT_TCP_PARAMS.timeWaitTicks;
  // Stations are to load a host, not themselves: every second segment is acknowledged (RFC 5681 4.2), from the first on.
  const own = { mss, finWait2Ticks: FIN_WAIT_2_TICKS, quickAcksMax: 0 };
  return { ...DEFAULT_TCP_PARAMS, ...own, ...options.tcp, timeWaitTicks };
}

function slotsFor(options: PopulationOptions): number {
  const { load } = options;
  if (load === undefined) return SLOTS_MIN;
  const inTimeWait = Math.ceil((TIME_WAIT_RATE * tcpParamsOf(options).timeWaitTicks) / 1000);
  return Math.max(SLOTS_MIN, 2 * load.concurrency + Math.min(load.connections, inTimeWait));
}

function loadRegions(plan: RegionPlan, name: string, load: ClientLoadOptions): LoadRegions {
  const largest = load.catalog.reduce((size, file) => Math.max(size, file.size), 1);
  const bodyBytes = Math.ceil(Math.min(BODY_BYTES_MAX, largest) / 64) * 64;
  const bodies = Math.max(BODIES_MIN, Math.min(load.concurrency, Math.floor(BODIES_BYTES_MAX / bodyBytes)));
  const texts = load.catalog.length * requestVariants(load) * requestTextBytes(load);
  return {
    requests: plan.add(`${name} requests`, texts),
    descriptors: plan.add(`${name} request descriptors`, load.concurrency * NetBuffer.byteLength),
    bodies: plan.add(`${name} bodies`, bodies * bodyBytes),
    progress: plan.add(`${name} progress`, LoadProgress.byteLength),
    bodyBytes,
  };
}
