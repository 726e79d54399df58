/** Frames as text: packetdrill's notation for TCP, one line for everything else, and no throw for any bytes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emitArp, emitArpAnnouncement } from '../../src/wire/arp.ts';
import { emitEthernet, EtherType } from '../../src/wire/ethernet.ts';
import {
  emitDestinationUnreachable,
  emitIcmpEcho,
  emitParameterProblem,
  emitTimeExceeded,
  IcmpType,
} from '../../src/wire/icmp.ts';
import { emitIpv4, IpProtocol } from '../../src/wire/ipv4.ts';
import { formatFrame } from '../../src/wire/print.ts';
import { formatTcp, formatTcpFlags } from '../../src/wire/print-tcp.ts';
import { emitTcp, parseTcp, TcpFlag, TcpHeader } from '../../src/wire/tcp.ts';
import { insertTag, tciOf } from '../../src/wire/vlan.ts';
import {
  ACK,
  ARP_REQUEST,
  DATA,
  ECHO_REPLY,
  FAST_OPEN_REQUEST,
  IPV4_FRAMES,
  LAST_FRAGMENT,
  NET_UNREACHABLE,
  PORT_UNREACHABLE,
  RST,
  SYN,
  TWO_SACK_BLOCKS,
  UDP_HELLO,
  WINDOWS_SYN,
} from './captures.ts';
import { bytesOf, hostileBytes, L4_AT, parseBlind, sharedView, viewOf } from './support.ts';

const line = (view: DataView, at = 0): string => formatFrame(view, at, view.byteLength - at);

/** The TCP part of a captured frame with the sender's and receiver's ISS subtracted. */
function relative(frame: DataView, padding = true): string {
  const header = new TcpHeader();
  parseTcp(frame, L4_AT, frame.byteLength, header);
  return formatTcp(frame, L4_AT, header, { seq: 73724629, ack: 1000, padding });
}

/** An ICMP message about `DATA` in a frame of its own. */
function icmpAbout(emit: (view: DataView, at: number, quoteAt: number, quoteLength: number) => number): DataView {
  const view = sharedView(300);
  bytesOf(view).set(bytesOf(DATA).slice(14), 200);
  const length = emit(view, 34, 200, 28);
  emitEthernet(view, 0, 0x0200, 1, 0x0200, 2, EtherType.Ipv4);
  emitIpv4(view, 14, 0, 20 + length, 1, 0, 64, IpProtocol.Icmp, 0x0a090063, 0x0a090002);
  return viewOf(bytesOf(view).slice(0, 34 + length));
}

describe('TCP in packetdrill notation', () => {
  test('segments of Linux', () => {
    expect(line(SYN)).toBe(
      '10.9.0.2:38870 > 10.9.0.1:80 S 73724629:73724629(0) win 64240 ' +
        '<mss 1460,sackOK,TS val 2994974874 ecr 0,nop,wscale 10>',
    );
    expect(line(RST)).toBe('10.9.0.2:10 > 10.9.0.1:9 R. 0:0(0) ack 6 win 0');
    expect(line(WINDOWS_SYN)).toContain('S 951057939:951057939(0) win 8760 <mss 1460,nop,nop,sackOK>');
    expect(line(FAST_OPEN_REQUEST)).toContain('nop,wscale 10,FO,nop,nop>');
  });

  test('relative to both ISS, with and without padding', () => {
    expect(relative(ACK)).toBe('. 1:1(0) ack 1 win 63 <nop,nop,TS val 2994974874 ecr 7>');
    expect(relative(DATA, false)).toBe('P. 1:19(18) ack 1 win 63 <TS val 2994974874 ecr 7>');
    expect(relative(TWO_SACK_BLOCKS, false)).toContain('sack 301:351 101:151>');
  });

  test('flags', () => {
    const cases: [number, string][] = [
      [0, '-'],
      [TcpFlag.Syn | TcpFlag.Ack, 'S.'],
      [TcpFlag.Fin | TcpFlag.Psh | TcpFlag.Ack, 'FP.'],
      [TcpFlag.Syn | TcpFlag.Ece | TcpFlag.Cwr, 'SEW'],
      [0xff, 'FSRPUEW.'],
    ];
    for (const [flags, text] of cases) expect(formatTcpFlags(flags)).toBe(text);
  });

  test('urgent pointer, wrap of sequence numbers, cookie, unknown and malformed options', () => {
    const view = sharedView(128);
    bytesOf(view).set([0xde, 0xad, 0xbe, 0xef], 100);
    const header = new TcpHeader();
    Object.assign(header, {
      flags: TcpFlag.Syn | TcpFlag.Urg,
      urgentPointer: 3,
      segSeq: -5,
      fastOpenAt: 100,
      fastOpenLength: 4,
    });
    const length = emitTcp(view, 0, header);
    parseTcp(view, 0, length + 10, header);
    expect(formatTcp(view, 0, header)).toBe('SU 4294967291:5(10) win 0 urg 3 <FO deadbeef,nop,nop>');
    bytesOf(view).set([253, 4, 0xab, 0xcd, 2, 0, 0, 0], 20);
    expect(formatTcp(view, 0, header)).toContain('<opt 253:abcd,malformed>');
    bytesOf(view).set([0], 20);
    expect(formatTcp(view, 0, header)).toContain('<eol>');
  });
});

