/**
 * What all sockets and servers of one host share: the way into its TLI switch, the queue of those that wait for copy
 * buffers, and the count of those that keep the event loop alive.
 */
import type { TliConnection, TliHandler } from '../host/connection.ts';
import type { ListenOptions } from '../host/listeners.ts';
import type { Interface } from '../host/interface.ts';
import { connectError, type NetError } from './errors.ts';
import { Link, type LinkCore } from './link.ts';
import type { NetHost, NetTimer } from './net-host.ts';
import { isIpv6 } from '../wire/address-table.ts';
import { familyOf, ownAddress } from './addresses.ts';
import type { SocketAddressInfo } from './address-info.ts';

/** Ports for `listen(0)`: the dynamic ones, RFC 6335 6. */
const DYNAMIC_FIRST = 49152;
const DYNAMIC_COUNT = 16384;

export interface ConnectTarget {
  /** As `resolve` found it. */
  readonly address: number;
  readonly iface: Interface | null;
  readonly port: number;
  readonly localAddress: string | undefined;
  readonly localPort: number;
  readonly fastOpen: boolean;
}

export class NetCore implements LinkCore {
  readonly #host: NetHost;
  readonly #waiting: Link[] = [];
  #roomAsked = false;
  #nextPort = 0;
  #held = 0;

  constructor(host: NetHost) {
    this.#host = host;
  }

  get host(): NetHost {
    return this.#host;
  }

  get addresses(): readonly number[] {
    return this.#host.addresses();
  }

  /** An end of a connection as sockets show it. */
  describe(address: number, port: number): SocketAddressInfo {
    return { address: this.#host.tli.addresses.format(address), family: familyOf(address), port };
  }

  /** The address is known by its number no longer, but to a connection that came of it. */
  forget(address: number): void {
    this.#host.tli.addresses.release(address);
  }

  get memory(): Uint8Array {
    return this.#host.tli.memory.u8;
  }

  /** Bytes that a write can carry now. */
  get writeRoom(): number {
    return this.#host.tli.sends.writeRoom;
  }

  enter(): void {
    this.#host.enter();
  }

  wake(): void {
    this.#host.wake();
  }

  startTimer(ms: number, callback: () => void): NetTimer {
    return this.#host.startTimer(ms, callback);
  }

  /** Somebody wants the event loop to stay alive; undone by `release`. */
  hold(): void {
    if (this.#held++ === 0) this.#host.keepAlive(true);
  }

  release(): void {
    if (--this.#held === 0) this.#host.keepAlive(false);
  }

  // --- calls ---

  /** Starts an active open; the error, if it fails at once. */
  connect(link: Link, target: ConnectTarget): NetError | null {
    const { tli } = this.#host;
    const { address, iface, port, localAddress, localPort, fastOpen } = target;
    const { address: remote } = this.describe(address, port);
    if (this.addresses.includes(address)) {
      const hint = ' - a host of a machine does not reach itself, connect from another one';
      return connectError('EADDRNOTAVAIL', remote, port, hint);
    }
    const chosen = tli.sourceFor(address, iface);
    if (chosen === 0) return connectError('ENETUNREACH', remote, port);
    const local = ` - Local (${localAddress ?? (isIpv6(address) ? '::' : '0.0.0.0')}:${localPort})`;
    const isAny = localAddress === undefined || localAddress === '0.0.0.0' || localAddress === '::';
    const source = isAny ? chosen : ownAddress(localAddress, this.#host);
    // An interface has one address of IPv4, and may have several of IPv6.
    const isUsable = source !== undefined && (source === chosen || (isIpv6(source) && isIpv6(address)));
    if (!isUsable) return connectError('EADDRNOTAVAIL', remote, port, local);
    // Nobody listens on port 0 (RFC 6335 6).
    if (port === 0) return connectError('ECONNREFUSED', remote, port);
    this.enter();
    const connection = tli.connect(address, port, this.events, localPort, source, iface, { fastOpen });
    if (connection === null) {
      return localPort === 0 ? connectError('ENOBUFS', remote, port) : connectError('EADDRINUSE', remote, port, local);
    }
    link.open(connection);
    this.wake();
    return null;
  }

  /** Listens; the port, or 0 when it is taken. */
  listen(port: number, acceptor: TliHandler, options: ListenOptions): number {
    const { tli } = this.#host;
    if (port !== 0) return tli.listen(port, acceptor, options) ? port : 0;
    for (let tries = 0; tries < DYNAMIC_COUNT; tries++) {
      const candidate = DYNAMIC_FIRST + (this.#nextPort++ % DYNAMIC_COUNT);
      if (tli.listen(candidate, acceptor, options)) return candidate;
    }
    return 0;
  }

  unlisten(port: number): void {
    this.#host.tli.unlisten(port);
  }

  // --- copy buffers ---

  /** The link found none; it is served again in its turn. */
  waitForRoom(link: Link): void {
    if (!this.#waiting.includes(link)) this.#waiting.push(link);
    if (this.#roomAsked) return;
    this.#roomAsked = true;
    this.#host.tli.sends.whenRoom(() => {
      this.#roomAsked = false;
      for (const waiting of this.#waiting.splice(0)) waiting.schedule();
    });
  }

  waitNoMore(link: Link): void {
    const index = this.#waiting.indexOf(link);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  // --- events of connections, during a step of the host ---

  /**
   * One handler for all connections: `context` is the connection's link, or nothing once its socket is destroyed;
   * `tag` counts the bytes that are not acknowledged, and until that is zero such a one keeps the event loop alive.
   */
  readonly events: TliHandler = {
    connected: connection => linkOf(connection)?.connected(),
    received: (connection, address, length) => {
      const link = linkOf(connection);
      // RFC 1122 4.2.2.13: data for an application that is gone is answered with a reset.
      if (link === null) connection.abort();
      else link.received(address, length);
      return length;
    },
    ended: connection => linkOf(connection)?.ended(),
    sent: (connection, cookie) => {
      connection.tag -= cookie;
      linkOf(connection)?.sent();
      if (connection.tag === 0) this.#orphanDone(connection);
    },
    closed: (connection, reason) => {
      linkOf(connection)?.closed(reason);
      this.#orphanDone(connection);
      connection.context = null;
    },
  };

  /** The socket is gone, its last bytes are on their way. */
  orphan(connection: TliConnection, isHeld: boolean): void {
    connection.context = isHeld && connection.tag > 0 ? HELD_ORPHAN : null;
    if (isHeld && connection.tag === 0) this.release();
  }

  #orphanDone(connection: TliConnection): void {
    if (connection.context !== HELD_ORPHAN) return;
    connection.context = null;
    this.release();
  }
}

const HELD_ORPHAN = Symbol('orphan that keeps the event loop alive');

function linkOf(connection: TliConnection): Link | null {
  return connection.context instanceof Link ? connection.context : null;
}
