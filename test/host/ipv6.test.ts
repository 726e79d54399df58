/** IPv6 of the host: what it takes (RFC 8200), how it answers (RFC 4443), fragments (RFC 8200 4.5), TCP above. */
import { describe, expect, test } from 'vitest';
import { checksumOf, onesComplementSum } from '../../src/wire/checksum.ts';
import { emitIcmpv6Echo, emitIcmpv6Error, Icmpv6Header, Icmpv6Type, parseIcmpv6 } from '../../src/wire/icmpv6.ts';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import { NextHeader, pseudoHeaderSumAt } from '../../src/wire/ipv6.ts';
import { OffloadState } from '../../src/offload/offload-state.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { frame6, icmp6, tcp6, tcp6Sum } from '../support/ipv6-frames.ts';
import { Ipv6Host, OWN, OWN_LINK_LOCAL, PEER6 } from '../support/ipv6-host.ts';

function ready(): Ipv6Host {
  const host = new Ipv6Host();
  host.introduce6();
  return host;
}

const echo = (host: Ipv6Host, data: number, destination = OWN, source = PEER6): void =>
  host.message(host.ends(destination, source), at => {
    host.memory.u8.fill(7, at + 8, at + 8 + data);
    return emitIcmpv6Echo(host.memory.view, at, Icmpv6Type.EchoRequest, 3, 4, data);
  });

describe('ICMPv6 echo (RFC 4443 4.2)', () => {
  test('is answered with the data, from the address that was asked', () => {
    const host = ready();
    echo(host, 16);
    expect(host.frames.at(-1)!.slice(-16)).toEqual(new Uint8Array(16).fill(7));
    expect(host.take()).toEqual([`${OWN} > ${PEER6} icmpv6 echo-reply id 3 seq 4 (16)`]);
  });

  test('to all nodes, from an address of ours (RFC 4443 2.2)', () => {
    const host = ready();
    echo(host, 16, 'ff02::1');
    expect(host.take()).toEqual([`${OWN} > ${PEER6} icmpv6 echo-reply id 3 seq 4 (16)`]);
    echo(host, 16, 'ff02::1', 'fe80::2');
    host.advertises('fe80::2', { destination: OWN_LINK_LOCAL });
    expect(host.take().at(-1)).toBe(`${OWN_LINK_LOCAL} > fe80::2 icmpv6 echo-reply id 3 seq 4 (16)`);
  });

  test('a damaged one is not', () => {
    const host = ready();
    host.frame(at => {
      const length = frame6(host.memory.view, at, host.ends(OWN), NextHeader.Icmpv6, to =>
        emitIcmpv6Echo(host.memory.view, to, Icmpv6Type.EchoRequest, 3, 4, 0),
      );
      return length;
    });
    expect(host.take()).toEqual([]);
    expect(host.network.ipv6.icmp.checksumErrors).toBe(1);
  });
});

describe('what is for us (RFC 4291 2.8)', () => {
  test.each([
    ['another node', 'fd00::99', PEER6],
    ['a group that we have not joined', 'ff02::5', PEER6],
    ['us, from a group', OWN, 'ff02::1'],
    ['us, from the loopback (RFC 4291 2.5.3)', OWN, '::1'],
    ['us, from an IPv4 address in disguise (RFC 4942 2.2)', OWN, '::ffff:10.0.0.9'],
  ])('not a packet to %s', (_what, destination, source) => {
    const host = ready();
    echo(host, 0, destination, source);
    expect(host.take()).toEqual([]);
    expect(host.network.ipv6.input.addressErrors).toBe(1);
    expect(host.receivePool.inUse).toBe(0);
  });

  test('not one for a single node in a frame for many', () => {
    const host = ready();
    host.message({ ...host.ends(OWN), dstMac: [0x3333, 1] }, at =>
      emitIcmpv6Echo(host.memory.view, at, Icmpv6Type.EchoRequest, 3, 4, 0),
    );
    expect(host.take()).toEqual([]);
  });

  test('an interface without IPv6 drops everything', () => {
    const host = ready();
    host.iface.ipv6 = null;
    echo(host, 0);
    expect([host.take(), host.framing.dropped, host.receivePool.inUse]).toEqual([[], 1, 0]);
  });

  test('strangers are remembered no longer than it takes to answer them', () => {
    const host = ready();
    const before = host.host.addresses.inUse;
    host.packet(host.ends('fd00::99', 'fd00::1234'), NextHeader.None, new Uint8Array());
    host.packet(host.ends(OWN, 'fd00::1234'), NextHeader.None, new Uint8Array());
    expect(host.host.addresses.inUse).toBe(before);
  });
});

