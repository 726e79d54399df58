/**
 * Passive opens on the host: a SYN for which there is no connection, the ACK of a cookie, and the reset for everything else
 * (RFC 9293 3.10.7.1, 3.10.7.2). Limits of the queues are in listeners.ts, cookies in tcp/syn-cookies.ts.
 *
 * A SYN that is answered with a cookie leaves nothing behind: the TCB it is answered from is free again at once.
 */
import type { Prng } from '../base/prng.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { InitialNumbers } from '../tcp/initial-numbers.ts';
import type { FastOpenCookie } from '../tcp/fast-open.ts';
import { cookieOpen, fastPassiveOpen, passiveOpen } from '../tcp/open.ts';
import type { TcpParams } from '../tcp/params.ts';
import { ResetReply, resetFor } from '../tcp/reset.ts';
import { cookieTick, forgetOptions, SynCookies } from '../tcp/syn-cookies.ts';
import type { Tcb } from '../tcp/tcb.ts';
import { TcpDelegatedFlag, TcpState } from '../tcp/tcb.ts';
import type { IpDatagram } from '../wire/ip-datagram.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { emitTcpHeader, putTcpChecksum, TCP, TcpFlag, TcpHeader } from '../wire/tcp.ts';
import { FastOpenCache } from './fast-open-cache.ts';
import { FastOpenServer } from './fast-open-server.ts';
import { HostTcp } from './host-tcp.ts';
import type { Interface } from './interface.ts';
import { Listener, Listeners, type ListenOptions } from './listeners.ts';
import type { Network } from './network.ts';
import { presetTcb } from './open-options.ts';
import type { Path } from './path.ts';

/** How long after the last cookie an ACK may bring it back. */
const COOKIE_TICKS = 2 << 16;
/** Instead of a slot. */
const DROPPED = -2;

export class HostListening extends HostTcp {
  readonly listeners: Listeners;
  /** The segment in hand. */
  protected readonly segment = new TcpHeader();
  protected readonly reply = new ResetReply();
  protected readonly numbers: InitialNumbers;
  /** TCP Fast Open: as a server, and what is known of servers. */
  readonly fastOpen: FastOpenServer;
  readonly fastOpenCache: FastOpenCache;
  readonly #cookies: SynCookies;
  resetsSent = 0;
  /** For want of a TCB. */
  synDropped = 0;

  constructor(
    memory: Memory,
    region: Region,
    capacity: number,
    network: Network,
    interfaces: Interface[],
    params: TcpParams,
    prng: Prng,
  ) {
    super(memory, region, capacity, network, interfaces, params, prng);
    this.listeners = new Listeners(capacity);
    this.numbers = new InitialNumbers(prng.fork('initial numbers'), network.addresses);
    this.fastOpen = new FastOpenServer(params, prng.fork('Fast Open'), network.addresses);
    this.fastOpenCache = new FastOpenCache(params, network.addresses);
    this.#cookies = new SynCookies(prng.fork('SYN cookies'), network.addresses);
  }

  listen(port: number, options: ListenOptions): void {
    this.network.addresses.retain(options.address ?? 0);
    this.listeners.add(new Listener(port, options));
  }

  unlisten(port: number): void {
    const listener = this.listeners.remove(port);
    if (listener !== null) this.network.addresses.release(listener.address);
  }

  /** The application has taken the connection out of the accept queue. */
  accepted(slot: number): void {
    this.listeners.leave(slot);
  }

  override established(tcb: Tcb): void {
    const slot = this.table.slotOf(tcb);
    this.listeners.complete(slot);
    if (tcb.state === TcpState.Established) this.listeners.confirm(slot);
    super.established(tcb);
  }

  protected override fastOpenOption(tcb: Tcb, flags: number, out: FastOpenCookie): void {
    const isFirst = tcb.sndMax === tcb.iss && (tcb.delegatedFlags & TcpDelegatedFlag.FastOpen) !== 0;
    if ((flags & TcpFlag.Ack) !== 0) out.set(this.fastOpen.answer);
    else if (isFirst) this.fastOpenCache.offer(tcb, this.now, out);
    else out.length = -1;
  }

