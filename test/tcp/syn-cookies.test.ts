/** SYN cookies (RFC 4987 3.6): what a cookie carries comes back, and nothing else passes for one. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressTable } from '../../src/wire/address-table.ts';
import { Prng } from '../../src/base/prng.ts';
import { cookieTick, forgetOptions, SynCookies } from '../../src/tcp/syn-cookies.ts';
import type { Tcb } from '../../src/tcp/tcb.ts';
import { TcpFlag, TcpHeader } from '../../src/wire/tcp.ts';

const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const port = fc.nat(0xffff);
const pair = fc.record({ localAddress: word, remoteAddress: word, localPort: port, remotePort: port });
const of = (fields: object): Tcb => fields as Tcb;
const SETUP = TcpFlag.Ece | TcpFlag.Cwr;

const syns = fc.record({
  segSeq: word,
  mss: fc.oneof(fc.constant(-1), fc.integer({ min: 1, max: 65_535 })),
  windowScale: fc.integer({ min: -1, max: 14 }),
  sackPermitted: fc.boolean(),
  flags: fc.constantFrom(TcpFlag.Syn, TcpFlag.Syn | SETUP),
  hasTimestamp: fc.boolean(),
  tsVal: word,
});

const segment = (fields: Partial<TcpHeader>): TcpHeader => Object.assign(new TcpHeader(), fields);

/** The ACK that answers a cookie: the peer echoes what it was stamped with. */
function ackOf(syn: TcpHeader, cookie: number, tsEcr: number): TcpHeader {
  return segment({
    flags: TcpFlag.Ack,
    segSeq: (syn.segSeq + 1) | 0,
    segAck: (cookie + 1) | 0,
    hasTimestamp: syn.hasTimestamp,
    tsVal: (syn.tsVal + 5) | 0,
    tsEcr,
  });
}

const largestClass = (mss: number): number => [1460, 1440, 1300].find(each => each <= mss) ?? 536;

describe('a cookie', () => {
  test('brings back what the peer offered, as far as it fits (RFC 4987 3.6)', () => {
    fc.assert(
      fc.property(word, pair, syns, word, fc.nat(60_000), word, (seed, addresses, fields, now, delay, offset) => {
        const cookies = new SynCookies(new Prng(seed), new AddressTable(4));
        const syn = segment(fields);
        if (!syn.hasTimestamp) forgetOptions(syn);
        const cookie = cookies.make(of(addresses), syn, now);
        const ack = ackOf(syn, cookie, (cookieTick(syn, now) + offset) | 0);
        expect(cookies.check(of(addresses), ack, offset, (now + delay) | 0)).toBe(true);
        const { segSeq, mss, windowScale, sackPermitted, flags, hasTimestamp } = cookies.syn;
        expect({ segSeq, mss, windowScale, sackPermitted, flags, hasTimestamp }).toEqual({
          segSeq: syn.segSeq,
          mss: largestClass(syn.mss),
          windowScale: syn.windowScale,
          sackPermitted: syn.sackPermitted,
          flags: syn.flags,
          hasTimestamp: syn.hasTimestamp,
        });
      }),
    );
  });

  test('is stamped with a tick that is not in the future, and less than 128 ms old', () => {
    fc.assert(
      fc.property(syns, word, (fields, now) => {
        const age = (now - cookieTick(segment(fields), now)) | 0;
        expect(age).toBeGreaterThanOrEqual(0);
        expect(age).toBeLessThan(128);
      }),
    );
  });

  test('without timestamps gives up scaling, SACK and ECN', () => {
    const syn = segment({ flags: TcpFlag.Syn | SETUP, windowScale: 7, sackPermitted: true, mss: 1460 });
    forgetOptions(syn);
    expect(syn).toMatchObject({ flags: TcpFlag.Syn, windowScale: -1, sackPermitted: false, mss: 1460 });
  });

  test('is good in its minute and the next, not in the third', () => {
    const cookies = new SynCookies(new Prng(3), new AddressTable(4));
    const addresses = of({ localAddress: 1, remoteAddress: 2, localPort: 3, remotePort: 4 });
    const syn = segment({ segSeq: 77, mss: 1460, flags: TcpFlag.Syn });
    const ack = ackOf(syn, cookies.make(addresses, syn, 1 << 16), 0);
    const isGoodAt = (now: number): boolean => cookies.check(addresses, ack, 0, now);
    expect([1 << 16, (3 << 16) - 1, 3 << 16, (1 << 16) - 1].map(isGoodAt)).toEqual([true, true, false, false]);
  });
});

describe('what is no cookie is refused', () => {
  const cookies = new SynCookies(new Prng(4), new AddressTable(4));
  const base = { localAddress: 1, remoteAddress: 2, localPort: 3, remotePort: 4 };
  const syn = segment({ segSeq: 77, mss: 1460, flags: TcpFlag.Syn });
  const cookie = cookies.make(of(base), syn, 1000);

  test.each([
    ['of another address', { ...base, remoteAddress: 9 }],
    ['of another host of ours', { ...base, localAddress: 9 }],
    ['of another port', { ...base, remotePort: 9 }],
    ['to another port of ours', { ...base, localPort: 9 }],
  ])('that %s', (_what, addresses) => {
    expect(cookies.check(of(addresses), ackOf(syn, cookie, 0), 0, 1000)).toBe(false);
  });

  test('that for another SYN, and that of another host', () => {
    const other = segment({ ...syn, segSeq: 5000 });
    expect(cookies.check(of(base), ackOf(other, cookie, 0), 0, 1000)).toBe(false);
    expect(new SynCookies(new Prng(5), new AddressTable(4)).check(of(base), ackOf(syn, cookie, 0), 0, 1000)).toBe(
      false,
    );
  });

  test('a number that was guessed: four in 2^24 would do, in each of two minutes', () => {
    const prng = new Prng(6);
    let passed = 0;
    for (let i = 0; i < 20_000; i++) {
      const guess = segment({ flags: TcpFlag.Ack, segSeq: prng.int32(), segAck: prng.int32() });
      if (cookies.check(of(base), guess, 0, 2 << 16)) passed++;
    }
    expect(passed).toBe(0);
  });
});
