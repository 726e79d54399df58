/**
 * A server under attack: a whole machine in virtual time, a host with real clients' connections going on, and an attacker
 * on the network who forges whatever it likes.
 *
 *   client ═ NIC ═ cable (1 ms) ─┐
 *                                ├─ switch ─ attacker: every address of the network's that nobody else has, and the
 *   server ═ NIC ═ cable ────────┘            router to all others
 *
 * The legitimate connections echo: what the client sends comes back, and every byte of it is looked at. `runs` compares
 * what they get done under attack with what they do in peace.
 */
import { expect } from 'vitest';
import { assert } from '../../src/base/assert.ts';
import { Prng } from '../../src/base/prng.ts';
import type { HostWiring } from '../../src/assemble-host.ts';
import type { FrameTap } from '../../src/fabric/capture.ts';
import type { Port } from '../../src/fabric/port.ts';
import type { SwitchPort } from '../../src/fabric/switch.ts';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import { everything } from '../../src/host/policy/everything.ts';
import { NOTHING } from '../../src/host/policy/nothing.ts';
import { planMachine } from '../../src/machine-plan.ts';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { leftBehind } from '../../src/scenario/transparency-leaks.ts';
import { Simulation } from '../../src/simulation.ts';
import type { TcpParams } from '../../src/tcp/params.ts';
import { ARP, ArpOperation, ArpPacket, emitArp, parseArp } from '../../src/wire/arp.ts';
import { emitEthernet, ETHERNET, EtherType } from '../../src/wire/ethernet.ts';
import { emitIpv4, IPV4, Ipv4Fragment, Ipv4Header, Ipv4Parse, IpProtocol, parseIpv4 } from '../../src/wire/ipv4.ts';
import { emitTcp, fillTcpChecksum, parseTcp, TcpFlag, TcpHeader, TcpParse } from '../../src/wire/tcp.ts';

export const SERVER = 0x0a000001;
export const CLIENT = 0x0a000002;
/** The attacker's own, as the router to everywhere. */
export const ROUTER = 0x0a00fffe;
export const PORT = 80;
const ECHO_PORT = 7;
/** Link-local addresses, and whatever routers say. */
const IPV6_PLAN = { duplicateProbes: 0, autoconfigure: true, addresses: [] };
const ATTACKER_MAC = { hi: 0x0266, lo: 0x6 };
const CABLE_US = 1000;
const CHUNK = 1000;
const PATTERN_BYTES = 4093;
const SCRATCH_BYTES = 4096;
const MEMORY_BYTES = 24 << 20;

export interface AttackOptions {
  /** The server's connections are on its NIC: the legitimate ones, and those that an attacker opens. */
  readonly offload: boolean;
  readonly seed?: number;
  readonly clients?: number;
  readonly tcp?: Partial<TcpParams>;
  /** Of the server: TCBs that it has room for. */
  readonly connections?: number;
}

/** One end of an echo connection. */
class Legitimate {
  sent = 0;
  received = 0;
  isOpen = false;
  closedFor = -1;
  connection: TliConnection | null = null;
}

/** What a segment of the attacker's says; what is left out is zero or nothing. */
export interface Forged {
  readonly from: number;
  readonly fromPort: number;
  readonly to?: number;
  readonly toPort?: number;
  readonly flags: number;
  readonly seq: number;
  readonly ack?: number;
  readonly window?: number;
  readonly length?: number;
  readonly mss?: number;
}

/** A connection of the server's as its cable shows it: what somebody on the path would know. */
export interface Seen {
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
}

let shared: Memory | undefined;

