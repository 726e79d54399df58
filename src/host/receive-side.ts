/**
 * The receiving half of the TLI switch: received bytes go into posted receives or are shown to the application, by the
 * algorithm that devices run too (offload/receive-delivery.ts); what is not wanted is kept.
 *
 *   in the host      kept here, until the application resumes or posts
 *   on a device      refused to the device, which keeps it (BufferedData at an upload) and waits for a receive
 *   in between       kept here; posts wait for the end of the hand-over
 *
 * Consumed bytes open the receive window (receive-credit.ts). For epochs see device/nic-delivery.ts.
 */
import { assert } from '../base/assert.ts';
import { TimerWheel, type TimerHandler } from '../base/timer-wheel.ts';
import { NdisStatus } from '../base/status.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { type DeliveryOwner, ReceiveDelivery } from '../offload/receive-delivery.ts';
import { insertBySeq } from './buffer-chain.ts';
import { callRoute } from './call-route.ts';
import type { ConnectionTable } from './connection-table.ts';
import type { TliConnection } from './connection.ts';
import type { ProviderTable } from './ndis.ts';
import { ReceiveCredit } from './receive-credit.ts';
import type { Transport } from './transport.ts';
import { Upcall } from './upcalls.ts';

/** TcpPushTicks of the host, as the shipped default. */
const PUSH_TICKS = 500;

export class ReceiveSide implements DeliveryOwner, TimerHandler {
  readonly #transport: Transport;
  readonly #connections: ConnectionTable;
  readonly #descriptors: BufferPool;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  readonly #delivery: ReceiveDelivery;
  readonly #pushWheel: TimerWheel;
  readonly credit: ReceiveCredit;
  #aborting: TliConnection | null = null;

  constructor(memory: Memory, transport: Transport, connections: ConnectionTable, descriptors: BufferPool) {
    const { capacity } = transport.table;
    this.#transport = transport;
    this.#connections = connections;
    this.#descriptors = descriptors;
    this.#buffer = NetBuffer.view(memory);
    this.#delivery = new ReceiveDelivery(memory, capacity, this);
    transport.kept = this.#delivery;
    this.#pushWheel = new TimerWheel(capacity, 0);
    this.credit = new ReceiveCredit(transport);
  }

  /** Bytes wait here for the application. */
  holds(connection: TliConnection): boolean {
    return this.#delivery.hasHeld(connection.slot) || connection.givenHeld !== 0;
  }

  /** A hand-over changes nothing: no byte and no receive waits. */
  isIdle(connection: TliConnection): boolean {
    const { slot, returned, receivesQueued } = connection;
    if (returned.length > 0 || receivesQueued !== 0) return false;
    return !this.#delivery.hasHeld(slot) && !this.#delivery.hasPosted(slot);
  }

  /** Bytes that were acknowledged and not consumed: they hold the window back. */
  pendingBytes(connection: TliConnection): number {
    return this.#delivery.heldBytes(connection.slot) + connection.owedBytes;
  }

  /** A new connection in its slot. */
  open(connection: TliConnection): void {
    this.#delivery.reset(connection.slot);
  }

  /** A buffer of in-order text, from Transport. */
  received(connection: TliConnection, address: number): void {
    this.#delivery.arrived(connection.slot, address);
  }

