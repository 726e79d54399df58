/** IPv6 addresses as text: RFC 4291 2.2 is read, RFC 5952 is written; and what an address is by its bits. */
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ALL_NODES,
  commonPrefixLength,
  equalsIpv6,
  isLinkLocalWord,
  isLoopback,
  isMappedIpv4,
  isMulticastWord,
  isUnspecified,
  linkLocalOf,
  maskIpv6,
  scopeOf,
  solicitedNodeOf,
} from '../../src/wire/ipv6-address.ts';
import { formatIpv6, parseIpv6Address, parseIpv6Cidr } from '../../src/wire/ipv6-text.ts';
import { i32 } from './support.ts';

const of = (text: string): Int32Array => {
  const address = parseIpv6Address(text);
  expect(address, text).toBeDefined();
  return address!;
};
const canonical = (text: string): string => formatIpv6(of(text));
const address = fc.array(fc.oneof(i32, fc.constant(0)), { minLength: 4, maxLength: 4 }).map(w => Int32Array.from(w));

describe('text (RFC 4291 2.2, RFC 5952 4)', () => {
  test.each([
    // RFC 5952 4.1-4.3.
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::ABCD', '2001:db8::abcd'],
    // RFC 4291 2.2.
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['ff01:0:0:0:0:0:0:101', 'ff01::101'],
    ['::13.1.68.3', '::d01:4403'],
    ['::FFFF:129.144.52.38', '::ffff:129.144.52.38'],
    ['1::', '1::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is written %s', (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  test('any address comes back from its text', () => {
    fc.assert(
      fc.property(address, words => {
        const text = formatIpv6(words);
        expect(isIPv6(text)).toBe(true);
        expect(parseIpv6Address(text)).toEqual(words);
      }),
    );
  });

  test.each([
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '1::2::3',
    ':1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:',
    '12345::',
    'g::',
    '::1.2.3',
    '::1.2.3.256',
    '1.2.3.4::',
    '1:2:3:4:5:6:7:1.2.3.4',
    'fe80::1%nic0',
    ' ::1',
  ])('%j is no address', text => {
    expect(parseIpv6Address(text)).toBeUndefined();
  });

  test('whatever the text, Node agrees on what is an address', () => {
    const part = fc.constantFrom('', '0', '1', 'ffff', 'abc', '12345', '1.2.3.4', 'g');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), parts => {
        const text = parts.join(':');
        expect(parseIpv6Address(text) !== undefined, text).toBe(isIPv6(text));
      }),
      { numRuns: 2000 },
    );
  });

  test('prefixes (RFC 4291 2.3)', () => {
    expect(parseIpv6Cidr('fd00::1/64')).toEqual({ address: of('fd00::1'), prefixLength: 64 });
    expect(parseIpv6Cidr('::/0')?.prefixLength).toBe(0);
    expect(parseIpv6Cidr('::1/128')?.prefixLength).toBe(128);
    for (const text of ['fd00::1', 'fd00::1/129', 'fd00::1/', 'fd00::1/064', '10.0.0.1/24']) {
      expect(parseIpv6Cidr(text)).toBeUndefined();
    }
  });
});

describe('kinds of addresses (RFC 4291 2.4)', () => {
  test('by their bits', () => {
    expect(isUnspecified(of('::'), 0)).toBe(true);
    expect(isUnspecified(of('::1'), 0)).toBe(false);
    expect(isLoopback(of('::1'), 0)).toBe(true);
    expect(isLoopback(of('::2'), 0)).toBe(false);
    expect(isMulticastWord(of('ff02::1')[0]!)).toBe(true);
    expect(isMulticastWord(of('fe80::1')[0]!)).toBe(false);
    expect(isLinkLocalWord(of('febf::1')[0]!)).toBe(true);
    expect(isLinkLocalWord(of('fec0::1')[0]!)).toBe(false);
    expect(isMappedIpv4(of('::ffff:1.2.3.4'), 0)).toBe(true);
    expect(isMappedIpv4(of('::1.2.3.4'), 0)).toBe(false);
  });

  test('scopes of groups are what they say (RFC 7346 2), of others what RFC 6724 3.1 says', () => {
    expect(
      ['ff01::1', 'ff02::1', 'ff05::2', 'ff0e::1', 'fe80::1', '::1', 'fec0::1', 'fd00::1'].map(text =>
        scopeOf(of(text), 0),
      ),
    ).toEqual([1, 2, 5, 14, 2, 2, 5, 14]);
  });

  test('the solicited-node group has the last three bytes (RFC 4291 2.7.1)', () => {
    expect(formatIpv6(solicitedNodeOf(of('4037::01:800:200e:8c6c')[3]!))).toBe('ff02::1:ff0e:8c6c');
  });

  test('the link-local address has the modified EUI-64 of the MAC (RFC 2464 5, RFC 4291 appendix A)', () => {
    expect(formatIpv6(linkLocalOf(0x3456, 0x789abcde | 0))).toBe('fe80::3656:78ff:fe9a:bcde');
    expect(formatIpv6(linkLocalOf(0x0200, 2))).toBe('fe80::ff:fe00:2');
  });

  test('prefixes: what two addresses have in common is what masks keep (RFC 6724 2.2)', () => {
    fc.assert(
      fc.property(address, address, (a, b) => {
        const common = commonPrefixLength(a, 0, b, 0);
        const masked = (words: Int32Array, length: number): Int32Array => {
          const copy = words.slice();
          maskIpv6(copy, length);
          return copy;
        };
        expect(masked(a, common)).toEqual(masked(b, common));
        if (common < 128) expect(masked(a, common + 1)).not.toEqual(masked(b, common + 1));
        expect(equalsIpv6(a, 0, b, 0)).toBe(common === 128);
      }),
    );
    expect(commonPrefixLength(of('fd00::1'), 0, of('fd00::3'), 0)).toBe(126);
    expect(formatIpv6(ALL_NODES)).toBe('ff02::1');
  });
});
