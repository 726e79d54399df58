/**
 * The TCP engine's owner on the host: connection table, timers, and what the engine asks for (Effects).
 *
 * Segments go down through Network; events are queued for the switch (upcalls.ts) and never handed up inside the engine.
 * Transport (transport.ts) adds what comes from outside: the user's calls and arriving segments.
 */
import { assert } from '../base/assert.ts';
import type { Prng } from '../base/prng.ts';
import { TimerWheel, type TimerHandler } from '../base/timer-wheel.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { ChallengeBudget } from '../tcp/challenge-budget.ts';
import { trafficClassOf } from '../tcp/ecn.ts';
import type { FastOpenCookie } from '../tcp/fast-open.ts';
import type { CloseReason, Effects } from '../tcp/effects.ts';
import type { TcpParams } from '../tcp/params.ts';
import { EndCounters } from '../tcp/end-counters.ts';
import { sizeForPath } from '../tcp/mtu-probe.ts';
import { SegmentWriter } from '../tcp/segment-writer.ts';
import { SentRanges } from '../tcp/sent-ranges.ts';
import { type NetBufferCursor } from '../tcp/send-queue.ts';
import { TcbTable } from '../tcp/tcb-table.ts';
import {
  type Tcb,
  TcpCachedFlag,
  TcpDelegatedFlag,
  TcpPrivateFlag,
  TcpState,
  TcpTimer,
  TcpTimerBit,
} from '../tcp/tcb.ts';
import { timerFired } from '../tcp/timer-fired.ts';
import { sendAck, transmit } from '../tcp/transmit.ts';
import { seqLt } from '../base/seq.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { TcpFlag } from '../wire/tcp.ts';

import { announcedMss } from './announced-mss.ts';
import type { Interface } from './interface.ts';
import type { Network } from './network.ts';
import type { Neighbor } from './neighbor.ts';
import type { Path } from './path.ts';
import { Upcall, UpcallQueue } from './upcalls.ts';

/** Time-outs in a row after which the neighbor is asked whether it is there (tcp_retries1 of Linux). */
const DOUBT_AFTER = 3;

/** Received text that the layer above keeps. */
export interface KeptText {
  readonly heldBuffers: number;
  hasHeld(slot: number): boolean;
}

export abstract class HostTcp implements Effects, TimerHandler {
  readonly params: TcpParams;
  readonly challenges: ChallengeBudget;
  readonly table: TcbTable;
  readonly sent: SentRanges;
  readonly tcb: Tcb;
  readonly buffers: NetBufferCursor;
  readonly upcalls = new UpcallQueue();
  protected readonly memory: Memory;
  protected readonly network: Network;
  protected readonly own: NetBufferCursor;
  readonly #wheel: TimerWheel;
  readonly #writer: SegmentWriter;
  readonly #interfaces: Interface[];
  readonly #blocked: number[] = [];
  /** The receive buffer of the segment in hand, and whether the engine kept it. */
  protected current = 0;
  protected isKept = false;
  /** NET_BUFFERs in out-of-order queues, and how many there may be: they are the devices' receive buffers. */
  protected outOfOrder = 0;
  outOfOrderMax = Number.MAX_SAFE_INTEGER;
  /** What applications have left, and how many buffers it may take. */
  kept: KeptText | null = null;
  keptMax = Number.MAX_SAFE_INTEGER;
  now = 0;
  /** A connection gets no answer through this neighbor. */
  doubted: (neighbor: Neighbor) => void = () => {};
  /** How connections began and ended. */
  readonly counters = new EndCounters();
  segmentsIn = 0;
  segmentsOut = 0;
  retransmissions = 0;

  constructor(
    memory: Memory,
    region: Region,
    capacity: number,
    network: Network,
    interfaces: Interface[],
    params: TcpParams,
    prng: Prng,
  ) {
    this.params = params;
    this.challenges = new ChallengeBudget(params.challengeAcksPerSecond, prng.fork('challenges'));
    this.memory = memory;
    this.network = network;
    this.#interfaces = interfaces;
    this.table = new TcbTable(memory, region, capacity);
    this.sent = new SentRanges(capacity);
    this.tcb = this.table.cursor();
    this.buffers = NetBuffer.view(memory);
    this.own = NetBuffer.view(memory);
    this.#wheel = new TimerWheel(capacity, 0);
    this.#writer = new SegmentWriter(memory, network.addresses);
  }

