/**
 * What a machine's segments say of their sender (§8.2 of the digest, invariants 8 and 9), whoever builds them — the host,
 * a NIC, then the host again:
 *
 *   RFC 9293 3.3.1   SEG.ACK never goes back: nobody forgets what was received
 *   RFC 7323 3.2     TSval never goes back: there is one timestamp clock, not one for each owner
 *   RFC 9293 3.8.6   the right edge of the window never shrinks (SHLD-14), but for the rounding of its scale
 *                    (RFC 7323 2.4), and for a receive buffer that was made smaller by an explicit update
 *
 * It reads cables at the NIC's end, where frames pass in the order in which they were sent. A connection that moves to
 * another cable is followed; what an old cable still carries then is no longer compared: a NIC that was failed over from
 * may send what it had queued long after the next one has begun.
 */
import { AssertionError } from '../base/assert.ts';
import { seqLeq, seqLt } from '../base/seq.ts';
import type { FrameTap } from '../fabric/capture.ts';
import type { Memory } from '../memory/memory.ts';
import { AddressTable } from '../wire/address-table.ts';
import { EtherType } from '../wire/ethernet.ts';
import type { IpDatagram } from '../wire/ip-datagram.ts';
import { Ipv4Header, Ipv4Parse, IpProtocol, isFragment, parseIpv4 } from '../wire/ipv4.ts';
import { formatIpv4 } from '../wire/ipv4-text.ts';
import { Ipv6Header, Ipv6Parse, parseIpv6 } from '../wire/ipv6.ts';
import { formatIpv6 } from '../wire/ipv6-text.ts';
import { parseTcp, TcpFlag, TcpHeader, TcpParse } from '../wire/tcp.ts';
import { etherTypeAt, vidOf } from '../wire/vlan.ts';

/** What one end of a connection has said so far. */
class Speaker {
  /** Cable that its segments take now, and those that they took before. */
  cable: number;
  readonly left = new Set<number>();
  /** When it was last heard. */
  heardUs = -1;
  hasAck = false;
  ack = 0;
  hasStamp = false;
  stamp = 0;
  hasEdge = false;
  edge = 0;
  /** Shift that it offered in its SYN, -1 = none; and that of its windows, -1 until its first segment after the SYN. */
  offered = -1;
  shift = -1;

  constructor(cable: number) {
    this.cable = cable;
  }
}

export type MayShrink = (ip: IpDatagram, tcp: TcpHeader) => boolean;

export class WireWatch implements FrameTap {
  /** Segments looked at. */
  segments = 0;
  readonly #view: DataView;
  readonly #speakers = new Map<string, Speaker>();
  /** Shift that the peer offered in its SYN, by our key; -1 = none. */
  readonly #peerShift = new Map<string, number>();
  readonly #ip = new Ipv4Header();
  readonly #ipv6 = new Ipv6Header();
  readonly #addresses: AddressTable;
  readonly #mayShrink: MayShrink;
  // The datagram in hand, and its ends as parts of a key.
  #datagram: IpDatagram = this.#ip;
  #source = '';
  #destination = '';
  readonly #tcp = new TcpHeader();

  /**
   * @param mayShrink asked when an edge came back: whether an update made the receive buffer smaller
   * @param addresses by which it knows IPv6 addresses
   */
  constructor(memory: Memory, mayShrink: MayShrink = () => false, addresses = new AddressTable(1)) {
    this.#view = memory.view;
    this.#addresses = addresses;
    this.#mayShrink = mayShrink;
  }

