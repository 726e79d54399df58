/** UDP of the host (RFC 768, RFC 1122 4.1): who gets what, what is sent and what is refused, what the network says of it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { NetworkError } from '../../src/host/network-error.ts';
import { PathMtuDiscovery, type UdpSocket } from '../../src/host/udp-socket.ts';
import { hostStatistics } from '../../src/host/statistics.ts';
import { emitIcmpError, ICMP, IcmpType, UnreachableCode } from '../../src/wire/icmp.ts';
import { emitIcmpv6Error, Icmpv6Type, Unreachable6Code } from '../../src/wire/icmpv6.ts';
import { emitIpv4, IPV4, IPV4_BROADCAST, Ipv4Fragment, IpProtocol } from '../../src/wire/ipv4.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { pseudoHeaderSumAt } from '../../src/wire/ipv6.ts';
import { emitUdp, emitUdpHeader, UDP } from '../../src/wire/udp.ts';
import { HostFixture, ip, PEER, SERVER } from '../support/host-fixture.ts';
import { frame6 } from '../support/ipv6-frames.ts';
import { Ipv6Host, OWN, PEER6 } from '../support/ipv6-host.ts';

let fixture: HostFixture;
/** How often each socket was told that there is something. */
let told: Map<UdpSocket, number>;

beforeEach(() => {
  fixture = new HostFixture();
  fixture.introduce();
  told = new Map();
});

const udp = () => fixture.host.udp;

interface Bound {
  readonly version?: 0 | 4 | 6;
  readonly address?: number;
  readonly reuse?: boolean;
}

function open({ version = 4, reuse = false }: Bound = {}): UdpSocket {
  const owner = { ready: () => void told.set(socket, (told.get(socket) ?? 0) + 1) };
  const socket = udp().open(owner, version);
  socket.reuse = reuse;
  return socket;
}

function bound(port: number, options: Bound = {}): UdpSocket {
  const socket = open(options);
  expect(udp().bind(socket, options.address ?? 0, port)).toBe('');
  return socket;
}

function datagram(text: string, srcPort: number, dstPort: number, source = PEER, destination = SERVER): Uint8Array {
  const data = Buffer.from(text);
  const view = new DataView(new ArrayBuffer(UDP.headerLength + data.length));
  new Uint8Array(view.buffer).set(data, UDP.headerLength);
  emitUdp(view, 0, srcPort, dstPort, data.length, source, destination);
  return new Uint8Array(view.buffer);
}

interface From {
  readonly port?: number;
  readonly source?: number;
  readonly destination?: number;
  readonly broadcast?: boolean;
}

function receive(text: string, dstPort: number, from: From = {}): void {
  const { port = 9000, source = PEER, destination = SERVER, broadcast = false } = from;
  const payload = datagram(text, port, dstPort, source, destination);
  fixture.receiveIpv4({ payload, protocol: IpProtocol.Udp, source, destination, broadcast });
}

/** What the socket has, taken. */
function taken(socket: UdpSocket): string[] {
  const texts: string[] = [];
  for (let next = socket.take(); next !== undefined; next = socket.take()) {
    texts.push(`${udp().addresses.format(next.address)}:${next.port} ${next.bytes.toString('latin1')}`);
    udp().addresses.release(next.address);
  }
  return texts;
}

const send = (socket: UdpSocket, text: string, address = PEER, port = 9000) =>
  udp().output.send(socket, Buffer.from(text), address, port, null);

