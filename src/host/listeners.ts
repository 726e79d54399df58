/**
 * Who listens on which port, and how many connections wait there (RFC 9293 3.10.1): two queues for each listener, bounded
 * as on Linux by the backlog of listen(2).
 *
 *   SYN ──► SYN queue (SYN-RECEIVED) ──ACK of the handshake──► accept queue ──► the application has it
 *            `backlog` at most: then cookies                    `backlog` + 1 at most: then SYN and ACK are dropped
 *
 * What waits is a TCB in the table, so the queues are counts and a mark for each slot.
 */
import { SipHash } from '../base/siphash.ts';
import { isIpv6 } from '../wire/address-table.ts';
import type { OpenOptions } from './open-options.ts';

/** SOMAXCONN of Linux: what listen() takes at most, and what it is without a number. */
export const BACKLOG_MAX = 4096;

export interface ListenOptions extends OpenOptions {
  /** Connections that may wait, BACKLOG_MAX at most; 0 leaves room for one. */
  readonly backlog?: number;
  /** One of the host's addresses, 0 for all. */
  readonly address?: number;
  /** Of all addresses, those of one IP version only (IPV6_V6ONLY); 0: both. */
  readonly version?: 0 | 4 | 6;
  /** TCP_FASTOPEN: connections that may be open before their handshake is complete (RFC 7413); 0: none. */
  readonly fastOpenMax?: number;
  /** TCP_FASTOPEN_KEY: four words; absent: the host's. */
  readonly fastOpenKey?: readonly number[] | undefined;
  /** A connection waits in the accept queue until `TliConnection.accept`; otherwise it is the application's at once. */
  readonly acceptsLater?: boolean;
}

export class Listener {
  readonly port: number;
  readonly address: number;
  readonly version: 0 | 4 | 6;
  readonly acceptsLater: boolean;
  readonly backlog: number;
  /** Of its connections; may be changed under way. */
  options: OpenOptions;
  /** In SYN-RECEIVED. */
  handshakes = 0;
  /** Established, and not accepted. */
  unaccepted = 0;
  /** The tick of the last cookie, once there was one: its ACK may come until some minutes later. */
  cookieAt = 0;
  usesCookies = false;
  fastOpenMax: number;
  /** Of TCP_FASTOPEN_KEY. */
  fastOpenHash: SipHash | null = null;
  /** Open, and not sure that there is somebody. */
  fastOpenPending = 0;

  constructor(port: number, options: ListenOptions) {
    const { backlog = BACKLOG_MAX, address = 0, version = 0, acceptsLater = false } = options;
    this.options = options;
    this.port = port;
    this.address = address;
    this.version = version;
    this.acceptsLater = acceptsLater;
    this.fastOpenMax = options.fastOpenMax ?? 0;
    if (options.fastOpenKey !== undefined) this.fastOpenHash = SipHash.keyed(options.fastOpenKey);
    this.backlog = Math.min(Math.max(0, backlog), BACKLOG_MAX);
  }

  /** Does it listen on this address of ours? */
  isFor(address: number): boolean {
    if (this.address !== 0) return this.address === address;
    return this.version === 0 || isIpv6(address) === (this.version === 6);
  }

  get isAcceptQueueFull(): boolean {
    return this.unaccepted > this.backlog;
  }
}

/** What was refused, and how: names of Linux's TcpExt statistics. */
export class ListenCounters {
  syncookiesSent = 0;
  syncookiesRecv = 0;
  syncookiesFailed = 0;
  /** The accept queue was full. */
  listenOverflows = 0;
  /** SYNs and ACKs of handshakes that were dropped, for whatever reason. */
  listenDrops = 0;
}

export class Listeners {
  readonly counters = new ListenCounters();
  readonly #byPort = new Map<number, Listener>();
  /** Of a slot: the listener in whose queues it is counted. */
  readonly #listenerOf: (Listener | null)[];
  readonly #isComplete: Uint8Array;
  /** By Fast Open, and its handshake is not complete: of this listener. */
  readonly #earlyOf: (Listener | null)[];
  /** Of the whole table: the other half is for those who complete. */
  readonly #handshakesMax: number;
  #handshakes = 0;

  constructor(capacity: number) {
    this.#handshakesMax = capacity >> 1;
    this.#listenerOf = new Array<Listener | null>(capacity).fill(null);
    this.#isComplete = new Uint8Array(capacity);
    this.#earlyOf = new Array<Listener | null>(capacity).fill(null);
  }

  [Symbol.iterator](): Iterator<Listener> {
    return this.#byPort.values();
  }

  add(listener: Listener): void {
    this.#byPort.set(listener.port, listener);
  }

  remove(port: number): Listener | null {
    const listener = this.#byPort.get(port) ?? null;
    this.#byPort.delete(port);
    return listener;
  }

  at(address: number, port: number): Listener | null {
    const listener = this.#byPort.get(port);
    return listener?.isFor(address) === true ? listener : null;
  }

  /** Its SYN queue, or what all of them may take of the table. */
  isSynQueueFull(listener: Listener): boolean {
    return listener.handshakes >= listener.backlog || this.#handshakes >= this.#handshakesMax;
  }

  /** Whose SYN queue or accept queue the connection is in. */
  of(slot: number): Listener | null {
    return this.#listenerOf[slot]!;
  }

  /** A SYN was taken. */
  begin(slot: number, listener: Listener): void {
    this.#listenerOf[slot] = listener;
    this.#isComplete[slot] = 0;
    listener.handshakes++;
    this.#handshakes++;
  }

  /** It is the application's before its handshake is complete (RFC 7413). */
  beginEarly(slot: number, listener: Listener): void {
    this.begin(slot, listener);
    this.#earlyOf[slot] = listener;
  }

  /** The ACK that completes its handshake needs a place in the accept queue. */
  isWaiting(slot: number): Listener | null {
    return this.#isComplete[slot] === 0 ? this.of(slot) : null;
  }

  /** The handshake of one that was there before is complete, or it is over. */
  confirm(slot: number): void {
    const listener = this.#earlyOf[slot]!;
    if (listener === null) return;
    listener.fastOpenPending--;
    this.#earlyOf[slot] = null;
  }

  /** Its handshake is complete, or (early) need not be. */
  complete(slot: number): void {
    const listener = this.of(slot);
    if (listener === null || this.#isComplete[slot] === 1) return;
    this.#isComplete[slot] = 1;
    this.#handshakes--;
    listener.handshakes--;
    listener.unaccepted++;
  }

  /** It is over. */
  forget(slot: number): void {
    this.confirm(slot);
    this.leave(slot);
  }

  /** The application has it, or it never will. */
  leave(slot: number): void {
    const listener = this.of(slot);
    if (listener === null) return;
    this.#listenerOf[slot] = null;
    if (this.#isComplete[slot] === 1) {
      listener.unaccepted--;
    } else {
      this.#handshakes--;
      listener.handshakes--;
    }
  }
}
