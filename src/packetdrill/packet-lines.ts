/**
 * Packet lines against the machine: inbound ones are sent to it, outbound ones are waited for and compared. Which connection
 * a packet belongs to is decided as packetdrill decides it: there is one socket under test, the last that was made, and
 * what the host sends for others is passed over.
 */
import { IpProtocol } from '../wire/ipv4.ts';
import { TcpFlag } from '../wire/tcp.ts';
import type { IcmpSpec, PacketAction, ScriptEvent, TcpSpec, UdpSpec } from './ast.ts';
import { withCookies } from './cookie-names.ts';
import { bytesAreRight, continues, differenceOf, ipDifference, joined } from './expect.ts';
import { icmpNumbers } from './icmp-numbers.ts';
import { InboundDatagrams } from './inbound.ts';
import { DrillMachine } from './machine.ts';
import { Mismatch } from './mismatch.ts';
import { tcpText, timeText } from './packet-text.ts';
import type { DueTime, ScriptClock } from './script-clock.ts';
import { ScriptError } from './script-error.ts';
import { ScriptSocket, SocketStage } from './script-socket.ts';
import { SeenPacket } from './seen-packet.ts';
import type { Settings } from './settings.ts';
import type { SentDatagram } from './wire-port.ts';

/** How long after its time a packet is waited for. */
const PATIENCE_US = 2_000_000;
const ANY_TIME_US = 600_000_000;
const FIRST_REMOTE_PORT = 40_001;

interface NextPacket {
  readonly packet: SeenPacket;
  readonly isEarly: boolean;
}

interface Ports {
  readonly localPort: number;
  readonly remotePort: number;
}

export class PacketLines {
  readonly #machine: DrillMachine;
  readonly #settings: Settings;
  readonly #clock: ScriptClock;
  readonly #inbound: InboundDatagrams;
  #nextPort = FIRST_REMOTE_PORT;
  /** Whose packets the script talks about. */
  underTest: ScriptSocket | null = null;
  readonly sockets: ScriptSocket[] = [];
  /** ACKs that a hand-over has sent before their time (digest 3.6, D08). */
  readonly #early = new Set<SentDatagram>();

  constructor(machine: DrillMachine, settings: Settings, clock: ScriptClock) {
    this.#machine = machine;
    this.#settings = settings;
    this.#clock = clock;
    this.#inbound = new InboundDatagrams(settings);
    machine.port.onSent = datagram => this.#record(datagram);
  }

  make(protocol: ScriptSocket['protocol']): ScriptSocket {
    const socket = new ScriptSocket(protocol);
    this.sockets.push(socket);
    this.underTest = socket;
    return socket;
  }

  /** The script's name for what has these ports; the last of them. */
  socketOf({ localPort, remotePort }: Ports): ScriptSocket | undefined {
    return this.sockets.findLast(each => each.remotePort === remotePort && each.localPort === localPort);
  }

  // --- inbound ---

