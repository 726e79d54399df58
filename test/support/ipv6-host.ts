/** A host that speaks IPv6, over an adapter that only remembers; and what others on its link may say to it. */
import type { OwnAddress, Ipv6Interface } from '../../src/host/ipv6-interface.ts';
import { AddressState } from '../../src/host/ipv6-interface.ts';
import { ETHERNET } from '../../src/wire/ethernet.ts';
import { Icmpv6Type } from '../../src/wire/icmpv6.ts';
import { parseIpv6Address, parseIpv6Cidr } from '../../src/wire/ipv6-text.ts';
import {
  emitNeighborAdvertisement,
  emitNeighborSolicitation,
  NaFlag,
  ND_HOP_LIMIT,
  NdOption,
  PREFIX,
} from '../../src/wire/nd.ts';
import { HostFixture } from './host-fixture.ts';
import { type Ends6, frame6, icmp6 } from './ipv6-frames.ts';

export const OWN = 'fd00::1';
export const OWN_LINK_LOCAL = 'fe80::43:4eff:fe00:1';
export const PEER6 = 'fd00::2';
export const ROUTER6 = 'fe80::99';
export const MAC_HI = 0x0250;
export const PEER_MAC: readonly [number, number] = [MAC_HI, 2];
export const ROUTER_MAC: readonly [number, number] = [MAC_HI, 0x99];

export interface Enabled {
  /** Of the administrator's; the link-local one is always there. */
  readonly addresses?: readonly string[];
  readonly duplicateProbes?: number;
  readonly autoconfigure?: boolean;
}

export interface RouterSays {
  readonly lifetime?: number;
  readonly hopLimit?: number;
  readonly reachableTime?: number;
  readonly retransTimer?: number;
  readonly mtu?: number;
  readonly mac?: boolean;
  readonly source?: string;
  /** Bits of the flags that say how much the router is to be preferred (RFC 4191 2.2). */
  readonly preference?: number;
  readonly routes?: readonly { text: string; lifetime?: number; preference?: number }[];
  readonly prefixes?: readonly { text: string; valid?: number; preferred?: number; flags?: number }[];
}

export class Ipv6Host extends HostFixture {
  readonly on: Ipv6Interface;

  constructor({ addresses = [`${OWN}/64`], duplicateProbes = 0, autoconfigure = false }: Enabled = {}) {
    super();
    this.on = this.network.ipv6.enable(this.iface, { duplicateProbes, autoconfigure });
    for (const text of addresses) {
      const { address, prefixLength } = parseIpv6Cidr(text)!;
      this.network.ipv6.addAddress(this.on, address, prefixLength);
    }
    if (duplicateProbes === 0) this.take();
  }

  /** The number of an address that somebody on this host has to do with, 0 for others. */
  numberOf(text: string): number {
    return this.host.addresses.findWords(parseIpv6Address(text)!);
  }

  /** Lets time pass in small steps, as timers ask for it. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 50) this.step(Math.min(50, left));
  }

  stateOf(text: string): string {
    const address: OwnAddress | undefined = this.on.find(this.numberOf(text));
    if (address === undefined) return 'none';
    return Object.entries(AddressState).find(([, state]) => state === address.state)![0];
  }

  ends(destination: string, source = PEER6, srcMac = PEER_MAC, hopLimit = 64): Ends6 {
    const { macHi, macLo } = this.adapter;
    const words = parseIpv6Address(destination)!;
    const isGroup = words[0]! >>> 24 === 0xff;
    return { source, destination, srcMac, hopLimit, dstMac: isGroup ? [0x3333, words[3]!] : [macHi, macLo] };
  }

  packet(ends: Ends6, nextHeader: number, bytes: Uint8Array): void {
    this.#deliver(at => {
      return frame6(this.memory.view, at, ends, nextHeader, to => {
        this.memory.u8.set(bytes, to);
        return bytes.length;
      });
    });
  }

  /** An ICMPv6 message that `write` puts there. */
  message(ends: Ends6, write: (at: number) => number): void {
    this.#deliver(at => icmp6(this.memory.view, at, ends, write));
  }

  frame(write: (at: number) => number): void {
    this.#deliver(write);
  }

