/**
 * A NIC on the bench: stepped by hand, its host and its cable played by the test through the rings.
 */
import { assert } from '../../src/base/assert.ts';
import { Nic } from '../../src/device/nic.ts';
import { initializeLayout, layOut } from '../../src/machine-layout.ts';
import { type NicSizing, planMachine } from '../../src/machine-plan.ts';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  BLOCK_SLOT_BYTES,
  BlockPool,
  BlockRole,
  OffloadStateType,
} from '../../src/offload/block-list.ts';
import { Descriptor, type Submission } from '../../src/offload/descriptors.ts';
import { NeighborState, PathState } from '../../src/offload/state-objects.ts';
import { DescriptorQueue } from '../../src/ring/descriptor-queue.ts';
import { Doorbell } from '../../src/ring/doorbell.ts';
import { type NicConfig, NicStatus } from '../../src/ring/nic-layout.ts';
import { RingConsumer, RingProducer } from '../../src/ring/spsc-ring.ts';
import { WIRE_FRAME_OFFSET, WireSlot } from '../../src/ring/wire-slot.ts';
import { TcbLayout, TcpState } from '../../src/tcp/tcb.ts';
import { ETHERNET, EtherType, emitEthernet } from '../../src/wire/ethernet.ts';
import { emitIpv4, Ipv4Fragment, Ipv4Header, Ipv4Parse, IPV4, IpProtocol, parseIpv4 } from '../../src/wire/ipv4.ts';
import { formatFrame } from '../../src/wire/print.ts';
import { emitTcpHeader, fillTcpChecksum, parseTcp, TcpFlag, TcpHeader, TcpParse } from '../../src/wire/tcp.ts';
import { emitTag, VLAN, vidOf } from '../../src/wire/vlan.ts';

export const LOCAL = 0x0a000001;
export const LOCAL_PORT = 80;

export interface BenchOptions extends Partial<NicSizing> {
  readonly config?: Partial<NicConfig>;
}

export interface Answer {
  readonly opcode: number;
  readonly a0: number;
  readonly a1: number;
  readonly a2: number;
  /** Addresses of a batched one. */
  readonly addresses: readonly number[];
}

export interface SentFrame {
  readonly destinationLo: number;
  readonly vid: number;
  readonly id: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  readonly text: string;
}

export class Bench {
  readonly memory: Memory;
  readonly nic: Nic;
  readonly blocks: BlockPool;
  readonly application: number;
  readonly #submissions: DescriptorQueue;
  readonly #completions: RingConsumer;
  readonly #fromNic: RingConsumer;
  readonly #toNic: RingProducer;
  readonly #status: ReturnType<typeof NicStatus.view>;
  #tcpBytes = 0;
  nowUs = 1_000_000;

  constructor(options: BenchOptions = {}) {
    const sizing = { name: 'nic0', tcpEntries: 16, pathEntries: 8, neighborEntries: 8, ...options };
    const plan = planMachine({
      hosts: [{ name: 'server', nics: [sizing], connections: 16, applicationBytes: 1 << 16, tcp: { quickAcksMax: 0 } }],
      small: true,
    });
    const [host] = plan.hosts;
    const nics = [{ ...host!.nics[0]!, ...options.config }];
    const layout = layOut({ ...plan, hosts: [{ ...host!, nics }] });
    this.memory = createMemory(layout.byteLength);
    initializeLayout(this.memory, layout);
    const boot = layout.hosts[0]!.nics[0]!;
    this.nic = new Nic(this.memory, boot);
    this.blocks = new BlockPool(this.memory, layout.hosts[0]!.regions.blocks);
    this.application = layout.hosts[0]!.regions.application.offset;
    const bell = new Doorbell(this.memory, boot.regions.doorbell);
    this.#submissions = new DescriptorQueue(this.memory, new RingProducer(this.memory, boot.regions.submissions, bell));
    this.#completions = new RingConsumer(this.memory, boot.regions.completions, bell);
    this.#fromNic = new RingConsumer(this.memory, boot.regions.toFabric, bell);
    this.#toNic = new RingProducer(this.memory, boot.regions.fromFabric, bell);
    this.#status = NicStatus.view(this.memory).at(boot.regions.status.offset);
  }

  /** What the host sees of the device: 0 is well. */
  get fault(): number {
    return this.#status.fault;
  }

  get heartbeat(): number {
    return this.#status.heartbeat;
  }

  // --- the host's side ---

  submit(opcode: Submission, a0: number, a1 = 0, a2 = 0, flags = 0): void {
    this.#submissions.push(opcode, a0, a1, a2, flags);
    this.#submissions.publish();
  }

  submitAddress(opcode: Submission, address: number): void {
    this.#submissions.pushAddress(opcode, address);
  }

