/**
 * A group of stations on the switch port of a population, and where they stand in the network.
 *
 *   local    each station has an address in the server's subnet and a MAC of its own: `macHi`, then the last 32 bits of
 *            its address
 *   router   stations of a prefix behind a router, which alone has an address and a MAC in the server's subnet
 *
 * A group is of one IP version. Addresses are int32, those of IPv6 numbers of the population's table, in which stations
 * that follow each other have numbers that do; a MAC is two numbers (wire/ethernet.ts). The switch tags: `vid` is for
 * reports only.
 */
import { ChimneyError } from '../../base/errors.ts';
import { type AddressTable, isIpv6 } from '../../wire/address-table.ts';
import { prefixMask } from '../../wire/ipv4.ts';
import { commonPrefixLength, IPV6_ADDRESS_WORDS } from '../../wire/ipv6-address.ts';
import { parseIpv6Address } from '../../wire/ipv6-text.ts';

/** An IPv4 address, or the text of an IPv6 address. */
export type StationAddress = number | string;

export interface StationGroupOptions {
  readonly name: string;
  readonly kind: 'local' | 'router';
  /** VLAN of the switch port; frames carry no tag here. */
  readonly vid?: number;
  /** The first station; the others follow. */
  readonly firstAddress: StationAddress;
  readonly count: number;
  /** Length of the prefix: of the stations' own subnet (local), of what lies behind the router (router). */
  readonly prefixLength: number;
  /** Router: its address in the server's subnet. */
  readonly routerAddress?: StationAddress;
  /** Router: its MAC. Local: the first 16 bits of every MAC. Made up from the addresses when absent. */
  readonly mac?: { readonly hi: number; readonly lo: number };
  /** Whom a ClientLoad's stations of this group call. */
  readonly serverAddress: StationAddress;
  readonly serverPort: number;
  /** Local: the router for destinations outside the subnet. Without one everything is taken to be on the link. */
  readonly gateway?: StationAddress;
  /** TTL or hop limit that the stations send with. */
  readonly ttl?: number;
}

/** First halves of locally administered MACs, 02:53 ('S') and 02:52 ('R'); in lower case for IPv6. */
const STATION_MAC_HI = 0x0253;
const ROUTER_MAC_HI = 0x0252;
const IPV6_MAC_BIT = 0x20;

export class StationGroup {
  readonly index: number;
  readonly name: string;
  readonly vid: number;
  readonly isRouter: boolean;
  readonly isIpv6: boolean;
  readonly firstAddress: number;
  readonly count: number;
  /** Number of the first station of this group among all of the population. */
  readonly firstStation: number;
  readonly routerAddress: number;
  readonly macHi: number;
  readonly serverAddress: number;
  readonly serverPort: number;
  readonly ttl: number;
  readonly #addresses: AddressTable;
  readonly #prefixLength: number;
  readonly #routerMacLo: number;
  readonly #gateway: number;

  /** @param addresses from which nothing was ever released */
  constructor(options: StationGroupOptions, index: number, firstStation: number, addresses: AddressTable) {
    const numberOf = (address: StationAddress = 0): number => internRange(addresses, options.name, address, 1);
    this.index = index;
    this.name = options.name;
    this.vid = options.vid ?? 0;
    this.isRouter = options.kind === 'router';
    this.firstAddress = internRange(addresses, options.name, options.firstAddress, options.count);
    this.isIpv6 = isIpv6(this.firstAddress);
    this.count = options.count;
    this.firstStation = firstStation;
    this.#addresses = addresses;
    this.#prefixLength = options.prefixLength;
    this.routerAddress = numberOf(options.routerAddress);
    const macHi = this.isRouter ? ROUTER_MAC_HI : STATION_MAC_HI;
    this.macHi = options.mac?.hi ?? macHi | (this.isIpv6 ? IPV6_MAC_BIT : 0);
    this.serverAddress = numberOf(options.serverAddress);
    this.serverPort = options.serverPort;
    this.ttl = options.ttl ?? 64;
    this.#routerMacLo = options.mac?.lo ?? this.#lastWordOf(this.routerAddress);
    this.#gateway = numberOf(options.gateway);
    checkGroup(this, addresses);
  }

  addressOf(station: number): number {
    return (this.firstAddress + (station - this.firstStation)) | 0;
  }

  /** Is the address that of a station of this group? */
  isStation(address: number): boolean {
    return (address - this.firstAddress) >>> 0 < this.count;
  }

  /** Does this group answer for the address in ARP or neighbor discovery? Stations behind a router are not on the link. */
  isOnLink(address: number): boolean {
    return this.isRouter ? address === this.routerAddress : this.isStation(address);
  }

  isInPrefix(address: number): boolean {
    if (isIpv6(address) !== this.isIpv6) return false;
    if (!this.isIpv6) return ((address ^ this.firstAddress) & prefixMask(this.#prefixLength)) === 0;
    const { words } = this.#addresses;
    const [at, firstAt] = [this.#addresses.indexOf(address), this.#addresses.indexOf(this.firstAddress)];
    return commonPrefixLength(words, at, words, firstAt) >= this.#prefixLength;
  }

  #lastWordOf(address: number): number {
    if (!isIpv6(address)) return address;
    return this.#addresses.words[this.#addresses.indexOf(address) + IPV6_ADDRESS_WORDS - 1]!;
  }

  /** Second half of the MAC that frames of this station carry. */
  macLoOf(address: number): number {
    return this.isRouter ? this.#routerMacLo : this.#lastWordOf(address);
  }

  /** Is a frame for this MAC, with a datagram for this address, one for us? */
  hasMac(macHi: number, macLo: number, address: number): boolean {
    if (macHi !== this.macHi) return false;
    if (this.isRouter) return macLo === this.#routerMacLo && isIpv6(address) === this.isIpv6;
    return this.isStation(address) && macLo === this.#lastWordOf(address);
  }

  /** Who asks for neighbors on behalf of a station. */
  linkAddressOf(address: number): number {
    return this.isRouter ? this.routerAddress : address;
  }

  /** RFC 1122 3.3.1.1: local, or through the gateway. A router's own interface reaches every destination directly. */
  nextHop(destination: number): number {
    if (this.isRouter || this.#gateway === 0 || this.isInPrefix(destination)) return destination;
    return this.#gateway;
  }
}

/** The number of the first of `count` addresses, which the others follow; an IPv4 address is its own number. */
function internRange(addresses: AddressTable, name: string, first: StationAddress, count: number): number {
  if (typeof first === 'number') return first;
  const words = parseIpv6Address(first);
  if (words === undefined) fail(name, `${first} is not an IPv6 address`);
  let number = 0;
  for (let i = 0; i < count; i++) {
    const next = addresses.internWords(words);
    if (i === 0) number = next;
    else if (next !== number + i) fail(name, `${addresses.format(next)} is somebody else's`);
    words[IPV6_ADDRESS_WORDS - 1]++;
  }
  return number;
}

function checkGroup(group: StationGroup, addresses: AddressTable): void {
  const { name, count, firstAddress } = group;
  const last = group.addressOf(group.firstStation + count - 1);
  if (count < 1 || !group.isInPrefix(last)) {
    fail(name, `${count} stations from ${addresses.format(firstAddress)} do not fit the prefix`);
  }
  if (group.isRouter && group.routerAddress === 0) fail(name, 'a router needs a routerAddress');
}

function fail(name: string, problem: string): never {
  throw new ChimneyError('ERR_CHIMNEY_STATION_GROUP', `group ${name}: ${problem}`);
}
