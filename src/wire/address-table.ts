/**
 * IPv6 addresses by number. Inside of an owner — a host, a NIC, a population of stations — an IPv6 address is known by an
 * int32 out of 240.0.0.0/4, so that every word, key and hash that holds an IPv4 address holds one of either family.
 *
 * Class E is free for that: no host may use it as an address (RFC 1112 4), and whoever reads IPv4 headers drops what
 * claims to (`isSingleHost`). 255.255.255.255 stays the broadcast address, and 240.0.0.0 is never given out.
 *
 * Numbers mean nothing to anybody but their table: what crosses a boundary carries whole addresses. Each holder of a
 * number keeps a reference; the last `release` forgets the address. Looking up interns nothing, so what a stranger claims
 * to be costs no memory.
 */
import { assert } from '../base/assert.ts';
import type { SipHash } from '../base/siphash.ts';
import { fold, pseudoHeaderSum } from './checksum.ts';
import { formatIpv4 } from './ipv4-text.ts';
import { IPV6_ADDRESS_WORDS } from './ipv6-address.ts';
import { formatIpv6 } from './ipv6-text.ts';

const CLASS_E = 0xf;
const INDEX_MASK = 0x0fffffff;
const NONE = 0;
const FIRST_SIZE = 16;

/** Is this number one of an IPv6 address, rather than an IPv4 address? */
export function isIpv6(address: number): boolean {
  return address >>> 28 === CLASS_E && address !== -1;
}

export class AddressTable {
  /** How many addresses it holds at most. */
  readonly capacity: number;
  /** Four words per address, from `indexOf(number)` on. */
  words = new Int32Array(FIRST_SIZE * IPV6_ADDRESS_WORDS);
  #references = new Int32Array(FIRST_SIZE);
  /** Partial sum of the address's 16 bytes, for pseudo-headers. */
  #sums = new Uint16Array(FIRST_SIZE);
  #hashNext = new Int32Array(FIRST_SIZE);
  #buckets = new Int32Array(FIRST_SIZE);
  #size = FIRST_SIZE;
  /** Entries that were used before, chained by `#hashNext`. */
  #free = NONE;
  /** Entries from here on were never used. */
  #fresh = 1;
  #inUse = 0;

