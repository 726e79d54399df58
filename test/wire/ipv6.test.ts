/** IPv6 headers: RFC 8200, the chain of extension headers, and the kinds of addresses of RFC 4291. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import {
  decrementHopLimit,
  emitIpv6,
  IPV6,
  Ipv6Header,
  Ipv6Parse,
  NextHeader,
  ParameterProblem6Code,
  parseIpv6,
  parseQuotedIpv6,
  pseudoHeaderSumAt,
} from '../../src/wire/ipv6.ts';
import {
  EXTENSION_HEADERS_MAX,
  ExtensionWalk,
  Ipv6Walk,
  OPTIONS_MAX,
  PADDING_MAX,
  walkExtensions,
} from '../../src/wire/ipv6-extensions.ts';
import { onesComplementSum } from '../../src/wire/checksum.ts';
import { IPV6_FRAMES, LAST_FRAGMENT_6, MLD_REPORT, SYN_6 } from './captures-ipv6.ts';
import { bytesOf, emitInside, hostileBytes, i32, IP_AT, parseBlind, place, tail, u8, viewOf } from './support.ts';

const PACKETS = IPV6_FRAMES.map(frame => tail(frame, IP_AT));
const words = fc.array(i32, { minLength: 4, maxLength: 4 }).map(list => Int32Array.from(list));

function parse(view: DataView, at = 0, end = view.byteLength): { status: Ipv6Parse; header: Ipv6Header } {
  const header = new Ipv6Header();
  return { status: parseIpv6(view, at, end, header), header };
}

function wordsAt(view: DataView, at: number): Int32Array {
  return Int32Array.from({ length: 4 }, (_, i) => view.getInt32(at + 4 * i));
}

/** A packet of these bytes behind the fixed header. */
function packet(nextHeader: number, ...payload: readonly (readonly number[])[]): DataView {
  const body = payload.flat();
  const view = viewOf(new Uint8Array(IPV6.headerLength + body.length));
  const from = Int32Array.of(0xfd000000, 0, 0, 1, 0xfd000000, 0, 0, 2);
  emitIpv6(view, 0, 0, 0, body.length, nextHeader, 64, from, 0, from, 4);
  bytesOf(view).set(body, IPV6.headerLength);
  return view;
}

interface Walked {
  outcome: Ipv6Walk;
  ip: Ipv6Header;
  walk: ExtensionWalk;
}

function walk(view: DataView): Walked {
  const { status, header: ip } = parse(view);
  expect(status).toBe(Ipv6Parse.Ok);
  const walked = new ExtensionWalk();
  return { outcome: walkExtensions(view, ip, walked), ip, walk: walked };
}

const UDP = [0, 7, 0, 7, 0, 8, 0, 0];
const { HopByHop, DestinationOptions, Routing, Fragment, None } = NextHeader;

/** An options header with these bytes as its options, which fill it. */
function options(nextHeader: number, ...bytes: number[]): number[] {
  expect((bytes.length + 2) % 8).toBe(0);
  return [nextHeader, (bytes.length + 2) / 8 - 1, ...bytes];
}

function routing(nextHeader: number, type: number, segmentsLeft: number): number[] {
  return [nextHeader, 2, type, segmentsLeft, ...Array<number>(20).fill(0)];
}

function fragment(nextHeader: number, offset: number, more: boolean): number[] {
  return [nextHeader, 0, offset >> 8, (offset & 0xf8) | (more ? 1 : 0), 0x89, 0xab, 0xcd, 0xef];
}

const PAD6 = [1, 4, 0, 0, 0, 0];