  /** Steps the device until it has nothing to do, and returns what it answered. */
  step(ms = 0): Answer[] {
    this.#submissions.publish();
    this.nowUs += ms * 1000;
    const answers: Answer[] = [];
    for (let work = 1; work > 0;) {
      work = this.nic.step(this.nowUs, 64);
      answers.push(...this.#answers());
    }
    return answers;
  }

  #answers(): Answer[] {
    const answers: Answer[] = [];
    const descriptor = Descriptor.view(this.memory);
    for (let slot = this.#completions.next(); slot >= 0; slot = this.#completions.next()) {
      const { opcode, count, a0, a1, a2, a3, a4, a5, a6 } = descriptor.at(slot);
      answers.push({ opcode, a0, a1, a2, addresses: [a0, a1, a2, a3, a4, a5, a6].slice(0, count) });
    }
    this.#completions.release();
    return answers;
  }

  /** A NET_BUFFER in the application's memory, with its bytes behind it. */
  buffer(text: string, dataAddress = 0): number {
    const at = this.application + this.#tcpBytes;
    this.#tcpBytes += 64 + ((text.length + 63) & ~63);
    const descriptor = NetBuffer.view(this.memory).at(at);
    descriptor.dataAddress = dataAddress === 0 ? at + 64 : dataAddress;
    descriptor.dataLength = text.length;
    descriptor.next = 0;
    for (let i = 0; i < text.length; i++) this.memory.u8[at + 64 + i] = text.charCodeAt(i);
    return at;
  }

  textOf(buffer: number): string {
    const { dataAddress, dataLength } = NetBuffer.view(this.memory).at(buffer);
    return String.fromCharCode(...this.memory.u8.subarray(dataAddress, dataAddress + dataLength));
  }

  // --- block lists ---

  block(at: number) {
    return Block.view(this.memory).at(at);
  }

  statusOf(at: number): number {
    return this.block(at).status;
  }

  handleOf(at: number): number {
    return this.block(at).offloadHandle;
  }

  /** A neighbor with the MAC 02:50:macLo; a handle makes it a linker. */
  neighbor(macLo: number, dependents: readonly number[] = [], handle = 0, vid = 0): number {
    const at = this.#object(OffloadStateType.Neighbor, dependents, handle);
    const state = NeighborState.view(this.memory).at(at + BLOCK_HEADER_BYTES);
    state.dlDestinationHi = 0x0250;
    state.dlDestinationLo = macLo;
    state.vlanId = vid;
    return at;
  }

  path(destination: number, dependents: readonly number[] = [], handle = 0, ipIdStart = 0, mtu = 1500): number {
    const at = this.#object(OffloadStateType.Ip4, dependents, handle);
    const state = PathState.view(this.memory).at(at + BLOCK_HEADER_BYTES);
    Object.assign(state, { sourceAddress: LOCAL, destinationAddress: destination, pathMtu: mtu, ipIdStart });
    return at;
  }

  /** An established connection: SND.NXT 1000, RCV.NXT 5000; `context` is the host's handle. */
  tcp(remotePort: number, context: number, change: Partial<Record<string, number>> = {}): number {
    const at = this.blocks.allocate(OffloadStateType.Tcp);
    this.block(at).ndisOffloadHandle = context;
    const tcb = TcbLayout.view(this.memory).at(at + BLOCK_HEADER_BYTES);
    Object.assign(tcb, {
      localPort: LOCAL_PORT,
      remotePort,
      remoteMss: 1460,
      effectiveMss: 1460,
      ttl: 64,
      initialRcvWnd: 65_535,
      state: TcpState.Established,
      rcvNxt: 5000,
      rcvWnd: 65_535,
      sndUna: 1000,
      sndNxt: 1000,
      sndMax: 1000,
      sndWnd: 65_535,
      maxSndWnd: 65_535,
      sndWl1: 5000,
      sndWl2: 1000,
      cwnd: 14_600,
      ssthresh: 1 << 30,
      kaTimeoutDelta: -1,
      challengeAt: 0x10000000,
      rtxTimeoutDelta: -1,
      ...change,
    });
    return at;
  }