describe('demultiplexing (RFC 768)', () => {
  test('a datagram goes to the socket at its port, with where it is from', () => {
    const socket = bound(53);
    receive('question', 53);
    expect(told.get(socket)).toBe(1);
    expect(taken(socket)).toEqual(['10.0.0.16:9000 question']);
    expect(fixture.take()).toEqual([]);
    expect(fixture.receivePool.inUse).toBe(0);
  });

  test('of several, the one that says most about what it wants', () => {
    const any = bound(53, { reuse: true });
    const own = bound(53, { address: SERVER, reuse: true });
    const connected = bound(53, { address: SERVER, reuse: true });
    expect(udp().connect(connected, PEER, 9000, null)).toBe('');
    receive('a', 53);
    receive('b', 53, { port: 9001 });
    udp().close(own);
    receive('c', 53, { port: 9001 });
    expect([taken(connected), taken(any)]).toEqual([['10.0.0.16:9000 a'], ['10.0.0.16:9001 c']]);
  });

  test('a connected socket hears nobody else (RFC 1122 4.1.4)', () => {
    const socket = bound(53);
    udp().connect(socket, PEER, 9000, null);
    receive('other', 53, { port: 9001 });
    expect(socket.unread).toBe(0);
    expect(fixture.take()[0]).toContain('icmp unreachable port');
    udp().disconnect(socket);
    receive('again', 53, { port: 9001 });
    expect(taken(socket)).toEqual(['10.0.0.16:9001 again']);
  });

  test('a broadcast goes to all that are bound to no address, in a link-layer broadcast', () => {
    const sockets = [bound(67, { reuse: true }), bound(67, { reuse: true })];
    const own = bound(67, { reuse: true, address: SERVER });
    for (const destination of [IPV4_BROADCAST, ip('10.0.0.255')]) {
      receive('who', 67, { destination, broadcast: true });
    }
    expect(sockets.map(taken)).toEqual([
      ['10.0.0.16:9000 who', '10.0.0.16:9000 who'],
      ['10.0.0.16:9000 who', '10.0.0.16:9000 who'],
    ]);
    expect(own.unread).toBe(0);
    receive('nobody', 68, { destination: IPV4_BROADCAST, broadcast: true });
    expect(fixture.take()).toEqual([]);
  });

  test('fragments come as one datagram', () => {
    const socket = bound(53);
    const text = 'x'.repeat(3000);
    const whole = datagram(text, 9000, 53);
    const { Mf } = Ipv4Fragment;
    fixture.receiveIpv4({ payload: whole.subarray(1480), protocol: IpProtocol.Udp, fragment: 1480 >> 3 });
    fixture.receiveIpv4({ payload: whole.subarray(0, 1480), protocol: IpProtocol.Udp, fragment: Mf });
    expect(taken(socket)).toEqual([`10.0.0.16:9000 ${text}`]);
    expect(fixture.receivePool.inUse).toBe(0);
  });
});

describe('what is wrong is dropped in silence', () => {
  const damaged = (change: (view: DataView) => void): void => {
    const payload = datagram('data', 9000, 53);
    change(new DataView(payload.buffer));
    fixture.receiveIpv4({ payload, protocol: IpProtocol.Udp });
  };

  test('a length that is not that of the datagram (RFC 768)', () => {
    const socket = bound(53);
    for (const length of [7, 13]) damaged(view => view.setUint16(UDP.length, length));
    expect([socket.unread, udp().inErrors, udp().checksumErrors]).toEqual([0, 2, 0]);
  });

  test('a wrong checksum, but not the lack of one (RFC 1122 4.1.3.4)', () => {
    const socket = bound(53);
    damaged(view => view.setUint8(8, 1));
    expect([socket.unread, udp().inErrors, udp().checksumErrors]).toEqual([0, 1, 1]);
    damaged(view => view.setUint16(UDP.checksum, 0));
    expect(taken(socket)).toEqual(['10.0.0.16:9000 data']);
    // Nor is there an answer, though nobody listens there.
    udp().close(socket);
    damaged(view => view.setUint8(8, 1));
    expect(fixture.take()).toEqual([]);
  });

  test('a datagram shorter than IP says: the rest is no data of its', () => {
    const socket = bound(53);
    const padded = new Uint8Array(20);
    padded.set(datagram('data', 9000, 53));
    fixture.receiveIpv4({ payload: padded, protocol: IpProtocol.Udp });
    expect(taken(socket)).toEqual(['10.0.0.16:9000 data']);
  });
});

describe('nobody listens (RFC 1122 4.1.3.1)', () => {
  test('port unreachable, at a limited rate (RFC 1812 4.3.2.8)', () => {
    for (let i = 0; i < 20; i++) receive('hello', 99);
    const errors = fixture.take();
    expect(errors).toEqual(Array(6).fill(errors[0]));
    expect(errors[0]).toBe('10.0.0.1 > 10.0.0.16 icmp unreachable port [10.0.0.16:9000 > 10.0.0.1:99 udp]');
    expect([udp().noPorts, udp().inErrors]).toEqual([20, 0]);
  });
});

