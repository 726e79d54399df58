/** A machine's memory with cables, the NICs' ends of them, and frames to send; all in one thread. */
import { Prng } from '../../src/base/prng.ts';
import { Cable, type CableOptions } from '../../src/fabric/cable.ts';
import { linePoolShape } from '../../src/fabric/delay-line.ts';
import type { Port, Uplink } from '../../src/fabric/port.ts';
import { BufferPool, poolBytes } from '../../src/memory/buffer-pool.ts';
import { type Memory, RegionPlan, createMemory } from '../../src/memory/memory.ts';
import { Doorbell, DoorbellLayout, DoorbellSleeper } from '../../src/ring/doorbell.ts';
import { RingConsumer, RingProducer, initializeRing, ringBytes } from '../../src/ring/spsc-ring.ts';
import { WIRE_FRAME_OFFSET, WireSlot, wireShape } from '../../src/ring/wire-slot.ts';
import { ArpOperation, emitArp } from '../../src/wire/arp.ts';
import { emitEthernet, EtherType } from '../../src/wire/ethernet.ts';
import { emitIcmpEcho, IcmpType } from '../../src/wire/icmp.ts';
import { emitIpv4, IpProtocol, Ipv4Fragment } from '../../src/wire/ipv4.ts';
import { emitTcpHeader, fillTcpChecksum, TcpFlag } from '../../src/wire/tcp.ts';
import { emitUdp } from '../../src/wire/udp.ts';
import { insertTag, tciOf } from '../../src/wire/vlan.ts';

export const MTU = 1500;

export interface TestMemory {
  readonly memory: Memory;
  readonly pool: BufferPool;
  /** Room for one frame to be sent, with headroom before it. */
  readonly scratchAt: number;
}

export function testMemory(frames = 64): TestMemory {
  const plan = new RegionPlan();
  const shape = linePoolShape(frames, wireShape(2, MTU).slotBytes);
  const poolRegion = plan.add('pool', poolBytes(shape));
  const scratch = plan.add('scratch', 64 + 2048);
  const memory = createMemory(plan.byteLength);
  return { memory, pool: new BufferPool(memory, poolRegion, shape, 1), scratchAt: scratch.offset + 64 };
}

export interface CableEnds extends TestMemory {
  readonly cable: Cable;
  readonly nicBell: Doorbell;
  readonly nicSleeper: DoorbellSleeper;
  /** The NIC's ends. */
  readonly nicRx: RingConsumer;
  readonly nicTx: RingProducer;
}

export interface CableShape {
  readonly slots?: number;
  readonly frames?: number;
  readonly seed?: number;
}

export function setUpCable(shape: CableShape = {}, options: Partial<CableOptions> = {}): CableEnds {
  const { slots = 8, frames = 64, seed = 1 } = shape;
  const plan = new RegionPlan();
  const ring = wireShape(slots, MTU);
  const line = linePoolShape(frames, ring.slotBytes);
  const poolRegion = plan.add('pool', poolBytes(line));
  const toNic = plan.add('to nic', ringBytes(ring));
  const fromNic = plan.add('from nic', ringBytes(ring));
  const nicBellRegion = plan.add('bell of the nic', DoorbellLayout.byteLength);
  const fabricBellRegion = plan.add('bell of the fabric', DoorbellLayout.byteLength);
  const scratch = plan.add('scratch', 64 + 2048);
  const memory = createMemory(plan.byteLength);
  initializeRing(memory, toNic, ring);
  initializeRing(memory, fromNic, ring);
  const nicBell = new Doorbell(memory, nicBellRegion);
  const fabricBell = new Doorbell(memory, fabricBellRegion);
  const pool = new BufferPool(memory, poolRegion, line, 1);
  const cable = new Cable({
    name: 'nic0',
    memory,
    tx: new RingProducer(memory, toNic, nicBell),
    rx: new RingConsumer(memory, fromNic, nicBell),
    pool,
    prng: new Prng(seed),
    ...options,
  });
  return {
    memory,
    pool,
    scratchAt: scratch.offset + 64,
    cable,
    nicBell,
    nicSleeper: new DoorbellSleeper(memory, nicBellRegion),
    nicRx: new RingConsumer(memory, toNic, fabricBell),
    nicTx: new RingProducer(memory, fromNic, fabricBell),
  };
}

export interface Received {
  readonly bytes: Buffer;
  readonly flags: number;
}

/** Everything that has reached the NIC. */
export function nicReceives({ memory, nicRx }: CableEnds): Received[] {
  const received: Received[] = [];
  const header = WireSlot.view(memory);
  for (let slot = nicRx.next(); slot >= 0; slot = nicRx.next()) {
    const { frameLength, slotFlags } = header.at(slot);
    received.push({ bytes: copyOf(memory, slot + WIRE_FRAME_OFFSET, frameLength), flags: slotFlags });
  }
  nicRx.release();
  return received;
}

/** The NIC sends the bytes; false when its ring is full. */
export function nicSends({ memory, nicTx }: CableEnds, bytes: Uint8Array, flags = 0): boolean {
  const slot = nicTx.reserve();
  if (slot < 0) return false;
  const header = WireSlot.view(memory).at(slot);
  header.frameLength = bytes.length;
  header.slotFlags = flags;
  memory.u8.set(bytes, slot + WIRE_FRAME_OFFSET);
  nicTx.commit();
  return true;
}

