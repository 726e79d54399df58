/**
 * What a seed of the transparency property says: two hosts, their network and its faults, the scripts of both
 * applications, and the hand-overs that one of the two runs makes (transparency.ts).
 *
 * The plan is data: a failing seed is shrunk by leaving out list elements. Sizes are small and capacities often too
 * small, so that refusals, full rings and empty pools are the common case (style §6).
 */
import type { HostWiring, InterfacePlan } from '../assemble-host.ts';
import { Prng } from '../base/prng.ts';
import type { FaultPlan } from '../fabric/faults.ts';
import type { HostPlan, MachinePlan } from '../machine-layout.ts';
import { type NicSizing, planMachine } from '../machine-plan.ts';
import type { NicConfig } from '../ring/nic-layout.ts';
import type { TcpParams } from '../tcp/params.ts';
import { IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import { drawFaults, drawForms, drawReceiver, type Forms, pick } from './simulate-plan.ts';
import { type ActionPlan, drawActions } from './transparency-actions.ts';
import { type ConnectionScript, drawConnection, PATTERN_BYTES } from './transparency-script.ts';

/** How the chimney of a host chooses by itself; actions hand over besides. */
export interface HandOverPolicy {
  /** Every connection is a candidate when it is young; otherwise only those that an action names. */
  readonly automatic: boolean;
  readonly batchUs: number;
  readonly holdsData: boolean;
}

export interface TransparencyPlan {
  readonly seed: number;
  /** The connections' IP version. */
  readonly isIpv6: boolean;
  readonly machine: MachinePlan;
  /** By host. The policy is added by the run. */
  readonly wiring: readonly Omit<HostWiring, 'policy'>[];
  readonly policies: readonly HandOverPolicy[];
  /** By NIC, those of the first host first. */
  readonly faults: readonly Partial<FaultPlan>[];
  readonly connections: readonly ConnectionScript[];
  readonly actions: readonly ActionPlan[];
}

export const HOSTS = 2;
const CONNECTIONS_MAX = 6;
/** Behind the pattern: a frame that an action makes up. */
export const SCRATCH_BYTES = 256;
/** One that was cut off, and whose RST was lost, notices by then; no run lasts as long otherwise. */
const FIN_WAIT_2_TICKS = 300_000;
const NET = 0x0a000000;
/** fd00::/32. */
const NET_6 = 0xfd000000 | 0;

export function addressOf(host: number, vid: number): number {
  return NET | (vid << 8) | (host + 1);
}

export function ipv6AddressOf(host: number, vid: number): Int32Array {
  return Int32Array.of(NET_6, vid, 0, host + 1);
}

export function drawTransparency(seed: number): TransparencyPlan {
  const source = new Prng(seed);
  const prng = source.fork('plan');
  const vids = prng.chance(0.25) ? [10, 20] : [0];
  const teams = Array.from({ length: HOSTS }, () => prng.chance(0.25));
  const nics = teams.reduce((sum, team) => sum + (team ? 2 : 1), 0);
  const isFaulty = prng.chance(0.6);
  const scripts = source.fork('scripts');
  const count = prng.between(1, CONNECTIONS_MAX);
  const isIpv6 = source.fork('family').chance(0.35);
  const connections = Array.from({ length: count }, (_, index) => drawConnection(scripts, index, vids));
  const faults = source.fork('faults');
  return {
    seed,
    isIpv6,
    machine: drawMachine(source.fork('machine'), {
      teams,
      count,
      isFaulty,
      isIpv6,
      seed,
      forms: teams.map((_, host) => drawForms(source.fork(`forms ${host}`))),
    }),
    wiring: teams.map((team, host) => ({
      interfaces: vids.map(vid => interfaceOf(host, vid, isIpv6)),
      routes: [],
      team,
    })),
    policies: teams.map(() => drawPolicy(prng)),
    faults: Array.from({ length: nics }, () => (isFaulty ? drawFaults(faults) : {})),
    connections,
    actions: drawActions(source.fork('actions'), { connections, teams, nics, isFaulty }),
  };
}

function interfaceOf(host: number, vid: number, isIpv6: boolean): InterfacePlan {
  const ipv4 = { address: addressOf(host, vid), prefixLength: 24, vid };
  if (!isIpv6) return ipv4;
  const addresses = [{ address: ipv6AddressOf(host, vid), prefixLength: 64 }];
  return { ...ipv4, ipv6: { addresses, duplicateProbes: 0, autoconfigure: false } };
}

function drawPolicy(prng: Prng): HandOverPolicy {
  return {
    automatic: prng.chance(0.6),
    batchUs: pick(prng, [0, 0, 0, 10, 200, 5000]),
    holdsData: prng.chance(0.4),
  };
}

function drawMachine(
  prng: Prng,
  sizes: {
    readonly teams: readonly boolean[];
    readonly count: number;
    readonly isFaulty: boolean;
    readonly isIpv6: boolean;
    readonly seed: number;
    readonly forms: readonly Forms[];
  },
): MachinePlan {
  const { teams, count, seed, forms } = sizes;
  // A lost last ACK is asked for again and again, a minute apart in the end: TIME-WAIT must outlast several (seed 128531).
  const timeWaitTicks = sizes.isFaulty ? 300_000 : 1000;
  const timestamps = prng.chance(0.5);
  const mtu = Math.max(pick(prng, [1500, 1500, 600]), sizes.isIpv6 ? IPV6_MINIMUM_MTU : 0);
  const plan = planMachine({
    hosts: teams.map((team, index) => {
      const name = 'ab'[index]!;
      return {
        name,
        nics: (team ? ['0', '1'] : ['0']).map(suffix => ({
          ...drawNic(prng, `${name}${suffix}`, count),
          target: forms[index]!.target,
        })),
        offload: forms[index]!.host,
        connections: 16,
        mtu,
        blockList: pick(prng, [1, 2, 8]),
        applicationBytes: PATTERN_BYTES + SCRATCH_BYTES,
        copyBuffers: pick(prng, [4, 32]),
        tcp: { ...drawTcp(prng, timestamps), ...drawReceiver(prng), timeWaitTicks },
      };
    }),
    seed,
    small: true,
  });
  return { ...plan, hosts: plan.hosts.map(host => narrowHost(prng, host)), lineFrames: 256 };
}

function drawTcp(prng: Prng, timestamps: boolean): Partial<TcpParams> {
  return {
    finWait2Ticks: FIN_WAIT_2_TICKS,
    kaInterval: 1000,
    kaProbeMax: 60,
    timestamps,
    windowScaling: prng.chance(0.7),
    nagle: prng.chance(0.7),
    rcvBuffer: pick(prng, [65_535, 16_384, 8192, 4096]),
    ackFrequency: pick(prng, [2, 2, 1]),
  };
}

function drawNic(prng: Prng, name: string, connections: number): NicSizing {
  const kind = prng.float();
  const few = prng.between(1, connections);
  const sizes = { tcpEntries: 16, pathEntries: 8, neighborEntries: 8 };
  if (kind < 0.6) return { name, ...sizes };
  if (kind < 0.8) return { name, ...sizes, tcpEntries: few };
  if (kind < 0.86) return { name, ...sizes, tcpEntries: 0 };
  return kind < 0.93 ? { name, ...sizes, pathEntries: 1 } : { name, ...sizes, neighborEntries: 1 };
}

/** Small rings and pools: so that they fill, and so that a machine is made quickly. */
function narrowHost(prng: Prng, host: HostPlan): HostPlan {
  return {
    ...host,
    config: { ...host.config, txBuffers: pick(prng, [128, 64, 16]), sendDescriptors: pick(prng, [64, 8]), blocks: 128 },
    nics: host.nics.map((nic): NicConfig => ({
      ...nic,
      receiveBuffers: pick(prng, [128, 128, 32]),
      descriptorSlots: pick(prng, [64, 64, 16]),
      wireSlots: pick(prng, [64, 32, 8]),
    })),
  };
}