  send(event: ScriptEvent, action: PacketAction): void {
    const socket = this.#socketForInbound(event, action);
    const { payload } = action;
    if (payload.protocol === 'tcp') {
      noteInbound(socket, payload);
      recordInbound(socket, payload, this.#machine.nowUs, this.#settings);
    }
    const bytes = this.#inbound.make(this.#withCookies(action), socket, event.line);
    this.#machine.call(() => this.#machine.port.send(bytes));
  }

  #withCookies(action: PacketAction): PacketAction {
    const { payload } = action;
    if (payload.protocol !== 'tcp') return action;
    return { ...action, payload: withCookies(payload, this.#settings.ends.version) };
  }

  #socketForInbound({ line }: ScriptEvent, { payload }: PacketAction): ScriptSocket {
    const socket = this.underTest;
    if (payload.protocol !== 'tcp') {
      if (socket === null) throw new ScriptError(line, 'no matching socket for script packet');
      return socket;
    }
    if (socket !== null && socket.stage !== SocketStage.Listening) return socket;
    const child = this.make('tcp');
    child.stage = SocketStage.SynReceived;
    child.localPort = this.#settings.bindPort;
    child.remotePort = this.#nextPort++;
    child.scriptRemoteIsn = payload.seq;
    child.remoteIsn = payload.seq | 0;
    return child;
  }

  // --- outbound ---

  #record(datagram: SentDatagram): void {
    const packet = new SeenPacket(datagram, this.#settings.ends);
    if (packet.protocol !== IpProtocol.Tcp) return;
    const isOf = ({ remotePort, localPort }: ScriptSocket): boolean =>
      remotePort === packet.dstPort && (localPort === packet.srcPort || localPort === 0);
    const socket = this.sockets.findLast(isOf);
    if (socket === undefined) return;
    const { flags, segSeq, payloadLength } = packet;
    socket.record.sent(flags, segSeq, payloadLength);
    const isMore = (flags & TcpFlag.Ack) !== 0 && socket.record.acknowledges(packet.segAck);
    if (datagram.atHandOver && isMore && packet.isBareAck) this.#early.add(datagram);
    if (payloadLength === 0 || (flags & TcpFlag.Syn) !== 0) return;
    const from = socket.record.offsetOf(segSeq);
    socket.onText(from, from + payloadLength, DrillMachine.scriptTime(packet.us));
  }

  expect(event: ScriptEvent, line: PacketAction, due: DueTime): void {
    const action = this.#withCookies(line);
    const { payload } = action;
    const socket = this.#socketForOutbound(event, payload.protocol === 'tcp' ? payload : null);
    if (payload.protocol === 'tcp') this.#expectTcp(event, action, payload, due, socket);
    else if (payload.protocol === 'udp') this.#expectUdp(event, action, payload, due, socket);
    else this.#expectIcmp(event, action, payload, due, socket);
  }

  #socketForOutbound({ line }: ScriptEvent, tcp: TcpSpec | null): ScriptSocket {
    const socket = this.underTest;
    if (socket === null) throw new ScriptError(line, 'no matching socket for script packet');
    if (tcp === null) return socket;
    const isSyn = (tcp.flags & (TcpFlag.Syn | TcpFlag.Ack)) === TcpFlag.Syn;
    if (isSyn && socket.stage === SocketStage.Connecting) {
      socket.stage = SocketStage.SynSent;
      socket.scriptLocalIsn = tcp.seq;
    }
    return socket;
  }