describe('the fixed header', () => {
  test('parse inverts emit', () => {
    const fields = fc.record({
      tos: u8,
      flowLabel: fc.integer({ min: 0, max: 0xfffff }),
      payloadLength: fc.integer({ min: 0, max: 100 }),
      protocol: u8,
      ttl: u8,
      source: words,
      destination: words,
    });
    fc.assert(
      fc.property(fields, place, ({ payloadLength, source, destination, ...f }, at) => {
        const { view } = emitInside(
          (v, p) => emitIpv6(v, p, f.tos, f.flowLabel, payloadLength, f.protocol, f.ttl, source, 0, destination, 0),
          at,
        );
        const { status, header } = parse(view, at, at + 40 + payloadLength + 6);
        expect(status).toBe(Ipv6Parse.Ok);
        const places = { at, payloadAt: at + 40, payloadEnd: at + 40 + payloadLength, protocolAt: at + 6 };
        expect(header).toMatchObject({ ...f, ...places });
        expect(wordsAt(view, header.sourceAt)).toEqual(source);
        expect(wordsAt(view, header.destinationAt)).toEqual(destination);
      }),
    );
  });

  test('accepts the headers of Linux, and emit reproduces them', () => {
    for (const datagram of PACKETS) {
      const { status, header: h } = parse(datagram);
      expect(status).toBe(Ipv6Parse.Ok);
      expect(h.payloadEnd).toBe(datagram.byteLength);
      const from = Int32Array.from([...wordsAt(datagram, 8), ...wordsAt(datagram, 24)]);
      const { view } = emitInside(
        (v, at) => emitIpv6(v, at, h.tos, h.flowLabel, h.payloadEnd - 40, h.protocol, h.ttl, from, 0, from, 4),
        0,
      );
      expect(bytesOf(view).slice(0, 40)).toEqual(bytesOf(datagram).slice(0, 40));
    }
  });

  test('the pseudo-header makes the checksum of a real segment right (RFC 8200 8.1)', () => {
    const view = tail(SYN_6, IP_AT);
    const length = view.byteLength - 40;
    expect(onesComplementSum(view, 40, length, pseudoHeaderSumAt(view, 0, IpProtocol.Tcp, length))).toBe(0xffff);
  });

  test('leaves Ethernet padding out of the payload', () => {
    const padded = viewOf(Uint8Array.from([...bytesOf(packet(None)), 0, 0, 0, 0, 0, 0]));
    expect(parse(padded).header.payloadEnd).toBe(40);
  });

  test.each<[string, keyof typeof Ipv6Parse, DataView]>([
    ['nothing', 'Short', viewOf('')],
    ['39 bytes', 'Short', viewOf(bytesOf(packet(None)).slice(0, 39))],
    ['version 4', 'Version', viewOf('45'.padEnd(80, '0'))],
    ['a payload that is not there', 'PayloadLength', viewOf(bytesOf(packet(17, UDP)).slice(0, 47))],
  ])('refuses %s: %s', (_what, status, view) => {
    expect(parse(view).status).toBe(Ipv6Parse[status]);
  });

  test('a quotation may be cut off behind the header', () => {
    const header = new Ipv6Header();
    const view = viewOf(bytesOf(packet(17, UDP)).slice(0, 44));
    expect(parseQuotedIpv6(view, 0, 44, header)).toBe(Ipv6Parse.Ok);
    expect(header.payloadEnd).toBe(44);
  });

  test('a router takes one hop off, and stops a packet that has none left (RFC 8200 3)', () => {
    const view = packet(None);
    view.setUint8(IPV6.hopLimit, 2);
    expect(decrementHopLimit(view, 0)).toBe(1);
    expect(decrementHopLimit(view, 0)).toBe(0);
    expect(view.getUint8(IPV6.hopLimit)).toBe(1);
  });
});

