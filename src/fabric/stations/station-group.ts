/**
 * A group of stations on the switch port of a population, and where they stand in the network.
 *
 *   local    each station has an address in the server's subnet and a MAC of its own: `macHi`, then its IPv4 address
 *   router   stations of a prefix behind a router, which alone has an address and a MAC in the server's subnet
 *
 * Addresses are int32; a MAC is two numbers (wire/ethernet.ts). The switch tags: `vid` is for reports only.
 */
import { ChimneyError } from '../../base/errors.ts';
import { formatIpv4 } from '../../wire/ipv4-text.ts';
import { prefixMask } from '../../wire/ipv4.ts';

export interface StationGroupOptions {
  readonly name: string;
  readonly kind: 'local' | 'router';
  /** VLAN of the switch port; frames carry no tag here. */
  readonly vid?: number;
  /** The first station; the others follow. */
  readonly firstAddress: number;
  readonly count: number;
  /** Length of the prefix: of the stations' own subnet (local), of what lies behind the router (router). */
  readonly prefixLength: number;
  /** Router: its address in the server's subnet. */
  readonly routerAddress?: number;
  /** Router: its MAC. Local: the first 16 bits of every MAC. Made up from the addresses when absent. */
  readonly mac?: { readonly hi: number; readonly lo: number };
  /** Whom a ClientLoad's stations of this group call. */
  readonly serverAddress: number;
  readonly serverPort: number;
  /** Local: the router for destinations outside the subnet. Without one everything is taken to be on the link. */
  readonly gateway?: number;
  /** TTL that the stations send with. */
  readonly ttl?: number;
}

/** First halves of locally administered MACs, 02:53 ('S') and 02:52 ('R'). */
const STATION_MAC_HI = 0x0253;
const ROUTER_MAC_HI = 0x0252;

export class StationGroup {
  readonly index: number;
  readonly name: string;
  readonly vid: number;
  readonly isRouter: boolean;
  readonly firstAddress: number;
  readonly count: number;
  /** Number of the first station of this group among all of the population. */
  readonly firstStation: number;
  readonly prefix: number;
  readonly mask: number;
  readonly routerAddress: number;
  readonly macHi: number;
  readonly serverAddress: number;
  readonly serverPort: number;
  readonly ttl: number;
  readonly #routerMacLo: number;
  readonly #gateway: number;

  constructor(options: StationGroupOptions, index: number, firstStation: number) {
    this.index = index;
    this.name = options.name;
    this.vid = options.vid ?? 0;
    this.isRouter = options.kind === 'router';
    this.firstAddress = options.firstAddress;
    this.count = options.count;
    this.firstStation = firstStation;
    this.mask = prefixMask(options.prefixLength);
    this.prefix = options.firstAddress & this.mask;
    this.routerAddress = options.routerAddress ?? 0;
    this.macHi = options.mac?.hi ?? (this.isRouter ? ROUTER_MAC_HI : STATION_MAC_HI);
    this.serverAddress = options.serverAddress;
    this.serverPort = options.serverPort;
    this.ttl = options.ttl ?? 64;
    this.#routerMacLo = options.mac?.lo ?? this.routerAddress;
    this.#gateway = options.gateway ?? 0;
    checkGroup(this);
  }

  addressOf(station: number): number {
    return (this.firstAddress + (station - this.firstStation)) | 0;
  }

  /** Is the address that of a station of this group? */
  isStation(address: number): boolean {
    return (address - this.firstAddress) >>> 0 < this.count;
  }

  /** Does this group answer for the address in ARP? Stations behind a router are not on the link. */
  isOnLink(address: number): boolean {
    return this.isRouter ? address === this.routerAddress : this.isStation(address);
  }

  isInPrefix(address: number): boolean {
    return (address & this.mask) === this.prefix;
  }

  /** Second half of the MAC that frames of this station carry. */
  macLoOf(address: number): number {
    return this.isRouter ? this.#routerMacLo : address;
  }

  /** Is a frame for this MAC, with a datagram for this address, one for us? */
  hasMac(macHi: number, macLo: number, address: number): boolean {
    if (macHi !== this.macHi) return false;
    return this.isRouter ? macLo === this.#routerMacLo : macLo === address && this.isStation(address);
  }

  /** The sender of ARP requests on behalf of a station. */
  linkAddressOf(address: number): number {
    return this.isRouter ? this.routerAddress : address;
  }

  /** RFC 1122 3.3.1.1: local, or through the gateway. A router's own interface reaches every destination directly. */
  nextHop(destination: number): number {
    if (this.isRouter || this.#gateway === 0 || this.isInPrefix(destination)) return destination;
    return this.#gateway;
  }
}

function checkGroup(group: StationGroup): void {
  const last = (group.firstAddress + group.count - 1) | 0;
  if (group.count < 1 || !group.isInPrefix(last)) {
    throw new ChimneyError(
      'ERR_CHIMNEY_STATION_GROUP',
      `group ${group.name}: ${group.count} stations from ${formatIpv4(group.firstAddress)} do not fit the prefix`,
    );
  }
  if (group.isRouter && group.routerAddress === 0) {
    throw new ChimneyError('ERR_CHIMNEY_STATION_GROUP', `group ${group.name}: a router needs a routerAddress`);
  }
}
