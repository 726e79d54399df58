/**
 * Ladders on a whole machine: host layers, drivers, NICs, cables and switch, in virtual time; the peers are written out.
 *
 *   machineLadder('claim (Figure 3)', { peers: { c1: '10.1.0.1:5001 via 10.0.0.251' } }, `
 *        0ms  tli        offload c1
 *        0ms  tli        > transport initiate offload, 1 connections       // 330
 *        …
 *        0ms  blocks     nic0 initiate N+{P+{T}}
 *        0ms  app        c1 send 100
 *        0ms  nic0       > c1 P. 1:101(100) ack 1
 *       10ms  c1         < . 1:1(0) ack 101
 *       10ms  app        c1 sent 100
 *       10ms  check      c1 offload=Offloaded
 *   `);
 *
 * Injected: segments of a peer (its name and `<`, or `<512` for one that comes in IP fragments of so many bytes), calls of the application (`app c1 send|send+close|close|abort|hold|
 * resume`), the switch's decisions (`tli offload …`, `tli upload …`), `cable NIC pull|plug`, `nic NIC stall|resume|corrupt|ask` (what it has is
 * damaged; it wants to be rid of it), `nic NIC asks PEER REASON` (to end its offload), `admin offload|keep-in-host PEER`, `admin policy TEXT`,
 * `team fail NIC`, of a peer's router `router NAME moves` (its MAC address changes), `… dies` (answers ARP no more),
 * `… redirects to GATEWAY`, `… misdirects to` one that is not there, `… too-big MTU` and `… unreachable CODE` (ICMP, about the
 * last segment or, with `about SEQ`, another), socket options (`app c1 rcvbuf|maxrt|keepalive|nodelay|quickack|cork N`), shutdown(2), close(2) (`app c1 leave`), `policy everything` (for what is offered again after a
 * RESUME), and a driver that keeps the calls of one dispatch table entry until it lets them go (`im hold ENTRY`, `im
 * release`). `check` compares fields. Everything else must have happened, at this time, and nothing besides; in this order
 * as far as the host, the application and each sender of frames go, each for itself: the trace of the layers
 * (`tli > transport …`), the block lists at the device's edge, upcalls, and what is on the cables. A frame's actor is who
 * built it: `host` or the NIC, told by the half of the IPv4 identification space (R31); in a team the host's frames say
 * which cable they took, `host@nic1`. `log` is the administrator's event log.
 *
 * Block lists: N neighbor, P path, T connection; + new, = object of the device, . placeholder; the status where it is not
 * Success. Of a segment, window and options count only where they are written. Every ladder runs under several seeds, which
 * choose the interleaving of the parts. Bytes are checked throughout: each arrives once, in order, from whoever sends it.
 */
import { describe, test } from 'vitest';
import { assert } from '../../src/base/assert.ts';
import type { HostWiring } from '../../src/assemble-host.ts';
import type { FrameTap } from '../../src/fabric/capture.ts';
import type { Port } from '../../src/fabric/port.ts';
import type { SwitchPort } from '../../src/fabric/switch.ts';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import { Directive } from '../../src/host/directives.ts';
import { type Adapter, patch } from '../../src/host/ndis.ts';
import type { HostOffloadOptions } from '../../src/host/offload-options.ts';
import type { OffloadPolicy } from '../../src/host/policy/offload-policy.ts';
import { parsePolicy } from '../../src/host/policy/policy-text.ts';
import type { MachinePlan } from '../../src/machine-layout.ts';
import { planMachine, type NicSizing } from '../../src/machine-plan.ts';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { TcpOffloadEvent, TcpUploadReason } from '../../src/offload/events.ts';
import { OFFLOAD_STATE_NAMES } from '../../src/offload/offload-state.ts';
import { compactTree, readBlockTree } from '../../src/scenario/block-tree.ts';
import { InvariantChecker } from '../../src/scenario/invariants.ts';
import { Simulation } from '../../src/simulation.ts';
import { CloseReason } from '../../src/tcp/effects.ts';
import type { TcpParams } from '../../src/tcp/params.ts';
import { TCP_STATE_NAMES } from '../../src/tcp/tcb.ts';
import { ARP, ArpOperation, ArpPacket, emitArp, parseArp } from '../../src/wire/arp.ts';
import { ETHERNET, EtherType, emitEthernet } from '../../src/wire/ethernet.ts';
import { emitIpv4, Ipv4Fragment, Ipv4Header, Ipv4Parse, IPV4, IpProtocol, parseIpv4 } from '../../src/wire/ipv4.ts';
import { emitIcmpError, IcmpType, UnreachableCode } from '../../src/wire/icmp.ts';
import { formatIpv4, parseCidr, parseIpv4Address } from '../../src/wire/ipv4-text.ts';
import { formatTcp } from '../../src/wire/print-tcp.ts';
import { formatFrame } from '../../src/wire/print.ts';
import { emitTcp, fillTcpChecksum, parseTcp, TcpFlag, TcpHeader, TcpParse } from '../../src/wire/tcp.ts';
import { parseSegment } from './ladder-engine.ts';

