/**
 * The main job (¶13–16, 123–131): thousands of short connections, offloaded in block lists while they are young, through
 * the failure of a NIC, every byte checked. Drives a ThreadedMachine and gathers what it did.
 */
import { ThreadedMachine, type ThreadDeath } from '../machine-threads.ts';
import { planMachine } from '../machine-plan.ts';
import type { ChimneyStatistics } from '../host/chimney-statistics.ts';
import { everything } from '../host/policy/everything.ts';
import { NOTHING } from '../host/policy/nothing.ts';
import type { OffloadPolicy } from '../host/policy/offload-policy.ts';
import { parsePolicy } from '../host/policy/policy-text.ts';
import type { FailoverRecord } from '../intermediate-driver/active-backup-team.ts';
import { offloadedTotal } from '../device/statistics.ts';
import type { NicReport } from '../device/worker.ts';
import type { FabricReport } from '../fabric/worker.ts';
import type { Memory } from '../memory/memory.ts';
import { LoadProgress } from '../fabric/load-progress.ts';
import type { Document } from './documents.ts';
import { FileServer, repliesBytes } from './file-server.ts';
import { SERVER_PORT, stormNetwork } from './network.ts';
import type { StormOptions } from './storm-options.ts';
import { threadCpuUs } from './thread-cpu.ts';

/** How far a storm is, for the progress line. */
export interface StormProgress {
  readonly completed: number;
  readonly failed: number;
  readonly requested: number;
  readonly perSecond: number;
  readonly offloaded: number;
  readonly activeNic: string;
  readonly seconds: number;
}

export interface StormConnections {
  readonly requested: number;
  readonly completed: number;
  readonly failed: number;
  readonly reset: number;
}

/** A failure that was asked for, as it came about. */
export interface PulledCable {
  readonly nic: string;
  /** It carried the traffic when it was pulled, so a failover must follow. */
  readonly wasActive: boolean;
}

export interface StormResult {
  readonly options: StormOptions;
  readonly connections: StormConnections;
  /** Connections that were open when the run ended: only if it ended early. */
  readonly unfinished: number;
  readonly bytes: { verified: number; wrong: number; lost: number };
  /** Why connections failed. */
  readonly failures: Record<string, number>;
  readonly seconds: number;
  /** With all clients at work, behind the warm-up: as the rival's. */
  readonly connectionsPerSecond: number;
  /** From the first connection, threads still cold, to the end of the last. */
  readonly coldConnectionsPerSecond: number;
  /** Connections before those that `connectionsPerSecond` counts. */
  readonly warmUp: number;
  readonly chimney: ChimneyStatistics;
  readonly failovers: readonly FailoverRecord[];
  readonly pulled: readonly PulledCable[];
  readonly retransmissions: { host: number; nic: number; clients: number };
  readonly segments: { host: number; nic: number };
  readonly packets: number;
  readonly doorbells: number;
  /** What the host thread spent: time of its steps by the clock, and CPU time altogether where the system tells. */
  readonly hostBusyUs: number;
  readonly hostCpuUs: number | null;
  readonly memoryMiB: number;
  readonly residentMiB: number;
  readonly capturedFrames: number;
  readonly deaths: readonly ThreadDeath[];
  readonly interrupted: boolean;
  readonly nics: readonly NicReport[];
}

const POLL_MS = 20;
const STEADY_MIN_US = 100_000;

/**
 * Connections whose time does not count in a rate, ours and the rival's alike: V8 still compiles. They are part of the
 * job all the same, and every one is checked.
 */
export function warmUpOf(connections: number): number {
  return Math.min(5000, connections >> 2);
}
/** The last failure may come with the last connections: its failover is waited for. */
const FAILOVER_MAX_US = 2_000_000;
/** Clients give up after a minute, so something ends every minute as long as every thread runs. */
const STALL_MAX_US = 75_000_000;
const REPORT_MAX_MS = 500;

