/**
 * What a bad cable does to frames: loss, duplication, reordering, bit errors, delay (as Linux tc-netem(8) names them), and marks
 * of congestion (RFC 3168).
 *
 * One object a direction of a cable; `decide` draws a frame's fate. Every frame takes the same seven draws whatever
 * becomes of it, so that two runs of one seed which differ in one percentage differ in nothing else.
 *
 * A bit error must be one that checksums catch, for the emulator has no second way to tell a receiver. One flipped bit
 * never escapes the Internet checksum (RFC 1071) over the same bytes. Therefore the bit lies where a valid checksum
 * covers it: in the IPv4 header or the addresses of IPv6, or in the payload if that is TCP, ICMP or checksummed UDP. All
 * other frames, and those that are damaged already (two flipped bits may cancel out), get WireFlag.FcsError instead.
 */
import { ChimneyError } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import { onesComplementSum, pseudoHeaderSum } from '../wire/checksum.ts';
import { EtherType } from '../wire/ethernet.ts';
import { IpProtocol, Ipv4Header, Ipv4Parse, isFragment, parseIpv4 } from '../wire/ipv4.ts';
import { Ipv6Header, Ipv6Parse, IPV6, NextHeader, parseIpv6, pseudoHeaderSumAt } from '../wire/ipv6.ts';
import { UDP } from '../wire/udp.ts';
import { etherTypeAt } from '../wire/vlan.ts';

/** Faults of one direction. Percentages are 0 to 100 of all frames, times are microseconds. */
export interface FaultPlan {
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  /** Held back for 200 to 2,000 microseconds more, so that later frames overtake. */
  readonly reorderPercent: number;
  readonly corruptPercent: number;
  /** Of the frames that say that they are ECN-capable: marked, as by a congested router (congestion-mark.ts). */
  readonly markPercent: number;
  readonly delayUs: number;
  /** Up to this much is added to the delay. It does not reorder: frames leave a queue in the order they entered it. */
  readonly jitterUs: number;
}

export const NO_FAULTS: FaultPlan = {
  lossPercent: 0,
  duplicatePercent: 0,
  reorderPercent: 0,
  corruptPercent: 0,
  markPercent: 0,
  delayUs: 0,
  jitterUs: 0,
};

/** The fate of a frame: bits. */
export const Fate = { Lost: 1, Duplicated: 2, Corrupted: 4, Reordered: 8, Marked: 16 } as const;

const HOLD_US_MIN = 200;
const HOLD_US_MAX = 2000;
const DELAY_US_MAX = 60_000_000;
/** Low nibble of the first byte: IHL. */
const IHL_BIT = 4;
const IPV6_ADDRESSES_BITS = 256;

/** Completes a plan with zeros; refuses unknown names and values out of range. */
export function faultPlan(plan: Partial<FaultPlan>): FaultPlan {
  for (const [name, value] of Object.entries(plan)) {
    if (!Object.hasOwn(NO_FAULTS, name)) {
      const known = Object.keys(NO_FAULTS).join(', ');
      throw new ChimneyError('ERR_CHIMNEY_FAULTS', `no fault is called ${name}: there are ${known}`);
    }
    const max = name.endsWith('Percent') ? 100 : DELAY_US_MAX;
    if (typeof value !== 'number' || !(value >= 0 && value <= max)) {
      throw new ChimneyError('ERR_CHIMNEY_FAULTS', `${name} is ${String(value)}: it must be from 0 to ${max}`);
    }
  }
  return { ...NO_FAULTS, ...plan };
}

export class Faults {
  readonly #prng: Prng;
  /** Of its own, so that seeds from before there were marks mean what they meant. */
  readonly #marks: Prng;
  readonly #ip = new Ipv4Header();
  readonly #ipv6 = new Ipv6Header();
  #plan: FaultPlan = NO_FAULTS;
  #bitDraw = 0;
  /** False: `decide` need not be asked. */
  active = false;
  /** Delay of the frame just decided about, and how much longer it is held if it is `Fate.Reordered`. */
  delayUs = 0;
  holdUs = 0;
  /** Frames that `decide` saw, and what became of them. */
  decided = 0;
  lost = 0;
  duplicated = 0;
  reordered = 0;
  /** A bit was flipped. */
  corrupted = 0;
  /** Marked with WireFlag.FcsError in place of a flipped bit. */
  fcsErrors = 0;
  delayed = 0;

  constructor(prng: Prng, plan: Partial<FaultPlan> = NO_FAULTS) {
    this.#prng = prng;
    this.#marks = prng.fork('marks');
    this.set(plan);
  }

  get plan(): FaultPlan {
    return this.#plan;
  }

