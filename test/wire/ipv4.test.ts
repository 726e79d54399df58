/** IPv4 headers: RFC 791, the checks of RFC 1122 3.2.1, TTL update by RFC 1624, and addresses as text. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checksumOf, onesComplementSum } from '../../src/wire/checksum.ts';
import {
  decrementTtl,
  emitIpv4,
  IPV4,
  Ipv4Fragment,
  Ipv4Header,
  Ipv4Parse,
  isFragment,
  isLoopbackAddress,
  isMulticastAddress,
  isSingleHost,
  parseIpv4,
  parseQuotedIpv4,
  prefixMask,
} from '../../src/wire/ipv4.ts';
import { formatCidr, formatIpv4, parseCidr, parseIpv4Address } from '../../src/wire/ipv4-text.ts';
import { ACK, IPV4_FRAMES, LAST_FRAGMENT, SYN } from './captures.ts';
import { bytesOf, emitInside, hostileBytes, i32, IP_AT, parseBlind, place, tail, u16, u8, viewOf } from './support.ts';

const DATAGRAMS = IPV4_FRAMES.map(frame => tail(frame, IP_AT));

function parse(view: DataView, at = 0, end = view.byteLength): { status: Ipv4Parse; header: Ipv4Header } {
  const header = new Ipv4Header();
  return { status: parseIpv4(view, at, end, header), header };
}

/** A datagram with its first bytes changed and, unless told otherwise, the checksum repaired. */
function edited(change: (view: DataView) => void, repair = true): DataView {
  const view = viewOf(bytesOf(tail(SYN, IP_AT)));
  change(view);
  if (repair) {
    view.setUint16(IPV4.checksum, 0);
    const length = (view.getUint8(0) & 15) * 4;
    view.setUint16(IPV4.checksum, checksumOf(onesComplementSum(view, 0, Math.min(length, view.byteLength), 0)));
  }
  return view;
}