  constructor(capacity: number) {
    assert(capacity > 0 && capacity < INDEX_MASK, 'class E has room for the table');
    this.capacity = capacity;
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** Where the address's words stand in `words`. */
  indexOf(number: number): number {
    return (number & INDEX_MASK) * IPV6_ADDRESS_WORDS;
  }

  /** The number of the address at `at` of a packet, or 0: nobody here knows it. */
  find(view: DataView, at: number): number {
    return this.#find(view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8), view.getInt32(at + 12));
  }

  /** The same for four words from `at` on. */
  findWords(words: Readonly<Int32Array>, at = 0): number {
    return this.#find(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
  }

  /** The number of the address at `at` of a packet, with a reference for the caller; 0 when the table is full. */
  intern(view: DataView, at: number): number {
    return this.#intern(view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8), view.getInt32(at + 12));
  }

  internWords(words: Readonly<Int32Array>, at = 0): number {
    return this.#intern(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
  }

  /** One more holder. IPv4 addresses need none: both families may be passed. */
  retain(address: number): void {
    if (!isIpv6(address)) return;
    const entry = address & INDEX_MASK;
    assert(this.#references[entry]! > 0, 'the address is known');
    this.#references[entry]!++;
  }

  /** One holder less. */
  release(address: number): void {
    if (!isIpv6(address)) return;
    const entry = address & INDEX_MASK;
    assert(this.#references[entry]! > 0, 'the address is known');
    if (--this.#references[entry]! > 0) return;
    this.#unlink(entry);
    this.#hashNext[entry] = this.#free;
    this.#free = entry;
    this.#inUse--;
  }

  /** Writes the 16 bytes. */
  emit(view: DataView, at: number, address: number): void {
    const from = this.indexOf(address);
    for (let i = 0; i < IPV6_ADDRESS_WORDS; i += 1) view.setInt32(at + 4 * i, this.words[from + i]!);
  }

  /** Partial sum of the pseudo-header of either family (RFC 9293 3.1, RFC 8200 8.1). */
  pseudoHeaderSum(source: number, destination: number, protocol: number, length: number): number {
    if (!isIpv6(source)) return pseudoHeaderSum(source, destination, protocol, length);
    const addresses = this.#sums[source & INDEX_MASK]! + this.#sums[destination & INDEX_MASK]!;
    return fold(addresses + protocol + (length >>> 16) + (length & 0xffff));
  }

  /** Makes an address of either family a part of a hash: the address itself, for its number may be another's later. */
  addTo(hash: SipHash, address: number): void {
    if (!isIpv6(address)) {
      hash.word(address);
      return;
    }
    const from = this.indexOf(address);
    for (let i = 0; i < IPV6_ADDRESS_WORDS; i += 1) hash.word(this.words[from + i]!);
  }

  /** Text of an address of either family, for traces and users. */
  format(address: number): string {
    return isIpv6(address) ? formatIpv6(this.words, this.indexOf(address)) : formatIpv4(address);
  }

  #find(w0: number, w1: number, w2: number, w3: number): number {
    let entry = this.#buckets[hash(w0, w1, w2, w3) & (this.#size - 1)]!;
    while (entry !== NONE && !this.#is(entry, w0, w1, w2, w3)) entry = this.#hashNext[entry]!;
    return entry === NONE ? 0 : (CLASS_E << 28) | entry;
  }

  #is(entry: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const { words } = this;
    const at = entry * IPV6_ADDRESS_WORDS;
    return words[at + 3] === w3 && words[at + 2] === w2 && words[at + 1] === w1 && words[at] === w0;
  }

  #intern(w0: number, w1: number, w2: number, w3: number): number {
    const known = this.#find(w0, w1, w2, w3);
    if (known !== 0) {
      this.#references[known & INDEX_MASK]!++;
      return known;
    }
    if (this.#inUse === this.capacity) return 0;
    const entry = this.#takeEntry();
    const at = entry * IPV6_ADDRESS_WORDS;
    this.words[at] = w0;
    this.words[at + 1] = w1;
    this.words[at + 2] = w2;
    this.words[at + 3] = w3;
    this.#sums[entry] = fold(halves(w0) + halves(w1) + halves(w2) + halves(w3));
    this.#references[entry] = 1;
    this.#link(entry);
    this.#inUse++;
    return (CLASS_E << 28) | entry;
  }

  #takeEntry(): number {
    const entry = this.#free;
    if (entry !== NONE) {
      this.#free = this.#hashNext[entry]!;
      return entry;
    }
    if (this.#fresh === this.#size) this.#grow();
    return this.#fresh++;
  }

  /** Memory follows use: most machines speak to few IPv6 addresses, or to none. */
  #grow(): void {
    this.#size *= 2;
    this.words = grown(this.words, new Int32Array(this.#size * IPV6_ADDRESS_WORDS));
    this.#references = grown(this.#references, new Int32Array(this.#size));
    this.#sums = grown(this.#sums, new Uint16Array(this.#size));
    this.#hashNext = new Int32Array(this.#size);
    this.#buckets = new Int32Array(this.#size);
    // Every entry is in use, or the free ones had served.
    for (let entry = 1; entry < this.#fresh; entry++) this.#link(entry);
  }

  #bucketOf(entry: number): number {
    const at = entry * IPV6_ADDRESS_WORDS;
    const { words } = this;
    return hash(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!) & (this.#size - 1);
  }

  #link(entry: number): void {
    const bucket = this.#bucketOf(entry);
    this.#hashNext[entry] = this.#buckets[bucket]!;
    this.#buckets[bucket] = entry;
  }

  #unlink(entry: number): void {
    const bucket = this.#bucketOf(entry);
    let at = this.#buckets[bucket]!;
    if (at === entry) {
      this.#buckets[bucket] = this.#hashNext[entry]!;
      return;
    }
    while (this.#hashNext[at] !== entry) at = this.#hashNext[at]!;
    this.#hashNext[at] = this.#hashNext[entry]!;
  }
}

function grown<T extends Int32Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

function hash(w0: number, w1: number, w2: number, w3: number): number {
  let h = Math.imul(w0 ^ Math.imul(w1, 0x85ebca6b), 0x9e3779b1) ^ Math.imul(w2 ^ Math.imul(w3, 0xc2b2ae35), 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
