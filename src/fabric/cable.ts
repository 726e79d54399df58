/**
 * The fabric's end of a cable to a NIC: two rings, a fault plan and a delay line each way, taps.
 *
 *             ┌ deliver ─► faults ─► line ─► tx ring ─► NIC      toNic
 *   switch ───┤
 *             └ input ◄─── line ◄─ faults ◄─ rx ring ◄── NIC     fromNic   (poll)
 *
 * Without faults a frame goes from the caller's memory straight into a slot of the ring, and from a slot to the uplink.
 * A full ring is a busy transmitter: a few frames then queue in the line; beyond these `deliver` refuses, and
 * `hasRoom` says beforehand that it will.
 *
 * The owner's turn: `step(now)`, `poll(budget)` and whatever else delivers, then `flush()`, which publishes. Frames
 * carry the time of the last `step`, `poll` or `setTime`. One frame is handled at a time: an uplink must not pull the cable.
 *
 * Whoever gets a frame from the uplink side may overwrite the 16 bytes before it: the slot's header, whose words were
 * read before, or headroom of the line's buffer. The switch puts its VLAN tags there.
 */
import { assert } from '../base/assert.ts';
import type { Prng } from '../base/prng.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { RING_EMPTY, RING_FULL, type RingConsumer, type RingProducer } from '../ring/spsc-ring.ts';
import { WIRE_FRAME_OFFSET, WireFlag, WireSlot } from '../ring/wire-slot.ts';
import { ETHERNET } from '../wire/ethernet.ts';
import type { FrameTap } from './capture.ts';
import { DelayLine, type DelaySink } from './delay-line.ts';
import { CongestionMark } from './congestion-mark.ts';
import { Fate, type FaultPlan, Faults, flipBit } from './faults.ts';
import type { FabricPart, Port, Uplink } from './port.ts';

export interface CableOptions {
  readonly name: string;
  readonly memory: Memory;
  /** From the fabric to the NIC, and back. Both name the same Doorbell object, so that it is rung once for both. */
  readonly tx: RingProducer;
  readonly rx: RingConsumer;
  /** Buffers of `linePoolShape`; cables of one thread may share a pool. */
  readonly pool: BufferPool;
  readonly prng: Prng;
  readonly toNic?: Partial<FaultPlan>;
  readonly fromNic?: Partial<FaultPlan>;
  /** Frames in each delay line; all buffers of the pool unless said otherwise. */
  readonly lineFrames?: number;
  /** Frames that queue while the ring to the NIC is full. */
  readonly queueFrames?: number;
  /** The NIC takes nothing for so long: stop waiting for it. */
  readonly stallUs?: number;
}

const QUEUE_FRAMES = 64;
const STALL_US = 50_000;
/** How soon to look again at a full ring, should its consumer not ring for room. */
const RETRY_US = 1000;

/** One direction of a cable: its faults, its line, and what was counted. */
export class CableDirection {
  readonly faults: Faults;
  readonly line: DelayLine;
  readonly #view: DataView;
  readonly #send: DelaySink;
  /** Put on the cable by the sender; faults come after. */
  frames = 0;
  bytes = 0;
  /** Lost because the cable was pulled. */
  linkDown = 0;
  /** Refused: ring and queue were full. */
  noRoom = 0;
  /** Shorter than an Ethernet header, or longer than a slot. */
  malformed = 0;
  /** Dropped by the fabric's MAC because of WireFlag.FcsError. */
  fcsErrors = 0;
  /** Frames that got a mark of congestion. */
  marked = 0;
  readonly #mark = new CongestionMark();

  constructor(faults: Faults, line: DelayLine, view: DataView, send: DelaySink) {
    this.faults = faults;
    this.line = line;
    this.#view = view;
    this.#send = send;
  }

  /** True when the next frame cannot be sent as it is. */
  get impaired(): boolean {
    return this.faults.active || this.line.waiting > 0;
  }