  #expectTcp(event: ScriptEvent, action: PacketAction, expected: TcpSpec, due: DueTime, socket: ScriptSocket): void {
    const packets: SeenPacket[] = [];
    const specs: TcpSpec[] = [];
    let length = 0;
    let isEarly = false;
    do {
      const line = specs.length === 0 ? expected : null;
      const seen = this.#next(
        due,
        (each, early) => this.#isOf(each, socket) && !(early && isIdle(line, each.tcp(socket))),
      );
      if (seen === null) throw this.#mismatch(event, 'payload length', packets, socket);
      const { packet } = seen;
      isEarly ||= seen.isEarly;
      if (packets.length === 0) noteOutbound(socket, expected, packet);
      const spec = packet.tcp(socket);
      if (specs.length > 0 && !continues(specs.at(-1)!, spec)) {
        packets.push(packet);
        throw this.#mismatch(event, 'the next segment does not go on with it', packets, socket);
      }
      packets.push(packet);
      specs.push(spec);
      length += spec.length;
    } while (length < expected.length && !this.#settings.strictSegments);
    const { tsTickUs, toleranceUs } = this.#settings;
    const difference =
      differenceOf(expected, joined(specs), specs.length, { tsTickUs, toleranceUs }, socket) ||
      ipDifference(action.ip, packets.at(-1)!.ip, socket);
    if (difference !== '') throw this.#mismatch(event, difference, packets, socket);
    packets.forEach((packet, i) => {
      if (!bytesAreRight(packet, specs[i]!)) throw this.#mismatch(event, 'payload bytes', packets, socket);
    });
    // It counts for what would have come now: the line has its time, and so have those that count from it.
    if (isEarly) this.#machine.advanceTo(due.us);
    else this.#verifyTime(event, due, packets, socket);
  }

  #verifyTime(event: ScriptEvent, due: DueTime, packets: readonly SeenPacket[], socket: ScriptSocket): void {
    const off = due.isAny ? '' : this.#clock.lateness(due, DrillMachine.scriptTime(packets.at(-1)!.us));
    if (off !== '') throw this.#mismatch(event, `timing error: expected outbound packet ${off}`, packets, socket);
  }

  #expectUdp(event: ScriptEvent, action: PacketAction, expected: UdpSpec, due: DueTime, socket: ScriptSocket): void {
    const packet = this.#next(due, each => this.#isOf(each, socket))?.packet ?? null;
    if (packet === null) throw this.#mismatch(event, '', [], socket);
    if (packet.payloadLength !== expected.length) {
      const seen = `${timeText(DrillMachine.scriptTime(packet.us))} > udp (${packet.payloadLength})`;
      throw new Mismatch(event.line, `payload length\n  expected: ${event.text}\n  seen:     ${seen}`);
    }
    const difference = ipDifference(action.ip, packet.ip, socket);
    if (difference !== '') throw new Mismatch(event.line, `${difference}\n  expected: ${event.text}`);
    this.#clock.verify(event.line, due, DrillMachine.scriptTime(packet.us), 'outbound packet');
  }

  /** Type and code are compared, and what else the line says: an identifier, or how long the message is. */
  #expectIcmp(event: ScriptEvent, action: PacketAction, expected: IcmpSpec, due: DueTime, socket: ScriptSocket): void {
    const { ends } = this.#settings;
    const { type, code } = icmpNumbers(expected, ends.version, event.line);
    const packet = this.#next(due, each => each.protocol === ends.icmpProtocol && each.toRemote)?.packet ?? null;
    if (packet === null) throw this.#mismatch(event, '', [], socket);
    const seen = packet.icmp;
    const { id, echoed } = expected;
    const isRight =
      seen.type === type &&
      seen.code === code &&
      (id === 0 || seen.id === id) &&
      (echoed.protocol !== 'raw' || seen.length === echoed.length);
    if (!isRight) {
      const time = timeText(DrillMachine.scriptTime(packet.us));
      const text = `${time} > icmp type_${seen.type} code_${seen.code} id ${seen.id} [raw(${seen.length})]`;
      throw new Mismatch(event.line, `ICMP message\n  expected: ${event.text}\n  seen:     ${text}`);
    }
    const difference = ipDifference(action.ip, packet.ip, socket);
    if (difference !== '') throw new Mismatch(event.line, `${difference}\n  expected: ${event.text}`);
    this.#clock.verify(event.line, due, DrillMachine.scriptTime(packet.us), 'outbound packet');
  }

  /** What the host sends next of what the line is about; null when nothing comes. What it sends besides is passed over. */
  #next(due: DueTime, isMeant: (packet: SeenPacket, isEarly: boolean) => boolean): NextPacket | null {
    const { port } = this.#machine;
    const untilUs = due.isAny ? this.#machine.nowUs + ANY_TIME_US : Math.max(due.us, due.endUs) + PATIENCE_US;
    while (this.#machine.run(() => port.sent.length > 0, untilUs)) {
      const datagram = port.sent.shift()!;
      const isEarly = this.#early.delete(datagram);
      const packet = new SeenPacket(datagram, this.#settings.ends);
      if (isMeant(packet, isEarly)) return { packet, isEarly };
    }
    return null;
  }

  #isOf(packet: SeenPacket, socket: ScriptSocket): boolean {
    const protocol = socket.protocol === 'udp' ? IpProtocol.Udp : IpProtocol.Tcp;
    if (packet.protocol !== protocol || !packet.toRemote) return false;
    if (packet.dstPort !== socket.remotePort) return false;
    if (socket.localPort === packet.srcPort) return true;
    // The port of an active open is known by its SYN.
    const isSyn = (packet.flags & (TcpFlag.Syn | TcpFlag.Ack)) === TcpFlag.Syn;
    return socket.localPort === 0 && (isSyn || socket.protocol === 'udp');
  }

  #mismatch(event: ScriptEvent, what: string, packets: readonly SeenPacket[], socket: ScriptSocket): Mismatch {
    if (packets.length === 0) {
      return new Mismatch(event.line, `no packet came\n  expected: ${event.text}\n  seen:     nothing`);
    }
    const lines = packets.map((packet, i) => {
      const spec = packet.tcp(socket);
      const options = spec.options!.map(each =>
        each.kind === 'TS' ? { ...each, val: socket.scriptTimestamp(each.val) } : each,
      );
      const time = timeText(DrillMachine.scriptTime(packet.us));
      return `  ${i === 0 ? 'seen:    ' : '         '} ${time} > ${tcpText({ ...spec, options }, packet.ip)}`;
    });
    return new Mismatch(event.line, `${what}\n  expected: ${event.text}\n${lines.join('\n')}`);
  }
}

