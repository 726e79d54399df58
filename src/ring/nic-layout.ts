/**
 * The memory of a NIC: what miniport and firmware agree on before either runs. Planned by the composition root, handed
 * to both (to the worker as plain data).
 *
 *   doorbells: one a thread   submission ring: host → NIC   completion ring: NIC → host
 *   wire rings: to and from the fabric   receive pool, TCB, path and neighbor tables: the NIC's own
 */
import type { Region, RegionPlan } from '../memory/memory.ts';
import { type PoolShape, poolBytes } from '../memory/buffer-pool.ts';
import { bytes, record, word } from '../memory/record.ts';
import { type RingShape, ringBytes } from './spsc-ring.ts';
import { wireShape } from './wire-slot.ts';
import type { TcpParams } from '../tcp/params.ts';
import { TcbLayout } from '../tcp/tcb.ts';
import { DESCRIPTOR_BYTES } from '../offload/descriptors.ts';
import type { TargetOptions } from '../offload/target-options.ts';
import { OFFLOAD_STATS_BYTES } from '../offload/offload-statistics.ts';
import { NeighborState, PathState } from '../offload/state-objects.ts';

/** Words that a NIC shows of itself at any time; each has one writer. */
export const NicStatus = record('NIC_STATUS', 192, {
  heartbeat: word('counts steps, at least one every HEARTBEAT_MS while the firmware lives; written by the NIC'),
  linkUp: word('1 while the NIC senses carrier; written by the NIC'),
  fault: word('NicFault, 0 = none; written by the NIC'),
  reservedNic: bytes(52),
  control: word('control messages sent so far: the worker yields to its event loop; written by the host'),
  fenced: word('1 = the host has given this NIC up: it must not act any more, ever; written by the host'),
  reservedHost: bytes(56),
  carrier: word('1 while the cable carries; written by the fabric'),
  carrierChangedUs: word('when it changed, µs of the machine clock modulo 2^31; written by the fabric'),
  reservedFabric: bytes(56),
});

export const HEARTBEAT_MS = 50;

/** Path entry of a NIC: the state object and what the inverted tree needs (R8). */
export const PathEntry = record('PATH_ENTRY', 64, {
  state: bytes(PathState.byteLength, 'PathState'),
  neighbor: word('slot of the neighbor entry'),
  dependents: word('TCP entries on this path'),
  ipIdCounter: word('Counter_For_This_Path of ¶86'),
  flags: word('EntryFlag, generation << 16'),
  localAddress: word('number of SourceAddress: the IPv4 address, or one of the NIC’s table (wire/address-table.ts)'),
  remoteAddress: word('number of DestinationAddress'),
});

/** Neighbor entry of a NIC. */
export const NeighborEntry = record('NEIGHBOR_ENTRY', 48, {
  state: bytes(NeighborState.byteLength, 'NeighborState'),
  dependents: word('path entries on this neighbor'),
  ndisOffloadHandle: word('handle of the layer above'),
  flags: word('EntryFlag, generation << 16'),
  reserved: word('zero'),
});

export interface NicConfig {
  readonly name: string;
  readonly macHi: number;
  readonly macLo: number;
  readonly mtu: number;
  /** Largest datagram that may come in where that is more than the MTU: segments that were merged on the way. */
  readonly receiveMtu?: number;
  readonly tcpEntries: number;
  readonly pathEntries: number;
  readonly neighborEntries: number;
  readonly receiveBuffers: number;
  readonly descriptorSlots: number;
  readonly wireSlots: number;
  /** Largest InitialRcvWnd, bytes. */
  readonly rcvWindowMax: number;
  /** NDIS_TCP_CONNECTION_OFFLOAD_PARAMETERS: the host's, so that a connection behaves alike on both sides. */
  readonly tcp: TcpParams;
  readonly target: TargetOptions;
  /** Of the device's own randomness. */
  readonly seed: number;
}

export interface NicRegions {
  readonly doorbell: Region;
  readonly status: Region;
  /** TcpOffloadStats and IpOffloadStats of IPv4 and IPv6; written by the NIC. */
  readonly offloadStats: Region;
  readonly submissions: Region;
  readonly completions: Region;
  readonly toFabric: Region;
  readonly fromFabric: Region;
  readonly receivePool: Region;
  /** Where frames are written while there is no link. */
  readonly sink: Region;
  readonly tcbs: Region;
  readonly paths: Region;
  readonly neighbors: Region;
}

export function receivePoolShape(config: NicConfig): PoolShape {
  const { receiveBuffers, mtu, receiveMtu = mtu } = config;
  return { count: receiveBuffers, dataBytes: Math.ceil((RECEIVE_HEADROOM + 14 + 8 + receiveMtu) / 64) * 64 };
}

/** Room in front of a received frame, so that its start is where its IP header is word aligned, and tags can be put back. */
export const RECEIVE_HEADROOM = 18;

export function descriptorShape(config: NicConfig): RingShape {
  return { slots: config.descriptorSlots, slotBytes: DESCRIPTOR_BYTES };
}

export function cableShape(config: NicConfig): RingShape {
  return wireShape(config.wireSlots, config.receiveMtu ?? config.mtu);
}

export function planNic(plan: RegionPlan, config: NicConfig): NicRegions {
  const { name } = config;
  return {
    doorbell: plan.add(`${name}.doorbell`, 128),
    status: plan.add(`${name}.status`, NicStatus.byteLength),
    offloadStats: plan.add(`${name}.offload-stats`, OFFLOAD_STATS_BYTES),
    submissions: plan.add(`${name}.submissions`, ringBytes(descriptorShape(config))),
    completions: plan.add(`${name}.completions`, ringBytes(descriptorShape(config))),
    toFabric: plan.add(`${name}.to-fabric`, ringBytes(cableShape(config))),
    fromFabric: plan.add(`${name}.from-fabric`, ringBytes(cableShape(config))),
    receivePool: plan.add(`${name}.receive-pool`, poolBytes(receivePoolShape(config))),
    sink: plan.add(`${name}.sink`, cableShape(config).slotBytes),
    tcbs: plan.add(`${name}.tcbs`, Math.max(4, config.tcpEntries * TcbLayout.byteLength)),
    paths: plan.add(`${name}.paths`, Math.max(4, config.pathEntries * PathEntry.byteLength)),
    neighbors: plan.add(`${name}.neighbors`, Math.max(4, config.neighborEntries * NeighborEntry.byteLength)),
  };
}

/** What a NIC's thread is started with. Plain data: it crosses a structured clone. */
export interface NicBoot {
  readonly config: NicConfig;
  readonly index: number;
  readonly regions: NicRegions;
  readonly hostDoorbell: Region;
  readonly fabricDoorbell: Region;
  /** Host memory that the NIC may touch: its IOMMU window. */
  readonly grants: readonly Region[];
  /** Where block lists lie. */
  readonly blocks: Region;
  readonly layoutFingerprint: number;
}
