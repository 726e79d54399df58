/**
 * Delivery of received bytes in a NIC: the algorithm of offload/receive-delivery.ts with the host behind a ring.
 *
 * The shipped indication is a call whose answer says what was taken. Across a ring the answer comes later, so a NIC indicates
 * ahead and takes it that everything is accepted; an answer comes only when it was not. Two numbers keep both sides in order:
 *
 *   epoch        changed by the host with each refusal and each post; indications carry the one the NIC knew
 *   indication   counted by the NIC; refusals and posts say how many the host had seen (E01, E03)
 *
 * The host gives back every indication of an older epoch. So the NIC knows how many are on their way back, and delivers
 * nothing until they are here: bytes stay in order, and what is posted is filled before anything is indicated past it.
 */
import { TimerWheel, type TimerHandler } from '../base/timer-wheel.ts';
import { NdisStatus } from '../base/status.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import { Completion } from '../offload/descriptors.ts';
import { TcpOffloadEvent } from '../offload/events.ts';
import { type DeliveryOwner, ReceiveDelivery } from '../offload/receive-delivery.ts';
import type { DescriptorQueue } from '../ring/descriptor-queue.ts';
import type { NetBufferCursor } from '../tcp/send-queue.ts';
import type { Tcb } from '../tcp/tcb.ts';
import type { UploadAdvisor } from './upload-advice.ts';

/** The end of the stream: not there, to be told when all bytes before it are delivered, told. */
const End = {
  None: 0,
  Pending: 1,
  Told: 2,
  /** It was cut off: nobody will want what is left. An orderly end is no reason to drop anything. */
  Cut: 3,
} as const;

export class NicDelivery implements DeliveryOwner, TimerHandler {
  readonly #host: DescriptorQueue;
  readonly #pool: BufferPool;
  readonly #buffer: NetBufferCursor;
  readonly #delivery: ReceiveDelivery;
  readonly #pushWheel: TimerWheel;
  readonly #pushTicks: number;
  readonly #context: Int32Array;
  readonly #epoch: Int32Array;
  readonly #sent: Int32Array;
  /** Indications on their way back. */
  readonly #awaited: Int32Array;
  readonly #end: Uint8Array;
  /** The connection in hand; `placed` counts on it. */
  readonly #tcb: Tcb;
  /** Hears of indications that found no receive posted. */
  advisor: UploadAdvisor | null = null;
  now = 0;

  constructor(memory: Memory, slots: number, host: DescriptorQueue, pool: BufferPool, tcb: Tcb, pushTicks: number) {
    this.#host = host;
    this.#pool = pool;
    this.#tcb = tcb;
    this.#buffer = NetBuffer.view(memory);
    this.#delivery = new ReceiveDelivery(memory, slots, this);
    this.#pushWheel = new TimerWheel(slots, 0);
    this.#pushTicks = pushTicks;
    this.#context = new Int32Array(slots);
    this.#epoch = new Int32Array(slots);
    this.#sent = new Int32Array(slots);
    this.#awaited = new Int32Array(slots);
    this.#end = new Uint8Array(slots);
  }

  /** A connection was loaded; `buffered` is data that it brought along, which waits for a post (digest §4.4). */
  load(slot: number, context: number, buffered: number, finReceived: boolean): void {
    this.#delivery.reset(slot);
    this.#context[slot] = context;
    this.#epoch[slot] = 0;
    this.#sent[slot] = 0;
    this.#awaited[slot] = 0;
    // B14: the FIN is not told again, except behind data that is still to be delivered.
    const end = buffered === 0 ? End.Told : End.Pending;
    this.#end[slot] = finReceived ? end : End.None;
    if (buffered === 0) return;
    this.#delivery.hold(slot, buffered);
    this.#delivery.refuse(slot);
  }

  /** Text waits for the application. */
  holds(slot: number): boolean {
    return this.#delivery.hasHeld(slot);
  }

  heldBytes(slot: number): number {
    return this.#delivery.heldBytes(slot);
  }

  arrived(slot: number, address: number): void {
    this.#delivery.arrived(slot, address);
  }

  /** MiniportTcpOffloadReceive; 0 ends a refusal and posts nothing. */
  post(slot: number, chain: number): void {
    if (chain === 0) {
      this.#delivery.resume(slot);
      this.#endIfDelivered(slot);
      return;
    }
    const { epoch, indication } = this.#buffer.at(chain);
    this.#enter(slot, epoch, indication);
    const isDelivered = !this.#delivery.hasHeld(slot) && this.#awaited[slot] === 0;
    if (this.#end[slot] === End.Cut || (this.#end[slot] !== End.None && isDelivered)) {
      // E12: there is nothing left to receive; what comes back after a cut is dropped.
      this.#failChain(slot, chain, NdisStatus.InvalidState);
    } else {
      this.#delivery.post(slot, chain);
    }
    this.#endIfDelivered(slot);
  }