  /** Replaces the plan from the next frame on. What the new plan does not name is 0. */
  set(plan: Partial<FaultPlan>): void {
    this.#plan = faultPlan(plan);
    this.active = Object.values(this.#plan).some(value => value > 0);
  }

  /** Draws the next frame's fate: `Fate` bits; `delayUs` and `holdUs` go with it. */
  decide(): number {
    const prng = this.#prng;
    const plan = this.#plan;
    const lost = prng.chance(plan.lossPercent / 100);
    const duplicated = prng.chance(plan.duplicatePercent / 100);
    const corrupted = prng.chance(plan.corruptPercent / 100);
    const reordered = prng.chance(plan.reorderPercent / 100);
    this.delayUs = Math.floor(plan.delayUs + prng.float() * plan.jitterUs);
    this.holdUs = prng.between(HOLD_US_MIN, HOLD_US_MAX);
    this.#bitDraw = prng.float();
    const marked = this.#marks.chance(plan.markPercent / 100);
    this.decided++;
    if (lost) {
      this.lost++;
      return Fate.Lost;
    }
    if (duplicated) this.duplicated++;
    if (reordered) this.reordered++;
    if (this.delayUs > 0) this.delayed++;
    return (
      (duplicated ? Fate.Duplicated : 0) |
      (corrupted ? Fate.Corrupted : 0) |
      (reordered ? Fate.Reordered : 0) |
      (marked ? Fate.Marked : 0)
    );
  }

  /**
   * Damages the frame that was just decided about. Returns the bit that was flipped, for `flipBit` to repair what is the
   * caller's; -1 when there was none to flip: send the frame with WireFlag.FcsError.
   */
  corrupt(view: DataView, frameAt: number, length: number): number {
    const bit = this.#chooseBit(view, frameAt, frameAt + length);
    if (bit < 0) {
      this.fcsErrors++;
      return -1;
    }
    this.corrupted++;
    flipBit(view, frameAt, bit);
    return bit;
  }

  #chooseBit(view: DataView, frameAt: number, end: number): number {
    const typeAt = etherTypeAt(view, frameAt, end);
    if (typeAt < 0) return -1;
    const etherType = view.getUint16(typeAt);
    if (etherType === EtherType.Ipv6) return this.#chooseIpv6Bit(view, frameAt, typeAt + 2, end);
    if (etherType !== EtherType.Ipv4) return -1;
    const ip = this.#ip;
    if (parseIpv4(view, typeAt + 2, end, ip) !== Ipv4Parse.Ok) return -1;
    const headerBits = ip.headerLength * 8;
    const coveredAt = coveredPayloadAt(view, ip);
    const bit = Math.floor(this.#bitDraw * (headerBits + (ip.payloadEnd - coveredAt) * 8));
    if (bit >= headerBits) return (coveredAt - frameAt) * 8 + bit - headerBits;
    // IHL is spared, its neighbor the version hit instead: another IHL has the checksum cover other bytes.
    const isIhl = bit >= IHL_BIT && bit < 8;
    return (typeAt + 2 - frameAt) * 8 + (isIhl ? bit - IHL_BIT : bit);
  }

  /** Its header has no checksum; that of TCP, UDP or ICMPv6 covers the addresses (RFC 8200 8.1). */
  #chooseIpv6Bit(view: DataView, frameAt: number, at: number, end: number): number {
    const ip = this.#ipv6;
    if (parseIpv6(view, at, end, ip) !== Ipv6Parse.Ok) return -1;
    const { payloadAt, payloadEnd, protocol } = ip;
    const isUdp = protocol === IpProtocol.Udp;
    if (!isUdp && protocol !== IpProtocol.Tcp && protocol !== NextHeader.Icmpv6) return -1;
    const length = payloadEnd - payloadAt;
    const pseudo = pseudoHeaderSumAt(view, at, protocol, length);
    if (length < UDP.headerLength || onesComplementSum(view, payloadAt, length, pseudo) !== 0xffff) return -1;
    // As with IPv4, the length in the header of UDP is spared.
    const coveredAt = isUdp ? payloadAt + UDP.headerLength : payloadAt;
    const bit = Math.floor(this.#bitDraw * (IPV6_ADDRESSES_BITS + (payloadEnd - coveredAt) * 8));
    if (bit >= IPV6_ADDRESSES_BITS) return (coveredAt - frameAt) * 8 + bit - IPV6_ADDRESSES_BITS;
    return (at + IPV6.source - frameAt) * 8 + bit;
  }
}

/** Bits of a frame count from the most significant one of its first byte, as they do in the RFCs' pictures. */
export function flipBit(view: DataView, frameAt: number, bit: number): void {
  const at = frameAt + (bit >>> 3);
  view.setUint8(at, view.getUint8(at) ^ (0x80 >>> (bit & 7)));
}

/** Where the part of the payload starts in which a flipped bit is sure to be noticed; `payloadEnd` if there is none. */
function coveredPayloadAt(view: DataView, ip: Ipv4Header): number {
  const { payloadAt, payloadEnd, protocol } = ip;
  const length = payloadEnd - payloadAt;
  if (isFragment(ip)) return payloadEnd;
  if (protocol === IpProtocol.Icmp) {
    return onesComplementSum(view, payloadAt, length, 0) === 0xffff ? payloadAt : payloadEnd;
  }
  if (protocol !== IpProtocol.Tcp && protocol !== IpProtocol.Udp) return payloadEnd;
  const pseudo = pseudoHeaderSum(ip.source, ip.destination, protocol, length);
  const isValid = onesComplementSum(view, payloadAt, length, pseudo) === 0xffff;
  if (protocol === IpProtocol.Tcp) return isValid ? payloadAt : payloadEnd;
  // RFC 768: a checksum of 0 says that there is none. Its header is spared, because it holds a length of its own.
  const hasChecksum = length >= UDP.headerLength && view.getUint16(payloadAt + UDP.checksum) !== 0;
  return isValid && hasChecksum ? payloadAt + UDP.headerLength : payloadEnd;
}
