/** UDP: RFC 768. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emitUdp, isUdpChecksumValid, parseUdp, UDP, UdpHeader, UdpParse } from '../../src/wire/udp.ts';
import { UDP_HELLO } from './captures.ts';
import { bytesOf, emitInside, hostileBytes, i32, L4_AT, parseBlind, place, tail, u16, viewOf } from './support.ts';

const LINUX = 0x0a090002;
const US = 0x0a090001;
const DATAGRAM = tail(UDP_HELLO, L4_AT);

test('parse inverts emit, and the checksum verifies', () => {
  const data = fc.uint8Array({ maxLength: 60 });
  fc.assert(
    fc.property(u16, u16, data, i32, i32, place, (srcPort, dstPort, payload, source, destination, at) => {
      const { view, end } = emitInside((v, p) => {
        bytesOf(v).set(payload, p + 8);
        return emitUdp(v, p, srcPort, dstPort, payload.length, source, destination);
      }, at);
      const out = new UdpHeader();
      expect(parseUdp(view, at, end, out)).toBe(UdpParse.Ok);
      expect(out).toMatchObject({ srcPort, dstPort, payloadAt: at + 8, payloadLength: payload.length });
      expect(isUdpChecksumValid(view, at, out, source, destination)).toBe(true);
      expect(out.checksum).not.toBe(0);
    }),
  );
});

test('a computed checksum of zero is sent as all ones (RFC 768)', () => {
  // Ports chosen so that the sum is 0xffff: 17 + 8 (pseudo-header) + 8 (length) + 0xffde.
  const { view } = emitInside((v, at) => emitUdp(v, at, 0xffde, 0, 0, 0, 0), 0);
  expect(view.getUint16(UDP.checksum)).toBe(0xffff);
});

test('reads a datagram from Linux, and emit reproduces it', () => {
  const out = new UdpHeader();
  expect(parseUdp(DATAGRAM, 0, DATAGRAM.byteLength, out)).toBe(UdpParse.Ok);
  expect(out.dstPort).toBe(53);
  expect(isUdpChecksumValid(DATAGRAM, 0, out, LINUX, US)).toBe(true);
  expect(isUdpChecksumValid(DATAGRAM, 0, out, LINUX, US + 1)).toBe(false);
  const copy = viewOf(bytesOf(DATAGRAM));
  emitUdp(copy, 0, out.srcPort, out.dstPort, out.payloadLength, LINUX, US);
  expect(bytesOf(copy)).toEqual(bytesOf(DATAGRAM));
});

test('a datagram without checksum passes (RFC 1122 4.1.3.4)', () => {
  const view = viewOf('0001000200080000');
  const out = new UdpHeader();
  expect(parseUdp(view, 0, 8, out)).toBe(UdpParse.Ok);
  expect(isUdpChecksumValid(view, 0, out, 1, 2)).toBe(true);
});

test.each<[string, string, keyof typeof UdpParse]>([
  ['7 bytes', '00010002000800', 'Short'],
  ['a length below 8', '0001000200070000', 'Length'],
  ['a length beyond the datagram', '0001000200090000', 'Length'],
])('refuses %s', (_what, hex, status) => {
  expect(parseUdp(viewOf(hex), 0, hex.length / 2, new UdpHeader())).toBe(UdpParse[status]);
});

test('any bytes: never a throw, never a look outside', () => {
  fc.assert(
    fc.property(hostileBytes([DATAGRAM], 40), bytes => {
      parseBlind(bytes, (view, at, end) => {
        const out = new UdpHeader();
        const status = parseUdp(view, at, end, out);
        const valid = status === UdpParse.Ok && isUdpChecksumValid(view, at, out, LINUX, US);
        return { status, valid, out: { ...out } };
      });
    }),
  );
});