export class Storm {
  readonly #options: StormOptions;
  readonly #machine: ThreadedMachine;
  readonly #server: FileServer;
  readonly #progressAt: number[];
  readonly #due: { nic: string; at: number }[];
  readonly #pulled: PulledCable[] = [];
  #startedUs = 0;
  #finishedUs = 0;
  /** When the warm-up was over and when the last connection was begun, and how many had ended by then. */
  #warm = { ended: 0, us: 0 };
  #drain = { ended: 0, us: 0 };
  #cpuUs: number | null = null;
  #stall = { started: 0, ended: 0, us: 0 };
  #interrupt: () => void = () => {};
  #interrupted = false;
  #lastRate = { completed: 0, us: 0, perSecond: 0 };

  /** @param memory of a storm that is over, to be used again */
  constructor(options: StormOptions, documents: readonly Document[], memory?: Memory) {
    this.#options = options;
    const catalog = documents.map(({ path, bytes, sha256 }) => ({ path, size: bytes.length, sha256 }));
    const network = stormNetwork({
      vids: options.vlans,
      family: options.family,
      connections: options.connections,
      concurrency: options.concurrency,
      catalog,
      seed: options.seed,
      timeWaitTicks: 1000,
      stations: options.stations,
    });
    // Beside those open at a time: connections that are closing, and those whose offload is being ended.
    const capacity = Math.min(1 << 20, options.concurrency * 2 + 4096);
    const plan = planMachine({
      hosts: [
        {
          name: 'server',
          nics: Array.from({ length: options.nics }, (_, i) => ({ name: `nic${i}`, tcpEntries: capacity })),
          connections: capacity,
          mtu: options.mtu,
          blockList: options.blockList,
          applicationBytes: repliesBytes(documents),
          copyBuffers: 64,
        },
      ],
      populations: network.populations,
      faults: {
        lossPercent: options.loss,
        reorderPercent: options.reorder,
        duplicatePercent: options.duplicate,
        corruptPercent: options.corrupt,
        delayUs: options.delayMs * 1000,
      },
      seed: options.seed,
    });
    const { interfaces, routes, ipv6Routes } = network;
    const wiring = [{ interfaces, routes, ipv6Routes, team: options.nics > 1, policy: policyOf(options) }];
    this.#machine = new ThreadedMachine({ plan, wiring, capture: options.pcap ?? undefined, memory });
    this.#server = new FileServer(this.#machine.memory, this.#machine.layout.hosts[0]!.regions.application, documents);
    this.#progressAt = this.#machine.layout.fabric.regions.populations.map(({ load }) => load!.progress.offset);
    this.#due = options.failures.toSorted((a, b) => a.at - b.at);
  }

  get memory(): Memory {
    return this.#machine.memory;
  }

  /** Ends the storm early; `run` resolves with the results so far. */
  interrupt(): void {
    this.#interrupted = true;
    this.#interrupt();
  }

  /** A worker thread dies outright: a NIC by its name, or the fabric. */
  crash(thread: string): void {
    const { fabric } = this.#machine;
    const nic = this.#machine.nic(thread);
    const told = nic?.call(control => control.crash()) ?? fabric.call(control => control.crash());
    void told.catch(() => {});
  }