  #object(type: OffloadStateType, dependents: readonly number[], handle: number): number {
    const at = this.blocks.allocate(type);
    assert(at !== 0, 'there is a block');
    this.block(at).role = handle === 0 ? BlockRole.New : BlockRole.Linker;
    this.block(at).offloadHandle = handle;
    this.block(at).dependentBlockList = this.chain(dependents);
    return at;
  }

  chain(blocks: readonly number[]): number {
    blocks.forEach((at, index) => (this.block(at).nextBlock = blocks[index + 1] ?? 0));
    return blocks[0] ?? 0;
  }

  /** A block that names an object by its handle: for terminate, update, invalidate, query. */
  named(type: OffloadStateType, handle: number, dependents: readonly number[] = []): number {
    return this.#object(type, dependents, handle);
  }

  // --- the cable's side ---

  /** Frames that the device has sent since. */
  frames(): SentFrame[] {
    const frames: SentFrame[] = [];
    const { view, i32, u8 } = this.memory;
    for (let slot = this.#fromNic.next(); slot >= 0; slot = this.#fromNic.next()) {
      const at = slot + WIRE_FRAME_OFFSET;
      const end = at + i32[(slot + WireSlot.offset.frameLength) >> 2]!;
      const vid = vidOf(view, at, end);
      const ip = new Ipv4Header();
      const tcp = new TcpHeader();
      const ipAt = at + ETHERNET.headerLength + (vid < 0 ? 0 : VLAN.tagLength);
      assert(parseIpv4(view, ipAt, end, ip) === Ipv4Parse.Ok, 'the device sends IPv4');
      assert(parseTcp(view, ip.payloadAt, ip.payloadEnd, tcp) === TcpParse.Ok, 'the device sends TCP');
      frames.push({
        destinationLo: view.getInt32(at + 2),
        vid,
        id: ip.identification,
        remoteAddress: ip.destination,
        remotePort: tcp.dstPort,
        flags: tcp.flags,
        seq: tcp.segSeq,
        ack: tcp.segAck,
        window: tcp.window,
        text: String.fromCharCode(...u8.subarray(tcp.payloadAt, tcp.payloadAt + tcp.payloadLength)),
      });
    }
    this.#fromNic.release();
    return frames;
  }

  /** Frames that the device has sent since, of any protocol, in words and as they were. */
  rawFrames(): { text: string; view: DataView }[] {
    const frames: { text: string; view: DataView }[] = [];
    const { view, i32, u8 } = this.memory;
    for (let slot = this.#fromNic.next(); slot >= 0; slot = this.#fromNic.next()) {
      const at = slot + WIRE_FRAME_OFFSET;
      const length = i32[(slot + WireSlot.offset.frameLength) >> 2]!;
      frames.push({ text: formatFrame(view, at, length), view: new DataView(u8.slice(at, at + length).buffer) });
    }
    this.#fromNic.release();
    return frames;
  }

  /** The bytes behind a block's header. */
  stateOf(block: number): Uint8Array {
    return this.memory.u8.slice(block + BLOCK_HEADER_BYTES, block + BLOCK_SLOT_BYTES);
  }

  /** A frame to the device, which `write` puts in its place, returning its length. */
  arriveFrame(write: (at: number) => number): void {
    const { i32 } = this.memory;
    const slot = this.#toNic.reserve();
    assert(slot >= 0, 'the cable has room');
    i32[(slot + WireSlot.offset.frameLength) >> 2] = write(slot + WIRE_FRAME_OFFSET);
    i32[(slot + WireSlot.offset.slotFlags) >> 2] = 0;
    this.#toNic.commit();
  }

  /** A segment from a peer to the device. */
  arrive(
    remote: number,
    remotePort: number,
    seq: number,
    ack: number,
    text = '',
    flags = 0,
    vid = 0,
    local = LOCAL,
  ): void {
    this.arriveFrame(at => this.#writeSegment(at, remote, remotePort, seq, ack, text, flags, vid, local));
  }

  #writeSegment(
    at: number,
    remote: number,
    remotePort: number,
    seq: number,
    ack: number,
    text: string,
    flags: number,
    vid: number,
    local: number,
  ): number {
    const { view, u8 } = this.memory;
    const { macHi, macLo } = this.nic.boot.config;
    emitEthernet(view, at, macHi, macLo, 0x0250, remote, EtherType.Ipv4);
    let ipAt = at + ETHERNET.headerLength;
    if (vid !== 0) {
      emitTag(view, at + ETHERNET.etherType, EtherType.CustomerVlan, vid);
      view.setUint16(ipAt + 2, EtherType.Ipv4);
      ipAt += VLAN.tagLength;
    }
    const tcpAt = ipAt + IPV4.headerLength;
    emitTcpHeader(view, tcpAt, remotePort, LOCAL_PORT, seq, ack, 20, TcpFlag.Ack | flags, 65_535);
    view.setUint16(tcpAt + 18, 0);
    for (let i = 0; i < text.length; i++) u8[tcpAt + 20 + i] = text.charCodeAt(i);
    const length = 20 + text.length;
    fillTcpChecksum(view, tcpAt, length, remote, local);
    emitIpv4(view, ipAt, 0, 20 + length, 1, Ipv4Fragment.Df, 60, IpProtocol.Tcp, remote, local);
    return tcpAt - at + length;
  }
}
