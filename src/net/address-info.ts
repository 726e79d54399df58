/**
 * What `address()` of sockets and servers says of an end of a connection, as in Node.
 * IPv4 is IPv4, also where a server listens on `::`: nobody needs the mapped addresses that sockets of the kernel show.
 */
import type { Family } from './addresses.ts';

export interface SocketAddressInfo {
  readonly address: string;
  readonly family: Family;
  readonly port: number;
}