  /** Carries a frame through faults and line, which has room for two. The frame is as before afterwards. */
  carry(frameAt: number, length: number, nowUs: number): void {
    const { faults, line } = this;
    const fate = faults.active ? faults.decide() : 0;
    if ((fate & Fate.Lost) !== 0) return;
    const due = faults.active ? nowUs + faults.delayUs : nowUs;
    if ((fate & Fate.Marked) !== 0 && this.#mark.set(this.#view, frameAt, length)) this.marked++;
    if ((fate & Fate.Duplicated) !== 0) line.push(frameAt, length, 0, due, false);
    let flippedBit = -1;
    let flags = 0;
    if ((fate & Fate.Corrupted) !== 0) {
      flippedBit = faults.corrupt(this.#view, frameAt, length);
      if (flippedBit < 0) flags = WireFlag.FcsError;
    }
    const held = (fate & Fate.Reordered) !== 0;
    if (held) line.push(frameAt, length, flags, due + faults.holdUs, true);
    else if (due > nowUs || line.waiting > 0 || !this.#send(frameAt, length, flags)) {
      line.push(frameAt, length, flags, due, false);
    }
    if (flippedBit >= 0) flipBit(this.#view, frameAt, flippedBit);
    if ((fate & Fate.Marked) !== 0) this.#mark.restore(this.#view);
  }
}

export class Cable implements Port, FabricPart {
  readonly name: string;
  readonly toNic: CableDirection;
  readonly fromNic: CableDirection;
  /** Where frames of the NIC go: the switch's side. Until it is set they stay in the ring. */
  uplink: Uplink | null = null;
  /** Told of `pull` and `plug`: the switch forgets what it learned there. */
  linkChanged: (up: boolean) => void = () => {};
  readonly #memory: Memory;
  readonly #tx: RingProducer;
  readonly #rx: RingConsumer;
  readonly #frameMax: number;
  readonly #rxFrameMax: number;
  readonly #queueFrames: number;
  readonly #reserve: number;
  readonly #stallUs: number;
  #taps: readonly { readonly tap: FrameTap; readonly interfaceId: number }[] = [];
  #nowUs = 0;
  #up = true;
  // Back-pressure: see #watch.
  #starved = false;
  #stalled = false;
  #produced = 0;
  #consumed = 0;
  #progressUs = 0;

  constructor(options: CableOptions) {
    const { memory, tx, rx, pool, prng, lineFrames = pool.count } = options;
    this.name = options.name;
    this.#memory = memory;
    this.#tx = tx;
    this.#rx = rx;
    this.#frameMax = tx.slotBytes - WIRE_FRAME_OFFSET;
    this.#rxFrameMax = rx.slotBytes - WIRE_FRAME_OFFSET;
    this.#queueFrames = options.queueFrames ?? QUEUE_FRAMES;
    this.#stallUs = options.stallUs ?? STALL_US;
    this.#reserve = Math.min(32, tx.slots >> 2);
    assert(pool.dataBytes >= Math.max(tx.slotBytes, rx.slotBytes), `${this.name}: a buffer holds a slot`);
    const direction = (name: string, plan: Partial<FaultPlan> | undefined, send: DelaySink): CableDirection => {
      const faults = new Faults(prng.fork(`${this.name} ${name}`), plan);
      return new CableDirection(faults, new DelayLine(memory, pool, lineFrames, send), memory.view, send);
    };
    this.toNic = direction('to nic', options.toNic, (at, length, flags) => this.#transmit(at, length, flags));
    this.fromNic = direction('from nic', options.fromNic, (at, length, flags) => this.#handUp(at, length, flags));
  }

  /** The link is up. */
  get up(): boolean {
    return this.#up;
  }

  /** The NIC wrote an impossible ring index: it is faulty. */
  get corrupt(): boolean {
    return this.#tx.corrupt || this.#rx.corrupt;
  }

  /** False while frames may be refused. A NIC that takes nothing for `stallUs` is not waited for. */
  get hasRoom(): boolean {
    if (!this.#up || this.#stalled) return true;
    const hasRoom = !this.#isBlocked() && this.toNic.line.room > this.#reserve && this.#tx.free() > this.#reserve;
    if (!hasRoom) this.#waitForRoom();
    return hasRoom;
  }

  /** Lets a tap see the cable under an interface number of its own. */
  addTap(tap: FrameTap, interfaceId: number): void {
    this.#taps = [...this.#taps, { tap, interfaceId }];
  }

  removeTap(tap: FrameTap): void {
    this.#taps = this.#taps.filter(entry => entry.tap !== tap);
  }

  /** Frames in both directions are lost from now on, those on their way included. */
  pull(): void {
    if (!this.#up) return;
    this.#up = false;
    this.toNic.linkDown += this.toNic.line.clear();
    this.fromNic.linkDown += this.fromNic.line.clear();
    this.linkChanged(false);
  }

  plug(): void {
    if (this.#up) return;
    this.#up = true;
    this.linkChanged(true);
  }

  /** A frame to the NIC. False: refused and counted, because ring and queue are full or it does not fit a slot. */
  deliver(frameAt: number, length: number): boolean {
    const { toNic } = this;
    if (length < ETHERNET.headerLength || length > this.#frameMax) {
      toNic.malformed++;
      return false;
    }
    if (this.#up && !toNic.impaired && this.#transmit(frameAt, length, 0)) {
      toNic.frames++;
      toNic.bytes += length;
      return true;
    }
    return this.#deliverSlowly(frameAt, length);
  }

  /** Takes up to `budget` frames from the NIC and hands them to the uplink; returns how many it took. */
  poll(budget: number, nowUs: number = this.#nowUs): number {
    this.#nowUs = nowUs;
    const { line } = this.fromNic;
    if (this.uplink === null) return 0;
    let taken = 0;
    while (taken < budget) {
      // Without room for a frame and its duplicate the NIC has to wait: its ring fills.
      if (this.fromNic.impaired && line.room < 2 && this.#up) break;
      const slot = this.#rx.next();
      if (slot === RING_EMPTY) break;
      this.#receive(slot);
      taken++;
    }
    if (line.waiting > 0) line.step(nowUs);
    return taken;
  }

  /** Whether the NIC sent something or made room, looking at the shared indices: for the look-again before sleep. */
  hasWork(): boolean {
    if (this.uplink !== null && this.#rx.hasWork()) return true;
    if (this.#isBlocked()) return this.#tx.free() > 0;
    return this.#starved && this.#tx.free() > this.#reserve;
  }

  /** Frames that are delivered from now on are. */
  setTime(nowUs: number): void {
    this.#nowUs = nowUs;
  }

  step(nowUs: number): number {
    this.#nowUs = nowUs;
    const released = this.fromNic.line.step(nowUs) + this.toNic.line.step(nowUs);
    this.#watch();
    return released;
  }

  usUntilNext(nowUs: number): number {
    const fromNic = this.uplink === null ? -1 : this.fromNic.line.usUntilNext(nowUs);
    let toNic = this.toNic.line.usUntilNext(nowUs);
    if (toNic === 0) toNic = this.#tx.free() > 0 ? 0 : RETRY_US;
    if (this.#starved && (toNic < 0 || toNic > RETRY_US)) toNic = RETRY_US;
    if (fromNic < 0 || toNic < 0) return Math.max(fromNic, toNic);
    return Math.min(fromNic, toNic);
  }

  /** Publishes and releases the slots of this turn; rings the NIC's doorbell once, if it sleeps. */
  flush(): void {
    const { doorbell } = this.#tx;
    const isWanted = this.#tx.commit();
    if (isWanted) doorbell.ring();
    const { producerDoorbell } = this.#rx;
    if (this.#rx.release() && producerDoorbell !== null && !(isWanted && producerDoorbell === doorbell)) {
      producerDoorbell.ring();
    }
  }

  #deliverSlowly(frameAt: number, length: number): boolean {
    const { toNic } = this;
    const { line } = toNic;
    if (!this.#up) {
      toNic.linkDown++;
      return true;
    }
    if (line.waiting > 0) line.step(this.#nowUs);
    const { delayUs, jitterUs } = toNic.faults.plan;
    const limit = delayUs + jitterUs > 0 ? line.capacity : this.#queueFrames;
    if (line.room < 2 || line.waiting >= limit) {
      toNic.noRoom++;
      return false;
    }
    toNic.frames++;
    toNic.bytes += length;
    toNic.carry(frameAt, length, this.#nowUs);
    if (line.waiting > 0) line.step(this.#nowUs);
    if (this.#isBlocked()) this.#waitForRoom();
    return true;
  }

  /** Frames that are due wait for a slot of the ring. */
  #isBlocked(): boolean {
    return this.toNic.line.usUntilNext(this.#nowUs) === 0;
  }

  /** Sink of `toNic`: into a slot of the ring. */
  #transmit(frameAt: number, length: number, flags: number): boolean {
    let slot = this.#tx.reserve();
    if (slot === RING_FULL) {
      // What is reserved but not published keeps the NIC from making room.
      if (this.#tx.pending && this.#tx.commit()) this.#tx.doorbell.ring();
      slot = this.#tx.reserve();
      if (slot === RING_FULL) return false;
    }
    this.#produced++;
    const at = slot >> 2;
    this.#memory.i32[at + WireSlot.index.frameLength] = length;
    this.#memory.i32[at + WireSlot.index.slotFlags] = flags;
    this.#memory.i32[at + WireSlot.index.reservedA] = 0;
    this.#memory.i32[at + WireSlot.index.reservedB] = 0;
    this.#memory.kernels.copy(slot + WIRE_FRAME_OFFSET, frameAt, length);
    if (this.#taps.length > 0) this.#tapFrame(slot + WIRE_FRAME_OFFSET, length, false, flags);
    return true;
  }

  #receive(slot: number): void {
    const { fromNic } = this;
    const length = this.#memory.i32[(slot >> 2) + WireSlot.index.frameLength]!;
    const flags = this.#memory.i32[(slot >> 2) + WireSlot.index.slotFlags]!;
    const frameAt = slot + WIRE_FRAME_OFFSET;
    if (!this.#up) {
      fromNic.linkDown++;
      return;
    }
    if (length < ETHERNET.headerLength || length > this.#rxFrameMax) {
      fromNic.malformed++;
      return;
    }
    fromNic.frames++;
    fromNic.bytes += length;
    if (this.#taps.length > 0) this.#tapFrame(frameAt, length, true, flags);
    if ((flags & WireFlag.FcsError) !== 0 || !fromNic.impaired) this.#handUp(frameAt, length, flags);
    else fromNic.carry(frameAt, length, this.#nowUs);
  }

  /** Sink of `fromNic`: the fabric's MAC. */
  #handUp(frameAt: number, length: number, flags: number): boolean {
    if (this.uplink === null) return false;
    if ((flags & WireFlag.FcsError) !== 0) this.fromNic.fcsErrors++;
    else this.uplink.input(frameAt, length);
    return true;
  }

  #tapFrame(frameAt: number, length: number, outbound: boolean, flags: number): void {
    const fcsError = (flags & WireFlag.FcsError) !== 0;
    for (let i = 0; i < this.#taps.length; i++) {
      const { tap, interfaceId } = this.#taps[i]!;
      tap.frame(interfaceId, this.#nowUs, frameAt, length, outbound, fcsError);
    }
  }

  /** Notices that somebody waits for the NIC while it takes nothing: one dead NIC must not stop the others' traffic. */
  #watch(): void {
    const consumed = this.#produced - (this.#tx.slots - this.#tx.free());
    const isBlocked = this.#isBlocked();
    const isWaitedFor = this.#starved || this.#stalled || isBlocked;
    if (consumed !== this.#consumed || !isWaitedFor) {
      this.#consumed = consumed;
      this.#progressUs = this.#nowUs;
      this.#stalled = false;
    } else if (this.#nowUs - this.#progressUs >= this.#stallUs) {
      this.#stalled = true;
    }
    this.#starved = false;
    this.#tx.setWaiting(isBlocked);
  }

  /** The NIC rings when it has made room. Until the next `step`, which finds out whether somebody still waits. */
  #waitForRoom(): void {
    this.#starved = true;
    this.#tx.setWaiting(true);
  }
}