describe('parse', () => {
  test('inverts emit', () => {
    const fields = fc.record({
      tos: u8,
      payloadLength: fc.integer({ min: 0, max: 100 }),
      identification: u16,
      df: fc.boolean(),
      mf: fc.boolean(),
      fragmentOffset: fc.integer({ min: 0, max: 0x1fff }),
      ttl: u8,
      protocol: u8,
      source: i32,
      destination: i32,
    });
    fc.assert(
      fc.property(fields, place, ({ payloadLength, ...f }, at) => {
        const fragment = (f.df ? Ipv4Fragment.Df : 0) | (f.mf ? Ipv4Fragment.Mf : 0) | f.fragmentOffset;
        const total = 20 + payloadLength;
        const { view } = emitInside(
          (v, p) =>
            emitIpv4(v, p, f.tos, total, f.identification, fragment, f.ttl, f.protocol, f.source, f.destination),
          at,
        );
        const { status, header } = parse(view, at, at + total + 6);
        expect(status).toBe(Ipv4Parse.Ok);
        const places = { headerLength: 20, totalLength: total, payloadAt: at + 20, payloadEnd: at + total };
        expect({ ...header }).toEqual({ ...f, ...places, hasOptions: false });
      }),
    );
  });

  test('accepts the headers of real senders, and emit reproduces them', () => {
    for (const datagram of DATAGRAMS) {
      const { status, header: h } = parse(datagram);
      expect(status).toBe(Ipv4Parse.Ok);
      expect(h.payloadEnd).toBe(datagram.byteLength);
      const fragment = (h.df ? Ipv4Fragment.Df : 0) | (h.mf ? Ipv4Fragment.Mf : 0) | h.fragmentOffset;
      const { view } = emitInside(
        (v, at) =>
          emitIpv4(v, at, h.tos, h.totalLength, h.identification, fragment, h.ttl, h.protocol, h.source, h.destination),
        0,
      );
      expect(bytesOf(view).slice(0, 20)).toEqual(bytesOf(datagram).slice(0, 20));
    }
  });

  test('knows the well-known example header', () => {
    const view = viewOf(`45000073000040004011b861c0a80001c0a800c7${'00'.repeat(0x5f)}`);
    const { status, header } = parse(view);
    expect(status).toBe(Ipv4Parse.Ok);
    expect(formatIpv4(header.source)).toBe('192.168.0.1');
    expect(formatIpv4(header.destination)).toBe('192.168.0.199');
    expect(header.df).toBe(true);
    view.setUint16(IPV4.checksum, 0xb862);
    expect(parse(view).status).toBe(Ipv4Parse.Checksum);
  });

  test('tells a fragment', () => {
    const { header } = parse(LAST_FRAGMENT, IP_AT);
    expect(header.fragmentOffset).toBe(185);
    expect(isFragment(header)).toBe(true);
    expect(isFragment(parse(ACK, IP_AT).header)).toBe(false);
  });

  test('leaves Ethernet padding out of the payload', () => {
    const padded = viewOf(Uint8Array.from([...bytesOf(tail(ACK, IP_AT)), 0, 0, 0, 0]));
    expect(parse(padded).header.payloadEnd).toBe(padded.byteLength - 4);
  });

  test('skips options but says so', () => {
    const view = edited(v => v.setUint8(0, 0x46));
    const { status, header } = parse(view);
    expect(status).toBe(Ipv4Parse.Ok);
    expect(header.hasOptions).toBe(true);
    expect(header.payloadAt).toBe(24);
  });

  test.each<[string, keyof typeof Ipv4Parse, DataView]>([
    ['nothing', 'Short', viewOf('')],
    ['19 bytes', 'Short', viewOf(bytesOf(tail(SYN, IP_AT)).slice(0, 19))],
    ['version 6', 'Version', edited(v => v.setUint8(0, 0x65))],
    ['header length 4', 'HeaderLength', edited(v => v.setUint8(0, 0x44))],
    ['a header longer than the frame', 'HeaderLength', viewOf('4f'.padEnd(80, '0'))],
    ['total length below the header', 'TotalLength', edited(v => v.setUint16(2, 19))],
    ['total length beyond the frame', 'TotalLength', edited(v => v.setUint16(2, 61))],
    ['a wrong checksum', 'Checksum', edited(v => v.setUint8(8, 63), false)],
    ['a wrong byte in an option', 'Checksum', edited(v => v.setUint8(0, 0x46), false)],
  ])('refuses %s: %s', (_what, status, view) => {
    expect(parse(view).status).toBe(Ipv4Parse[status]);
  });

  test('any bytes: never a throw, never a look outside, payload within the bytes', () => {
    fc.assert(
      fc.property(hostileBytes(DATAGRAMS, 80), bytes => {
        for (const parser of [parseIpv4, parseQuotedIpv4]) {
          parseBlind(bytes, (view, at, end) => {
            const out = new Ipv4Header();
            const status = parser(view, at, end, out);
            if (status === Ipv4Parse.Ok) {
              expect(out.payloadAt).toBeGreaterThanOrEqual(at + 20);
              expect(out.payloadEnd).toBeGreaterThanOrEqual(out.payloadAt);
              expect(out.payloadEnd).toBeLessThanOrEqual(end);
            }
            return { status, out: { ...out } };
          });
        }
      }),
    );
  });

  test('a quotation may be cut off and its checksum stale', () => {
    const view = edited(v => v.setUint8(IPV4.ttl, 1), false);
    const header = new Ipv4Header();
    expect(parseQuotedIpv4(view, 0, 28, header)).toBe(Ipv4Parse.Ok);
    expect([header.payloadAt, header.payloadEnd, header.totalLength]).toEqual([20, 28, 60]);
    const refused: [number, number, number][] = [
      [0x46, 23, Ipv4Parse.HeaderLength],
      [0, 19, Ipv4Parse.Short],
      [0x65, 28, Ipv4Parse.Version],
      [0x44, 28, Ipv4Parse.HeaderLength],
      [0x4f, 28, Ipv4Parse.HeaderLength],
      [0x45, 28, Ipv4Parse.TotalLength],
    ];
    view.setUint16(IPV4.totalLength, 19);
    for (const [firstByte, end, status] of refused) {
      view.setUint8(0, firstByte);
      expect(parseQuotedIpv4(view, 0, end, header)).toBe(status);
    }
  });
});

