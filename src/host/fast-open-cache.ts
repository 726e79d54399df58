/**
 * The client's side of TCP Fast Open (RFC 7413 4.1.3): what is known of each peer — its cookie, its MSS, and whether text on a
 * SYN has got lost on the way to it.
 *
 * Bounded; who was heard of last stays. A peer that gave no cookie is asked once in the experimental form, as Linux does.
 */
import { FAST_OPEN_COOKIE_MAX, FastOpenCookie, TcpFastOpen } from '../tcp/fast-open.ts';
import type { TcpParams } from '../tcp/params.ts';
import { type Tcb, TcpDelegatedFlag } from '../tcp/tcb.ts';
import type { AddressTable } from '../wire/address-table.ts';
import type { TcpHeader } from '../wire/tcp.ts';

const PEERS_MAX = 1024;
/** Left for options that somebody on the way adds, as Linux does. */
const OPTION_ROOM = 40;
/** RFC 7413 4.1.3.1: after the second loss no text for two minutes, then for twice as long … */
const LOSSES_FREE = 1;
const HOLD_OFF_TICKS = 60_000;
const LOSSES_MAX = 10;

/** Forms in which a peer without a cookie is asked for one. */
const Form = { New: 0, Old: 1, NewForGood: 2 } as const;

class KnownPeer {
  readonly cookie = new FastOpenCookie();
  mss = 0;
  form: number = Form.New;
  /** Texts lost in a row, and the tick of the last. */
  losses = 0;
  lostAt = 0;
}

export class FastOpenCache {
  readonly #params: TcpParams;
  readonly #addresses: AddressTable;
  readonly #peers = new Map<number, KnownPeer>();
  /** Texts on SYNs that were taken, and those that were not, or not in time. */
  readonly counters = { active: 0, activeFail: 0 };

  constructor(params: TcpParams, addresses: AddressTable) {
    this.#params = params;
    this.#addresses = addresses;
  }

  /** Bytes that the first SYN to the peer may carry: 0 without a cookie, or where text would be lost. */
  textMax(tcb: Tcb, mss: number, now: number): number {
    const peer = this.#peers.get(tcb.remoteAddress);
    const isFree = (this.#params.fastOpen & TcpFastOpen.ClientNoCookie) !== 0;
    if (!isFree && (peer === undefined || peer.cookie.length <= 0)) return 0;
    if (peer !== undefined && isHeldOff(peer, now)) return 0;
    const known = peer === undefined || peer.mss === 0 ? mss : Math.min(peer.mss, mss);
    return Math.max(0, known - OPTION_ROOM);
  }

  /** The option of the first SYN to the peer: its cookie, or a request. */
  offer(tcb: Tcb, now: number, out: FastOpenCookie): void {
    out.length = -1;
    const peer = this.#peers.get(tcb.remoteAddress);
    if ((this.#params.fastOpen & TcpFastOpen.ClientNoCookie) !== 0) return;
    if (peer !== undefined && isHeldOff(peer, now)) return;
    if (peer !== undefined && peer.cookie.length > 0) {
      out.set(peer.cookie);
      return;
    }
    out.length = 0;
    out.isOld = peer?.form === Form.Old;
  }

  /** A SYN with text was not answered in time. */
  lost(tcb: Tcb, now: number): void {
    const peer = this.#peerOf(tcb.remoteAddress);
    peer.losses = Math.min(LOSSES_MAX, peer.losses + 1);
    peer.lostAt = now;
  }

  /** SYN,ACK has come to a SYN with the option: RFC 7413 4.1.3. `had`: of how many bytes of text. */
  learn(tcb: Tcb, segment: TcpHeader, u8: Uint8Array, had: number): void {
    const peer = this.#peerOf(tcb.remoteAddress);
    const wasRepeated = (tcb.delegatedFlags & TcpDelegatedFlag.SynRetransmitted) !== 0;
    const tookText = (tcb.delegatedFlags & TcpDelegatedFlag.SynData) !== 0;
    if (segment.mss > 0) peer.mss = segment.mss;
    if (tookText) this.counters.active++;
    else if (had > 0) this.counters.activeFail++;
    // The first SYN has got through.
    if (!wasRepeated || tookText || segment.fastOpenLength >= 0) peer.losses = 0;
    // Nobody has asked: it is not believed.
    if ((this.#params.fastOpen & TcpFastOpen.ClientNoCookie) !== 0) return;
    const { fastOpenAt, fastOpenLength } = segment;
    if (fastOpenLength > 0 && fastOpenLength <= FAST_OPEN_COOKIE_MAX) {
      peer.cookie.bytes.set(u8.subarray(fastOpenAt, fastOpenAt + fastOpenLength));
      peer.cookie.length = fastOpenLength;
      peer.cookie.isOld = segment.isFastOpenOld;
      return;
    }
    if (had === 0 && !wasRepeated && peer.cookie.length <= 0) peer.form = Math.min(peer.form + 1, Form.NewForGood);
  }

  /** Everything is forgotten. */
  flush(): void {
    for (const address of this.#peers.keys()) this.#addresses.release(address);
    this.#peers.clear();
  }

  #peerOf(address: number): KnownPeer {
    let peer = this.#peers.get(address);
    if (peer === undefined) {
      if (this.#peers.size >= PEERS_MAX) this.#forgetOldest();
      peer = new KnownPeer();
      this.#addresses.retain(address);
    } else {
      this.#peers.delete(address);
    }
    this.#peers.set(address, peer);
    return peer;
  }

  #forgetOldest(): void {
    const [oldest] = this.#peers.keys();
    this.#peers.delete(oldest!);
    this.#addresses.release(oldest!);
  }
}

function isHeldOff(peer: KnownPeer, now: number): boolean {
  return peer.losses > LOSSES_FREE && (now - peer.lostAt) >>> 0 < HOLD_OFF_TICKS * 2 ** (peer.losses - 1);
}