  /** Places the cursor; the one entry to a connection. */
  at(slot: number): Tcb {
    return this.tcb.at(this.table.addressOf(slot));
  }

  get addresses(): AddressTable {
    return this.network.addresses;
  }

  interfaceOf(tcb: Tcb): Interface {
    return this.#interfaces[tcb.vid]!;
  }

  pathOf(tcb: Tcb): Path {
    return this.network.path(tcb.path);
  }

  // --- time ---

  timerFired(slot: number, now: number): void {
    const tcb = this.at(slot);
    const before = tcb.state;
    timerFired(tcb, now, this);
    this.counters.ran(before, tcb.state);
    // RFC 1122 2.3.2.1 (4): advice that what goes through the neighbor does not arrive.
    if (tcb.rtxCount >= DOUBT_AFTER && tcb.rtxKind === TcpTimer.Retransmit) this.doubted(this.pathOf(tcb).neighbor);
  }

  expireTimers(now: number): number {
    return this.#wheel.expire(now, this);
  }

  ticksUntilTimer(now: number): number {
    return this.#wheel.ticksUntilNext(now);
  }

  cancelTimer(slot: number): void {
    this.#wheel.cancel(slot);
  }

  /** Connections whose segments found no buffer try again. */
  retryBlocked(): number {
    const { length } = this.#blocked;
    for (let i = 0; i < length; i++) {
      const slot = this.#blocked.shift()!;
      if (!this.table.isLive(slot)) continue;
      const tcb = this.at(slot);
      if ((tcb.privateFlags & TcpPrivateFlag.TransmitPending) === 0) continue;
      tcb.privateFlags &= ~TcpPrivateFlag.TransmitPending;
      if (tcb.offloadState === OffloadState.InHost) transmit(tcb, this.now, this);
    }
    return length;
  }

  /** D08: an ACK that is owed leaves before the connection changes hands; without a buffer for it, it travels. */
  flushAck(tcb: Tcb): void {
    const owed = (tcb.privateFlags & TcpPrivateFlag.AckNow) !== 0 || (tcb.timers & TcpTimerBit.DelayedAck) !== 0;
    if (owed) sendAck(tcb, this);
  }

  get blockedCount(): number {
    return this.#blocked.length;
  }

  // --- Effects ---

  emitSegment(tcb: Tcb, flags: number, seq: number, length: number): boolean {
    const buffer = this.network.begin();
    if (buffer === 0) return false;
    const path = this.pathOf(tcb);
    const at = this.network.payloadAt(buffer, path);
    const isSyn = (flags & TcpFlag.Syn) !== 0;
    const total = isSyn
      ? this.#writeSyn(tcb, path, at, flags, seq, length)
      : this.#writer.write(tcb, at, flags, seq, length, this.now);
    this.segmentsOut++;
    if ((flags & TcpFlag.Rst) !== 0) this.counters.outResets++;
    // Text, SYN or FIN below what was sent before.
    const carries = length > 0 || (flags & (TcpFlag.Syn | TcpFlag.Fin)) !== 0;
    if (carries && seqLt(seq, tcb.sndMax)) this.retransmissions++;
    const trafficClass = trafficClassOf(tcb, seq, length);
    const mayFragment = path.mayBeCut || (tcb.cachedFlags & TcpCachedFlag.MayFragment) !== 0;
    this.network.finish(path, buffer, IpProtocol.Tcp, trafficClass, tcb.ttl, total, mayFragment, tcb.flowLabel);
    return true;
  }

