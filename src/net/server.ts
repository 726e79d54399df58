/**
 * Server: node:net's, over a listener of the TLI switch. Connections are accepted as they come; `backlog` limits those whose
 * handshake is not complete.
 */
import { EventEmitter } from 'node:events';
import type { TliConnection, TliHandler } from '../host/connection.ts';
import type { ListenOptions as TliListenOptions } from '../host/listeners.ts';
import { isIpv6 } from '../wire/address-table.ts';
import type { SocketAddressInfo } from './address-info.ts';
import { type Family, isError, resolve } from './addresses.ts';
import type { NetCore } from './core.ts';
import { codedError, listenError } from './errors.ts';
import {
  type Callback,
  listenArguments,
  type ListenOptions,
  listenPort,
  type ServerOptions,
  type SocketOptions,
} from './options.ts';
import { ProcessHold } from './process-hold.ts';
import { Socket } from './socket.ts';

/** As in Node. */
const BACKLOG_DEFAULT = 511;
const ANY_IPV4 = '0.0.0.0';
const ANY_IPV6 = '::';

/** What comes with `drop`, as in Node. */
export interface DropArgument {
  readonly localAddress: string;
  readonly localPort: number;
  readonly localFamily: Family;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: Family;
}

export class Server extends EventEmitter implements AsyncDisposable {
  maxConnections: number | undefined = undefined;
  readonly #core: NetCore;
  readonly #newSocket: (options: SocketOptions) => Socket;
  readonly #options: ServerOptions;
  #local: SocketAddressInfo | null = null;
  #connections = 0;
  readonly #hold: ProcessHold;

  constructor(
    core: NetCore,
    newSocket: (options: SocketOptions) => Socket,
    options: ServerOptions,
    listener: ((socket: Socket) => void) | undefined,
  ) {
    super();
    this.#core = core;
    this.#newSocket = newSocket;
    this.#options = options;
    this.#hold = new ProcessHold(core, () => this.#local !== null);
    if (listener !== undefined) this.on('connection', listener);
  }

  get listening(): boolean {
    return this.#local !== null;
  }

  // --- listening ---

  listen(port?: number | string, host?: string, backlog?: number, listening?: Callback): this;
  listen(port: number | string, host: string, listening?: Callback): this;
  listen(port: number | string, listening?: Callback): this;
  listen(options: ListenOptions, listening?: Callback): this;
  listen(listening: Callback): this;
  listen(...args: unknown[]): this {
    const { options, callback } = listenArguments(args);
    if (this.#local !== null) {
      const message = 'Listen method has been called more than once without closing.';
      throw codedError('ERR_SERVER_ALREADY_LISTEN', message);
    }
    const port = listenPort(options);
    if (callback !== undefined) this.once('listening', callback);
    const error = this.#listen(port, options);
    if (error !== null) {
      process.nextTick(() => this.emit('error', error));
      return this;
    }
    const { signal } = options;
    if (signal !== undefined) {
      if (signal.aborted) process.nextTick(() => this.close());
      else signal.addEventListener('abort', () => this.close(), { once: true });
    }
    process.nextTick(() => {
      if (this.#local !== null) this.emit('listening');
    });
    return this;
  }

  #listen(port: number, options: ListenOptions): Error | null {
    const { backlog = BACKLOG_DEFAULT, ipv6Only = false, fastOpen = 0 } = options;
    const limits = { backlog, fastOpenMax: fastOpen };
    const own = this.#core.addresses;
    const speaksIpv6 = own.some(isIpv6);
    // As in Node: all addresses of both IP versions, if there are both.
    const host = options.host ?? (speaksIpv6 ? ANY_IPV6 : ANY_IPV4);
    if (host === ANY_IPV4) return this.#take(port, { address: 0, version: 4, ...limits }, ANY_IPV4, 'IPv4');
    if (host === ANY_IPV6) {
      const version = ipv6Only ? 6 : 0;
      const [text, family] = speaksIpv6 ? [ANY_IPV6, 'IPv6' as const] : [ANY_IPV4, 'IPv4' as const];
      return this.#take(port, { address: 0, version, ...limits }, text, family);
    }
    const resolved = resolve(host, this.#core.host);
    if (isError(resolved)) return resolved;
    const { address } = resolved;
    const { address: text, family } = this.#core.describe(address, port);
    const error = own.includes(address)
      ? this.#take(port, { address, ...limits }, text, family)
      : listenError('EADDRNOTAVAIL', text, port);
    this.#core.forget(address);
    return error;
  }

  #take(port: number, options: TliListenOptions, address: string, family: Family): Error | null {
    const taken = this.#core.listen(port, this.#acceptor, options);
    if (taken === 0) return listenError('EADDRINUSE', address, port);
    this.#local = { address, family, port: taken };
    this.#hold.update();
    return null;
  }

  /** Only the first callback is ever called: then the connection is the socket's. */
  readonly #acceptor: TliHandler = {
    connected: connection => this.#accept(connection),
    received: (_connection, _address, length) => length,
    ended: () => {},
    sent: () => {},
    closed: () => {},
  };

  /** During a step of the host. */
  #accept(connection: TliConnection): void {
    connection.handler = this.#core.events;
    const { maxConnections } = this;
    if (maxConnections !== undefined && this.#connections >= maxConnections) {
      const argument = describeDrop(this.#core, connection);
      connection.abort();
      process.nextTick(() => this.emit('drop', argument));
      return;
    }
    const { allowHalfOpen, highWaterMark, pauseOnConnect } = this.#options;
    this.#connections++;
    const socket = this.#newSocket({ allowHalfOpen, highWaterMark });
    Socket.accept(socket, connection, () => {
      this.#connections--;
      this.#emitCloseIfDrained();
    });
    socket.preset(this.#options);
    if (pauseOnConnect === true) socket.pause();
    process.nextTick(() => this.emit('connection', socket));
  }

  // --- closing ---

  /** No new connections; `close` is emitted when the last one has ended. */
  close(callback?: (error?: Error) => void): this {
    const wasListening = this.#local !== null;
    if (callback !== undefined) {
      const error = codedError('ERR_SERVER_NOT_RUNNING', 'Server is not running.');
      this.once('close', () => (wasListening ? callback() : callback(error)));
    }
    if (this.#local !== null) {
      this.#core.unlisten(this.#local.port);
      this.#local = null;
      this.#hold.update();
    }
    this.#emitCloseIfDrained();
    return this;
  }

  #emitCloseIfDrained(): void {
    if (this.#local !== null || this.#connections > 0) return;
    process.nextTick(() => this.emit('close'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#local === null) return;
    await new Promise<void>((done, fail) => {
      this.close(error => (error === undefined ? done() : fail(error)));
    });
  }

  // --- the rest ---

  address(): SocketAddressInfo | null {
    return this.#local;
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#connections);
    return this;
  }

  ref(): this {
    this.#hold.reference(true);
    return this;
  }

  unref(): this {
    this.#hold.reference(false);
    return this;
  }
}

function describeDrop(core: NetCore, connection: TliConnection): DropArgument {
  const local = core.describe(connection.localAddress, connection.localPort);
  const remote = core.describe(connection.remoteAddress, connection.remotePort);
  return {
    localAddress: local.address,
    localPort: local.port,
    localFamily: local.family,
    remoteAddress: remote.address,
    remotePort: remote.port,
    remoteFamily: remote.family,
  };
}
