/**
 * One owner of the TCP engine for tests: table, wheel, pools and an `Effects` that writes real segments and parses them
 * back. Time stands still until `advanceTo`. What the engine did lies in `events`, in order.
 *
 * Both directions carry the same known stream, byte n of it being `streamByte(n)`: every payload that is emitted and
 * every buffer that is indicated is compared with it on the spot.
 */
import { assert } from '../../src/base/assert.ts';
import { Prng } from '../../src/base/prng.ts';
import { seqGeq, seqGt, seqLeq } from '../../src/base/seq.ts';
import { TimerWheel, type TimerHandler } from '../../src/base/timer-wheel.ts';
import { BufferPool, poolBytes } from '../../src/memory/buffer-pool.ts';
import { type Memory, type Region, RegionPlan, createMemory } from '../../src/memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../../src/memory/net-buffer.ts';
import { ChallengeBudget } from '../../src/tcp/challenge-budget.ts';
import { trafficClassOf } from '../../src/tcp/ecn.ts';
import { inFlight } from '../../src/tcp/congestion.ts';
import { CloseReason, type Effects } from '../../src/tcp/effects.ts';
import { superviseFinWait2 } from '../../src/tcp/half-close.ts';
import { pushNow } from '../../src/tcp/nagle.ts';
import { activeOpen, passiveOpen } from '../../src/tcp/open.ts';
import { DEFAULT_TCP_PARAMS, type TcpParams } from '../../src/tcp/params.ts';
import { dropOutOfOrder } from '../../src/tcp/reassembly.ts';
import { ResetReply, resetFor } from '../../src/tcp/reset.ts';
import { segmentArrives } from '../../src/tcp/segment-arrives.ts';
import { AddressTable } from '../../src/wire/address-table.ts';
import { SentFlag } from '../../src/tcp/sent-flag.ts';
import { SentRanges } from '../../src/tcp/sent-ranges.ts';
import { SegmentWriter } from '../../src/tcp/segment-writer.ts';
import { finOutstanding, takeSendQueue } from '../../src/tcp/send-queue.ts';
import { TcbTable } from '../../src/tcp/tcb-table.ts';
import {
  TCP_STATE_NAMES,
  CaState,
  TcpConstFlag,
  TcpDelegatedFlag,
  TcpState,
  TcpTimerBit,
  TcbLayout,
} from '../../src/tcp/tcb.ts';
import { timerFired } from '../../src/tcp/timer-fired.ts';
import { transmit } from '../../src/tcp/transmit.ts';
import { abort, close, consumed, send, sendAndClose } from '../../src/tcp/user-calls.ts';
import {
  TcpFlag,
  TcpHeader,
  TcpParse,
  emitTcp,
  fillTcpChecksum,
  isTcpChecksumValid,
  parseTcp,
} from '../../src/wire/tcp.ts';

const PERIOD = 32749;
export const SEND_MAX = 65536;
const RX_POOL = { count: 400, dataBytes: 2048 };
const TX_POOL = { count: 400, dataBytes: 64 };
const FRAME_BYTES = 70_000;

export const LOCAL = { address: 0x0a000001, port: 10000 };
export const REMOTE = { address: 0x0a000002, port: 80 };

export function streamByte(n: number): number {
  const i = n % PERIOD;
  return (Math.imul(i + 1, 0x9e3779b1) >>> 13) & 0xff;
}

export interface Emitted {
  readonly kind: 'segment';
  readonly time: number;
  readonly header: TcpHeader;
  /** The whole segment, header first. */
  readonly bytes: Uint8Array;
  /** ECN bits of the datagram around it. */
  readonly ecn: number;
}

export interface Upcall {
  readonly kind: 'upcall';
  readonly time: number;
  /** As ladders write it: `established`, `received 100`, `closed Normal`. */
  readonly text: string;
}

export type EndpointEvent = Emitted | Upcall;

