/**
 * The ends of a connection that an application can choose: shutdown(2), close(2) with what RFC 1122 4.2.2.13 asks of it, and
 * a reset. What an orderly end leads to in TCP is in tcp/half-close.ts.
 */
import { DisconnectFlag } from '../offload/descriptors.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { TcpState } from '../tcp/tcb.ts';
import { callRoute } from './call-route.ts';
import type { ConnectionOptions } from './connection-options.ts';
import type { TliConnection, TliHandler } from './connection.ts';
import type { ReceiveSide } from './receive-side.ts';
import type { SendSide } from './send-side.ts';
import type { Transport } from './transport.ts';
import { Upcall } from './upcalls.ts';

export class Closing {
  readonly #transport: Transport;
  readonly #sends: SendSide;
  readonly #receives: ReceiveSide;
  readonly #options: ConnectionOptions;

  constructor(transport: Transport, sends: SendSide, receives: ReceiveSide, options: ConnectionOptions) {
    this.#transport = transport;
    this.#sends = sends;
    this.#receives = receives;
    this.#options = options;
  }

  /**
   * Half-close: FIN behind everything sent. The application reads on for as long as the peer sends; if not, text of the peer's
   * is answered with a RST from then on.
   */
  shutdown(connection: TliConnection, readsOn: boolean): boolean {
    if (connection.sendClosed || connection.handler === null) return false;
    this.#options.reader(connection, true, !readsOn);
    return this.#sends.disconnect(connection);
  }

  /**
   * The application is gone. What it has sent still arrives, with a FIN behind it; a RST says that bytes of the peer's were
   * never read, or come still (RFC 1122 4.2.2.13, RFC 2525 2.17). Of the handler only `sent` and `closed` are called again.
   */
  close(connection: TliConnection): void {
    const { handler } = connection;
    if (handler === null || handler === ORPHAN) return;
    const { state } = this.#transport.at(connection.slot);
    connection.closer = handler;
    connection.handler = ORPHAN;
    const isUnread = this.#receives.holds(connection) || connection.owedBytes > 0;
    // RFC 9293 3.10.4: in SYN-SENT the TCB is deleted, and nothing said.
    if (isUnread || state === TcpState.SynSent) {
      this.abort(connection);
      return;
    }
    this.#options.reader(connection, false, true);
    this.#sends.disconnect(connection);
  }

  abort(connection: TliConnection): void {
    if (connection.aborted || connection.handler === null) return;
    connection.aborted = true;
    connection.sendClosed = true;
    const tcb = this.#transport.at(connection.slot);
    if (connection.closePending) {
      // Already closed in order; what it held nobody will see.
      this.#receives.dropHeld(connection);
      this.#transport.upcalls.push(Upcall.Resume, connection.slot, 0);
      return;
    }
    switch (callRoute(tcb)) {
      case OffloadState.InHost:
        this.#transport.abort(connection.slot);
        return;
      case OffloadState.Offloaded: {
        const { down } = this.#transport.interfaceOf(tcb).adapter;
        down.tcpOffloadDisconnect(tcb.offloadHandle, 0, DisconnectFlag.Abortive);
        return;
      }
      case OffloadState.Offloading:
      case OffloadState.Uploading:
        connection.queuedAbort = true;
    }
  }
}

/** Of connections whose application has called `close`. What comes in spite of it came before the device heard. */
const ORPHAN: TliHandler = {
  connected: () => {},
  received: (connection, _address, length) => {
    connection.abort();
    return length;
  },
  ended: () => {},
  sent: (connection, cookie) => connection.closer?.sent(connection, cookie),
  closed: (connection, reason) => {
    const { closer } = connection;
    connection.closer = null;
    closer?.closed(connection, reason);
  },
};
