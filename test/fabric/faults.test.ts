import { describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { Fate, type FaultPlan, Faults, NO_FAULTS, faultPlan, flipBit } from '../../src/fabric/faults.ts';
import { checksumOf, onesComplementSum, updateChecksum16 } from '../../src/wire/checksum.ts';
import { parseIcmp, IcmpHeader, IcmpParse } from '../../src/wire/icmp.ts';
import { IpProtocol, Ipv4Header, Ipv4Parse, parseIpv4 } from '../../src/wire/ipv4.ts';
import { Ipv6Header, Ipv6Parse, NextHeader, parseIpv6, pseudoHeaderSumAt } from '../../src/wire/ipv6.ts';
import { EtherType } from '../../src/wire/ethernet.ts';
import { isTcpChecksumValid } from '../../src/wire/tcp.ts';
import { UdpHeader, UdpParse, isUdpChecksumValid, parseUdp } from '../../src/wire/udp.ts';
import { etherTypeAt } from '../../src/wire/vlan.ts';
import { frame6 } from '../support/ipv6-frames.ts';
import { arpFrame, icmpFrame, rawFrame, tcpFrame, udpFrame } from './fixture.ts';

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** What a receiver would notice. */
function isDamaged(view: DataView): boolean {
  const typeAt = etherTypeAt(view, 0, view.byteLength);
  const ipAt = typeAt + 2;
  if (view.getUint16(typeAt) === EtherType.Ipv6) return isIpv6Damaged(view, ipAt);
  const ip = new Ipv4Header();
  if (parseIpv4(view, ipAt, view.byteLength, ip) !== Ipv4Parse.Ok) return true;
  const { payloadAt, payloadEnd, protocol, source, destination } = ip;
  const length = payloadEnd - payloadAt;
  if (protocol === IpProtocol.Tcp) return !isTcpChecksumValid(view, payloadAt, length, source, destination);
  if (protocol === IpProtocol.Udp) return !isUdpIntact(view, ip);
  return parseIcmp(view, payloadAt, payloadEnd, new IcmpHeader()) !== IcmpParse.Ok;
}

function isIpv6Damaged(view: DataView, at: number): boolean {
  const ip = new Ipv6Header();
  if (parseIpv6(view, at, view.byteLength, ip) !== Ipv6Parse.Ok) return true;
  const length = ip.payloadEnd - ip.payloadAt;
  const pseudo = pseudoHeaderSumAt(view, at, ip.protocol, length);
  return onesComplementSum(view, ip.payloadAt, length, pseudo) !== 0xffff;
}

/** A packet of one of the protocols whose checksum stands at `checksumAt` of the header. */
function ipv6Frame(protocol: number, checksumAt: number, length: number): Buffer {
  const bytes = Buffer.alloc(14 + 40 + length, 0x11);
  const view = viewOf(bytes);
  const ends = { source: 'fd00::2', destination: 'fd00::1', srcMac: [2, 2], dstMac: [2, 1] } as const;
  frame6(view, 0, ends, protocol, at => {
    if (protocol === IpProtocol.Udp) view.setUint16(at + 4, length);
    view.setUint16(at + checksumAt, 0);
    return length;
  });
  const pseudo = pseudoHeaderSumAt(view, 14, protocol, length);
  view.setUint16(54 + checksumAt, checksumOf(onesComplementSum(view, 54, length, pseudo)));
  return bytes;
}

function isUdpIntact(view: DataView, ip: Ipv4Header): boolean {
  const udp = new UdpHeader();
  if (parseUdp(view, ip.payloadAt, ip.payloadEnd, udp) !== UdpParse.Ok) return false;
  return isUdpChecksumValid(view, ip.payloadAt, udp, ip.source, ip.destination);
}

const KINDS: Record<string, Buffer> = {
  'a TCP segment': tcpFrame({}, 1, 100),
  'a short, padded TCP segment': tcpFrame({}, 1, 0),
  'a tagged TCP segment': tcpFrame({ vid: 7 }, 1, 3),
  'an ICMP echo': icmpFrame({}),
  'a UDP datagram': udpFrame({}),
  'a UDP datagram without checksum': udpFrame({}, 100, false),
  'a TCP segment over IPv6': ipv6Frame(IpProtocol.Tcp, 16, 120),
  'an ICMPv6 echo': ipv6Frame(NextHeader.Icmpv6, 2, 64),
  'a UDP datagram over IPv6': ipv6Frame(IpProtocol.Udp, 6, 100),
};

describe('fault plan', () => {
  it('is zero where nothing is said', () => {
    expect(faultPlan({})).toEqual(NO_FAULTS);
    expect(faultPlan({ lossPercent: 5 })).toEqual({ ...NO_FAULTS, lossPercent: 5 });
    expect(new Faults(new Prng(1)).active).toBe(false);
    expect(new Faults(new Prng(1), { jitterUs: 1 }).active).toBe(true);
  });

  it.each([
    [{ lossPercent: 101 }, 'lossPercent is 101: it must be from 0 to 100'],
    [{ corruptPercent: -1 }, 'corruptPercent is -1: it must be from 0 to 100'],
    [{ delayUs: NaN }, 'delayUs is NaN: it must be from 0 to 60000000'],
    [{ jitterUs: 'much' }, 'jitterUs is much: it must be from 0 to 60000000'],
    [{ loss: 1 }, 'no fault is called loss: there are lossPercent,'],
    [{ toString: 1 }, 'no fault is called toString'],
  ])('refuses %j', (plan, message) => {
    expect(() => faultPlan(plan as unknown as Partial<FaultPlan>)).toThrow(message);
    expect(() => faultPlan(plan as unknown as Partial<FaultPlan>)).toThrow(
      expect.objectContaining({ code: 'ERR_CHIMNEY_FAULTS' }),
    );
  });
});

describe('faults', () => {
  const plan = {
    lossPercent: 10,
    duplicatePercent: 5,
    reorderPercent: 20,
    corruptPercent: 1,
    delayUs: 50,
    jitterUs: 9,
  };

  it('are what the seed says: exact counts', () => {
    const faults = new Faults(new Prng(2024), plan);
    for (let i = 0; i < 10_000; i++) {
      const fate = faults.decide();
      expect(faults.delayUs >= 50 && faults.delayUs <= 59 && Number.isInteger(faults.delayUs)).toBe(true);
      expect(faults.holdUs >= 200 && faults.holdUs <= 2000).toBe(true);
      if ((fate & Fate.Lost) !== 0) expect(fate).toBe(Fate.Lost);
    }
    const { decided, lost, duplicated, reordered, delayed } = faults;
    expect({ decided, lost, duplicated, reordered, delayed }).toMatchInlineSnapshot(`
      {
        "decided": 10000,
        "delayed": 9030,
        "duplicated": 473,
        "lost": 970,
        "reordered": 1851,
      }
    `);
  });

  it('of one kind strike the same frames whatever the others are', () => {
    const fates = (extra: Partial<FaultPlan>): number[] => {
      const faults = new Faults(new Prng(5), { reorderPercent: 30, ...extra });
      return Array.from({ length: 500 }, () => faults.decide() & Fate.Reordered);
    };
    expect(fates({ duplicatePercent: 50, delayUs: 10, jitterUs: 99, corruptPercent: 40, markPercent: 60 })).toEqual(
      fates({}),
    );
  });

  it('change while frames pass', () => {
    const faults = new Faults(new Prng(1), { lossPercent: 100 });
    expect(faults.decide()).toBe(Fate.Lost);
    faults.set({ duplicatePercent: 100 });
    expect(faults.plan.lossPercent).toBe(0);
    expect(faults.decide()).toBe(Fate.Duplicated);
    faults.set({});
    expect(faults.active).toBe(false);
    expect(faults.decide()).toBe(0);
  });
});

describe('a bit error', () => {
  it.each(Object.keys(KINDS))('in %s is one bit behind the Ethernet header that a checksum catches', kind => {
    const clean = KINDS[kind]!;
    const faults = new Faults(new Prng(3), { corruptPercent: 100 });
    const ipAt = etherTypeAt(viewOf(clean), 0, clean.length) + 2;
    const bits = new Set<number>();
    for (let i = 0; i < 5000; i++) {
      const frame = Buffer.from(clean);
      const view = viewOf(frame);
      faults.decide();
      const bit = faults.corrupt(view, 0, frame.length);
      expect(bit).toBeGreaterThanOrEqual(ipAt * 8);
      expect(isDamaged(view), `bit ${bit - ipAt * 8} of the packet`).toBe(true);
      bits.add(bit);
      flipBit(view, 0, bit);
      expect(frame.equals(clean)).toBe(true);
    }
    expect(faults.corrupted).toBe(5000);
    // Header without IHL at least; with a covered payload far more.
    expect(bits.size).toBeGreaterThan(150);
    if (kind === 'a TCP segment') expect(bits.size).toBeGreaterThan(1100);
  });

  it.each([
    ['ARP', arpFrame({})],
    ['another EtherType', rawFrame({})],
    ['a packet that is damaged already', damaged(tcpFrame({}), 14 + 12)],
    ['a runt', tcpFrame({}).subarray(0, 13)],
    ['a cut-off header', tcpFrame({}).subarray(0, 30)],
    ['a cut-off IPv6 header', ipv6Frame(IpProtocol.Tcp, 16, 20).subarray(0, 50)],
    ['an IPv6 packet with another header', ipv6Frame(NextHeader.Fragment, 6, 40)],
    ['an IPv6 packet that is damaged already', damaged(ipv6Frame(IpProtocol.Tcp, 16, 20), 60)],
  ])('is an FCS error in %s', (_kind, frame) => {
    const faults = new Faults(new Prng(4), { corruptPercent: 100 });
    const before = Buffer.from(frame);
    faults.decide();
    expect(faults.corrupt(viewOf(frame), 0, frame.length)).toBe(-1);
    expect(frame.equals(before)).toBe(true);
    expect(faults).toMatchObject({ corrupted: 0, fcsErrors: 1 });
  });

  it.each([
    ['a fragment', 6, 0x2000],
    ['a protocol without a checksum', 8, 0x4063],
  ])('stays in the header of %s', (_kind, at, halfWord) => {
    const faults = new Faults(new Prng(4), { corruptPercent: 100 });
    for (let i = 0; i < 500; i++) {
      const frame = tcpFrame({});
      const view = viewOf(frame);
      view.setUint16(14 + 10, updateChecksum16(view.getUint16(14 + 10), view.getUint16(14 + at), halfWord));
      view.setUint16(14 + at, halfWord);
      faults.decide();
      expect(faults.corrupt(view, 0, frame.length)).toBeLessThan((14 + 20) * 8);
    }
    expect(faults.corrupted).toBe(500);
  });

  it('spares a payload that is damaged already: the two might cancel out', () => {
    const faults = new Faults(new Prng(4), { corruptPercent: 100 });
    for (let i = 0; i < 500; i++) {
      const frame = damaged(tcpFrame({}), 80);
      faults.decide();
      const bit = faults.corrupt(viewOf(frame), 0, frame.length);
      expect(bit).toBeLessThan((14 + 20) * 8);
    }
  });
});

function damaged(frame: Buffer, at: number): Buffer {
  frame[at]! ^= 1;
  return frame;
}
