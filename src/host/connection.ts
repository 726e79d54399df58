/**
 * A connection as an application of the TLI switch sees it. Objects are reused slot by slot; none is made per connection
 * in steady state.
 */
import type { TliSwitch } from './tli.ts';

/**
 * What an application implements. Callbacks run on the host thread, never inside a call of the application's; they may
 * call any method of any connection.
 */
export interface TliHandler {
  /** The handshake is complete: of a listener's new connection, or of one's own connect. */
  connected(connection: TliConnection): void;
  /**
   * Bytes [address, address + length) of the machine's memory, valid during the call. Returns how many were taken; the
   * rest is kept, and shown again after `resume`. With `creditsLater` the peer may send as many again only after
   * `consumed`.
   */
  received(connection: TliConnection, address: number, length: number): number;
  /** The peer closed its direction; every byte before was received. */
  ended(connection: TliConnection): void;
  /** A send is acknowledged whole; `cookie` is the one given with it. */
  sent(connection: TliConnection, cookie: number): void;
  /** It is over; the object is not to be used any more. */
  closed(connection: TliConnection, reason: number): void;
}

/** What the chimney wants to hear of (chimney.ts). */
export interface ConnectionWatcher {
  /** Established, or otherwise worth another look: may be offloaded. */
  candidate(connection: TliConnection): void;
  /** To be taken back from the device. */
  takeBack(connection: TliConnection): void;
  /** Cached state of an offloaded connection changed: the device has to hear of it (update offload). */
  cachedChanged(connection: TliConnection): void;
}

export class TliConnection {
  readonly slot: number;
  readonly #tli: TliSwitch;
  handler: TliHandler | null = null;
  /** For the application. */
  context: unknown = null;
  tag = 0;
  /** Taking bytes does not open the window, `consumed` does: for applications that copy before they are read. */
  creditsLater = false;
  remoteAddress = 0;
  remotePort = 0;
  localAddress = 0;
  localPort = 0;
  /** The switch's own bookkeeping from here on. */
  sendClosed = false;
  peerClosed = false;
  finAcked = false;
  aborted = false;
  /** Data is kept from the application until a hand-over is done (OffloadPolicy.holdsData). */
  paused = false;
  /** Received NET_BUFFERs that the application has not taken: chain, and bytes. */
  heldHead = 0;
  heldTail = 0;
  heldBytes = 0;
  endedPending = false;
  /** Consumed bytes that the device has not been told of yet. */
  credit = 0;
  /** Bytes taken and not consumed yet (creditsLater). */
  owedBytes = 0;
  /** Closed in order while the application still has to see what it holds: then it hears of it. */
  closePending = false;
  /** The TCB is over too: the slot is free once the application has heard of the end. */
  releasePending = false;
  /** Options were changed while a hand-over was under way. */
  optionsChanged = false;
  /** Calls that wait for the end of a hand-over: chain of sends, then a disconnect or abort. */
  queuedHead = 0;
  queuedTail = 0;
  queuedDisconnect = false;
  queuedAbort = false;
  /** In the list of young connections, or of those to be taken back. */
  listed = false;
  /** The tick it was established at. */
  bornAt = 0;
  everOffloaded = false;
  /** NET_BUFFERs sent and not completed. */
  sendsOutstanding = 0;

  constructor(tli: TliSwitch, slot: number) {
    this.#tli = tli;
    this.slot = slot;
  }

  get isOffloaded(): boolean {
    return this.#tli.isOffloaded(this);
  }

  /** Sends bytes that stay where they are until `sent(cookie)`: memory that devices were granted. */
  send(address: number, length: number, cookie: number): boolean {
    return this.#tli.sends.send(this, address, length, cookie, false);
  }

  /** Sends and closes this direction; the FIN rides on the last bytes. */
  sendAndDisconnect(address: number, length: number, cookie: number): boolean {
    return this.#tli.sends.send(this, address, length, cookie, true);
  }

  /** Copies the bytes and sends the copy; false when no buffers are free: see `TliSwitch.whenRoom`. */
  write(bytes: Uint8Array, cookie: number): boolean {
    return this.#tli.sends.write(this, bytes, cookie);
  }

  /** Graceful close of the sending direction. */
  disconnect(): boolean {
    return this.#tli.sends.disconnect(this);
  }

  /** RST. `closed` follows. */
  abort(): void {
    this.#tli.abort(this);
  }

  /** `count` bytes that were taken before have been read (creditsLater): the window may open. */
  consumed(count: number): void {
    this.#tli.consumed(this, count);
  }

  /** TCP_NODELAY: off is Nagle's algorithm (RFC 9293 3.7.4). */
  setNoDelay(noDelay: boolean): void {
    this.#tli.setNoDelay(this, noDelay);
  }

  /** Keep-alive probes after `timeout` ticks without a sign of life; 0 leaves the time as it is. */
  setKeepAlive(enabled: boolean, timeout: number): void {
    this.#tli.setKeepAlive(this, enabled, timeout);
  }

  /** Shows again what `received` did not take. */
  resume(): void {
    this.#tli.resume(this);
  }
}
