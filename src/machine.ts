/**
 * `createMachine`: a host with its NICs, a network around it, and sockets on top — the package's front door.
 *
 *   const machine = await createMachine({ address: '10.0.0.1/24', nics: [{ name: 'nic0' }] });
 *   machine.net.createServer((socket) => socket.end('hello')).listen(80);
 *
 * Composes ThreadedMachine; each peer is one more host with a stack and a NIC of its own on the same switch.
 */
import { EventEmitter } from 'node:events';
import { attachCheckers } from './attach-checkers.ts';
import { createDgram, type Dgram } from './dgram/dgram.ts';
import type { NicReport } from './device/worker.ts';
import type { FabricReport } from './fabric/worker.ts';
import type { LogEvent } from './base/event-log.ts';
import type { Host } from './host/host.ts';
import { type HostStatistics, hostStatistics } from './host/statistics.ts';
import type { TliSwitch } from './host/tli.ts';
import type { ActiveBackupTeam, FailoverRecord } from './intermediate-driver/active-backup-team.ts';
import { checkMachineOptions, type MachineOptions } from './machine-options.ts';
import { netHostOf } from './machine-net.ts';
import { type MachineOffload, offloadOf } from './machine-offload.ts';
import { planMachine } from './machine-plan.ts';
import { tcpParamsOf } from './machine-tcp.ts';
import { ThreadedMachine } from './machine-threads.ts';
import { peerWiring, wiringOf } from './machine-wiring.ts';
import { createNet, type Net } from './net/net.ts';

/** A NIC at the bench: its cable, its firmware, its counters. */
export interface NicHandle {
  readonly name: string;
  /** The cable loses its carrier; frames in flight are lost. */
  pullCable(): Promise<void>;
  plugCable(): Promise<void>;
  /** The firmware hangs: no work, no heartbeat. `resume` lets it go on. */
  stall(): Promise<void>;
  resume(): Promise<void>;
  /** The thread dies outright. */
  crash(): Promise<void>;
  statistics(): Promise<NicReport>;
}

export interface MachinePeer {
  readonly name: string;
  readonly net: Net;
  readonly udp: Dgram;
  readonly tli: TliSwitch;
}

export interface MachineEvents {
  /** Everything of the administrator's log. */
  event: [LogEvent];
  /** Pauses, uploads, resumes, refusals, evictions, requests of NICs; changes of policy and directives. */
  offload: [LogEvent];
  failover: [LogEvent];
  /** Somebody else claims an address of ours (RFC 5227, RFC 4862). */
  conflict: [LogEvent];
  /** A thread died. */
  fault: [LogEvent];
}

export interface Machine extends AsyncDisposable {
  readonly net: Net;
  /** As node:dgram. */
  readonly udp: Dgram;
  readonly tli: TliSwitch;
  readonly nics: readonly NicHandle[];
  readonly peers: Readonly<Record<string, MachinePeer>>;
  readonly events: EventEmitter<MachineEvents>;
  /** What is offloaded: policy and the administrator's directives. */
  readonly offload: MachineOffload;
  /** Connections on NICs now, those ever offloaded, failovers so far. */
  status(): MachineStatus;
  /** The TCP, UDP and IP groups of MIB-II: the host's counts and its NICs' together. */
  statistics(): HostStatistics;
  fabric(): Promise<FabricReport>;
  close(): Promise<void>;
}

export interface MachineStatus {
  readonly connections: number;
  readonly offloaded: number;
  readonly everOffloaded: number;
  readonly activeNic: string;
  readonly failovers: readonly FailoverRecord[];
}

const CONNECTIONS_DEFAULT = 4096;

type Checked = ReturnType<typeof checkMachineOptions>;

export async function createMachine(given: MachineOptions): Promise<Machine> {
  const options = checkMachineOptions(given);
  const threaded = new ThreadedMachine({
    plan: planOf(options),
    wiring: [wiringOf(options), ...(options.peers ?? []).map(peer => peerWiring(peer.address, options))],
    capture: options.capture,
  });
  if (options.diagnostics?.checker === true) {
    const { memory, layout, hosts } = threaded;
    hosts.forEach((host, index) => attachCheckers(memory, layout.hosts[index]!, host));
  }
  try {
    await threaded.start();
    await Promise.all(threaded.hosts.map(({ host }) => addressesSettled(host)));
  } catch (error) {
    await threaded.close();
    throw error;
  }
  return new ThreadedMachineFront(threaded, options);
}

