/** IPv6 packets as one line of text each, and no throw for any bytes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emitEthernet, EtherType } from '../../src/wire/ethernet.ts';
import { emitIcmpv6Error, fillIcmpv6Checksum, Icmpv6Type } from '../../src/wire/icmpv6.ts';
import { emitIpv6, NextHeader, pseudoHeaderSumAt } from '../../src/wire/ipv6.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { formatFrame } from '../../src/wire/print.ts';
import {
  ADVERTISEMENT,
  DAD_SOLICITATION,
  ECHO_REPLY_6,
  IPV6_FRAMES,
  LAST_FRAGMENT_6,
  MLD_REPORT,
  PARAMETER_PROBLEM_6,
  PORT_UNREACHABLE_6,
  ROUTER_SOLICITATION,
  SOLICITATION,
  SYN_6,
} from './captures-ipv6.ts';
import { bytesOf, hostileBytes, parseBlind, sharedView, viewOf } from './support.ts';

const line = (view: DataView): string => formatFrame(view, 0, view.byteLength);
const ICMP_AT = 14 + 40;

/** A frame from fd00::9 to fd00::2 with the ICMPv6 message that `emit` writes. */
function frame(emit: (view: DataView, at: number) => number): DataView {
  const view = sharedView(400);
  bytesOf(view).set(bytesOf(SYN_6).slice(14), 200);
  const length = emit(view, ICMP_AT);
  const words = Int32Array.from([...parseIpv6Address('fd00::9')!, ...parseIpv6Address('fd00::2')!]);
  emitEthernet(view, 0, 0x0200, 1, 0x0200, 2, EtherType.Ipv6);
  emitIpv6(view, 14, 0, 0, length, NextHeader.Icmpv6, 64, words, 0, words, 4);
  fillIcmpv6Checksum(view, ICMP_AT, length, pseudoHeaderSumAt(view, 14, NextHeader.Icmpv6, length));
  return viewOf(bytesOf(view).slice(0, ICMP_AT + length));
}

const error = (type: number, code: number, rest: number, quote = 72): string =>
  line(frame((view, at) => emitIcmpv6Error(view, at, type, code, rest, 200, quote)));

function raw(hex: string): string {
  const bytes = Buffer.from(hex.replace(/\s/g, ''), 'hex');
  return line(
    frame((view, at) => {
      bytesOf(view).set(bytes, at);
      return bytes.length;
    }),
  );
}

test('TCP and UDP have their ports behind brackets (RFC 5952 6)', () => {
  expect(line(SYN_6)).toBe(
    '[fd00::2]:52070 > [fd00::1]:80 S 551033672:551033672(0) win 64800 ' +
      '<mss 1440,sackOK,TS val 1753801077 ecr 0,nop,wscale 10>',
  );
});

test('ICMPv6 with whom it is about', () => {
  expect(line(ECHO_REPLY_6)).toBe('fd00::2 > fd00::1 icmpv6 echo-reply id 7 seq 1 (24)');
  expect(line(PORT_UNREACHABLE_6)).toBe(
    'fd00::2 > fd00::1 icmpv6 unreachable port [[fd00::1]:5000 > [fd00::2]:9999 udp]',
  );
  expect(line(PARAMETER_PROBLEM_6)).toContain('parameter problem option at 42 [[fd00::1] > [fd00::2] protocol 60]');
  expect(error(Icmpv6Type.PacketTooBig, 0, 1400)).toBe(
    'fd00::9 > fd00::2 icmpv6 packet too big mtu 1400 [[fd00::2]:52070 > [fd00::1]:80 tcp seq 551033672]',
  );
  expect(error(Icmpv6Type.TimeExceeded, 1, 0, 44)).toContain(
    'time exceeded reassembly [[fd00::2] > [fd00::1] protocol 6]',
  );
  expect(error(Icmpv6Type.TimeExceeded, 0, 0, 8)).toContain('hop limit [bad short]');
  expect(raw('800000000001000200')).toContain('icmpv6 echo id 1 seq 2 (1)');
  expect(raw('8f00000000000000')).toContain('icmpv6 type 143 code 0 (0)');
});

describe('neighbor discovery', () => {
  test('messages of Linux', () => {
    expect(line(DAD_SOLICITATION)).toBe(':: > ff02::1:ff00:2 icmpv6 neighbor solicitation fd00::2');
    expect(line(SOLICITATION)).toContain('neighbor solicitation fd00::1 (02:00:00:00:00:02)');
    expect(line(ADVERTISEMENT)).toBe('fd00::2 > fd00::1 icmpv6 neighbor advertisement fd00::2 solicited');
    expect(line(ROUTER_SOLICITATION)).toBe('fe80::ff:fe00:2 > ff02::2 icmpv6 router solicitation (02:00:00:00:00:02)');
    expect(line(MLD_REPORT)).toContain('ff02::16 icmpv6 type 143 code 0');
  });

  test('router advertisement, redirect', () => {
    expect(
      raw(
        `8600000040000708 00007530000003e8 0101020000000009 05010000000005dc
         030440c000278d00 00093a8000000000 fd000000000000000000000000000000`,
      ),
    ).toContain('router advertisement lifetime 1800 prefix fd00::/64 mtu 1500 (02:00:00:00:00:09)');
    expect(
      raw(`8900000000000000 fe800000000000000000000000000009 fd000000000000000000000000000003 0201020000000009`),
    ).toContain('redirect fd00::3 to fe80::9 (02:00:00:00:00:09)');
    expect(raw('8701000000000000')).toContain('icmpv6 type 135 code 1');
  });
});

test('fragments, other protocols', () => {
  expect(line(LAST_FRAGMENT_6)).toBe('fd00::2 > fd00::1 fragment id 2225414027 offset 1448 length 96');
  const view = viewOf(bytesOf(ADVERTISEMENT));
  view.setUint8(20, NextHeader.None);
  expect(line(view)).toBe('fd00::2 > fd00::1 protocol 59 length 24');
});

test('names the reason when a packet is bad', () => {
  const bad = (frameOf: DataView, at: number, value: number): string => {
    const view = viewOf(bytesOf(frameOf));
    view.setUint8(at, value);
    return line(view);
  };
  expect(bad(SYN_6, 14, 0x45)).toBe('ipv6 bad version length 80');
  expect(bad(SYN_6, 19, 0xff)).toBe('ipv6 bad payload length length 80');
  expect(bad(ECHO_REPLY_6, 60, 9)).toContain('icmpv6 bad checksum length 32');
  expect(bad(MLD_REPORT, 55, 9)).toContain('ipv6 bad extension headers length 76');
  expect(bad(MLD_REPORT, 56, 0x85)).toContain('ipv6 bad option at 42');
});

test('any bytes: never a throw, never a look outside', () => {
  fc.assert(
    fc.property(hostileBytes(IPV6_FRAMES, 120), bytes => {
      const text = parseBlind(bytes, (view, at, end) => formatFrame(view, at, end - at));
      expect(text).not.toContain('\n');
    }),
    { numRuns: 500 },
  );
});