  frame(
    interfaceId: number,
    nowUs: number,
    frameAt: number,
    length: number,
    outbound: boolean,
    fcsError: boolean,
  ): void {
    const end = frameAt + length;
    const typeAt = etherTypeAt(this.#view, frameAt, end);
    if (fcsError || typeAt < 0 || !this.#parse(this.#view.getUint16(typeAt), typeAt + 2, end)) return;
    const ip = this.#datagram;
    const tcp = this.#tcp;
    if (parseTcp(this.#view, ip.payloadAt, ip.payloadEnd, tcp) !== TcpParse.Ok) return;
    const isSyn = (tcp.flags & TcpFlag.Syn) !== 0;
    if (!outbound && !isSyn) return;
    const vid = Math.max(0, vidOf(this.#view, frameAt, end));
    if (!outbound) {
      // Of the peer only the offer of window scaling matters.
      this.#peerShift.set(keyOf(vid, this.#destination, tcp.dstPort, this.#source, tcp.srcPort), tcp.windowScale);
      return;
    }
    this.segments++;
    this.#says(keyOf(vid, this.#source, tcp.srcPort, this.#destination, tcp.dstPort), interfaceId, nowUs, tcp);
  }

  /** Of either version, a datagram with a whole segment. */
  #parse(etherType: number, at: number, end: number): boolean {
    if (etherType === EtherType.Ipv6) return this.#parseIpv6(at, end);
    const ip = this.#ip;
    if (etherType !== EtherType.Ipv4 || parseIpv4(this.#view, at, end, ip) !== Ipv4Parse.Ok) return false;
    this.#datagram = ip;
    this.#source = String.fromCharCode(ip.source >>> 16, ip.source & 0xffff);
    this.#destination = String.fromCharCode(ip.destination >>> 16, ip.destination & 0xffff);
    return ip.protocol === IpProtocol.Tcp && !isFragment(ip);
  }

  #parseIpv6(at: number, end: number): boolean {
    const ip = this.#ipv6;
    if (parseIpv6(this.#view, at, end, ip) !== Ipv6Parse.Ok) return false;
    this.#datagram = ip;
    ip.source = this.#addresses.find(this.#view, ip.sourceAt);
    ip.destination = this.#addresses.find(this.#view, ip.destinationAt);
    this.#source = wordsAt(this.#view, ip.sourceAt);
    this.#destination = wordsAt(this.#view, ip.destinationAt);
    return ip.protocol === IpProtocol.Tcp;
  }

  #says(key: string, cable: number, nowUs: number, tcp: TcpHeader): void {
    // A reset may answer for a connection that nobody knows: it says nothing of an owner.
    if ((tcp.flags & TcpFlag.Rst) !== 0) return;
    if ((tcp.flags & TcpFlag.Syn) !== 0) {
      const opened = new Speaker(cable);
      opened.offered = tcp.windowScale;
      this.#speakers.set(key, opened);
      return;
    }
    const speaker = this.#speakers.get(key);
    if (speaker === undefined || (tcp.flags & TcpFlag.Ack) === 0) return;
    // Both offer it, or none does (RFC 7323 2.2). A later SYN of the peer is one of a connection that may never be.
    if (speaker.shift < 0) {
      const isScaled = speaker.offered >= 0 && (this.#peerShift.get(key) ?? -1) >= 0;
      speaker.shift = isScaled ? speaker.offered : 0;
    }
    if (cable !== speaker.cable) {
      if (!isNewer(speaker, tcp)) return;
      // With nothing newer in it, and a window that would shrink, it is what a cable that was left still had — perhaps left
      // again in the instant in which it was taken: cables are read one after the other.
      const mayBeOld = speaker.left.has(cable) || speaker.heardUs === nowUs;
      if (mayBeOld && this.#shrinks(speaker, edgeOf(speaker, tcp))) return;
      speaker.left.add(speaker.cable);
      speaker.cable = cable;
    }
    speaker.heardUs = nowUs;
    this.#onlyForward(key, speaker, tcp);
    this.#edge(key, speaker, tcp);
  }

  #onlyForward(key: string, speaker: Speaker, tcp: TcpHeader): void {
    if (speaker.hasAck && !seqLeq(speaker.ack, tcp.segAck)) {
      broken(key, `ACK goes back from ${speaker.ack} to ${tcp.segAck} (invariant 8)`);
    }
    speaker.hasAck = true;
    speaker.ack = tcp.segAck;
    if (!tcp.hasTimestamp) return;
    if (speaker.hasStamp && !seqLeq(speaker.stamp, tcp.tsVal)) {
      broken(key, `TSval goes back from ${speaker.stamp} to ${tcp.tsVal} (invariant 8)`);
    }
    speaker.hasStamp = true;
    speaker.stamp = tcp.tsVal;
  }

  #edge(key: string, speaker: Speaker, tcp: TcpHeader): void {
    const offer = edgeOf(speaker, tcp);
    const shrinks = this.#shrinks(speaker, offer);
    if (shrinks && !this.#mayShrink(this.#datagram, tcp)) {
      broken(key, `the right edge of its window shrinks from ${speaker.edge} to ${offer.edge} (invariant 9)`);
    }
    // Within the rounding the edge seen may lie a little below the one that was promised: that one stays the promise.
    if (!speaker.hasEdge || shrinks || seqLt(speaker.edge, offer.edge)) speaker.edge = offer.edge;
    speaker.hasEdge = true;
  }

  #shrinks(speaker: Speaker, { edge, rounding }: Offer): boolean {
    return speaker.hasEdge && seqLt((edge + rounding) | 0, speaker.edge);
  }
}

/** Right edge of a window, and how far below the true one its scale may have rounded it. */
interface Offer {
  readonly edge: number;
  readonly rounding: number;
}

function edgeOf({ shift }: Speaker, tcp: TcpHeader): Offer {
  return { edge: (tcp.segAck + tcp.window * (1 << shift)) | 0, rounding: (1 << shift) - 1 };
}

/** On another cable: its owner moved, unless this is what the old cable had left. */
function isNewer(speaker: Speaker, tcp: TcpHeader): boolean {
  if (speaker.hasAck && !seqLeq(speaker.ack, tcp.segAck)) return false;
  return !(speaker.hasStamp && tcp.hasTimestamp) || seqLeq(speaker.stamp, tcp.tsVal);
}

/** The address of 128 bits as eight characters: a key is made for every segment, its text only when something is wrong. */
function wordsAt(view: DataView, at: number): string {
  const word = (index: number): number => view.getUint16(at + index * 2);
  return String.fromCharCode(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7));
}

function addressText(words: string): string {
  const pair = (index: number): number => (words.charCodeAt(index) << 16) | words.charCodeAt(index + 1);
  if (words.length === 2) return formatIpv4(pair(0));
  return `[${formatIpv6(Int32Array.of(pair(0), pair(2), pair(4), pair(6)), 0)}]`;
}

function keyOf(vid: number, source: string, srcPort: number, destination: string, dstPort: number): string {
  return source + destination + String.fromCharCode(srcPort, dstPort, vid);
}

function broken(key: string, what: string): never {
  const [srcPort, dstPort, vid] = [-3, -2, -1].map(index => key.charCodeAt(key.length + index));
  const half = (key.length - 3) / 2;
  const ends = `${addressText(key.slice(0, half))}:${srcPort} > ${addressText(key.slice(half, -3))}:${dstPort}`;
  throw new AssertionError(`${ends}${vid === 0 ? '' : ` vlan ${vid}`}: ${what}`);
}
