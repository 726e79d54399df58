/**
 * The sending half of the TLI switch: NET_BUFFERs for what applications send, and where they go.
 *
 * A send is routed by where the connection's state is (OffloadState): to Transport, to the device, or — while a
 * hand-over is under way — into the connection's queue (R15). Each descriptor comes back through `sent`, once.
 */
import { NdisStatus } from '../base/status.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import { DisconnectFlag } from '../offload/descriptors.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { TcpState } from '../tcp/tcb.ts';
import { callRoute } from './call-route.ts';
import type { TliConnection } from './connection.ts';
import type { Transport } from './transport.ts';
import { Upcall } from './upcalls.ts';

/** What an application says of its bytes, wherever they go. */
const SEND_FLAGS = NetBufferFlag.More | NetBufferFlag.EndOfRecord;

export class SendSide {
  readonly #memory: Memory;
  readonly #transport: Transport;
  readonly #descriptors: BufferPool;
  readonly #copies: BufferPool;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  #roomWaiters: (() => void)[] = [];

  constructor(memory: Memory, transport: Transport, descriptors: BufferPool, copies: BufferPool) {
    this.#memory = memory;
    this.#transport = transport;
    this.#descriptors = descriptors;
    this.#copies = copies;
    this.#buffer = NetBuffer.view(memory);
  }

  /** `flags`: of SEND_FLAGS, for the end of the bytes. */
  send(
    connection: TliConnection,
    address: number,
    length: number,
    cookie: number,
    last: boolean,
    flags: number,
  ): boolean {
    if (connection.sendClosed || connection.handler === null) return false;
    const descriptor = this.#descriptors.allocate();
    if (descriptor === 0) return false;
    const buffer = this.#buffer.at(descriptor);
    buffer.dataAddress = address;
    buffer.dataLength = length;
    buffer.flags = flags;
    connection.bytesSent += length;
    this.submit(connection, descriptor, cookie, last);
    return true;
  }

