/**
 * A connection as an application of the TLI switch sees it. Objects are reused slot by slot; none is made per connection
 * in steady state.
 */
import { NetBufferFlag } from '../memory/net-buffer.ts';
import type { CongestionControl } from '../tcp/tcb.ts';
import type { AddressTable } from '../wire/address-table.ts';
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
  /**
   * The peer says that something is urgent (RFC 9293 MUST-32): the last byte of it is the `ahead`-th that comes from now on. It comes
   * in line with the others. May be said more than once.
   */
  urgent?(connection: TliConnection, ahead: number): void;
  /** The peer closed its direction; every byte before was received. */
  ended(connection: TliConnection): void;
  /**
   * A posted receive is done: `length` of its bytes are valid. Status: Success (fewer bytes than posted: push, or the end of the
   * stream), InvalidState (posted behind the end), RequestAborted.
   */
  receiveComplete?(connection: TliConnection, cookie: number, length: number, status: number): void;
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

function sendFlags(more: boolean, endsRecord: boolean): number {
  return (more ? NetBufferFlag.More : 0) | (endsRecord ? NetBufferFlag.EndOfRecord : 0);
}

/** A shorter time says nothing of a rate. */
const MEASURE_MIN_US = 10_000;
/** Bytes a second: what has fallen below is idle, and not less idle than something else. */
const IDLE_BELOW = 1;

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
  /** Bytes that the application has sent, and has taken, wherever the connection was. */
  bytesSent = 0;
  bytesReceived = 0;
  /** Bytes a second both ways, smoothed (placement.ts). */
  activity = 0;
  /** The switch's own bookkeeping from here on. */
  sendClosed = false;
  peerClosed = false;
  finAcked = false;
  aborted = false;
  /** Data is kept from the application until a hand-over is done (OffloadPolicy.holdsData). */
  paused = false;
  /** The application left bytes and has not asked for them since. */
  waiting = false;
  /** An indication of a device is being shown: what is posted meanwhile goes behind the answer. */
  indicating = false;
  /** Posted receives that wait for the end of a hand-over: those that a device gave back, then a chain of new ones. */
  readonly returned: number[] = [];
  receivesQueued = 0;
  receivesQueuedTail = 0;
  /** On a device: the epoch of its indications, and how many were seen (device/nic-delivery.ts). */
  epoch = 0;
  indicationsSeen = 0;
  /** Indications of an older epoch that came when they could not be given back any more. */
  readonly late: number[] = [];
  /** In the request that is under way: data that was kept, and posted receives. */
  givenHeld = 0;
  givenReceives = 0;
  endedPending = false;
  /** The handler before `close`. */
  closer: TliHandler | null = null;
  /** Consumed bytes that the device has not been told of yet. */
  credit = 0;
  /** An upcall is under way that tells of them. */
  creditListed = false;
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
  /** The last of those at the front of the chain that a device gave back: they were posted before the others. */
  returnedTail = 0;
  queuedDisconnect = false;
  queuedAbort = false;
  /** In the list of young connections, or of those to be taken back. */
  listed = false;
  /** The tick it was established at. */
  bornAt = 0;
  everOffloaded = false;
  /** When it last changed hands, or a device refused it, µs; -1 for never. */
  movedUs = -1;
  /** Policy or directives have changed while it was listed or between owners: it is looked at when it has arrived. */
  reviewDue = false;
  /** Directives up to this one were ended by a device (directives.ts). */
  directiveEnded = 0;
  #measuredUs = -1;
  #measuredBytes = 0;
  /** NET_BUFFERs sent and not completed. */
  sendsOutstanding = 0;

  constructor(tli: TliSwitch, slot: number) {
    this.#tli = tli;
    this.slot = slot;
  }

  /** Where its addresses are known by their numbers, if they are of IPv6. */
  get addresses(): AddressTable {
    return this.#tli.addresses;
  }

  get isOffloaded(): boolean {
    return this.#tli.isOffloaded(this);
  }

  /** SRTT, 0 without a sample. It is delegated: while the state is elsewhere, what it was at the hand-over. */
  get smoothedRttMs(): number {
    return this.#tli.connections.smoothedRttMs(this.slot);
  }

  /** Takes what has passed since the last time into `activity`; the first time counts as `firstUs`. */
  measure(nowUs: number, firstUs: number): void {
    const us = this.#measuredUs < 0 ? firstUs : nowUs - this.#measuredUs;
    if (us < MEASURE_MIN_US) return;
    const bytes = this.bytesSent + this.bytesReceived;
    const smoothed = (this.activity + (1e6 * (bytes - this.#measuredBytes)) / us) / 2;
    this.activity = smoothed < IDLE_BELOW ? 0 : smoothed;
    this.#measuredUs = nowUs;
    this.#measuredBytes = bytes;
  }

  /**
   * Sends bytes that stay where they are until `sent(cookie)`: memory that devices were granted. `more` (MSG_MORE): others
   * follow soon, which the last of these may wait for. `endsRecord` (MSG_EOR): none that follow share a segment with these.
   */
  send(address: number, length: number, cookie: number, more = false, endsRecord = false): boolean {
    return this.#tli.sends.send(this, address, length, cookie, false, sendFlags(more, endsRecord));
  }

  /** Sends and closes this direction; the FIN rides on the last bytes. */
  sendAndDisconnect(address: number, length: number, cookie: number): boolean {
    return this.#tli.sends.send(this, address, length, cookie, true, 0);
  }

  /** Copies the bytes and sends the copy; false when no buffers are free: see `TliSwitch.whenRoom`. */
  write(bytes: Uint8Array, cookie: number, more = false, endsRecord = false): boolean {
    return this.#tli.sends.write(this, bytes, cookie, sendFlags(more, endsRecord));
  }

  /**
   * Posts a receive: bytes go to [address, address + length) of memory that devices were granted, in front of `received`.
   * Completed when full, and in push mode (unless `noPush`) at a PSH, or half a second after the last byte; `receiveComplete`
   * follows. False when there is no descriptor for it.
   */
  postReceive(address: number, length: number, cookie: number, noPush = false): boolean {
    return this.#tli.postReceive(this, address, length, cookie, noPush);
  }

  /** Takes it out of its listener's accept queue: for listeners that accept later. */
  accept(): void {
    this.#tli.accept(this);
  }

  /** Graceful close of the sending direction; the peer has a minute without a segment to close its own. */
  disconnect(): boolean {
    return this.#tli.sends.disconnect(this);
  }

  /** shutdown(2): as `disconnect`, but the application reads on for as long as the peer sends, or (SHUT_RDWR) not at all. */
  shutdown(readsOn = true): boolean {
    return this.#tli.closing.shutdown(this, readsOn);
  }

  /**
   * close(2): the application is gone. What it sent still arrives; what it has not read, and what comes from now on, the
   * peer is told by a reset. `sent` and `closed` follow, nothing else.
   */
  close(): void {
    this.#tli.closing.close(this);
  }

  /** RST. `closed` follows. */
  abort(): void {
    this.#tli.closing.abort(this);
  }

  /** `count` bytes that were taken before have been read (creditsLater): the window may open. */
  consumed(count: number): void {
    this.#tli.consumed(this, count);
  }

  /** TCP_NODELAY: off is Nagle's algorithm (RFC 9293 3.7.4). */
  setNoDelay(noDelay: boolean): void {
    this.#tli.options.noDelay(this, noDelay);
  }

  /** TCP_CORK: while it is on, only full segments leave; off, or 200 ms without an answer, and the rest goes too. */
  setCork(corked: boolean): void {
    this.#tli.options.cork(this, corked);
  }

  /** TCP_QUICKACK: acknowledges at once what is owed and what comes, until answers are sent; off counts on answers. */
  setQuickAck(enabled: boolean): void {
    this.#tli.options.quickAck(this, enabled);
  }

  /** Keep-alive probes after `timeout` ticks without a sign of life; 0 leaves the time as it is. */
  setKeepAlive(enabled: boolean, timeout: number): void {
    this.#tli.options.keepAlive(this, enabled, timeout);
  }

  /** Ticks between keep-alive probes, and how many go unanswered at most; 0 leaves either as it is. */
  setKeepAliveProbes(interval: number, probes: number): void {
    this.#tli.options.keepAliveProbes(this, interval, probes);
  }

  /** TCP_CONGESTION; false on a device, which does not change its algorithm under way. */
  setCongestionControl(algorithm: CongestionControl): boolean {
    return this.#tli.options.congestionControl(this, algorithm);
  }

  /** SO_RCVBUF, bytes. */
  setReceiveBuffer(bytes: number): void {
    this.#tli.options.receiveBuffer(this, bytes);
  }

  /** How many ticks one segment may be retransmitted: 0 = by count, -1 = for ever. */
  setMaxRetransmissionTime(ticks: number): void {
    this.#tli.options.maxRetransmissionTime(this, ticks);
  }

  /** TCP_SYNCNT: how often the SYN is sent again, 1 to 255; afterwards it means nothing. */
  setSynRetransmissions(count: number): void {
    this.#tli.options.synRetransmissions(this, count);
  }

  /** Its SYN waits for text that it can carry (OpenOptions.fastOpen). */
  get awaitsText(): boolean {
    return this.#tli.connections.awaitsText(this.slot);
  }

  /** The SYN that waits leaves without: there is nothing to say before the peer does. */
  openNow(): void {
    this.#tli.openNow(this);
  }

  /** IP_TTL and IP_TOS. */
  setIpOptions(ttl: number, tos: number): void {
    this.#tli.options.ip(this, ttl, tos);
  }

  /** IP_PMTUDISC_DONT: routers may cut its datagrams; path MTU discovery is off. */
  setMayFragment(mayFragment: boolean): void {
    this.#tli.options.mayFragment(this, mayFragment);
  }

  /** The largest datagram that its path carries, as far as anybody knows (IP_MTU). */
  get pathMtu(): number {
    return this.#tli.connections.pathMtu(this.slot);
  }

  /** What the network has said since something got through (`EHOSTUNREACH`), or ''; also when it is over. */
  get networkError(): string {
    return this.#tli.connections.networkError(this.slot);
  }

  /** Shows again what `received` did not take. */
  resume(): void {
    this.#tli.resume(this);
  }
}
