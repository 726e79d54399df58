/**
 * TCP of all stations of a population: every way into the sans-I/O engine (src/tcp), and the way out of it to the
 * applications. Segments come from station-ip.ts, calls and time from population.ts.
 *
 * Each entry places the cursor, runs the engine, and then works off what it reported (station-events.ts).
 */
import type { Prng } from '../../base/prng.ts';
import type { TimerHandler } from '../../base/timer-wheel.ts';
import type { Memory } from '../../memory/memory.ts';
import { NetBuffer } from '../../memory/net-buffer.ts';
import { CloseReason } from '../../tcp/effects.ts';
import { activeOpen, passiveOpen } from '../../tcp/open.ts';
import type { TcpParams } from '../../tcp/params.ts';
import { dropOutOfOrder } from '../../tcp/reassembly.ts';
import { endConnection, ResetReply, resetFor } from '../../tcp/reset.ts';
import { segmentArrives } from '../../tcp/segment-arrives.ts';
import type { NetBufferCursor } from '../../tcp/send-queue.ts';
import { TcpState } from '../../tcp/tcb.ts';
import { timerFired } from '../../tcp/timer-fired.ts';
import { transmit } from '../../tcp/transmit.ts';
import { abort, close, consumed, send, sendAndClose } from '../../tcp/user-calls.ts';
import { type AddressTable, isIpv6 } from '../../wire/address-table.ts';
import { checksumOf, onesComplementSum } from '../../wire/checksum.ts';
import type { IpDatagram } from '../../wire/ip-datagram.ts';
import { IpProtocol } from '../../wire/ipv4.ts';
import { emitTcpHeader, TCP, type TcpHeader } from '../../wire/tcp.ts';
import type { NeighborTable, NeighborWatcher } from './neighbor-table.ts';
import type { PopulationRegions, PopulationShape } from './population-regions.ts';
import type { StationApp } from './station-app.ts';
import { NO_ROOM, StationConnections } from './station-connections.ts';
import type { StationCounters } from './station-counters.ts';
import { StationEffects } from './station-effects.ts';
import { StationEvent, StationEvents } from './station-events.ts';
import type { StationGroup } from './station-group.ts';
import type { StationLink } from './station-link.ts';

const FLOW_LABEL_MAX = 0xfffff;

export class StationTcp implements TimerHandler, NeighborWatcher {
  readonly connections: StationConnections;
  readonly #addresses: AddressTable;
  readonly #memory: Memory;
  readonly #link: StationLink;
  readonly #counters: StationCounters;
  readonly #prng: Prng;
  readonly #effects: StationEffects;
  readonly #descriptor: NetBufferCursor;
  readonly #reply = new ResetReply();
  readonly #events: StationEvents;
  #isDispatching = false;

