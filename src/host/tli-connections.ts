/**
 * The connections of the TLI switch: listening, opening, options, and where the state of each is. What passes through
 * them is in tli.ts.
 */
import { OffloadState } from '../offload/offload-state.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { ConnectionOptions } from './connection-options.ts';
import { ConnectionTable } from './connection-table.ts';
import type { ConnectionWatcher, TliConnection, TliHandler } from './connection.ts';
import type { ListenOptions } from './listeners.ts';
import type { Interface } from './interface.ts';
import type { Adapter } from './ndis.ts';
import type { OpenOptions } from './open-options.ts';
import type { Transport } from './transport.ts';

const EPHEMERAL_FIRST = 49152;
const EPHEMERAL_COUNT = 16384;

export abstract class TliConnections {
  protected readonly transport: Transport;
  readonly connections: ConnectionTable;
  /** Socket options. */
  readonly options: ConnectionOptions;
  readonly #listeners = new Map<number, TliHandler>();
  watcher: ConnectionWatcher | null = null;
  #nextPort = 0;
  /** Live connections: those an application or the chimney still holds. */
  active = 0;

  constructor(transport: Transport) {
    this.transport = transport;
    this.options = new ConnectionOptions(this, transport);
    this.connections = new ConnectionTable(transport);
  }

  /** The object for a new connection in a slot of Transport's. */
  protected abstract make(slot: number): TliConnection;

  stateOf(connection: TliConnection): OffloadState {
    return this.transport.at(connection.slot).offloadState as OffloadState;
  }

  isOffloaded(connection: TliConnection): boolean {
    return this.stateOf(connection) === OffloadState.Offloaded;
  }

  adapterOf(connection: TliConnection): Adapter {
    return this.transport.interfaceOf(this.transport.at(connection.slot)).adapter;
  }

  // --- applications ---

  /** Connections to the port are the handler's. False: it is taken. */
  listen(port: number, handler: TliHandler, options: ListenOptions = {}): boolean {
    if (this.#listeners.has(port)) return false;
    this.#listeners.set(port, handler);
    this.transport.listen(port, options);
    return true;
  }

  /** A listener's connection is taken out of its accept queue, in which it may have waited (ListenOptions.acceptsLater). */
  accept(connection: TliConnection): void {
    this.transport.accepted(connection.slot);
  }

  /** A SYN that waits for text leaves without. */
  openNow(connection: TliConnection): void {
    const { connections, transport } = this;
    if (connections.isCurrent(connection) && connection.awaitsText) transport.transmit(connection.slot);
  }

  unlisten(port: number): void {
    this.#listeners.delete(port);
    this.transport.unlisten(port);
  }

  isListening(port: number): boolean {
    return this.#listeners.has(port);
  }

  /** The local address that connections to this one have, 0 when there is no route. */
  sourceFor(remoteAddress: number, iface: Interface | null = null): number {
    return this.transport.sourceFor(remoteAddress, iface);
  }

  /** IPv6 addresses by number: those of connections, and those that are to become some. */
  get addresses(): AddressTable {
    return this.transport.addresses;
  }

  /** Active open; null when there is no route or no slot. Port 0 picks an ephemeral one (RFC 6056 3.3.1). */
  connect(
    remoteAddress: number,
    remotePort: number,
    handler: TliHandler,
    localPort = 0,
    source = 0,
    iface: Interface | null = null,
    options: OpenOptions = {},
  ): TliConnection | null {
    let slot = -1;
    for (let tries = 0; slot < 0 && tries < (localPort === 0 ? 64 : 1); tries++) {
      const port = localPort === 0 ? EPHEMERAL_FIRST + (this.#nextPort++ % EPHEMERAL_COUNT) : localPort;
      slot = this.transport.connect(remoteAddress, remotePort, port, source, iface, options);
    }
    if (slot < 0) return null;
    const connection = this.adopt(slot);
    connection.handler = handler;
    return connection;
  }

  /** Whose the connections to this port are. */
  protected listenerOf(port: number): TliHandler | undefined {
    return this.#listeners.get(port);
  }

  protected adopt(slot: number): TliConnection {
    const connection = this.make(slot);
    this.connections.set(slot, connection);
    const tcb = this.transport.at(slot);
    connection.remoteAddress = tcb.remoteAddress;
    connection.remotePort = tcb.remotePort;
    connection.localAddress = tcb.localAddress;
    connection.localPort = tcb.localPort;
    this.active++;
    return connection;
  }
}