/**
 * An early ACK that the line is not about is passed over: without the hand-over, what comes next would have acknowledged
 * that.
 */
function isIdle(line: TcpSpec | null, early: TcpSpec): boolean {
  return line !== null && !(line.flags === TcpFlag.Ack && line.length === 0 && line.ack === early.ack);
}

function noteInbound(socket: ScriptSocket, { flags, seq }: TcpSpec): void {
  const hasAck = (flags & TcpFlag.Ack) !== 0;
  const isSyn = (flags & TcpFlag.Syn) !== 0;
  if (socket.stage === SocketStage.SynAckSent && hasAck) socket.stage = SocketStage.Accepted;
  else if (socket.stage === SocketStage.SynSent && isSyn) {
    // Also where both open at once.
    if (hasAck) socket.stage = SocketStage.Connected;
    socket.scriptRemoteIsn = seq;
    socket.remoteIsn = seq | 0;
  }
}

function recordInbound(socket: ScriptSocket, spec: TcpSpec, nowUs: number, settings: Settings): void {
  const { flags, ack, length, options } = spec;
  const seq = socket.remoteSeq(flags, spec.seq);
  const sacks = (options ?? []).flatMap(option => (option.kind === 'sack' ? option.blocks.flat() : []));
  const edges = sacks.map(edge => socket.localSeq(flags, edge));
  socket.record.received(flags, seq, socket.localSeq(flags, ack), length, edges, nowUs);
  if (length === 0) return;
  const ecr = (options ?? []).find(option => option.kind === 'TS')?.ecr;
  const echo = ecr === undefined ? undefined : socket.liveTimestamp(ecr, settings.tsEcrScaled);
  socket.arrivals.push({ seq, length, echo });
}

/** The first segment for a line tells the host's ISN and port. */
function noteOutbound(socket: ScriptSocket, expected: TcpSpec, packet: SeenPacket): void {
  if ((packet.flags & TcpFlag.Syn) === 0) return;
  const hasAck = (packet.flags & TcpFlag.Ack) !== 0;
  if (hasAck && socket.stage === SocketStage.SynReceived && (expected.flags & TcpFlag.Syn) !== 0) {
    socket.stage = SocketStage.SynAckSent;
    socket.scriptLocalIsn = expected.seq;
    socket.localIsn = packet.segSeq;
  } else if (!hasAck && socket.stage === SocketStage.SynSent) {
    socket.localPort = packet.srcPort;
    socket.localIsn = packet.segSeq;
  }
}
