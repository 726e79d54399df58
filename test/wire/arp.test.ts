/** ARP packets: RFC 826 and the special forms of RFC 5227. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ARP,
  ArpOperation,
  ArpPacket,
  emitArp,
  emitArpAnnouncement,
  emitArpProbe,
  isGratuitousArp,
  parseArp,
} from '../../src/wire/arp.ts';
import { formatIpv4 } from '../../src/wire/ipv4-text.ts';
import { ARP_REQUEST } from './captures.ts';
import { emitInside, hostileBytes, i32, IP_AT, parseBlind, place, tail, u16, viewOf } from './support.ts';

const PACKET = tail(ARP_REQUEST, IP_AT);

test('parse inverts emit', () => {
  const packet = fc.record({
    operation: u16,
    senderMacHi: u16,
    senderMacLo: i32,
    senderAddress: i32,
    targetMacHi: u16,
    targetMacLo: i32,
    targetAddress: i32,
  });
  fc.assert(
    fc.property(packet, place, (p, at) => {
      const { view, end } = emitInside(
        (v, q) =>
          emitArp(
            v,
            q,
            p.operation,
            p.senderMacHi,
            p.senderMacLo,
            p.senderAddress,
            p.targetMacHi,
            p.targetMacLo,
            p.targetAddress,
          ),
        at,
      );
      const out = new ArpPacket();
      expect(parseArp(view, at, end, out)).toBe(true);
      expect({ ...out }).toEqual(p);
    }),
  );
});

test('reads a request from Linux', () => {
  const out = new ArpPacket();
  expect(parseArp(ARP_REQUEST, IP_AT, ARP_REQUEST.byteLength, out)).toBe(true);
  expect(out.operation).toBe(ArpOperation.Request);
  expect(formatIpv4(out.senderAddress)).toBe('10.9.0.2');
  expect(formatIpv4(out.targetAddress)).toBe('10.9.0.1');
  expect(isGratuitousArp(out)).toBe(false);
});

describe('special forms', () => {
  test('an announcement is a request whose sender and target address are the same (RFC 5227 2.3)', () => {
    const { view, end } = emitInside((v, at) => emitArpAnnouncement(v, at, 0x0200, 7, 0x0a090001), 0);
    const out = new ArpPacket();
    expect(parseArp(view, 0, end, out)).toBe(true);
    expect({ ...out }).toEqual({
      operation: ArpOperation.Request,
      senderMacHi: 0x0200,
      senderMacLo: 7,
      senderAddress: 0x0a090001,
      targetMacHi: 0,
      targetMacLo: 0,
      targetAddress: 0x0a090001,
    });
    expect(isGratuitousArp(out)).toBe(true);
  });

  test('a probe has no sender address (RFC 5227 2.1.1)', () => {
    const { view, end } = emitInside((v, at) => emitArpProbe(v, at, 0x0200, 7, 0x0a090001), 0);
    const out = new ArpPacket();
    parseArp(view, 0, end, out);
    expect(out.senderAddress).toBe(0);
    expect(out.targetAddress).toBe(0x0a090001);
    expect(isGratuitousArp(out)).toBe(false);
  });
});

test.each([
  ['hardware type', 0],
  ['protocol type', 2],
  ['hardware length', ARP.hardwareLength],
  ['protocol length', ARP.protocolLength],
])('refuses another %s', (_field, at) => {
  const view = viewOf(new Uint8Array(PACKET.buffer));
  view.setUint8(at, view.getUint8(at) ^ 1);
  expect(parseArp(view, 0, view.byteLength, new ArpPacket())).toBe(false);
});

test('any bytes: never a throw, never a look outside', () => {
  fc.assert(
    fc.property(hostileBytes([PACKET], 40), bytes => {
      parseBlind(bytes, (view, at, end) => {
        const out = new ArpPacket();
        return { result: parseArp(view, at, end, out), out: { ...out } };
      });
    }),
  );
});