function planOf(options: Checked): ReturnType<typeof planMachine> {
  const connections = options.connections ?? CONNECTIONS_DEFAULT;
  const mtu = options.mtu ?? 1500;
  const blockList = options.offload?.blockList ?? 256;
  const tcp = tcpParamsOf(options.tcp ?? {});
  const machine = {
    name: 'machine',
    nics: options.nics.map(nic => ({ name: nic.name, tcpEntries: nic.tcpEntries ?? connections })),
    connections,
    mtu,
    blockList,
    tcp,
  };
  const peers = (options.peers ?? []).map(peer => ({
    name: peer.name,
    nics: [{ name: peer.name }],
    connections,
    mtu,
    tcp,
  }));
  const { lossPercent, duplicatePercent, reorderPercent, corruptPercent, delayUs, jitterUs } = options.faults ?? {};
  return planMachine({
    hosts: [machine, ...peers],
    faults: {
      lossPercent: lossPercent ?? 0,
      duplicatePercent: duplicatePercent ?? 0,
      reorderPercent: reorderPercent ?? 0,
      corruptPercent: corruptPercent ?? 0,
      delayUs: delayUs ?? 0,
      jitterUs: jitterUs ?? 0,
    },
  });
}

/** IPv6 addresses are checked for duplicates before they are used (RFC 4862 5.4), which takes a second or two. */
function addressesSettled({ network }: Host): Promise<void> {
  return new Promise(settled => network.ipv6.whenSettled(settled));
}

function isOffloadEvent({ kind }: LogEvent): boolean {
  return kind.startsWith('offload') || ['upload-all', 'retrieve', 'directed-offload-ended'].includes(kind);
}

class ThreadedMachineFront implements Machine {
  readonly net: Net;
  readonly udp: Dgram;
  readonly tli: TliSwitch;
  readonly nics: readonly NicHandle[];
  readonly peers: Record<string, MachinePeer> = {};
  readonly events = new EventEmitter<MachineEvents>();
  readonly offload: MachineOffload;
  readonly #machine: ThreadedMachine;
  readonly #team: ActiveBackupTeam | null;

  constructor(machine: ThreadedMachine, options: Checked) {
    this.#machine = machine;
    const [first, ...others] = machine.hosts;
    this.tli = first!.host.tli;
    this.#team = first!.team;
    const netHost = netHostOf(machine, first!.host);
    this.net = createNet(netHost);
    this.udp = createDgram(netHost);
    this.offload = offloadOf(machine, first!.host, options.offload ?? {});
    this.nics = options.nics.map(nic => this.#handle(nic.name));
    (options.peers ?? []).forEach(({ name }, index) => {
      const { host } = others[index]!;
      const peer = netHostOf(machine, host);
      this.peers[name] = { name, net: createNet(peer), udp: createDgram(peer), tli: host.tli };
    });
    first!.host.log.subscribe(event => this.#publish(event));
  }

  #handle(name: string): NicHandle {
    const nic = this.#machine.nic(name)!;
    const { fabric } = this.#machine;
    return {
      name,
      pullCable: async () => void (await fabric.call(control => control.pull(name))),
      plugCable: async () => void (await fabric.call(control => control.plug(name))),
      stall: () => nic.call(control => control.stall()),
      resume: () => nic.call(control => control.resume()),
      crash: () => nic.call(control => control.crash()),
      statistics: () => nic.call(control => control.report()),
    };
  }

  #publish(event: LogEvent): void {
    this.events.emit('event', event);
    if (isOffloadEvent(event)) this.events.emit('offload', event);
    if (event.kind.startsWith('failover')) this.events.emit('failover', event);
    if (event.kind === 'address-conflict') this.events.emit('conflict', event);
    if (event.kind === 'thread-died' || event.kind === 'device-dead') this.events.emit('fault', event);
  }

  status(): MachineStatus {
    const { host } = this.#machine.hosts[0]!;
    return {
      connections: host.tli.active,
      offloaded: host.chimney.offloaded,
      everOffloaded: host.chimney.stats.connectionsOffloaded,
      activeNic: this.#team?.active.name ?? this.nics[0]!.name,
      failovers: this.#team?.failovers ?? [],
    };
  }

  statistics(): HostStatistics {
    return hostStatistics(this.#machine.hosts[0]!.host);
  }

  fabric(): Promise<FabricReport> {
    return this.#machine.fabric.call(control => control.report());
  }

  async close(): Promise<void> {
    await this.#machine.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
