/**
 * The ends of an IPv6 network: remote 2001:db8::1 beyond a gateway, the host in fd3d:fa7b:d17d::/48, unless the script says
 * otherwise. Of what the host sends extension headers are passed over.
 */
import { Icmpv6Type } from '../wire/icmpv6.ts';
import { emitIpv6, IPV6, Ipv6Header, NextHeader, parseIpv6, pseudoHeaderSumAt } from '../wire/ipv6.ts';
import { ALL_NODES, equalsIpv6, linkLocalOf } from '../wire/ipv6-address.ts';
import { ExtensionWalk, walkExtensions } from '../wire/ipv6-extensions.ts';
import type { IpSpec } from './ast.ts';
import { type IpEnds, SCRIPT_TTL, type SeenIp, tosOf } from './ip-ends.ts';
import { REMOTE_MAC } from './wire-port.ts';

/** RFC 4861 4.2: advertisements are from the link-local address of the gateway, whose MAC address is the wire's remote end. */
const ROUTER: Readonly<Int32Array> = linkLocalOf(REMOTE_MAC.hi, REMOTE_MAC.lo);

export class Ipv6Ends implements IpEnds {
  readonly version = 6;
  readonly headerLength = IPV6.headerLength;
  readonly icmpProtocol = NextHeader.Icmpv6;
  readonly local: Int32Array;
  readonly remote: Int32Array;
  readonly gateway: Int32Array;
  readonly prefixLength: number;
  readonly #header = new Ipv6Header();
  readonly #walk = new ExtensionWalk();

  constructor(local: Int32Array, remote: Int32Array, gateway: Int32Array, prefixLength: number) {
    this.local = local;
    this.remote = remote;
    this.gateway = gateway;
    this.prefixLength = prefixLength;
  }

  writeHeader(view: DataView, at: number, payload: number, protocol: number, ip: IpSpec, fromHost: boolean): void {
    let source = fromHost ? this.local : this.remote;
    let destination = fromHost ? this.remote : this.local;
    if (!fromHost && isAdvertisement(view, at, protocol)) {
      source = ROUTER;
      destination = ALL_NODES;
    }
    const hopLimit = ip.ttl > 0 ? ip.ttl : SCRIPT_TTL;
    const label = Math.max(0, ip.flowLabel);
    emitIpv6(view, at, tosOf(ip), label, payload, protocol, hopLimit, source, 0, destination, 0);
  }

  pseudoSum(view: DataView, at: number, protocol: number, length: number): number {
    return pseudoHeaderSumAt(view, at, protocol, length);
  }

  read(view: DataView): SeenIp {
    const header = this.#header;
    parseIpv6(view, 0, view.byteLength, header);
    walkExtensions(view, header, this.#walk);
    const { tos, ttl, flowLabel, protocol, payloadAt, destinationAt } = header;
    const destination = Int32Array.of(0, 4, 8, 12).map(offset => view.getInt32(destinationAt + offset));
    const toRemote = equalsIpv6(destination, 0, this.remote, 0);
    return { ip: { ecn: tos & 3, tos, ttl, flowLabel }, protocol, payloadAt, toRemote };
  }
}

/** The message, behind the header, is there already. */
function isAdvertisement(view: DataView, at: number, protocol: number): boolean {
  return (
    protocol === NextHeader.Icmpv6 &&
    view.getUint8(at + IPV6.headerLength) === (Icmpv6Type.RouterAdvertisement as number)
  );
}
