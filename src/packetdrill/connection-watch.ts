/**
 * One connection of the host, looked at whenever something has happened, for what TCP_INFO tells and no TCB holds. A look takes no
 * time and changes nothing (tcb-view.ts).
 */
import { ticksOf } from '../base/clock.ts';
import type { TliConnection } from '../host/connection.ts';
import type { Tcb } from '../tcp/tcb.ts';
import { type Arrival, ReceiveRtt } from './receive-rtt.ts';
import { SendChronograph } from './send-chronograph.ts';

export class ConnectionWatch {
  readonly connection: TliConnection;
  readonly #buffer: { readonly wantsRoom: boolean };
  readonly #sending = new SendChronograph();
  readonly #receiving = new ReceiveRtt();

  constructor(connection: TliConnection, buffer: { readonly wantsRoom: boolean }) {
    this.connection = connection;
    this.#buffer = buffer;
  }

  /** `arrivals`: since the last look. */
  look(tcb: Tcb, arrivals: readonly Arrival[], nowUs: number): void {
    this.#sending.look(tcb, this.#buffer.wantsRoom, nowUs);
    this.#receiving.look(tcb, arrivals, ticksOf(nowUs), nowUs);
  }

  info(nowUs: number): Readonly<Record<string, number>> {
    return { ...this.#sending.info(nowUs), tcpi_rcv_rtt: this.#receiving.us };
  }
}