describe('extension headers (RFC 8200 4)', () => {
  test('without any, the upper layer follows at once', () => {
    const { outcome, ip } = walk(tail(SYN_6, IP_AT));
    expect(outcome).toBe(Ipv6Walk.UpperLayer);
    expect(ip).toMatchObject({ protocol: IpProtocol.Tcp, payloadAt: 40, protocolAt: 6 });
  });

  test('router alert of a real MLD report is skipped (RFC 2711)', () => {
    const { outcome, ip } = walk(tail(MLD_REPORT, IP_AT));
    expect(outcome).toBe(Ipv6Walk.UpperLayer);
    expect(ip).toMatchObject({ protocol: NextHeader.Icmpv6, payloadAt: 48, protocolAt: 40 });
  });

  test('any order, any number up to the limit, each once past it', () => {
    const chain = (count: number): DataView => {
      const kinds = Array.from({ length: count }, (_, i) => (i % 2 === 0 ? DestinationOptions : Routing));
      const headers = kinds.map((kind, i) => {
        const next = kinds[i + 1] ?? IpProtocol.Udp;
        return kind === Routing ? routing(next, 4, 0) : options(next, ...PAD6);
      });
      return packet(kinds[0]!, ...headers, UDP);
    };
    const { outcome, ip } = walk(chain(EXTENSION_HEADERS_MAX));
    expect(outcome).toBe(Ipv6Walk.UpperLayer);
    expect(ip.payloadEnd - ip.payloadAt).toBe(8);
    expect(walk(chain(EXTENSION_HEADERS_MAX + 1)).outcome).toBe(Ipv6Walk.Discard);
  });

  test('hop-by-hop options anywhere but first are a next header that nobody knows (RFC 8200 4.1)', () => {
    const view = packet(DestinationOptions, options(HopByHop, ...PAD6), options(IpProtocol.Udp, ...PAD6), UDP);
    const { outcome, walk: walked } = walk(view);
    expect(outcome).toBe(Ipv6Walk.Report);
    expect(walked).toMatchObject({ problemCode: ParameterProblem6Code.NextHeader, problemAt: 40 });
  });

  test.each([
    [0x1e, Ipv6Walk.UpperLayer, false],
    [0x5e, Ipv6Walk.Discard, false],
    [0x9e, Ipv6Walk.Report, true],
    [0xde, Ipv6Walk.Report, false],
  ])(
    'an option %i that nobody knows says itself what becomes of the packet (RFC 8200 4.2)',
    (type, expected, evenToGroup) => {
      const view = packet(DestinationOptions, options(IpProtocol.Udp, type, 1, 0, 0, 0, 0), UDP);
      const { outcome, walk: walked } = walk(view);
      expect(outcome).toBe(expected);
      if (outcome !== Ipv6Walk.Report) return;
      expect(walked).toMatchObject({ problemCode: ParameterProblem6Code.Option, problemAt: 42 });
      expect(walked.answersMulticast).toBe(evenToGroup);
    },
  );

  test('limits of RFC 8504 5.3: options of a header, padding in a row', () => {
    const unknown = Array.from({ length: OPTIONS_MAX + 1 }, () => [0x1e, 0]);
    const many = (count: number): DataView => {
      const bytes = unknown.slice(0, count).flat();
      while ((bytes.length + 2) % 8 !== 0) bytes.push(0);
      return packet(DestinationOptions, options(IpProtocol.Udp, ...bytes), UDP);
    };
    expect(walk(many(OPTIONS_MAX)).outcome).toBe(Ipv6Walk.UpperLayer);
    expect(walk(many(OPTIONS_MAX + 1)).outcome).toBe(Ipv6Walk.Discard);
    const pad = (bytes: number[]): Ipv6Walk =>
      walk(packet(DestinationOptions, options(IpProtocol.Udp, ...bytes), UDP)).outcome;
    expect(pad([0x1e, 5, 0, 0, 0, 0, 0, ...Array<number>(PADDING_MAX).fill(0)])).toBe(Ipv6Walk.UpperLayer);
    expect(pad([0x1e, 4, 0, 0, 0, 0, ...Array<number>(PADDING_MAX + 1).fill(0)])).toBe(Ipv6Walk.Discard);
    expect(pad([0x1e, 4, 0, 0, 0, 0, 1, PADDING_MAX - 1, 0, 0, 0, 0, 0, 0])).toBe(Ipv6Walk.Discard);
  });

  test('a routing header without segments left is skipped; with some, the packet is refused (RFC 8200 4.4, RFC 5095 3)', () => {
    expect(walk(packet(Routing, routing(IpProtocol.Udp, 0, 0), UDP)).outcome).toBe(Ipv6Walk.UpperLayer);
    for (const type of [0, 2, 253]) {
      const { outcome, walk: walked } = walk(packet(Routing, routing(IpProtocol.Udp, type, 1), UDP));
      expect(outcome).toBe(Ipv6Walk.Report);
      expect(walked).toMatchObject({
        problemCode: ParameterProblem6Code.Header,
        problemAt: 42,
        answersMulticast: false,
      });
    }
  });

  test.each([
    ['a header longer than the packet', packet(DestinationOptions, [17, 1, ...PAD6])],
    ['a header cut off', packet(DestinationOptions, [17, 0, 1, 4])],
    ['an option longer than its header', packet(DestinationOptions, [17, 0, 0x1e, 5, 0, 0, 0, 0], UDP)],
    ['an option without its length', packet(DestinationOptions, [17, 0, 1, 3, 0, 0, 0, 0x1e], UDP)],
    ['a fragment header cut off', packet(Fragment, [17, 0, 0, 0])],
  ])('%s is dropped', (_what, view) => {
    expect(walk(view).outcome).toBe(Ipv6Walk.Discard);
  });
});

