/**
 * The ends of an IPv4 network: remote 192.0.2.1 beyond a gateway, the host in 192.168/16, unless the script says otherwise.
 * Headers have no options.
 */
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { emitIpv4, IPV4, IpProtocol } from '../wire/ipv4.ts';
import type { IpSpec } from './ast.ts';
import { type IpEnds, SCRIPT_TTL, type SeenIp, tosOf } from './ip-ends.ts';

export class Ipv4Ends implements IpEnds {
  readonly version = 4;
  readonly headerLength = IPV4.headerLength;
  readonly icmpProtocol = IpProtocol.Icmp;
  readonly local: number;
  readonly remote: number;
  readonly gateway: number;
  readonly prefixLength: number;
  #identification = 0;

  constructor(local: number, remote: number, gateway: number, prefixLength: number) {
    this.local = local;
    this.remote = remote;
    // On a tun device the gateway may be the host itself; on Ethernet somebody else has to answer ARP.
    this.gateway = gateway === local ? local ^ 3 : gateway;
    this.prefixLength = prefixLength;
  }

  writeHeader(view: DataView, at: number, payload: number, protocol: number, ip: IpSpec, fromHost: boolean): void {
    const source = fromHost ? this.local : this.remote;
    const destination = fromHost ? this.remote : this.local;
    const ttl = ip.ttl > 0 ? ip.ttl : SCRIPT_TTL;
    const id = ++this.#identification & 0xffff;
    emitIpv4(view, at, tosOf(ip), IPV4.headerLength + payload, id, 0, ttl, protocol, source, destination);
  }

  pseudoSum(view: DataView, at: number, protocol: number, length: number): number {
    return pseudoHeaderSum(view.getInt32(at + IPV4.source), view.getInt32(at + IPV4.destination), protocol, length);
  }

  read(view: DataView): SeenIp {
    const tos = view.getUint8(IPV4.tos);
    return {
      ip: { ecn: tos & 3, tos, ttl: view.getUint8(IPV4.ttl), flowLabel: -1 },
      protocol: view.getUint8(IPV4.protocol),
      payloadAt: (view.getUint8(0) & 0xf) << 2,
      toRemote: view.getInt32(IPV4.destination) === this.remote,
    };
  }
}