export interface MachineLadderOptions {
  /** Name → `address:port`, with `via ROUTER` for one that is not on the server's network. */
  readonly peers: Readonly<Record<string, string>>;
  readonly nics?: readonly NicSizing[];
  readonly team?: boolean;
  readonly tcp?: Partial<TcpParams>;
  readonly offload?: Partial<HostOffloadOptions>;
  /** False: what the test injects between the driver and the device breaks the rules that a checker holds them to (R5). */
  readonly checker?: boolean;
  /** Peers use timestamps (RFC 7323); what the server stamps must then never go backwards. */
  readonly timestamps?: boolean;
  /** Of each NIC. */
  readonly receiveBuffers?: number;
  /** Peers permit SACK (RFC 2018). */
  readonly sack?: boolean;
  /** Peers ask for ECN (RFC 3168); `[ect0]` is printed before the flags, `[ce]` may stand there. */
  readonly ecn?: boolean;
  /** Connections that the host believes the first NIC can take, where that is more than it can. */
  readonly advertised?: number;
  /** Of the server; ladders offload what they name otherwise. */
  readonly policy?: OffloadPolicy;
  /** The log shows requests of NICs to end offloads, which the trace shows too. */
  readonly logsRetrieves?: boolean;
  /** Of the server's network, bytes of IP datagram; and what the peers announce. */
  readonly mtu?: number;
  readonly peerMss?: number;
  /** Connections in one list at most. */
  readonly blockList?: number;
  /** The ladder leaves out the trace of the layers. */
  readonly quiet?: boolean;
  readonly seeds?: readonly number[];
  /** Descriptors that a part takes at most in a step (src/simulation.ts). */
  readonly budgetMax?: number;
  /** Little memory, for machines by the thousand: most of what one costs is clearing it. */
  readonly tiny?: boolean;
}

const SERVER = parseIpv4Address('10.0.0.1')!;
const PORT = 80;
const SERVER_MAC = { hi: 0x0243, lo: 0x4e000001 };
const PEER_MAC_HI = 0x0250;
const STREAM_BYTES = 32_768;
const PEERS_MAX = 16;
const PEER_WINDOW = 65_535;
const SEEDS = [1, 2, 3];

/** What the server sends, and what the peer sends, at an offset of the stream. */
function serverByte(peer: number, offset: number): number {
  return (offset * 7 + peer * 13) & 0xff;
}
/** Thousands of machines are made for one test: each stream is computed once. */
const streams = new Map<number, Uint8Array>();
function serverStream(peer: number): Uint8Array {
  const made = streams.get(peer) ?? Uint8Array.from({ length: STREAM_BYTES }, (_, i) => serverByte(peer, i));
  streams.set(peer, made);
  return made;
}
function peerByte(peer: number, offset: number): number {
  return (offset * 11 + peer * 29) & 0xff;
}

class Mismatch extends Error {}

interface Event {
  readonly us: number;
  readonly actor: string;
  readonly text: string;
  /** Whose order it belongs to: a sender's frames, the application's upcalls, or else the host's. */
  readonly sequence: string;
}

interface Line {
  readonly time: number;
  readonly actor: string;
  readonly text: string;
  readonly raw: string;
}

export class LadderPeer {
  readonly name: string;
  readonly index: number;
  readonly address: number;
  readonly port: number;
  /** Next hop as the server sees it. */
  readonly hop: number;
  readonly iss: number;
  /** ISS of the server. */
  irs = 0;
  /** SEG.SEQ of the last segment that came to it. */
  lastSeq = 0;
  lastTsVal = 0;
  connection: TliConnection | null = null;
  /** Bytes that the application was shown, and has sent. */
  received = 0;
  sent = 0;
  /** The application takes nothing. */
  holds = false;

  constructor(name: string, index: number, plan: string) {
    const match = /^([\d.]+):(\d+)(?: via ([\d.]+))?$/.exec(plan);
    if (match === null) throw new Mismatch(`not a peer: ${plan}`);
    this.name = name;
    this.index = index;
    this.address = parseIpv4Address(match[1]!)!;
    this.port = Number(match[2]);
    this.hop = match[3] === undefined ? this.address : parseIpv4Address(match[3])!;
    // One of the peers starts just below 2^32.
    this.iss = index === 0 ? -20 : 1000 * index;
  }
}

/** The peers' end of the network: one port of the switch that answers ARP for all of them. */
class PeerPort implements Port {
  readonly name = 'peers';
  readonly #memory: Memory;
  readonly #scratch: number;
  readonly #peers: readonly LadderPeer[];
  readonly #macs = new Map<number, number>();
  #identification = 0;
  uplink: SwitchPort | null = null;

  constructor(memory: Memory, scratch: number, peers: readonly LadderPeer[]) {
    this.#memory = memory;
    this.#scratch = scratch;
    this.#peers = peers;
    for (const { hop } of peers) this.#macs.set(hop, hop);
  }

