/**
 * Socket: node:dgram's, over the host's UDP. Calls do at once what they say; what they and the network have to tell is told
 * in a tick, for user code never runs inside a step of the host.
 *
 * Unlike Node's, a socket is bound and connected when the call returns, and takes options before that too. There are no groups
 * to join: a host of a machine speaks to one host, or to all on its link.
 */
import { EventEmitter } from 'node:events';
import type { Interface } from '../host/interface.ts';
import { networkErrorName } from '../host/network-error.ts';
import type { Datagram, UdpError, UdpOwner, UdpSocket } from '../host/udp-socket.ts';
import { isIpv6 } from '../wire/address-table.ts';
import { isLinkLocalWord } from '../wire/ipv6-address.ts';
import type { SocketAddressInfo } from '../net/address-info.ts';
import { type Family, familyOf, isError, resolve } from '../net/addresses.ts';
import { argumentError, codedError, endError, type NetError, received, transferError } from '../net/errors.ts';
import { ProcessHold } from '../net/process-hold.ts';
import {
  bindArguments,
  type BindOptions,
  type Callback,
  type Message,
  portOf,
  sendArguments,
  type SendCallback,
  type SocketOptions,
  type SocketType,
} from './options.ts';
import type { UdpCore } from './core.ts';

export interface RemoteInfo extends SocketAddressInfo {
  readonly size: number;
}

export interface SocketEvents {
  message: [message: Buffer, from: RemoteInfo];
  listening: [];
  connect: [];
  close: [];
  error: [error: NodeJS.ErrnoException];
}

const NOT_RUNNING = 'Not running';

export class Socket extends EventEmitter<SocketEvents> implements AsyncDisposable, UdpOwner {
  readonly type: SocketType;
  readonly #core: UdpCore;
  readonly #socket: UdpSocket;
  readonly #hold: ProcessHold;
  #isScheduled = false;