describe('the receive queue is bounded', () => {
  test('a flood costs what the socket allows, and the rest is dropped', () => {
    const socket = bound(53);
    socket.receiveBuffer = 10_000;
    for (let i = 0; i < 1000; i++) receive('x'.repeat(232), 53);
    expect([socket.unread, socket.dropped]).toEqual([10, 990]);
    expect([udp().received, udp().noRoom, udp().inErrors]).toEqual([10, 990, 990]);
    taken(socket);
    receive('later', 53);
    expect(taken(socket)).toEqual(['10.0.0.16:9000 later']);
  });

  test('empty datagrams take room too', () => {
    const socket = bound(53);
    for (let i = 0; i < 1000; i++) receive('', 53);
    expect(socket.unread).toBe(Math.floor(socket.receiveBuffer / 768));
  });

  test('one that is larger than the whole queue comes through an empty one', () => {
    const socket = bound(53);
    socket.receiveBuffer = 100;
    receive('x'.repeat(1000), 53);
    receive('', 53);
    expect([socket.unread, socket.dropped]).toEqual([1, 1]);
  });

  test('errors that nobody takes are few', () => {
    const socket = bound(53);
    udp().connect(socket, PEER, 9000, null);
    for (let i = 0; i < 100; i++) report(UnreachableCode.Port, 53, 9000);
    expect(socket.errorCount).toBe(16);
  });
});

describe('ports', () => {
  test('one has one owner, unless all of them share it', () => {
    const first = bound(53, { reuse: true });
    expect(udp().bind(open(), 0, 53)).toBe('EADDRINUSE');
    expect(udp().bind(open(), SERVER, 53)).toBe('EADDRINUSE');
    expect(udp().bind(open({ reuse: true }), SERVER, 53)).toBe('');
    expect(udp().bind(open({ version: 6 }), 0, 53)).toBe('');
    expect(udp().bind(open({ version: 0 }), 0, 53)).toBe('EADDRINUSE');
    udp().close(first);
    expect(udp().bind(open(), 0, 53)).toBe('EADDRINUSE');
    expect(udp().bind(open(), 0, 54)).toBe('');
  });

  test('different addresses do not meet', () => {
    fixture.host.addAddress(fixture.iface, ip('10.0.0.2'), 24);
    bound(53, { address: SERVER });
    expect(udp().bind(open(), ip('10.0.0.2'), 53)).toBe('');
    expect(udp().bind(open(), ip('10.0.0.3'), 53)).toBe('EADDRNOTAVAIL');
  });

  test('any that is free is a dynamic one, at random (RFC 6335 6, RFC 6056)', () => {
    const ports = Array.from({ length: 50 }, () => bound(0).localPort);
    expect(new Set(ports).size).toBe(50);
    expect(ports.every(port => port >= 49_152)).toBe(true);
    expect(ports.slice(1).some((port, i) => port < ports[i]!)).toBe(true);
  });

  test('there is an end to them', () => {
    for (let i = 0; i < 16_384; i++) bound(0);
    expect(udp().bind(open(), 0, 0)).toBe('EADDRINUSE');
  });

  test('a socket is bound once, and not after its end', () => {
    const socket = bound(53);
    expect(udp().bind(socket, 0, 54)).toBe('EINVAL');
    udp().close(socket);
    udp().close(socket);
    expect(udp().bind(socket, 0, 54)).toBe('EINVAL');
    expect([send(socket, 'x'), udp().connect(socket, PEER, 1, null)]).toEqual(['EINVAL', 'EINVAL']);
  });
});

