/**
 * SYN cookies (RFC 4987 3.6) as Linux makes them: an ISN that stands for the SYN, so that nothing of it need be kept.
 *
 *   ISN = H1(addresses, ports) + SEG.SEQ + (minute << 24) + ((H2(addresses, ports, minute) + MSS class) mod 2^24)
 *
 * The ACK brings it back, and `check` finds out whether it was made here in this minute or the one before. What else the
 * peer offered goes into the lower bits of our timestamp, which it echoes; without timestamps it is given up:
 *
 *   TS val = … | ECN 1 | SACK 1 | Snd.Wind.Shift 4 (15: none)
 */
import type { Prng } from '../base/prng.ts';
import { SipHash } from '../base/siphash.ts';
import { TcpFlag, TcpHeader } from '../wire/tcp.ts';
import type { AddressTable } from '../wire/address-table.ts';
import type { Tcb } from './tcb.ts';

/** What peers commonly announce; theirs is rounded down to one of them. */
const MSS_CLASSES = [536, 1300, 1440, 1460] as const;
/** A minute is 65.5 s here, so that minutes go on where ticks wrap. */
const MINUTE_SHIFT = 16;
const MINUTE_MASK = 0xffff;
/** Minutes in which a cookie is good. */
const AGE_MAX = 2;
const DATA_MASK = 0xffffff;
const NO_SCALE = 15;
const SCALE_MASK = 15;
const SACK_BIT = 16;
const ECN_BIT = 32;
const OPTIONS_MASK = 63;
const ECN_SETUP = TcpFlag.Ece | TcpFlag.Cwr;

export class SynCookies {
  /** The SYN that the last cookie to pass `check` stands for, with the window of its ACK. */
  readonly syn = new TcpHeader();
  readonly #addresses: AddressTable;
  readonly #first: SipHash;
  readonly #second: SipHash;

  constructor(prng: Prng, addresses: AddressTable) {
    this.#addresses = addresses;
    this.#first = SipHash.keyedBy(prng);
    this.#second = SipHash.keyedBy(prng);
  }

  /** The ISN for a SYN to the connection that the cursor stands on, whose ports and addresses alone are used. */
  make(tcb: Tcb, segment: TcpHeader, now: number): number {
    const minute = minuteOf(now);
    const data = this.#hash(this.#second, tcb, minute) + classOf(segment.mss);
    return (this.#hash(this.#first, tcb, 0) + segment.segSeq + (minute << 24) + (data & DATA_MASK)) | 0;
  }

  /** Is SEG.ACK - 1 a cookie of ours? Then `syn` says what it was made for. `tsOffset`: of our timestamp clock. */
  check(tcb: Tcb, segment: TcpHeader, tsOffset: number, now: number): boolean {
    const irs = (segment.segSeq - 1) | 0;
    const cookie = (segment.segAck - 1 - irs - this.#hash(this.#first, tcb, 0)) | 0;
    const age = (minuteOf(now) - (cookie >>> 24)) & 0xff;
    if (age >= AGE_MAX) return false;
    const data = (cookie - this.#hash(this.#second, tcb, (minuteOf(now) - age) & MINUTE_MASK)) & DATA_MASK;
    if (data >= MSS_CLASSES.length) return false;
    this.#restore(segment, irs, MSS_CLASSES[data]!, (segment.tsEcr - tsOffset) | 0);
    return true;
  }

  #restore(segment: TcpHeader, irs: number, mss: number, ticks: number): void {
    const { syn } = this;
    const { hasTimestamp } = segment;
    const scale = ticks & SCALE_MASK;
    syn.segSeq = irs;
    syn.segAck = segment.segAck;
    syn.window = segment.window;
    syn.flags = TcpFlag.Syn | (hasTimestamp && (ticks & ECN_BIT) !== 0 ? ECN_SETUP : 0);
    syn.mss = mss;
    syn.hasTimestamp = hasTimestamp;
    syn.tsVal = segment.tsVal;
    syn.windowScale = hasTimestamp && scale !== NO_SCALE ? scale : -1;
    syn.sackPermitted = hasTimestamp && (ticks & SACK_BIT) !== 0;
  }

  #hash(hash: SipHash, tcb: Tcb, minute: number): number {
    hash.begin();
    this.#addresses.addTo(hash, tcb.localAddress);
    this.#addresses.addTo(hash, tcb.remoteAddress);
    hash.word((tcb.localPort << 16) | tcb.remotePort);
    hash.word(minute);
    return hash.end();
  }
}

/** Takes out of a SYN what the answer with a cookie cannot carry when it has no timestamp of ours. */
export function forgetOptions(segment: TcpHeader): void {
  segment.windowScale = -1;
  segment.sackPermitted = false;
  segment.flags &= ~ECN_SETUP;
}

/** The tick that the cookie's SYN,ACK is stamped with: not later than now, for a sample of it must not be negative. */
export function cookieTick(segment: TcpHeader, now: number): number {
  const scale = segment.windowScale < 0 ? NO_SCALE : segment.windowScale;
  const ecn = (segment.flags & ECN_SETUP) === ECN_SETUP ? ECN_BIT : 0;
  const options = scale | (segment.sackPermitted ? SACK_BIT : 0) | ecn;
  const tick = (now & ~OPTIONS_MASK) | options;
  return ((tick - now) | 0) > 0 ? (tick - OPTIONS_MASK - 1) | 0 : tick;
}

function minuteOf(now: number): number {
  return now >>> MINUTE_SHIFT;
}

function classOf(mss: number): number {
  let index = MSS_CLASSES.length - 1;
  while (index > 0 && MSS_CLASSES[index]! > mss) index--;
  return index;
}