  constructor(core: UdpCore, options: SocketOptions) {
    super();
    this.#core = core;
    this.type = options.type;
    const version = options.type === 'udp4' ? 4 : options.ipv6Only === true ? 6 : 0;
    this.#socket = core.udp.open(this, version);
    this.#hold = new ProcessHold(core, () => this.#socket.localPort !== 0 && !this.#socket.isClosed);
    this.#socket.reuse = options.reuseAddr ?? false;
    this.#socket.reportsAllErrors = options.reportAllErrors ?? false;
    if (options.recvBufferSize !== undefined) this.setRecvBufferSize(options.recvBufferSize);
    const { signal } = options;
    if (signal?.aborted === true) process.nextTick(() => this.#closeOnce());
    else signal?.addEventListener('abort', () => this.#closeOnce(), { once: true });
  }

  // --- binding ---

  bind(port?: number, address?: string, listening?: Callback): this;
  bind(port: number, listening: Callback): this;
  bind(options: BindOptions, listening?: Callback): this;
  bind(listening: Callback): this;
  bind(...args: unknown[]): this {
    this.#check();
    if (this.#socket.localPort !== 0) throw codedError('ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound');
    const { options, callback } = bindArguments(args);
    const port = portOf(options.port ?? 0, true);
    if (callback !== undefined) this.once('listening', callback);
    const error = this.#bind(port, options.address);
    process.nextTick(() => {
      if (error === null) {
        if (!this.#socket.isClosed) this.emit('listening');
        return;
      }
      if (callback !== undefined) this.removeListener('listening', callback);
      this.emit('error', error);
    });
    return this;
  }

  /** To all addresses of the socket's versions, unless one is given. */
  #bind(port: number, host: string | undefined): NetError | null {
    const any = this.type === 'udp4' ? '0.0.0.0' : '::';
    if (host === undefined || host === '' || host === any) return this.#bindTo(0, port, any);
    const resolved = resolve(host, this.#core.host);
    if (isError(resolved)) return resolved;
    const error = this.#bindTo(resolved.address, port, host);
    this.#core.forget(resolved.address);
    return error;
  }

  #bindTo(address: number, port: number, text: string): NetError | null {
    const result = this.#core.udp.bind(this.#socket, address, port);
    if (result !== '') return endError('bind', result, text, port);
    this.#hold.update();
    return null;
  }

  // --- connecting ---

  connect(port: number, address?: string, connected?: (error?: Error) => void): void;
  connect(port: number, connected?: (error?: Error) => void): void;
  connect(port: number, ...args: unknown[]): void {
    const checked = portOf(port, false);
    const last = args.at(-1);
    const callback = typeof last === 'function' ? (last as (error?: Error) => void) : undefined;
    this.#check();
    if (this.#socket.isConnected) throw codedError('ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected');
    const error = this.#connect(checked, typeof args[0] === 'string' ? args[0] : undefined);
    if (error === null && callback !== undefined) this.once('connect', callback);
    process.nextTick(() => {
      if (error === null) this.emit('connect');
      else if (callback === undefined) this.emit('error', error);
      else callback(error);
    });
  }

  #connect(port: number, host: string | undefined): NetError | null {
    const unbound = this.#bindIfUnbound();
    if (unbound !== null) return unbound;
    const resolved = resolve(host, this.#core.host);
    if (isError(resolved)) return resolved;
    const { address, iface } = resolved;
    const result = this.#core.udp.connect(this.#socket, address, port, iface);
    const error = result === '' ? null : endError('connect', result, host!, port);
    this.#core.forget(address);
    return error;
  }

  disconnect(): void {
    this.#check();
    this.#checkConnected();
    this.#core.udp.disconnect(this.#socket);
  }

  // --- sending ---

  send(message: Message | readonly Message[], port: number, address?: string, sent?: SendCallback): void;
  send(message: Message | readonly Message[], port: number, sent?: SendCallback): void;
  send(message: Message | readonly Message[], sent?: SendCallback): void;
  send(message: Message, offset: number, length: number, port: number, address?: string, sent?: SendCallback): void;
  send(message: Message, offset: number, length: number, port: number, sent?: SendCallback): void;
  send(message: Message, offset: number, length: number, sent?: SendCallback): void;
  send(...args: unknown[]): void {
    const { bytes, port, address, callback } = sendArguments(args, this.#socket.isConnected);
    this.#check();
    const error = this.#bindIfUnbound() ?? this.#send(bytes, port, address);
    // As in Node, whoever gives no callback does not want to know.
    if (callback === undefined) return;
    process.nextTick(() => (error === null ? callback(null, bytes.length) : callback(error)));
  }

  #send(bytes: Uint8Array, port: number | undefined, host: string | undefined): NetError | null {
    const { remoteAddress, remotePort, remoteIface } = this.#socket;
    if (port === undefined) return this.#sendTo(bytes, remoteAddress, remotePort, remoteIface);
    const resolved = resolve(host, this.#core.host);
    if (isError(resolved)) return resolved;
    const error = this.#sendTo(bytes, resolved.address, port, resolved.iface);
    this.#core.forget(resolved.address);
    return error;
  }

  #sendTo(bytes: Uint8Array, address: number, port: number, iface: Interface | null): NetError | null {
    const result = this.#core.send(this.#socket, bytes, address, port, iface);
    return result === '' ? null : endError('send', result, this.#core.format(address), port);
  }

  #bindIfUnbound(): NetError | null {
    if (this.#socket.localPort !== 0) return null;
    const error = this.#bind(0, undefined);
    if (error === null) process.nextTick(() => !this.#socket.isClosed && this.emit('listening'));
    return error;
  }

  // --- what comes ---

  /** Of UdpOwner, during a step of the host. */
  ready(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(tell, this);
  }

  /** Everything that waits; a listener that throws leaves the rest for another tick. */
  tell(): void {
    this.#isScheduled = false;
    const socket = this.#socket;
    try {
      for (let error = socket.takeError(); error !== undefined; error = socket.takeError()) this.#tellError(error);
      for (let next = socket.take(); next !== undefined; next = socket.take()) this.#tellMessage(next);
    } finally {
      if (socket.unread > 0 || socket.errorCount > 0) this.ready();
    }
  }

  #tellError({ error, address, port }: UdpError): void {
    const told: NetError = transferError('recvmsg', networkErrorName(error));
    told.address = this.#core.format(address);
    told.port = port;
    this.#core.forget(address);
    this.emit('error', told);
  }

  #tellMessage({ bytes, address, port, iface }: Datagram): void {
    const { addresses } = this.#core.udp;
    const isLinkLocal = isIpv6(address) && isLinkLocalWord(addresses.words[addresses.indexOf(address)]!);
    const zone = isLinkLocal ? `%${iface.adapter.name}` : '';
    const from = { address: this.#core.format(address) + zone, family: familyOf(address), port, size: bytes.length };
    this.#core.forget(address);
    this.emit('message', bytes, from);
  }

  // --- closing ---

  close(closed?: Callback): this {
    this.#check();
    if (closed !== undefined) this.once('close', closed);
    this.#core.udp.close(this.#socket);
    this.#hold.update();
    process.nextTick(() => this.emit('close'));
    return this;
  }

  #closeOnce(): void {
    if (!this.#socket.isClosed) this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.isClosed) return;
    await new Promise<void>(closed => void this.close(closed));
  }

  // --- the rest ---

  address(): SocketAddressInfo {
    this.#check();
    const { localAddress, localPort } = this.#socket;
    if (localPort === 0) throw transferError('getsockname', 'EBADF');
    if (localAddress !== 0) return this.#core.describe(localAddress, localPort);
    const family: Family = this.type === 'udp4' ? 'IPv4' : 'IPv6';
    return { address: this.type === 'udp4' ? '0.0.0.0' : '::', family, port: localPort };
  }

  remoteAddress(): SocketAddressInfo {
    this.#check();
    this.#checkConnected();
    return this.#core.describe(this.#socket.remoteAddress, this.#socket.remotePort);
  }

  setBroadcast(isAllowed: boolean): void {
    this.#check();
    this.#socket.broadcast = isAllowed;
  }

  setTTL(ttl: number): number {
    this.#check();
    if (typeof ttl !== 'number') {
      const message = `The "ttl" argument must be of type number. Received ${received(ttl)}`;
      throw argumentError('ERR_INVALID_ARG_TYPE', message);
    }
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > 255) throw transferError('setTTL', 'EINVAL');
    this.#socket.ttl = ttl;
    this.#socket.hasTtl = true;
    return ttl;
  }

  /** Bytes that may wait to be taken, with what it takes to keep them. */
  setRecvBufferSize(size: number): void {
    this.#check();
    if (size >>> 0 !== size) {
      throw argumentError('ERR_SOCKET_BAD_BUFFER_SIZE', 'Buffer size must be a positive integer');
    }
    this.#socket.receiveBuffer = size;
  }

  getRecvBufferSize(): number {
    this.#check();
    return this.#socket.receiveBuffer;
  }

  ref(): this {
    this.#hold.reference(true);
    return this;
  }

  unref(): this {
    this.#hold.reference(false);
    return this;
  }

  #check(): void {
    if (this.#socket.isClosed) throw codedError('ERR_SOCKET_DGRAM_NOT_RUNNING', NOT_RUNNING);
  }

  #checkConnected(): void {
    if (!this.#socket.isConnected) throw codedError('ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected');
  }
}

function tell(socket: Socket): void {
  socket.tell();
}
