/**
 * The ends of an IPv6 network: remote 2001:db8::1 beyond a gateway, the host in fd3d:fa7b:d17d::/48, unless the script says
 * otherwise. Of what the host sends extension headers are passed over.
 */
import { emitIpv6, IPV6, Ipv6Header, NextHeader, parseIpv6, pseudoHeaderSumAt } from '../wire/ipv6.ts';
import { equalsIpv6 } from '../wire/ipv6-address.ts';
import { ExtensionWalk, walkExtensions } from '../wire/ipv6-extensions.ts';
import type { IpSpec } from './ast.ts';
import { type IpEnds, SCRIPT_TTL, type SeenIp, tosOf } from './ip-ends.ts';

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
    const source = fromHost ? this.local : this.remote;
    const destination = fromHost ? this.remote : this.local;
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
