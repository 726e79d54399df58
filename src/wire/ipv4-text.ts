/**
 * IPv4 addresses as text: dotted decimal (RFC 3986 3.2.2 dec-octet) and prefixes `a.b.c.d/n` (RFC 4632 3.1).
 *
 * For options, scenarios and traces, never for the data path: everything here allocates. Text that is not an
 * address yields undefined, since each of the 2^32 numbers is a valid address. Leading zeros are refused: some
 * readers take them for octal, and an address must not depend on who reads it.
 */
import { prefixMask } from './ipv4.ts';

const OCTET = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const ADDRESS = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`);
const PREFIX_LENGTH = /^(?:3[0-2]|[12]?[0-9])$/;

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

export function parseIpv4Address(text: string): number | undefined {
  const match = ADDRESS.exec(text);
  if (match === null) return undefined;
  return (Number(match[1]) << 24) | (Number(match[2]) << 16) | (Number(match[3]) << 8) | Number(match[4]);
}

export interface Ipv4Prefix {
  /** The address as written, host bits included: `10.0.0.1/24` keeps the .1. */
  readonly address: number;
  readonly prefixLength: number;
  readonly mask: number;
  /** The directed broadcast address of the subnet (RFC 1122 3.2.1.3(d)); the address itself for /31 and /32. */
  readonly broadcast: number;
}

export function parseCidr(text: string): Ipv4Prefix | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIpv4Address(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (address === undefined || !PREFIX_LENGTH.test(lengthText)) return undefined;
  const prefixLength = Number(lengthText);
  const mask = prefixMask(prefixLength);
  // RFC 3021: a /31 has two hosts and no broadcast address.
  const broadcast = prefixLength >= 31 ? address : address | ~mask;
  return { address, prefixLength, mask, broadcast };
}

export function formatCidr(address: number, prefixLength: number): string {
  return `${formatIpv4(address)}/${prefixLength}`;
}