  /** An indication of a device. What the application leaves goes back, and the device waits for it to ask. */
  indicated(connection: TliConnection, address: number): void {
    const { slot } = connection;
    connection.indicationsSeen++;
    if (this.#buffer.at(address).epoch !== connection.epoch) {
      // Sent before the device heard of a refusal or a post: it belongs behind what went back, or into what was posted.
      if (this.#stateOf(connection) === OffloadState.Offloaded) this.#refuse(connection, address, 0);
      else connection.late.push(address);
      return;
    }
    const { dataLength } = this.#buffer;
    const isAlone = !this.#delivery.hasHeld(slot) && !connection.paused;
    connection.indicating = true;
    this.#delivery.arrived(slot, address);
    connection.indicating = false;
    if (isAlone && this.#delivery.hasHeld(slot) && this.#stateOf(connection) === OffloadState.Offloaded) {
      const rest = this.#delivery.takeHeld(slot);
      connection.epoch++;
      this.#refuse(connection, rest, dataLength - this.#buffer.at(rest).dataLength);
    }
    // E05: what was posted from inside follows the refusal.
    if (connection.receivesQueued !== 0) this.#passQueued(connection);
  }

  #refuse(connection: TliConnection, address: number, consumed: number): void {
    const buffer = this.#buffer.at(address);
    buffer.epoch = connection.epoch;
    buffer.next = 0;
    const tcb = this.#transport.at(connection.slot);
    this.#down(connection).tcpIndicationRefused(tcb.offloadHandle, address, consumed);
  }

  /** Posts `length` bytes at `address`; false when there is no descriptor, or the connection is over. */
  post(connection: TliConnection, address: number, length: number, cookie: number, noPush: boolean): boolean {
    if (connection.handler === null || connection === this.#aborting) return false;
    const descriptor = this.#descriptors.allocate();
    if (descriptor === 0) return false;
    const buffer = this.#buffer.at(descriptor);
    buffer.next = 0;
    buffer.dataAddress = address;
    buffer.dataLength = length;
    buffer.bytesTransferred = 0;
    buffer.cookie = cookie;
    buffer.status = NdisStatus.Pending;
    buffer.flags = noPush ? NetBufferFlag.NoPush : 0;
    buffer.connection = this.#transport.table.handleOf(connection.slot);
    connection.waiting = false;
    this.#queue(connection, descriptor);
    if (!connection.indicating) this.#passQueued(connection);
    return true;
  }

  #queue(connection: TliConnection, descriptor: number): void {
    if (connection.receivesQueued === 0) connection.receivesQueued = descriptor;
    else this.#buffer.at(connection.receivesQueuedTail).next = descriptor;
    connection.receivesQueuedTail = descriptor;
  }

  /** Posted receives go to wherever the bytes come: here, or to the device that has the connection. */
  #passQueued(connection: TliConnection): void {
    const state = this.#stateOf(connection);
    if (this.#isMoving(connection)) return;
    const { slot } = connection;
    const chain = connection.receivesQueued;
    connection.receivesQueued = 0;
    // Those that are posted here were posted before: all go down together, in order.
    if (state === OffloadState.Offloaded && !this.#delivery.hasHeld(slot) && !this.#delivery.hasPosted(slot)) {
      this.#postBelow(connection, chain);
      return;
    }
    this.#delivery.post(slot, chain);
    this.#passPosted(connection);
  }

  /** What is kept here went into receives; those that are left go to the device. */
  #passPosted(connection: TliConnection): void {
    const { slot } = connection;
    if (this.#stateOf(connection) !== OffloadState.Offloaded || this.#isMoving(connection)) return;
    if (this.#delivery.hasHeld(slot) || !this.#delivery.hasPosted(slot)) return;
    this.#postBelow(connection, this.#delivery.takePosted(slot));
  }

  #postBelow(connection: TliConnection, chain: number): void {
    if (chain === 0) return;
    const buffer = this.#buffer.at(chain);
    buffer.epoch = ++connection.epoch;
    buffer.indication = connection.indicationsSeen;
    const tcb = this.#transport.at(connection.slot);
    this.#down(connection).tcpOffloadReceive(tcb.offloadHandle, chain);
  }

