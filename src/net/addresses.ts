/**
 * Addresses in calls of node:net: text to what the stack knows them by, and back.
 *
 * An IPv6 address has a number while somebody holds it: what `resolve` finds has to be released, or is held by the
 * connection that came of it. A link-local address may have a zone, `fe80::1%nic0` (RFC 4007 11): the name of an adapter.
 */
import type { Interface } from '../host/interface.ts';
import { isIpv6 } from '../wire/address-table.ts';
import { parseIpv4Address } from '../wire/ipv4-text.ts';
import { parseIpv6Address } from '../wire/ipv6-text.ts';
import { nameError, type NetError } from './errors.ts';
import type { NetHost } from './net-host.ts';

export interface Resolved {
  readonly address: number;
  /** Of the zone, if there was one. */
  readonly iface: Interface | null;
}

export type Family = 'IPv4' | 'IPv6';

const LOOPBACK = 127;

export function familyOf(address: number): Family {
  return isIpv6(address) ? 'IPv6' : 'IPv4';
}

/** The address that a host name means; a machine has neither resolver nor loopback, the error says what to give. */
export function resolve(host: string | undefined, of: NetHost): Resolved | NetError {
  const name = host ?? 'localhost';
  const own = of.addresses();
  const table = of.tli.addresses;
  const example = own.length > 0 ? `, as in ${table.format(own[0]!)}` : '';
  const [text, zone] = splitZone(name);
  const address = parseIpv4Address(text);
  const words = parseIpv6Address(text);
  const isLoopback =
    address !== undefined ? address >>> 24 === LOOPBACK : words !== undefined && isLoopbackWords(words);
  if (name === 'localhost' || isLoopback) {
    return nameError(name, `a machine has no loopback; give the address of a host on its network${example}`);
  }
  // RFC 1112 4: class E. Its numbers mean something else here (address-table.ts).
  if (address !== undefined && isIpv6(address)) return nameError(name, 'no host has such an address');
  if (words === undefined) {
    if (address !== undefined && zone === '') return { address, iface: null };
    return nameError(name, `a machine has no resolver; give an IP address${example}`);
  }
  const iface = zone === '' ? null : of.zone(zone);
  if (iface === undefined) return nameError(name, `no adapter is named ${zone}`);
  const number = table.internWords(words);
  return number === 0 ? nameError(name, 'the host knows too many addresses') : { address: number, iface };
}

export function isError(resolved: Resolved | NetError): resolved is NetError {
  return resolved instanceof Error;
}

/** The number of an address that is one of the host's own; undefined for any other text. */
export function ownAddress(text: string, of: NetHost): number | undefined {
  const address = parseIpv4Address(text);
  if (address !== undefined && isIpv6(address)) return undefined;
  const words = parseIpv6Address(splitZone(text)[0]);
  const number = address ?? (words === undefined ? 0 : of.tli.addresses.findWords(words));
  return number !== 0 && of.addresses().includes(number) ? number : undefined;
}

function splitZone(text: string): [string, string] {
  const at = text.indexOf('%');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function isLoopbackWords(words: Int32Array): boolean {
  return words[3] === 1 && (words[0]! | words[1]! | words[2]!) === 0;
}
