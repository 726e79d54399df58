/** ICMPv6: RFC 4443 messages with their pseudo-header, and the rules of 2.4 about when to stay silent. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  emitIcmpv6Echo,
  emitIcmpv6Error,
  fillIcmpv6Checksum,
  Icmpv6Header,
  Icmpv6Parse,
  ICMPV6_QUOTE_MAX,
  icmpv6QuoteLength,
  Icmpv6Type,
  isIcmpv6Error,
  mayAnswerWithIcmpv6,
  parseIcmpv6,
  TimeExceeded6Code,
  Unreachable6Code,
} from '../../src/wire/icmpv6.ts';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import {
  emitIpv6,
  Ipv6Header,
  NextHeader,
  parseIpv6,
  parseQuotedIpv6,
  pseudoHeaderSumAt,
} from '../../src/wire/ipv6.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { ECHO_REPLY_6, PARAMETER_PROBLEM_6, PORT_UNREACHABLE_6, SYN_6 } from './captures-ipv6.ts';
import {
  bytesOf,
  emitInside,
  hostileBytes,
  IP_AT,
  parseBlind,
  place,
  sharedView,
  tail,
  u16,
  viewOf,
} from './support.ts';

const MESSAGES = [ECHO_REPLY_6, PORT_UNREACHABLE_6, PARAMETER_PROBLEM_6].map(frame => tail(frame, IP_AT));
const OFFENDER = tail(SYN_6, IP_AT);

/** The message of the whole packet at 0 of the view. */
function parse(view: DataView): Icmpv6Header {
  const length = view.byteLength - 40;
  const header = new Icmpv6Header();
  const pseudo = pseudoHeaderSumAt(view, 0, NextHeader.Icmpv6, length);
  expect(parseIcmpv6(view, 40, view.byteLength, pseudo, header)).toBe(Icmpv6Parse.Ok);
  return header;
}

test('messages of Linux, checksum and all', () => {
  const [echo, unreachable, problem] = MESSAGES.map(parse);
  expect(echo).toMatchObject({ type: Icmpv6Type.EchoReply, identifier: 7, sequenceNumber: 1 });
  expect(unreachable).toMatchObject({ type: Icmpv6Type.DestinationUnreachable, code: Unreachable6Code.Port });
  expect(problem).toMatchObject({ type: Icmpv6Type.ParameterProblem, pointer: 42 });
  const quoted = new Ipv6Header();
  parseQuotedIpv6(MESSAGES[1]!, unreachable!.payloadAt, unreachable!.payloadEnd, quoted);
  expect(quoted.protocol).toBe(IpProtocol.Udp);
  expect(MESSAGES[1]!.getUint16(quoted.payloadAt + 2)).toBe(9999);
});

test('echo: parse inverts emit', () => {
  const type = fc.constantFrom(Icmpv6Type.EchoRequest, Icmpv6Type.EchoReply);
  fc.assert(
    fc.property(
      type,
      u16,
      u16,
      fc.uint8Array({ maxLength: 80 }),
      u16,
      place,
      (t, identifier, sequenceNumber, data, pseudo, at) => {
        const { view, end } = emitInside((v, p) => {
          bytesOf(v).set(data, p + 8);
          const length = emitIcmpv6Echo(v, p, t, identifier, sequenceNumber, data.length);
          fillIcmpv6Checksum(v, p, length, pseudo);
          return length;
        }, at);
        const out = new Icmpv6Header();
        expect(parseIcmpv6(view, at, end, pseudo, out)).toBe(Icmpv6Parse.Ok);
        expect(out).toMatchObject({ type: t, code: 0, identifier, sequenceNumber, payloadAt: at + 8, payloadEnd: end });
        expect(bytesOf(view).slice(out.payloadAt, out.payloadEnd)).toEqual(data);
        // Another pseudo-header, another packet: the message is not this one's (RFC 4443 2.3).
        expect(parseIcmpv6(view, at, end, (pseudo + 1) % 0xffff, out)).toBe(Icmpv6Parse.Checksum);
      },
    ),
  );
});