export interface EndpointOptions {
  readonly params?: Partial<TcpParams>;
  readonly iss?: number;
  /** The peer's, for relative numbers. */
  readonly irs?: number;
  readonly startTick?: number;
  /** Swaps the two addresses, for the far end of a pair. */
  readonly isRemote?: boolean;
}

export class Endpoint implements Effects, TimerHandler {
  readonly memory: Memory;
  readonly buffers;
  readonly view: DataView;
  readonly tcb;
  readonly rxFrame: Region;
  params: TcpParams = DEFAULT_TCP_PARAMS;
  challenges = new ChallengeBudget(DEFAULT_TCP_PARAMS.challengeAcksPerSecond, new Prng(1));
  readonly sent = new SentRanges(4);
  table!: TcbTable;
  wheel!: TimerWheel;
  rxPool!: BufferPool;
  txPool!: BufferPool;
  readonly addresses = new AddressTable(4);
  writer!: SegmentWriter;
  slot = 0;
  iss = 0;
  irs = 0;
  startTick = 0;
  now = 0;
  isOpen = false;
  isListening = false;
  /** Segments that find room from now on. */
  room = Infinity;
  /** Buffers that `takePayload` hands out from now on. */
  takes = Infinity;
  isBlocked = false;
  events: EndpointEvent[] = [];
  /** Bytes written by the application, completed to it, indicated to it. */
  written = 0;
  completed = 0;
  received = 0;
  consumeAtOnce = false;
  peerClosedCount = 0;
  closeReason: CloseReason | -1 = -1;
  readonly #tcbs: Region;
  readonly #rx: Region;
  readonly #tx: Region;
  readonly #stream: Region;
  readonly #txFrame: Region;
  readonly #reply = new ResetReply();
  readonly #completionOrder: number[] = [];
  /** Offsets in the stream. */
  #recordEnds: number[] = [];
  #rightEdge = 0;

  constructor(options: EndpointOptions = {}) {
    let plan = new RegionPlan();
    const layOut = (): Region[] => [
      plan.add('tcbs', 4 * TcbLayout.byteLength),
      plan.add('rx', poolBytes(RX_POOL)),
      plan.add('tx', poolBytes(TX_POOL)),
      plan.add('stream', PERIOD + SEND_MAX),
      plan.add('txFrame', FRAME_BYTES),
      plan.add('rxFrame', FRAME_BYTES),
    ];
    layOut();
    this.memory = createMemory(plan.byteLength);
    plan = new RegionPlan();
    const [tcbs, rx, tx, stream, txFrame, rxFrame] = layOut();
    this.#tcbs = tcbs!;
    this.#rx = rx!;
    this.#tx = tx!;
    this.#stream = stream!;
    this.#txFrame = txFrame!;
    this.rxFrame = rxFrame!;
    this.view = this.memory.view;
    this.buffers = NetBuffer.view(this.memory);
    this.tcb = TcbLayout.view(this.memory);
    for (let i = 0; i < stream!.byteLength; i++) this.memory.u8[stream!.offset + i] = streamByte(i);
    this.reset(options);
  }

