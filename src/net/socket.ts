/**
 * Socket: node:net's, over a connection of the TLI switch. Same events, properties and errors; what it does to the
 * connection is in link.ts. Not bound to a host: net.ts does that.
 *
 * Differences: `localAddress` and its kin keep their values after the end; there is no `lookup` event, since names are
 * not looked up; IPC, file descriptors and Happy Eyeballs have no meaning here.
 */
import { addAbortSignal, Duplex, type DuplexOptions } from 'node:stream';
import type { TliConnection } from '../host/connection.ts';
import { CloseReason } from '../tcp/effects.ts';
import type { SocketAddressInfo } from './address-info.ts';
import { isError, type Resolved, resolve } from './addresses.ts';
import type { NetCore } from './core.ts';
import { argumentError, codedError, connectError, type NetError, received, transferError } from './errors.ts';
import { type Done, Link } from './link.ts';
import type { NetTimer } from './net-host.ts';
import {
  type Callback,
  connectArguments,
  type ConnectOptions,
  connectPort,
  localPortOf,
  type SocketOptions,
  type TransportOptions,
} from './options.ts';
import { StoredOptions } from './stored-options.ts';

export type SocketReadyState = 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed';

/** Largest delay of Node's timers. */
const TIMEOUT_MAX = 2147483647;

function duplexOptions(options: SocketOptions): DuplexOptions {
  const { allowHalfOpen = false, highWaterMark, readableHighWaterMark, writableHighWaterMark } = options;
  const stream: DuplexOptions = { allowHalfOpen, emitClose: false, autoDestroy: true };
  if (highWaterMark !== undefined) stream.highWaterMark = highWaterMark;
  if (readableHighWaterMark !== undefined) stream.readableHighWaterMark = readableHighWaterMark;
  if (writableHighWaterMark !== undefined) stream.writableHighWaterMark = writableHighWaterMark;
  return stream;
}

export class Socket extends Duplex {
  /** True from `connect` until `connect`. */
  connecting = false;
  timeout: number | undefined = undefined;
  bytesRead = 0;
  readonly #core: NetCore;
  #link: Link | null = null;
  #timer: NetTimer | null = null;
  #isReferenced = true;
  readonly #stored = new StoredOptions();
  #resetDue = false;
  #dispatched = 0;
  /** Of the peer while connecting, then of both ends. */
  #remote: SocketAddressInfo | null = null;
  #local: SocketAddressInfo | null = null;
  /** Told when the socket is closed: of a server's. */
  #onClosed: Callback | null = null;

  constructor(core: NetCore, options: SocketOptions = {}) {
    super(duplexOptions(options));
    this.#core = core;
    this.on('end', () => {
      // As in Node: without half-open connections a write after the peer's FIN is an error.
      if (!this.allowHalfOpen) this.write = writeAfterFin;
    });
    if (options.signal !== undefined) addAbortSignal(options.signal, this);
  }

  /** Makes a new socket that of an accepted connection. During a step of the host: nothing of the user's runs. */
  static accept(socket: Socket, connection: TliConnection, onClosed: Callback): void {
    const link = socket.#newLink();
    link.accepted();
    socket.#opened(link, connection);
    socket.#onClosed = onClosed;
  }

  // --- connecting ---

  connect(options: ConnectOptions, connected?: Callback): this;
  connect(port: number | string, connected?: Callback): this;
  connect(port: number | string, host: string, connected?: Callback): this;
  connect(...args: unknown[]): this {
    const { options, callback } = connectArguments(args);
    const port = connectPort(options);
    const localPort = localPortOf(options);
    if (this.destroyed) this.#startOver();
    if (callback !== undefined) this.once('connect', callback);
    this.connecting = true;
    this.preset(options);
    this.#touch();
    const resolved = resolve(options.host, this.#core.host);
    const error = isError(resolved) ? resolved : this.#open(resolved, port, localPort, options);
    if (error !== null) {
      process.nextTick(() => {
        if (this.connecting) this.destroy(error);
      });
    }
    return this;
  }

  #open({ address, iface }: Resolved, port: number, localPort: number, options: ConnectOptions): NetError | null {
    this.#remote = this.#core.describe(address, port);
    const link = this.#newLink();
    const { localAddress, fastOpen = false } = options;
    const error = this.#core.connect(link, { address, iface, port, localAddress, localPort, fastOpen });
    this.#core.forget(address);
    if (error !== null || link.connection === null) return error;
    this.#opened(link, link.connection);
    // Whoever writes nothing waits for what the peer has to say.
    if (fastOpen) this.#core.startTimer(0, () => link.openNow());
    return null;
  }

