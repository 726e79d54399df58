/**
 * What the TCP engine asks of a population, about the connection that its cursor stands on.
 *
 * In-order text is not copied: `takePayload` hands out one permanent descriptor, outside the pool, that points at the
 * bytes in the frame; the application reads them before the frame is given back. Only text that arrives out of order is
 * copied into a pool buffer. A segment that finds no room, or no MAC address, waits with its connection in a list.
 */
import type { Prng } from '../../base/prng.ts';
import { ChallengeBudget } from '../../tcp/challenge-budget.ts';
import { seqGt, seqLt } from '../../base/seq.ts';
import type { Memory } from '../../memory/memory.ts';
import { NetBuffer } from '../../memory/net-buffer.ts';
import { acknowledgesRead } from '../../tcp/delayed-ack.ts';
import { trafficClassOf } from '../../tcp/ecn.ts';
import type { CloseReason, Effects } from '../../tcp/effects.ts';
import type { TcpParams } from '../../tcp/params.ts';
import { SentRanges } from '../../tcp/sent-ranges.ts';
import { SegmentWriter } from '../../tcp/segment-writer.ts';
import type { NetBufferCursor } from '../../tcp/send-queue.ts';
import { type Tcb, TcpPrivateFlag } from '../../tcp/tcb.ts';
import type { AddressTable } from '../../wire/address-table.ts';
import { IpProtocol } from '../../wire/ipv4.ts';
import { TcpFlag, TcpHeader } from '../../wire/tcp.ts';
import type { NeighborTable } from './neighbor-table.ts';
import { NO_ROOM, type StationConnections } from './station-connections.ts';
import type { StationCounters } from './station-counters.ts';
import { StationEvent, type StationEvents } from './station-events.ts';
import type { StationLink } from './station-link.ts';

export class StationEffects implements Effects {
  readonly params: TcpParams;
  readonly challenges: ChallengeBudget;
  readonly sent: SentRanges;
  readonly buffers: NetBufferCursor;
  /** Ticks; set at every step of the population. */
  now: number;
  /** The segment that the engine works on. */
  segment = new TcpHeader();
  readonly #memory: Memory;
  readonly #connections: StationConnections;
  readonly #link: StationLink;
  readonly #neighbors: NeighborTable;
  readonly #counters: StationCounters;
  readonly #events: StationEvents;
  readonly #writer: SegmentWriter;
  readonly #descriptor: NetBufferCursor;
  readonly #inPlace: number;
  #blockedOn = NO_ROOM;

  /** @param inPlace address of the permanent descriptor */
  constructor(
    memory: Memory,
    addresses: AddressTable,
    params: TcpParams,
    connections: StationConnections,
    link: StationLink,
    neighbors: NeighborTable,
    counters: StationCounters,
    events: StationEvents,
    inPlace: number,
    prng: Prng,
    now: number,
  ) {
    this.params = params;
    this.challenges = new ChallengeBudget(params.challengeAcksPerSecond, prng);
    this.sent = new SentRanges(connections.table.capacity);
    this.buffers = NetBuffer.view(memory);
    this.now = now;
    this.#memory = memory;
    this.#connections = connections;
    this.#link = link;
    this.#neighbors = neighbors;
    this.#counters = counters;
    this.#events = events;
    this.#writer = new SegmentWriter(memory, addresses);
    this.#descriptor = NetBuffer.view(memory);
    this.#inPlace = inPlace;
  }

  emitSegment(tcb: Tcb, flags: number, seq: number, length: number): boolean {
    const link = this.#link;
    const neighbors = this.#neighbors;
    const neighbor = tcb.path;
    if (!link.uplink.hasRoom) {
      this.#blockedOn = NO_ROOM;
      return false;
    }
    if (!neighbors.mayUse(neighbor, tcb.localAddress, this.now)) {
      this.#blockedOn = 1 + neighbor;
      return false;
    }
    if (seqLt(seq, tcb.sndMax) && (length > 0 || (flags & (TcpFlag.Syn | TcpFlag.Fin)) !== 0)) {
      this.#counters.retransmissions++;
      if (tcb.rtxCount >= 2) neighbors.doubt(neighbor, tcb.localAddress, this.now);
    }
    const size = this.#writer.write(tcb, link.payloadAt, flags, seq, length, this.now);
    link.sendDatagram(
      neighbors.groupOf(neighbor),
      true,
      trafficClassOf(tcb, seq, length),
      tcb.flowLabel,
      size,
      IpProtocol.Tcp,
      tcb.localAddress,
      tcb.remoteAddress,
      neighbors.macHi[neighbor],
      neighbors.macLo[neighbor],
    );
    return true;
  }

  transmitBlocked(_tcb: Tcb): void {
    const { blocked, slot } = this.#connections;
    if (blocked.listOf(slot) === this.#blockedOn) return;
    blocked.remove(slot);
    blocked.append(this.#blockedOn, slot);
  }

  takePayload(at: number, length: number): number {
    const { tcb, pool } = this.#connections;
    let buffer = this.#inPlace;
    let dataAddress = at;
    // Text that begins at RCV.NXT, or that receiveText has cut to begin there, is indicated before the engine returns; so
    // filling a gap takes no buffer, and a pool that is used up by gaps gets its buffers back.
    if (seqGt(this.segment.segSeq, tcb.rcvNxt)) {
      buffer = pool.allocate();
      if (buffer === 0) {
        this.#counters.droppedNoBuffer++;
        return 0;
      }
      dataAddress = pool.dataOf(buffer);
      this.#memory.kernels.copy(dataAddress, at, length);
    }
    const descriptor = this.#descriptor.at(buffer);
    descriptor.dataAddress = dataAddress;
    descriptor.dataLength = length;
    return buffer;
  }

  indicateReceive(tcb: Tcb, buffer: number): void {
    const app = this.#connections.appOf(this.#connections.slot);
    // The application will have read the bytes before anything else happens: the window need not close on them.
    if (app === undefined || !app.holdsReceived) {
      tcb.rcvPending -= this.#descriptor.at(buffer).dataLength;
      if (acknowledgesRead(tcb, this)) tcb.privateFlags |= TcpPrivateFlag.AckNow;
    }
    this.#events.addReceived(buffer);
  }

  freeBuffer(buffer: number): void {
    if (buffer !== this.#inPlace) this.#connections.pool.free(buffer);
  }

  sendComplete(_tcb: Tcb, buffer: number): void {
    this.#events.addCompleted(buffer);
  }

  peerClosed(_tcb: Tcb): void {
    this.#events.current.bits |= StationEvent.PeerClosed;
  }

  established(_tcb: Tcb): void {
    this.#events.current.bits |= StationEvent.Established;
  }

  finAcknowledged(_tcb: Tcb): void {
    // Nobody here waits for it: TIME-WAIT or CLOSED follow.
  }

  closed(_tcb: Tcb, reason: CloseReason): void {
    this.#events.current.bits |= StationEvent.Closed;
    this.#events.current.reason = reason;
  }

  timeWait(tcb: Tcb): void {
    this.#events.current.bits |= StationEvent.TimeWait;
    // The wheel may be armed earlier for a timer that is over; this one deadline is left.
    this.#connections.wheel.schedule(this.#connections.slot, tcb.rtxAt);
  }

  armTimer(_tcb: Tcb, deadline: number): void {
    this.#connections.wheel.scheduleNoLaterThan(this.#connections.slot, deadline);
  }
}
