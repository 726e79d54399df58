/**
 * The loss sweep between two engines and nothing else: what the sender's algorithms make of the link, without layers, rings
 * or a NIC around them. Quick, so that it is the yardstick while they change.
 *
 *   sender  ── 50 ms, loses ──►  receiver        one thread, one clock of 1 ms ticks, one seed a direction
 *           ◄── 50 ms, loses ──
 */
import { ChallengeBudget } from '../tcp/challenge-budget.ts';
import { assert } from '../base/assert.ts';
import { Prng } from '../base/prng.ts';
import { TimerWheel, type TimerHandler } from '../base/timer-wheel.ts';
import { BufferPool, poolBytes } from '../memory/buffer-pool.ts';
import { createMemory, type Memory, type Region, RegionPlan } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Effects } from '../tcp/effects.ts';
import { activeOpen, passiveOpen } from '../tcp/open.ts';
import { DEFAULT_TCP_PARAMS, type TcpParams } from '../tcp/params.ts';
import { ResetReply } from '../tcp/reset.ts';
import { segmentArrives } from '../tcp/segment-arrives.ts';
import { AddressTable } from '../wire/address-table.ts';
import { SentRanges } from '../tcp/sent-ranges.ts';
import { SegmentWriter } from '../tcp/segment-writer.ts';
import { type Tcb, TcbLayout, TcpState } from '../tcp/tcb.ts';
import { timerFired } from '../tcp/timer-fired.ts';
import { transmit } from '../tcp/transmit.ts';
import { send } from '../tcp/user-calls.ts';
import { parseTcp, TcpHeader, TcpParse } from '../wire/tcp.ts';
import { LOSS, type LossControl, type LossRun, lossTcp } from './loss-case.ts';

const PIECE_BYTES = LOSS.pieceBytes;
const RX_POOL = { count: 128, dataBytes: 2048 };
const TX_POOL = { count: LOSS.bufferBytes / PIECE_BYTES, dataBytes: 64 };
const FRAME_BYTES = 1536;
/** More than a window full of data, and of ACKs. */
const FLIGHT_FRAMES = 1024;
/** Payload repeats; no piece and no segment is a divisor of it. */
const PATTERN_BYTES = 4093;
const IDLE = 0x3fffffff;

/** One direction of the link: frames in the order they were sent, each due half an RTT later. */
class Flight {
  readonly #frames: Int32Array;
  readonly #due: Float64Array;
  readonly #memory: Memory;
  readonly #region: Region;
  readonly #prng: Prng;
  readonly #loss: number;
  #first = 0;
  #last = 0;

  constructor(memory: Memory, region: Region, prng: Prng, lossPercent: number) {
    this.#memory = memory;
    this.#region = region;
    this.#prng = prng;
    this.#loss = lossPercent / 100;
    this.#frames = new Int32Array(FLIGHT_FRAMES);
    this.#due = new Float64Array(FLIGHT_FRAMES);
  }