describe('errors (RFC 4443 3)', () => {
  const about = (type: number, code: number, rest: number): Icmpv6Header => {
    const view = sharedView(400);
    bytesOf(view).set(bytesOf(OFFENDER), 200);
    const length = emitIcmpv6Error(view, 7, type, code, rest, 200, OFFENDER.byteLength);
    fillIcmpv6Checksum(view, 7, length, 0x1234);
    const header = new Icmpv6Header();
    expect(parseIcmpv6(view, 7, 7 + length, 0x1234, header)).toBe(Icmpv6Parse.Ok);
    expect(bytesOf(view).slice(header.payloadAt, header.payloadEnd)).toEqual(bytesOf(OFFENDER));
    return header;
  };

  test('packet too big says the MTU, a parameter problem the place (RFC 4443 3.2, 3.4)', () => {
    expect(about(Icmpv6Type.PacketTooBig, 0, 1400)).toMatchObject({ mtu: 1400, pointer: 0 });
    expect(about(Icmpv6Type.PacketTooBig, 0, -1).mtu).toBe(0xffffffff);
    expect(about(Icmpv6Type.ParameterProblem, 1, 6)).toMatchObject({ mtu: 0, pointer: 6 });
    expect(about(Icmpv6Type.TimeExceeded, TimeExceeded6Code.Reassembly, 0).code).toBe(1);
  });

  test('quote as much as the minimum MTU takes (RFC 4443 2.4 (c))', () => {
    const header = new Ipv6Header();
    header.at = 100;
    header.payloadEnd = 100 + 300;
    expect(icmpv6QuoteLength(header)).toBe(300);
    header.payloadEnd = 100 + 9000;
    expect(icmpv6QuoteLength(header)).toBe(ICMPV6_QUOTE_MAX);
    expect(40 + 8 + ICMPV6_QUOTE_MAX).toBe(1280);
  });

  test('are the types below 128 (RFC 4443 2.1)', () => {
    expect([1, 2, 3, 4, 100, 127].every(isIcmpv6Error)).toBe(true);
    expect([128, 129, 135, 137, 255].some(isIcmpv6Error)).toBe(false);
  });
});

describe('when to stay silent (RFC 4443 2.4 (e))', () => {
  function packet(source: string, destination: string, protocol = 17, firstByte = 0): [DataView, Ipv6Header] {
    const view = sharedView(60);
    const words = Int32Array.from([...parseIpv6Address(source)!, ...parseIpv6Address(destination)!]);
    emitIpv6(view, 0, 0, 0, 20, protocol, 64, words, 0, words, 4);
    view.setUint8(40, firstByte);
    const header = new Ipv6Header();
    parseIpv6(view, 0, 60, header);
    return [view, header];
  }
  const may = (from: string, to: string, linkGroup = false, evenToGroup = false): boolean =>
    mayAnswerWithIcmpv6(...packet(from, to), linkGroup, evenToGroup);

  test('an ordinary packet is answered', () => {
    expect(may('fd00::1', 'fd00::2')).toBe(true);
  });

  test('to a group of either layer: only what concerns the sender’s MTU or says so itself', () => {
    expect(may('fd00::1', 'ff02::1')).toBe(false);
    expect(may('fd00::1', 'fd00::2', true)).toBe(false);
    expect(may('fd00::1', 'ff02::1', true, true)).toBe(true);
  });

  test('from nobody, from a group, from the loopback', () => {
    for (const source of ['::', 'ff02::1', '::1']) expect(may(source, 'fd00::2', false, true), source).toBe(false);
  });

  test('an error or a redirect is not answered, an echo request is', () => {
    const answers = (type: number): boolean =>
      mayAnswerWithIcmpv6(...packet('fd00::1', 'fd00::2', NextHeader.Icmpv6, type), false, false);
    expect([1, 2, 3, 4, 127, Icmpv6Type.Redirect].some(answers)).toBe(false);
    expect(answers(Icmpv6Type.EchoRequest)).toBe(true);
    const [view, header] = packet('fd00::1', 'fd00::2', NextHeader.Icmpv6, Icmpv6Type.EchoRequest);
    header.payloadEnd = header.payloadAt;
    expect(mayAnswerWithIcmpv6(view, header, false, false)).toBe(false);
  });
});

test('any bytes: never a throw, never a look outside', () => {
  const messages = MESSAGES.map(view => tail(view, 40));
  expect(parseIcmpv6(viewOf('80'), 0, 1, 0, new Icmpv6Header())).toBe(Icmpv6Parse.Short);
  fc.assert(
    fc.property(hostileBytes(messages, 80), bytes => {
      parseBlind(bytes, (view, at, end) => {
        const out = new Icmpv6Header();
        return { status: parseIcmpv6(view, at, end, 0, out), out: { ...out } };
      });
    }),
  );
});
