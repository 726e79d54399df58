/**
 * IPv4 datagrams that arrive (RFC 791 3.2, RFC 1122 3.2.1): what is whole and for us goes to its protocol.
 *
 * Called by Network for each datagram of a frame; what cannot be read or is not ours is counted and dropped silently.
 */
import type { Memory } from '../memory/memory.ts';
import { Ipv4Header, Ipv4Parse, IPV4_BROADCAST, IpProtocol, isFragment, parseIpv4 } from '../wire/ipv4.ts';
import type { HostIcmp } from './host-icmp.ts';
import type { Interface } from './interface.ts';
import type { TransportInput } from './network.ts';

export class Ipv4Input {
  readonly #memory: Memory;
  readonly #icmp: HostIcmp;
  readonly #ip = new Ipv4Header();
  transport: TransportInput | null = null;
  received = 0;
  headerErrors = 0;
  addressErrors = 0;
  fragmentsDropped = 0;

  constructor(memory: Memory, icmp: HostIcmp) {
    this.#memory = memory;
    this.#icmp = icmp;
  }

  /** A datagram in [at, end) of a receive buffer. True: the buffer was kept. */
  receive(iface: Interface, buffer: number, at: number, end: number): boolean {
    this.received++;
    const ip = this.#ip;
    if (parseIpv4(this.#memory.view, at, end, ip) !== Ipv4Parse.Ok) {
      this.headerErrors++;
      return false;
    }
    const { destination } = ip;
    if (destination !== iface.address && destination !== IPV4_BROADCAST && destination !== iface.broadcast) {
      this.addressErrors++;
      return false;
    }
    if (isFragment(ip)) {
      this.fragmentsDropped++;
      return false;
    }
    if (ip.protocol === IpProtocol.Tcp) {
      return destination === iface.address && this.transport!.receive(iface, ip, buffer);
    }
    if (ip.protocol === IpProtocol.Icmp) this.#icmp.receive(iface, ip, this.transport!);
    else if (destination === iface.address) this.#icmp.protocolUnreachable(iface, ip, at);
    return false;
  }
}