  write(connection: TliConnection, bytes: Uint8Array, cookie: number, flags: number): boolean {
    if (connection.sendClosed || connection.handler === null) return false;
    const needed = Math.max(1, Math.ceil(bytes.length / this.#copies.dataBytes));
    if (this.#copies.available < needed) return false;
    connection.bytesSent += bytes.length;
    for (let from = 0, i = 0; i < needed; i++, from += this.#copies.dataBytes) {
      const address = this.#copies.allocate();
      const part = bytes.subarray(from, from + this.#copies.dataBytes);
      const buffer = this.#buffer.at(address);
      buffer.dataAddress = this.#copies.dataOf(address);
      buffer.dataLength = part.length;
      this.#memory.u8.set(part, buffer.dataAddress);
      // In between there is always more.
      buffer.flags = i < needed - 1 ? NetBufferFlag.More : flags;
      // Only the last piece reports: it is acknowledged last.
      this.submit(connection, address, i === needed - 1 ? cookie : 0, false);
    }
    return true;
  }

  /** Bytes that one `write` could carry now. */
  get writeRoom(): number {
    return Math.min(this.writeMax, this.#copies.available * this.#copies.dataBytes);
  }

  /** Calls back, once, when copy buffers have come back after a `write` that found too few. */
  whenRoom(callback: () => void): void {
    this.#roomWaiters.push(callback);
  }

  /** Bytes that one `write` may carry at most. */
  get writeMax(): number {
    return (this.#copies.count >> 2) * this.#copies.dataBytes;
  }

  /** `again`: a device gave it back undone, so that it goes before whatever the application has sent since. */
  submit(connection: TliConnection, address: number, cookie: number, last: boolean, again = false): void {
    const buffer = this.#buffer.at(address);
    buffer.next = 0;
    buffer.flags &= SEND_FLAGS;
    buffer.status = NdisStatus.Pending;
    buffer.cookie = cookie;
    buffer.connection = this.#transport.table.handleOf(connection.slot);
    connection.sendsOutstanding++;
    if (last) connection.sendClosed = true;
    const tcb = this.#transport.at(connection.slot);
    switch (callRoute(tcb)) {
      case OffloadState.InHost: {
        const { slot } = connection;
        const taken = last ? this.#transport.sendAndClose(slot, address) : this.#transport.send(slot, address);
        // A reset came before: it is over, and the application hears of it next.
        if (!taken) this.#drop(connection, address);
        return;
      }
      case OffloadState.Offloaded: {
        const { down } = this.#transport.interfaceOf(tcb).adapter;
        if (last) down.tcpOffloadDisconnect(tcb.offloadHandle, address, DisconnectFlag.Graceful);
        else down.tcpOffloadSend(tcb.offloadHandle, address);
        return;
      }
      case OffloadState.Offloading:
      case OffloadState.Uploading:
        this.#queue(connection, address, again ? connection.returnedTail : connection.queuedTail);
        if (again) connection.returnedTail = address;
        connection.queuedDisconnect ||= last;
    }
  }

  /** Into the chain of calls that wait, behind `after`; 0 is the front. */
  #queue(connection: TliConnection, address: number, after: number): void {
    const next = after === 0 ? connection.queuedHead : this.#buffer.at(after).next;
    this.#buffer.at(address).next = next;
    if (after === 0) connection.queuedHead = address;
    else this.#buffer.at(after).next = address;
    if (next === 0) connection.queuedTail = address;
  }

  sent(connection: TliConnection | null, address: number): void {
    const { cookie } = this.#buffer.at(address);
    this.freeSend(address);
    if (connection === null) return;
    connection.sendsOutstanding--;
    if (cookie !== 0) connection.handler?.sent(connection, cookie);
  }

  #drop(connection: TliConnection, address: number): void {
    this.freeSend(address);
    connection.sendsOutstanding--;
  }

  freeSend(address: number): void {
    if (this.#descriptors.owns(address)) {
      this.#descriptors.free(address);
      return;
    }
    this.#copies.free(address);
    if (this.#roomWaiters.length > 0) this.#transport.upcalls.push(Upcall.Room, 0, 0);
  }

  freeChain(connection: TliConnection | null, head: number): void {
    let address = head;
    while (address !== 0) {
      const { next } = this.#buffer.at(address);
      this.freeSend(address);
      if (connection !== null) connection.sendsOutstanding--;
      address = next;
    }
  }

  disconnect(connection: TliConnection): boolean {
    if (connection.sendClosed || connection.handler === null) return false;
    connection.sendClosed = true;
    const tcb = this.#transport.at(connection.slot);
    switch (callRoute(tcb)) {
      case OffloadState.InHost:
        this.#transport.close(connection.slot);
        break;
      case OffloadState.Offloaded: {
        const { down } = this.#transport.interfaceOf(tcb).adapter;
        down.tcpOffloadDisconnect(tcb.offloadHandle, 0, DisconnectFlag.Graceful);
        break;
      }
      case OffloadState.Offloading:
      case OffloadState.Uploading:
        connection.queuedDisconnect = true;
    }
    return true;
  }

  /** A hand-over is over: calls that waited go where the state is now, in order (R15). */
  releaseQueued(connection: TliConnection): void {
    let address = connection.queuedHead;
    const disconnect = connection.queuedDisconnect || this.#closeIsDue(connection);
    connection.queuedHead = 0;
    connection.queuedDisconnect = false;
    connection.queuedTail = 0;
    connection.returnedTail = 0;
    if (disconnect && address === 0) {
      connection.sendClosed = false;
      this.disconnect(connection);
    }
    while (address !== 0) {
      const buffer = this.#buffer.at(address);
      const { next, cookie } = buffer;
      connection.sendsOutstanding--;
      this.submit(connection, address, cookie, disconnect && next === 0);
      address = next;
    }
  }

  /** The application closed, but the device that was told had stopped before (digest §3.8). */
  #closeIsDue(connection: TliConnection): boolean {
    const { offloadState, state } = this.#transport.at(connection.slot);
    if (!connection.sendClosed || connection.aborted || offloadState !== OffloadState.InHost) return false;
    return state === TcpState.Established || state === TcpState.CloseWait;
  }

  /** Copy buffers came back: whoever waited tries again. */
  roomArrived(): void {
    const waiting = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const callback of waiting) callback();
  }
}