  /** A socket may connect again after `close`. */
  #startOver(): void {
    (this as Duplex & { _undestroy?: () => void })._undestroy?.();
    Reflect.deleteProperty(this, 'write');
    this.#link = null;
    this.#local = null;
    this.#resetDue = false;
    this.#dispatched = 0;
    this.bytesRead = 0;
  }

  #newLink(): Link {
    return new Link(this.#core, {
      connected: () => this.#connected(),
      data: chunk => this.#data(chunk),
      ended: () => this.#ended(),
      failed: (reason, networkError) => this.#failed(reason, networkError),
      progress: () => this.#touch(),
    });
  }

  #opened(link: Link, connection: TliConnection): void {
    link.open(connection);
    this.#link = link;
    const { remoteAddress, remotePort, localAddress, localPort } = connection;
    this.#remote = this.#core.describe(remoteAddress, remotePort);
    this.#local = this.#core.describe(localAddress, localPort);
    link.setHeld(this.#isReferenced);
    this.#change(each => this.#stored.applyTo(each));
  }

  // --- what the link tells, in ticks ---

  #connected(): void {
    this.connecting = false;
    // RFC 9293 3.8.4: keep-alive begins with the connection.
    this.#change(each => this.#stored.applyTo(each));
    this.#touch();
    this.emit('connect');
    this.emit('ready');
    if (this.#resetDue) this.destroy();
  }

  #data(chunk: Buffer): boolean {
    this.bytesRead += chunk.length;
    this.#touch();
    return this.push(chunk);
  }

  #ended(): void {
    this.#touch();
    this.push(null);
    // With nothing left to read this is `end`, even if nobody reads.
    this.read(0);
  }

  #failed(reason: CloseReason, networkError: string): void {
    // Who never gets through hears what the network said last (RFC 1122 4.2.3.9), as on Linux.
    const lost = reason === CloseReason.TimedOut || reason === CloseReason.Unreachable;
    const silence = networkError === '' ? 'ETIMEDOUT' : networkError;
    if (this.connecting) {
      const { address, port } = this.#remote!;
      const refused = reason === CloseReason.Reset ? 'ECONNRESET' : 'ECONNREFUSED';
      this.destroy(connectError(lost ? silence : refused, address, port));
    } else {
      this.destroy(transferError('read', lost ? silence : 'ECONNRESET'));
    }
  }

  // --- stream ---

  override _read(): void {
    this.#link?.read();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send([chunk], done);
  }

  override _writev(items: { chunk: Buffer; encoding: BufferEncoding }[], done: Done): void {
    this.#send(
      items.map(({ chunk }) => chunk),
      done,
    );
  }

  #send(chunks: readonly Buffer[], done: Done): void {
    if (this.#link === null) {
      done(codedError('ERR_SOCKET_CLOSED', 'Socket is closed'));
      return;
    }
    this.#touch();
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    this.#link.write(chunks, error => {
      if (error === null || error === undefined) this.#dispatched += length;
      done(error);
    });
  }

  override _final(done: Done): void {
    if (this.#link === null) done(null);
    else this.#link.shutdown(done);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.connecting = false;
    this.#timer?.close();
    this.#timer = null;
    const link = this.#link;
    this.#link = null;
    link?.close(this.#resetDue, error);
    done(error);
    const onClosed = this.#onClosed;
    this.#onClosed = null;
    process.nextTick(() => {
      this.emit('close', error !== null);
      onClosed?.();
    });
  }

  // --- closing ---

  /** `end`, then `destroy` once everything is written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** RST instead of FIN. While connecting it waits for the connection. */
  resetAndDestroy(): this {
    if (this.#link === null) {
      this.destroy(codedError('ERR_SOCKET_CLOSED', 'Socket is closed'));
      return this;
    }
    this.#resetDue = true;
    if (!this.connecting) this.destroy();
    return this;
  }

  // --- options ---

  /** `timeout` is emitted after so many ms without traffic, 0 = never; the socket stays open. */
  setTimeout(ms: number, callback?: Callback): this {
    if (this.destroyed) return this;
    if (typeof ms !== 'number' || Number.isNaN(ms) || ms < 0) {
      throw argumentError(
        'ERR_INVALID_ARG_TYPE',
        `The "msecs" argument must be of type number. Received ${received(ms)}`,
      );
    }
    this.timeout = ms;
    this.#timer?.close();
    this.#timer = null;
    if (ms === 0) {
      if (callback !== undefined) this.removeListener('timeout', callback);
      return this;
    }
    this.#timer = this.#core.startTimer(Math.min(ms, TIMEOUT_MAX), () => this.emit('timeout'));
    if (callback !== undefined) this.once('timeout', callback);
    return this;
  }

  setNoDelay(noDelay = true): this {
    this.#stored.noDelay = noDelay;
    this.#change(connection => this.#stored.applyNoDelay(connection));
    return this;
  }

  /** Times in ms; 0 leaves each as it is, and whole seconds count. `interval` and `probes` are not in Node. */
  setKeepAlive(enabled = false, initialDelay = 0, interval = 0, probes = 0): this {
    this.#stored.keepAlive = { enabled, initialDelay, interval, probes };
    this.#change(connection => this.#stored.applyKeepAlive(connection));
    return this;
  }

  /** RFC 5482: ms that the peer may leave something unanswered; 0: by the count of retransmissions. Not in Node. */
  setUserTimeout(ms: number): this {
    this.#stored.userTimeout = ms;
    this.#change(connection => this.#stored.applyUserTimeout(connection));
    return this;
  }

  /** What `connect` and servers set. */
  preset(options: TransportOptions): void {
    const { noDelay, keepAlive, keepAliveInitialDelay, keepAliveInterval, keepAliveProbes, userTimeout } = options;
    if (noDelay !== undefined) this.setNoDelay(noDelay);
    if (keepAlive === true) this.setKeepAlive(true, keepAliveInitialDelay, keepAliveInterval, keepAliveProbes);
    if (userTimeout !== undefined) this.setUserTimeout(userTimeout);
  }

  ref(): this {
    this.#isReferenced = true;
    this.#link?.setHeld(true);
    return this;
  }

  unref(): this {
    this.#isReferenced = false;
    this.#link?.setHeld(false);
    return this;
  }

  #change(change: (connection: TliConnection) => void): void {
    const connection = this.#link?.connection ?? null;
    if (connection === null) return;
    this.#core.enter();
    change(connection);
    this.#core.wake();
  }

  #touch(): void {
    this.#timer?.refresh();
  }

  // --- properties ---

  address(): SocketAddressInfo | Record<string, never> {
    return this.#local ?? {};
  }

  get remoteAddress(): string | undefined {
    return this.connecting ? undefined : this.#remote?.address;
  }

  get remoteFamily(): string | undefined {
    return this.connecting ? undefined : this.#remote?.family;
  }

  get remotePort(): number | undefined {
    return this.connecting ? undefined : this.#remote?.port;
  }

  get localAddress(): string | undefined {
    return this.#local?.address;
  }

  get localFamily(): string | undefined {
    return this.#local?.family;
  }

  get localPort(): number | undefined {
    return this.#local?.port;
  }

  get bytesWritten(): number {
    return this.#dispatched + this.writableLength;
  }

  /** Not connected yet. */
  get pending(): boolean {
    return this.#link === null || this.connecting;
  }

  get readyState(): SocketReadyState {
    if (this.connecting) return 'opening';
    if (this.readable && this.writable) return 'open';
    if (this.readable) return 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /** Whether it was accepted or connected over a chimney: its TCP is on a NIC at the moment. */
  get isOffloaded(): boolean {
    return this.#link?.connection?.isOffloaded ?? false;
  }
}

function writeAfterFin(this: Socket, _chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
  const error = codedError('EPIPE', 'This socket has been ended by the other party');
  const done = typeof encoding === 'function' ? encoding : callback;
  if (typeof done === 'function') process.nextTick(done as Done, error);
  this.destroy(error);
  return false;
}
