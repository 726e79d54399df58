/**
 * The switch's connections by slot of Transport's table: who has which, and how a handle that a device passed back finds
 * its connection again.
 */
import { broken } from '../base/assert.ts';
import { TcpState } from '../tcp/tcb.ts';
import { networkErrorName } from './network-error.ts';
import type { Transport } from './transport.ts';
import type { TliConnection } from './connection.ts';

export class ConnectionTable {
  readonly #transport: Transport;
  readonly #connections: (TliConnection | null)[];

  constructor(transport: Transport) {
    this.#transport = transport;
    this.#connections = Array.from({ length: transport.table.capacity }, () => null);
  }

  set(slot: number, connection: TliConnection | null): void {
    this.#connections[slot] = connection;
  }

  /** The connection of a slot, null while it has none. */
  get(slot: number): TliConnection | null {
    return this.#connections[slot] ?? null;
  }

  /** The connection of a slot that must have one. */
  at(slot: number): TliConnection {
    const connection = this.get(slot);
    if (connection === null) broken(`slot ${slot} has a connection`);
    return connection;
  }

  /** The connection of a handle that a device passed back; null when it is stale. */
  byHandle(context: number): TliConnection | null {
    const slot = this.#transport.table.slotOfHandle(context);
    return slot < 0 ? null : this.get(slot);
  }

  /** An object may be older than the connection that has its slot now. */
  isCurrent(connection: TliConnection): boolean {
    return this.#connections[connection.slot] === connection;
  }

  get capacity(): number {
    return this.#connections.length;
  }

  /** The live connection of a slot, null while there is none. */
  live(slot: number): TliConnection | null {
    return this.#transport.table.isLive(slot) ? this.get(slot) : null;
  }

  /** SRTT as far as the host knows it, 0 without a sample; the TCB counts in eighths of a tick. */
  smoothedRttMs(slot: number): number {
    return this.#transport.at(slot).srtt / 8;
  }

  awaitsText(slot: number): boolean {
    const tcb = this.#transport.at(slot);
    return tcb.state === TcpState.SynSent && tcb.sndMax === tcb.iss;
  }

  pathMtu(slot: number): number {
    return this.#transport.pathOf(this.#transport.at(slot)).mtu;
  }

  /** `EHOSTUNREACH` and the like, or '': what keeps the connection from getting through. */
  networkError(slot: number): string {
    return networkErrorName(this.#transport.errors!.errorOf(slot));
  }

  /** Every live connection, for the chimney's sweeps. */
  forEach(visit: (connection: TliConnection) => void): void {
    const { table } = this.#transport;
    for (let slot = 0; slot < table.capacity; slot++) {
      const connection = this.get(slot);
      if (connection !== null && table.isLive(slot)) visit(connection);
    }
  }
}
