/**
 * A population of remote hosts on one port of the switch: thousands of IP addresses, one TCP engine, one object.
 *
 *   switch port ── Population ── groups: local stations, each with its own MAC
 *                                        a router with one MAC, and stations of a prefix behind it
 *
 * `deliver` takes frames from the switch, `step` does what time asks for; both run in the fabric's thread. A frame that
 * arrives while one of ours is in the uplink's hands (a switch that leads straight to another population) is copied into
 * a backlog, so that the engine is never entered twice. Time is that of the last step.
 */
import { ticksOf, US_PER_TICK } from '../../base/clock.ts';
import { Prng } from '../../base/prng.ts';
import type { Memory } from '../../memory/memory.ts';
import { NetBuffer } from '../../memory/net-buffer.ts';
import type { NetBufferCursor } from '../../tcp/send-queue.ts';
import { AddressTable } from '../../wire/address-table.ts';
import type { FabricPart, Port, Uplink } from '../port.ts';
import { NeighborTable } from './neighbor-table.ts';
import {
  BACKLOG_FRAMES,
  type PopulationOptions,
  type PopulationRegions,
  populationShape,
  tcpParamsOf,
} from './population-regions.ts';
import type { StationApp } from './station-app.ts';
import { StationCounters } from './station-counters.ts';
import { StationGroup } from './station-group.ts';
import { StationIp } from './station-ip.ts';
import { frameSlotBytes, StationLink } from './station-link.ts';
import { StationTcp } from './station-tcp.ts';

/** Dynamic ports, RFC 6335 6. */
const EPHEMERAL_FIRST = 49_152;
const EPHEMERAL_COUNT = 16_384;
const PORT_TRIES = 32;
/** Router, server, gateway. */
const ADDRESSES_PER_GROUP = 3;
/** How soon to look again whether the uplink has room. */
const NO_ROOM_RETRY_US = 20;
/** Backlogged frames worked off at a time; the rest waits for the next step. */
const BACKLOG_BATCH = 1024;

export class Population implements Port, FabricPart {
  readonly name: string;
  readonly groups: readonly StationGroup[];
  /** Stations of all groups. */
  readonly stations: number;
  readonly counters = new StationCounters();
  /** IPv6 addresses of the stations, and of those they talk to. */
  readonly addresses: AddressTable;
  readonly #memory: Memory;
  readonly #descriptor: NetBufferCursor;
  readonly #link: StationLink;
  readonly #neighbors: NeighborTable;
  readonly #tcp: StationTcp;
  readonly #ip: StationIp;
  readonly #nextPort: Uint16Array;
  readonly #drivers: FabricPart[] = [];
  readonly #backlogAt: number;
  readonly #backlogStride: number;
  readonly #backlogLengths = new Int32Array(BACKLOG_FRAMES);
  #backlogHead = 0;
  #backlogTail = 0;