  /** A new connection in the same memory; thousands of cases share one. */
  reset(options: EndpointOptions = {}): void {
    this.params = {
      ...DEFAULT_TCP_PARAMS,
      timestamps: false,
      sack: false,
      quickAcksMax: 0,
      ...options.params,
    };
    this.challenges = new ChallengeBudget(this.params.challengeAcksPerSecond, new Prng(1));
    this.iss = options.iss ?? 1000;
    this.irs = options.irs ?? 5000;
    this.startTick = options.startTick ?? 0;
    this.now = this.startTick;
    // The cases of another file may have left theirs in the middle.
    if (this.tcb.base !== 0) this.sent.clear(this.tcb);
    this.memory.i32.fill(0, this.#tcbs.offset >> 2, (this.#tcbs.offset + this.#tcbs.byteLength) >> 2);
    this.table = new TcbTable(this.memory, this.#tcbs, 4);
    this.wheel = new TimerWheel(4, this.now);
    this.rxPool = new BufferPool(this.memory, this.#rx, RX_POOL, 1);
    this.txPool = new BufferPool(this.memory, this.#tx, TX_POOL, 2);
    this.writer = new SegmentWriter(this.memory, this.addresses);
    this.slot = this.table.allocate();
    this.tcb.at(this.table.addressOf(this.slot));
    const near = options.isRemote ? REMOTE : LOCAL;
    const far = options.isRemote ? LOCAL : REMOTE;
    this.tcb.localAddress = near.address;
    this.tcb.localPort = near.port;
    this.tcb.remoteAddress = far.address;
    this.tcb.remotePort = far.port;
    this.table.insert(this.slot);
    this.isOpen = false;
    this.isListening = false;
    this.room = Infinity;
    this.takes = Infinity;
    this.isBlocked = false;
    this.events = [];
    this.written = 0;
    this.completed = 0;
    this.received = 0;
    this.consumeAtOnce = false;
    this.peerClosedCount = 0;
    this.closeReason = -1;
    this.#completionOrder.length = 0;
    this.#recordEnds = [];
    this.#rightEdge = 0;
  }

  get time(): number {
    return (this.now - this.startTick) | 0;
  }

  /** Of the timestamp clock: another with every ISS. */
  get #tsOffset(): number {
    return Math.imul(this.iss, 0x9e3779b1) | 0;
  }

  get stateName(): string {
    return TCP_STATE_NAMES[this.tcb.state]!;
  }

  // --- the user's calls ---

  connect(): void {
    this.isOpen = true;
    activeOpen(this.tcb, this.iss, this.#tsOffset, this.now, this);
  }

  listen(): void {
    this.isListening = true;
  }

  /** A chain of descriptors of these lengths, of the next bytes of the stream; -1 when they cannot be had. */
  makeChain(lengths: readonly number[]): number {
    if (lengths.length > this.txPool.available) return -1;
    let first = 0;
    let previous = 0;
    let at = this.written;
    for (const length of lengths) {
      assert(length <= SEND_MAX, 'a send of the fixture fits its stream');
      const address = this.txPool.allocate();
      this.buffers.at(address);
      this.buffers.next = 0;
      this.buffers.flags = 0;
      this.buffers.dataAddress = this.#stream.offset + (at % PERIOD);
      this.buffers.dataLength = length;
      at += length;
      if (previous !== 0) this.buffers.at(previous).next = address;
      else first = address;
      previous = address;
    }
    return first;
  }

  /** False when the engine refused. */
  send(...lengths: number[]): boolean {
    return this.#write(lengths, false);
  }

  /** MSG_MORE. */
  sendMore(...lengths: number[]): boolean {
    return this.#write(lengths, false, NetBufferFlag.More);
  }

  /** MSG_EOR, and perhaps MSG_MORE: no segment may go beyond the end of these (emitSegment). */
  sendRecord(isMore: boolean, ...lengths: number[]): boolean {
    return this.#write(lengths, false, NetBufferFlag.EndOfRecord | (isMore ? NetBufferFlag.More : 0));
  }

  /** What an owner does when an option changes that is a cached flag. */
  setFlag(flag: number, isOn: boolean): void {
    const { tcb, now } = this;
    if (isOn) tcb.cachedFlags |= flag;
    else tcb.cachedFlags &= ~flag;
    superviseFinWait2(tcb, now, this);
    transmit(tcb, now, this);
  }

  push(): void {
    pushNow(this.tcb);
    transmit(this.tcb, this.now, this);
  }

  sendAndClose(...lengths: number[]): boolean {
    return this.#write(lengths, true);
  }

  #write(lengths: readonly number[], andClose: boolean, lastFlags = 0): boolean {
    const chain = this.makeChain(lengths);
    assert(chain > 0, 'the fixture has descriptors left');
    const addresses: number[] = [];
    for (let at = chain; at !== 0; at = this.buffers.next) {
      addresses.push(at);
      this.buffers.at(at);
    }
    this.buffers.at(addresses.at(-1)!).flags = lastFlags;
    const total = lengths.reduce((sum, length) => sum + length, 0);
    // The engine may complete empty descriptors before it returns.
    this.#completionOrder.push(...addresses);
    this.written += total;
    const call = andClose ? sendAndClose : send;
    const endsBefore = this.#recordEnds.length;
    if (total > 0 && (lastFlags & NetBufferFlag.EndOfRecord) !== 0) this.#recordEnds.push(this.written);
    if (call(this.tcb, chain, this.buffers, this.now, this)) return true;
    this.#recordEnds.length = endsBefore;
    this.written -= total;
    this.#completionOrder.length -= addresses.length;
    for (const address of addresses) this.txPool.free(address);
    return false;
  }

  close(): boolean {
    return close(this.tcb, this.now, this);
  }

  abort(): void {
    abort(this.tcb, this);
    this.#afterEngine();
  }

  consume(count: number): void {
    consumed(this.tcb, count, this.now, this);
  }

  /** Room for segments again: what the owner of a transmit queue does. */
  unblock(segments = Infinity): void {
    this.room = segments;
    if (!this.isBlocked) return;
    this.isBlocked = false;
    transmit(this.tcb, this.now, this);
  }

  // --- time ---

  /** Lets time pass, stopping at every deadline. */
  advanceTo(tick: number): void {
    for (;;) {
      const wait = this.wheel.ticksUntilNext(this.now);
      const left = (tick - this.now) | 0;
      if (wait < 0 || wait > left) break;
      this.now = (this.now + Math.max(1, wait)) | 0;
      if (((this.now - tick) | 0) > 0) this.now = tick;
      this.wheel.expire(this.now, this);
      if (left === 0) break;
    }
    this.now = tick;
    this.wheel.expire(this.now, this);
  }

  timerFired(_item: number, now: number): void {
    timerFired(this.tcb, now, this);
    this.#afterEngine();
  }

  // --- segments ---

  /** A segment of the peer, as bytes from the header on. */
  arrive(bytes: Uint8Array): void {
    this.memory.u8.set(bytes, this.rxFrame.offset);
    this.#arriveAt(this.rxFrame.offset, bytes.length);
  }

  /** A segment of the peer made here: header fields, and `length` bytes of the stream from `at` on. */
  inject(header: TcpHeader, length: number, at: number): void {
    header.srcPort = this.tcb.remotePort;
    header.dstPort = this.tcb.localPort;
    const headerLength = emitTcp(this.view, this.rxFrame.offset, header);
    const to = this.rxFrame.offset + headerLength;
    const from = this.#stream.offset + (((at % PERIOD) + PERIOD) % PERIOD);
    if (length > 0) this.memory.kernels.copy(to, from, length);
    const total = headerLength + length;
    fillTcpChecksum(this.view, this.rxFrame.offset, total, this.tcb.remoteAddress, this.tcb.localAddress);
    this.#arriveAt(this.rxFrame.offset, total, header.congestionExperienced);
  }

  #arriveAt(at: number, length: number, congestionExperienced = false): void {
    const header = new TcpHeader();
    header.congestionExperienced = congestionExperienced;
    assert(parseTcp(this.view, at, at + length, header) === TcpParse.Ok, 'the segment parses');
    assert(
      isTcpChecksumValid(this.view, at, length, this.tcb.remoteAddress, this.tcb.localAddress),
      'its checksum is right',
    );
    if (this.isListening && this.tcb.state === TcpState.Closed && !this.isOpen) {
      this.#listenerGets(header);
      return;
    }
    if (this.tcb.state === TcpState.Closed) {
      if (resetFor(header, this.#reply)) this.#emitReply();
      return;
    }
    if (segmentArrives(this.tcb, header, this.buffers, this.now, this, this.#reply)) this.#emitReply();
    this.#afterEngine();
  }

  /** 3.10.7.2, which is the owner's. */
  #listenerGets(header: TcpHeader): void {
    if ((header.flags & TcpFlag.Rst) !== 0) return;
    if ((header.flags & TcpFlag.Ack) !== 0) {
      if (resetFor(header, this.#reply)) this.#emitReply();
    } else if ((header.flags & TcpFlag.Syn) !== 0) {
      this.isOpen = true;
      this.irs = header.segSeq;
      passiveOpen(this.tcb, header, this.iss, this.#tsOffset, this.now, this);
    }
  }

  #emitReply(): void {
    const header = new TcpHeader();
    header.flags = this.#reply.flags;
    header.segSeq = this.#reply.segSeq;
    header.segAck = this.#reply.segAck;
    header.srcPort = this.tcb.localPort;
    header.dstPort = this.tcb.remotePort;
    const at = this.#txFrame.offset;
    const length = emitTcp(this.view, at, header);
    fillTcpChecksum(this.view, at, length, this.tcb.localAddress, this.tcb.remoteAddress);
    this.#record(at, length);
  }

  #record(at: number, length: number, ecn = 0): TcpHeader {
    const header = new TcpHeader();
    assert(parseTcp(this.view, at, at + length, header) === TcpParse.Ok, 'what is written parses');
    const { localAddress, remoteAddress } = this.tcb;
    assert(isTcpChecksumValid(this.view, at, length, localAddress, remoteAddress), 'what is written has a checksum');
    const bytes = this.memory.u8.slice(at, at + length);
    this.events.push({ kind: 'segment', time: this.time, header, bytes, ecn });
    return header;
  }

  #upcall(text: string): void {
    this.events.push({ kind: 'upcall', time: this.time, text });
  }

  // --- Effects ---

  emitSegment(tcb: typeof this.tcb, flags: number, seq: number, length: number): boolean {
    assert(tcb.base === this.tcb.base, 'the cursor stands where it was placed');
    if (this.room <= 0) return false;
    this.room--;
    const at = this.#txFrame.offset;
    const headerLength = this.writer.headerLength(tcb, flags);
    this.view.setInt32(at + headerLength + length, 0x5ca1ab1e);
    const total = this.writer.write(tcb, at, flags, seq, length, this.now);
    assert(total === headerLength + length, 'headerLength says what write does');
    assert(this.view.getInt32(at + total) === 0x5ca1ab1e, 'nothing is written behind the segment');
    const header = this.#record(at, total, trafficClassOf(tcb, seq, length) & 3);
    const first = (seq - this.iss - 1) >>> 0;
    const crossed = this.#recordEnds.find(end => first < end && end < first + length);
    assert(crossed === undefined, `a record ends at ${crossed}, in the middle of ${first}:${first + length}`);
    for (let i = 0; i < length; i++) {
      const found = this.memory.u8[header.payloadAt + i]!;
      assert(found === streamByte(first + i), `emitted byte ${first + i} is ${streamByte(first + i)}, not ${found}`);
    }
    return true;
  }

  transmitBlocked(): void {
    this.isBlocked = true;
  }

  takePayload(at: number, length: number): number {
    if (this.takes <= 0) return 0;
    assert(at >= this.rxFrame.offset && at + length <= this.rxFrame.offset + FRAME_BYTES, 'payload is in the frame');
    assert(length >= 0 && length <= RX_POOL.dataBytes, `a payload of ${length} bytes fits a buffer`);
    const address = this.rxPool.allocate();
    if (address === 0) return 0;
    this.takes--;
    const data = this.rxPool.dataOf(address);
    this.memory.kernels.copy(data, at, length);
    this.buffers.at(address);
    this.buffers.dataAddress = data;
    this.buffers.dataLength = length;
    return address;
  }

  indicateReceive(tcb: typeof this.tcb, buffer: number): void {
    this.buffers.at(buffer);
    const { dataAddress, dataLength } = this.buffers;
    assert(dataLength > 0, 'nothing empty is indicated');
    assert(this.peerClosedCount === 0, 'no byte follows the FIN');
    for (let i = 0; i < dataLength; i++) {
      const found = this.memory.u8[dataAddress + i]!;
      const expected = streamByte(this.received + i);
      assert(found === expected, `received byte ${this.received + i} is ${expected}, not ${found}`);
    }
    this.received += dataLength;
    this.rxPool.free(buffer);
    if (this.consumeAtOnce) tcb.rcvPending -= dataLength;
    this.#upcall(`received ${dataLength}`);
  }

  freeBuffer(buffer: number): void {
    this.rxPool.free(buffer);
  }

  sendComplete(_tcb: typeof this.tcb, buffer: number): void {
    assert(this.#completionOrder.shift() === buffer, 'sends complete in the order in which they were made');
    this.buffers.at(buffer);
    assert(this.buffers.bytesTransferred === this.buffers.dataLength, 'a completed send was acknowledged whole');
    this.completed += this.buffers.dataLength;
    this.#upcall(`sent ${this.buffers.dataLength}`);
    this.txPool.free(buffer);
  }

  peerClosed(): void {
    this.peerClosedCount++;
    assert(this.peerClosedCount === 1, 'the FIN is reported once');
    this.#upcall('peer closed');
  }

  established(): void {
    this.#upcall('established');
  }

  finAcknowledged(): void {
    this.#upcall('FIN acknowledged');
  }

  timeWait(): void {
    this.#upcall('TIME-WAIT');
  }

  closed(tcb: typeof this.tcb, reason: CloseReason): void {
    assert(this.closeReason === -1, 'closed is reported once');
    assert(tcb.state === TcpState.Closed && tcb.timers === 0, 'nothing runs in CLOSED');
    this.closeReason = reason;
    const name = Object.entries(CloseReason).find(([, value]) => value === reason)![0];
    this.#upcall(`closed ${name}`);
  }

  armTimer(_tcb: typeof this.tcb, deadline: number): void {
    this.wheel.scheduleNoLaterThan(this.slot, deadline);
  }

  // --- after the engine has returned ---

  /** What an owner does with a connection that ended: the buffers go back to where they came from. */
  #afterEngine(): void {
    if (this.closeReason === -1 || this.tcb.state !== TcpState.Closed) return;
    dropOutOfOrder(this.tcb, this.buffers, this);
    for (let at = takeSendQueue(this.tcb); at !== 0;) {
      assert(this.#completionOrder.shift() === at, 'what is left is in order');
      const next = this.buffers.at(at).next;
      this.txPool.free(at);
      at = next;
    }
    this.wheel.cancel(this.slot);
  }

  /** What holds between any two calls of the engine. */
  checkInvariants(): void {
    const { tcb } = this;
    if (tcb.state === TcpState.Closed) return;
    assert(seqLeq(tcb.sndUna, tcb.sndNxt) && seqLeq(tcb.sndNxt, tcb.sndMax), 'SND.UNA <= SND.NXT <= sndMax');
    assert(tcb.rcvWnd >= 0 && tcb.sndWnd >= 0, 'no window is negative');
    if (tcb.state >= TcpState.SynReceived)
      assert(tcb.cwnd > 0 && tcb.ssthresh > 0, 'the congestion window is positive');
    assert(
      tcb.sendDataBytes === this.written - this.completed - this.#headTransferred(),
      'the queue has what is unacked',
    );
    const inFlight = (tcb.sndMax - tcb.sndUna) | 0;
    const fin = finOutstanding(tcb.state) ? 1 : 0;
    if (tcb.state >= TcpState.Established)
      assert(inFlight <= tcb.sendDataBytes + fin, 'nothing was sent that there is not');
    this.#checkSent();
    const edge = (tcb.rcvNxt + tcb.rcvWnd) | 0;
    if (tcb.state >= TcpState.Established) {
      assert(
        this.#rightEdge === 0 || seqGeq(edge, this.#rightEdge),
        'the right edge never moves left (RFC 9293 SHLD-14)',
      );
      this.#rightEdge = edge;
    }
    const pending = inFlight > 0 || (tcb.state >= TcpState.Established && tcb.sendDataBytes + fin > 0);
    const runs = (tcb.timers & TcpTimerBit.Retransmit) !== 0;
    if (pending && !this.isBlocked) assert(runs, `a timer runs while something is outstanding in ${this.stateName}`);
    if (tcb.timers !== 0) {
      assert(this.wheel.isScheduled(this.slot), 'a running timer is in the wheel');
      const at = this.wheel.deadlineOf(this.slot);
      if (runs) assert(!seqGt(at, tcb.rtxAt), 'the wheel fires no later than the retransmission timer');
      if ((tcb.timers & TcpTimerBit.DelayedAck) !== 0) assert(!seqGt(at, tcb.ackAt), 'nor than the delayed ACK');
      if ((tcb.timers & TcpTimerBit.KeepAlive) !== 0) assert(!seqGt(at, tcb.kaAt), 'nor than keep-alive');
    }
    const finReceived = (tcb.delegatedFlags & TcpDelegatedFlag.FinReceived) !== 0 ? 1 : 0;
    assert(
      ((tcb.rcvNxt - this.irs - 1 - finReceived) | 0) === this.received || tcb.irs === 0,
      'RCV.NXT counts what arrived',
    );
    assert(tcb.oooHead === 0 ? tcb.oooCount === 0 : tcb.oooCount > 0, 'the out-of-order count is right');
  }

  /** The sent ranges are SND.UNA … SND.NXT, and the counters are what they say. */
  #checkSent(): void {
    const { tcb, sent } = this;
    if (tcb.state < TcpState.Established) return;
    assert(tcb.cwnd >= tcb.effectiveMss, `cwnd of ${tcb.cwnd} is a segment at least`);
    assert(inFlight(tcb) >= 0, `${inFlight(tcb)} bytes are in flight`);
    let start = tcb.sndUna;
    let [sacked, lost, again, segments] = [0, 0, 0, 0];
    for (let at = tcb.sentHead; at !== 0; at = sent.next(at)) {
      const length = (sent.end(at) - start) | 0;
      const flags = sent.flags(at);
      assert(length > 0, 'no range is empty');
      if ((flags & SentFlag.Sacked) !== 0) [sacked, segments] = [sacked + length, segments + sent.segments(at)];
      if ((flags & SentFlag.Lost) !== 0) lost += length;
      if ((flags & SentFlag.Retransmitted) !== 0) again += length;
      start = sent.end(at);
    }
    assert(start === tcb.sndNxt && tcb.sndNxt === tcb.sndMax, 'the ranges end at SND.NXT');
    assert(lost === tcb.lostBytes && again === tcb.retransBytes, 'the counters are the sums of the ranges');
    // Without SACK they count duplicate ACKs.
    if ((tcb.constFlags & TcpConstFlag.Sack) !== 0) {
      assert(sacked === tcb.sackedBytes && segments === tcb.sackedSegments, 'and those of what is SACKed');
    } else assert(sacked === 0, 'nothing is SACKed without SACK');
    assert(tcb.caState >= CaState.Recovery || tcb.lostBytes === 0, 'what is lost is being recovered');
  }

  #headTransferred(): number {
    const head = this.tcb.sendDataHead;
    return head === 0 ? 0 : this.buffers.at(head).bytesTransferred;
  }

  /** At the end of a connection: everything went back. */
  checkEmpty(): void {
    assert(this.rxPool.inUse === 0, `${this.rxPool.inUse} receive buffers are back in the pool`);
    assert(this.txPool.inUse === 0, `${this.txPool.inUse} send descriptors are back`);
    assert(this.tcb.sendDataHead === 0 && this.tcb.oooHead === 0, 'the queues are empty');
    assert(!this.wheel.isScheduled(this.slot), 'no timer is left');
    assert(this.sent.inUse === 0, `${this.sent.inUse} sent ranges are left`);
  }
}