describe('sending', () => {
  test('a datagram, with a checksum and DF, for it fits the path (RFC 1191)', () => {
    const socket = bound(53);
    expect(send(socket, 'answer')).toBe('');
    const frame = new DataView(fixture.frames[0]!.buffer);
    expect(frame.getUint16(14 + IPV4.fragment)).toBe(Ipv4Fragment.Df);
    expect(frame.getUint16(34 + UDP.checksum)).not.toBe(0);
    expect(Buffer.from(fixture.frames[0]!.subarray(42)).toString()).toBe('answer');
    expect(fixture.take()).toEqual(['10.0.0.1:53 > 10.0.0.16:9000 udp (6)']);
    expect(udp().output.sent).toBe(1);
  });

  test('a larger one in fragments, without DF; the same comes out again', () => {
    const socket = bound(53);
    const text = Array.from({ length: 3000 }, (_, i) => String.fromCharCode(i & 0x7f)).join('');
    expect(send(socket, text)).toBe('');
    const views = fixture.frames.map(frame => new DataView(frame.buffer));
    const offsets = views.map(view => view.getUint16(14 + IPV4.fragment));
    expect(offsets).toEqual([Ipv4Fragment.Mf, Ipv4Fragment.Mf | 185, 370]);
    const body = Buffer.concat(fixture.frames.map(frame => frame.subarray(34)));
    expect(body.subarray(8).toString('latin1')).toBe(text);
    expect(fixture.host.tx.inUse).toBe(0);
  });

  test('a socket that may have its datagrams cut, or not at all', () => {
    const socket = bound(53);
    socket.pathMtuDiscovery = PathMtuDiscovery.Dont;
    send(socket, 'x');
    expect(new DataView(fixture.frames[0]!.buffer).getUint16(14 + IPV4.fragment)).toBe(0);
    socket.pathMtuDiscovery = PathMtuDiscovery.Do;
    expect([send(socket, 'x'.repeat(1472)), send(socket, 'x'.repeat(1473))]).toEqual(['', 'EMSGSIZE']);
  });

  test('65,507 bytes are the most', () => {
    fixture = new HostFixture();
    fixture.introduce();
    const socket = bound(53);
    const most = Buffer.alloc(65_507);
    const result = (bytes: Uint8Array) => udp().output.send(socket, bytes, PEER, 9, null);
    expect([result(most), result(Buffer.alloc(65_508))]).toEqual(['', 'EMSGSIZE']);
    expect(fixture.take()).toHaveLength(45);
  });

  test('without buffers nothing goes, not even half', () => {
    const small = new HostFixture({ txBuffers: 4 });
    small.introduce();
    fixture = small;
    const socket = bound(53);
    expect(send(socket, 'x'.repeat(9000))).toBe('ENOBUFS');
    expect(small.take()).toEqual([]);
    expect([udp().output.discarded, small.host.tx.inUse]).toEqual([1, 0]);
  });

  test('TTL and TOS are the socket’s', () => {
    const socket = bound(53);
    socket.ttl = 3;
    socket.hasTtl = true;
    socket.tos = 0x48;
    send(socket, 'x');
    const view = new DataView(fixture.frames[0]!.buffer);
    expect([view.getUint8(14 + IPV4.ttl), view.getUint8(14 + IPV4.tos)]).toEqual([3, 0x48]);
  });

  test('not to nowhere, to itself, to groups, to port 0, unbound', () => {
    const socket = bound(53);
    const to = (address: string, port = 9): string => send(socket, 'x', ip(address), port);
    expect([to('192.0.2.1'), to('10.0.0.1'), to('224.0.0.1'), to('127.0.0.1'), to('10.0.0.16', 0)]).toEqual([
      'ENETUNREACH',
      'EADDRNOTAVAIL',
      'ENETUNREACH',
      'ENETUNREACH',
      'EINVAL',
    ]);
    expect(send(open(), 'x')).toBe('EINVAL');
    expect(fixture.take()).toEqual([]);
  });
});

