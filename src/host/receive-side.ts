/**
 * The receiving half of the TLI switch: shows received text to applications and keeps what they do not take.
 *
 * What is kept is a chain of NET_BUFFERs on the connection, in order; it is the same whether the bytes came through
 * Transport or from a device, and stays across hand-overs. Consumed bytes open the receive window: at once in the host,
 * by credit on a device.
 */
import { assert } from '../base/assert.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import { OffloadState } from '../offload/offload-state.ts';
import type { TliConnection } from './connection.ts';
import type { Adapter } from './ndis.ts';
import type { Transport } from './transport.ts';

/** Consumed bytes that may wait before a device is told: so many, or a quarter of a small receive buffer. */
const CREDIT_STEP = 65536;

export class ReceiveSide {
  readonly #transport: Transport;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;

  constructor(memory: Memory, transport: Transport) {
    this.#transport = transport;
    this.#buffer = NetBuffer.view(memory);
  }

  /** A buffer of in-order text. */
  received(connection: TliConnection, address: number): void {
    if (connection.heldHead !== 0 || connection.paused) this.#hold(connection, address);
    else this.#show(connection, address);
  }

  /** Shows a buffer to the application; true when all of it was taken. */
  #show(connection: TliConnection, address: number): boolean {
    const buffer = this.#buffer.at(address);
    const { dataAddress, dataLength } = buffer;
    // Who has aborted sees no more bytes, also of those that had arrived (RFC 9293 3.10.5: queues are flushed).
    const handler = connection.aborted ? null : connection.handler;
    const taken = handler === null ? dataLength : handler.received(connection, dataAddress, dataLength);
    assert(taken >= 0 && taken <= dataLength, 'received() returns how many of the bytes it took');
    if (connection.creditsLater && handler !== null) connection.owedBytes += taken;
    else this.consumed(connection, taken);
    if (taken === dataLength) {
      this.#adapterOf(connection).down.returnBuffer(address);
      return true;
    }
    this.#buffer.at(address).dataAddress = dataAddress + taken;
    this.#buffer.dataLength = dataLength - taken;
    this.#hold(connection, address);
    return false;
  }

  #hold(connection: TliConnection, address: number): void {
    const buffer = this.#buffer.at(address);
    buffer.next = 0;
    connection.heldBytes += buffer.dataLength;
    if (connection.heldHead === 0) connection.heldHead = address;
    else this.#buffer.at(connection.heldTail).next = address;
    connection.heldTail = address;
  }

  consumed(connection: TliConnection, count: number): void {
    if (count === 0) return;
    const tcb = this.#transport.at(connection.slot);
    if (tcb.offloadState === OffloadState.InHost) {
      this.#transport.consumed(connection.slot, count);
      return;
    }
    connection.credit += count;
    if (tcb.offloadState === OffloadState.Offloaded) this.giveCreditIfDue(connection);
  }

  #giveCredit(connection: TliConnection): void {
    const tcb = this.#transport.at(connection.slot);
    const { down } = this.#transport.interfaceOf(tcb).adapter;
    down.tcpOffloadReceiveReturn(tcb.offloadHandle, connection.credit);
    connection.credit = 0;
  }

  dropHeld(connection: TliConnection): void {
    const { down } = this.#adapterOf(connection);
    let address = connection.heldHead;
    connection.heldHead = 0;
    connection.heldBytes = 0;
    connection.endedPending = false;
    while (address !== 0) {
      const { next } = this.#buffer.at(address);
      down.returnBuffer(address);
      address = next;
    }
  }

  /** Shows what was kept; true when nothing is left. */
  showHeld(connection: TliConnection): boolean {
    if (connection.paused) return false;
    let address = connection.heldHead;
    while (address !== 0) {
      const buffer = this.#buffer.at(address);
      const { next, dataLength } = buffer;
      const rest = next;
      connection.heldHead = 0;
      connection.heldBytes -= dataLength;
      const tail = connection.heldTail;
      if (!this.#show(connection, address)) {
        // What was left goes back to the front.
        this.#buffer.at(address).next = rest;
        connection.heldTail = rest === 0 ? address : tail;
        return false;
      }
      connection.heldHead = rest;
      connection.heldTail = tail;
      address = rest;
    }
    return true;
  }

  /** The device has the connection: credit that gathered is due when it is much of the window. */
  giveCreditIfDue(connection: TliConnection): void {
    const { initialRcvWnd } = this.#transport.at(connection.slot);
    if (connection.credit >= Math.min(CREDIT_STEP, initialRcvWnd >> 2)) this.#giveCredit(connection);
  }

  #adapterOf(connection: TliConnection): Adapter {
    return this.#transport.interfaceOf(this.#transport.at(connection.slot)).adapter;
  }
}
