/** A mark of congestion on a frame, and taken back (RFC 3168 5). */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { CongestionMark } from '../../src/fabric/congestion-mark.ts';
import { Fate, Faults } from '../../src/fabric/faults.ts';
import { ETHERNET, EtherType } from '../../src/wire/ethernet.ts';
import { emitIpv4, Ipv4Header, Ipv4Parse, IpProtocol, parseIpv4 } from '../../src/wire/ipv4.ts';
import { arpFrame, tcpFrame } from './fixture.ts';

const AT = ETHERNET.headerLength;

function ipv4(tos: number): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint16(ETHERNET.etherType, EtherType.Ipv4);
  emitIpv4(view, AT, tos, 40, 7, 0, 64, IpProtocol.Tcp, 1, 2);
  return view;
}

/** Version, traffic class and flow label alone are looked at. */
function ipv6(tos: number): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint16(ETHERNET.etherType, EtherType.Ipv6);
  view.setUint32(AT, ((6 << 28) | (tos << 20) | 0xabcde) >>> 0);
  return view;
}

const bytesOf = (view: DataView): number[] => [...new Uint8Array(view.buffer)];

describe('a mark', () => {
  test.each([0xb8 + 1, 0xb8 + 2])(
    'on IPv4, TOS %i: CE, a right checksum, and all is as before when it is taken back',
    tos => {
      const view = ipv4(tos);
      const before = bytesOf(view);
      const mark = new CongestionMark();
      expect(mark.set(view, 0, 64)).toBe(true);
      const ip = new Ipv4Header();
      expect(parseIpv4(view, AT, 64, ip)).toBe(Ipv4Parse.Ok);
      expect(ip.tos).toBe(0xbb);
      mark.restore(view);
      expect(bytesOf(view)).toEqual(before);
    },
  );

  test.each([0x48 + 1, 0x48 + 2])('on IPv6, traffic class %i; the flow label stays', tos => {
    const view = ipv6(tos);
    const before = bytesOf(view);
    const mark = new CongestionMark();
    expect(mark.set(view, 0, 64)).toBe(true);
    expect(view.getUint32(AT)).toBe(((6 << 28) | (0x4b << 20) | 0xabcde) >>> 0);
    mark.restore(view);
    expect(bytesOf(view)).toEqual(before);
  });

  test('is for frames whose sender knows ECN, and not a second time', () => {
    const mark = new CongestionMark();
    const arp = arpFrame({});
    const cut = tcpFrame({}, 1, 100).subarray(0, 20);
    const views = [
      ipv4(0),
      ipv4(3),
      ipv6(0),
      ipv6(3),
      ...[arp, cut].map(b => new DataView(b.buffer, b.byteOffset, b.length)),
    ];
    for (const view of views) {
      const before = bytesOf(view);
      expect(mark.set(view, 0, view.byteLength)).toBe(false);
      mark.restore(view);
      expect(bytesOf(view)).toEqual(before);
    }
  });

  test('is drawn beside the other faults, whose frames stay the same', () => {
    const fates = (markPercent: number): number[] => {
      const faults = new Faults(new Prng(9), { lossPercent: 20, reorderPercent: 20, markPercent });
      return Array.from({ length: 500 }, () => faults.decide());
    };
    const [without, some] = [fates(0), fates(50)];
    expect(some.map(fate => fate & ~Fate.Marked)).toEqual(without);
    const marked = some.filter(fate => (fate & Fate.Marked) !== 0).length;
    expect(marked).toBeGreaterThan(150);
    expect(marked).toBeLessThan(250);
  });
});
