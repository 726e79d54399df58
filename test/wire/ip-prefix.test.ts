/** Prefixes of both IP versions: what is in them, and that the versions are never mistaken for each other. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AddressTable } from '../../src/wire/address-table.ts';
import { formatIpPrefix, isInPrefix, parseIpPrefix, parseIpPrefixOrAddress } from '../../src/wire/ip-prefix.ts';
import { parseIpv4Address } from '../../src/wire/ipv4-text.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';

const table = new AddressTable(100);
const isIn = (prefix: string, address: string): boolean => {
  const number = parseIpv4Address(address) ?? table.internWords(parseIpv6Address(address)!);
  return isInPrefix(parseIpPrefixOrAddress(prefix)!, number, table);
};

test.each([
  ['10.1.0.0/16', '10.1.2.3', true],
  ['10.1.0.0/16', '10.2.2.3', false],
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.3', '10.1.2.4', false],
  ['fd00::/8', 'fd99::1', true],
  ['fd00::/8', 'fe80::1', false],
  ['2001:db8:0:5::/63', '2001:db8:0:4::9', true],
  ['2001:db8:0:5::/63', '2001:db8:0:6::9', false],
  ['fd00::7', 'fd00::7', true],
  ['fd00::7', 'fd00::8', false],
  // A prefix of one version has nothing of the other in it, whatever numbers stand for the addresses.
  ['0.0.0.0/0', 'fd00::7', false],
  ['240.0.0.0/4', 'fd00::7', false],
  ['::/0', '10.1.2.3', false],
  ['0.0.0.0/0', '255.255.255.255', true],
])('%s has %s: %s', (prefix, address, expected) => {
  expect(isIn(prefix, address)).toBe(expected);
});

test('text that is no prefix', () => {
  for (const text of ['', '10.1.0.0/33', 'fd00::/129', 'fd00', 'x/8'])
    expect(parseIpPrefixOrAddress(text)).toBeUndefined();
  for (const text of ['10.1.0.0', 'fd00::']) expect(parseIpPrefix(text)).toBeUndefined();
});

test('text comes back', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV6(), fc.nat(32), fc.nat(128), (v4, v6, length4, length6) => {
      const four = `${v4}/${length4}`;
      expect(formatIpPrefix(parseIpPrefix(four)!)).toBe(four);
      const six = formatIpPrefix(parseIpPrefix(`${v6}/${length6}`)!);
      expect(formatIpPrefix(parseIpPrefix(six)!)).toBe(six);
    }),
  );
});
