/** ICMP: RFC 792 messages, RFC 1191 MTUs, and the rules of RFC 1122 3.2.2 about when to stay silent. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  echoReplyInPlace,
  emitDestinationUnreachable,
  emitIcmpEcho,
  emitIcmpError,
  emitParameterProblem,
  emitTimeExceeded,
  ICMP_QUOTE_MAX,
  IcmpHeader,
  IcmpParse,
  icmpQuoteLength,
  IcmpType,
  isIcmpError,
  mayAnswerWithError,
  ParameterProblemCode,
  parseIcmp,
  TimeExceededCode,
  UnreachableCode,
} from '../../src/wire/icmp.ts';
import {
  emitIpv4,
  IPV4_BROADCAST,
  IpProtocol,
  Ipv4Header,
  Ipv4Parse,
  parseIpv4,
  parseQuotedIpv4,
} from '../../src/wire/ipv4.ts';
import { parseIpv4Address } from '../../src/wire/ipv4-text.ts';
import { DATA, ECHO_REPLY, NET_UNREACHABLE, PORT_UNREACHABLE } from './captures.ts';
import {
  bytesOf,
  emitInside,
  hostileBytes,
  IP_AT,
  L4_AT,
  parseBlind,
  place,
  sharedView,
  tail,
  u16,
  viewOf,
} from './support.ts';

const MESSAGES = [ECHO_REPLY, NET_UNREACHABLE, PORT_UNREACHABLE].map(frame => tail(frame, L4_AT));
const OFFENDER = tail(DATA, IP_AT);

function parse(view: DataView, at: number, end: number): IcmpHeader {
  const header = new IcmpHeader();
  expect(parseIcmp(view, at, end, header)).toBe(IcmpParse.Ok);
  return header;
}

/** An error about `OFFENDER`, emitted at `at` from a quotation that lies at the end of the view. */
function errorAbout(emit: (view: DataView, at: number, quoteAt: number, quoteLength: number) => number): IcmpHeader {
  const view = sharedView(400);
  bytesOf(view).set(bytesOf(OFFENDER), 300);
  const length = emit(view, 7, 300, 28);
  const header = parse(view, 7, 7 + length);
  expect(bytesOf(view).slice(header.payloadAt, header.payloadEnd)).toEqual(bytesOf(OFFENDER).slice(0, 28));
  return header;
}

describe('echo', () => {
  test('parse inverts emit', () => {
    const type = fc.constantFrom(IcmpType.Echo, IcmpType.EchoReply);
    fc.assert(
      fc.property(
        type,
        u16,
        u16,
        fc.uint8Array({ maxLength: 80 }),
        place,
        (t, identifier, sequenceNumber, data, at) => {
          const { view, end } = emitInside((v, p) => {
            bytesOf(v).set(data, p + 8);
            return emitIcmpEcho(v, p, t, identifier, sequenceNumber, data.length);
          }, at);
          const out = parse(view, at, end);
          expect(out).toMatchObject({
            type: t,
            code: 0,
            identifier,
            sequenceNumber,
            payloadAt: at + 8,
            payloadEnd: end,
          });
          expect(bytesOf(view).slice(out.payloadAt, out.payloadEnd)).toEqual(data);
        },
      ),
    );
  });

  test('a request becomes its valid reply in place, data untouched (RFC 1122 3.2.2.6)', () => {
    fc.assert(
      fc.property(u16, u16, fc.uint8Array({ maxLength: 80 }), (identifier, sequenceNumber, data) => {
        const { view, end } = emitInside((v, at) => {
          bytesOf(v).set(data, at + 8);
          return emitIcmpEcho(v, at, IcmpType.Echo, identifier, sequenceNumber, data.length);
        }, 0);
        echoReplyInPlace(view, 0);
        const out = parse(view, 0, end);
        expect(out).toMatchObject({ type: IcmpType.EchoReply, identifier, sequenceNumber });
        expect(bytesOf(view).slice(8, end)).toEqual(data);
      }),
    );
  });

  test('a reply of nothing but zeros still verifies', () => {
    const { view, end } = emitInside((v, at) => emitIcmpEcho(v, at, IcmpType.Echo, 0, 0, 0), 0);
    echoReplyInPlace(view, 0);
    expect(parse(view, 0, end).type).toBe(IcmpType.EchoReply);
  });

  test('reads a reply from Linux', () => {
    expect(parse(MESSAGES[0], 0, MESSAGES[0].byteLength)).toMatchObject({
      type: IcmpType.EchoReply,
      identifier: 77,
      sequenceNumber: 1,
    });
  });
});