  push(at: number, length: number, now: number): void {
    if (this.#prng.chance(this.#loss)) return;
    assert(this.#last - this.#first < FLIGHT_FRAMES, 'the link has room for a window');
    const place = this.#last++ % FLIGHT_FRAMES;
    this.#memory.kernels.copy(this.#region.offset + place * FRAME_BYTES, at, length);
    this.#frames[place] = length;
    this.#due[place] = now + LOSS.rttMs / 2;
  }

  get dueAt(): number {
    return this.#first === this.#last ? IDLE : this.#due[this.#first % FLIGHT_FRAMES]!;
  }

  /** Hands the first frame over; its bytes are the link's again when `take` returns. */
  deliver(take: (at: number, length: number) => void): void {
    const place = this.#first % FLIGHT_FRAMES;
    take(this.#region.offset + place * FRAME_BYTES, this.#frames[place]!);
    this.#first++;
  }
}

interface EndRegions {
  readonly tcb: Region;
  readonly rx: Region;
  readonly tx: Region;
  readonly frame: Region;
  readonly flight: Region;
}

/** One end: owner of one TCB. */
class End implements Effects, TimerHandler {
  readonly params: TcpParams;
  readonly challenges: ChallengeBudget;
  readonly sent = new SentRanges(1);
  readonly tcb: Tcb;
  readonly wheel = new TimerWheel(1, 0);
  readonly flight: Flight;
  now = 0;
  received = 0;
  isOpen = false;
  readonly #memory: Memory;
  readonly buffers;
  readonly #rxPool: BufferPool;
  readonly #txPool: BufferPool;
  readonly #writer: SegmentWriter;
  readonly #header = new TcpHeader();
  readonly #reply = new ResetReply();
  readonly #frameAt: number;
  readonly #patternAt: number;
  #queued = 0;
  #sent = 0;
  #isBlocked = false;

  constructor(memory: Memory, regions: EndRegions, pattern: Region, params: TcpParams, flight: Flight) {
    this.#memory = memory;
    this.params = params;
    this.challenges = new ChallengeBudget(params.challengeAcksPerSecond, new Prng(1));
    this.flight = flight;
    this.tcb = TcbLayout.view(memory).at(regions.tcb.offset);
    this.buffers = NetBuffer.view(memory);
    this.#rxPool = new BufferPool(memory, regions.rx, RX_POOL, 1);
    this.#txPool = new BufferPool(memory, regions.tx, TX_POOL, 2);
    this.#writer = new SegmentWriter(memory, new AddressTable(1));
    this.#frameAt = regions.frame.offset;
    this.#patternAt = pattern.offset;
  }

  address(near: number, far: number): void {
    const { tcb } = this;
    tcb.localAddress = near;
    tcb.remoteAddress = far;
    tcb.localPort = near & 0xffff;
    tcb.remotePort = far & 0xffff;
  }

  connect(iss: number): void {
    this.isOpen = true;
    activeOpen(this.tcb, iss, iss, this.now, this);
  }

  /** The application of the sender: the buffer is always full. */
  fill(): void {
    const { state } = this.tcb;
    if (state !== TcpState.Established || this.#queued + PIECE_BYTES > LOSS.bufferBytes) return;
    let first = 0;
    let previous = 0;
    while (this.#queued + PIECE_BYTES <= LOSS.bufferBytes) {
      const address = this.#txPool.allocate();
      const buffer = this.buffers.at(address);
      buffer.next = 0;
      buffer.dataAddress = this.#patternAt + (this.#sent % PATTERN_BYTES);
      buffer.dataLength = PIECE_BYTES;
      this.#sent += PIECE_BYTES;
      this.#queued += PIECE_BYTES;
      if (previous === 0) first = address;
      else this.buffers.at(previous).next = address;
      previous = address;
    }
    const isTaken = send(this.tcb, first, this.buffers, this.now, this);
    assert(isTaken, 'an open connection takes data');
  }

  arrive(at: number, length: number, iss: number): void {
    const header = this.#header;
    const parsed = parseTcp(this.#memory.view, at, at + length, header);
    assert(parsed === TcpParse.Ok, 'what an engine sent parses');
    if (!this.isOpen) {
      this.isOpen = true;
      passiveOpen(this.tcb, header, iss, iss, this.now, this);
      return;
    }
    segmentArrives(this.tcb, header, this.buffers, this.now, this, this.#reply);
  }

  /** What is due by now; a blocked sender tries again. */
  expire(now: number): void {
    this.now = now;
    this.wheel.expire(now, this);
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    transmit(this.tcb, now, this);
  }

  get dueAt(): number {
    const ticks = this.wheel.ticksUntilNext(this.now);
    return ticks < 0 ? IDLE : this.now + Math.max(1, ticks);
  }

  timerFired(_item: number, now: number): void {
    timerFired(this.tcb, now, this);
  }

  // --- Effects ---

  emitSegment(tcb: Tcb, flags: number, seq: number, length: number): boolean {
    const total = this.#writer.write(tcb, this.#frameAt, flags, seq, length, this.now);
    this.flight.push(this.#frameAt, total, this.now);
    return true;
  }

  transmitBlocked(): void {
    this.#isBlocked = true;
  }

  takePayload(at: number, length: number): number {
    const address = this.#rxPool.allocate();
    if (address === 0) return 0;
    const buffer = this.buffers.at(address);
    buffer.dataAddress = this.#rxPool.dataOf(address);
    buffer.dataLength = length;
    this.#memory.kernels.copy(buffer.dataAddress, at, length);
    return address;
  }

  /** The application reads at once: before the ACK, which says how much more may come. */
  indicateReceive(tcb: Tcb, buffer: number): void {
    const { dataAddress, dataLength } = this.buffers.at(buffer);
    const { u8 } = this.#memory;
    const expected = this.#patternAt + (this.received % PATTERN_BYTES);
    assert(u8[dataAddress] === u8[expected], 'the first byte is the one that is due');
    this.received += dataLength;
    tcb.rcvPending -= dataLength;
    const last = this.#patternAt + ((this.received - 1) % PATTERN_BYTES);
    assert(u8[dataAddress + dataLength - 1] === u8[last], 'and so is the last');
    this.#rxPool.free(buffer);
  }

  freeBuffer(buffer: number): void {
    this.#rxPool.free(buffer);
  }

  sendComplete(_tcb: Tcb, buffer: number): void {
    this.#queued -= PIECE_BYTES;
    this.#txPool.free(buffer);
  }

  peerClosed(): void {}
  established(): void {}
  finAcknowledged(): void {}
  timeWait(): void {}

  closed(): void {
    throw new Error('the connection ended');
  }

  armTimer(_tcb: Tcb, deadline: number): void {
    this.wheel.scheduleNoLaterThan(0, deadline);
  }
}

const SENDER = 0x0a000002;
const RECEIVER = 0x0a000001;

/** Loss sweep, one run: sender and receiver in virtual time until the receiver has all. */
export function runLossEngines(
  lossPercent: number,
  seed: number,
  congestionControl: LossControl,
  tcp: Partial<TcpParams> = {},
): LossRun {
  const params = { ...DEFAULT_TCP_PARAMS, ...lossTcp(congestionControl), ...tcp };
  const { sender, receiver, prng } = makeEnds(lossPercent, seed, params);
  const receiverIss = prng.int32();
  const toReceiver = (at: number, length: number): void => receiver.arrive(at, length, receiverIss);
  const toSender = (at: number, length: number): void => sender.arrive(at, length, 0);
  sender.connect(prng.int32());
  let now = 0;
  while (receiver.received < LOSS.bytes) {
    now = Math.min(sender.flight.dueAt, receiver.flight.dueAt, sender.dueAt, receiver.dueAt);
    assert(now < IDLE, 'something is going to happen');
    sender.expire(now);
    receiver.expire(now);
    while (sender.flight.dueAt <= now) sender.flight.deliver(toReceiver);
    while (receiver.flight.dueAt <= now) receiver.flight.deliver(toSender);
    sender.fill();
  }
  return { goodput: (receiver.received / now) * 1000, virtualMs: now };
}

function makeEnds(lossPercent: number, seed: number, params: TcpParams) {
  const plan = new RegionPlan();
  const regionsOf = (name: string): EndRegions => ({
    tcb: plan.add(`${name} tcb`, TcbLayout.byteLength),
    rx: plan.add(`${name} rx`, poolBytes(RX_POOL)),
    tx: plan.add(`${name} tx`, poolBytes(TX_POOL)),
    frame: plan.add(`${name} frame`, FRAME_BYTES),
    flight: plan.add(`${name} flight`, FLIGHT_FRAMES * FRAME_BYTES),
  });
  const regions = [regionsOf('sender'), regionsOf('receiver')] as const;
  const pattern = plan.add('pattern', PATTERN_BYTES + PIECE_BYTES);
  const memory = memoryFor(plan.byteLength);
  for (let i = 0; i < pattern.byteLength; i++) {
    memory.u8[pattern.offset + i] = Math.imul((i % PATTERN_BYTES) + 1, 0x9e3779b1) >>> 13;
  }
  const prng = new Prng(seed);
  const end = (index: 0 | 1, name: string): End => {
    const flight = new Flight(memory, regions[index].flight, prng.fork(name), lossPercent);
    return new End(memory, regions[index], pattern, params, flight);
  };
  const sender = end(0, 'sender');
  const receiver = end(1, 'receiver');
  sender.address(SENDER, RECEIVER);
  receiver.address(RECEIVER, SENDER);
  return { sender, receiver, prng };
}

let shared: Memory | undefined;

/** The memory of the run before, emptied. */
function memoryFor(byteLength: number): Memory {
  if (shared === undefined) shared = createMemory(byteLength);
  else shared.u8.fill(0, 0, byteLength);
  return shared;
}