  /** Of a Fast Open that waits for its SYN,ACK: bytes of text on its SYN; else -1. */
  protected textOnSyn(tcb: Tcb): number {
    const isFast = tcb.state === TcpState.SynSent && (tcb.delegatedFlags & TcpDelegatedFlag.FastOpen) !== 0;
    return isFast && tcb.sndMax !== tcb.iss ? (tcb.sndMax - tcb.iss - 1) | 0 : -1;
  }

  override timerFired(slot: number, now: number): void {
    const tcb = this.at(slot);
    const isLost = tcb.rtxCount === 0 && this.textOnSyn(tcb) > 0;
    super.timerFired(slot, now);
    if (isLost && tcb.rtxCount > 0) this.fastOpenCache.lost(tcb, now);
  }

  /**
   * The segment in hand belongs to no connection, or to one in TIME-WAIT that has just made room for it; `iss` is then that
   * of the new one. The slot of one that has begun with the ACK of a cookie, which is still to
   * be processed; else below 0: whatever was to be done is done.
   */
  protected noConnection(iface: Interface, ip: IpDatagram, iss: number | null): number {
    const { segment } = this;
    const { flags } = segment;
    const kind = flags & (TcpFlag.Syn | TcpFlag.Ack | TcpFlag.Rst);
    const listener = this.listeners.at(ip.destination, segment.dstPort);
    if (listener !== null && (kind & TcpFlag.Ack) === 0) {
      // RFC 9293 3.10.7.2: without SYN and ACK it is dropped; a SYN with FIN too, as Linux.
      if (kind === TcpFlag.Syn && (flags & TcpFlag.Fin) === 0) this.#synArrives(listener, iface, ip, iss);
      return -1;
    }
    if (listener !== null && kind === TcpFlag.Ack && this.#mayBeCookie(listener)) {
      // No cookie in it: it may stand behind text that was lost, which comes again, and a reset would be the end of that.
      return this.#cookieArrives(listener, iface, ip);
    }
    if (!resetFor(segment, this.reply)) return -1;
    const path = this.network.acquire(ip.source, iface, ip.destination);
    if (path === null) return -1;
    this.emitReset(path, segment.dstPort, segment.srcPort);
    this.network.release(path);
    return -1;
  }

  /** An ACK completes the handshake of a connection for which there is no place: it is as if it had not come. */
  protected isOverflow(tcb: Tcb, { flags }: TcpHeader): boolean {
    if (tcb.state !== TcpState.SynReceived || (flags & (TcpFlag.Rst | TcpFlag.Ack)) !== TcpFlag.Ack) return false;
    const listener = this.listeners.isWaiting(this.table.slotOf(tcb));
    if (listener === null || !listener.isAcceptQueueFull) return false;
    this.#overflow();
    return true;
  }