describe('errors (RFC 4443 2.4, 3)', () => {
  const OPTION = (type: number): Uint8Array => Uint8Array.of(NextHeader.None, 0, type, 4, 0, 0, 0, 0);

  test('a protocol that nobody speaks: parameter problem 1, where its number stands', () => {
    const host = ready();
    host.packet(host.ends(OWN), 200, new Uint8Array(8));
    expect(host.take()).toEqual([
      `${OWN} > ${PEER6} icmpv6 parameter problem next header at 6 [[${PEER6}] > [${OWN}] protocol 200]`,
    ]);
  });

  test.each([
    [
      'a datagram: port unreachable (RFC 4443 3.1)',
      0x01bc,
      [`${OWN} > ${PEER6} icmpv6 unreachable port [[${PEER6}]:7 > [${OWN}]:9 udp]`],
    ],
    ['one without a checksum (RFC 8200 8.1): nothing', 0, []],
    ['a damaged one: nothing', 0x01bd, []],
  ])('UDP, to which nobody listens: %s', (_what, checksum, answer) => {
    const host = ready();
    host.packet(
      host.ends(OWN),
      IpProtocol.Udp,
      Uint8Array.of(0, 7, 0, 9, 0, 12, checksum >> 8, checksum & 255, 1, 2, 3, 4),
    );
    expect(host.take()).toEqual(answer);
  });

  test('an option that asks for it: parameter problem 2, from a group as well if it says so', () => {
    const host = ready();
    host.packet(host.ends(OWN), NextHeader.DestinationOptions, OPTION(0x9e));
    expect(host.take()).toEqual([
      `${OWN} > ${PEER6} icmpv6 parameter problem option at 42 [[${PEER6}] > [${OWN}] protocol 60]`,
    ]);
    host.packet(host.ends('ff02::1'), NextHeader.DestinationOptions, OPTION(0x9e));
    expect(host.take()).toHaveLength(1);
    host.packet(host.ends('ff02::1'), NextHeader.DestinationOptions, OPTION(0xde));
    host.packet(host.ends(OWN), NextHeader.DestinationOptions, OPTION(0x5e));
    expect(host.take()).toEqual([]);
  });

  test('no next header asks for nothing (RFC 8200 4.7)', () => {
    const host = ready();
    host.packet(host.ends(OWN), NextHeader.None, new Uint8Array(8));
    expect(host.take()).toEqual([]);
  });

  test('at a limited rate (RFC 4443 2.4 (f))', () => {
    const host = ready();
    for (let i = 0; i < 20; i++) host.packet(host.ends(OWN), 200, new Uint8Array(8));
    expect(host.take()).toHaveLength(6);
  });

  test('quote as much as fits in 1,280 bytes', () => {
    const host = ready();
    host.packet(host.ends(OWN), 200, new Uint8Array(1400).fill(5));
    expect(host.frames.at(-1)!.length).toBe(14 + 1280);
  });
});