  async run(onProgress: (progress: StormProgress) => void, everyMs = 200): Promise<StormResult> {
    const machine = this.#machine;
    const { host } = machine.hosts[0]!;
    host.tli.listen(SERVER_PORT, this.#server);
    let nics: NicReport[] = [];
    try {
      await machine.start();
      this.#startedUs = machine.clock.nowUs();
      const cpuUs = threadCpuUs();
      await this.#untilDone(onProgress, everyMs);
      if (cpuUs !== null) this.#cpuUs = threadCpuUs()! - cpuUs;
      if (this.#finishedUs === 0) this.#finishedUs = machine.clock.nowUs();
      const seconds = (this.#finishedUs - this.#startedUs) / 1e6;
      nics = await withinMs(REPORT_MAX_MS, machine.nicReports(), []);
      const report = await machine.close();
      return this.#result(seconds, nics, report);
    } finally {
      await machine.close();
    }
  }

  async #untilDone(onProgress: (progress: StormProgress) => void, everyMs: number): Promise<void> {
    const machine = this.#machine;
    let nextReport = everyMs;
    let elapsed = 0;
    await new Promise<void>(resolve => {
      const finish = (): void => {
        clearInterval(timer);
        resolve();
      };
      this.#interrupt = finish;
      machine.onDeath = finish;
      machine.loop.onError = error => {
        machine.deaths.push({ thread: 'host', reason: error instanceof Error ? error.message : String(error) });
        finish();
      };
      const timer = setInterval(() => {
        elapsed += POLL_MS;
        this.#fail();
        this.#noteRate();
        if (elapsed >= nextReport) {
          nextReport += everyMs;
          onProgress(this.#progress());
        }
        if (this.#isFinished() || this.#isStalled()) finish();
      }, POLL_MS);
      if (this.#interrupted || machine.deaths.length > 0) finish();
    });
    onProgress(this.#progress());
  }

  /** Every connection has ended, and every failover is over. */
  #isFinished(): boolean {
    if (this.#sum('finished') < this.#progressAt.length) return false;
    const now = this.#machine.clock.nowUs();
    if (this.#finishedUs === 0) this.#finishedUs = now;
    const { team } = this.#machine.hosts[0]!;
    const expected = this.#pulled.filter(({ wasActive }) => wasActive).length;
    const isOver = team === null || (team.failovers.length >= expected && !team.isFailingOver);
    return isOver || now - this.#finishedUs > FAILOVER_MAX_US;
  }

  #isStalled(): boolean {
    const now = this.#machine.clock.nowUs();
    const started = this.#sum('started');
    const ended = this.#sum('completed') + this.#sum('failed');
    const last = this.#stall;
    if (last.us === 0 || started !== last.started || ended !== last.ended) this.#stall = { started, ended, us: now };
    else if (now - last.us > STALL_MAX_US) {
      this.#machine.deaths.push({ thread: 'clients', reason: `no connection ended for ${STALL_MAX_US / 1e6} s` });
      return true;
    }
    return false;
  }

  /** The failures that are due: pulls the cable. */
  #fail(): void {
    const done = this.#sum('completed') + this.#sum('failed');
    while (this.#due.length > 0 && done >= this.#due[0]!.at * this.#options.connections) {
      const { nic } = this.#due.shift()!;
      const isFirst = this.#pulled.every(pulled => pulled.nic !== nic);
      this.#pulled.push({ nic, wasActive: isFirst && this.#activeNic === nic });
      void this.#machine.fabric.call(control => control.pull(nic)).catch(() => {});
    }
  }

  get #activeNic(): string {
    return this.#machine.hosts[0]!.team?.active.name ?? 'nic0';
  }

  #sum(field: keyof typeof LoadProgress.index): number {
    const { i32 } = this.#machine.memory;
    let sum = 0;
    for (const at of this.#progressAt) sum += Atomics.load(i32, (at >> 2) + LoadProgress.index[field]);
    return sum;
  }

  #progress(): StormProgress {
    const now = this.#machine.clock.nowUs();
    const completed = this.#sum('completed');
    const last = this.#lastRate;
    if (now - last.us > 100_000) {
      const perSecond = last.us === 0 ? 0 : ((completed - last.completed) / (now - last.us)) * 1e6;
      this.#lastRate = { completed, us: now, perSecond };
    }
    return {
      completed,
      failed: this.#sum('failed'),
      requested: this.#options.connections,
      perSecond: Math.round(this.#lastRate.perSecond),
      offloaded: this.#machine.hosts[0]!.host.chimney.offloaded,
      activeNic: this.#activeNic,
      seconds: (now - this.#startedUs) / 1e6,
    };
  }

  #noteRate(): void {
    const { connections } = this.#options;
    const ended = this.#sum('completed') + this.#sum('failed');
    const now = this.#machine.clock.nowUs();
    if (this.#warm.us === 0 && ended >= warmUpOf(connections)) this.#warm = { ended, us: now };
    if (this.#drain.us === 0 && this.#sum('started') === connections) this.#drain = { ended, us: now };
  }

  /**
   * With all clients at work: behind the warm-up, and before the last of them wait for one that has to send a SYN again
   * after a second. Of the whole run where that is too short to tell.
   */
  #steadyRate(ended: number): number {
    const us = this.#drain.us - this.#warm.us;
    if (this.#warm.us > 0 && us >= STEADY_MIN_US) return ((this.#drain.ended - this.#warm.ended) / us) * 1e6;
    return (ended / (this.#finishedUs - this.#startedUs)) * 1e6;
  }

  #result(seconds: number, nics: NicReport[], report: FabricReport | undefined): StormResult {
    const machine = this.#machine;
    const { host, team } = machine.hosts[0]!;
    const completed = this.#sum('completed');
    const failed = this.#sum('failed');
    const verified = this.#sum('bytesVerifiedHi') * 0x80000000 + this.#sum('bytesVerifiedLo');
    const failures: Record<string, number> = {};
    for (const load of report?.loads ?? []) {
      for (const [reason, count] of Object.entries(load.failures)) {
        if (count > 0) failures[reason] = (failures[reason] ?? 0) + count;
      }
    }
    const sumNics = (pick: (nic: NicReport) => number): number => nics.reduce((sum, nic) => sum + pick(nic), 0);
    const hostBells = host.miniports.reduce((sum, miniport) => sum + miniport.doorbell.rings, 0);
    return {
      options: this.#options,
      connections: { requested: this.#options.connections, completed, failed, reset: this.#sum('reset') },
      unfinished: this.#sum('started') - completed - failed,
      bytes: { verified, wrong: this.#sum('bytesWrong'), lost: this.#sum('bytesLost') },
      failures,
      seconds,
      connectionsPerSecond: seconds > 0 ? this.#steadyRate(completed + failed) : 0,
      coldConnectionsPerSecond: seconds > 0 ? completed / seconds : 0,
      warmUp: warmUpOf(this.#options.connections),
      chimney: host.chimney.stats,
      failovers: team?.failovers ?? [],
      pulled: this.#pulled,
      retransmissions: {
        host: host.transport.retransmissions,
        nic: sumNics(nic => offloadedTotal(nic.stats, 'retransmittedSegments')),
        clients: this.#sum('retransmissions'),
      },
      segments: {
        host: host.transport.segmentsIn + host.transport.segmentsOut,
        nic: sumNics(({ stats }) => offloadedTotal(stats, 'inSegments') + offloadedTotal(stats, 'outSegments')),
      },
      packets: sumNics(nic => nic.stats.framesReceived + nic.stats.framesTransmitted),
      doorbells: hostBells + sumNics(nic => nic.doorbellsRung) + (report?.doorbellsRung ?? 0),
      hostBusyUs: machine.loop.busyUs,
      hostCpuUs: this.#cpuUs,
      memoryMiB: machine.memory.byteLength / 1048576,
      residentMiB: process.memoryUsage.rss() / 1048576,
      capturedFrames: report?.capturedFrames ?? 0,
      deaths: machine.deaths,
      interrupted: this.#interrupted,
      nics,
    };
  }
}

function policyOf(options: StormOptions): OffloadPolicy {
  switch (options.path) {
    case 'host':
      return NOTHING;
    case 'chimney':
      return everything(options.batchMs * 1000);
    case 'auto':
      return parsePolicy(options.policy, options.batchMs * 1000)!;
  }
}

/** What was promised, or something else where it takes too long or fails. */
async function withinMs<T>(ms: number, promise: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>(resolve => {
    timer = setTimeout(() => resolve(otherwise), ms);
  });
  try {
    return await Promise.race([promise.catch(() => otherwise), late]);
  } finally {
    clearTimeout(timer);
  }
}
