/**
 * A TCP socket with the semantics of the BSD interface as Linux has them, over a connection of the TLI switch: a receive
 * queue, a send buffer, pending errors, shutdown in each direction, a queue of connections to accept.
 *
 * Calls answer at once; one that would block answers null, whether or not the socket may block is the caller's affair.
 */
import { assert } from '../base/assert.ts';
import type { TliConnection, TliHandler } from '../host/connection.ts';
import type { Listener } from '../host/listeners.ts';
import type { TliSwitch } from '../host/tli.ts';
import { CloseReason } from '../tcp/effects.ts';
import { TcpDelegatedFlag, TcpState } from '../tcp/tcb.ts';
import { type CallResult, failed, ok } from './call-result.ts';
import { ConnectionWatch } from './connection-watch.ts';
import { SendBuffer } from './send-buffer.ts';
import { type SendState, sendStateOf } from './send-state.ts';
import { DrillMachine } from './machine.ts';
import { SocketOptions } from './socket-options.ts';
import type { SocketWorld } from './socket-world.ts';
import { receivedByte } from './stream-bytes.ts';
import { TransmitStamps } from './transmit-stamps.ts';
import { UrgentMark } from './urgent-mark.ts';
import { ZeroCopy } from './zero-copy.ts';

const SOL_SOCKET = 1;
const SOL_TCP = 6;
const SO_RCVBUF = 8;
const SO_OOBINLINE = 10;
const TCP_FASTOPEN_CONNECT = 30;

export const TcpStage = { Closed: 0, Listening: 1, Connecting: 2, Connected: 3, Over: 4 } as const;
export type TcpStage = (typeof TcpStage)[keyof typeof TcpStage];

export class TcpSocket implements TliHandler {
  readonly world: SocketWorld;
  readonly options: SocketOptions;
  readonly sendBuffer: SendBuffer;
  readonly stamps = new TransmitStamps(() => this.wakeups++);
  readonly zeroCopy = new ZeroCopy(() => this.wakeups++);
  stage: TcpStage = TcpStage.Closed;
  nonBlocking = false;
  connection: TliConnection | null = null;
  /** Of the connection, or the last one. */
  watch: ConnectionWatch | null = null;
  /** Pending error (SO_ERROR), '' for none. */
  error = '';
  localPort = 0;
  remotePort = 0;
  /** Bytes that came, and that were read. */
  received_ = 0;
  consumed = 0;
  peerEnded = false;
  readShut = false;
  writeShut = false;
  /** close() was called: nobody reads or writes any more. */
  orphaned = false;
  /** Of a connection that is over: text on its SYN was acknowledged. */
  hadSynData = false;
  readonly urgentMark = new UrgentMark();
  /** To accept. */
  readonly queue: TcpSocket[] = [];
  backlog = 0;
  /** Wake-ups so far: what edge-triggered watchers look at. */
  wakeups = 0;

  constructor(world: SocketWorld) {
    const { sendBuffer, sendBufferMax, notsentLowat } = world.settings;
    this.world = world;
    this.options = new SocketOptions();
    this.sendBuffer = new SendBuffer(sendBuffer, sendBufferMax, notsentLowat);
  }

  get readsUrgentInline(): boolean {
    return this.options.get(SOL_SOCKET, SO_OOBINLINE) === 1;
  }

  get unread(): number {
    return this.received_ - this.consumed;
  }

  /** Of the sending direction, or null when there is no connection. */
  get sending(): SendState | null {
    const { connection } = this;
    return connection === null ? null : sendStateOf(this.world.tcbs.of(connection), this.sendBuffer.written);
  }

  /** The number of Linux's TCP_ESTABLISHED … for the state. */
  get tcpState(): TcpState {
    if (this.connection !== null) return this.world.tcbs.of(this.connection).state as TcpState;
    return this.stage === TcpStage.Listening ? TcpState.Listen : TcpState.Closed;
  }

  // --- TliHandler ---