describe('errors', () => {
  test.each(Object.entries(UnreachableCode))('destination unreachable: %s', (_name, code) => {
    const mtu = code === UnreachableCode.FragmentationNeeded ? 1400 : 0;
    const out = errorAbout((v, at, from, length) => emitDestinationUnreachable(v, at, code, mtu, from, length));
    expect(out).toMatchObject({ type: IcmpType.DestinationUnreachable, code, nextHopMtu: mtu, pointer: 0 });
  });

  test.each(Object.entries(TimeExceededCode))('time exceeded: %s', (_name, code) => {
    const out = errorAbout((v, at, from, length) => emitTimeExceeded(v, at, code, from, length));
    expect(out).toMatchObject({ type: IcmpType.TimeExceeded, code, nextHopMtu: 0, pointer: 0 });
  });

  test.each(Object.entries(ParameterProblemCode))('parameter problem: %s', (_name, code) => {
    const out = errorAbout((v, at, from, length) => emitParameterProblem(v, at, code, 200, from, length));
    expect(out).toMatchObject({ type: IcmpType.ParameterProblem, code, pointer: 200, nextHopMtu: 0 });
  });

  test('a redirect is an error too', () => {
    const out = errorAbout((v, at, from, length) =>
      emitIcmpError(v, at, IcmpType.Redirect, 1, 0x0a090001, from, length),
    );
    expect(isIcmpError(out.type)).toBe(true);
    expect(isIcmpError(IcmpType.Echo)).toBe(false);
  });

  test('quotations by Linux name the offending datagram', () => {
    const out = parse(PORT_UNREACHABLE, L4_AT, PORT_UNREACHABLE.byteLength);
    expect(out).toMatchObject({ type: IcmpType.DestinationUnreachable, code: UnreachableCode.Port });
    const quoted = new Ipv4Header();
    expect(parseQuotedIpv4(PORT_UNREACHABLE, out.payloadAt, out.payloadEnd, quoted)).toBe(Ipv4Parse.Ok);
    expect(quoted.protocol).toBe(IpProtocol.Udp);
    expect(PORT_UNREACHABLE.getUint16(quoted.payloadAt + 2)).toBe(9999);
  });

  test('quote at least header and 8 bytes, at most what fits in 576 bytes (RFC 1812 4.3.2.3)', () => {
    const header = new Ipv4Header();
    parseIpv4(DATA, IP_AT, DATA.byteLength, header);
    expect(icmpQuoteLength(header)).toBe(DATA.byteLength - IP_AT);
    header.payloadEnd = header.payloadAt + 1480;
    expect(icmpQuoteLength(header)).toBe(ICMP_QUOTE_MAX);
    expect(ICMP_QUOTE_MAX).toBe(548);
  });
});

