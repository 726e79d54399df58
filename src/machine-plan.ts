/**
 * From few options to a whole MachinePlan: sizes with their reasons, MACs, host and NIC configurations.
 *
 * Numbers here are defaults; whoever composes a machine may give a MachinePlan of their own to machine-layout.ts.
 */
import type { FaultPlan } from './fabric/faults.ts';
import type { PopulationPlan } from './fabric/fabric.ts';
import type { HostConfig } from './host/host.ts';
import type { HostPlan, MachinePlan } from './machine-layout.ts';
import { DEFAULT_HOST_OFFLOAD_OPTIONS, type HostOffloadOptions } from './host/offload-options.ts';
import { DEFAULT_TARGET_OPTIONS, type TargetOptions } from './offload/target-options.ts';
import type { NicConfig } from './ring/nic-layout.ts';
import { DEFAULT_TCP_PARAMS, type TcpParams } from './tcp/params.ts';

export interface NicSizing {
  readonly name: string;
  /** Connections it can take over. */
  readonly tcpEntries?: number;
  readonly pathEntries?: number;
  readonly neighborEntries?: number;
  readonly target?: Partial<TargetOptions> | undefined;
}

export interface HostSizing {
  readonly name: string;
  readonly nics: readonly NicSizing[];
  /** Connections at once, TIME-WAIT included. */
  readonly connections: number;
  readonly mtu?: number;
  readonly blockList?: number;
  readonly applicationBytes?: number;
  readonly copyBuffers?: number;
  readonly tcp?: Partial<TcpParams>;
  readonly offload?: Partial<HostOffloadOptions> | undefined;
}

export interface MachineSizing {
  readonly hosts: readonly HostSizing[];
  readonly populations?: readonly PopulationPlan[];
  readonly faults?: Partial<FaultPlan>;
  readonly seed?: number;
  /** Small rings and pools, for simulations by the thousand. */
  readonly small?: boolean;
}

const BLOCK_LIST_DEFAULT = 256;

export function planMachine(sizing: MachineSizing): MachinePlan {
  const small = sizing.small ?? false;
  const seed = sizing.seed ?? 1;
  let serial = 0;
  const hosts = sizing.hosts.map((host): HostPlan => ({
    name: host.name,
    config: hostConfig(host, small),
    nics: host.nics.map(nic => nicConfig(nic, host, serial++, small, seed)),
  }));
  return {
    hosts,
    populations: sizing.populations ?? [],
    faults: sizing.faults ?? {},
    seed,
    lineFrames: small ? 512 : 4096,
  };
}

function hostConfig(host: HostSizing, small: boolean): HostConfig {
  const mtu = host.mtu ?? 1500;
  const blockListMax = host.blockList ?? BLOCK_LIST_DEFAULT;
  return {
    connections: host.connections,
    mtu,
    txBuffers: small ? 512 : 4096,
    sendDescriptors: Math.max(64, host.connections * 2),
    copyBuffers: host.copyBuffers ?? (small ? 256 : 2048),
    copyBufferBytes: 4096,
    blocks: blocksOf(host.connections, blockListMax, small),
    applicationBytes: host.applicationBytes ?? 0,
    blockListMax,
    offload: { ...DEFAULT_HOST_OFFLOAD_OPTIONS, ...host.offload },
    tcp: tcpParams(host),
  };
}

/**
 * Several lists under way at once, each up to three blocks a connection; with short lists, as many as may be due. All
 * connections together need no more, since each is in one list at a time; the rest is for updates.
 */
function blocksOf(connections: number, blockListMax: number, small: boolean): number {
  const lists = Math.min(blockListMax * 3 * (small ? 4 : 16), 3 * connections + 1024);
  return Math.max(1024, lists, small ? 0 : Math.min(2 * connections, 1 << 16));
}

function tcpParams(host: HostSizing): TcpParams {
  return { ...DEFAULT_TCP_PARAMS, mss: (host.mtu ?? 1500) - 40, ...host.tcp };
}

/** Locally administered unicast MACs: 02:43 ('C'), then host and NIC. */
const MAC_HI = 0x0243;

function nicConfig(nic: NicSizing, host: HostSizing, serial: number, small: boolean, seed: number): NicConfig {
  const tcpEntries = nic.tcpEntries ?? host.connections;
  return {
    name: nic.name,
    macHi: MAC_HI,
    macLo: 0x4e000000 | (serial + 1),
    mtu: host.mtu ?? 1500,
    tcpEntries,
    pathEntries: nic.pathEntries ?? tcpEntries,
    neighborEntries: nic.neighborEntries ?? 1024,
    receiveBuffers: small ? 512 : 4096,
    descriptorSlots: small ? 256 : 2048,
    wireSlots: small ? 128 : 512,
    rcvWindowMax: 1 << 30,
    tcp: tcpParams(host),
    target: { ...DEFAULT_TARGET_OPTIONS, ...nic.target },
    seed: seed + serial,
  };
}
