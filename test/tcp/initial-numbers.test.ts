/** Initial sequence numbers and timestamp offsets (RFC 6528 3, RFC 7323 7.1). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressTable } from '../../src/wire/address-table.ts';
import { Prng } from '../../src/base/prng.ts';
import { InitialNumbers } from '../../src/tcp/initial-numbers.ts';
import type { Tcb } from '../../src/tcp/tcb.ts';

const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const port = fc.nat(0xffff);
const pair = fc.record({ localAddress: word, remoteAddress: word, localPort: port, remotePort: port });
const of = (fields: object): Tcb => fields as Tcb;

describe('the ISN (RFC 6528 3)', () => {
  test('of a pair goes on by 250 a tick, whatever the pair, the key and the time', () => {
    fc.assert(
      fc.property(word, pair, word, fc.nat(8_000_000), (seed, addresses, now, ticks) => {
        const numbers = new InitialNumbers(new Prng(seed), new AddressTable(4));
        const before = numbers.iss(of(addresses), now);
        const after = numbers.iss(of(addresses), (now + ticks) | 0);
        expect((after - before) | 0).toBe((ticks * 250) | 0);
      }),
    );
  });

  test('of one pair says nothing of that of another, nor of another host with other keys', () => {
    const numbers = new InitialNumbers(new Prng(1), new AddressTable(4));
    const base = { localAddress: 1, remoteAddress: 2, localPort: 3, remotePort: 4 };
    const others = [
      { ...base, localAddress: 9 },
      { ...base, remoteAddress: 9 },
      { ...base, localPort: 9 },
      { ...base, remotePort: 9 },
      { ...base, localPort: 4, remotePort: 3 },
    ];
    const all = [base, ...others].map(each => numbers.iss(of(each), 0));
    const elsewhere = new InitialNumbers(new Prng(2), new AddressTable(4)).iss(of(base), 0);
    expect(new Set([...all, elsewhere]).size).toBe(7);
    expect(new InitialNumbers(new Prng(1), new AddressTable(4)).iss(of(base), 0)).toBe(all[0]);
  });
});

describe('the timestamp clock (RFC 7323 7.1)', () => {
  test('is the same for all connections of two hosts, and another for other hosts', () => {
    const numbers = new InitialNumbers(new Prng(1), new AddressTable(4));
    const base = { localAddress: 1, remoteAddress: 2, localPort: 3, remotePort: 4 };
    expect(numbers.tsOffset(of({ ...base, localPort: 9, remotePort: 8 }))).toBe(numbers.tsOffset(of(base)));
    expect(numbers.tsOffset(of({ ...base, remoteAddress: 9 }))).not.toBe(numbers.tsOffset(of(base)));
  });
});

describe('over IPv6', () => {
  const A = Int32Array.of(0xfd000000, 0, 0, 1);
  const B = Int32Array.of(0xfd000000, 0, 0, 2);
  const C = Int32Array.of(0xfd000000, 0, 0, 3);

  test('numbers depend on the addresses, not on what they are called at the moment', () => {
    const table = new AddressTable(4);
    const numbers = new InitialNumbers(new Prng(1), table);
    const all = (): number[] => {
      const tcb = of({
        localAddress: table.internWords(A),
        remoteAddress: table.internWords(B),
        localPort: 3,
        remotePort: 4,
      });
      const made = [numbers.iss(tcb, 0), numbers.tsOffset(tcb), numbers.flowLabel(tcb)];
      table.release(tcb.localAddress);
      table.release(tcb.remoteAddress);
      return made;
    };
    const first = all();
    // Another address takes the place of one of them.
    const other = table.internWords(C);
    expect(all()).toEqual(first);
    table.release(other);
  });

  test('a flow label has 20 bits, is not 0, and is another for another connection (RFC 6437 3)', () => {
    const numbers = new InitialNumbers(new Prng(1), new AddressTable(4));
    const labels = Array.from({ length: 1000 }, (_, localPort) =>
      numbers.flowLabel(of({ localAddress: 1, remoteAddress: 2, localPort, remotePort: 80 })),
    );
    expect(labels.every(label => label > 0 && label <= 0xfffff)).toBe(true);
    expect(new Set(labels).size).toBeGreaterThan(990);
  });
});
