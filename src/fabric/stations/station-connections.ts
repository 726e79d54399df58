/**
 * The connections of a population: TCBs, the timer wheel over them, whose they are, and the lists they wait in.
 *
 * Owns the engine's one cursor, which `place` puts on a connection at every entry into the engine and nothing else moves.
 * A TCB lives on in TIME-WAIT without an application; when the table is full the one longest there is recycled.
 */
import { assert } from '../../base/assert.ts';
import { type TimerHandler, TimerWheel } from '../../base/timer-wheel.ts';
import { BufferPool } from '../../memory/buffer-pool.ts';
import type { Memory } from '../../memory/memory.ts';
import { NetBuffer } from '../../memory/net-buffer.ts';
import { type NetBufferCursor, takeSendQueue } from '../../tcp/send-queue.ts';
import { TcbTable } from '../../tcp/tcb-table.ts';
import type { Tcb } from '../../tcp/tcb.ts';
import type { AddressTable } from '../../wire/address-table.ts';
import type { PopulationRegions, PopulationShape } from './population-regions.ts';
import { SlotLists } from './slot-lists.ts';
import type { StationApp } from './station-app.ts';
import type { StationCounters } from './station-counters.ts';

/** The pool's id in its descriptors. */
const PAYLOAD_POOL = 1;
const NO_APP = 0;
const APPS_MAX = 255;
const TIME_WAIT = 0;
/** Lists of blocked connections: those without room, and from 1 on those without the MAC of neighbor `list` - 1. */
export const NO_ROOM = 0;

export class StationConnections {
  readonly table: TcbTable;
  readonly pool: BufferPool;
  /** For the engine, which keeps it where it likes. */
  readonly buffers: NetBufferCursor;
  readonly tcb: Tcb;
  /** Connection that the cursor stands on. */
  slot = 0;
  readonly blocked: SlotLists;
  readonly wheel: TimerWheel;
  readonly #addresses: AddressTable;
  readonly #counters: StationCounters;
  readonly #descriptor: NetBufferCursor;
  readonly #timeWaits: SlotLists;
  readonly #apps: (StationApp | undefined)[] = [undefined];
  readonly #appOf: Uint8Array;

  constructor(
    memory: Memory,
    regions: PopulationRegions,
    shape: PopulationShape,
    addresses: AddressTable,
    counters: StationCounters,
    now: number,
  ) {
    this.table = new TcbTable(memory, regions.tcbs, shape.slots);
    this.pool = new BufferPool(memory, regions.payload, shape.payload, PAYLOAD_POOL);
    this.buffers = NetBuffer.view(memory);
    this.tcb = this.table.cursor();
    this.blocked = new SlotLists(shape.slots, 1 + shape.neighbors);
    this.wheel = new TimerWheel(shape.slots, now);
    this.#addresses = addresses;
    this.#counters = counters;
    this.#descriptor = NetBuffer.view(memory);
    this.#timeWaits = new SlotLists(shape.slots, 1);
    this.#appOf = new Uint8Array(shape.slots);
  }

  /** Connections in TIME-WAIT; the rest of `table.inUse` belong to applications. */
  get timeWaits(): number {
    return this.#timeWaits.count(TIME_WAIT);
  }

  place(slot: number): Tcb {
    this.slot = slot;
    return this.tcb.at(this.table.addressOf(slot));
  }

  appOf(slot: number): StationApp | undefined {
    return this.#apps[this.#appOf[slot]];
  }

  /**
   * A TCB with its addresses, in the table, under the cursor; false when all are in use. `neighbor` is where its segments
   * go (`Tcb.path`).
   */
  open(
    app: StationApp,
    neighbor: number,
    localAddress: number,
    localPort: number,
    remoteAddress: number,
    remotePort: number,
  ): boolean {
    const slot = this.#allocate();
    if (slot < 0) return false;
    const tcb = this.place(slot);
    tcb.localAddress = localAddress;
    tcb.localPort = localPort;
    tcb.remoteAddress = remoteAddress;
    tcb.remotePort = remotePort;
    tcb.path = neighbor;
    this.#addresses.retain(remoteAddress);
    this.table.insert(slot);
    this.#appOf[slot] = this.#idOf(app);
    return true;
  }

  /** The connection is over for its application. */
  detach(slot: number): void {
    this.#appOf[slot] = NO_APP;
  }

  enterTimeWait(slot: number): void {
    this.#timeWaits.append(TIME_WAIT, slot);
  }

  /** Empties the send queue of a connection that is over; what is not of our pool is its application's again. */
  dropSendQueue(slot: number): void {
    const tcb = this.place(slot);
    if (tcb.sendDataHead === 0) return;
    let buffer = takeSendQueue(tcb);
    while (buffer !== 0) {
      const { next } = this.#descriptor.at(buffer);
      if (this.pool.owns(buffer)) this.pool.free(buffer);
      buffer = next;
    }
  }

  /** Forgets the connection, whose queues are empty. */
  free(slot: number): void {
    this.#timeWaits.remove(slot);
    this.blocked.remove(slot);
    this.wheel.cancel(slot);
    this.#addresses.release(this.place(slot).remoteAddress);
    this.table.remove(slot);
    this.table.free(slot);
  }

  /** Runs due timers; returns how many. */
  expire(now: number, handler: TimerHandler): number {
    return this.wheel.expire(now, handler);
  }

  #allocate(): number {
    const slot = this.table.allocate();
    if (slot >= 0 || this.timeWaits === 0) return slot;
    this.#counters.timeWaitRecycled++;
    this.free(this.#timeWaits.first(TIME_WAIT));
    return this.table.allocate();
  }

  #idOf(app: StationApp): number {
    const known = this.#apps.indexOf(app);
    if (known > 0) return known;
    assert(this.#apps.length <= APPS_MAX, 'few applications run on a population');
    return this.#apps.push(app) - 1;
  }
}