describe('broadcast (RFC 1122 3.3.6)', () => {
  test('only for sockets that are meant to', () => {
    const socket = bound(68);
    expect([send(socket, 'x', IPV4_BROADCAST), send(socket, 'x', ip('10.0.0.255'))]).toEqual(['EACCES', 'EACCES']);
    expect(udp().connect(socket, IPV4_BROADCAST, 67, null)).toBe('EACCES');
    socket.broadcast = true;
    expect([send(socket, 'x', IPV4_BROADCAST), send(socket, 'x', ip('10.0.0.255'))]).toEqual(['', '']);
    // At once, to all of the link: nobody is asked for an address.
    expect(fixture.frames.map(frame => Buffer.from(frame.subarray(0, 6)).toString('hex'))).toEqual([
      'ffffffffffff',
      'ffffffffffff',
    ]);
    expect(fixture.take()).toEqual([
      '10.0.0.1:68 > 255.255.255.255:9000 udp (1)',
      '10.0.0.1:68 > 10.0.0.255:9000 udp (1)',
    ]);
  });

  test('a default route does not lead them away, not even when routes go', () => {
    const { paths } = fixture.network;
    paths.routes.add(0, 0, PEER, fixture.iface);
    const socket = bound(68);
    socket.broadcast = true;
    send(socket, 'x', IPV4_BROADCAST);
    paths.removeRoute(SERVER, 24, fixture.iface);
    send(socket, 'x', IPV4_BROADCAST);
    send(socket, 'x', ip('10.0.0.255'));
    expect(new Set(fixture.frames.map(frame => frame[0]))).toEqual(new Set([0xff]));
  });

  test('nobody can claim the address of all (RFC 1122 3.2.1.3)', () => {
    const socket = bound(68);
    socket.broadcast = true;
    send(socket, 'x', ip('10.0.0.255'));
    for (const address of ['10.0.0.255', '255.255.255.255']) fixture.arp(2, ip(address), 66, SERVER);
    fixture.take();
    send(socket, 'x', ip('10.0.0.255'));
    send(socket, 'x', IPV4_BROADCAST);
    expect(fixture.frames.map(frame => frame[0])).toEqual([0xff, 0xff]);
  });

  test('TCP connects to one host (RFC 9293 MUST-46)', () => {
    const { tli } = fixture.host;
    for (const address of ['255.255.255.255', '10.0.0.255', '224.0.0.1']) expect(tli.sourceFor(ip(address))).toBe(0);
  });
});

/** An error about a datagram that `LOCAL:srcPort` sent to the peer. */
function report(
  code: number,
  srcPort: number,
  dstPort: number,
  options: { type?: number; mtu?: number; fragment?: number } = {},
): void {
  const { type = IcmpType.DestinationUnreachable, mtu = 0, fragment = 0 } = options;
  const view = new DataView(new ArrayBuffer(256));
  emitIpv4(view, 100, 0, 1500, 1, fragment, 60, IpProtocol.Udp, SERVER, PEER);
  view.setUint16(120, srcPort);
  view.setUint16(122, dstPort);
  const length = emitIcmpError(view, 0, type, code, mtu, 100, IPV4.headerLength + 8);
  expect(length).toBe(ICMP.headerLength + IPV4.headerLength + 8);
  fixture.receiveIpv4({ payload: new Uint8Array(view.buffer, 0, length), protocol: IpProtocol.Icmp });
}

