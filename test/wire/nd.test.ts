/** Neighbor discovery messages: RFC 4861 4, with the validity checks of 6.1, 7.1 and 8.1. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Icmpv6Type } from '../../src/wire/icmpv6.ts';
import { formatIpv6, parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import {
  emitNeighborAdvertisement,
  emitNeighborSolicitation,
  emitRouterSolicitation,
  hasSourceMac,
  hasTargetMac,
  NaFlag,
  ND_PREFIXES_MAX,
  NdMessage,
  parseNd,
  PREFIX,
  preferenceOf,
  PrefixFlag,
} from '../../src/wire/nd.ts';
import { ADVERTISEMENT, DAD_SOLICITATION, ROUTER_SOLICITATION, SOLICITATION } from './captures-ipv6.ts';
import { bytesOf, emitInside, hostileBytes, i32, parseBlind, place, tail, u16, viewOf } from './support.ts';

const BODY_AT = 14 + 40;
const MESSAGES = [DAD_SOLICITATION, ROUTER_SOLICITATION, SOLICITATION, ADVERTISEMENT].map(f => tail(f, BODY_AT));
const TARGET = parseIpv6Address('fd00::2')!;

function parse(view: DataView, at = 0, end = view.byteLength): NdMessage | null {
  const message = new NdMessage();
  return parseNd(view, at, end, message) ? message : null;
}

function addressAt(view: DataView, at: number): string {
  return formatIpv6(Int32Array.from({ length: 4 }, (_, i) => view.getInt32(at + 4 * i)));
}

const hexOf = (text: string): string =>
  Buffer.from(Int32Array.from(parseIpv6Address(text)!, w => w).buffer)
    .swap32()
    .toString('hex');
const prefix = (text: string, length: number, flags = 0xc0): string =>
  `0304${length.toString(16).padStart(2, '0')}${flags.toString(16).padStart(2, '0')}00278d0000093a8000000000${hexOf(text)}`;
const ROUTER = `86000000 40000708 00007530 000003e8`;

describe('messages of Linux', () => {
  test('duplicate address detection has a nonce, which is skipped', () => {
    const message = parse(MESSAGES[0]!)!;
    expect(message.type).toBe(Icmpv6Type.NeighborSolicitation);
    expect(addressAt(MESSAGES[0]!, message.targetAt)).toBe('fd00::2');
    expect(hasSourceMac(message)).toBe(false);
  });

  test('router solicitation', () => {
    const message = parse(MESSAGES[1]!)!;
    expect(message).toMatchObject({ type: Icmpv6Type.RouterSolicitation, sourceMacHi: 0x0200, sourceMacLo: 2 });
  });

  test('solicitation and its answer', () => {
    expect(parse(MESSAGES[2]!)).toMatchObject({ type: Icmpv6Type.NeighborSolicitation, sourceMacHi: 0x0200 });
    const answer = parse(MESSAGES[3]!)!;
    expect(answer.flags).toBe(NaFlag.Solicited);
    expect(hasTargetMac(answer)).toBe(false);
  });

  test('emit writes the same bytes, but for the checksum', () => {
    const without = (view: DataView, from: number, to: number): string => {
      const bytes = bytesOf(view).slice(from, to);
      bytes.fill(0, 2, 4);
      return Buffer.from(bytes).toString('hex');
    };
    const same = (emit: (view: DataView, at: number) => number, expected: DataView): void => {
      const { view, end } = emitInside(emit, 5);
      expect(without(view, 5, end)).toBe(without(expected, 0, expected.byteLength));
    };
    const peer = parseIpv6Address('fd00::1')!;
    same((v, at) => emitRouterSolicitation(v, at, 0x0200, 2), MESSAGES[1]!);
    same((v, at) => emitNeighborSolicitation(v, at, peer, 0, 0x0200, 2), MESSAGES[2]!);
    same((v, at) => emitNeighborAdvertisement(v, at, NaFlag.Solicited, TARGET, 0, -1, 0), MESSAGES[3]!);
  });
});

test('solicitations and advertisements: parse inverts emit (RFC 4861 4.3, 4.4)', () => {
  const flags = fc.subarray(Object.values(NaFlag)).map(list => list.reduce((a, b) => a | b, 0));
  fc.assert(
    fc.property(u16, i32, flags, fc.boolean(), place, (hi, lo, flag, withMac, at) => {
      const macHi = withMac ? hi : -1;
      const mac = withMac ? { hi, lo } : { hi: -1, lo: -1 };
      const solicitation = emitInside((v, p) => emitNeighborSolicitation(v, p, TARGET, 0, macHi, lo), at);
      const asked = parse(solicitation.view, at, solicitation.end)!;
      expect(addressAt(solicitation.view, asked.targetAt)).toBe('fd00::2');
      expect(asked).toMatchObject({ sourceMacHi: mac.hi, sourceMacLo: mac.lo, targetMacHi: -1, flags: 0 });
      const answer = emitInside((v, p) => emitNeighborAdvertisement(v, p, flag, TARGET, 0, macHi, lo), at);
      const told = parse(answer.view, at, answer.end)!;
      expect(told).toMatchObject({ targetMacHi: mac.hi, targetMacLo: mac.lo, sourceMacHi: -1, flags: flag });
    }),
  );
});

describe('router advertisement (RFC 4861 4.2, 4.6)', () => {
  test('what it says of the link, its router and its prefixes', () => {
    const view = viewOf(
      `${ROUTER} 0101020000000009 05010000000005dc ${prefix('fd00::', 64)} ${prefix('fd01::', 48, 0x80)}`,
    );
    const message = parse(view)!;
    expect(message).toMatchObject({
      curHopLimit: 64,
      routerLifetime: 1800,
      reachableTime: 30000,
      retransTimer: 1000,
      sourceMacHi: 0x0200,
      sourceMacLo: 9,
      mtu: 1500,
      prefixCount: 2,
    });
    const [first, second] = message.prefixAt;
    expect(addressAt(view, first! + PREFIX.address)).toBe('fd00::');
    expect(view.getUint8(first! + PREFIX.length)).toBe(64);
    expect(view.getUint8(first! + PREFIX.flags)).toBe(PrefixFlag.OnLink | PrefixFlag.Autonomous);
    expect(view.getUint32(first! + PREFIX.validLifetime)).toBe(2592000);
    expect(view.getUint32(first! + PREFIX.preferredLifetime)).toBe(604800);
    expect(view.getUint8(second! + PREFIX.flags)).toBe(PrefixFlag.OnLink);
  });

  test('preferences and routes (RFC 4191 2)', () => {
    const route = (hex: string): number => parse(viewOf(ROUTER + hex))!.routeCount;
    expect([0x00, 0x08, 0x10, 0x18].map(preferenceOf)).toEqual([0, 1, undefined, -1]);
    const preferred = viewOf(ROUTER);
    preferred.setUint8(5, 0x08);
    expect(parse(preferred)!.preference).toBe(1);
    expect(route('1801000000000e10')).toBe(1);
    expect(route(`18024018 00000e10 2001 0db8 0000 0001`)).toBe(1);
    expect(route(`18024010 00000e10 2001 0db8 0000 0001`)).toBe(0);
    expect(route(`18024100 00000e10 2001 0db8 0000 0001`)).toBe(0);
    expect(route(`18038100 00000e10 ${'00'.repeat(16)}`)).toBe(0);
  });

  test('of more prefixes than there is room for the first count', () => {
    const many = Array.from({ length: ND_PREFIXES_MAX + 1 }, (_, i) => prefix(`fd${10 + i}::`, 64));
    expect(parse(viewOf(ROUTER + many.join('')))!.prefixCount).toBe(ND_PREFIXES_MAX);
  });

  test('what an earlier message said is forgotten', () => {
    const message = new NdMessage();
    const full = viewOf(`${ROUTER} 0101020000000009 05010000000005dc ${prefix('fd00::', 64)}`);
    expect(parseNd(full, 0, full.byteLength, message)).toBe(true);
    const bare = viewOf('8600000000000000 0000000000000000');
    expect(parseNd(bare, 0, bare.byteLength, message)).toBe(true);
    expect(message).toMatchObject({ curHopLimit: 0, routerLifetime: 0, mtu: 0, prefixCount: 0, sourceMacHi: -1 });
  });
});

describe('redirect (RFC 4861 4.5, 8.1)', () => {
  const redirect = (target: string, destination: string): NdMessage | null =>
    parse(viewOf(`8900000000000000 ${hexOf(target)} ${hexOf(destination)} 0201020000000009`));

  test('to another router, or to the destination itself', () => {
    expect(redirect('fe80::9', 'fd00::2')).toMatchObject({ targetAt: 8, destinationAt: 24, targetMacLo: 9 });
    expect(redirect('fd00::2', 'fd00::2')).not.toBeNull();
  });

  test('to anything else, or of a group, it is none', () => {
    expect(redirect('fd00::9', 'fd00::2')).toBeNull();
    expect(redirect('fe80::9', 'ff02::2')).toBeNull();
    expect(redirect('ff02::9', 'fd00::2')).toBeNull();
  });
});

describe('is dropped', () => {
  const solicitation = `8700000000000000 ${hexOf('fd00::2')}`;
  test.each([
    ['a code other than 0', solicitation.replace('8700', '8701')],
    ['a message cut off', solicitation.slice(0, -2)],
    ['a group as target', `8700000000000000 ${hexOf('ff02::2')}`],
    ['an option of length 0', `${solicitation} 0100020000000002`],
    ['an option longer than the message', `${solicitation} 0102020000000002`],
    ['half an option', `${solicitation} 01010200`],
    ['more options than a message has', solicitation + 'fe01000000000000'.repeat(65)],
    ['another type', '8a00000000000000'],
  ])('%s', (_what, hex) => {
    expect(parse(viewOf(hex))).toBeNull();
  });

  test('an option that nobody knows is not a reason', () => {
    expect(parse(viewOf(`${solicitation} fe01000000000000 0101020000000002`))).toMatchObject({ sourceMacLo: 2 });
  });
});

test('any bytes: never a throw, never a look outside', () => {
  const router = viewOf(`${ROUTER} 0101020000000009 05010000000005dc ${prefix('fd00::', 64)}`);
  fc.assert(
    fc.property(hostileBytes([...MESSAGES, router], 120), bytes => {
      if (bytes.length < 8) return;
      parseBlind(bytes, (view, at, end) => {
        const out = new NdMessage();
        const ok = parseNd(view, at, end, out);
        return ok ? { ...out, targetAt: out.targetAt - at, prefixAt: [...out.prefixAt] } : ok;
      });
    }),
  );
});