  /** What the path allows the peer to send goes into the option alone: how much we send does not depend on it. */
  #writeSyn(tcb: Tcb, path: Path, at: number, flags: number, seq: number, length: number): number {
    this.fastOpenOption(tcb, flags, this.#writer.fastOpen);
    const { advertisedMss } = tcb;
    tcb.advertisedMss = announcedMss(tcb, path);
    const total = this.#writer.write(tcb, at, flags, seq, length, this.now);
    tcb.advertisedMss = advertisedMss;
    return total;
  }

  /** RFC 7413: what the SYN that is about to leave says of Fast Open. */
  protected abstract fastOpenOption(tcb: Tcb, flags: number, out: FastOpenCookie): void;

  transmitBlocked(tcb: Tcb): void {
    if ((tcb.privateFlags & TcpPrivateFlag.TransmitPending) !== 0) return;
    tcb.privateFlags |= TcpPrivateFlag.TransmitPending;
    this.#blocked.push(this.table.slotOf(tcb));
  }

  takePayload(at: number, length: number, inOrder: boolean): number {
    // A device has no buffer left for what fills the gaps when out-of-order text has taken them all.
    if (!inOrder && this.outOfOrder >= this.outOfOrderMax) return 0;
    if (inOrder && this.#isUnread) return 0;
    assert(this.current !== 0 && !this.isKept, 'one segment, one buffer');
    this.isKept = true;
    const buffer = this.own.at(this.current);
    buffer.dataAddress = at;
    buffer.dataLength = length;
    return this.current;
  }

  /** Memory is short, and this application reads nothing: what comes is left to those who read. */
  get #isUnread(): boolean {
    const { kept } = this;
    return kept !== null && kept.heldBuffers >= this.keptMax && kept.hasHeld(this.table.slotOf(this.tcb));
  }

  indicateReceive(tcb: Tcb, buffer: number): void {
    this.upcalls.push(Upcall.Received, this.table.slotOf(tcb), buffer);
  }

  freeBuffer(buffer: number): void {
    this.interfaceOf(this.tcb).adapter.down.returnBuffer(buffer);
  }

  sendComplete(tcb: Tcb, buffer: number): void {
    this.upcalls.push(Upcall.Sent, this.table.slotOf(tcb), buffer);
  }

  peerClosed(tcb: Tcb): void {
    this.upcalls.push(Upcall.PeerClosed, this.table.slotOf(tcb), 0);
  }

  established(tcb: Tcb): void {
    // The path may carry less than the interfaces at its ends (RFC 1191 6.4).
    const path = this.pathOf(tcb);
    tcb.effectiveMss = Math.min(tcb.effectiveMss, sizeForPath(tcb, path.mtu));
    // No SYN is written any more.
    tcb.advertisedMss = announcedMss(tcb, path);
    const passive = (tcb.privateFlags & TcpPrivateFlag.Passive) !== 0;
    // The application has it already (RFC 7413).
    const isKnown = tcb.state === TcpState.Established && (tcb.delegatedFlags & TcpDelegatedFlag.FastOpen) !== 0;
    const kind = passive ? (isKnown ? Upcall.Confirmed : Upcall.Accepted) : Upcall.Connected;
    this.upcalls.push(kind, this.table.slotOf(tcb), 0);
  }

  initialWindowSegments(tcb: Tcb): number {
    return this.pathOf(tcb).metrics.initialWindow;
  }

  finAcknowledged(tcb: Tcb): void {
    this.upcalls.push(Upcall.FinAcknowledged, this.table.slotOf(tcb), 0);
  }

  closed(tcb: Tcb, reason: CloseReason): void {
    const slot = this.table.slotOf(tcb);
    this.#wheel.cancel(slot);
    // Its addresses are free at once; the slot only after the switch has been told.
    this.table.remove(slot);
    this.upcalls.push(Upcall.Closed, slot, reason);
  }

  timeWait(tcb: Tcb): void {
    this.upcalls.push(Upcall.TimeWait, this.table.slotOf(tcb), 0);
  }

  armTimer(tcb: Tcb, deadline: number): void {
    this.#wheel.scheduleNoLaterThan(this.table.slotOf(tcb), deadline);
  }
}