describe('errors (RFC 1122 4.1.3.3)', () => {
  const errors = (socket: UdpSocket): string[] => {
    const names: string[] = [];
    for (let next = socket.takeError(); next !== undefined; next = socket.takeError()) {
      const name = Object.entries(NetworkError).find(([, value]) => value === next!.error)![0];
      names.push(`${name} ${udp().addresses.format(next.address)}:${next.port}`);
    }
    return names;
  };

  test('a connected socket hears that nobody listens there', () => {
    const socket = bound(53);
    udp().connect(socket, PEER, 9000, null);
    report(UnreachableCode.Port, 53, 9000);
    expect(told.get(socket)).toBe(1);
    expect(errors(socket)).toEqual(['PortUnreachable 10.0.0.16:9000']);
  });

  test('one that is not connected does not, nor a connected one of what may pass, unless it asks for it', () => {
    const connected = bound(53);
    const free = bound(54);
    udp().connect(connected, PEER, 9000, null);
    report(UnreachableCode.Host, 53, 9000);
    report(UnreachableCode.Port, 54, 9000);
    expect([errors(connected), errors(free)]).toEqual([[], []]);
    connected.reportsAllErrors = true;
    free.reportsAllErrors = true;
    report(UnreachableCode.Host, 53, 9000);
    report(UnreachableCode.Port, 54, 9000);
    expect([errors(connected), errors(free)]).toEqual([
      ['HostUnreachable 10.0.0.16:9000'],
      ['PortUnreachable 10.0.0.16:9000'],
    ]);
  });

  test('not of datagrams that were not its, nor of what was behind a first fragment', () => {
    const socket = bound(53);
    udp().connect(socket, PEER, 9000, null);
    report(UnreachableCode.Port, 53, 9001);
    report(UnreachableCode.Port, 52, 9000);
    report(UnreachableCode.Port, 53, 9000, { fragment: 185 });
    expect(errors(socket)).toEqual([]);
  });

  test('fragmentation needed: larger datagrams go in smaller pieces from then on (RFC 1191)', () => {
    const socket = bound(53);
    send(socket, 'x'.repeat(1400));
    report(UnreachableCode.FragmentationNeeded, 53, 9000, { mtu: 1000 });
    fixture.take();
    send(socket, 'x'.repeat(1400));
    expect(fixture.frames.map(frame => frame.length)).toEqual([14 + 996, 14 + 20 + 8 + 1400 - 976]);
    // Not for a datagram that nobody here can have sent.
    report(UnreachableCode.FragmentationNeeded, 55, 9000, { mtu: 600 });
    fixture.take();
    send(socket, 'x'.repeat(900));
    expect(fixture.take()).toHaveLength(1);
  });

  test('which is the error of a datagram that must stay whole', () => {
    const socket = bound(53);
    udp().connect(socket, PEER, 9000, null);
    socket.pathMtuDiscovery = PathMtuDiscovery.Do;
    report(UnreachableCode.FragmentationNeeded, 53, 9000, { mtu: 1000 });
    expect(errors(socket)).toEqual(['MessageTooBig 10.0.0.16:9000']);
    expect([send(socket, 'x'.repeat(972)), send(socket, 'x'.repeat(973))]).toEqual(['', 'EMSGSIZE']);
  });
});