  connected(connection: TliConnection): void {
    if (this.stage === TcpStage.Listening) {
      this.#accept(connection);
      return;
    }
    this.stage = TcpStage.Connected;
    this.sendBuffer.grow(this.sending!);
    this.wakeups++;
    this.world.established(connection);
  }

  #accept(connection: TliConnection): void {
    const child = new TcpSocket(this.world);
    child.stage = TcpStage.Connected;
    child.localPort = this.localPort;
    child.options.inherit(this.options);
    child.sendBuffer.inherit(this.sendBuffer);
    child.adopt(connection);
    child.sendBuffer.grow(child.sending!);
    this.queue.push(child);
    this.wakeups++;
    this.world.established(connection);
  }

  adopt(connection: TliConnection): void {
    this.connection = connection;
    this.remotePort = connection.remotePort;
    connection.handler = this;
    // The window opens when the application reads, not when the socket takes.
    connection.creditsLater = true;
    this.options.applyTo(connection);
    this.watch = new ConnectionWatch(connection, this.sendBuffer);
    this.world.began(this.watch);
  }

  received(_connection: TliConnection, address: number, length: number): number {
    const { u8 } = this.world.machine.sim.memory;
    for (let i = 0; i < length; i++) {
      assert(u8[address + i] === receivedByte(this.received_ + i), 'each byte is received once, in its place');
    }
    this.received_ += length;
    this.wakeups++;
    return length;
  }

  urgent(_connection: TliConnection, ahead: number): void {
    this.urgentMark.note(this.received_ + ahead - 1);
  }

  ended(): void {
    this.peerEnded = true;
    this.wakeups++;
  }

  sent(): void {
    // Whole buffers only: room may have come before (`lookForRoom`).
  }

  /** Something has happened: whoever waits for room may have it. */
  lookForRoom(): void {
    const state = this.sending;
    if (state === null || !this.sendBuffer.wantsRoom) return;
    // A connection that fills its congestion window needs no larger buffer.
    if (state.inFlight + state.mss <= state.cwnd) this.sendBuffer.grow(state);
    if (!this.sendBuffer.isWritable(state)) return;
    this.sendBuffer.wantsRoom = false;
    this.wakeups++;
  }

  closed(connection: TliConnection, reason: number): void {
    // One that was left behind (`reset`).
    if (connection !== this.connection) return;
    const wasConnecting = this.stage === TcpStage.Connecting;
    if (reason === CloseReason.Refused) this.error = 'ECONNREFUSED';
    else if (reason === CloseReason.TimedOut || reason === CloseReason.Unreachable) {
      this.error = connection.networkError === '' ? 'ETIMEDOUT' : connection.networkError;
    } else if (reason === CloseReason.Reset || reason === CloseReason.Replaced) {
      this.error = wasConnecting ? 'ECONNREFUSED' : this.peerEnded ? 'EPIPE' : 'ECONNRESET';
    }
    this.hadSynData = (this.world.tcbs.of(connection).delegatedFlags & TcpDelegatedFlag.SynData) !== 0;
    this.connection = null;
    this.stage = TcpStage.Over;
    this.wakeups++;
  }

  // --- calls ---

  takeError(): string {
    const { error } = this;
    this.error = '';
    return error;
  }

  listen(backlog: number): CallResult {
    if (this.stage !== TcpStage.Closed && this.stage !== TcpStage.Listening) return failed('EINVAL');
    this.backlog = Math.min(backlog, this.world.settings.somaxconn);
    if (this.stage === TcpStage.Listening) return ok();
    const options = { ...this.options.forListening, backlog: this.backlog, acceptsLater: true };
    if (!this.#applyBuffer().listen(this.localPort, this, options)) return failed('EADDRINUSE');
    this.stage = TcpStage.Listening;
    return ok();
  }

  /** SO_RCVBUF holds for the SYN already: window and scale are made of it. One listener at a time has its own. */
  #applyBuffer(): TliSwitch {
    const { machine, settings } = this.world;
    const set = this.options.get(SOL_SOCKET, SO_RCVBUF);
    const own = set === undefined ? settings.tcp : { rcvBuffer: set >> 1, rcvBufferMax: 0 };
    machine.retune({ ...settings.tcp, ...own });
    return machine.host.tli;
  }

  /** While it listens. */
  get listener(): Listener | null {
    return this.stage === TcpStage.Listening ? this.world.machine.host.transport.listeners.at(0, this.localPort) : null;
  }

  accept(): TcpSocket | 'none' | 'not listening' {
    if (this.stage !== TcpStage.Listening) return 'not listening';
    const child = this.queue.shift();
    child?.connection?.accept();
    return child ?? 'none';
  }

  /** A connect() now would not be the first. */
  get isBusy(): boolean {
    return this.stage !== TcpStage.Closed && this.stage !== TcpStage.Over;
  }

  connect(address: number, port: number): CallResult | null {
    if (this.stage === TcpStage.Connected) return failed('EISCONN');
    if (this.stage === TcpStage.Listening) return failed('EISCONN');
    const error = this.takeError();
    if (error !== '') return failed(error);
    if (this.isDeferred) return failed('EISCONN');
    if (this.stage === TcpStage.Connecting) return this.nonBlocking ? failed('EALREADY') : this.#handshake();
    const refused = this.open(address, port, this.options.get(SOL_TCP, TCP_FASTOPEN_CONNECT) === 1);
    if (refused !== null) return refused;
    // As far as the application knows, it is there.
    if (this.isDeferred) return ok();
    return this.nonBlocking ? failed('EINPROGRESS') : null;
  }

  /** Null: it is on its way, or its SYN waits for text. */
  open(address: number, port: number, fastOpen: boolean): CallResult | null {
    const options = { ...this.options.forConnecting, fastOpen };
    const connection = this.#applyBuffer().connect(address, port, this, this.localPort, 0, null, options);
    if (connection === null) return failed('EADDRNOTAVAIL');
    this.stage = TcpStage.Connecting;
    this.peerEnded = false;
    this.adopt(connection);
    return null;
  }

  /** connect() is done, and the SYN waits for text. */
  get isDeferred(): boolean {
    return this.stage === TcpStage.Connecting && this.connection!.awaitsText;
  }

  /**
   * Before there is a connection: the SYN leaves with what it can carry of `count` bytes, and a call that waits leaves the
   * rest behind it. Returns how many were taken.
   */
  sendEarly(count: number, waits: boolean, endsRecord: boolean): number {
    const onSyn = this.isDeferred ? Math.min(count, this.sending!.mss) : 0;
    if (count === 0) this.connection!.openNow();
    if (onSyn > 0) this.#sendWhole(onSyn, endsRecord && onSyn === count);
    if (waits && count > onSyn) this.#sendWhole(count - onSyn, endsRecord);
    return waits ? count : onSyn;
  }

  #sendWhole(count: number, endsRecord: boolean): void {
    this.sendBuffer.takeWhole(count);
    this.#send(count, false, endsRecord);
  }

  /** Of a connect that waits. */
  #handshake(): CallResult | null {
    return this.stage === TcpStage.Connecting ? null : ok();
  }

  /** A blocking connect goes on. */
  connectDone(): CallResult | null {
    if (this.stage === TcpStage.Connecting) return null;
    const error = this.takeError();
    return error === '' ? ok() : failed(error);
  }

  read(count: number, peek: boolean): CallResult | null {
    const hole = count > 0 ? this.urgentMark.holeAt(this.consumed, this.received_, this.readsUrgentInline) : 0;
    const unread = this.unread - hole;
    const taken = unread > 0 ? Math.min(unread, count, this.urgentMark.room(this.consumed + hole)) : 0;
    if (!peek && taken + hole > 0) {
      this.consumed += taken + hole;
      this.connection?.consumed(taken + hole);
    }
    if (unread > 0) return ok(taken);
    if (this.stage === TcpStage.Closed || this.stage === TcpStage.Listening) return failed('ENOTCONN');
    const error = this.takeError();
    if (error !== '') return failed(error);
    if (this.peerEnded || this.readShut || this.stage === TcpStage.Over) return ok(0);
    return count === 0 ? ok(0) : null;
  }

  /** Null: no room for a single byte. `isWaiting`: the call has been told so before; `more`: MSG_MORE, `endsRecord`: MSG_EOR. */
  write(count: number, isWaiting: boolean, more = false, endsRecord = false): CallResult | null {
    if (this.stage === TcpStage.Connecting) return null;
    if (this.error !== '') return failed(this.takeError());
    if (this.stage !== TcpStage.Connected || this.writeShut) return failed('EPIPE');
    // Who sleeps for room is woken when there is enough of it.
    if (isWaiting && this.sendBuffer.wantsRoom) return null;
    const taken = this.sendBuffer.take(count, this.sending!);
    if (taken === 0) return count === 0 ? ok(0) : null;
    // Of a call that is cut short, neither.
    const isWhole = taken === count;
    this.#send(taken, more && isWhole, endsRecord && isWhole);
    return ok(taken);
  }

  #send(count: number, more: boolean, endsRecord: boolean): void {
    if (endsRecord) this.sendBuffer.endRecord();
    const { machine } = this.world;
    let offset = this.sendBuffer.written - count;
    for (let left = count; left > 0;) {
      const part = Math.min(left, DrillMachine.sendMax);
      const address = machine.streamAt(offset, part);
      const isEnd = part === left;
      assert(
        this.connection!.send(address, part, part, more && isEnd, endsRecord && isEnd),
        'there is a descriptor for a send',
      );
      offset += part;
      left -= part;
    }
  }

  shutdown(how: number): CallResult {
    if (this.stage === TcpStage.Closed || this.stage === TcpStage.Over) return failed('ENOTCONN');
    if (this.stage === TcpStage.Listening) {
      if ((how + 1) & 1) this.#unlisten();
      return ok();
    }
    if (how !== 1) this.readShut = true;
    if (how !== 0 && !this.writeShut) {
      this.writeShut = true;
      if (this.stage === TcpStage.Connecting) this.connection!.abort();
      else this.connection!.shutdown(!this.readShut);
    }
    this.wakeups++;
    return ok();
  }

  #unlisten(): void {
    this.world.machine.host.tli.unlisten(this.localPort);
    this.stage = TcpStage.Closed;
    // Who was not accepted is reset.
    for (const child of this.queue.splice(0)) {
      child.orphaned = true;
      child.connection?.abort();
    }
  }

  /** connect() to AF_UNSPEC. What was not read is gone. */
  reset(): void {
    if (this.stage === TcpStage.Listening) this.#unlisten();
    this.connection?.abort();
    this.connection = null;
    this.stage = TcpStage.Closed;
    this.error = '';
    this.peerEnded = this.readShut = this.writeShut = false;
    this.received_ = this.consumed = 0;
    this.zeroCopy.look(null);
    this.sendBuffer.restart();
    this.wakeups++;
  }

  /** Everything of close() but waiting for SO_LINGER. */
  close(): void {
    this.orphaned = true;
    if (this.stage === TcpStage.Listening) {
      this.#unlisten();
      return;
    }
    const { connection, options } = this;
    if (connection === null) return;
    // RFC 2525 2.17: what was not read is lost, and the peer has to know.
    const isLost = this.unread > 0 || (options.lingerOn && options.lingerSeconds === 0);
    if (isLost || this.stage === TcpStage.Connecting) connection.abort();
    else connection.close();
    this.writeShut = true;
  }

  /** SO_LINGER: the peer has everything, or the connection is over. */
  get isDrained(): boolean {
    if (this.connection === null) return true;
    const { state } = this.world.tcbs.of(this.connection);
    return state === TcpState.FinWait2 || state === TcpState.TimeWait || state === TcpState.Closed;
  }
}