export class AttackMachine implements TliHandler, Port, FrameTap {
  readonly name = 'attacker';
  readonly sim: Simulation;
  readonly prng: Prng;
  readonly #legitimate: Legitimate[];
  /** Clients that came later. */
  readonly #late: Legitimate[] = [];
  readonly #byConnection = new Map<TliConnection, Legitimate>();
  readonly #patternAt: number;
  readonly #scratch: number;
  readonly #uplink: SwitchPort;
  readonly #arp = new ArpPacket();
  readonly #ip = new Ipv4Header();
  readonly #tcp = new TcpHeader();
  /** By port of the client: the last segment that the server sent. */
  readonly #seen = new Map<number, Seen>();
  /** The clients say nothing for now. */
  #isQuiet = false;
  /** Segments that the server sent to the attacker's addresses, and to anybody. */
  answers = 0;
  serverFrames = 0;
  /** Of the last segment that came for the attacker. */
  readonly answer = new TcpHeader();
  answeredAddress = 0;
  /** Connections that the server accepted on PORT, which the attacker opened. */
  readonly victims: TliConnection[] = [];

  constructor(options: AttackOptions) {
    const { offload, seed = 1, clients = 4, tcp = {}, connections = 256 } = options;
    this.prng = new Prng(seed).fork('attack');
    const plan = planMachine({
      hosts: ['server', 'client'].map(name => ({
        name,
        nics: [{ name: `${name}0`, tcpEntries: 64 }],
        connections: name === 'server' ? connections : 64,
        applicationBytes: PATTERN_BYTES + CHUNK + SCRATCH_BYTES,
        tcp: { timeWaitTicks: 1000, finWait2Ticks: 2000, ...tcp },
      })),
      seed,
      small: true,
    });
    const wiring = [SERVER, CLIENT].map((address, host): HostWiring => ({
      interfaces: [{ address, prefixLength: 16, vid: 0, ipv6: IPV6_PLAN }],
      routes: [{ prefix: 0, prefixLength: 0, gateway: ROUTER, iface: 0 }],
      team: false,
      policy: offload && host === 0 ? everything(0) : NOTHING,
    }));
    shared ??= createMemory(MEMORY_BYTES);
    this.sim = new Simulation({ plan, wiring, seed, memory: shared });
    const { memory, layout, fabric } = this.sim;
    this.#patternAt = layout.hosts[0]!.regions.application.offset;
    this.#scratch = this.#patternAt + PATTERN_BYTES + CHUNK;
    for (let i = 0; i < PATTERN_BYTES + CHUNK; i++) memory.u8[this.#patternAt + i] = (i % PATTERN_BYTES) * 7;
    fabric.setFaults('client0', { delayUs: CABLE_US });
    this.#uplink = fabric.switch.attach(this, { mode: 'access' });
    fabric.cables[0]!.addTap(this, 0);
    this.server.tli.listen(ECHO_PORT, this);
    this.server.tli.listen(PORT, this);
    this.#legitimate = Array.from({ length: clients }, () => this.#connect());
    this.run(50);
    for (const { isOpen } of this.#legitimate) assert(isOpen, 'the legitimate clients are connected');
    if (offload) assert(this.server.chimney.offloaded === clients, 'and on the NIC');
  }

  get server() {
    return this.sim.hosts[0]!.host;
  }

  get client() {
    return this.sim.hosts[1]!.host;
  }

  /** A legitimate client more, whose bytes do not count. */
  connect(): Legitimate {
    const legitimate = this.#connect();
    this.#late.push(legitimate);
    return legitimate;
  }

  #connect(): Legitimate {
    const legitimate = new Legitimate();
    this.call(() => {
      const connection = this.client.tli.connect(SERVER, ECHO_PORT, this);
      assert(connection !== null, 'the client has room');
      this.#byConnection.set(connection, legitimate);
    });
    return legitimate;
  }

  // --- applications ---

  connected(connection: TliConnection): void {
    const legitimate = this.#byConnection.get(connection);
    if (legitimate !== undefined) {
      legitimate.isOpen = true;
      legitimate.connection = connection;
      this.#send(connection, legitimate);
    } else if (connection.localPort === PORT) this.victims.push(connection);
    else this.#byConnection.set(connection, new Legitimate());
  }

  #send(connection: TliConnection, legitimate: Legitimate): void {
    if (this.#isQuiet) return;
    const isTaken = connection.send(this.#patternAt + (legitimate.sent % PATTERN_BYTES), CHUNK, 1);
    assert(isTaken, 'there is a descriptor');
    legitimate.sent += CHUNK;
  }

  /** What is shown to the application of an attacked connection; all of it is taken unless a test says otherwise. */
  takes: (connection: TliConnection, length: number) => number = (_connection, length) => length;

  received(connection: TliConnection, address: number, length: number): number {
    const legitimate = this.#byConnection.get(connection);
    if (legitimate === undefined) return this.takes(connection, length);
    const { u8 } = this.sim.memory;
    for (let i = 0; i < length; i++) {
      const expected = (((legitimate.received + i) % PATTERN_BYTES) * 7) & 0xff;
      assert(u8[address + i] === expected, 'every byte is the one that was sent');
    }
    legitimate.received += length;
    // The server echoes chunk by chunk, the client sends the next when one is back.
    while (legitimate.received - legitimate.sent >= CHUNK && connection.localPort === ECHO_PORT) {
      if (this.#isQuiet) break;
      this.#send(connection, legitimate);
    }
    if (connection.localPort !== ECHO_PORT && legitimate.received === legitimate.sent)
      this.#send(connection, legitimate);
    return length;
  }

  ended(connection: TliConnection): void {
    connection.disconnect();
  }

  sent(): void {}

  closed(connection: TliConnection, reason: number): void {
    const legitimate = this.#byConnection.get(connection);
    if (legitimate !== undefined) {
      legitimate.isOpen = false;
      legitimate.closedFor = reason;
      this.#byConnection.delete(connection);
    }
    const victim = this.victims.indexOf(connection);
    if (victim >= 0) this.victims.splice(victim, 1);
  }

  /** Bytes that came back to the clients, all together. */
  get progress(): number {
    return this.#legitimate.reduce((sum, { received }) => sum + received, 0);
  }

  // --- time ---

  run(ms: number): void {
    this.sim.runFor(ms * 1000);
  }

  /** The clients say nothing until `resume`. */
  pause(): void {
    this.#isQuiet = true;
  }

  resume(): void {
    this.#isQuiet = false;
    this.call(() => {
      for (const legitimate of this.#legitimate) this.#send(legitimate.connection!, legitimate);
    });
  }

  /** A long time in which the clients rest. */
  rest(ms: number): void {
    this.pause();
    this.run(ms);
    this.resume();
  }

  /** The application of the attacked connections sends so many bytes on each. */
  reply(bytes: number): void {
    for (const victim of this.victims) assert(victim.send(this.#patternAt, bytes, 1), 'the reply is taken');
  }

  /** The clients' fate is not looked at: the attack may end them. */
  forget(): void {
    this.#legitimate.length = 0;
    this.#byConnection.clear();
  }

  /** Where frames are made; there is room behind. */
  get scratch(): number {
    return this.#scratch;
  }

  /** A call from outside of a step: at the right time, and published. */
  call(work: () => void): void {
    const { hosts, clock, fabric } = this.sim;
    for (const { host } of hosts) host.setTime(clock.nowUs());
    work();
    for (const { host } of hosts) for (const miniport of host.miniports) miniport.flush();
    for (const cable of fabric.cables) cable.flush();
  }

  /**
   * The attack: so many steps, a millisecond each. The legitimate connections must get at least `share` of what they do in
   * the same time in peace, and lose nothing.
   */
  attack(steps: number, step: (index: number) => void, share = 0.8): void {
    const before = this.progress;
    this.run(steps);
    const inPeace = this.progress - before;
    for (let i = 0; i < steps; i++) {
      this.call(() => step(i));
      this.run(1);
    }
    const under = this.progress - before - inPeace;
    expect(under / inPeace, 'progress under attack, as a share of that in peace').toBeGreaterThanOrEqual(share);
    for (const { isOpen, closedFor } of this.#legitimate) expect([isOpen, closedFor]).toEqual([true, -1]);
  }

  /** The attacker has gone: everything is closed, and nothing may be left. */
  end(withinMs = 120_000): void {
    this.#isQuiet = true;
    this.run(100);
    this.call(() => {
      for (const { connection } of [...this.#legitimate, ...this.#late]) connection?.disconnect();
      for (const victim of this.victims) victim.abort();
      for (const port of [PORT, ECHO_PORT]) this.server.tli.unlisten(port);
    });
    let left = '';
    for (let ms = 0; ms < withinMs; ms += 1000) {
      this.run(1000);
      left = leftBehind(this.sim);
      if (left === '') break;
    }
    expect(left).toBe('');
    for (const { closedFor } of this.#legitimate) expect(closedFor).toBe(0);
    for (const checker of this.sim.checkers) checker.checkEnd();
  }

  // --- the attacker ---

  /** What the server sends to the attacker's addresses: ARP is answered, segments are noted. */
  deliver(frameAt: number, length: number): boolean {
    const { view } = this.sim.memory;
    const end = frameAt + length;
    const body = frameAt + ETHERNET.headerLength;
    const type = view.getUint16(frameAt + ETHERNET.etherType);
    if (type === EtherType.Arp && parseArp(view, body, end, this.#arp)) this.#answerArp();
    else if (type === EtherType.Ipv4 && parseIpv4(view, body, end, this.#ip) === Ipv4Parse.Ok) this.#hear();
    return true;
  }

  #answerArp(): void {
    const { operation, targetAddress, senderAddress, senderMacHi, senderMacLo } = this.#arp;
    if (operation !== ArpOperation.Request || targetAddress === SERVER || targetAddress === CLIENT) return;
    if (!this.answersArp || senderAddress === 0) return;
    this.arp(ArpOperation.Reply, targetAddress, senderAddress, { hi: senderMacHi, lo: senderMacLo });
  }

  /** Addresses of the network's that nobody has are the attacker's. */
  answersArp = true;
  /** Hears of each segment for one of the attacker's addresses. */
  onAnswer: (tcp: TcpHeader, address: number) => void = () => {};

  #hear(): void {
    const ip = this.#ip;
    if (ip.protocol !== IpProtocol.Tcp || ip.destination === SERVER || ip.destination === CLIENT) return;
    if (parseTcp(this.sim.memory.view, ip.payloadAt, ip.payloadEnd, this.answer) !== TcpParse.Ok) return;
    this.answers++;
    this.answeredAddress = ip.destination;
    this.onAnswer(this.answer, ip.destination);
  }

  /** Tap on the server's cable. */
  frame(_interfaceId: number, _nowUs: number, frameAt: number, length: number, outbound: boolean): void {
    if (!outbound) return;
    this.serverFrames++;
    const { view } = this.sim.memory;
    const at = frameAt + ETHERNET.headerLength;
    if (view.getUint16(at - 2) !== EtherType.Ipv4) return;
    const ip = this.#ip;
    if (parseIpv4(view, at, frameAt + length, ip) !== Ipv4Parse.Ok || ip.protocol !== IpProtocol.Tcp) return;
    const tcp = this.#tcp;
    if (ip.destination !== CLIENT || parseTcp(view, ip.payloadAt, ip.payloadEnd, tcp) !== TcpParse.Ok) return;
    const { segSeq, payloadLength, segAck, window } = tcp;
    this.#seen.set(tcp.dstPort, { seq: (segSeq + payloadLength) | 0, ack: segAck, window });
  }

  /** The ports of the legitimate clients, and what the server said last to each. */
  get seen(): ReadonlyMap<number, Seen> {
    return this.#seen;
  }

  #ethernet(to: number, etherType: number): number {
    const { macHi, macLo } = this.sim.nics[to === CLIENT ? 1 : 0]!.boot.config;
    const at = this.#scratch + 16;
    emitEthernet(this.sim.memory.view, at, macHi, macLo, ATTACKER_MAC.hi, ATTACKER_MAC.lo, etherType);
    return at + ETHERNET.headerLength;
  }

  #inject(end: number): void {
    this.#uplink.input(this.#scratch + 16, end - this.#scratch - 16);
  }

  arp(operation: number, sender: number, target: number, mac = ATTACKER_MAC): void {
    const body = this.#ethernet(target, EtherType.Arp);
    const { hi, lo } = ATTACKER_MAC;
    emitArp(this.sim.memory.view, body, operation, hi, lo, sender, mac.hi, mac.lo, target);
    this.#inject(body + ARP.length);
  }

  segment(forged: Forged): void {
    const { from, fromPort, to = SERVER, toPort = PORT, flags, seq, ack = 0, window = 65_535, length = 0 } = forged;
    const { view, u8 } = this.sim.memory;
    const ipAt = this.#ethernet(to, EtherType.Ipv4);
    const header = new TcpHeader();
    header.srcPort = fromPort;
    header.dstPort = toPort;
    header.flags = flags;
    header.segSeq = seq;
    header.segAck = ack;
    header.window = window;
    header.mss = forged.mss ?? -1;
    const tcpAt = ipAt + IPV4.headerLength;
    const headerLength = emitTcp(view, tcpAt, header);
    u8.fill(0x66, tcpAt + headerLength, tcpAt + headerLength + length);
    const total = headerLength + length;
    fillTcpChecksum(view, tcpAt, total, from, to);
    emitIpv4(view, ipAt, 0, IPV4.headerLength + total, 7, Ipv4Fragment.Df, 60, IpProtocol.Tcp, from, to);
    this.#inject(tcpAt + total);
  }

  /** A packet of IPv6 to the server's NIC; `write` makes it there and returns its length. */
  packet(write: (at: number) => number): void {
    const at = this.#ethernet(SERVER, EtherType.Ipv6);
    this.#inject(at + write(at));
  }

  /** A datagram of any protocol; `write` puts its payload there and returns the length. */
  datagram(from: number, protocol: number, id: number, fragment: number, write: (at: number) => number): void {
    const ipAt = this.#ethernet(SERVER, EtherType.Ipv4);
    const payloadAt = ipAt + IPV4.headerLength;
    const total = IPV4.headerLength + write(payloadAt);
    emitIpv4(this.sim.memory.view, ipAt, 0, total, id, fragment, 60, protocol, from, SERVER);
    this.#inject(ipAt + total);
  }

  /** Opens a connection of the attacker's own, without a socket behind it. */
  open(from: number, fromPort: number, options: { readonly mss?: number; readonly window?: number } = {}): Opened {
    const iss = this.prng.int32();
    const { mss = 1460, window = 65_535 } = options;
    const before = this.victims.length;
    this.call(() => this.segment({ from, fromPort, flags: TcpFlag.Syn, seq: iss, window, mss }));
    this.run(2);
    const opened = new Opened(this, from, fromPort, (iss + 1) | 0, (this.answer.segSeq + 1) | 0, window);
    this.call(() => opened.say());
    this.run(2);
    assert(this.victims.length === before + 1, 'the server has accepted the attacker');
    return opened;
  }
}

/** A connection that the attacker has opened: it says what it likes in it. */
export class Opened {
  readonly #machine: AttackMachine;
  readonly from: number;
  readonly fromPort: number;
  /** The next number of each side. */
  seq: number;
  ack: number;
  window: number;

  constructor(machine: AttackMachine, from: number, fromPort: number, seq: number, ack: number, window: number) {
    this.#machine = machine;
    this.from = from;
    this.fromPort = fromPort;
    this.seq = seq;
    this.ack = ack;
    this.window = window;
  }

  /** An ACK, with `length` bytes `offset` bytes behind the next one. */
  say(length = 0, offset = 0): void {
    const { from, fromPort, ack, window } = this;
    const flags = TcpFlag.Ack | (length > 0 ? TcpFlag.Psh : 0);
    this.#machine.segment({ from, fromPort, flags, seq: (this.seq + offset) | 0, ack, window, length });
  }
}
