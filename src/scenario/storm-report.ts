/**
 * What a storm job found, as one document: `chimney storm --json` prints it, the table on the terminal is made from it.
 *
 * Keys that users rely on stay (architecture §5); more may come. A number that was not measured is null, never 0.
 */
import type { FailoverRecord } from '../intermediate-driver/active-backup-team.ts';
import type { NicReport } from '../device/worker.ts';
import type { ThreadDeath } from '../machine-threads.ts';
import type { Document } from './documents.ts';
import type { RivalResult } from './rival-node-net.ts';
import type { StormConnections, StormResult } from './storm.ts';
import type { StormOptions } from './storm-options.ts';

/** The short runs before the main one. */
export interface StormComparison {
  readonly connections: number;
  /** Host-thread time a connection on each path. */
  readonly hostBusyNs: { host: number | null; chimney: number | null };
  /** Host-thread time of offload a connection, by the length of block lists. */
  readonly offloadNs: { oneByOne: number | null; inLists: number | null };
  readonly blockList: number;
}

export interface StormReport {
  readonly ok: boolean;
  /** Why not ok, in words. */
  readonly problems: readonly string[];
  readonly connections: StormConnections;
  /** Connections that were open when the run ended early. */
  readonly unfinished: number;
  readonly bytes: { verified: number; wrong: number; lost: number };
  readonly failures: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** With all clients at work behind the first `warmUp` connections, as the rivals'; `cold…` is of the whole run. */
  readonly rate: {
    connectionsPerSecond: number;
    coldConnectionsPerSecond: number;
    warmUp: number;
    megabytesPerSecond: number;
  };
  readonly offload: {
    readonly calls: number;
    readonly blocks: number;
    readonly connections: number;
    readonly refused: number;
    readonly takenBack: number;
    readonly lost: number;
    readonly blocksPerCall: number | null;
    readonly largestList: number;
    readonly nsPerConnection: number | null;
    /** The same by the length of lists: A as this run has met it. */
    readonly byLength: readonly StormListCost[];
    /** From the comparison: the cost of offload, lists of one against lists of `blockList`. */
    readonly comparison: {
      readonly blockList: number;
      readonly nsPerConnectionOneByOne: number | null;
      readonly nsPerConnectionInLists: number | null;
      readonly ratio: number | null;
    } | null;
  };
  readonly failovers: readonly FailoverRecord[];
  readonly retransmissions: { host: number; nic: number; clients: number };
  readonly packets: number;
  readonly doorbellsPer1000Packets: number | null;
  readonly hostBusyNsPerConnection: { host: number | null; chimney: number | null; thisRun: number | null };
  readonly memory: { machineMiB: number; residentMiB: number; residentPeakMiB: number };
  readonly rivals: readonly StormRival[];
  readonly documents: { files: number; bytes: number; meanBytes: number };
  readonly capture: { file: string; frames: number } | null;
  readonly deaths: readonly ThreadDeath[];
  readonly interrupted: boolean;
  readonly options: StormOptions;
  readonly nics: readonly NicReport[];
}

/** Lists of `from` to `to` connections. */
export interface StormListCost {
  readonly from: number;
  readonly to: number;
  readonly lists: number;
  readonly nsPerConnection: number | null;
}

export interface StormRival extends RivalResult {
  /** Our connections per second to theirs: both at work, and our whole run against their warm one. */
  readonly ratio: number | null;
  readonly coldRatio: number | null;
}

export interface StormFindings {
  readonly options: StormOptions;
  readonly documents: readonly Document[];
  readonly main: StormResult | null;
  readonly comparison: StormComparison | null;
  readonly rivals: readonly RivalResult[];
  readonly interrupted: boolean;
  readonly deaths: readonly ThreadDeath[];
}

export function reportStorm(findings: StormFindings): StormReport {
  const { options, documents, main, comparison } = findings;
  const problems = problemsOf(findings);
  const bytes = documents.reduce((sum, document) => sum + document.bytes.length, 0);
  const seconds = main?.seconds ?? 0;
  const perSecond = main?.connectionsPerSecond ?? 0;
  const requested = options.connections;
  return {
    ok: problems.length === 0,
    problems,
    connections: main?.connections ?? { requested, completed: 0, failed: 0, reset: 0 },
    unfinished: main?.unfinished ?? 0,
    bytes: main?.bytes ?? { verified: 0, wrong: 0, lost: 0 },
    failures: main?.failures ?? {},
    seconds,
    rate: {
      connectionsPerSecond: perSecond,
      coldConnectionsPerSecond: main?.coldConnectionsPerSecond ?? 0,
      warmUp: main?.warmUp ?? 0,
      megabytesPerSecond: main !== null && seconds > 0 ? main.bytes.verified / seconds / 1e6 : 0,
    },
    offload: offloadOf(main, comparison),
    failovers: main?.failovers ?? [],
    retransmissions: main?.retransmissions ?? { host: 0, nic: 0, clients: 0 },
    packets: main?.packets ?? 0,
    doorbellsPer1000Packets: main === null ? null : quotient(main.doorbells * 1000, main.packets),
    hostBusyNsPerConnection: busyOf(main, comparison),
    memory: {
      machineMiB: main?.memoryMiB ?? 0,
      residentMiB: main?.residentMiB ?? process.memoryUsage.rss() / 1048576,
      residentPeakMiB: process.resourceUsage().maxRSS / 1024,
    },
    rivals: findings.rivals.map(rival => ({
      ...rival,
      ratio: main === null ? null : quotient(perSecond, rival.connectionsPerSecond),
      coldRatio: main === null ? null : quotient(main.coldConnectionsPerSecond, rival.connectionsPerSecond),
    })),
    documents: {
      files: documents.length,
      bytes,
      meanBytes: Math.round(bytes / Math.max(1, documents.length)),
    },
    capture: options.pcap === null ? null : { file: options.pcap, frames: main?.capturedFrames ?? 0 },
    deaths: findings.deaths,
    interrupted: findings.interrupted,
    options,
    nics: main?.nics ?? [],
  };
}

