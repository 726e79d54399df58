/**
 * The server's side of TCP Fast Open (RFC 7413 4.1.2, 4.2.2): which SYNs open a connection at once, and the cookies that are
 * given out for that.
 *
 * A cookie is a keyed hash of both addresses, as Linux makes it, so that nothing is kept for it; a listener may have a key of
 * its own, and limits how many connections may be open whose handshake is not complete.
 */
import type { Prng } from '../base/prng.ts';
import { SipHash } from '../base/siphash.ts';
import { FAST_OPEN_COOKIE_MAX, FastOpenCookie, TcpFastOpen } from '../tcp/fast-open.ts';
import type { TcpParams } from '../tcp/params.ts';
import type { Tcb } from '../tcp/tcb.ts';
import { type AddressTable, isIpv6 } from '../wire/address-table.ts';
import { IPV6_ADDRESS_WORDS } from '../wire/ipv6-address.ts';
import type { TcpHeader } from '../wire/tcp.ts';
import type { Listener } from './listeners.ts';

const COOKIE_BYTES = 8;

export class FastOpenServer {
  /** The option of the SYN,ACK in hand. */
  readonly answer = new FastOpenCookie();
  /** Names of Linux's TcpExt statistics. */
  readonly counters = { cookieReqd: 0, passive: 0, passiveFail: 0, listenOverflow: 0 };
  readonly #params: TcpParams;
  readonly #addresses: AddressTable;
  readonly #hash: SipHash;
  readonly #valid = new Uint8Array(FAST_OPEN_COOKIE_MAX);

  constructor(params: TcpParams, prng: Prng, addresses: AddressTable) {
    this.#params = params;
    this.#addresses = addresses;
    this.#hash = params.fastOpenKey.length === 0 ? SipHash.keyedBy(prng) : SipHash.keyed(params.fastOpenKey);
  }

  /**
   * Does the SYN in hand open its connection at once? If not, or if the peer has asked, `answer` is what its SYN,ACK says of
   * that. The cursor stands on the TCB that the connection will have.
   */
  accepts(listener: Listener, tcb: Tcb, segment: TcpHeader, u8: Uint8Array): boolean {
    const { counters, answer } = this;
    const { fastOpen } = this.#params;
    const { fastOpenLength: length, fastOpenAt } = segment;
    answer.length = -1;
    if (length === 0) counters.cookieReqd++;
    if ((fastOpen & TcpFastOpen.Server) === 0 || (length < 0 && segment.payloadLength === 0)) return false;
    if (!this.#hasRoom(listener)) return false;
    if ((fastOpen & TcpFastOpen.ServerNoCookie) !== 0) return this.#take(listener);
    if (length < 0) return false;
    this.#makeCookie(listener.fastOpenHash ?? this.#hash, tcb);
    if (length === COOKIE_BYTES && this.#isValid(u8, fastOpenAt)) return this.#take(listener);
    if (length > 0) counters.passiveFail++;
    // RFC 7413 4.1.2: asked for, or in place of one that is not valid (any more).
    answer.bytes.set(this.#valid);
    answer.length = COOKIE_BYTES;
    answer.isOld = segment.isFastOpenOld;
    return false;
  }

  #take(listener: Listener): boolean {
    this.counters.passive++;
    listener.fastOpenPending++;
    return true;
  }

  /** RFC 7413 5.1: PendingFastOpenRequests. */
  #hasRoom(listener: Listener): boolean {
    const isAll = (this.#params.fastOpen & TcpFastOpen.AllListeners) !== 0;
    const max = listener.fastOpenMax === 0 && isAll ? listener.backlog : listener.fastOpenMax;
    if (max > 0 && listener.fastOpenPending >= max) this.counters.listenOverflow++;
    return listener.fastOpenPending < max;
  }

  #isValid(u8: Uint8Array, at: number): boolean {
    for (let i = 0; i < COOKIE_BYTES; i++) if (u8[at + i] !== this.#valid[i]) return false;
    return true;
  }

  /** Of the client's address, then ours, as they stand in the packet. */
  #makeCookie(hash: SipHash, tcb: Tcb): void {
    hash.begin();
    this.#add(hash, tcb.remoteAddress);
    this.#add(hash, tcb.localAddress);
    hash.end();
    for (let i = 0; i < 4; i++) {
      this.#valid[i] = hash.lo >>> (8 * i);
      this.#valid[4 + i] = hash.hi >>> (8 * i);
    }
  }

  #add(hash: SipHash, address: number): void {
    if (!isIpv6(address)) {
      hash.word(swapped(address));
      return;
    }
    const at = this.#addresses.indexOf(address);
    for (let i = 0; i < IPV6_ADDRESS_WORDS; i++) hash.word(swapped(this.#addresses.words[at + i]!));
  }
}

/** Bytes in network order as a little-endian word. */
function swapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
