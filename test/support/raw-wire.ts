/**
 * A host on a network whose every other address is the test's: segments are put on the wire and taken off it one by one.
 *
 *   const wire = new RawWire({ tcp: { synCookies: 'off' } });
 *   wire.send(peer(7), { flags: TcpFlag.Syn, segSeq: 100, mss: 1460 });
 *   const [synAck] = wire.take(peer(7));
 *
 * Time is virtual. The switch's applications are what the test makes of `wire.host.tli`.
 */
import { assert } from '../../src/base/assert.ts';
import type { HostWiring } from '../../src/assemble-host.ts';
import type { Port } from '../../src/fabric/port.ts';
import type { SwitchPort } from '../../src/fabric/switch.ts';
import type { OffloadPolicy } from '../../src/host/policy/offload-policy.ts';
import { planMachine, type NicSizing } from '../../src/machine-plan.ts';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { Simulation } from '../../src/simulation.ts';
import type { TcpParams } from '../../src/tcp/params.ts';
import { ARP, ArpOperation, ArpPacket, emitArp, parseArp } from '../../src/wire/arp.ts';
import { ETHERNET, EtherType, emitEthernet } from '../../src/wire/ethernet.ts';
import { emitIpv4, Ipv4Fragment, Ipv4Header, Ipv4Parse, IPV4, IpProtocol, parseIpv4 } from '../../src/wire/ipv4.ts';
import { parseIpv4Address } from '../../src/wire/ipv4-text.ts';
import { emitFastOpenCookie } from '../../src/wire/tcp-options.ts';
import { emitTcp, fillTcpChecksum, parseTcp, TCP, TcpHeader, TcpParse } from '../../src/wire/tcp.ts';

export const SERVER = parseIpv4Address('10.0.0.1')!;
export const PORT = 80;
/** Everybody else is behind it. */
const ROUTER = parseIpv4Address('10.0.0.254')!;
const PEERS = parseIpv4Address('10.1.0.0')!;
const MAC = { hi: 0x0250, lo: 0x00000001 };

export interface Peer {
  readonly address: number;
  readonly port: number;
}

/** Another address for each number. */
export function peer(n: number, port = 5001): Peer {
  return { address: PEERS + n, port };
}

export type SegmentFields = Partial<
  Pick<
    TcpHeader,
    | 'flags'
    | 'segSeq'
    | 'segAck'
    | 'window'
    | 'mss'
    | 'windowScale'
    | 'sackPermitted'
    | 'hasTimestamp'
    | 'tsVal'
    | 'tsEcr'
  >
> & {
  readonly payload?: string;
  readonly toPort?: number;
  /** Fast Open option: the cookie in hexadecimal, '' for a request; `old` in the experimental form. */
  readonly fastOpen?: string;
  readonly old?: boolean;
};

export interface Taken {
  readonly to: Peer;
  readonly ms: number;
  readonly header: TcpHeader;
  readonly payload: string;
  /** The Fast Open option as in SegmentFields, undefined for none. */
  readonly fastOpen: string | undefined;
}

export interface RawWireOptions {
  readonly tcp?: Partial<TcpParams>;
  readonly connections?: number;
  readonly nic?: Partial<NicSizing>;
  readonly policy?: OffloadPolicy;
  readonly seed?: number;
}

const KEEP_IN_HOST: OffloadPolicy = { name: 'none', batchUs: 0, holdsData: false, wants: () => false };

let shared: Memory | undefined;

export class RawWire implements Port {
  readonly name = 'raw';
  readonly sim: Simulation;
  readonly #scratch: number;
  readonly #taken: Taken[] = [];
  #uplink: SwitchPort;

  constructor({ tcp = {}, connections = 64, nic = {}, policy = KEEP_IN_HOST, seed = 1 }: RawWireOptions = {}) {
    const hosts = [{ name: 'server', nics: [{ name: 'nic0', ...nic }], connections, applicationBytes: 16_384, tcp }];
    const interfaces = [{ address: SERVER, prefixLength: 24, vid: 0 }];
    const routes = [{ prefix: PEERS, prefixLength: 16, gateway: ROUTER, iface: 0 }];
    const wiring: HostWiring[] = [{ interfaces, routes, team: false, policy }];
    shared ??= createMemory(16 << 20);
    this.sim = new Simulation({ plan: planMachine({ hosts, small: true }), wiring, seed, memory: shared });
    this.#scratch = this.sim.layout.hosts[0]!.regions.application.offset + 8192;
    this.#uplink = this.sim.fabric.switch.attach(this, { mode: 'access' });
    this.run(1);
  }

  get host() {
    return this.sim.host.host;
  }

  /** Bytes of the machine's memory that applications may send from. */
  get application(): number {
    return this.sim.layout.hosts[0]!.regions.application.offset;
  }

  get ms(): number {
    return this.sim.clock.nowUs() / 1000;
  }

