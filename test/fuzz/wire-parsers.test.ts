/**
 * Every parser of src/wire, fed anything: it throws nothing and reads nothing behind the end it was given. What lies there
 * throws when it is touched, for the view ends there.
 */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { createMemory } from '../../src/memory/memory.ts';
import { FrameLayout } from '../../src/scenario/fuzz/frame-layout.ts';
import { FrameSource, SOURCE_BYTES } from '../../src/scenario/fuzz/frame-source.ts';
import { FRAME_ROOM, RECORDED_BYTES, RecordedFrames } from '../../src/scenario/fuzz/recorded-frames.ts';
import { ArpPacket, parseArp } from '../../src/wire/arp.ts';
import { EthernetHeader, parseEthernet } from '../../src/wire/ethernet.ts';
import { IcmpHeader, IcmpParse, mayAnswerWithError, parseIcmp } from '../../src/wire/icmp.ts';
import { Icmpv6Header, Icmpv6Parse, parseIcmpv6 } from '../../src/wire/icmpv6.ts';
import { ExtensionWalk, walkExtensions } from '../../src/wire/ipv6-extensions.ts';
import { Ipv6Header, Ipv6Parse, parseIpv6, parseQuotedIpv6 } from '../../src/wire/ipv6.ts';
import { NdMessage, parseNd } from '../../src/wire/nd.ts';
import { onesComplementSum } from '../../src/wire/checksum.ts';
import { Ipv4Header, Ipv4Parse, parseIpv4, parseQuotedIpv4 } from '../../src/wire/ipv4.ts';
import { formatFrame } from '../../src/wire/print.ts';
import { isTcpChecksumValid, parseTcp, TcpHeader, TcpParse } from '../../src/wire/tcp.ts';
import { isUdpChecksumValid, parseUdp, UdpHeader, UdpParse } from '../../src/wire/udp.ts';
import { etherTypeAt, readTci, vidOf } from '../../src/wire/vlan.ts';

const FRAMES = Number(process.env['FUZZ_FRAMES'] ?? 40_000);
const ADDRESSES = { ipv4: [0x0a000001, 0x0a000002], ipv6: [Int32Array.of(0xfd000000, 0, 0, 1)] };
const MACS = [{ hi: 0x0243, lo: 0x4e000001 }];

const ethernet = new EthernetHeader();
const ip = new Ipv4Header();
const quoted = new Ipv4Header();
const tcp = new TcpHeader();
const udp = new UdpHeader();
const icmp = new IcmpHeader();
const arp = new ArpPacket();
const ip6 = new Ipv6Header();
const walk = new ExtensionWalk();
const icmp6 = new Icmpv6Header();
const nd = new NdMessage();

/** What may be parsed of [at, end) of a view that ends there. */
type Parser = (view: DataView, at: number, end: number) => void;

const PARSERS: Readonly<Record<string, Parser>> = {
  ethernet: (view, at, end) => void parseEthernet(view, at, end, ethernet),
  vlan: (view, at, end) => void (etherTypeAt(view, at, end) + readTci(view, at, end) + vidOf(view, at, end)),
  arp: (view, at, end) => void parseArp(view, at, end, arp),
  ipv4: (view, at, end) => {
    if (parseIpv4(view, at, end, ip) !== Ipv4Parse.Ok) return;
    expect(ip.payloadAt).toBeLessThanOrEqual(ip.payloadEnd);
    expect(ip.payloadEnd).toBeLessThanOrEqual(end);
    mayAnswerWithError(view, ip, false, 0);
  },
  'quoted ipv4': (view, at, end) => {
    if (parseQuotedIpv4(view, at, end, quoted) === Ipv4Parse.Ok) expect(quoted.payloadEnd).toBeLessThanOrEqual(end);
  },
  tcp: (view, at, end) => {
    if (parseTcp(view, at, end, tcp) !== TcpParse.Ok) return;
    expect(tcp.payloadAt + tcp.payloadLength).toBe(end);
    isTcpChecksumValid(view, at, end - at, 1, 2);
  },
  udp: (view, at, end) => {
    if (parseUdp(view, at, end, udp) !== UdpParse.Ok) return;
    expect(udp.payloadAt + udp.payloadLength).toBeLessThanOrEqual(end);
    isUdpChecksumValid(view, at, udp, 1, 2);
  },
  icmp: (view, at, end) => {
    if (parseIcmp(view, at, end, icmp) === IcmpParse.Ok) expect(icmp.payloadEnd).toBeLessThanOrEqual(end);
  },
  ipv6: (view, at, end) => {
    if (parseIpv6(view, at, end, ip6) !== Ipv6Parse.Ok) return;
    walkExtensions(view, ip6, walk);
    expect(ip6.payloadAt).toBeLessThanOrEqual(ip6.payloadEnd);
    expect(ip6.payloadEnd).toBeLessThanOrEqual(end);
  },
  'quoted ipv6': (view, at, end) => {
    if (parseQuotedIpv6(view, at, end, ip6) === Ipv6Parse.Ok) expect(ip6.payloadEnd).toBeLessThanOrEqual(end);
  },
  // With whatever sum makes its checksum right.
  icmpv6: (view, at, end) => {
    const sum = onesComplementSum(view, at, end - at, 0);
    if (parseIcmpv6(view, at, end, ~sum & 0xffff, icmp6) === Icmpv6Parse.Ok) parseNd(view, at, end, nd);
  },
  print: (view, at, end) => void formatFrame(view, at, end - at),
};

describe.each(Object.entries(PARSERS))('%s', (name, parse) => {
  test('throws nothing and reads nothing behind the end, whatever it is given', () => {
    const memory = createMemory(1 << 20);
    const start = 1 << 17;
    const recorded = new RecordedFrames(memory, start);
    const source = new FrameSource(memory, new Prng(7), start + RECORDED_BYTES, recorded, MACS, ADDRESSES);
    expect(start + RECORDED_BYTES + SOURCE_BYTES).toBeLessThan(memory.byteLength);
    const layout = new FrameLayout(memory.view);
    const bytes = new Uint8Array(FRAME_ROOM);
    for (let i = 0; i < (name === 'print' ? FRAMES / 4 : FRAMES); i++) {
      source.next();
      const { at, length } = source;
      recorded.frame(0, 0, at, length, false);
      bytes.set(memory.u8.subarray(at, at + length));
      layout.read(at, length);
      // Where the header in question should be, or anywhere.
      const places = [0, layout.ipAt - at, layout.transportAt - at, i % Math.max(1, length)];
      for (const from of name === 'print' ? [0] : places) {
        if (from < 0 || from > length) continue;
        const view = new DataView(bytes.buffer, 0, length);
        try {
          parse(view, from, length);
        } catch (cause) {
          throw new Error(
            `frame ${i}, ${from} to ${length}: ${Buffer.from(bytes.subarray(0, length)).toString('hex')}`,
            {
              cause,
            },
          );
        }
      }
    }
  });
});
