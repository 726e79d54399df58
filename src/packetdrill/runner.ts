/**
 * Plays a script: each event at its time, against the machine, on the host path or with connections on the device.
 * One runner plays one script once; what it throws says what came first: a difference, or something unsupported.
 */
import { dirname } from 'node:path';
import type { TliConnection } from '../host/connection.ts';
import { linuxStateOf, TcpInfoOption, tcpInfoOf } from '../host/tcp-info.ts';
import { rto } from '../tcp/timers.ts';
import { IPV4 } from '../wire/ipv4.ts';
import { IPV6 } from '../wire/ipv6.ts';
import { TCP } from '../wire/tcp.ts';
import type { PacketAction, Script, ScriptEvent } from './ast.ts';
import { BlockingCalls } from './blocking-calls.ts';
import { CODE_NAMES } from './code-names.ts';
import { HandOvers } from './hand-overs.ts';
import type { ConnectionWatch } from './connection-watch.ts';
import { HostReports } from './host-reports.ts';
import { DrillMachine } from './machine.ts';
import { Mismatch } from './mismatch.ts';
import { PacketLines } from './packet-lines.ts';
import { AssertionFailure, Python } from './python.ts';
import { PythonError } from './python-values.ts';
import { type DueTime, ScriptClock } from './script-clock.ts';
import { ScriptError, Unsupported } from './script-error.ts';
import { type ScriptSocket, SocketStage } from './script-socket.ts';
import { applyOptions, defaultSettings, type Settings } from './settings.ts';
import { runShell } from './shell.ts';
import type { SocketWorld } from './socket-world.ts';
import { type CallObserver, SystemCalls } from './system-calls.ts';
import { TcbView } from './tcb-view.ts';
import type { TcpSocket } from './tcp-socket.ts';
import type { UdpSocket } from './udp-socket.ts';

/** Where connections are while the script is played. */
export interface Ownership {
  /** On the device as soon as they are established. */
  readonly fromHandshake: boolean;
  /** Before this event of the script they change hands; -1: never. */
  readonly changeBefore: number;
}

export class Runner implements SocketWorld, CallObserver {
  readonly #script: Script;
  readonly #ownership: Ownership;
  readonly settings: Settings;
  readonly machine: DrillMachine;
  readonly tcbs: TcbView;
  readonly #reports: HostReports;
  readonly #clock: ScriptClock;
  readonly #packets: PacketLines;
  readonly #calls: SystemCalls;
  readonly #blocking: BlockingCalls;
  readonly #python = new Python();
  readonly handOvers: HandOvers;
  readonly #scriptSockets = new Map<TcpSocket, ScriptSocket>();
  readonly #watches = new Set<ConnectionWatch>();
  #established = false;

  constructor(script: Script, ownership: Ownership) {
    this.#script = script;
    this.#ownership = ownership;
    this.settings = defaultSettings();
    applyOptions(script.options, this.settings);
    if (isIpv6WithIpv4Sizes(script, this.settings)) this.settings.mtu += IPV6.headerLength - IPV4.headerLength;
    const folder = dirname(script.file);
    if (script.init !== null) runShell({ ...script.init, folder }, this.settings);
    this.settings.forgetsPeers = false;
    this.machine = new DrillMachine(this.settings, largestInbound(script));
    this.tcbs = new TcbView(this.machine);
    this.#reports = new HostReports(this.machine, this);
    this.#clock = new ScriptClock(this.settings);
    this.#packets = new PacketLines(this.machine, this.settings, this.#clock);
    this.#calls = new SystemCalls(this, this);
    this.#blocking = new BlockingCalls(this.machine, this.#clock);
    this.handOvers = new HandOvers(this.machine);
    this.machine.sim.onRound = () => {
      if (this.handOvers.isMoving) return;
      this.#calls.look();
      this.#blocking.retry();
      this.#look();
    };
    for (const [name, value] of Object.entries(CODE_NAMES)) this.#python.set(name, value);
  }

  /** What code has printed. */
  get output(): readonly string[] {
    return this.#python.output;
  }

  /** Throws Mismatch, ScriptError or Unsupported. */
  run(): void {
    this.#script.events.forEach((event, index) => this.#play(event, index));
    this.#blocking.finish();
  }

