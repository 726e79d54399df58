/**
 * What an interface knows of IPv6: its own addresses with their states and lifetimes (RFC 4862 5.4, 5.5), and the link's
 * parameters, as routers have set them (RFC 4861 6.3.2).
 *
 * Times are milliseconds of the host's own clock, which does not wrap (ipv6.ts): lifetimes may be longer than ticks reach.
 * Who changes what: duplicate-detection.ts the states, router-discovery.ts lifetimes and parameters.
 */
import { assert } from '../base/assert.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { commonPrefixLength, equalsIpv6, isMulticastWord, linkLocalOf } from '../wire/ipv6-address.ts';
import { ALL_NODES, scopeOf } from '../wire/ipv6-address.ts';
import type { Interface } from './interface.ts';

/** RFC 4862 2: of an address of ours. */
export const AddressState = {
  /** Being checked for uniqueness: neither a source nor a destination. */
  Tentative: 0,
  Preferred: 1,
  /** Goes on serving connections that use it; new ones take another, if there is one. */
  Deprecated: 2,
  /** Somebody else has it: of no use, until the administrator takes it away. */
  Duplicate: 3,
} as const;
export type AddressState = (typeof AddressState)[keyof typeof AddressState];

/** Where an address is from. */
export type AddressOrigin = 'link-local' | 'manual' | 'router';

/** A lifetime without end. */
export const FOREVER = Infinity;

export class OwnAddress {
  /** In the host's AddressTable; the interface keeps the reference. */
  readonly number: number;
  readonly prefixLength: number;
  readonly origin: AddressOrigin;
  state: AddressState = AddressState.Tentative;
  /** When it is deprecated, and when it is gone. */
  preferredUntil = FOREVER;
  validUntil = FOREVER;
  /** Solicitations sent to find out whether somebody has it, and when the next is due or the answer is known. */
  probesSent = 0;
  probeAt = 0;

  constructor(number: number, prefixLength: number, origin: AddressOrigin) {
    this.number = number;
    this.prefixLength = prefixLength;
    this.origin = origin;
  }

  /** RFC 4862 2: packets may come from it and go to it. */
  get isAssigned(): boolean {
    return this.state === AddressState.Preferred || this.state === AddressState.Deprecated;
  }
}

/** Linux has 16 as well (max_addresses): nobody needs more, and a router could give out any number. */
export const OWN_ADDRESSES_MAX = 16;

/** RFC 4861 10. */
export const REACHABLE_TIME = 30_000;
export const RETRANS_TIMER = 1000;
const DEFAULT_HOP_LIMIT = 64;

export class Ipv6Interface {
  readonly iface: Interface;
  readonly addresses: OwnAddress[] = [];
  /** CurHopLimit, LinkMTU, BaseReachableTime, ReachableTime, RetransTimer of RFC 4861 6.3.2. */
  hopLimit = DEFAULT_HOP_LIMIT;
  linkMtu: number;
  baseReachableTime = REACHABLE_TIME;
  reachableTime = REACHABLE_TIME;
  retransTimer = RETRANS_TIMER;
  /** DupAddrDetectTransmits of RFC 4862 5.1; 0: an address is taken to be unique. */
  readonly probesMax: number;
  /** Addresses and routes come from routers (RFC 4862 5.5). */
  readonly autoconfigures: boolean;
  readonly #table: AddressTable;

  constructor(iface: Interface, table: AddressTable, probesMax: number, autoconfigures: boolean) {
    this.iface = iface;
    this.linkMtu = iface.adapter.mtu;
    this.probesMax = probesMax;
    this.autoconfigures = autoconfigures;
    this.#table = table;
  }