  constructor(
    memory: Memory,
    regions: PopulationRegions,
    shape: PopulationShape,
    params: TcpParams,
    addresses: AddressTable,
    link: StationLink,
    neighbors: NeighborTable,
    counters: StationCounters,
    prng: Prng,
    now: number,
  ) {
    this.connections = new StationConnections(memory, regions, shape, addresses, counters, now);
    this.#memory = memory;
    this.#addresses = addresses;
    this.#link = link;
    this.#counters = counters;
    this.#prng = prng;
    this.#events = new StationEvents(memory);
    this.#descriptor = NetBuffer.view(memory);
    const inPlace = regions.scratch.offset;
    const { connections } = this;
    this.#effects = new StationEffects(
      memory,
      addresses,
      params,
      connections,
      link,
      neighbors,
      counters,
      this.#events,
      inPlace,
      prng.fork('challenges'),
      now,
    );
  }

  /** Ticks. */
  get now(): number {
    return this.#effects.now;
  }

  set now(ticks: number) {
    this.#effects.now = ticks;
  }

  // Calls from above. A connection that is over, or never was, refuses them.

  /** Active OPEN; the connection, or -1 when there is no TCB. */
  connect(
    app: StationApp,
    neighbor: number,
    localAddress: number,
    localPort: number,
    remoteAddress: number,
    remotePort: number,
  ): number {
    const { connections } = this;
    if (!connections.open(app, neighbor, localAddress, localPort, remoteAddress, remotePort)) return -1;
    const { slot } = connections;
    this.#label();
    activeOpen(connections.tcb, this.#prng.int32(), this.#prng.int32(), this.now, this.#effects);
    return slot;
  }

  send(slot: number, chain: number): boolean {
    const { connections } = this;
    if (!connections.table.isLive(slot)) return false;
    const accepted = send(connections.place(slot), chain, connections.buffers, this.now, this.#effects);
    this.#leave(slot);
    return accepted;
  }

  sendAndClose(slot: number, chain: number): boolean {
    const { connections } = this;
    if (!connections.table.isLive(slot)) return false;
    const accepted = sendAndClose(connections.place(slot), chain, connections.buffers, this.now, this.#effects);
    this.#leave(slot);
    return accepted;
  }

  close(slot: number): boolean {
    const { connections } = this;
    if (!connections.table.isLive(slot)) return false;
    const accepted = close(connections.place(slot), this.now, this.#effects);
    this.#leave(slot);
    return accepted;
  }

  abort(slot: number): void {
    const { connections } = this;
    if (!connections.table.isLive(slot)) return;
    abort(connections.place(slot), this.#effects);
    this.#leave(slot);
  }

  consumed(slot: number, count: number): void {
    const { connections } = this;
    if (!connections.table.isLive(slot)) return;
    consumed(connections.place(slot), count, this.now, this.#effects);
    this.#leave(slot);
  }

  stateOf(slot: number): number {
    const { connections } = this;
    return connections.table.isLive(slot) ? connections.place(slot).state : TcpState.Closed;
  }

  // From below: segments, time, room, neighbors.

  find(ip: IpDatagram, segment: TcpHeader): number {
    return this.connections.table.lookup(ip.source, segment.srcPort, ip.destination, segment.dstPort, 0);
  }

  /** A segment for this connection, its checksum right. `macHi`, `macLo`: where the frame came from. */
  segmentArrives(
    slot: number,
    ip: IpDatagram,
    segment: TcpHeader,
    group: StationGroup,
    macHi: number,
    macLo: number,
  ): void {
    const { connections } = this;
    const effects = this.#effects;
    effects.segment = segment;
    const tcb = connections.place(slot);
    if (segmentArrives(tcb, segment, connections.buffers, effects.now, effects, this.#reply)) {
      this.#sendReset(ip, segment, group, macHi, macLo);
    }
    this.#leave(slot);
  }

  /** RFC 9293 3.10.7.1: a segment for which there is no connection. */
  refuse(ip: IpDatagram, segment: TcpHeader, group: StationGroup, macHi: number, macLo: number): void {
    if (resetFor(segment, this.#reply)) this.#sendReset(ip, segment, group, macHi, macLo);
  }

  /** Passive OPEN by a SYN that a listener takes; false when there is no TCB. */
  accept(app: StationApp, neighbor: number, ip: IpDatagram, segment: TcpHeader): boolean {
    const { connections } = this;
    if (!connections.open(app, neighbor, ip.destination, segment.dstPort, ip.source, segment.srcPort)) return false;
    this.#label();
    passiveOpen(connections.tcb, segment, this.#prng.int32(), this.#prng.int32(), this.now, this.#effects);
    return true;
  }

  /** RFC 6437 3: the flow label of the connection under the cursor. */
  #label(): void {
    const { tcb } = this.connections;
    if (isIpv6(tcb.localAddress)) tcb.flowLabel = 1 + this.#prng.below(FLOW_LABEL_MAX);
  }

  timerFired(slot: number, now: number): void {
    timerFired(this.connections.place(slot), now, this.#effects);
    this.#leave(slot);
  }

  /** Connections that found no room; those that wait for a neighbor do not count. */
  get blockedCount(): number {
    return this.connections.blocked.count(NO_ROOM);
  }

  /** Lets connections that found no room try again, the longest waiting first; returns how many. */
  retryBlocked(): number {
    const { connections } = this;
    const { blocked } = connections;
    const waiting = blocked.count(NO_ROOM);
    let did = 0;
    while (did < waiting && this.#link.uplink.hasRoom) {
      const slot = blocked.takeFirst(NO_ROOM);
      transmit(connections.place(slot), this.now, this.#effects);
      this.#leave(slot);
      did++;
    }
    return did;
  }

  neighborResolved(neighbor: number): void {
    const { blocked } = this.connections;
    for (;;) {
      const slot = blocked.takeFirst(1 + neighbor);
      if (slot < 0) return;
      blocked.append(NO_ROOM, slot);
    }
  }

  /** What waits has sent nothing and runs no timer, so nobody else would end it. */
  neighborFailed(neighbor: number): void {
    const { connections } = this;
    for (;;) {
      const slot = connections.blocked.takeFirst(1 + neighbor);
      if (slot < 0) return;
      const tcb = connections.place(slot);
      if (tcb.state !== TcpState.Closed) endConnection(tcb, CloseReason.TimedOut, this.#effects);
      this.#leave(slot);
    }
  }

  /** The engine has returned: works off what it reported, and what the applications' own calls lead to. */
  #leave(slot: number): void {
    const events = this.#events;
    if (events.current.bits === 0) return;
    events.enqueue(slot);
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    let record = events.take();
    while (record !== undefined) {
      this.#dispatch(record.connection, record.bits, record.received, record.completed, record.reason);
      record = events.take();
    }
    this.#isDispatching = false;
  }

  #dispatch(slot: number, bits: number, received: number, completed: number, reason: CloseReason): void {
    const { connections } = this;
    const app = connections.appOf(slot);
    if ((bits & StationEvent.Established) !== 0) app?.established(slot);
    if (received !== 0) this.#indicate(slot, received, app);
    if (completed !== 0) this.#complete(slot, completed, app);
    if ((bits & StationEvent.PeerClosed) !== 0) app?.peerClosed(slot);
    if ((bits & (StationEvent.TimeWait | StationEvent.Closed)) === 0) return;
    const isClosed = (bits & StationEvent.Closed) !== 0;
    if (isClosed) {
      const tcb = connections.place(slot);
      if (tcb.oooHead !== 0) dropOutOfOrder(tcb, connections.buffers, this.#effects);
      connections.dropSendQueue(slot);
    }
    connections.detach(slot);
    app?.ended(slot, reason);
    if (isClosed) connections.free(slot);
    else connections.enterTimeWait(slot);
  }

  #indicate(slot: number, first: number, app: StationApp | undefined): void {
    let buffer = first;
    while (buffer !== 0) {
      const descriptor = this.#descriptor.at(buffer);
      const { next } = descriptor;
      app?.received(slot, descriptor.dataAddress, descriptor.dataLength);
      this.#effects.freeBuffer(buffer);
      buffer = next;
    }
  }

  #complete(slot: number, first: number, app: StationApp | undefined): void {
    const { pool } = this.connections;
    let buffer = first;
    while (buffer !== 0) {
      const { next } = this.#descriptor.at(buffer);
      app?.sendCompleted(slot, buffer);
      if (pool.owns(buffer)) pool.free(buffer);
      buffer = next;
    }
  }

  /** 3.5.2: goes back to where the segment came from, whether or not that neighbor is known. */
  #sendReset(ip: IpDatagram, segment: TcpHeader, group: StationGroup, macHi: number, macLo: number): void {
    const { view } = this.#memory;
    const { flags, segSeq, segAck } = this.#reply;
    const at = this.#link.payloadAt;
    const length = TCP.headerLength;
    emitTcpHeader(view, at, segment.dstPort, segment.srcPort, segSeq, segAck, length, flags, 0);
    const pseudo = this.#addresses.pseudoHeaderSum(ip.destination, ip.source, IpProtocol.Tcp, length);
    view.setUint16(at + TCP.checksum, checksumOf(onesComplementSum(view, at, length, pseudo)));
    this.#counters.resetsOut++;
    this.#link.sendDatagram(group, true, 0, 0, length, IpProtocol.Tcp, ip.destination, ip.source, macHi, macLo);
  }
}