describe('fragments (RFC 8200 4.5)', () => {
  test('a real one', () => {
    const { outcome, ip, walk: walked } = walk(tail(LAST_FRAGMENT_6, IP_AT));
    expect(outcome).toBe(Ipv6Walk.Fragment);
    expect(walked).toMatchObject({ fragmentOffset: 1448, moreFragments: false, fragmentAt: 40 });
    expect(walked.identification >>> 0).toBe(0x84a51f8b);
    expect(ip).toMatchObject({ protocol: IpProtocol.Udp, payloadAt: 48 });
  });

  test('headers in front of it are walked; behind it the walk goes on when called again', () => {
    const view = packet(
      HopByHop,
      options(Fragment, ...PAD6),
      fragment(DestinationOptions, 0, false),
      options(IpProtocol.Udp, ...PAD6),
      UDP,
    );
    const { outcome, ip, walk: walked } = walk(view);
    expect(outcome).toBe(Ipv6Walk.Fragment);
    expect(ip.payloadAt).toBe(56);
    expect(walkExtensions(view, ip, walked)).toBe(Ipv6Walk.UpperLayer);
    expect(ip).toMatchObject({ protocol: IpProtocol.Udp, payloadAt: 64 });
  });

  test('a length that no sender makes is reported, where it stands in the header', () => {
    const odd = walk(packet(Fragment, fragment(IpProtocol.Udp, 0, true), UDP, [1]));
    expect(odd.outcome).toBe(Ipv6Walk.Report);
    expect(odd.walk).toMatchObject({ problemCode: ParameterProblem6Code.Header, problemAt: 4 });
    const beyond = walk(packet(Fragment, fragment(IpProtocol.Udp, 0xfff8, false), UDP));
    expect(beyond.outcome).toBe(Ipv6Walk.Report);
    expect(beyond.walk).toMatchObject({ problemCode: ParameterProblem6Code.Header, problemAt: 42 });
  });

  test('a first fragment without its upper-layer header is reported (RFC 7112 5)', () => {
    const short = walk(packet(Fragment, fragment(IpProtocol.Tcp, 0, true), UDP));
    expect(short.outcome).toBe(Ipv6Walk.Report);
    expect(short.walk).toMatchObject({ problemCode: ParameterProblem6Code.FirstFragment, problemAt: 0 });
    const chain = walk(packet(Fragment, fragment(DestinationOptions, 0, true), options(IpProtocol.Udp, ...PAD6)));
    expect(chain.outcome).toBe(Ipv6Walk.Report);
    expect(chain.walk.problemCode).toBe(ParameterProblem6Code.FirstFragment);
    // Later fragments have none, and none is looked for.
    expect(walk(packet(Fragment, fragment(IpProtocol.Tcp, 8, true), UDP)).outcome).toBe(Ipv6Walk.Fragment);
  });
});

test('any bytes: never a throw, never a look outside, never past the end', () => {
  fc.assert(
    fc.property(hostileBytes(PACKETS, 120), bytes => {
      for (const parser of [parseIpv6, parseQuotedIpv6]) {
        parseBlind(bytes, (view, at, end) => {
          const out = new Ipv6Header();
          const status = parser(view, at, end, out);
          if (status !== Ipv6Parse.Ok) return { status };
          const walked = new ExtensionWalk();
          const outcome = walkExtensions(view, out, walked);
          expect(out.payloadAt).toBeLessThanOrEqual(out.payloadEnd);
          expect(out.payloadEnd).toBeLessThanOrEqual(end);
          return { status, outcome, out: { ...out }, walked: { ...walked } };
        });
      }
    }),
    { numRuns: 500 },
  );
});
