/** IPv6 addresses by number: interned with references, bounded, apart from every IPv4 address (RFC 1112 4). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressTable, isIpv6 } from '../../src/wire/address-table.ts';
import { pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { isSingleHost } from '../../src/wire/ipv4.ts';
import { pseudoHeaderSumAt } from '../../src/wire/ipv6.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { i32, sharedView, u16, u8 } from './support.ts';

const A = parseIpv6Address('fd00::1')!;
const B = parseIpv6Address('fd00::2')!;
const words = fc.array(i32, { minLength: 4, maxLength: 4 }).map(list => Int32Array.from(list));

test('a number is one of no IPv4 host, and the broadcast address is no number', () => {
  const table = new AddressTable(1000);
  for (let i = 0; i < 1000; i++) {
    const number = table.internWords(Int32Array.of(0xfd000000, 0, 0, i));
    expect(isIpv6(number)).toBe(true);
    expect(isSingleHost(number)).toBe(false);
    expect(number | 0).toBe(number);
  }
  for (const ipv4 of [0, -1, 0x0a000001, 0xe0000001 | 0, 0x7f000001]) expect(isIpv6(ipv4)).toBe(false);
});

test('looking up finds what somebody holds, and leaves no trace of what nobody does', () => {
  const table = new AddressTable(4);
  expect(table.findWords(A)).toBe(0);
  expect(table.inUse).toBe(0);
  const a = table.internWords(A);
  expect(table.findWords(A)).toBe(a);
  expect(table.internWords(A)).toBe(a);
  table.release(a);
  expect(table.findWords(A)).toBe(a);
  table.release(a);
  expect(table.findWords(A)).toBe(0);
  expect(() => table.release(a)).toThrow();
  expect(() => table.retain(a)).toThrow();
});

test('full, it takes no more; what is given back serves again', () => {
  const table = new AddressTable(2);
  const a = table.internWords(A);
  table.internWords(B);
  const c = Int32Array.of(1, 2, 3, 4);
  expect(table.internWords(c)).toBe(0);
  expect(table.internWords(A)).toBe(a);
  table.release(a);
  table.release(a);
  expect(table.internWords(c)).not.toBe(0);
  expect(table.findWords(A)).toBe(0);
});

test('both families may be passed to retain and release', () => {
  const table = new AddressTable(2);
  table.retain(0x0a000001);
  table.release(0x0a000001);
  table.release(-1);
  expect(table.inUse).toBe(0);
});

describe('any calls', () => {
  test('agree with a map of counters', () => {
    const call = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), calls => {
        const table = new AddressTable(40);
        const model = new Map<number, { number: number; references: number }>();
        for (const [key, isIntern] of calls) {
          // Few buckets, long chains.
          const address = Int32Array.of(0xfd000000, key & 1, 0, key);
          const known = model.get(key);
          expect(table.findWords(address)).toBe(known?.number ?? 0);
          if (isIntern) {
            const number = table.internWords(address);
            if (known !== undefined) known.references++;
            else if (model.size === 40) expect(number).toBe(0);
            else model.set(key, { number, references: 1 });
            expect(table.findWords(address)).toBe(model.get(key)?.number ?? 0);
          } else if (known !== undefined) {
            table.release(known.number);
            if (--known.references === 0) model.delete(key);
          }
          expect(table.inUse).toBe(model.size);
        }
        for (const [key, { number }] of model) {
          expect([...table.words.subarray(table.indexOf(number), table.indexOf(number) + 4)]).toEqual([
            0xfd000000 | 0,
            key & 1,
            0,
            key,
          ]);
        }
      }),
    );
  });
});

test('it knows the pseudo-headers of both families, and writes addresses as they came', () => {
  fc.assert(
    fc.property(words, words, u8, u16, (source, destination, protocol, length) => {
      const table = new AddressTable(2);
      const view = sharedView(40);
      const from = table.internWords(source);
      const to = table.internWords(destination);
      table.emit(view, 8, from);
      table.emit(view, 24, to);
      expect(table.find(view, 8)).toBe(from);
      expect(table.intern(view, 24)).toBe(to);
      // 0 and 0xffff are the same number in ones' complement.
      expect(table.pseudoHeaderSum(from, to, protocol, length) % 0xffff).toBe(
        pseudoHeaderSumAt(view, 0, protocol, length) % 0xffff,
      );
      expect(table.pseudoHeaderSum(0x0a000001, 0x0a000002, protocol, length)).toBe(
        pseudoHeaderSum(0x0a000001, 0x0a000002, protocol, length),
      );
    }),
  );
});

test('text of either family', () => {
  const table = new AddressTable(2);
  expect(table.format(table.internWords(A))).toBe('fd00::1');
  expect(table.format(0x0a000001)).toBe('10.0.0.1');
});