/** Puts bytes into the scratch frame; returns its address. */
export function place({ memory, scratchAt }: TestMemory, bytes: Uint8Array): number {
  memory.u8.set(bytes, scratchAt);
  return scratchAt;
}

export function copyOf(memory: Memory, at: number, length: number): Buffer {
  return Buffer.from(memory.u8.slice(at, at + length));
}

/** Keeps what it gets. */
export class RecordingPort implements Port {
  readonly name: string;
  readonly frames: Buffer[] = [];
  accepts = true;
  readonly #memory: Memory;

  constructor(name: string, memory: Memory) {
    this.name = name;
    this.#memory = memory;
  }

  deliver(frameAt: number, length: number): boolean {
    if (this.accepts) this.frames.push(copyOf(this.#memory, frameAt, length));
    return this.accepts;
  }

  take(): Buffer[] {
    return this.frames.splice(0);
  }
}

/** An uplink that keeps what it gets, and scribbles over the headroom as a switch may. */
export class RecordingUplink implements Uplink {
  readonly frames: Buffer[] = [];
  readonly hasRoom = true;
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  input(frameAt: number, length: number): void {
    this.frames.push(copyOf(this.#memory, frameAt, length));
    this.#memory.u8.fill(0xee, frameAt - 8, frameAt);
  }

  take(): Buffer[] {
    return this.frames.splice(0);
  }
}

/** Locally administered address number `n`. */
export const MAC_HI = 0x0200;

export interface FrameShape {
  readonly from?: number;
  readonly to?: number;
  readonly broadcast?: boolean;
  /** C-TAG with this TCI. */
  readonly tci?: number;
  readonly vid?: number;
}

function build(shape: FrameShape, etherType: number, payload: (view: DataView, at: number) => number): Buffer {
  const { from = 1, to = 2, broadcast = false } = shape;
  const view = new DataView(new ArrayBuffer(2048));
  const at = 16;
  emitEthernet(view, at, broadcast ? 0xffff : MAC_HI, broadcast ? -1 : to, MAC_HI, from, etherType);
  const length = 14 + payload(view, at + 14);
  const tci = shape.tci ?? (shape.vid === undefined ? -1 : tciOf(0, 0, shape.vid));
  if (tci < 0) return Buffer.from(view.buffer.slice(at, at + length));
  const taggedAt = insertTag(view, at, length, tci);
  return Buffer.from(view.buffer.slice(taggedAt, taggedAt + length + 4));
}

/** Not IPv4: experimental EtherType and a number to tell frames apart. */
export function rawFrame(shape: FrameShape, number = 0, payloadBytes = 46): Buffer {
  return build(shape, 0x88b5, (view, at) => {
    view.setInt32(at, number);
    return payloadBytes;
  });
}

const SOURCE = 0x0a000001;
const DESTINATION = 0x0a000002;

export function tcpFrame(shape: FrameShape, segSeq = 0, payloadBytes = 100): Buffer {
  return build(shape, EtherType.Ipv4, (view, at) => {
    const length = 20 + payloadBytes;
    emitIpv4(view, at, 0, 20 + length, segSeq, Ipv4Fragment.Df, 64, IpProtocol.Tcp, SOURCE, DESTINATION);
    emitTcpHeader(view, at + 20, 1024, 80, segSeq, 1, 20, TcpFlag.Ack | TcpFlag.Psh, 65535);
    for (let i = 0; i < payloadBytes; i++) view.setUint8(at + 40 + i, segSeq + i);
    fillTcpChecksum(view, at + 20, length, SOURCE, DESTINATION);
    return Math.max(46, 20 + length);
  });
}

export function udpFrame(shape: FrameShape, payloadBytes = 100, hasChecksum = true): Buffer {
  return build(shape, EtherType.Ipv4, (view, at) => {
    const length = 8 + payloadBytes;
    emitIpv4(view, at, 0, 20 + length, 7, 0, 64, IpProtocol.Udp, SOURCE, DESTINATION);
    emitUdp(view, at + 20, 1024, 9, payloadBytes, SOURCE, DESTINATION);
    if (!hasChecksum) view.setUint16(at + 26, 0);
    return 20 + length;
  });
}

export function icmpFrame(shape: FrameShape, sequenceNumber = 1): Buffer {
  return build(shape, EtherType.Ipv4, (view, at) => {
    const length = 8 + 32;
    emitIpv4(view, at, 0, 20 + length, sequenceNumber, 0, 64, IpProtocol.Icmp, SOURCE, DESTINATION);
    for (let i = 0; i < 32; i++) view.setUint8(at + 28 + i, i);
    return 20 + emitIcmpEcho(view, at + 20, IcmpType.Echo, 77, sequenceNumber, 32);
  });
}

export function arpFrame(shape: FrameShape): Buffer {
  const { from = 1 } = shape;
  return build({ ...shape, broadcast: true }, EtherType.Arp, (view, at) => {
    emitArp(view, at, ArpOperation.Request, MAC_HI, from, SOURCE, 0, 0, DESTINATION);
    return 46;
  });
}
