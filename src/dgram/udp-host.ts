/**
 * What sockets of UDP need of the host that they live on: what those of TCP need (net/net-host.ts), and its UDP.
 * Machine and simulation implement it.
 */
import type { NetHost } from '../net/net-host.ts';
import type { HostUdp } from '../host/udp.ts';

export interface UdpHost extends NetHost {
  readonly udp: HostUdp;
}