  #play(event: ScriptEvent, index: number): void {
    const due = this.#clock.due(event, this.machine.nowUs);
    const { action, line } = event;
    const isOutbound = action.kind === 'packet' && !action.inbound;
    if (!isOutbound) {
      this.machine.advanceTo(due.us);
      this.#clock.verify(line, due, this.machine.nowUs, `${action.kind} line`);
    }
    if (index === this.#ownership.changeBefore) this.#changeHands(line);
    this.#do(event, due);
    this.machine.settle();
    if (!this.#established) return;
    this.#established = false;
    if (this.#ownership.fromHandshake) this.handOvers.offload(line);
  }

  #changeHands(line: number): void {
    if (this.#ownership.fromHandshake) this.handOvers.upload(line);
    else this.handOvers.offload(line);
  }

  #do(event: ScriptEvent, due: DueTime): void {
    const { action, line } = event;
    switch (action.kind) {
      case 'packet':
        if (action.inbound) this.#packets.send(event, action);
        else this.#packets.expect(event, action, due);
        return;
      case 'call':
        this.#blocking.run(event, action, this.#calls.attempt(action, line), due);
        return;
      case 'command': {
        const folder = dirname(this.#script.file);
        const sleptUs = runShell({ text: action.text, line, folder }, this.settings, this.#reports);
        this.machine.retune(this.settings.tcp);
        this.machine.applyRoutes(this.settings);
        if (this.settings.forgetsPeers) this.machine.host.transport.fastOpenCache.flush();
        this.settings.forgetsPeers = false;
        this.machine.advanceTo(this.machine.nowUs + sleptUs);
        return;
      }
      case 'code':
        this.#code(action.text, line);
    }
  }

  #code(text: string, line: number): void {
    for (const [name, value] of Object.entries(this.#tcpInfo())) this.#python.set(name, value);
    try {
      this.#python.run(text, line);
    } catch (error) {
      if (error instanceof AssertionFailure) throw new Mismatch(line, `assertion failed: ${error.message}`);
      if (!(error instanceof PythonError)) throw error;
      const name = /^name '(tcpi_\w+|SK_\w+|bbr_\w+)'/.exec(error.message)?.[1];
      if (name !== undefined) throw new Unsupported(line, `TCP_INFO has no ${name}`);
      throw new ScriptError(line, `Python: ${error.message}`);
    }
  }

  /** Something has happened, or may have. */
  #look(): void {
    for (const watch of this.#watches) {
      const { connection } = watch;
      if (connection.handler === null || !this.machine.host.tli.connections.isCurrent(connection)) {
        this.#watches.delete(watch);
        continue;
      }
      const socket = this.#packets.socketOf(connection);
      watch.look(this.tcbs.of(connection), socket?.arrivals ?? [], this.machine.sim.clock.nowUs());
      if (socket !== undefined) socket.arrivals = [];
    }
  }

  /** Of the socket under test, if it has a file. */
  #tcpInfo(): Readonly<Record<string, number>> {
    const { underTest } = this.#packets;
    const file = underTest === null || underTest.fd < 0 ? undefined : this.#fileOf(underTest);
    if (file === undefined) return {};
    const { connection } = file;
    if (connection === null) {
      const { hadSynData, tcpState } = file;
      const options = hadSynData ? TcpInfoOption.SynData : 0;
      const counts = underTest!.record.info(this.machine.nowUs);
      return { tcpi_state: linuxStateOf(tcpState), tcpi_options: options, ...counts };
    }
    const { transport } = this.machine.host;
    const own = transport.at(connection.slot);
    const pathMtu = transport.pathOf(own).mtu;
    const { advertisedMss } = own;
    const tcb = this.tcbs.of(connection);
    const { now } = transport;
    const context = { pathMtu, now, rto: rto(tcb, transport), advertisedMss };
    const watched = file.watch?.info(this.machine.sim.clock.nowUs());
    return { ...tcpInfoOf(tcb, context), ...underTest!.record.info(this.machine.nowUs), ...watched };
  }

  #pair(file: TcpSocket, socket: ScriptSocket): void {
    this.#scriptSockets.set(file, socket);
    socket.written = () => file.sendBuffer.written;
    socket.onText = (from, to, us) => {
      const { stamps } = file;
      if (stamps.areAwaited && !this.handOvers.isMoving) stamps.lookForAck(file.sending, us);
      stamps.onWire(from, to, us);
    };
  }

  #fileOf(socket: ScriptSocket): TcpSocket | undefined {
    for (const [file, each] of this.#scriptSockets) if (each === socket) return file;
    return undefined;
  }

  // --- SocketWorld ---

  began(watch: ConnectionWatch): void {
    this.#watches.add(watch);
  }

  established(connection: TliConnection): void {
    this.handOvers.add(connection);
    this.#established = true;
  }

  // --- CallObserver ---

  socketMade(file: TcpSocket, fd: number): void {
    const socket = this.#packets.make('tcp');
    socket.fd = fd;
    this.#pair(file, socket);
  }

  udpSocketMade(file: UdpSocket, fd: number): void {
    const socket = this.#packets.make('udp');
    socket.fd = fd;
    socket.remotePort = this.settings.connectPort;
    file.onBound = port => (socket.localPort = port);
  }

  listening(file: TcpSocket): void {
    this.#scriptSockets.get(file)!.stage = SocketStage.Listening;
  }

  renewed(file: TcpSocket): void {
    const socket = this.#scriptSockets.get(file);
    if (socket !== undefined) socket.stage = SocketStage.New;
  }

  connecting(file: TcpSocket): void {
    let socket = this.#scriptSockets.get(file)!;
    // What it was connected to before is another connection, whose packets may still be told of.
    if (socket.remotePort !== 0) {
      socket = this.#packets.make('tcp');
      this.#pair(file, socket);
    }
    socket.stage = SocketStage.Connecting;
    socket.remotePort = this.settings.connectPort;
  }

  accepted(file: TcpSocket, fd: number): void {
    const socket = this.#packets.socketOf(file);
    if (socket === undefined) return;
    socket.fd = fd;
    this.#pair(file, socket);
  }
}

/**
 * Scripts for both families have the sizes of IPv4 and are run over IPv6 on a link whose MTU is larger by what its header
 * is; who runs them says so on packetdrill's command line, which is not in the script.
 */
function isIpv6WithIpv4Sizes({ options, events }: Script, { ends, mtu }: Settings): boolean {
  if (ends.version === 4 || options.some(({ name }) => name === 'mtu')) return false;
  const mss = mtu - IPV4.headerLength - TCP.headerLength;
  return events.some(({ action }) => {
    if (action.kind !== 'packet' || action.inbound || action.payload.protocol !== 'tcp') return false;
    return (action.payload.options ?? []).some(option => option.kind === 'mss' && option.value === mss);
  });
}

/** Bytes of the largest datagram that the script sends to the host. */
function largestInbound(script: Script): number {
  let largest = 0;
  for (const { action } of script.events) {
    if (action.kind === 'packet' && action.inbound) largest = Math.max(largest, sizeOf(action));
  }
  return largest;
}

function sizeOf({ payload }: PacketAction): number {
  if (payload.protocol === 'icmp') return 0;
  return IPV6.headerLength + TCP.headerLengthMax + payload.length;
}