  #overflow(): void {
    this.listeners.counters.listenOverflows++;
    this.listeners.counters.listenDrops++;
  }

  #synArrives(listener: Listener, iface: Interface, ip: IpDatagram, iss: number | null): void {
    const { counters } = this.listeners;
    const { synCookies } = this.params;
    // Whoever comes again is real, and there was a place for it: as Linux.
    const isFull = iss === null && this.listeners.isSynQueueFull(listener);
    if (listener.isAcceptQueueFull) {
      this.#overflow();
      return;
    }
    if (isFull && synCookies === 'off') {
      counters.listenDrops++;
      return;
    }
    const path = this.network.acquire(ip.source, iface, ip.destination);
    if (path === null) return;
    const slot = this.place(path, ip.source, this.segment.srcPort, this.segment.dstPort);
    if (slot < 0) {
      // Full: the SYN is dropped and comes again.
      this.synDropped++;
      counters.listenDrops++;
      this.network.release(path);
      return;
    }
    presetTcb(this.at(slot), listener.options);
    if (isFull || (iss === null && synCookies === 'always')) {
      this.#answerWithCookie(listener, this.at(slot));
      this.forget(slot);
      return;
    }
    this.counters.passiveOpens++;
    this.table.insert(slot);
    this.#open(listener, slot, iss);
    this.fastOpen.answer.length = -1;
  }

  #open(listener: Listener, slot: number, iss: number | null): void {
    const { segment, numbers, now } = this;
    const tcb = this.at(slot);
    // A cookie for an earlier copy of the SYN may be on its way: both answers have the same number.
    const own = this.#mayBeCookie(listener) ? this.#cookies.make(tcb, segment, now) : numbers.iss(tcb, now);
    const tsOffset = numbers.tsOffset(tcb);
    if (this.fastOpen.accepts(listener, tcb, segment, this.memory.u8)) {
      this.listeners.beginEarly(slot, listener);
      fastPassiveOpen(tcb, segment, iss ?? own, tsOffset, this.buffers, now, this);
    } else {
      this.listeners.begin(slot, listener);
      passiveOpen(tcb, segment, iss ?? own, tsOffset, now, this);
    }
  }

  #answerWithCookie(listener: Listener, tcb: Tcb): void {
    const { segment, now } = this;
    if (!segment.hasTimestamp || !this.params.timestamps) forgetOptions(segment);
    const iss = this.#cookies.make(tcb, segment, now);
    const ahead = (cookieTick(segment, now) - now) | 0;
    passiveOpen(tcb, segment, iss, (this.numbers.tsOffset(tcb) + ahead) | 0, now, this);
    listener.usesCookies = true;
    listener.cookieAt = now;
    this.listeners.counters.syncookiesSent++;
  }

  #mayBeCookie(listener: Listener): boolean {
    return listener.usesCookies && (this.now - listener.cookieAt) >>> 0 < COOKIE_TICKS;
  }

  /** The slot of the connection that it begins; DROPPED without a cookie in it, or without a place. */
  #cookieArrives(listener: Listener, iface: Interface, ip: IpDatagram): number {
    const { segment, now } = this;
    const { counters } = this.listeners;
    const path = this.network.acquire(ip.source, iface, ip.destination);
    if (path === null) return DROPPED;
    const slot = this.place(path, ip.source, segment.srcPort, segment.dstPort);
    if (slot < 0) {
      this.network.release(path);
      return DROPPED;
    }
    const tcb = this.at(slot);
    const tsOffset = this.numbers.tsOffset(tcb);
    if (!this.#cookies.check(tcb, segment, tsOffset, now)) {
      counters.syncookiesFailed++;
      this.forget(slot);
      return DROPPED;
    }
    counters.syncookiesRecv++;
    if (listener.isAcceptQueueFull) {
      this.#overflow();
      this.forget(slot);
      return DROPPED;
    }
    this.counters.passiveOpens++;
    this.listeners.begin(slot, listener);
    this.table.insert(slot);
    presetTcb(tcb, listener.options);
    cookieOpen(tcb, this.#cookies.syn, tsOffset, now, this);
    return slot;
  }

  /** A TCB with its addresses, not yet to be found by them; -1 without room. It takes the path with it. */
  protected place(path: Path, remoteAddress: number, remotePort: number, localPort: number): number {
    const slot = this.table.allocate();
    if (slot < 0) return -1;
    const tcb = this.at(slot);
    tcb.localAddress = path.source;
    tcb.remoteAddress = remoteAddress;
    tcb.localPort = localPort;
    tcb.remotePort = remotePort;
    tcb.vid = path.iface.index;
    tcb.path = path.index;
    if (path.isIpv6) {
      tcb.flowLabel = this.numbers.flowLabel(tcb);
      tcb.ttl = path.iface.ipv6!.hopLimit;
    }
    return slot;
  }

  /** Undoes `place`: nobody has heard of it. */
  protected forget(slot: number): void {
    this.cancelTimer(slot);
    this.network.release(this.pathOf(this.at(slot)));
    this.table.free(slot);
  }

  protected emitReset(path: Path, localPort: number, remotePort: number): void {
    const buffer = this.network.begin();
    if (buffer === 0) return;
    const { view } = this.memory;
    const at = this.network.payloadAt(buffer, path);
    const { flags, segSeq, segAck } = this.reply;
    emitTcpHeader(view, at, localPort, remotePort, segSeq, segAck, TCP.headerLength, flags, 0);
    const pseudo = this.network.addresses.pseudoHeaderSum(
      path.source,
      path.destination,
      IpProtocol.Tcp,
      TCP.headerLength,
    );
    putTcpChecksum(view, at, TCP.headerLength, pseudo);
    this.resetsSent++;
    this.network.finish(path, buffer, IpProtocol.Tcp, 0, this.params.ttl, TCP.headerLength);
  }
}