/** a / b, or null where that says nothing. */
function quotient(a: number, b: number): number | null {
  return b > 0 ? a / b : null;
}

export function offloadNs(result: StormResult): number | null {
  return quotient(result.chimney.initiateUs * 1000, result.chimney.connectionsOffloaded);
}

/** CPU time where it is known: a machine that others use too would show in time by the clock. */
export function hostBusyNs(result: StormResult): number | null {
  return quotient((result.hostCpuUs ?? result.hostBusyUs) * 1000, result.connections.completed);
}

function offloadOf(main: StormResult | null, comparison: StormComparison | null): StormReport['offload'] {
  const stats = main?.chimney;
  const { oneByOne, inLists } = comparison?.offloadNs ?? { oneByOne: null, inLists: null };
  return {
    calls: stats?.initiateCalls ?? 0,
    blocks: stats?.initiateBlocks ?? 0,
    connections: stats?.connectionsOffloaded ?? 0,
    refused: stats?.connectionsRefused ?? 0,
    takenBack: stats?.connectionsTakenBack ?? 0,
    lost: stats?.connectionsLost ?? 0,
    blocksPerCall: quotient(stats?.initiateBlocks ?? 0, stats?.initiateCalls ?? 0),
    largestList: stats?.largestList ?? 0,
    nsPerConnection: main === null ? null : offloadNs(main),
    byLength: (stats?.byLength ?? []).flatMap(({ lists, connections, us }, power) =>
      lists === 0
        ? []
        : [{ from: 2 ** power, to: 2 ** (power + 1) - 1, lists, nsPerConnection: quotient(us * 1000, connections) }],
    ),
    comparison:
      comparison === null
        ? null
        : {
            blockList: comparison.blockList,
            nsPerConnectionOneByOne: oneByOne,
            nsPerConnectionInLists: inLists,
            ratio: oneByOne === null || inLists === null ? null : quotient(oneByOne, inLists),
          },
  };
}

/** From the comparison; without one, what the main run says about the path that it took. */
function busyOf(main: StormResult | null, comparison: StormComparison | null): StormReport['hostBusyNsPerConnection'] {
  const thisRun = main === null ? null : hostBusyNs(main);
  if (comparison !== null) return { ...comparison.hostBusyNs, thisRun };
  const onHost = main?.options.path === 'host';
  return { host: onHost ? thisRun : null, chimney: onHost ? null : thisRun, thisRun };
}

function problemsOf({ main, options, interrupted, deaths }: StormFindings): string[] {
  const problems: string[] = [];
  if (interrupted) problems.push('interrupted');
  for (const { thread, reason } of deaths) problems.push(`thread ${thread} died: ${reason}`);
  if (main === null) return problems.length === 0 ? ['the main job did not run'] : problems;
  const { unfinished } = main;
  const { requested, completed, failed, reset } = main.connections;
  if (failed > 0) {
    const why = Object.entries(main.failures).map(([reason, count]) => `${reason} ${count}`);
    problems.push(`${failed} connections failed${why.length === 0 ? '' : `: ${why.join(', ')}`}`);
  }
  if (reset > 0) problems.push(`${reset} connections reset`);
  if (completed + failed < requested) {
    const rest = requested - completed - failed - unfinished;
    problems.push(`${unfinished} connections were open at the end, ${rest} not begun`);
  }
  if (main.bytes.wrong > 0) problems.push(`${main.bytes.wrong} bytes wrong`);
  if (main.bytes.lost > 0) problems.push(`${main.bytes.lost} bytes lost`);
  if (interrupted || deaths.length > 0) return problems;
  const expected = main.pulled.filter(({ wasActive }) => wasActive).length;
  if (main.failovers.length < expected) {
    problems.push(`${expected} active NICs lost their link, but ${main.failovers.length} failovers followed`);
  }
  if (main.pulled.length < options.failures.length) problems.push('a failure that was asked for did not happen');
  return problems;
}