describe('TTL', () => {
  test('decrement equals a header emitted with the lower TTL (RFC 1624)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 255 }), u16, u8, i32, i32, (ttl, id, protocol, source, destination) => {
        const emit = (hops: number): DataView =>
          emitInside((v, at) => emitIpv4(v, at, 0, 20, id, 0, hops, protocol, source, destination), 0).view;
        const view = emit(ttl);
        expect(decrementTtl(view, 0)).toBe(ttl - 1);
        expect(bytesOf(view)).toEqual(bytesOf(emit(ttl - 1)));
      }),
    );
  });

  test.each([0, 1])('a datagram with TTL %i goes no further and stays as it was (RFC 1812 5.3.1)', ttl => {
    const { view } = emitInside((v, at) => emitIpv4(v, at, 0, 20, 1, 0, ttl, 6, 1, 2), 0);
    const before = bytesOf(view).slice();
    expect(decrementTtl(view, 0)).toBe(0);
    expect(bytesOf(view)).toEqual(before);
  });
});

describe('addresses', () => {
  const address = (text: string): number => parseIpv4Address(text) ?? NaN;

  test('text and numbers are inverse', () => {
    fc.assert(
      fc.property(i32, a => {
        expect(parseIpv4Address(formatIpv4(a))).toBe(a);
      }),
    );
    expect(address('255.255.255.255')).toBe(-1);
  });

  test.each(['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.-4', ' 1.2.3.4', '1.2.3.4/8', 'a.b.c.d'])(
    'refuses the address %j',
    text => expect(parseIpv4Address(text)).toBeUndefined(),
  );

  test('a prefix keeps the host bits and knows mask and broadcast', () => {
    expect(parseCidr('10.0.0.1/24')).toEqual({
      address: address('10.0.0.1'),
      prefixLength: 24,
      mask: address('255.255.255.0'),
      broadcast: address('10.0.0.255'),
    });
    expect(parseCidr('0.0.0.0/0')).toEqual({ address: 0, prefixLength: 0, mask: 0, broadcast: -1 });
    expect(parseCidr('10.0.0.2/31')?.broadcast).toBe(address('10.0.0.2')); // RFC 3021
    expect(parseCidr('10.0.0.2/32')?.mask).toBe(-1);
    expect(formatCidr(address('10.0.0.1'), 24)).toBe('10.0.0.1/24');
    expect(prefixMask(1)).toBe(address('128.0.0.0'));
  });

  test.each(['10.0.0.1', '10.0.0.1/', '10.0.0.1/33', '10.0.0.1/08', '10.0.0/8', '10.0.0.1/8/9', '/8'])(
    'refuses the prefix %j',
    text => expect(parseCidr(text)).toBeUndefined(),
  );

  test('classes (RFC 1122 3.2.1.3)', () => {
    expect(isMulticastAddress(address('224.0.0.1'))).toBe(true);
    expect(isMulticastAddress(address('240.0.0.1'))).toBe(false);
    expect(isLoopbackAddress(address('127.1.2.3'))).toBe(true);
    for (const text of ['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255']) {
      expect(isSingleHost(address(text))).toBe(false);
    }
    for (const text of ['1.0.0.1', '10.0.0.1', '128.0.0.1', '223.255.255.254']) {
      expect(isSingleHost(address(text))).toBe(true);
    }
  });
});
