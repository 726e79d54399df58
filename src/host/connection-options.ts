/**
 * Options of a connection (socket options), which are cached state: the host's, and written through to the device while the
 * connection is there (R3). Changed during a hand-over they are sent when it is done (R18).
 */
import { OffloadState } from '../offload/offload-state.ts';
import type { CongestionControl } from '../tcp/tcb.ts';
import type { TliConnection } from './connection.ts';
import type { TliConnections } from './tli-connections.ts';
import type { Transport } from './transport.ts';

export class ConnectionOptions {
  readonly #tli: TliConnections;
  readonly #transport: Transport;

  constructor(tli: TliConnections, transport: Transport) {
    this.#tli = tli;
    this.#transport = transport;
  }

  noDelay(connection: TliConnection, noDelay: boolean): void {
    this.#set(connection, slot => this.#transport.setNoDelay(slot, noDelay));
  }

  cork(connection: TliConnection, corked: boolean): void {
    this.#set(connection, slot => this.#transport.setCork(slot, corked));
  }

  quickAck(connection: TliConnection, enabled: boolean): void {
    this.#set(connection, slot => this.#transport.setQuickAck(slot, enabled));
  }

  keepAlive(connection: TliConnection, enabled: boolean, timeout: number): void {
    this.#set(connection, slot => this.#transport.setKeepAlive(slot, enabled, timeout));
  }

  keepAliveProbes(connection: TliConnection, interval: number, probes: number): void {
    this.#set(connection, slot => this.#transport.setKeepAliveProbes(slot, interval, probes));
  }

  /** Not cached state: false while the connection is on a device, or over. */
  congestionControl(connection: TliConnection, algorithm: CongestionControl): boolean {
    return connection.handler !== null && this.#transport.setCongestionControl(connection.slot, algorithm);
  }

  receiveBuffer(connection: TliConnection, bytes: number): void {
    this.#set(connection, slot => this.#transport.setReceiveBuffer(slot, bytes));
  }

  /** Who still reads (Transport.setReader). */
  reader(connection: TliConnection, isHalfClosed: boolean, isGone: boolean): void {
    this.#set(connection, slot => this.#transport.setReader(slot, isHalfClosed, isGone));
  }

  maxRetransmissionTime(connection: TliConnection, ticks: number): void {
    this.#set(connection, slot => this.#transport.setMaxRetransmissionTime(slot, ticks));
  }

  synRetransmissions(connection: TliConnection, count: number): void {
    this.#set(connection, slot => this.#transport.setSynRetransmissions(slot, count));
  }

  ip(connection: TliConnection, ttl: number, tos: number): void {
    this.#set(connection, slot => this.#transport.setIpOptions(slot, ttl, tos));
  }

  mayFragment(connection: TliConnection, mayFragment: boolean): void {
    this.#set(connection, slot => this.#transport.setMayFragment(slot, mayFragment));
  }

  #set(connection: TliConnection, change: (slot: number) => void): void {
    if (connection.handler === null) return;
    change(connection.slot);
    this.changed(connection);
  }

  /** Also when a hand-over is done during which something changed. */
  changed(connection: TliConnection): void {
    const state = this.#tli.stateOf(connection);
    if (state === OffloadState.Offloaded) this.#tli.watcher?.cachedChanged(connection);
    else connection.optionsChanged = state !== OffloadState.InHost;
  }
}
