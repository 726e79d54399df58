/**
 * Reassembly of fragmented datagrams, for every address family (RFC 791 3.2, RFC 1122 3.3.2, RFC 8200 4.5).
 *
 * Fragments stay in the receive buffers they came in, a chain in order of their offsets for each datagram: its gaps are the
 * holes of RFC 815. The bytes are put together once, in a room of the host's, when the last hole is closed.
 *
 *   first ─► |0......1480|─►|2960...4440|      hole [1480, 2960), and [4440, ∞) until the last fragment tells the end
 *
 * Whoever sends fragments can pin memory for half a minute, so everything is bounded: buffers and datagrams in all, and what
 * one source may have of both. Above a bound the oldest goes, the source's own first (RFC 8900 3.7): a datagram whose
 * fragments come together gets through any flood. Bytes that are there already are a duplicate; bytes that overlap others
 * in part are nobody's accident, and the whole datagram is dropped (RFC 1858 4, RFC 3128, RFC 5722 4).
 */
import type { Memory, Region } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import type { AddressTable } from '../wire/address-table.ts';
import type { Interface } from './interface.ts';

/** Most bytes of header that are kept in front of a datagram. */
const HEADER_ROOM = 256;
const DATAGRAM_BYTES_MAX = 0xffff;
export const REASSEMBLY_BYTES = HEADER_ROOM + DATAGRAM_BYTES_MAX + 1;
const DATAGRAMS_MAX = 128;
/** A datagram of 64 KiB over the least MTU of 576 has 119. */
const FRAGMENTS_MAX = 128;

/** One fragment that arrived; the caller fills it, `add` reads it. */
export class Fragment {
  source = 0;
  destination = 0;
  /** 0 where the family's key has none (RFC 8200 4.5). */
  protocol = 0;
  identification = 0;
  /** In bytes. */
  offset = 0;
  more = false;
  /** The header that goes in front of the whole; it ends where the payload begins. */
  headerAt = 0;
  payloadAt = 0;
  payloadEnd = 0;
  /** ECN field of the IP header. */
  ecn = 0;
  /** How long the rest may take. */
  lifetimeTicks = 0;
}

export const Reassembly = {
  /** The buffer was kept. */
  Kept: 0,
  /** The datagram is complete, and its buffers are the caller's. */
  Complete: 1,
  /** The fragment is of no use, its buffer still the caller's. */
  Refused: 2,
} as const;
export type Reassembly = (typeof Reassembly)[keyof typeof Reassembly];

/** A datagram some of whose fragments are here. */
export class PartialDatagram {
  iface: Interface | null = null;
  source = 0;
  destination = 0;
  protocol = 0;
  identification = 0;
  /** Fragments, by offset. */
  head = 0;
  tail = 0;
  count = 0;
  bytes = 0;
  /** Where it ends, -1 before the last fragment came. */
  end = -1;
  /** Of the first fragment; 0 before that came. */
  headerAt = 0;
  payloadAt = 0;
  payloadEnd = 0;
  /** Bit n: an ECN field of n was seen. */
  ecnSeen = 0;
  deadline = 0;
}

export class Reassembler {
  readonly #memory: Memory;
  readonly #addresses: AddressTable;
  readonly #room: Region;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  /** In order of their age. */
  readonly #partial: PartialDatagram[] = [];
  readonly #spare: PartialDatagram[] = [];
  /** The time is up, and the first fragment is here: that is worth an error to its sender. */
  readonly #timedOut: (datagram: PartialDatagram) => void;
  /** Receive buffers that fragments may hold in all; half of them those of one source. */
  buffersMax = 128;
  buffersHeld = 0;
  now = 0;
  // Of the datagram that is complete.
  headerAt = 0;
  payloadAt = 0;
  payloadEnd = 0;
  /** The ECN field of the whole (RFC 3168 5.3). */
  ecn = 0;
  /** Its buffers, free for use by whoever takes them. */
  buffers = 0;
  fragments = 0;
  completed = 0;
  duplicates = 0;
  overlaps = 0;
  malformed = 0;
  timeouts = 0;
  evictions = 0;

  constructor(memory: Memory, addresses: AddressTable, room: Region, timedOut: (datagram: PartialDatagram) => void) {
    this.#memory = memory;
    this.#addresses = addresses;
    this.#room = room;
    this.#buffer = NetBuffer.view(memory);
    this.#timedOut = timedOut;
  }

  get datagrams(): number {
    return this.#partial.length;
  }

  /** Datagrams that came to nothing, for whatever reason. */
  get failures(): number {
    return this.overlaps + this.malformed + this.timeouts + this.evictions;
  }