  #deliver(write: (at: number) => number): void {
    // `receive` writes an Ethernet header of its own; the one that is wanted goes over it.
    this.receive(0x86dd, at => {
      const frameAt = at - ETHERNET.headerLength;
      return frameAt + write(frameAt);
    });
  }

  // --- neighbor discovery ---

  solicits(
    target: string,
    options: { source?: string; destination?: string; mac?: boolean; hopLimit?: number } = {},
  ): void {
    const { source = PEER6, destination = target, mac = source !== '::', hopLimit = ND_HOP_LIMIT } = options;
    this.message(this.ends(destination, source, PEER_MAC, hopLimit), at =>
      emitNeighborSolicitation(this.memory.view, at, parseIpv6Address(target)!, 0, mac ? PEER_MAC[0] : -1, PEER_MAC[1]),
    );
  }

  advertises(
    target: string,
    options: { flags?: number; mac?: readonly [number, number] | null; destination?: string; source?: string } = {},
  ): void {
    const { flags = NaFlag.Solicited | NaFlag.Override, mac = PEER_MAC, destination = OWN, source = target } = options;
    const [hi, lo] = mac ?? [-1, 0];
    this.message(this.ends(destination, source, PEER_MAC, ND_HOP_LIMIT), at =>
      emitNeighborAdvertisement(this.memory.view, at, flags, parseIpv6Address(target)!, 0, hi, lo),
    );
  }

  redirects(destination: string, target: string, mac: readonly [number, number] | null, source = ROUTER6): void {
    this.message(this.ends(OWN, source, ROUTER_MAC, ND_HOP_LIMIT), at => {
      const { view } = this.memory;
      view.setInt32(at, Icmpv6Type.Redirect << 24);
      view.setInt32(at + 4, 0);
      put(view, at + 8, target);
      put(view, at + 24, destination);
      return mac === null ? 40 : putMac(view, at, 40, NdOption.TargetLinkLayerAddress, mac);
    });
  }

  router(says: RouterSays = {}, hopLimit = ND_HOP_LIMIT): void {
    const { lifetime = 1800, mac = true, source = ROUTER6, prefixes = [], preference = 0, routes = [] } = says;
    this.message(this.ends('ff02::1', source, ROUTER_MAC, hopLimit), at => {
      const { view } = this.memory;
      view.setInt32(at, Icmpv6Type.RouterAdvertisement << 24);
      view.setInt32(at + 4, ((says.hopLimit ?? 0) << 24) | (preference << 16) | lifetime);
      view.setUint32(at + 8, says.reachableTime ?? 0);
      view.setUint32(at + 12, says.retransTimer ?? 0);
      let length = 16;
      if (mac) length = putMac(view, at, length, NdOption.SourceLinkLayerAddress, ROUTER_MAC);
      if (says.mtu !== undefined) {
        view.setInt32(at + length, (NdOption.Mtu << 24) | (1 << 16));
        view.setUint32(at + length + 4, says.mtu);
        length += 8;
      }
      for (const { text, valid = 86_400, preferred = 14_400, flags = 0xc0 } of prefixes) {
        const { address, prefixLength } = parseIpv6Cidr(text)!;
        const option = at + length;
        view.setInt32(option, (NdOption.PrefixInformation << 24) | (4 << 16) | (prefixLength << 8) | flags);
        view.setUint32(option + PREFIX.validLifetime, valid);
        view.setUint32(option + PREFIX.preferredLifetime, preferred);
        view.setInt32(option + 12, 0);
        address.forEach((word, i) => view.setInt32(option + PREFIX.address + 4 * i, word));
        length += 32;
      }
      for (const { text, lifetime: seconds = 1800, preference: flags = 0 } of routes) {
        const { address, prefixLength } = parseIpv6Cidr(text)!;
        const units = 1 + Math.ceil(prefixLength / 64);
        view.setInt32(at + length, (NdOption.RouteInformation << 24) | (units << 16) | (prefixLength << 8) | flags);
        view.setUint32(at + length + 4, seconds);
        for (let i = 0; i < 2 * units - 2; i++) view.setInt32(at + length + 8 + 4 * i, address[i]!);
        length += 8 * units;
      }
      return length;
    });
  }

  /** The host knows the peer's MAC address from now on, and nothing else came of it. */
  introduce6(address = PEER6): void {
    this.solicits(OWN, { source: address });
    this.take();
  }
}

function put(view: DataView, at: number, text: string): void {
  parseIpv6Address(text)!.forEach((word, i) => view.setInt32(at + 4 * i, word));
}

function putMac(view: DataView, at: number, length: number, type: number, [hi, lo]: readonly [number, number]): number {
  view.setUint8(at + length, type);
  view.setUint8(at + length + 1, 1);
  view.setUint16(at + length + 2, hi);
  view.setInt32(at + length + 4, lo);
  return length + 8;
}
