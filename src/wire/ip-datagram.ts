/**
 * What is alike in a datagram of either IP version, for layers to which the version makes no difference: Ipv4Header
 * (ipv4.ts) and Ipv6Header (ipv6.ts) are both this.
 */
export interface IpDatagram {
  /** An IPv4 address, or the number of an IPv6 address in the owner's table (address-table.ts). */
  source: number;
  destination: number;
  /** DSCP in the upper six bits, ECN in the lower two (RFC 3168 5, RFC 8200 7). */
  tos: number;
  /** Time to live, or hop limit. */
  ttl: number;
  protocol: number;
  /** Byte offsets in the parsed view. */
  payloadAt: number;
  payloadEnd: number;
}