  /** A new address; undefined when there is no room for it, or it is ours already. */
  add(words: Readonly<Int32Array>, prefixLength: number, origin: AddressOrigin): OwnAddress | undefined {
    if (this.addresses.length >= OWN_ADDRESSES_MAX || this.find(this.#table.findWords(words)) !== undefined) {
      return undefined;
    }
    const number = this.#table.internWords(words);
    if (number === 0) return undefined;
    const address = new OwnAddress(number, prefixLength, origin);
    this.addresses.push(address);
    return address;
  }

  /** The address made of the MAC (RFC 4862 5.3). */
  addLinkLocal(): OwnAddress {
    const { macHi, macLo } = this.iface.adapter;
    const address = this.add(linkLocalOf(macHi, macLo), 64, 'link-local');
    assert(address !== undefined, 'the link-local address is the first');
    return address;
  }

  remove(address: OwnAddress): void {
    this.addresses.splice(this.addresses.indexOf(address), 1);
    this.#table.release(address.number);
  }

  find(number: number): OwnAddress | undefined {
    for (let i = 0; i < this.addresses.length; i++) if (this.addresses[i]!.number === number) return this.addresses[i];
    return undefined;
  }

  /** Is it one that packets may come to and go from? */
  isAssigned(number: number): boolean {
    return this.find(number)?.isAssigned ?? false;
  }

  /** Have we joined the group at `at` of a packet: all nodes, or the solicited-node group of an address (RFC 4861 7.2.1)? */
  isMember(view: DataView, at: number): boolean {
    const word0 = view.getInt32(at);
    const word2 = view.getInt32(at + 8);
    const word3 = view.getInt32(at + 12);
    if (word0 !== ALL_NODES[0] || view.getInt32(at + 4) !== 0) return false;
    if (word2 === 0) return word3 === ALL_NODES[3];
    if (word2 !== 1 || word3 >>> 24 !== 0xff) return false;
    const { words } = this.#table;
    return this.addresses.some(({ number }) => ((words[this.#table.indexOf(number) + 3]! ^ word3) & 0xffffff) === 0);
  }

  /** Is the destination on a prefix of ours by its address alone: a static one, of which no router told? */
  isLinkLocalReady(): boolean {
    return this.addresses.some(address => address.origin === 'link-local' && address.isAssigned);
  }

  /**
   * The source for packets to a destination (RFC 6724 5), 0 when there is none. Of its rules those that can differ here: the
   * same address, the scope, not deprecated, the same label, the longest prefix.
   */
  sourceFor(destination: number): number {
    let best: OwnAddress | undefined;
    for (let i = 0; i < this.addresses.length; i++) {
      const candidate = this.addresses[i]!;
      if (!candidate.isAssigned) continue;
      if (best === undefined || this.#isBetter(candidate, best, destination)) best = candidate;
    }
    return best?.number ?? 0;
  }

  #isBetter(a: OwnAddress, b: OwnAddress, destination: number): boolean {
    const table = this.#table;
    const { words } = table;
    const [atA, atB, to] = [table.indexOf(a.number), table.indexOf(b.number), table.indexOf(destination)];
    // Rule 1.
    if (a.number === destination || b.number === destination) return a.number === destination;
    // Rule 2: the smallest scope that reaches the destination.
    const [scopeA, scopeB, scope] = [scopeOf(words, atA), scopeOf(words, atB), scopeOf(words, to)];
    if (scopeA !== scopeB) return scopeA < scopeB ? scopeA >= scope : scopeB < scope;
    // Rule 3.
    if (a.state !== b.state) return a.state === AddressState.Preferred;
    // Rule 6.
    const label = labelOf(words, to);
    const [labelA, labelB] = [labelOf(words, atA), labelOf(words, atB)];
    if (labelA !== labelB && (labelA === label || labelB === label)) return labelA === label;
    // Rule 8: of what the source's own prefix says.
    const common = (own: OwnAddress, at: number): number =>
      Math.min(own.prefixLength, commonPrefixLength(words, at, words, to));
    return common(a, atA) > common(b, atB);
  }

  /** Is this one of the link's own: a prefix of one of our addresses? */
  isOnPrefix(words: Readonly<Int32Array>, at: number): boolean {
    const { words: own } = this.#table;
    return this.addresses.some(
      ({ number, prefixLength }) => commonPrefixLength(own, this.#table.indexOf(number), words, at) >= prefixLength,
    );
  }

  /** The address with these words, whatever its state. */
  findWords(words: Readonly<Int32Array>, at: number): OwnAddress | undefined {
    const { words: own } = this.#table;
    return this.addresses.find(({ number }) => equalsIpv6(own, this.#table.indexOf(number), words, at));
  }
}

/** The default policy table of RFC 6724 2.1, as far as addresses of its prefixes are in use. */
function labelOf(words: Readonly<Int32Array>, at: number): number {
  const word0 = words[at]!;
  if (isMulticastWord(word0)) return 1;
  if (word0 >>> 25 === 0x7e) return 13;
  if (word0 >>> 16 === 0x2002) return 2;
  if (word0 === 0x2001_0000) return 5;
  if (word0 >>> 22 === 0x3fb) return 11;
  return 1;
}