  constructor(memory: Memory, regions: PopulationRegions, options: PopulationOptions, nowUs: number) {
    const shape = populationShape(options);
    const prng = new Prng(options.seed).fork(options.name);
    const { groups } = options;
    const counted = groups.reduce((sum, { count }) => sum + count, 0);
    // Of a packet that is looked at, two more.
    this.addresses = new AddressTable(
      counted + ADDRESSES_PER_GROUP * groups.length + shape.neighbors + shape.slots + 2,
    );
    let stations = 0;
    this.name = options.name;
    this.groups = groups.map((group, index) => {
      stations += group.count;
      return new StationGroup(group, index, stations - group.count, this.addresses);
    });
    this.stations = stations;
    this.#memory = memory;
    this.#descriptor = NetBuffer.view(memory);
    this.#link = new StationLink(memory, regions.scratch.offset + NetBuffer.byteLength, this.addresses, this.counters);
    this.#neighbors = new NeighborTable(
      shape.neighbors,
      this.groups,
      memory,
      this.addresses,
      this.#link,
      this.counters,
    );
    this.#tcp = new StationTcp(
      memory,
      regions,
      shape,
      tcpParamsOf(options),
      this.addresses,
      this.#link,
      this.#neighbors,
      this.counters,
      prng.fork('ISN'),
      ticksOf(nowUs),
    );
    this.#ip = new StationIp(
      memory,
      this.groups,
      this.addresses,
      this.#link,
      this.#neighbors,
      this.counters,
      this.#tcp,
    );
    const ports = prng.fork('ports');
    this.#nextPort = new Uint16Array(stations).map(() => ports.below(EPHEMERAL_COUNT));
    this.#backlogAt = regions.backlog.offset;
    this.#backlogStride = frameSlotBytes(shape.mtu);
  }

  /** Where frames go; without it nothing is sent. */
  attach(uplink: Uplink): void {
    this.#link.uplink = uplink;
  }

  /** Something that runs on the stations and has work of its own, such as a ClientLoad: stepped with the population. */
  drive(part: FabricPart): void {
    this.#drivers.push(part);
  }

  /** Connections that have not ended, and those in TIME-WAIT. */
  get connections(): number {
    return this.#tcp.connections.table.inUse - this.timeWaits;
  }

  get timeWaits(): number {
    return this.#tcp.connections.timeWaits;
  }

  /** TCBs, those in use included. */
  get slots(): number {
    return this.#tcp.connections.table.capacity;
  }

  /** Payload buffers in use: 0 when nothing is on its way. */
  get buffersInUse(): number {
    return this.#tcp.connections.pool.inUse;
  }

  get uplinkHasRoom(): boolean {
    return this.#link.uplink.hasRoom;
  }

  deliver(frameAt: number, length: number): boolean {
    if (this.#link.isSending) return this.#putOff(frameAt, length);
    this.#ip.receive(frameAt, length);
    if (this.#backlogHead !== this.#backlogTail) this.#workOffBacklog();
    return true;
  }

  step(nowUs: number): number {
    const now = ticksOf(nowUs);
    const tcp = this.#tcp;
    tcp.now = now;
    let did = this.#workOffBacklog();
    did += tcp.connections.expire(now, tcp);
    did += this.#neighbors.step(now, tcp);
    if (this.#tcp.blockedCount > 0) did += tcp.retryBlocked();
    for (let i = 0; i < this.#drivers.length; i++) did += this.#drivers[i].step(nowUs);
    return did;
  }

  usUntilNext(nowUs: number): number {
    const { uplink } = this.#link;
    if (this.#backlogHead !== this.#backlogTail) return 0;
    if (this.#tcp.blockedCount > 0) return uplink.hasRoom ? 0 : NO_ROOM_RETRY_US;
    let next = usOfTicks(this.#tcp.connections.wheel.ticksUntilNext(ticksOf(nowUs)), nowUs);
    next = sooner(next, usOfTicks(this.#neighbors.ticksUntilNext(ticksOf(nowUs)), nowUs));
    for (let i = 0; i < this.#drivers.length; i++) next = sooner(next, this.#drivers[i].usUntilNext(nowUs));
    return next;
  }

  // What runs on the stations.

  /** LISTEN on an address of the population, or with 0 on all of them. */
  listen(address: number, port: number, app: StationApp): void {
    this.#ip.listen(address, port, app);
  }

  /** OPEN from a station, by its number, and an ephemeral port unless one is named. -1: no TCB, port or neighbor left. */
  connect(station: number, address: number, port: number, app: StationApp, localPort = 0): number {
    const group = this.groupOf(station);
    const local = group.addressOf(station);
    const neighbor = this.#neighbors.entryFor(group, group.nextHop(address));
    const from = localPort === 0 ? this.#freePort(station, local, address, port) : localPort;
    if (neighbor < 0 || from === 0) return -1;
    return this.#tcp.connect(app, neighbor, local, from, address, port);
  }

  groupOf(station: number): StationGroup {
    let index = 0;
    while (station >= this.groups[index].firstStation + this.groups[index].count) index++;
    return this.groups[index];
  }

  /** SEND: a chain of NET_BUFFERs, lent until each is completed. False when the connection takes no more. */
  send(connection: number, chain: number): boolean {
    return this.#tcp.send(connection, chain);
  }

  sendAndClose(connection: number, chain: number): boolean {
    return this.#tcp.sendAndClose(connection, chain);
  }

  /** SEND of bytes, copied into buffers of the population's pool; returns how many were taken. */
  sendBytes(connection: number, bytes: Uint8Array): number {
    const { pool } = this.#tcp.connections;
    const descriptor = this.#descriptor;
    let taken = 0;
    while (taken < bytes.length && pool.available > 0) {
      const buffer = pool.allocate();
      const length = Math.min(pool.dataBytes, bytes.length - taken);
      descriptor.at(buffer).dataAddress = pool.dataOf(buffer);
      descriptor.dataLength = length;
      descriptor.next = 0;
      this.#memory.u8.set(bytes.subarray(taken, taken + length), descriptor.dataAddress);
      if (!this.#tcp.send(connection, buffer)) {
        pool.free(buffer);
        break;
      }
      taken += length;
    }
    return taken;
  }

  /** CLOSE of the sending direction. */
  close(connection: number): boolean {
    return this.#tcp.close(connection);
  }

  /** ABORT: RST, and `ended` with Aborted. */
  abort(connection: number): void {
    this.#tcp.abort(connection);
  }

  /** An application that holds received bytes has read some. */
  consumed(connection: number, count: number): void {
    this.#tcp.consumed(connection, count);
  }

  /** TcpState of a connection, Closed when it is over. */
  stateOf(connection: number): number {
    return this.#tcp.stateOf(connection);
  }

  /** Sends an ICMP or ICMPv6 echo request; false when that has to be repeated later. Replies are counted. */
  ping(station: number, address: number, identifier: number, sequenceNumber: number, dataLength: number): boolean {
    const group = this.groupOf(station);
    const source = group.addressOf(station);
    return this.#ip.ping(group, source, address, identifier, sequenceNumber, dataLength, this.#tcp.now);
  }

  /** Ports are taken in turn, from a random start; 0 when a station has too many connections to that server. */
  #freePort(station: number, local: number, remote: number, remotePort: number): number {
    const { table } = this.#tcp.connections;
    for (let i = 0; i < PORT_TRIES; i++) {
      const offset = this.#nextPort[station];
      this.#nextPort[station] = (offset + 1) % EPHEMERAL_COUNT;
      const port = EPHEMERAL_FIRST + offset;
      if (table.lookup(remote, remotePort, local, port, 0) < 0) return port;
    }
    return 0;
  }

  #putOff(frameAt: number, length: number): boolean {
    if (this.#backlogTail - this.#backlogHead === BACKLOG_FRAMES || length > this.#backlogStride) {
      this.counters.droppedBacklog++;
      return false;
    }
    const slot = this.#backlogTail++ % BACKLOG_FRAMES;
    this.#backlogLengths[slot] = length;
    this.#memory.kernels.copy(this.#backlogAt + slot * this.#backlogStride, frameAt, length);
    return true;
  }

  #workOffBacklog(): number {
    let did = 0;
    while (this.#backlogHead !== this.#backlogTail && did < BACKLOG_BATCH) {
      const slot = this.#backlogHead % BACKLOG_FRAMES;
      this.#ip.receive(this.#backlogAt + slot * this.#backlogStride, this.#backlogLengths[slot]);
      // Only now is the slot free: receiving may have put off others.
      this.#backlogHead++;
      did++;
    }
    return did;
  }
}

/** Microseconds until the tick that lies `ticks` ahead of now's begins. */
function usOfTicks(ticks: number, nowUs: number): number {
  if (ticks < 0) return -1;
  return ticks === 0 ? 0 : ticks * US_PER_TICK - (nowUs % US_PER_TICK);
}

function sooner(a: number, b: number): number {
  if (a < 0) return b;
  return b < 0 || a < b ? a : b;
}
