/**
 * Server: node:net's, over a listener of the TLI switch. Connections are accepted as they come; `backlog` limits those whose
 * handshake is not complete.
 */
import { EventEmitter } from 'node:events';
import type { TliConnection, TliHandler } from '../host/connection.ts';
import { formatIpv4 } from '../wire/ipv4-text.ts';
import type { NetCore } from './core.ts';
import { codedError, listenError } from './errors.ts';
import {
  type Callback,
  listenArguments,
  type ListenOptions,
  listenPort,
  resolve,
  type ServerOptions,
  type SocketOptions,
} from './options.ts';
import { Socket, type SocketAddressInfo } from './socket.ts';

/** As in Node. */
const BACKLOG_DEFAULT = 511;

/** What comes with `drop`, as in Node. */
export interface DropArgument {
  readonly localAddress: string;
  readonly localPort: number;
  readonly localFamily: 'IPv4';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: 'IPv4';
}

export class Server extends EventEmitter implements AsyncDisposable {
  maxConnections: number | undefined = undefined;
  readonly #core: NetCore;
  readonly #newSocket: (options: SocketOptions) => Socket;
  readonly #options: ServerOptions;
  #local: SocketAddressInfo | null = null;
  #connections = 0;
  #isReferenced = true;
  #isHeld = false;

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
    const error = this.#listen(port, options.host, options.backlog);
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

  #listen(port: number, host = '0.0.0.0', backlog = BACKLOG_DEFAULT): Error | null {
    const own = this.#core.addresses;
    const resolved = host === '::' ? 0 : resolve(host, own);
    if (typeof resolved !== 'number') return resolved;
    const address = formatIpv4(resolved);
    if (resolved !== 0 && !own.includes(resolved)) return listenError('EADDRNOTAVAIL', address, port);
    const taken = this.#core.listen(port, this.#acceptor, { address: resolved, backlog });
    if (taken === 0) return listenError('EADDRINUSE', address, port);
    this.#local = { address, family: 'IPv4', port: taken };
    this.#hold();
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
      const argument = describeDrop(connection);
      connection.abort();
      process.nextTick(() => this.emit('drop', argument));
      return;
    }
    const { allowHalfOpen, highWaterMark, noDelay, keepAlive, keepAliveInitialDelay, pauseOnConnect } = this.#options;
    this.#connections++;
    const socket = this.#newSocket({ allowHalfOpen, highWaterMark });
    Socket.accept(socket, connection, () => {
      this.#connections--;
      this.#emitCloseIfDrained();
    });
    if (noDelay === true) socket.setNoDelay(true);
    if (keepAlive === true) socket.setKeepAlive(true, keepAliveInitialDelay);
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
      this.#hold();
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
    this.#isReferenced = true;
    this.#hold();
    return this;
  }

  unref(): this {
    this.#isReferenced = false;
    this.#hold();
    return this;
  }

  #hold(): void {
    const wanted = this.#isReferenced && this.#local !== null;
    if (wanted === this.#isHeld) return;
    this.#isHeld = wanted;
    if (wanted) this.#core.hold();
    else this.#core.release();
  }
}

function describeDrop(connection: TliConnection): DropArgument {
  return {
    localAddress: formatIpv4(connection.localAddress),
    localPort: connection.localPort,
    localFamily: 'IPv4',
    remoteAddress: formatIpv4(connection.remoteAddress),
    remotePort: connection.remotePort,
    remoteFamily: 'IPv4',
  };
}
