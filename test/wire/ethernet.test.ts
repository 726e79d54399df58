/** Ethernet headers and the text form of MAC addresses. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BROADCAST_MAC_HI,
  BROADCAST_MAC_LO,
  emitEthernet,
  ETHERNET,
  EthernetHeader,
  EtherType,
  formatMac,
  isBroadcastMac,
  isGroupMac,
  parseEthernet,
  parseMac,
} from '../../src/wire/ethernet.ts';
import { ARP_REQUEST, SYN } from './captures.ts';
import { emitInside, hostileBytes, i32, parseBlind, place, u16 } from './support.ts';

describe('header', () => {
  test('parse inverts emit', () => {
    const header = fc.record({ dstHi: u16, dstLo: i32, srcHi: u16, srcLo: i32, etherType: u16 });
    fc.assert(
      fc.property(header, place, (h, at) => {
        const { view, end } = emitInside(
          (v, p) => emitEthernet(v, p, h.dstHi, h.dstLo, h.srcHi, h.srcLo, h.etherType),
          at,
        );
        const out = new EthernetHeader();
        expect(parseEthernet(view, at, end, out)).toBe(ETHERNET.headerLength);
        expect({ ...out }).toEqual(h);
      }),
    );
  });

  test('reads a frame from Linux', () => {
    const out = new EthernetHeader();
    parseEthernet(SYN, 0, SYN.byteLength, out);
    expect(formatMac(out.dstHi, out.dstLo)).toBe('02:00:00:00:00:01');
    expect(formatMac(out.srcHi, out.srcLo)).toBe('02:00:00:00:00:02');
    expect(out.etherType).toBe(EtherType.Ipv4);
  });

  test('any bytes: -1 below 14 bytes, never a throw, never a look outside', () => {
    fc.assert(
      fc.property(hostileBytes([SYN, ARP_REQUEST], 40), bytes => {
        const { result } = parseBlind(bytes, (view, at, end) => {
          const out = new EthernetHeader();
          return { result: parseEthernet(view, at, end, out), out: { ...out } };
        });
        expect(result).toBe(bytes.length < 14 ? -1 : 14);
      }),
    );
  });
});

describe('addresses', () => {
  test('broadcast is the group address of all ones', () => {
    expect(isBroadcastMac(BROADCAST_MAC_HI, BROADCAST_MAC_LO)).toBe(true);
    expect(isBroadcastMac(BROADCAST_MAC_HI, -2)).toBe(false);
    expect(isGroupMac(BROADCAST_MAC_HI)).toBe(true);
    expect(isGroupMac(0x0180)).toBe(true); // 01:80:c2:00:00:02, where LACPDUs go
    expect(isGroupMac(0x0200)).toBe(false);
  });

  test('text and numbers are inverse', () => {
    fc.assert(
      fc.property(u16, i32, (hi, lo) => {
        expect(parseMac(formatMac(hi, lo))).toEqual({ hi, lo });
      }),
    );
    expect(parseMac('FF-FF-FF-FF-FF-FF')).toEqual({ hi: BROADCAST_MAC_HI, lo: BROADCAST_MAC_LO });
  });

  test.each(['', '02:00:00:00:00', '02:00:00:00:00:01:02', '02:00-00:00:00:01', '2:0:0:0:0:1', '0g:00:00:00:00:01'])(
    'refuses the text %j',
    text => expect(parseMac(text)).toBeUndefined(),
  );
});
