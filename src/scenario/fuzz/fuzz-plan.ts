/**
 * The machine that a seed of the fuzzer feeds: two hosts, small rings and pools, sometimes a team or VLANs, short timers.
 * Little memory, for machines by the thousand: most of what one costs is clearing it.
 */
import type { HostWiring, InterfacePlan, Ipv6Plan } from '../../assemble-host.ts';
import type { Prng } from '../../base/prng.ts';
import type { HostPlan, MachinePlan } from '../../machine-layout.ts';
import { planMachine } from '../../machine-plan.ts';
import { NO_ADVICE, type TargetOptions } from '../../offload/target-options.ts';
import { TcpFastOpen } from '../../tcp/fast-open.ts';
import type { TcpParams } from '../../tcp/params.ts';
import { drawForms, type Forms } from '../simulate-plan.ts';
import { oneOf } from './draw.ts';
import { SOURCE_BYTES } from './frame-source.ts';
import { APPLICATION_BYTES } from './fuzz-application.ts';
import { RECORDED_BYTES } from './recorded-frames.ts';

const NET = 0x0a000000;
/** Not on the link, as far as the other host knows. */
const FAR_NET = 0x0a4d0000;
/** How many connections a host may have; SYNs from nowhere fill the rest. */
const CONNECTIONS = 64;
const TCB_ENTRIES = 16;
/** The host that invariants.ts looks at. */
const WATCHED = 0;

export interface FuzzPlan {
  readonly machine: MachinePlan;
  readonly wiring: readonly Omit<HostWiring, 'policy'>[];
  readonly vids: readonly number[];
  /** The interfaces speak IPv6 too. */
  readonly hasIpv6: boolean;
  /** Cables are pulled, NICs hang, teams fail over. */
  readonly isDisturbed: boolean;
  /** Every connection is a candidate when it is young. */
  readonly isAutomatic: readonly boolean[];
}

export function addressOf(host: number, vid: number): number {
  return NET | (vid << 8) | (host + 1);
}

/** An address that is reached through a router. */
export function farAddressOf(host: number, vid: number): number {
  return FAR_NET | (vid << 8) | (host + 1);
}

/** fd00:0:0:VID::HOST+1 */
export function ipv6AddressOf(host: number, vid: number): Int32Array {
  return Int32Array.of(0xfd000000, vid, 0, host + 1);
}

export function drawFuzz(prng: Prng, seed: number): FuzzPlan {
  const vids = prng.chance(0.2) ? [10, 20] : [0];
  const teams = [prng.chance(0.2), false];
  const forms = teams.map(() => drawForms(prng));
  const hasIpv6 = prng.chance(0.6);
  const duplicateProbes = prng.below(2);
  const autoconfigure = prng.chance(0.7);
  const ipv6Of = (host: number, vid: number): Ipv6Plan => ({
    duplicateProbes,
    autoconfigure,
    addresses: [{ address: ipv6AddressOf(host, vid), prefixLength: 64 }],
  });
  return {
    machine: drawMachine(prng, teams, forms, hasIpv6, seed),
    wiring: teams.map((team, host) => ({
      interfaces: vids.map((vid): InterfacePlan => ({
        address: addressOf(host, vid),
        prefixLength: 24,
        vid,
        snap: prng.chance(0.1),
        probesAddresses: prng.chance(0.1),
        more: [{ address: farAddressOf(host, vid), prefixLength: 24 }],
        ipv6: hasIpv6 ? ipv6Of(host, vid) : undefined,
      })),
      // The other host is the router to its own far address: what redirects are about.
      routes: vids.map((vid, iface) => ({
        prefix: farAddressOf(1 - host, vid),
        prefixLength: 32,
        gateway: addressOf(1 - host, vid),
        iface,
      })),
      team,
    })),
    vids,
    hasIpv6,
    isDisturbed: prng.chance(0.4),
    isAutomatic: teams.map(() => prng.chance(0.5)),
  };
}