describe('hostile input', () => {
  test('is short below 8 bytes, and every changed bit breaks the checksum', () => {
    const header = new IcmpHeader();
    expect(parseIcmp(MESSAGES[0], 0, 7, header)).toBe(IcmpParse.Short);
    fc.assert(
      fc.property(fc.nat({ max: MESSAGES[0].byteLength * 8 - 1 }), bit => {
        const view = viewOf(bytesOf(MESSAGES[0]));
        view.setUint8(bit >> 3, view.getUint8(bit >> 3) ^ (1 << (bit & 7)));
        expect(parseIcmp(view, 0, view.byteLength, header)).toBe(IcmpParse.Checksum);
      }),
    );
  });

  test('any bytes: never a throw, never a look outside', () => {
    fc.assert(
      fc.property(hostileBytes(MESSAGES, 60), bytes => {
        parseBlind(bytes, (view, at, end) => {
          const out = new IcmpHeader();
          return { status: parseIcmp(view, at, end, out), out: { ...out } };
        });
      }),
    );
  });
});

describe('mayAnswerWithError (RFC 1122 3.2.2)', () => {
  const address = (text: string): number => parseIpv4Address(text) ?? NaN;
  const SUBNET_BROADCAST = address('10.9.0.255');

  interface Case {
    source?: string;
    destination?: string;
    fragment?: number;
    protocol?: number;
    icmpType?: number;
    payload?: number;
    linkGroup?: boolean;
  }

  function verdict(c: Case): boolean {
    const view = sharedView(64);
    const total = 20 + (c.payload ?? 8);
    const source = address(c.source ?? '10.9.0.2');
    const destination = address(c.destination ?? '10.9.0.1');
    emitIpv4(view, 0, 0, total, 1, c.fragment ?? 0, 64, c.protocol ?? IpProtocol.Udp, source, destination);
    view.setUint8(20, c.icmpType ?? 0);
    const header = new Ipv4Header();
    expect(parseIpv4(view, 0, total, header)).toBe(Ipv4Parse.Ok);
    return mayAnswerWithError(view, header, c.linkGroup ?? false, SUBNET_BROADCAST);
  }

  test.each<[string, Case]>([
    ['a unicast datagram', {}],
    ['the first fragment', { fragment: 0x2000 }],
    ['an echo request', { protocol: IpProtocol.Icmp, icmpType: IcmpType.Echo }],
  ])('answers %s', (_what, c) => expect(verdict(c)).toBe(true));

  test.each<[string, Case]>([
    ['the limited broadcast', { destination: '255.255.255.255' }],
    ['the broadcast of the subnet', { destination: '10.9.0.255' }],
    ['a multicast', { destination: '224.0.0.251' }],
    ['a datagram in a broadcast frame', { linkGroup: true }],
    ['a later fragment', { fragment: 1 }],
    ['the source 0.0.0.0', { source: '0.0.0.0' }],
    ['a loopback source', { source: '127.0.0.1' }],
    ['a multicast source', { source: '224.0.0.1' }],
    ['a broadcast source', { source: '255.255.255.255' }],
    ['the subnet broadcast as source', { source: '10.9.0.255' }],
    ['an ICMP message without a type', { protocol: IpProtocol.Icmp, payload: 0 }],
    ...[3, 4, 5, 11, 12].map((type): [string, Case] => [
      `ICMP error type ${type}`,
      { protocol: IpProtocol.Icmp, icmpType: type },
    ]),
  ])('never answers %s', (_what, c) => expect(verdict(c)).toBe(false));

  test('an interface without a subnet broadcast passes the limited one', () => {
    const header = new Ipv4Header();
    parseIpv4(DATA, IP_AT, DATA.byteLength, header);
    expect(mayAnswerWithError(DATA, header, false, IPV4_BROADCAST)).toBe(true);
  });

  test('any bytes: never a throw', () => {
    fc.assert(
      fc.property(hostileBytes([OFFENDER], 60), fc.boolean(), (bytes, group) => {
        parseBlind(bytes, (view, at, end) => {
          const header = new Ipv4Header();
          if (parseIpv4(view, at, end, header) !== Ipv4Parse.Ok) return false;
          return mayAnswerWithError(view, header, group, SUBNET_BROADCAST);
        });
      }),
    );
  });
});