describe('fragments (RFC 8200 4.5)', () => {
  /** One fragment of a message; the first has 8 bytes of fragment header in front, as all do. */
  function fragment(host: Ipv6Host, bytes: Uint8Array, offset: number, more: boolean, id = 1, source = PEER6): void {
    const header = Uint8Array.of(NextHeader.Icmpv6, 0, offset >> 8, (offset & 0xf8) | (more ? 1 : 0), 0, 0, 0, id);
    host.packet(host.ends(OWN, source), NextHeader.Fragment, Uint8Array.of(...header, ...bytes));
  }

  /** A whole echo request, checksum and all. */
  function request(data: number): Uint8Array {
    const view = new DataView(new ArrayBuffer(48 + data));
    parseIpv6Address(PEER6)!.forEach((word, i) => view.setInt32(8 + 4 * i, word));
    parseIpv6Address(OWN)!.forEach((word, i) => view.setInt32(24 + 4 * i, word));
    for (let i = 0; i < data; i++) view.setUint8(48 + i, i & 0xff);
    emitIcmpv6Echo(view, 40, Icmpv6Type.EchoRequest, 3, 4, data);
    const sum = onesComplementSum(view, 40, 8 + data, pseudoHeaderSumAt(view, 0, NextHeader.Icmpv6, 8 + data));
    view.setUint16(42, checksumOf(sum));
    return new Uint8Array(view.buffer).slice(40);
  }

  test('in any order, are put together; what does not fit goes back in fragments', () => {
    const host = ready();
    const whole = request(3000);
    fragment(host, whole.slice(2400), 2400, false);
    fragment(host, whole.slice(0, 1200), 0, true);
    expect(host.take()).toEqual([]);
    fragment(host, whole.slice(1200, 2400), 1200, true);
    expect(host.take()).toEqual([
      expect.stringMatching(/^fd00::1 > fd00::2 fragment id \d+ offset 0 length 1448 more$/),
      expect.stringMatching(/offset 1448 length 1448 more$/),
      expect.stringMatching(/offset 2896 length 112$/),
    ]);
    expect([host.receivePool.inUse, host.host.tx.inUse]).toEqual([0, 0]);
  });

  test('a whole packet with a fragment header waits for nobody (RFC 6946 4)', () => {
    const host = ready();
    fragment(host, request(8), 0, false);
    expect(host.take()).toEqual([`${OWN} > ${PEER6} icmpv6 echo-reply id 3 seq 4 (8)`]);
    // Not even one in another.
    const inner = Uint8Array.of(NextHeader.Icmpv6, 0, 0, 0, 0, 0, 0, 1, ...request(8));
    host.packet(host.ends(OWN), NextHeader.Fragment, Uint8Array.of(NextHeader.Fragment, 0, 0, 0, 0, 0, 0, 1, ...inner));
    expect(host.take()).toEqual([]);
  });

  test('that overlap are dropped, with all of their packet (RFC 5722 4)', () => {
    const host = ready();
    const whole = request(100);
    fragment(host, whole.slice(0, 56), 0, true);
    fragment(host, whole.slice(48, 64), 48, true);
    fragment(host, whole.slice(56), 56, false);
    expect(host.take()).toEqual([]);
    expect(host.network.ipv6.input.reassembler.overlaps).toBe(1);
  });

  test('whose others do not come in a minute are given up, and the sender is told', () => {
    const host = ready();
    fragment(host, request(100).slice(0, 56), 0, true);
    host.step(59_900);
    expect(host.take()).toEqual([]);
    host.step(200);
    host.advertises(PEER6);
    expect(host.take().filter(text => text.includes('time exceeded'))).toEqual([
      `${OWN} > ${PEER6} icmpv6 time exceeded reassembly [[${PEER6}] > [${OWN}] protocol 58]`,
    ]);
    expect(host.receivePool.inUse).toBe(0);
  });

  test('of two senders are not mixed, though one takes the other’s place in the table', () => {
    const host = ready();
    const whole = request(100);
    fragment(host, whole.slice(0, 56), 0, true, 1, 'fd00::a');
    const [a, b] = ['fd00::a', 'fd00::b'].map(text => host.numberOf(text));
    expect([a !== 0, b]).toEqual([true, 0]);
    fragment(host, whole.slice(56), 56, false, 1, 'fd00::b');
    expect(host.network.ipv6.input.reassembler.datagrams).toBe(2);
    host.step(61_000);
    host.pass(4000);
    expect(host.numberOf('fd00::b')).toBe(0);
  });

  test('carry no neighbor discovery (RFC 6980 5)', () => {
    const host = ready();
    host.take();
    const bytes = new Uint8Array(32);
    bytes[0] = Icmpv6Type.NeighborSolicitation;
    bytes.set(new Uint8Array(Int32Array.from(parseIpv6Address(OWN)!).buffer), 8);
    fragment(host, bytes.slice(0, 16), 0, true);
    fragment(host, bytes.slice(16), 16, false);
    expect(host.take()).toEqual([]);
  });
});