  /** A receive comes back from a device: done, or to be done again where the connection is then (R27). */
  completed(connection: TliConnection | null, address: number, status: number): void {
    if (connection === null) {
      this.#descriptors.free(address);
    } else if (status !== NdisStatus.UploadInProgress) {
      this.receiveComplete(connection.slot, address, status);
    } else if (connection.handler === null) {
      // It was posted before the application heard that all is over: there is nowhere for it to be done again.
      this.#descriptors.free(address);
    } else {
      // Bytes that it got are the application's (D10); it stands in front of what was posted since.
      connection.returned.push(address);
      if (this.#stateOf(connection) === OffloadState.InHost) this.settle(connection);
    }
  }

  /** The application asks for what it left. */
  resume(connection: TliConnection): void {
    const wasWaiting = connection.waiting;
    connection.waiting = false;
    // Receives that wait for the end of a hand-over come first (D10).
    if (connection.paused || connection.receivesQueued !== 0 || connection.returned.length > 0) return;
    this.#delivery.resume(connection.slot);
    this.#passPosted(connection);
    if (!wasWaiting || this.#stateOf(connection) !== OffloadState.Offloaded || this.holds(connection)) return;
    const tcb = this.#transport.at(connection.slot);
    this.#down(connection).tcpOffloadReceive(tcb.offloadHandle, 0);
  }

  /** The end of a hand-over: receives go where the connection is now, and what is kept is shown. */
  settle(connection: TliConnection): void {
    const { slot, returned } = connection;
    let chain = connection.receivesQueued;
    while (returned.length > 0) {
      const address = returned.pop()!;
      this.#buffer.at(address).next = chain;
      if (chain === 0) connection.receivesQueuedTail = address;
      chain = address;
    }
    connection.receivesQueued = chain;
    // Bytes that are kept go into receives before any are shown: one may be partly filled with those before them (D10).
    if (chain !== 0) this.#passQueued(connection);
    else if (this.#delivery.hasHeld(slot) && (connection.waiting || connection.paused)) this.#delivery.refuse(slot);
    else this.#delivery.resume(slot);
    this.#passPosted(connection);
  }

  /** Every byte before the end was delivered: receives that are left get what they have, or nothing. */
  ended(connection: TliConnection): void {
    this.#delivery.flush(connection.slot, NdisStatus.Success);
  }

  /** The connection is cut, or over: nothing more will come. */
  abortPosted(connection: TliConnection): void {
    const { slot, returned } = connection;
    // Who posts again from inside is refused: it would go on for ever.
    this.#aborting = connection;
    this.#delivery.flush(slot, NdisStatus.RequestAborted);
    for (const address of returned.splice(0)) this.receiveComplete(slot, address, NdisStatus.RequestAborted);
    while (connection.receivesQueued !== 0) {
      const address = connection.receivesQueued;
      connection.receivesQueued = this.#buffer.at(address).next;
      this.receiveComplete(slot, address, NdisStatus.RequestAborted);
    }
    this.#aborting = null;
  }

  // --- hand-overs ---

  /** What goes into the request (¶76, digest §4.4): receives that are posted, and data that nobody has taken. */
  takePosted(connection: TliConnection): number {
    const chain = this.#delivery.takePosted(connection.slot);
    // It may have been posted to another device before; with this one both sides count from zero.
    if (chain !== 0) {
      this.#buffer.at(chain).epoch = 0;
      this.#buffer.indication = 0;
    }
    return chain;
  }

  takeHeld(connection: TliConnection): number {
    return this.#delivery.takeHeld(connection.slot);
  }

  /**
   * Data went along: the device has copied it, and waits for a receive unless the application never left it (digest §4.4). An end
   * behind it is the device's to tell (B14).
   */
  gave(connection: TliConnection, chain: number): void {
    this.#returnChain(connection, chain);
    if (connection.endedPending) {
      connection.endedPending = false;
      connection.peerClosed = false;
    }
    const isLeft = connection.waiting;
    connection.waiting = true;
    if (!isLeft) this.#transport.upcalls.push(Upcall.Resume, connection.slot, 0);
  }

  #returnChain(connection: TliConnection, chain: number): void {
    const down = this.#down(connection);
    let address = chain;
    while (address !== 0) {
      const { next } = this.#buffer.at(address);
      down.returnBuffer(address);
      address = next;
    }
  }

  /** The device did not take the connection: all is as before. */
  restore(connection: TliConnection, held: number, posted: number): void {
    this.#delivery.hold(connection.slot, held);
    for (let address = posted; address !== 0; address = this.#buffer.at(address).next)
      connection.returned.push(address);
  }

  /** The device has the connection now: both sides count from zero, and credit that gathered meanwhile is due. */
  handedOver(connection: TliConnection): void {
    connection.epoch = 0;
    connection.indicationsSeen = 0;
    this.credit.giveIfDue(connection);
  }

  /** BufferedData, and what the device had sent while it was asked to give the connection back. */
  takenBack(connection: TliConnection, bufferedData: number): void {
    const { slot, late } = connection;
    // What came late stands behind what went back, and before what the device has received since it knew: SEG.SEQ tells.
    let chain = bufferedData;
    for (const address of late) chain = insertBySeq(this.#buffer, chain, address);
    this.#delivery.hold(slot, chain);
    late.length = 0;
  }

  consumed(connection: TliConnection, count: number): void {
    this.credit.read(connection, count);
  }

  /** Nobody wants what is kept. */
  dropHeld(connection: TliConnection): void {
    this.takenBack(connection, 0);
    this.#returnChain(connection, this.#delivery.takeHeld(connection.slot));
    connection.endedPending = false;
  }

  // --- time ---

  expire(now: number): number {
    return this.#pushWheel.count === 0 ? 0 : this.#pushWheel.expire(now, this);
  }

  ticksUntilNext(now: number): number {
    return this.#pushWheel.ticksUntilNext(now);
  }

  timerFired(slot: number): void {
    this.#delivery.pushTimerFired(slot);
  }

  // --- DeliveryOwner ---

  indicate(slot: number, address: number): number {
    const connection = this.#connections.at(slot);
    const buffer = this.#buffer.at(address);
    const { dataAddress, dataLength } = buffer;
    if (connection.paused) return 0;
    // Who has aborted sees no more bytes, also of those that had arrived (RFC 9293 3.10.5: queues are flushed).
    const handler = connection.aborted ? null : connection.handler;
    const taken = handler === null ? dataLength : handler.received(connection, dataAddress, dataLength);
    assert(taken >= 0 && taken <= dataLength, 'received() returns how many of the bytes it took');
    connection.bytesReceived += taken;
    if (connection.creditsLater && handler !== null) connection.owedBytes += taken;
    else this.consumed(connection, taken);
    if (taken === dataLength) this.#down(connection).returnBuffer(address);
    else connection.waiting = true;
    return taken;
  }

  receiveComplete(slot: number, address: number, status: number): void {
    const { cookie, bytesTransferred } = this.#buffer.at(address);
    this.#descriptors.free(address);
    const connection = this.#connections.get(slot);
    connection?.handler?.receiveComplete?.(connection, cookie, bytesTransferred, status);
  }

  placed(slot: number, count: number): void {
    const connection = this.#connections.at(slot);
    connection.bytesReceived += count;
    this.consumed(connection, count);
  }

  freeHeld(slot: number, address: number): void {
    this.#down(this.#connections.at(slot)).returnBuffer(address);
  }

  armPushTimer(slot: number): void {
    this.#pushWheel.schedule(slot, (this.#transport.now + PUSH_TICKS) | 0);
  }

  stopPushTimer(slot: number): void {
    this.#pushWheel.cancel(slot);
  }

  #stateOf(connection: TliConnection): OffloadState {
    return this.#transport.at(connection.slot).offloadState as OffloadState;
  }

  /** The state moves, or is about to: receives wait for where it will be. */
  #isMoving(connection: TliConnection): boolean {
    const route = callRoute(this.#transport.at(connection.slot));
    return route === OffloadState.Offloading || route === OffloadState.Uploading;
  }

  #down(connection: TliConnection): ProviderTable {
    return this.#transport.interfaceOf(this.#transport.at(connection.slot)).adapter.down;
  }
}
