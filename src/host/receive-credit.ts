/**
 * Bytes that applications have read, on their way to whoever offers the window (RFC 9293 3.8.6.2.2): the engine on the host,
 * or the device that has the connection.
 *
 * What is read in one go is told at once, as one recv(2) of all there is: an update per buffer would open the window in
 * steps, and stop half-way (tcp/window.ts).
 */
import { OffloadState } from '../offload/offload-state.ts';
import type { TliConnection } from './connection.ts';
import type { Transport } from './transport.ts';
import { Upcall } from './upcalls.ts';

/** Read bytes that may wait before a device is told: so many, or a sixteenth of a small receive buffer. */
const STEP = 65536;

export class ReceiveCredit {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  read(connection: TliConnection, count: number): void {
    if (count === 0) return;
    connection.credit += count;
    if (connection.creditListed) return;
    connection.creditListed = true;
    this.#transport.upcalls.push(Upcall.Credit, connection.slot, 0);
  }

  /** The application has seen all that there is for now. */
  tell(connection: TliConnection): void {
    connection.creditListed = false;
    const { slot, credit } = connection;
    if (this.#transport.at(slot).offloadState !== OffloadState.InHost) {
      this.giveIfDue(connection);
    } else if (credit > 0) {
      connection.credit = 0;
      this.#transport.consumed(slot, credit);
    }
  }

  /** To the device, once it has the connection, when it is worth offering. */
  giveIfDue(connection: TliConnection): void {
    const tcb = this.#transport.at(connection.slot);
    const { offloadState, offloadHandle, initialRcvWnd } = tcb;
    if (offloadState !== OffloadState.Offloaded || connection.credit < Math.min(STEP, initialRcvWnd >> 4)) return;
    this.#transport.interfaceOf(tcb).adapter.down.tcpOffloadReceiveReturn(offloadHandle, connection.credit);
    connection.credit = 0;
  }
}