describe('TCP over IPv6', () => {
  const SYN = { srcPort: 5000, dstPort: 80, seq: 100, ack: 0, flags: TcpFlag.Syn };

  test('a SYN for nobody is reset, from the address it came to', () => {
    const host = ready();
    host.frame(at => tcp6(host.memory.view, at, host.ends(OWN), SYN));
    const frame = host.frames.at(-1)!;
    expect(host.take()).toEqual([`[${OWN}]:80 > [${PEER6}]:5000 R. 0:0(0) ack 101 win 0`]);
    const view = new DataView(frame.buffer);
    expect(tcp6Sum(view, 14, frame.length)).toBe(0xffff);
  });

  test('a listener answers with an MSS of MTU - 60 (RFC 8200 8.3), a flow label (RFC 6437 3), and the link’s hop limit', () => {
    const host = ready();
    host.on.hopLimit = 33;
    host.host.transport.listen(80, {});
    host.frame(at => tcp6(host.memory.view, at, host.ends(OWN), SYN));
    const frame = new DataView(host.frames.at(-1)!.buffer);
    expect(host.take()[0]).toMatch(/^\[fd00::1\]:80 > \[fd00::2\]:5000 S\. \d+:\d+\(0\) ack 101 win \d+ <mss 1440>$/);
    expect(frame.getUint32(14) & 0xfffff).not.toBe(0);
    expect(frame.getUint8(14 + 7)).toBe(33);
    expect(tcp6Sum(frame, 14, frame.byteLength)).toBe(0xffff);
  });

  test('a peer that says no MSS takes 1,220 bytes (RFC 9293 MUST-15)', () => {
    const host = ready();
    host.host.transport.listen(80, {});
    host.frame(at => tcp6(host.memory.view, at, host.ends(OWN), SYN));
    const slot = host.host.transport.table.lookup(host.numberOf(PEER6), 5000, host.numberOf(OWN), 80, 0);
    expect(host.host.transport.at(slot).effectiveMss).toBe(1220);
  });

  test('"packet too big" about it narrows the path; what no path can be like does not (RFC 8201 4)', () => {
    const host = ready();
    host.host.transport.listen(80, {});
    host.frame(at => tcp6(host.memory.view, at, host.ends(OWN), SYN));
    const quoted = host.frames.at(-1)!.slice(14);
    const slot = host.host.transport.table.lookup(host.numberOf(PEER6), 5000, host.numberOf(OWN), 80, 0);
    const path = host.network.path(host.host.transport.at(slot).path);
    const tooBig = (mtu: number): number => {
      host.message(host.ends(OWN, 'fe80::99'), at => {
        host.memory.u8.set(quoted, at + 600);
        return emitIcmpv6Error(host.memory.view, at, Icmpv6Type.PacketTooBig, 0, mtu, at + 600, quoted.length);
      });
      return path.mtu;
    };
    expect(tooBig(1279)).toBe(1500);
    expect(tooBig(1400)).toBe(1400);
    expect(tooBig(1450)).toBe(1400);
    expect(tooBig(1280)).toBe(1280);
  });

  test('of a connection on a device only what the device could look at is believed (RFC 5927 4.1)', () => {
    const host = ready();
    host.host.transport.listen(80, {});
    host.frame(at => tcp6(host.memory.view, at, host.ends(OWN), SYN));
    const quoted = host.frames.at(-1)!.slice(14);
    const slot = host.host.transport.table.lookup(host.numberOf(PEER6), 5000, host.numberOf(OWN), 80, 0);
    const tcb = host.host.transport.at(slot);
    const path = host.network.path(tcb.path);
    tcb.offloadState = OffloadState.Offloaded;
    const ends = host.ends(OWN, 'fe80::99');
    const emit = (at: number, quote: Uint8Array): number => {
      host.memory.u8.set(quote, at + 600);
      return emitIcmpv6Error(host.memory.view, at, Icmpv6Type.PacketTooBig, 0, 1400, at + 600, quote.length);
    };
    // Behind an extension header, and about a packet with one.
    host.frame(at => {
      const { view } = host.memory;
      const inner = icmp6(view, at + 8, ends, to => emit(to, quoted)) - 54;
      return frame6(view, at, ends, NextHeader.DestinationOptions, to => {
        view.setUint32(to, (NextHeader.Icmpv6 << 24) | 0x0104);
        view.setUint32(to + 4, 0);
        return 8 + inner;
      });
    });
    expect(host.network.ipv6.icmp.errorsReceived).toBe(1);
    const stuffed = Uint8Array.of(...quoted.slice(0, 40), IpProtocol.Tcp, 0, 1, 4, 0, 0, 0, 0, ...quoted.slice(40));
    stuffed[6] = NextHeader.DestinationOptions;
    stuffed[5] = stuffed.length - 40;
    host.message(ends, at => emit(at, stuffed));
    expect([host.network.ipv6.icmp.errorsReceived, path.mtu]).toEqual([2, 1500]);
    expect(host.host.transport.errors!.outOfWindow).toBe(2);
    host.message(ends, at => emit(at, quoted));
    expect(path.mtu).toBe(1400);
    tcb.offloadState = OffloadState.InHost;
  });
});

test('every answer has a right checksum', () => {
  const host = ready();
  echo(host, 100);
  host.packet(host.ends(OWN), 200, new Uint8Array(8));
  host.solicits(OWN);
  for (const frame of host.frames) {
    const view = new DataView(frame.buffer);
    const length = frame.length - 54;
    const pseudo = pseudoHeaderSumAt(view, 14, NextHeader.Icmpv6, length);
    expect(parseIcmpv6(view, 54, frame.length, pseudo, new Icmpv6Header())).toBe(0);
  }
  expect(host.frames.length).toBe(3);
});
