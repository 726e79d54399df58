/**
 * A host over an adapter that only remembers: what the stack does with frames, without a device, a fabric or a thread.
 *
 * Frames that the host sends are kept as text and as bytes; receive buffers come from a pool of the "device", so that one
 * that is not given back, or twice, shows.
 */
import { VirtualClock } from '../../src/base/clock.ts';
import { Prng } from '../../src/base/prng.ts';
import { Host, type HostConfig, planHost } from '../../src/host/host.ts';
import type { Interface } from '../../src/host/interface.ts';
import { Adapter, type ProviderTable } from '../../src/host/ndis.ts';
import { DEFAULT_HOST_OFFLOAD_OPTIONS } from '../../src/host/offload-options.ts';
import { NOTHING } from '../../src/host/policy/nothing.ts';
import { BufferPool, poolBytes } from '../../src/memory/buffer-pool.ts';
import { createMemory, type Memory, RegionPlan } from '../../src/memory/memory.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';
import { RECEIVE_HEADROOM } from '../../src/ring/nic-layout.ts';
import { DEFAULT_TCP_PARAMS } from '../../src/tcp/params.ts';
import { ARP, ArpOperation, emitArp } from '../../src/wire/arp.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO, ETHERNET, EtherType, emitEthernet } from '../../src/wire/ethernet.ts';
import { emitIpv4, IPV4 } from '../../src/wire/ipv4.ts';
import { parseIpv4Address } from '../../src/wire/ipv4-text.ts';
import { formatFrame } from '../../src/wire/print.ts';

export const ip = (text: string): number => parseIpv4Address(text)!;
export const SERVER = ip('10.0.0.1');
export const PEER = ip('10.0.0.16');
/** MAC address of the peer, and of whoever else the fixture speaks for. */
export const PEER_MAC_HI = 0x0250;
export const PEER_MAC_LO = 9;

const CONFIG: HostConfig = {
  connections: 8,
  mtu: 1500,
  txBuffers: 64,
  sendDescriptors: 16,
  copyBuffers: 4,
  copyBufferBytes: 2048,
  blocks: 64,
  applicationBytes: 0,
  blockListMax: 8,
  offload: DEFAULT_HOST_OFFLOAD_OPTIONS,
  tcp: DEFAULT_TCP_PARAMS,
};

export class HostFixture {
  readonly clock = new VirtualClock();
  readonly memory: Memory;
  readonly host: Host;
  readonly adapter: Adapter;
  readonly iface: Interface;
  readonly receivePool: BufferPool;
  readonly config: HostConfig;
  /** Frames of the host, in the words of `formatFrame`. */
  readonly sent: string[] = [];
  readonly frames: Uint8Array[] = [];
  returned = 0;
  readonly #buffer;

  constructor(options: Partial<HostConfig> = {}, receiveBuffers = 64) {
    const config = { ...CONFIG, ...options };
    this.config = config;
    const plan = new RegionPlan();
    const regions = planHost(plan, config);
    const shape = { count: receiveBuffers, dataBytes: Math.ceil((RECEIVE_HEADROOM + 22 + config.mtu) / 64) * 64 };
    const receive = plan.add('receive', poolBytes(shape));
    this.memory = createMemory(plan.byteLength);
    this.receivePool = new BufferPool(this.memory, receive, shape, 0);
    this.#buffer = NetBuffer.view(this.memory);
    this.host = new Host(this.memory, regions, config, this.clock, new Prng(1), NOTHING);
    const down = {
      sendFrame: (buffer: number) => this.#sent(buffer),
      returnBuffer: (buffer: number) => {
        this.returned++;
        this.receivePool.free(buffer);
      },
    } as unknown as ProviderTable;
    this.adapter = new Adapter('nic0', 0x0243, 0x4e000001, config.mtu, down);
    this.iface = this.host.addInterface(this.adapter, SERVER, 24);
    this.step(1000);
  }

  #sent(buffer: number): void {
    const { dataAddress, dataLength } = this.#buffer.at(buffer);
    this.sent.push(formatFrame(this.memory.view, dataAddress, dataLength));
    this.frames.push(new Uint8Array(this.memory.view.buffer, dataAddress, dataLength).slice());
    this.adapter.up.sendFrameComplete(buffer);
  }

  get framing() {
    return this.host.framing;
  }

  get network() {
    return this.host.network;
  }

  step(ms: number): void {
    this.clock.advanceTo(this.clock.nowUs() + ms * 1000);
    this.host.step(this.clock.nowUs(), 16);
  }

  /** What was sent since the last call. */
  take(): string[] {
    this.frames.length = 0;
    return this.sent.splice(0);
  }

  /** Hands up a frame that `write` puts behind an Ethernet header; it returns where it ends. */
  receive(etherType: EtherType, write: (at: number) => number, broadcast = false): void {
    const { view } = this.memory;
    const buffer = this.receivePool.allocate();
    if (buffer === 0) throw new Error('the device has no receive buffer left');
    const at = this.receivePool.dataOf(buffer) + RECEIVE_HEADROOM;
    const [hi, lo] = broadcast ? [BROADCAST_MAC_HI, BROADCAST_MAC_LO] : [this.adapter.macHi, this.adapter.macLo];
    emitEthernet(view, at, hi, lo, PEER_MAC_HI, 7, etherType);
    const end = write(at + ETHERNET.headerLength);
    const descriptor = this.#buffer.at(buffer);
    descriptor.dataAddress = at;
    descriptor.dataLength = end - at;
    descriptor.next = 0;
    this.adapter.up.receiveFrame(buffer);
    this.host.step(this.clock.nowUs(), 16);
  }

  /** Bytes of an IPv4 datagram, or fragment of one, from `source`. */
  receiveIpv4(options: {
    payload: Uint8Array;
    protocol: number;
    source?: number;
    destination?: number;
    identification?: number;
    /** Flags, and offset in units of 8 bytes. */
    fragment?: number;
    tos?: number;
    broadcast?: boolean;
  }): void {
    const { payload, protocol, source = PEER, destination = SERVER, identification = 1, fragment = 0 } = options;
    const { view } = this.memory;
    const write = (at: number): number => {
      const total = IPV4.headerLength + payload.length;
      emitIpv4(view, at, options.tos ?? 0, total, identification, fragment, 64, protocol, source, destination);
      new Uint8Array(view.buffer).set(payload, at + IPV4.headerLength);
      return at + total;
    };
    this.receive(EtherType.Ipv4, write, options.broadcast ?? false);
  }

  arp(operation: number, sender: number, macLo: number, target: number): void {
    this.receive(EtherType.Arp, at => {
      emitArp(this.memory.view, at, operation, PEER_MAC_HI, macLo, sender, 0, 0, target);
      return at + ARP.length;
    });
  }

  /** The host knows the peer's MAC address from now on. */
  introduce(address = PEER): void {
    this.arp(ArpOperation.Request, address, PEER_MAC_LO, SERVER);
    this.take();
  }
}