describe('the same over IPv6', () => {
  let host: Ipv6Host;
  const peer = (): number => host.host.addresses.internWords(parseIpv6Address(PEER6)!);

  beforeEach(() => {
    host = new Ipv6Host();
    host.introduce6();
    host.introduce();
    fixture = host;
  });

  function receive6(text: string, dstPort: number, options: { destination?: string; checksum?: boolean } = {}): void {
    const { destination = OWN, checksum = true } = options;
    const { view, u8 } = host.memory;
    host.frame(at => {
      const end = frame6(view, at, host.ends(destination), IpProtocol.Udp, to => {
        u8.set(Buffer.from(text), to + UDP.headerLength);
        return UDP.headerLength + text.length;
      });
      const size = UDP.headerLength + text.length;
      const pseudo = pseudoHeaderSumAt(view, at + 14, IpProtocol.Udp, size);
      emitUdpHeader(view, at + 54, 9000, dstPort, text.length, pseudo);
      if (!checksum) view.setUint16(at + 54 + UDP.checksum, 0);
      return end;
    });
  }

  test('a socket of both versions hears both; who only speaks one hears that', () => {
    const both = bound(53, { version: 0 });
    const four = bound(54);
    const six = bound(55, { version: 6 });
    for (const port of [53, 54, 55]) {
      receive('four', port);
      receive6('six', port);
    }
    expect(taken(both)).toEqual(['10.0.0.16:9000 four', `${PEER6}:9000 six`]);
    expect([taken(four), taken(six)]).toEqual([['10.0.0.16:9000 four'], [`${PEER6}:9000 six`]]);
    expect(host.take().filter(line => line.includes('unreachable'))).toHaveLength(2);
  });

  test('to all nodes, to all sockets that are bound to no address', () => {
    const any = bound(53, { version: 6 });
    receive6('all', 53, { destination: 'ff02::1' });
    expect(taken(any)).toEqual([`${PEER6}:9000 all`]);
  });

  test('a checksum is a must (RFC 8200 8.1)', () => {
    const socket = bound(53, { version: 6 });
    receive6('x', 53, { checksum: false });
    expect([socket.unread, udp().checksumErrors]).toEqual([0, 1]);
  });

  test('addresses are known as long as a datagram waits, and no longer', () => {
    const socket = bound(53, { version: 6 });
    const { inUse } = host.host.addresses;
    for (let i = 0; i < 3; i++) receive6('x', 53);
    const number = socket.take()!.address;
    expect(udp().addresses.format(number)).toBe(PEER6);
    udp().addresses.release(number);
    udp().close(socket);
    expect(host.host.addresses.inUse).toBe(inUse);
  });

  test('sends, whole and in fragments (RFC 8200 4.5), with the link’s hop limit', () => {
    const socket = bound(53, { version: 6 });
    const number = peer();
    host.on.hopLimit = 33;
    expect(send(socket, 'hi', number)).toBe('');
    expect(host.frames[0]![14 + 7]).toBe(33);
    expect(host.take()).toEqual([`[${OWN}]:53 > [${PEER6}]:9000 udp (2)`]);
    expect(send(socket, 'x'.repeat(3000), number)).toBe('');
    expect(host.take()).toHaveLength(3);
    udp().addresses.release(number);
  });

  /** An error about our datagram; `isCut`: it went in fragments, and this was the first. */
  function report6(type: number, code: number, rest: number, isCut = false): void {
    const ends = host.ends(OWN);
    const back = { ...ends, source: OWN, destination: PEER6 };
    host.message(ends, at => {
      const { view } = host.memory;
      const quoteAt = at + 512;
      const length = frame6(view, quoteAt, back, isCut ? 44 : IpProtocol.Udp, to => {
        let head = to;
        if (isCut) {
          view.setInt32(to, (IpProtocol.Udp << 24) | 1);
          view.setInt32(to + 4, 77);
          head += 8;
        }
        view.setUint16(head, 53);
        view.setUint16(head + 2, 9000);
        view.setInt32(head + 4, 0);
        return head + 8 - to;
      });
      return emitIcmpv6Error(view, at, type, code, rest, quoteAt + 14, length - 14);
    });
  }

  test('errors: port unreachable, packet too big, also about the first of our fragments', () => {
    const socket = bound(53, { version: 6 });
    const number = peer();
    expect(udp().connect(socket, number, 9000, null)).toBe('');
    udp().addresses.release(number);
    report6(Icmpv6Type.DestinationUnreachable, Unreachable6Code.Port, 0);
    expect(socket.takeError()?.error).toBe(NetworkError.PortUnreachable);
    send(socket, 'x'.repeat(1400), number);
    host.take();
    report6(Icmpv6Type.PacketTooBig, 0, 1300, true);
    send(socket, 'x'.repeat(1300), number);
    expect(host.take()).toHaveLength(2);
  });

  test('no socket of one version sends to the other', () => {
    const number = peer();
    expect(send(bound(53), 'x', number)).toBe('EAFNOSUPPORT');
    expect(send(bound(54, { version: 6 }), 'x', PEER)).toBe('EAFNOSUPPORT');
    expect(udp().bind(open(), host.numberOf(OWN), 99)).toBe('EAFNOSUPPORT');
    udp().addresses.release(number);
  });
});

test('statistics count datagrams and fragments (RFC 4113, RFC 4293)', () => {
  const socket = bound(53);
  receive('x', 53);
  receive('x', 54);
  const whole = datagram('x'.repeat(100), 9000, 53);
  fixture.receiveIpv4({ payload: whole.subarray(80), protocol: IpProtocol.Udp, fragment: 10 });
  fixture.receiveIpv4({ payload: whole.subarray(0, 80), protocol: IpProtocol.Udp, fragment: Ipv4Fragment.Mf });
  send(socket, 'x'.repeat(3000));
  expect(hostStatistics(fixture.host)).toMatchObject({
    udpInDatagrams: 2,
    udpNoPorts: 1,
    udpInErrors: 0,
    udpOutDatagrams: 1,
    ipReasmReqds: 2,
    ipReasmOKs: 1,
    ipReasmFails: 0,
    ipFragOKs: 1,
    ipFragCreates: 3,
  });
});