  deliver(frameAt: number, length: number): boolean {
    const { view } = this.#memory;
    if (view.getUint16(frameAt + ETHERNET.etherType) !== EtherType.Arp) return true;
    const arp = new ArpPacket();
    const at = frameAt + ETHERNET.headerLength;
    if (!parseArp(view, at, frameAt + length, arp) || arp.operation !== ArpOperation.Request) return true;
    if (this.#macs.has(arp.targetAddress) && arp.senderAddress !== arp.targetAddress) this.arp(arp.targetAddress);
    return true;
  }

  /** An ARP reply to the server: whoever has this address now. */
  arp(address: number): void {
    const { view } = this.#memory;
    const at = this.#scratch + 64;
    const mac = this.#macs.get(address)!;
    emitEthernet(view, at, SERVER_MAC.hi, SERVER_MAC.lo, PEER_MAC_HI, mac, EtherType.Arp);
    const body = at + ETHERNET.headerLength;
    const { hi, lo } = SERVER_MAC;
    emitArp(view, body, ArpOperation.Reply, PEER_MAC_HI, mac, address, hi, lo, SERVER);
    this.uplink!.input(at, ETHERNET.headerLength + ARP.length);
  }

  move(address: number): void {
    this.#macs.set(address, (this.#macs.get(address)! + 0x100000) | 0);
    this.arp(address);
  }

  /** Somebody is there at this address. */
  answerAs(address: number): void {
    this.#macs.set(address, address);
  }

  /** Nobody answers at this address any more. */
  silence(address: number): void {
    this.#macs.delete(address);
  }

  /** An ICMP error from the peer's router about a segment to the peer; `rest` is the word whose meaning the type gives. */
  icmp(peer: LadderPeer, type: number, code: number, rest: number, seq = peer.lastSeq): void {
    const { view } = this.#memory;
    const at = this.#scratch + 64;
    const quoteAt = this.#scratch + 512;
    emitIpv4(view, quoteAt, 0, 1500, 9, Ipv4Fragment.Df, 60, IpProtocol.Tcp, SERVER, peer.address);
    view.setUint16(quoteAt + 20, PORT);
    view.setUint16(quoteAt + 22, peer.port);
    view.setInt32(quoteAt + 24, seq);
    emitEthernet(view, at, SERVER_MAC.hi, SERVER_MAC.lo, PEER_MAC_HI, this.#macs.get(peer.hop)!, EtherType.Ipv4);
    const length = 20 + emitIcmpError(view, at + 34, type, code, rest, quoteAt, 28);
    emitIpv4(view, at + 14, 0, length, 7, 0, 60, IpProtocol.Icmp, peer.hop, SERVER);
    this.uplink!.input(at, 14 + length);
  }

  /** The router says that another one is nearer to the peer; that one is there. */
  redirect(peer: LadderPeer, gateway: number): void {
    this.answerAs(gateway);
    this.icmp(peer, IcmpType.Redirect, 1, gateway);
  }

  peerAt(address: number, port: number): LadderPeer | undefined {
    return this.#peers.find(peer => peer.address === address && peer.port === port);
  }

  /** `cut`: bytes of payload of a fragment, 0 for a datagram that comes whole. */
  segment(peer: LadderPeer, header: TcpHeader, first: number, length: number, cut = 0): void {
    const { view, u8 } = this.#memory;
    const at = this.#scratch + 256;
    emitEthernet(view, at, SERVER_MAC.hi, SERVER_MAC.lo, PEER_MAC_HI, this.#macs.get(peer.hop)!, EtherType.Ipv4);
    const ipAt = at + ETHERNET.headerLength;
    const tcpAt = ipAt + IPV4.headerLength;
    header.srcPort = peer.port;
    header.dstPort = PORT;
    const headerLength = emitTcp(view, tcpAt, header);
    for (let i = 0; i < length; i++) u8[tcpAt + headerLength + i] = peerByte(peer.index, first - 1 + i);
    const total = headerLength + length;
    fillTcpChecksum(view, tcpAt, total, peer.address, SERVER);
    if (cut > 0) {
      this.#fragments(peer, at, total, cut);
      return;
    }
    const tos = header.congestionExperienced ? 3 : 0;
    emitIpv4(view, ipAt, tos, 20 + total, 7, Ipv4Fragment.Df, 60, IpProtocol.Tcp, peer.address, SERVER);
    this.uplink!.input(at, 34 + total);
  }

  /** The segment of `total` bytes in the frame at `at`, as a router with a small MTU passes it on. */
  #fragments(peer: LadderPeer, at: number, total: number, cut: number): void {
    const { view, u8 } = this.#memory;
    const frameAt = this.#scratch + STREAM_BYTES - 2048;
    this.#identification++;
    for (let offset = 0; offset < total; offset += cut) {
      const length = Math.min(cut, total - offset);
      u8.copyWithin(frameAt, at, at + ETHERNET.headerLength);
      u8.copyWithin(frameAt + 34, at + 34 + offset, at + 34 + offset + length);
      const fragment = (offset >> 3) | (offset + length < total ? Ipv4Fragment.Mf : 0);
      const id = this.#identification;
      emitIpv4(view, frameAt + 14, 0, 20 + length, id, fragment, 60, IpProtocol.Tcp, peer.address, SERVER);
      this.uplink!.input(frameAt, 34 + length);
    }
  }
}

let shared: Memory | undefined;

function withReceiveBuffers(plan: MachinePlan, receiveBuffers: number): MachinePlan {
  const hosts = plan.hosts.map(host => ({ ...host, nics: host.nics.map(nic => ({ ...nic, receiveBuffers })) }));
  return { ...plan, hosts };
}

/** The same machine with fewer of everything that a handful of connections does not need. */
function shrunk(plan: MachinePlan): MachinePlan {
  const hosts = plan.hosts.map(host => ({
    ...host,
    config: {
      ...host.config,
      txBuffers: 96,
      copyBuffers: 4,
      blocks: 256,
      blockListMax: Math.min(20, host.config.blockListMax),
    },
    nics: host.nics.map(nic => ({ ...nic, receiveBuffers: 96, descriptorSlots: 256, wireSlots: 64 })),
  }));
  return { ...plan, hosts, lineFrames: 64 };
}

export class LadderMachine implements TliHandler, FrameTap {
  readonly sim: Simulation;
  /** The one of this machine: it watches every step. */
  readonly invariants: InvariantChecker;
  readonly peers: readonly LadderPeer[];
  readonly events: Event[] = [];
  readonly port: PeerPort;
  readonly #application: number;
  readonly #timestamps: boolean;
  readonly #team: boolean;
  readonly #held: (() => void)[] = [];
  readonly #undo: (() => void)[] = [];
  /** The ladder's time 0. */
  startUs = 0;
  /** Hears of every segment that a peer gets. */
  onSegment: (peer: LadderPeer, tcp: TcpHeader) => void = () => {};

  constructor(options: MachineLadderOptions, seed: number) {
    const { nics = [{ name: 'nic0' }], team = false } = options;
    this.#team = team;
    this.#timestamps = options.timestamps ?? false;
    this.peers = Object.entries(options.peers).map(([name, plan], index) => new LadderPeer(name, index, plan));
    assert(this.peers.length <= PEERS_MAX, 'few peers');
    const sized = planMachine({
      hosts: [
        {
          name: 'server',
          nics,
          connections: 64,
          applicationBytes: (this.peers.length + 1) * STREAM_BYTES,
          // A segment and its ACK stand further apart that way: ladders of moves have something in between.
          tcp: { quickAcksMax: 0, ...options.tcp },
          offload: options.offload,
          ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
          ...(options.blockList === undefined ? {} : { blockList: options.blockList }),
        },
      ],
      small: true,
    });
    const shape = options.tiny === true ? shrunk(sized) : sized;
    const { receiveBuffers } = options;
    const plan = receiveBuffers === undefined ? shape : withReceiveBuffers(shape, receiveBuffers);
    const routers = new Set(this.peers.filter(({ hop, address }) => hop !== address).map(({ hop }) => hop));
    const routes = [...routers].map(gateway => {
      const peer = this.peers.find(({ hop }) => hop === gateway)!;
      return { prefix: peer.address & -65536, prefixLength: 16, gateway, iface: 0 };
    });
    const interfaces = [{ address: SERVER, prefixLength: 24, vid: 0 }];
    // Nothing is offloaded unless the ladder says so; what it says goes at once.
    const policy: OffloadPolicy = { name: 'ladder', batchUs: 0, holdsData: false, wants: () => this.#mayOffload };
    const wiring: HostWiring[] = [{ interfaces, routes, team, policy: options.policy ?? policy }];
    shared ??= createMemory(16 << 20);
    const { budgetMax, checker } = options;
    this.sim = new Simulation({ plan, wiring, seed, memory: shared, budgetMax, checker });
    const { memory } = this.sim;
    this.#application = this.sim.layout.hosts[0]!.regions.application.offset;
    for (const { index } of this.peers) {
      const at = this.#application + index * STREAM_BYTES;
      memory.u8.set(serverStream(index), at);
    }
    this.port = new PeerPort(memory, this.#application + this.peers.length * STREAM_BYTES, this.peers);
    this.port.uplink = this.sim.fabric.switch.attach(this.port, { mode: 'access' });
    this.sim.fabric.addTap(this);
    this.invariants = new InvariantChecker(this.sim);
    this.sim.onRound = () => this.invariants.check();
    const { host } = this.sim.host;
    host.log.subscribe(({ kind, subject, text }) => {
      if (kind !== 'retrieve' || options.logsRetrieves === true) this.#record('log', `${kind} ${subject} ${text}`);
    });
    for (const { adapter } of host.miniports) this.#watchBlocks(adapter);
    host.tli.listen(PORT, this);
    this.sim.runFor(1000);
    const synOptions = `mss ${options.peerMss ?? 1460}${options.sack === true ? ',sackOK' : ''}`;
    for (const peer of this.peers) this.#open(peer, options.ecn === true ? 'SEW' : 'S', synOptions);
    this.sim.runFor(1_000_000 - (this.sim.clock.nowUs() % 1_000_000));
    if (options.quiet !== true) host.setTrace({ emit: (actor, to, text) => this.#traced(actor, to, text) });
    const { adapter } = host.interfaces[0]!;
    const { advertised = adapter.capabilities.tcpConnections } = options;
    adapter.capabilities = { ...adapter.capabilities, tcpConnections: advertised };
    this.events.length = 0;
    this.startUs = this.sim.clock.nowUs();
  }

  #mayOffload = false;

  get host() {
    return this.sim.host.host;
  }

  peer(name: string): LadderPeer {
    const peer = this.peers.find(each => each.name === name);
    if (peer === undefined) throw new Mismatch(`no peer ${name}`);
    return peer;
  }

  #record(actor: string, text: string, sequence = actor === 'app' ? 'app' : ''): void {
    this.events.push({ us: this.sim.clock.nowUs() - this.startUs, actor, text: text.trim(), sequence });
  }

  #traced(actor: string, to: string, text: string): void {
    this.#record(actor, actor === to ? text : `> ${to} ${text}`);
  }

  #open(peer: LadderPeer, flags: string, synOptions: string): void {
    this.inject(peer, `${flags} 0:0(0) win ${PEER_WINDOW} <${synOptions}>`);
    this.settle();
    this.inject(peer, `. 1:1(0) ack 1`);
    this.settle();
    assert(peer.connection !== null, `${peer.name} is connected`);
  }

  /** Everything that happens without the clock moving. */
  settle(): void {
    this.sim.run(() => false, this.sim.clock.nowUs());
  }

  advanceTo(us: number): void {
    this.sim.run(() => false, this.startUs + us);
  }

  /** A call from outside of a step: at the right time, and published. */
  call(work: () => void): void {
    const { host } = this;
    host.setTime(this.sim.clock.nowUs());
    work();
    for (const miniport of host.miniports) miniport.flush();
    for (const cable of this.sim.fabric.cables) cable.flush();
  }

  // --- blocks at the device's edge ---

  #watchBlocks(adapter: Adapter): void {
    for (const name of ['initiate', 'terminate', 'update', 'invalidate'] as const) {
      patch(adapter.down, `${name}Offload`, next => root => {
        this.#record('blocks', `${adapter.name} ${name} ${this.formatTree(root, name === 'initiate')}`);
        next(root);
      });
      patch(adapter.up, `${name}OffloadComplete`, next => root => {
        this.#record('blocks', `${adapter.name} ${name} complete ${this.formatTree(root, name === 'initiate')}`);
        next(root);
      });
    }
  }

  formatTree(root: number, marksNew: boolean): string {
    return compactTree(readBlockTree(this.sim.memory, root), marksNew);
  }

  /** Keeps the calls of one entry of the stack's adapter until `release`. */
  hold(entry: string): void {
    const { adapter } = this.host.interfaces[0]!;
    const table = (entry in adapter.down ? adapter.down : adapter.up) as unknown as Record<
      string,
      (...args: unknown[]) => void
    >;
    assert(entry in table, `there is an entry ${entry}`);
    const wrap =
      (next: (...args: unknown[]) => void) =>
      (...args: unknown[]): void => {
        this.#held.push(() => next(...args));
      };
    this.#undo.push(patch(table, entry, wrap));
    // The rules bind the host as it issues calls, before they are kept.
    for (const checker of this.sim.checkers) checker.attach();
  }

  release(): void {
    for (const undo of this.#undo.splice(0)) undo();
    for (const call of this.#held.splice(0)) call();
  }

  // --- the cables ---

  frame(interfaceId: number, _nowUs: number, frameAt: number, length: number, outbound: boolean): void {
    if (!outbound) return;
    const { view } = this.sim.memory;
    const cable = this.sim.fabric.cables[interfaceId]!.name;
    const ip = new Ipv4Header();
    const tcp = new TcpHeader();
    const isIp =
      view.getUint16(frameAt + ETHERNET.etherType) === EtherType.Ipv4 &&
      parseIpv4(view, frameAt + ETHERNET.headerLength, frameAt + length, ip) === Ipv4Parse.Ok;
    const fromNic = isIp && ip.identification >= 0x8000;
    const who = fromNic ? cable : this.#team ? `host@${cable}` : 'host';
    const isTcp = isIp && ip.protocol === IpProtocol.Tcp;
    const parsed = isTcp && parseTcp(view, ip.payloadAt, ip.payloadEnd, tcp) === TcpParse.Ok;
    const peer = parsed ? this.port.peerAt(ip.destination, tcp.dstPort) : undefined;
    if (peer === undefined) {
      this.#record(who, `> ${formatFrame(view, frameAt, length)}`, who);
      return;
    }
    if ((tcp.flags & TcpFlag.Syn) !== 0) peer.irs = tcp.segSeq;
    peer.lastSeq = tcp.segSeq;
    this.#checkSegment(peer, tcp);
    this.onSegment(peer, tcp);
    const bases = { seq: peer.irs, ack: peer.iss, padding: false };
    // The next hop is in the frame's destination: a moved router shows.
    const moved = view.getInt32(frameAt + 2) === peer.hop ? '' : ' (new MAC)';
    const bits = (ip.tos & 3) === 0 ? '' : ` [${['', 'ect1', 'ect0', 'ce'][ip.tos & 3]}]`;
    this.#record(who, `> ${peer.name}${moved}${bits} ${formatTcp(view, ip.payloadAt, tcp, bases)}`, who);
  }

  #checkSegment(peer: LadderPeer, tcp: TcpHeader): void {
    const { u8 } = this.sim.memory;
    const offset = (tcp.segSeq - peer.irs - 1) | 0;
    for (let i = 0; i < tcp.payloadLength; i++) {
      const right = u8[tcp.payloadAt + i] === serverByte(peer.index, offset + i);
      assert(right, `byte ${offset + i} for ${peer.name} is the one that was sent`);
    }
    if (!tcp.hasTimestamp) return;
    assert(
      ((tcp.tsVal - peer.lastTsVal) | 0) >= 0 || peer.lastTsVal === 0,
      `timestamps for ${peer.name} never go back`,
    );
    peer.lastTsVal = tcp.tsVal;
  }

  /** A segment of a peer, in the notation of ladder-engine.ts. */
  inject(peer: LadderPeer, text: string, cut = 0): void {
    const segment = parseSegment(`< ${text}`);
    const header = new TcpHeader();
    header.flags = segment.flags;
    header.segSeq = (peer.iss + segment.first) | 0;
    header.segAck = (segment.flags & TcpFlag.Ack) !== 0 ? (peer.irs + segment.ack) | 0 : 0;
    header.window = segment.window < 0 ? PEER_WINDOW : segment.window;
    header.congestionExperienced = segment.ecn === 3;
    for (const option of segment.options ?? []) {
      const [kind, value] = option.split(/\s+/);
      if (kind === 'mss') header.mss = Number(value);
      else if (kind === 'sackOK') header.sackPermitted = true;
      else throw new Mismatch(`peers know mss and sackOK, not ${option}`);
    }
    if (this.#timestamps) {
      header.hasTimestamp = true;
      header.tsVal = Math.floor(this.sim.clock.nowUs() / 1000) + 1;
      header.tsEcr = peer.lastTsVal;
    }
    this.call(() => this.port.segment(peer, header, segment.first, segment.length, cut));
  }

  // --- the application ---

  #peerOf(connection: TliConnection): LadderPeer {
    return this.port.peerAt(connection.remoteAddress, connection.remotePort)!;
  }

  connected(connection: TliConnection): void {
    const peer = this.#peerOf(connection);
    peer.connection = connection;
    this.#record('app', `${peer.name} connected`);
  }

  received(connection: TliConnection, address: number, length: number): number {
    const peer = this.#peerOf(connection);
    if (peer.holds) {
      this.#record('app', `${peer.name} leaves ${length}`);
      return 0;
    }
    for (let i = 0; i < length; i++) {
      const right = this.sim.memory.u8[address + i] === peerByte(peer.index, peer.received + i);
      assert(right, `byte ${peer.received + i} of ${peer.name} is the one that was sent`);
    }
    peer.received += length;
    this.#record('app', `${peer.name} received ${length}`);
    return length;
  }

  ended(connection: TliConnection): void {
    this.#record('app', `${this.#peerOf(connection).name} ended`);
  }

  sent(connection: TliConnection, cookie: number): void {
    this.#record('app', `${this.#peerOf(connection).name} sent ${cookie}`);
  }

  closed(connection: TliConnection, reason: number): void {
    const name = Object.entries(CloseReason).find(([, value]) => value === reason)![0];
    this.#record('app', `${this.#peerOf(connection).name} closed ${name}`);
  }

  application(peer: LadderPeer, verb: string, count: number): void {
    const connection = peer.connection!;
    // The pattern repeats every 256 bytes: a stream may be longer than its memory.
    const address = this.#application + peer.index * STREAM_BYTES + (peer.sent % 256);
    switch (verb) {
      case 'send':
      case 'send+more':
      case 'send+eor':
      case 'send+close':
        peer.sent += count;
        assert(count <= STREAM_BYTES - 256, 'the memory is long enough');
        if (verb !== 'send+close')
          assert(
            connection.send(address, count, count, verb === 'send+more', verb === 'send+eor'),
            'the send is taken',
          );
        else assert(connection.sendAndDisconnect(address, count, count), 'the send is taken');
        return;
      case 'close':
        assert(connection.disconnect(), 'the close is taken');
        return;
      case 'abort':
        connection.abort();
        return;
      case 'rcvbuf':
        connection.setReceiveBuffer(count);
        return;
      case 'maxrt':
        connection.setMaxRetransmissionTime(count);
        return;
      case 'keepalive':
        connection.setKeepAlive(count > 0, count);
        return;
      case 'cork':
        connection.setCork(count > 0);
        return;
      case 'shutdown':
        connection.shutdown();
        return;
      case 'leave':
        connection.close();
        return;
      case 'nodelay':
        connection.setNoDelay(count > 0);
        return;
      case 'quickack':
        connection.setQuickAck(count > 0);
        return;
      case 'hold':
        peer.holds = true;
        return;
      case 'resume':
        peer.holds = false;
        connection.resume();
        return;
      default:
        throw new Mismatch(`the application has no call ${verb}`);
    }
  }

  /** The switch decides: these are offloaded, in one list. */
  offload(names: readonly string[]): void {
    this.#mayOffload = true;
    for (const name of names) this.host.chimney.candidate(this.peer(name).connection!);
    this.#mayOffload = false;
  }

  upload(names: readonly string[]): void {
    for (const name of names) this.host.chimney.takeBack(this.peer(name).connection!);
  }

  /** The device asks to end the offload of a connection; it goes on working on it. */
  retrieve(name: string, reason: string): void {
    const { table } = this.host.transport;
    const code = TcpUploadReason[reason as keyof typeof TcpUploadReason];
    assert(code !== undefined, `there is a reason ${reason}`);
    const context = table.handleOf(this.peer(name).connection!.slot);
    this.host.interfaces[0]!.adapter.up.indicateEvent(context, TcpOffloadEvent.IndicateRetrieve, code);
  }

  /** The administrator directs one connection, or chooses another policy. */
  direct(order: string, subject: string): void {
    const { chimney } = this.host;
    if (order === 'policy') {
      chimney.replacePolicy(parsePolicy(subject, 0)!);
      return;
    }
    const { address, port } = this.peer(subject);
    const remote = parseCidr(`${formatIpv4(address)}/32`);
    const directive = order === 'offload' ? Directive.Offload : Directive.KeepInHost;
    chimney.direct(directive, { remote, remotePort: port, localPort: PORT });
  }

  /** Everything that is offloaded now may be offloaded again after a RESUME. */
  allowReoffload(allowed: boolean): void {
    this.#mayOffload = allowed;
  }

  // --- checks ---

  fieldsOf(subject: string): Record<string, string | number> {
    const nic = this.sim.nics.find(({ boot }) => boot.config.name === subject);
    if (nic !== undefined) {
      const { paths, neighbors, connections } = nic.tree;
      const { offloadsRefused: refused, staleHandles: stale } = nic.stats;
      const buffers = nic.firmware.pool.inUse;
      return { tcp: connections, paths, neighbors, refused, stale, buffers, fault: nic.faultReason };
    }
    const { host } = this;
    if (subject === 'host') {
      const { blocks, tx, sendDescriptors, chimney, transport } = host;
      return {
        blocks: blocks.inUse,
        tx: tx.inUse,
        sends: sendDescriptors.inUse,
        offloaded: chimney.offloaded,
        pending: chimney.requestsPending,
        connections: transport.table.inUse,
        evicted: chimney.stats.connectionsEvicted,
      };
    }
    const peer = this.peer(subject);
    const tcb = host.transport.at(peer.connection!.slot);
    const isInHost = OFFLOAD_STATE_NAMES[tcb.offloadState] === 'InHost';
    return {
      offload: OFFLOAD_STATE_NAMES[tcb.offloadState]!,
      handle: tcb.offloadHandle === 0 ? 'none' : 'some',
      error: peer.connection!.networkError,
      // Delegated variables are the device's while they are there (R4).
      ...(isInHost && {
        state: TCP_STATE_NAMES[tcb.state]!,
        sndUna: (tcb.sndUna - peer.irs) | 0,
        sndNxt: (tcb.sndNxt - peer.irs) | 0,
        sndMax: (tcb.sndMax - peer.irs) | 0,
        rcvNxt: (tcb.rcvNxt - peer.iss) | 0,
        queued: tcb.sendDataBytes,
      }),
    };
  }
}

// --- text ---

const UNITS: Record<string, number> = { ms: 1, s: 1000 };

function parse(text: string): Line[] {
  const lines: Line[] = [];
  for (const each of text.split('\n')) {
    const raw = each.replace(/\/\/.*$/, '').trim();
    if (raw === '') continue;
    const match = /^([\d.]+)(ms|s)\s+(\S+)\s+(.*)$/.exec(raw);
    if (match === null) throw new Mismatch(`not a ladder line: ${raw}`);
    const time = Math.round(Number(match[1]) * UNITS[match[2]!]!);
    lines.push({ time, actor: match[3]!, text: match[4]!.replace(/\s+/g, ' ').trim(), raw });
  }
  return lines;
}

function isSame(expected: Line, actual: Event): boolean {
  if (expected.actor !== actual.actor) return false;
  const text = actual.text.replace(/\s+/g, ' ');
  const withoutOptions = text.replace(/ <[^>]*>$/, '');
  const withoutWindow = withoutOptions.replace(/ win \d+/, '');
  return [text, text.replace(/ win \d+/, ''), withoutOptions, withoutWindow].includes(expected.text);
}

function msOf(event: Event): number {
  return Math.floor(event.us / 1000);
}

function written(event: Event): string {
  return `${msOf(event)}ms  ${event.actor.padEnd(10)} ${event.text}`;
}

function sideBySide(expected: readonly string[], actual: readonly string[]): string {
  const width = Math.max(8, ...expected.map(line => line.length)) + 2;
  const rows = [`${'EXPECTED'.padEnd(width)}| ACTUAL`];
  for (let i = 0; i < Math.max(expected.length, actual.length); i++) {
    rows.push(`${(expected[i] ?? '').padEnd(width)}| ${actual[i] ?? ''}`);
  }
  return rows.join('\n');
}

const APP_CALLS =
  'send send+more send+eor send+close close shutdown leave abort hold resume rcvbuf maxrt keepalive nodelay quickack cork'.split(
    ' ',
  );

class Runner {
  readonly #machine: LadderMachine;
  readonly #lines: readonly Line[];
  /** Events that were expected, and have happened. */
  readonly #matched = new Set<Event>();

  constructor(machine: LadderMachine, lines: readonly Line[]) {
    this.#machine = machine;
    this.#lines = lines;
  }

  run(): void {
    let line: Line | undefined;
    try {
      for (line of this.#lines) this.#runLine(line);
      line = undefined;
      this.#nothingMore('at the end');
    } catch (cause) {
      const expected = this.#lines.map(each => (each === line ? `* ${each.raw}` : `  ${each.raw}`));
      const actual = this.#machine.events.map(written);
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${why}\n${sideBySide(expected, actual)}\n`, { cause });
    }
  }

  #runLine(line: Line): void {
    const machine = this.#machine;
    machine.advanceTo(line.time * 1000);
    const inject = this.#injection(line);
    if (inject !== null) {
      this.#nothingMore(`when "${line.raw}" is due`);
      const now = machine.sim.clock.nowUs() - machine.startUs;
      const event = { us: now, actor: line.actor, text: line.text, sequence: '' };
      machine.events.push(event);
      this.#matched.add(event);
      inject();
      machine.settle();
    } else if (line.actor === 'check') {
      this.#check(line);
    } else {
      this.#expect(line);
    }
  }

  #expect(line: Line): void {
    const heads = this.#heads();
    if (heads.length === 0) throw new Mismatch(`it did not happen: ${line.raw}`);
    const actual = heads.find(head => isSame(line, head));
    if (actual === undefined)
      throw new Mismatch(`expected ${line.raw}\nnext is ${heads.map(written).join('\n     or ')}`);
    if (msOf(actual) !== line.time) throw new Mismatch(`it happened at ${msOf(actual)}ms: ${line.raw}`);
    this.#matched.add(actual);
  }

  /** The next event of each sequence. */
  #heads(): Event[] {
    const heads: Event[] = [];
    for (const event of this.#machine.events) {
      if (!this.#matched.has(event) && !heads.some(({ sequence }) => sequence === event.sequence)) heads.push(event);
    }
    return heads;
  }

  #nothingMore(when: string): void {
    const [more] = this.#heads();
    if (more !== undefined) throw new Mismatch(`unexpected ${when}: ${written(more)}`);
  }

  #injection(line: Line): (() => void) | null {
    const machine = this.#machine;
    const { actor, text } = line;
    const words = text.split(' ');
    const [first, second] = words as [string, string];
    const call = (work: () => void) => (): void => machine.call(work);
    switch (actor) {
      case 'app':
        if (!APP_CALLS.includes(second)) return null;
        return call(() => machine.application(machine.peer(first), second, Number(words[2] ?? 0)));
      case 'tli':
        if (first === 'offload') return call(() => machine.offload(words.slice(1)));
        if (first === 'upload') return call(() => machine.upload(words.slice(1)));
        return null;
      case 'im':
        return call(() => (first === 'hold' ? machine.hold(second) : machine.release()));
      case 'cable': {
        const cable = machine.sim.fabric.cable(first)!;
        return call(() => (second === 'pull' ? cable.pull() : cable.plug()));
      }
      case 'nic': {
        const nic = machine.sim.nics.find(({ boot }) => boot.config.name === first)!;
        if (second === 'asks') return call(() => machine.retrieve(words[2]!, words[3]!));
        if (second === 'corrupt') return call(() => nic.corrupt('all'));
        if (second === 'ask') return call(() => nic.requestUpload('all', TcpUploadReason.UploadRequested));
        return call(() => (second === 'stall' ? nic.stall() : nic.resume()));
      }
      case 'team':
        return call(() => assert(machine.sim.host.team!.failOver(second), 'the team fails over'));
      case 'admin':
        return call(() => machine.direct(first, words.slice(1).join(' ')));
      case 'policy':
        return call(() => machine.allowReoffload(first === 'everything'));
      case 'router':
        return call(() => this.#router(machine.peer(first), second, words));
      default:
        if (!/^<\d*$/.test(first) || !machine.peers.some(({ name }) => name === actor)) return null;
        return () => machine.inject(machine.peer(actor), text.slice(first.length + 1), Number(first.slice(1)));
    }
  }

  #router(peer: LadderPeer, verb: string, words: readonly string[]): void {
    const { port } = this.#machine;
    const argument = words.includes('about') ? words[2]! : words.at(-1)!;
    const seq = words.includes('about') ? (peer.irs + Number(words.at(-1))) | 0 : peer.lastSeq;
    const { DestinationUnreachable } = IcmpType;
    if (verb === 'moves') port.move(peer.hop);
    else if (verb === 'dies') port.silence(peer.hop);
    else if (verb === 'redirects') port.redirect(peer, parseIpv4Address(argument)!);
    else if (verb === 'misdirects') port.icmp(peer, IcmpType.Redirect, 1, parseIpv4Address(argument)!);
    else if (verb === 'unreachable') port.icmp(peer, DestinationUnreachable, Number(argument), 0, seq);
    else port.icmp(peer, DestinationUnreachable, UnreachableCode.FragmentationNeeded, Number(argument), seq);
  }

  #check(line: Line): void {
    const [subject, ...pairs] = line.text.split(' ');
    const fields = this.#machine.fieldsOf(subject!);
    for (const pair of pairs) {
      const [field, value] = pair.split('=') as [string, string];
      const actual = fields[field];
      if (String(actual) !== value) throw new Mismatch(`${subject} has ${field} ${actual}, expected ${line.raw}`);
    }
  }
}

export function runMachineLadder(options: MachineLadderOptions, text: string, seed: number): LadderMachine {
  const machine = new LadderMachine(options, seed);
  new Runner(machine, parse(text)).run();
  return machine;
}

/** `after` looks at the machine when the ladder is done. */
export function machineLadder(
  name: string,
  options: MachineLadderOptions,
  text: string,
  after: (machine: LadderMachine) => void = () => {},
): void {
  describe(name, () => {
    for (const seed of options.seeds ?? SEEDS) {
      test(`${name} [seed ${seed}]`, () => after(runMachineLadder(options, text, seed)));
    }
  });
}
