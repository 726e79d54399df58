/**
 * What a seed says: the machine, its network, its load, the faults of its cables and what happens to it on the way.
 *
 * Everything is drawn here, before anything runs; each part from a generator of its own, so that a change to one leaves
 * what the others draw from a seed. Sizes are small and capacities often too small, so
 * that refusals, full rings and empty pools are the common case (style §6).
 */
import type { HostWiring } from '../assemble-host.ts';
import { Prng } from '../base/prng.ts';
import type { FaultPlan } from '../fabric/faults.ts';
import type { PopulationPlan } from '../fabric/fabric.ts';
import { everything } from '../host/policy/everything.ts';
import { holdingOn } from '../host/policy/holding-on.ts';
import { mostActive } from '../host/policy/most-active.ts';
import { NOTHING } from '../host/policy/nothing.ts';
import type { OffloadPolicy } from '../host/policy/offload-policy.ts';
import { parsePolicy } from '../host/policy/policy-text.ts';
import { youngInBatches } from '../host/policy/young-in-batches.ts';
import { TcpUploadReason } from '../offload/events.ts';
import type { MachinePlan } from '../machine-layout.ts';
import { type NicSizing, planMachine } from '../machine-plan.ts';
import type { HostOffloadOptions } from '../host/offload-options.ts';
import type { TargetOptions } from '../offload/target-options.ts';
import type { NicConfig } from '../ring/nic-layout.ts';
import type { TcpParams } from '../tcp/params.ts';
import { IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import { type Document, documentOf } from './documents.ts';
import { type Family, SERVER_PORT, type StormNetwork, stormNetwork } from './network.ts';
import { type Action, drawScript } from './simulate-script.ts';
import { RESET_PATH, simulatedRepliesBytes } from './simulate-server.ts';

export interface SeedPlan {
  readonly seed: number;
  readonly machine: MachinePlan;
  readonly wiring: HostWiring;
  readonly documents: readonly Document[];
  readonly connections: number;
  readonly vids: readonly number[];
  /** By NIC. */
  readonly faults: readonly Partial<FaultPlan>[];
  readonly script: readonly Action[];
  /** Rounds between two checks. */
  readonly checkEvery: number;
}

/** Behind the replies: a frame that the script makes up. */
export const SCRATCH_BYTES = 256;
const DOCUMENT_BYTES_MAX = 60_000;
/** No client gives up by itself: a connection that hangs shows as time that ran out. */
const CLIENT_TIMEOUT_TICKS = 100_000_000;
/** One that was cut off, and whose RST was lost, notices by then. */
const FIN_WAIT_2_TICKS = 120_000;

export function drawSeed(seed: number): SeedPlan {
  const source = new Prng(seed);
  const prng = source.fork('plan');
  const connections = prng.between(20, 200);
  const concurrency = prng.between(1, prng.chance(0.5) ? connections : Math.min(connections, 16));
  const vids = prng.chance(0.35) ? [10, 20] : [];
  const team = prng.chance(0.85);
  const documents = drawDocuments(source.fork('documents'));
  const family = pick(source.fork('family'), ['ipv4', 'ipv4', 'ipv6', 'both'] as const);
  const network = drawNetwork(source.fork('network'), { vids, family, connections, concurrency, documents, seed });
  const forms = drawForms(source.fork('forms'));
  const machine = drawMachine(source.fork('machine'), { concurrency, team, documents, network, seed, forms });
  const nics = team ? 2 : 1;
  const faults = source.fork('faults');
  return {
    seed,
    machine,
    wiring: {
      interfaces: network.interfaces,
      routes: network.routes,
      ipv6Routes: network.ipv6Routes,
      team,
      policy: drawPolicy(prng, source.fork('placement')),
    },
    documents,
    connections,
    vids,
    faults: Array.from({ length: nics }, () => drawFaults(faults)),
    script: drawScript(source.fork('script'), nics, connections),
    checkEvery: prng.between(8, 96),
  };
}

/** One of the values. */
export function pick<T>(prng: Prng, values: readonly T[]): T {
  return values[prng.below(values.length)]!;
}

function drawPolicy(prng: Prng, choosy: Prng): OffloadPolicy {
  const kind = prng.float();
  const batchUs = pick(prng, [0, 10, 200, 2000, 20_000]);
  if (choosy.chance(0.25)) return drawChoosyPolicy(choosy, batchUs);
  if (kind < 0.12) return NOTHING;
  return kind < 0.56 ? youngInBatches(batchUs) : everything(batchUs);
}

/** Looks at connections again and again, on a scale that a short run sees. */
function drawChoosyPolicy(prng: Prng, batchUs: number): OffloadPolicy {
  const text = pick(prng, [
    `by-traffic:${prng.between(1, 5000)},${prng.between(5, 500)}`,
    `by-port:${SERVER_PORT}`,
    'everything',
    '!by-traffic:2000,100',
    `by-port:${SERVER_PORT} & by-traffic:1,1000`,
  ]);
  const chosen = parsePolicy(text, batchUs)!;
  const policy = prng.chance(0.3) ? holdingOn(chosen, [TcpUploadReason.HighOutOfOrderPackets]) : chosen;
  if (prng.chance(0.5)) return mostActive(policy, prng.between(0, 100), prng.between(0, 500_000));
  return { ...policy, reviewUs: prng.between(1000, 100_000) };
}

function drawDocuments(prng: Prng): Document[] {
  const count = prng.between(1, 5);
  const cuts = prng.chance(0.3);
  return Array.from({ length: count }, (_, index) => {
    const most = prng.chance(0.5) ? DOCUMENT_BYTES_MAX : 2000;
    const bytes = new Uint8Array(prng.chance(0.08) ? 0 : prng.between(1, most));
    let word = prng.int32();
    for (let i = 0; i < bytes.length; i++) {
      word = Math.imul(word, 0x19660d) + 0x3c6ef35f;
      bytes[i] = word >>> 24;
    }
    return documentOf(cuts && index === 1 ? RESET_PATH : `/file${index}`, bytes);
  });
}

function drawNetwork(
  prng: Prng,
  sizes: {
    vids: readonly number[];
    family: Family;
    connections: number;
    concurrency: number;
    documents: readonly Document[];
    seed: number;
  },
): StormNetwork {
  const { vids, family, connections, documents, seed } = sizes;
  const network = stormNetwork({
    vids,
    family,
    connections,
    concurrency: Math.max(sizes.concurrency, vids.length),
    catalog: documents.map(({ path, bytes, sha256 }) => ({ path, size: bytes.length, sha256 })),
    seed: seed & 0x3fffff,
    timeWaitTicks: 1000,
    stations: pick(prng, [8, 40, 400]),
  });
  const requestBytesMax = pick(prng, [1000, 1000, 4000]);
  const mtu = 1500;
  const populations = network.populations.map(({ vid, options }): PopulationPlan => {
    const load = { ...options.load!, requestBytesMax, timeoutTicks: CLIENT_TIMEOUT_TICKS };
    const slots = Math.max(64, load.connections + 32);
    return {
      vid,
      options: { ...options, mtu, slots, load, tcp: { finWait2Ticks: FIN_WAIT_2_TICKS, ...drawReceiver(prng) } },
    };
  });
  return { ...network, populations };
}

function drawMachine(
  prng: Prng,
  sizes: {
    concurrency: number;
    team: boolean;
    documents: readonly Document[];
    network: StormNetwork;
    seed: number;
    forms: Forms;
  },
): MachinePlan {
  const { concurrency, network, forms } = sizes;
  const scarce = prng.chance(0.15);
  const connections = scarce ? (concurrency >> 1) + 8 : concurrency * 3 + 16;
  const nics = ['nic0', 'nic1'].slice(0, sizes.team ? 2 : 1).map(name => drawNic(prng, name, connections));
  const plan = planMachine({
    hosts: [
      {
        name: 'server',
        nics,
        connections,
        mtu: Math.max(pick(prng, [1500, 1500, 1500, 600]), network.ipv6Routes.length > 0 ? IPV6_MINIMUM_MTU : 0),
        blockList: pick(prng, [1, 2, 8, 32, 256]),
        applicationBytes: simulatedRepliesBytes(sizes.documents) + SCRATCH_BYTES,
        copyBuffers: 16,
        offload: forms.host,
        tcp: {
          // A late copy of a cookie's ACK opens a connection that is over once more, and the watch of the wire would not know.
          synCookies: 'off',
          timeWaitTicks: 1000,
          timestamps: prng.chance(0.7),
          windowScaling: prng.chance(0.7),
          rcvBuffer: pick(prng, [262_140, 65_535, 8192]),
          ...drawReceiver(prng),
        },
      },
    ],
    populations: network.populations,
    seed: sizes.seed,
    small: true,
  });
  const server = plan.hosts[0]!;
  return {
    ...plan,
    hosts: [
      {
        ...server,
        config: { ...server.config, txBuffers: pick(prng, [512, 512, 64, 16]) },
        nics: server.nics.map(nic => ({ ...narrow(prng, nic), target: { ...nic.target, ...forms.target } })),
      },
    ],
  };
}

/** How a side of TCP reports what it gets. From a stream of its own: what older seeds showed they show still. */
export function drawReceiver(prng: Prng): Partial<TcpParams> {
  const own = prng.fork('receiver');
  return {
    sack: own.chance(0.8),
    dsack: own.chance(0.8),
    ecn: pick(own, ['on', 'on', 'passive', 'off']),
    quickAcksMax: pick(own, [16, 16, 2, 0]),
  };
}

/** The forms of offload, and how targets behave where the sources differ. */
export interface Forms {
  readonly host: Partial<HostOffloadOptions>;
  readonly target: Partial<TargetOptions>;
}

export function drawForms(prng: Prng): Forms {
  return {
    host: {
      state: pick(prng, ['with-request', 'at-completion']),
      buffers: pick(prng, ['after-completion', 'in-request']),
      bufferedData: pick(prng, ['switch', 'state']),
      updates: pick(prng, ['relay', 'direct']),
      lowerUploads: pick(prng, ['same-list', 'later']),
    },
    target: {
      partialSuccess: pick(prng, ['immediate', 'transitive']),
      invalidate: pick(prng, ['strict', 'strict', 'lenient']),
      forwardWhileUploading: pick(prng, ['refuse', 'buffer']),
      blindAttack: pick(prng, ['challenge', 'challenge', 'shipped']),
      receivePool: pick(prng, ['global', 'global', 'per-connection']),
      buffersPerConnection: prng.between(4, 12),
      pushTicks: pick(prng, [500, 20]),
    },
  };
}

function drawNic(prng: Prng, name: string, connections: number): NicSizing {
  const kind = prng.float();
  const few = prng.between(1, 8);
  if (kind < 0.5) return { name };
  if (kind < 0.72) return { name, tcpEntries: prng.between(1, Math.max(1, connections >> 2)) };
  if (kind < 0.8) return { name, tcpEntries: 0 };
  if (kind < 0.92) return { name, pathEntries: few };
  return { name, neighborEntries: 1 + (few & 1) };
}

/** Small rings and pools, so that they fill. */
function narrow(prng: Prng, nic: NicConfig): NicConfig {
  if (prng.chance(0.4)) return nic;
  return {
    ...nic,
    receiveBuffers: pick(prng, [512, 128, 32]),
    descriptorSlots: pick(prng, [256, 64, 16]),
    wireSlots: pick(prng, [128, 32, 8]),
  };
}

/** What cables do to frames; each fault in half of the machines that have any. */
export function drawFaults(prng: Prng): Partial<FaultPlan> {
  if (prng.chance(0.3)) return {};
  const percent = (most: number): number => (prng.chance(0.5) ? prng.float() * most : 0);
  const us = (most: number): number => (prng.chance(0.5) ? prng.below(most) : 0);
  return {
    lossPercent: percent(5),
    duplicatePercent: percent(5),
    reorderPercent: percent(10),
    corruptPercent: percent(2),
    // A stream of its own: what older seeds showed they show still.
    markPercent: prng.fork('marks').below(40),
    delayUs: us(20_000),
    jitterUs: us(5000),
  };
}