function drawMachine(
  prng: Prng,
  teams: readonly boolean[],
  forms: readonly Forms[],
  hasIpv6: boolean,
  seed: number,
): MachinePlan {
  const mtu = oneOf(prng, hasIpv6 ? [1500, 1500, 1280] : [1500, 1500, 600]);
  const plan = planMachine({
    hosts: teams.map((team, index) => ({
      name: 'ab'[index]!,
      nics: (team ? ['0', '1'] : ['0']).map(suffix => ({
        name: `${'ab'[index]!}${suffix}`,
        tcpEntries: oneOf(prng, [TCB_ENTRIES, TCB_ENTRIES, 2]),
        pathEntries: 8,
        neighborEntries: 8,
        target: { ...forms[index]!.target, ...drawTarget(prng) },
      })),
      offload: forms[index]!.host,
      connections: CONNECTIONS,
      mtu,
      blockList: oneOf(prng, [1, 8]),
      applicationBytes: APPLICATION_BYTES + (index === 0 ? SOURCE_BYTES + RECORDED_BYTES : 0),
      copyBuffers: 32,
      // An old ACK with a cookie opens a connection anew: who watches what a host says from its SYN on cannot know.
      tcp: { ...drawTcp(prng), synCookies: index === WATCHED ? 'off' : oneOf(prng, ['auto', 'always']) },
    })),
    seed,
    small: true,
  });
  return { ...plan, hosts: plan.hosts.map(narrow), lineFrames: 64 };
}

/** What the device knows, and when it asks to be rid of a connection. */
function drawTarget(prng: Prng): Partial<TargetOptions> {
  const advises = prng.chance(0.3);
  return {
    supportsSack: prng.chance(0.9),
    supportsIpv6: prng.chance(0.9),
    nceStaleTicks: oneOf(prng, [30_000, 200]),
    advice: advises
      ? {
          lowActivityTicks: oneOf(prng, [0, 100]),
          highDropPercent: oneOf(prng, [0, 20]),
          smallIoBytes: oneOf(prng, [0, 200]),
          indicationsWithoutPost: oneOf(prng, [0, 20]),
          forwardedSegments: oneOf(prng, [0, 3]),
          outOfOrderBuffers: oneOf(prng, [0, 2]),
        }
      : NO_ADVICE,
  };
}

function drawTcp(prng: Prng): Partial<TcpParams> {
  return {
    timestamps: prng.chance(0.7),
    windowScaling: prng.chance(0.7),
    nagle: prng.chance(0.7),
    rcvBuffer: oneOf(prng, [65_535, 262_140, 16_384, 4096]),
    ackFrequency: oneOf(prng, [2, 1]),
    blindAttack: oneOf(prng, ['challenge', 'challenge', 'shipped']),
    sack: prng.chance(0.8),
    ecn: oneOf(prng, ['passive', 'on', 'off']),
    congestionControl: oneOf(prng, ['cubic', 'cubic', 'newreno', 'none']),
    frto: prng.chance(0.8),
    rack: prng.chance(0.8),
    mtuProbing: oneOf(prng, ['off', 'black-hole', 'always']),
    mtuProbeIntervalTicks: 2000,
    quickAcksMax: oneOf(prng, [16, 0]),
    fastOpen: TcpFastOpen.Client | TcpFastOpen.Server,
    timeWaitIgnoresReset: prng.chance(0.2),
    // Short: much is to happen, and in the end all of it is to be over soon.
    retransmissionsMax: 4,
    synRetransmissionsMax: 2,
    rtoMaxTicks: 1000,
    rtoInitialTicks: 300,
    timeWaitTicks: 1000,
    finWait2Ticks: 2000,
    kaInterval: 100,
    kaProbeMax: 3,
  };
}

function narrow(host: HostPlan): HostPlan {
  return {
    ...host,
    config: { ...host.config, txBuffers: 128, sendDescriptors: 128, blocks: 256 },
    nics: host.nics.map(nic => ({ ...nic, receiveBuffers: 128, descriptorSlots: 128, wireSlots: 128 })),
  };
}