  /** An indication that was not taken whole comes back. False: it is not one of this connection's. */
  refused(slot: number, address: number): boolean {
    const { epoch, indication, dataAddress, dataLength } = this.#buffer.at(address);
    const from = dataAddress - this.#pool.dataOf(address);
    if (dataLength <= 0 || from < 0 || from + dataLength > this.#pool.dataBytes) return false;
    if (this.#end[slot] === End.Cut) {
      this.#pool.free(address);
      return true;
    }
    // It may be the first that tells of the new epoch, or one that had been sent before that was known.
    if (this.#awaited[slot] === 0) this.#delivery.refuse(slot);
    this.#enter(slot, epoch, indication);
    this.#delivery.gate(slot);
    this.#delivery.putBack(slot, address);
    this.#openIfComplete(slot);
    this.#endIfDelivered(slot);
    return true;
  }

  /** The peer's FIN: told when every byte before it has been delivered. */
  ended(slot: number): void {
    this.#end[slot] = End.Pending;
    this.#endIfDelivered(slot);
  }

  /** Completes what is posted; what is held stays. */
  flush(slot: number, status: number): void {
    this.#delivery.flush(slot, status);
  }

  /** BufferedData at an upload: the chain is the host's now. */
  takeHeld(slot: number): number {
    return this.#delivery.takeHeld(slot);
  }

  /** The connection was cut off. */
  cut(slot: number): void {
    this.#end[slot] = End.Cut;
    let address = this.#delivery.takeHeld(slot);
    while (address !== 0) {
      const { next } = this.#buffer.at(address);
      this.#pool.free(address);
      address = next;
    }
  }

  /** Answers receives for a connection that is not here, or not able to take them. */
  #failChain(slot: number, chain: number, status: number): void {
    let address = chain;
    while (address !== 0) {
      const buffer = this.#buffer.at(address);
      const { next } = buffer;
      buffer.next = 0;
      buffer.status = status;
      this.receiveComplete(slot, address, status);
      address = next;
    }
  }

  // --- time ---

  expire(now: number): number {
    this.now = now;
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
    const buffer = this.#buffer.at(address);
    buffer.epoch = this.#epoch[slot]!;
    buffer.indication = ++this.#sent[slot]!;
    this.advisor?.noteIndication(slot);
    this.#host.push(Completion.TcpIndicateReceive, this.#context[slot]!, address, 0);
    return buffer.dataLength;
  }

  receiveComplete(slot: number, address: number, status: number): void {
    this.#host.push(Completion.TcpReceiveComplete, this.#context[slot]!, address, status);
  }

  placed(_slot: number, count: number): void {
    // Bytes in a posted receive are the application's: they no longer hold the window back.
    this.#tcb.rcvPending = Math.max(0, this.#tcb.rcvPending - count);
  }

  freeHeld(_slot: number, address: number): void {
    this.#pool.free(address);
  }

  armPushTimer(slot: number): void {
    this.#pushWheel.schedule(slot, (this.now + this.#pushTicks) | 0);
  }

  stopPushTimer(slot: number): void {
    this.#pushWheel.cancel(slot);
  }

  // --- epochs ---

  /** The host said something at a time when it had seen so many indications: all later ones come back. */
  #enter(slot: number, epoch: number, seen: number): void {
    this.#epoch[slot] = epoch;
    this.#awaited[slot] = (this.#sent[slot]! - seen) | 0;
    if (this.#end[slot] === End.Told) this.#end[slot] = End.Pending;
    if (this.#awaited[slot]! > 0) this.#delivery.gate(slot);
  }

  #openIfComplete(slot: number): void {
    if (this.#awaited[slot]! <= 0) this.#delivery.open(slot);
  }

  #endIfDelivered(slot: number): void {
    if (this.#end[slot] !== End.Pending || this.#awaited[slot]! > 0 || this.#delivery.hasHeld(slot)) return;
    this.#end[slot] = End.Told;
    // E11: data first, then the end; a receive that is still posted gets what it has, or nothing.
    this.#delivery.flush(slot, NdisStatus.Success);
    this.#host.push(
      Completion.TcpIndicateEvent,
      this.#context[slot]!,
      TcpOffloadEvent.IndicateDisconnect,
      this.#epoch[slot]!,
    );
  }
}