describe('everything else', () => {
  test('ARP', () => {
    expect(line(ARP_REQUEST)).toBe('arp who-has 10.9.0.1 tell 10.9.0.2 (02:00:00:00:00:02)');
    const view = sharedView(42);
    emitEthernet(view, 0, 0xffff, -1, 0x0200, 1, EtherType.Arp);
    emitArpAnnouncement(view, 14, 0x0200, 1, 0x0a090001);
    expect(line(view)).toBe('arp announce 10.9.0.1 (02:00:00:00:00:01)');
    emitArp(view, 14, 2, 0x0200, 1, 0x0a090001, 0x0200, 2, 0x0a090002);
    expect(line(view)).toBe('arp reply 10.9.0.1 (02:00:00:00:00:01)');
    emitArp(view, 14, 8, 0x0200, 1, 0x0a090001, 0x0200, 2, 0x0a090002);
    expect(line(view)).toBe('arp operation 8 from 10.9.0.1 (02:00:00:00:00:01)');
    view.setUint8(14, 1);
    expect(line(view)).toBe('arp bad length 28');
  });

  test('UDP, fragments, other protocols and types', () => {
    expect(line(UDP_HELLO)).toBe('10.9.0.2:51784 > 10.9.0.1:53 udp (5)');
    expect(line(LAST_FRAGMENT)).toBe('10.9.0.2 > 10.9.0.1 fragment id 291 offset 1480 length 128');
    const view = sharedView(40);
    emitIpv4(view, 14, 0, 26, 0, 0, 1, IpProtocol.Esp, 1 << 24, 2 << 24);
    emitEthernet(view, 0, 0x0200, 1, 0x0200, 2, EtherType.Ipv4);
    expect(line(view)).toBe('1.0.0.0 > 2.0.0.0 protocol 50 length 6');
    view.setUint16(12, EtherType.Lldp);
    expect(line(view)).toBe('02:00:00:00:00:02 > 02:00:00:00:00:01 ethertype 0x88cc length 40');
  });

  test('ICMP with whom it is about', () => {
    expect(line(ECHO_REPLY)).toBe('10.9.0.2 > 10.9.0.1 icmp echo-reply id 77 seq 1 (32)');
    expect(line(PORT_UNREACHABLE)).toBe(
      '10.9.0.2 > 10.9.0.1 icmp unreachable port [10.9.0.1:5000 > 10.9.0.2:9999 udp]',
    );
    expect(line(NET_UNREACHABLE)).toContain('unreachable net [10.9.0.1:5000 > 10.9.5.1:9999 udp]');
    const tooBig = icmpAbout((v, at, from, n) => emitDestinationUnreachable(v, at, 4, 1400, from, n));
    expect(line(tooBig)).toBe(
      '10.9.0.99 > 10.9.0.2 icmp unreachable fragmentation needed mtu 1400 ' +
        '[10.9.0.2:38870 > 10.9.0.1:80 tcp seq 73724630]',
    );
    expect(line(icmpAbout((v, at, from) => emitTimeExceeded(v, at, 1, from, 24)))).toContain(
      'time exceeded reassembly [10.9.0.2 > 10.9.0.1 protocol 6]',
    );
    expect(line(icmpAbout((v, at, from) => emitTimeExceeded(v, at, 0, from, 8)))).toContain('transit [bad short]');
    expect(line(icmpAbout((v, at, from, n) => emitTimeExceeded(v, at, 0, from, n)))).toContain(
      'time exceeded transit [',
    );
    expect(line(icmpAbout((v, at, from, n) => emitParameterProblem(v, at, 9, 3, from, n)))).toContain(
      'problem code 9 at 3',
    );
    expect(line(icmpAbout((v, at) => emitIcmpEcho(v, at, IcmpType.Echo, 1, 2, 0)))).toContain(
      'icmp echo id 1 seq 2 (0)',
    );
    expect(line(icmpAbout((v, at) => emitIcmpEcho(v, at, 13, 1, 2, 0)))).toContain('icmp type 13 code 0 (0)');
  });

  test('VLAN tags, outermost first', () => {
    const view = sharedView(8 + RST.byteLength);
    bytesOf(view).set(bytesOf(RST), 8);
    insertTag(view, 8, RST.byteLength, tciOf(0, 0, 5));
    insertTag(view, 4, RST.byteLength + 4, tciOf(7, 0, 100), EtherType.ServiceVlan);
    expect(line(view)).toBe(`vlan 100 vlan 5 ${line(RST)}`);
    expect(formatFrame(view, 0, 18)).toBe('vlan 100 cut off in a vlan tag, length 18');
    expect(formatFrame(view, 0, 13)).toBe('short frame length 13');
  });

  test('names the reason when a packet is bad', () => {
    const bad = (at: number, value: number): string => {
      const view = viewOf(bytesOf(DATA));
      view.setUint8(at, value);
      return line(view);
    };
    expect(bad(14, 0x65)).toBe('ipv4 bad version length 70');
    expect(bad(22, 1)).toBe('ipv4 bad checksum length 70');
    expect(bad(46, 0x40)).toBe('10.9.0.2 > 10.9.0.1 tcp bad data offset');
    const udp = viewOf(bytesOf(UDP_HELLO));
    udp.setUint8(38, 1);
    expect(line(udp)).toBe('10.9.0.2 > 10.9.0.1 udp bad length');
    const icmp = viewOf(bytesOf(ECHO_REPLY));
    icmp.setUint8(50, 1);
    expect(line(icmp)).toBe('10.9.0.2 > 10.9.0.1 icmp bad checksum length 40');
  });

  test('any bytes: never a throw, never a look outside', () => {
    fc.assert(
      fc.property(hostileBytes([...IPV4_FRAMES, ARP_REQUEST], 100), bytes => {
        const text = parseBlind(bytes, (view, at, end) => formatFrame(view, at, end - at));
        expect(text).not.toContain('\n');
      }),
      { numRuns: 1000 },
    );
  });
});
