/**
 * Prefixes of either IP version as users give them: `10.1.0.0/16`, `fd00::/8`.
 *
 * For policies and directives, which ask whether an address of a connection is in one; never for a packet.
 */
import { type AddressTable, isIpv6 } from './address-table.ts';
import { formatCidr, type Ipv4Prefix, parseCidr, parseIpv4Address } from './ipv4-text.ts';
import { commonPrefixLength } from './ipv6-address.ts';
import { formatIpv6, type Ipv6Prefix, parseIpv6Address, parseIpv6Cidr } from './ipv6-text.ts';

export type IpPrefix = Ipv4Prefix | Ipv6Prefix;

export function parseIpPrefix(text: string): IpPrefix | undefined {
  return parseCidr(text) ?? parseIpv6Cidr(text);
}

/** The same, and an address alone, which is the only one in its prefix. */
export function parseIpPrefixOrAddress(text: string): IpPrefix | undefined {
  if (parseIpv4Address(text) !== undefined) return parseCidr(`${text}/32`);
  if (parseIpv6Address(text) !== undefined) return parseIpv6Cidr(`${text}/128`);
  return parseIpPrefix(text);
}

export function formatIpPrefix({ address, prefixLength }: IpPrefix): string {
  if (typeof address === 'number') return formatCidr(address, prefixLength);
  return `${formatIpv6(address)}/${prefixLength}`;
}

/** Is the address, a number of that table if it is one of IPv6, in the prefix? */
export function isInPrefix(prefix: IpPrefix, address: number, table: AddressTable): boolean {
  if ('mask' in prefix) return !isIpv6(address) && ((prefix.address ^ address) & prefix.mask) === 0;
  if (!isIpv6(address)) return false;
  return commonPrefixLength(prefix.address, 0, table.words, table.indexOf(address)) >= prefix.prefixLength;
}