  /** A fragment in a receive buffer, which is kept unless the answer is Refused. */
  add(iface: Interface, buffer: number, fragment: Fragment): Reassembly {
    this.fragments++;
    const { offset, payloadAt, payloadEnd, headerAt, more } = fragment;
    const length = payloadEnd - payloadAt;
    const headerLength = payloadAt - headerAt;
    // RFC 791 3.2: all but the last are multiples of 8. "Ping of death": none reaches beyond the largest datagram.
    const isBad = length <= 0 || (more && (length & 7) !== 0) || headerLength > HEADER_ROOM;
    if (isBad || offset + length + headerLength > DATAGRAM_BYTES_MAX) {
      this.malformed++;
      return Reassembly.Refused;
    }
    const datagram = this.#find(iface, fragment) ?? this.#begin(iface, fragment);
    if (!this.#agrees(datagram, offset + length, more) || datagram.count >= FRAGMENTS_MAX) {
      this.malformed++;
      this.#drop(datagram);
      return Reassembly.Refused;
    }
    return this.#insert(datagram, buffer, fragment, offset, offset + length);
  }

  #find(iface: Interface, fragment: Fragment): PartialDatagram | undefined {
    for (let i = 0; i < this.#partial.length; i++) {
      const datagram = this.#partial[i]!;
      if (
        datagram.identification === fragment.identification &&
        datagram.source === fragment.source &&
        datagram.destination === fragment.destination &&
        datagram.protocol === fragment.protocol &&
        datagram.iface === iface
      ) {
        return datagram;
      }
    }
    return undefined;
  }

  #begin(iface: Interface, fragment: Fragment): PartialDatagram {
    if (this.#countOf(fragment.source) >= DATAGRAMS_MAX >> 2) this.#evict(fragment.source, null);
    else if (this.#partial.length >= DATAGRAMS_MAX) this.#evict(0, null);
    const datagram = this.#spare.pop() ?? new PartialDatagram();
    // An IPv6 address keeps its number as long as fragments of it are here.
    this.#addresses.retain(fragment.source);
    this.#addresses.retain(fragment.destination);
    datagram.iface = iface;
    datagram.source = fragment.source;
    datagram.destination = fragment.destination;
    datagram.protocol = fragment.protocol;
    datagram.identification = fragment.identification;
    datagram.head = 0;
    datagram.tail = 0;
    datagram.count = 0;
    datagram.bytes = 0;
    datagram.end = -1;
    datagram.headerAt = 0;
    datagram.ecnSeen = 0;
    datagram.deadline = (this.now + fragment.lifetimeTicks) | 0;
    this.#partial.push(datagram);
    return datagram;
  }

  /** Does it fit what is known of the end? A first sight of the last fragment makes it known. */
  #agrees(datagram: PartialDatagram, end: number, more: boolean): boolean {
    if (datagram.end >= 0) return more ? end < datagram.end : end === datagram.end;
    if (more) return true;
    const { tail } = datagram;
    if (tail !== 0 && this.#buffer.at(tail).scratch + this.#buffer.dataLength > end) return false;
    datagram.end = end;
    return true;
  }

  /** Finds its place; most come in order, behind all others. */
  #insert(datagram: PartialDatagram, buffer: number, fragment: Fragment, offset: number, end: number): Reassembly {
    const cursor = this.#buffer;
    let previous = datagram.tail;
    let next = 0;
    if (previous !== 0 && cursor.at(previous).scratch + cursor.dataLength > offset) {
      previous = 0;
      next = datagram.head;
      while (next !== 0 && cursor.at(next).scratch + cursor.dataLength <= offset) {
        previous = next;
        next = cursor.next;
      }
      if (next !== 0 && cursor.at(next).scratch < end) return this.#collide(datagram, next, offset, end);
    }
    if (!this.#makeRoom(datagram)) return Reassembly.Refused;
    cursor.at(buffer);
    cursor.dataAddress = fragment.payloadAt;
    cursor.dataLength = end - offset;
    cursor.scratch = offset;
    cursor.next = next;
    if (previous === 0) datagram.head = buffer;
    else cursor.at(previous).next = buffer;
    if (next === 0) datagram.tail = buffer;
    this.buffersHeld++;
    datagram.count++;
    datagram.bytes += end - offset;
    datagram.ecnSeen |= 1 << fragment.ecn;
    if (offset === 0) {
      datagram.headerAt = fragment.headerAt;
      datagram.payloadAt = fragment.payloadAt;
      datagram.payloadEnd = fragment.payloadEnd;
    }
    return datagram.bytes === datagram.end ? this.#complete(datagram) : Reassembly.Kept;
  }

  /** [offset, end) meets `first`: it is all there already, or it overlaps. */
  #collide(datagram: PartialDatagram, first: number, offset: number, end: number): Reassembly {
    const cursor = this.#buffer.at(first);
    let covered = offset < cursor.scratch ? -1 : cursor.scratch + cursor.dataLength;
    while (covered < end && cursor.next !== 0 && cursor.at(cursor.next).scratch === covered) {
      covered += cursor.dataLength;
    }
    if (covered >= end) {
      this.duplicates++;
    } else {
      this.overlaps++;
      this.#drop(datagram);
    }
    return Reassembly.Refused;
  }

  /** Room for one more buffer, at the expense of the source's oldest datagram, or of the oldest of all. */
  #makeRoom(datagram: PartialDatagram): boolean {
    const { source } = datagram;
    if (this.#buffersOf(source) >= this.buffersMax >> 1) {
      if (this.#evict(source, datagram)) return true;
      // It has them all itself: too large for us.
      this.evictions++;
      this.#drop(datagram);
      return false;
    }
    if (this.buffersHeld < this.buffersMax) return true;
    return this.#evict(0, datagram);
  }

  #countOf(source: number): number {
    let count = 0;
    for (let i = 0; i < this.#partial.length; i++) if (this.#partial[i]!.source === source) count++;
    return count;
  }

  #buffersOf(source: number): number {
    let count = 0;
    for (let i = 0; i < this.#partial.length; i++) {
      const datagram = this.#partial[i]!;
      if (datagram.source === source) count += datagram.count;
    }
    return count;
  }

  /** The oldest goes, of this source or (0) of all; not the one in hand. False: there is no other. */
  #evict(source: number, inHand: PartialDatagram | null): boolean {
    for (let i = 0; i < this.#partial.length; i++) {
      const datagram = this.#partial[i]!;
      if (datagram === inHand || (source !== 0 && datagram.source !== source)) continue;
      this.evictions++;
      this.#drop(datagram);
      return true;
    }
    return false;
  }

  /** Gives its buffers back and forgets it. */
  #drop(datagram: PartialDatagram): void {
    const { down } = datagram.iface!.adapter;
    let buffer = this.#forget(datagram);
    while (buffer !== 0) {
      const { next } = this.#buffer.at(buffer);
      this.#buffer.next = 0;
      down.returnBuffer(buffer);
      buffer = next;
    }
  }

  #forget(datagram: PartialDatagram): number {
    this.#partial.splice(this.#partial.indexOf(datagram), 1);
    this.#spare.push(datagram);
    this.#addresses.release(datagram.source);
    this.#addresses.release(datagram.destination);
    this.buffersHeld -= datagram.count;
    return datagram.head;
  }

  /** Puts the bytes together; the buffers are the caller's. */
  #complete(datagram: PartialDatagram): Reassembly {
    const ecn = ecnOf(datagram.ecnSeen);
    if (ecn < 0) {
      this.malformed++;
      this.#drop(datagram);
      return Reassembly.Kept;
    }
    const { kernels } = this.#memory;
    this.payloadAt = this.#room.offset + HEADER_ROOM;
    this.headerAt = this.payloadAt - (datagram.payloadAt - datagram.headerAt);
    kernels.copy(this.headerAt, datagram.headerAt, datagram.payloadAt - datagram.headerAt);
    this.payloadEnd = this.payloadAt;
    this.ecn = ecn;
    this.buffers = this.#forget(datagram);
    for (let buffer = this.buffers; buffer !== 0; buffer = this.#buffer.next) {
      const { dataAddress, dataLength } = this.#buffer.at(buffer);
      kernels.copy(this.payloadEnd, dataAddress, dataLength);
      this.payloadEnd += dataLength;
    }
    this.completed++;
    return Reassembly.Complete;
  }

  // --- time ---

  /** Gives up what is overdue; returns how much. */
  expire(): number {
    let overdue = 0;
    // Lifetimes differ by family, so the oldest need not be the first to go.
    for (let i = this.#partial.length - 1; i >= 0; i--) {
      const datagram = this.#partial[i]!;
      if (((datagram.deadline - this.now) | 0) > 0) continue;
      overdue++;
      this.timeouts++;
      if (datagram.headerAt !== 0) this.#timedOut(datagram);
      this.#drop(datagram);
    }
    return overdue;
  }

  /** Ticks until `expire` has something to do, -1 for never. */
  ticksUntilNext(): number {
    let least = -1;
    for (const { deadline } of this.#partial) {
      const ticks = Math.max(0, (deadline - this.now) | 0);
      if (least < 0 || ticks < least) least = ticks;
    }
    return least;
  }
}

const NOT_ECT = 0;
const ECT_1 = 1;
const ECT_0 = 2;
const CE = 3;

/** RFC 3168 5.3: a mark on one fragment is one on the whole; marked and not ECN-capable contradict each other: -1. */
function ecnOf(seen: number): number {
  const has = (field: number): boolean => (seen & (1 << field)) !== 0;
  if (has(CE)) return has(NOT_ECT) ? -1 : CE;
  if (has(NOT_ECT)) return NOT_ECT;
  return has(ECT_0) ? ECT_0 : ECT_1;
}