  /** Lets so much time pass; 0 only lets everything happen that is due. */
  run(ms: number): void {
    this.sim.run(() => false, this.sim.clock.nowUs() + ms * 1000);
  }

  /** A call from outside of a step. */
  call<T>(work: () => T): T {
    this.host.setTime(this.sim.clock.nowUs());
    const result = work();
    for (const miniport of this.host.miniports) miniport.flush();
    this.#flush();
    this.run(0);
    return result;
  }

  #flush(): void {
    for (const cable of this.sim.fabric.cables) cable.flush();
  }

  /** One segment to the host, and whatever follows at once. */
  send(from: Peer, fields: SegmentFields): void {
    this.put(from, fields);
    this.run(0);
  }

  /** One segment to the host, which has not looked at it yet. */
  put(from: Peer, { payload = '', toPort = PORT, fastOpen, old = false, ...fields }: SegmentFields): void {
    const { view, u8 } = this.sim.memory;
    const at = this.#scratch;
    const header = Object.assign(new TcpHeader(), { window: 65_535 }, fields);
    header.srcPort = from.port;
    header.dstPort = toPort;
    emitEthernet(view, at, 0x0243, 0x4e000001, MAC.hi, MAC.lo, EtherType.Ipv4);
    const tcpAt = at + ETHERNET.headerLength + IPV4.headerLength;
    let length = emitTcp(view, tcpAt, header);
    if (fastOpen !== undefined) {
      const cookie = Buffer.from(fastOpen, 'hex');
      length = emitFastOpenCookie(view, tcpAt + length, cookie, cookie.length, old) - tcpAt;
      view.setUint8(tcpAt + TCP.dataOffset, length << 2);
    }
    u8.set(Buffer.from(payload), tcpAt + length);
    const total = length + payload.length;
    fillTcpChecksum(view, tcpAt, total, from.address, SERVER);
    const ipLength = IPV4.headerLength + total;
    const { Df } = Ipv4Fragment;
    emitIpv4(view, at + ETHERNET.headerLength, 0, ipLength, 7, Df, 60, IpProtocol.Tcp, from.address, SERVER);
    this.#uplink.input(at, ETHERNET.headerLength + ipLength);
    this.#flush();
  }

  /** What the host has sent since the last call, to one peer or to all. */
  take(to?: Peer): Taken[] {
    const isFor = (each: Taken): boolean =>
      to === undefined || (each.to.address === to.address && each.to.port === to.port);
    const taken = this.#taken.filter(isFor);
    this.#taken.splice(0, this.#taken.length, ...this.#taken.filter(each => !isFor(each)));
    return taken;
  }

  /** The one segment that the host has sent to this peer. */
  takeOne(to: Peer): TcpHeader {
    const taken = this.take(to);
    assert(taken.length === 1, `one segment was sent, not ${taken.length}`);
    return taken[0]!.header;
  }

  deliver(frameAt: number, length: number): boolean {
    const { view, u8 } = this.sim.memory;
    const at = frameAt + ETHERNET.headerLength;
    if (view.getUint16(frameAt + ETHERNET.etherType) === EtherType.Arp) {
      this.#arp(at, frameAt + length);
      return true;
    }
    const ip = new Ipv4Header();
    const header = new TcpHeader();
    if (parseIpv4(view, at, frameAt + length, ip) !== Ipv4Parse.Ok || ip.protocol !== IpProtocol.Tcp) return true;
    if (parseTcp(view, ip.payloadAt, ip.payloadEnd, header) !== TcpParse.Ok) return true;
    const { payloadAt, payloadLength } = header;
    const payload = Buffer.from(u8.slice(payloadAt, payloadAt + payloadLength)).toString();
    const { fastOpenAt, fastOpenLength } = header;
    const fastOpen =
      fastOpenLength < 0 ? undefined : Buffer.from(u8.slice(fastOpenAt, fastOpenAt + fastOpenLength)).toString('hex');
    this.#taken.push({ to: { address: ip.destination, port: header.dstPort }, ms: this.ms, header, payload, fastOpen });
    return true;
  }

  #arp(at: number, end: number): void {
    const { view } = this.sim.memory;
    const arp = new ArpPacket();
    if (!parseArp(view, at, end, arp) || arp.operation !== ArpOperation.Request) return;
    const { senderMacHi: senderHi, senderMacLo: senderLo, senderAddress, targetAddress } = arp;
    if (targetAddress === senderAddress) return;
    const frame = this.#scratch + 4096;
    emitEthernet(view, frame, senderHi, senderLo, MAC.hi, MAC.lo, EtherType.Arp);
    const body = frame + ETHERNET.headerLength;
    const { Reply } = ArpOperation;
    emitArp(view, body, Reply, MAC.hi, MAC.lo, targetAddress, senderHi, senderLo, senderAddress);
    this.#uplink.input(frame, ETHERNET.headerLength + ARP.length);
  }
}
