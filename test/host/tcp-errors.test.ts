/** ICMP errors while connecting (RFC 1122 4.2.3.9, RFC 5927), and what a path that was learned means to segments (RFC 1191). */
import { beforeEach, describe, expect, test } from 'vitest';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import { CloseReason } from '../../src/tcp/effects.ts';
import { emitIcmpError, ICMP, IcmpType, UnreachableCode } from '../../src/wire/icmp.ts';
import { emitIpv4, IPV4, Ipv4Fragment, IpProtocol } from '../../src/wire/ipv4.ts';
import { emitTcp, fillTcpChecksum, TcpFlag, TcpHeader } from '../../src/wire/tcp.ts';
import { HostFixture, PEER, SERVER } from '../support/host-fixture.ts';

const PORT = 7;
const LOCAL_PORT = 4000;
const PEER_ISS = 1000;

let fixture: HostFixture;
let events: string[];
let connection: TliConnection;

const handler: TliHandler = {
  connected: () => events.push('connected'),
  received: (_connection, _address, length) => length,
  ended: () => {},
  sent: () => {},
  closed: ({ networkError }, reason) => {
    const name = Object.entries(CloseReason).find(([, value]) => value === reason)![0];
    events.push(`closed ${name} ${networkError}`);
  },
};

beforeEach(() => {
  fixture = new HostFixture();
  fixture.introduce();
  events = [];
});

function connect(): number {
  fixture.take();
  connection = fixture.host.tli.connect(PEER, PORT, handler, LOCAL_PORT)!;
  fixture.step(0);
  const [frame] = fixture.frames;
  fixture.take();
  return new DataView(frame!.buffer).getInt32(14 + 20 + 4);
}

/** An error about a segment of the connection with this sequence number. */
function report(code: number, seq: number, quoted = 8, mtu = 0, type: number = IcmpType.DestinationUnreachable): void {
  const view = new DataView(new ArrayBuffer(ICMP.headerLength + IPV4.headerLength + quoted + 64));
  const quoteAt = ICMP.headerLength + IPV4.headerLength + quoted;
  const whole = new DataView(new ArrayBuffer(256));
  emitIpv4(whole, 100, 0, 1500, 1, Ipv4Fragment.Df, 60, IpProtocol.Tcp, SERVER, PEER);
  whole.setUint16(120, LOCAL_PORT);
  whole.setUint16(122, PORT);
  whole.setInt32(124, seq);
  const length = emitIcmpError(whole, 0, type, code, mtu, 100, IPV4.headerLength + quoted);
  expect(length).toBe(quoteAt);
  new Uint8Array(view.buffer).set(new Uint8Array(whole.buffer, 0, length));
  fixture.receiveIpv4({ payload: new Uint8Array(view.buffer, 0, length), protocol: IpProtocol.Icmp });
}

function segment(flags: number, segAck: number, mss = -1): void {
  const header = new TcpHeader();
  header.srcPort = PORT;
  header.dstPort = LOCAL_PORT;
  header.flags = flags;
  header.segSeq = (flags & TcpFlag.Syn) !== 0 ? PEER_ISS : PEER_ISS + 1;
  header.segAck = segAck;
  header.window = 60_000;
  header.mss = mss;
  const view = new DataView(new ArrayBuffer(64));
  const length = emitTcp(view, 0, header);
  fillTcpChecksum(view, 0, length, PEER, SERVER);
  fixture.receiveIpv4({ payload: new Uint8Array(view.buffer, 0, length), protocol: IpProtocol.Tcp });
}

describe('while connecting (RFC 1122 4.2.3.9, RFC 5461 3)', () => {
  test.each([
    [UnreachableCode.Net, 'ENETUNREACH'],
    [UnreachableCode.Host, 'EHOSTUNREACH'],
    [UnreachableCode.Protocol, 'ENOPROTOOPT'],
    [UnreachableCode.Port, 'ECONNREFUSED'],
    [UnreachableCode.HostUnknown, 'EHOSTDOWN'],
    [UnreachableCode.CommunicationProhibited, 'EHOSTUNREACH'],
  ])('unreachable, code %i, ends the attempt: %s', (code, name) => {
    report(code, connect());
    expect(events).toEqual([`closed Unreachable ${name}`]);
    expect(fixture.host.transport.table.inUse).toBe(0);
  });

  test('so do "time exceeded" and "parameter problem"', () => {
    report(0, connect(), 8, 0, IcmpType.TimeExceeded);
    report(0, connect(), 8, 0, IcmpType.ParameterProblem);
    expect(events).toEqual(['closed Unreachable EHOSTUNREACH', 'closed Unreachable EPROTO']);
  });

  test('what quotes no number of ours, or too little to show one, and source quench, is not believed (RFC 5927 4.1, RFC 6633)', () => {
    const iss = connect();
    report(UnreachableCode.Host, (iss - 1) | 0);
    report(UnreachableCode.Host, (iss + 2) | 0);
    report(UnreachableCode.Host, iss, 7);
    report(0, iss, 8, 0, IcmpType.SourceQuench);
    expect([events, connection.networkError]).toEqual([[], '']);
    expect(fixture.host.transport.errors!.outOfWindow).toBe(2);
    segment(TcpFlag.Syn | TcpFlag.Ack, (iss + 1) | 0);
    expect(events).toEqual(['connected']);
  });

  test('nobody at the next hop is as if a router had said that the host is unreachable', () => {
    fixture = new HostFixture();
    connection = fixture.host.tli.connect(PEER, PORT, handler, LOCAL_PORT)!;
    for (let i = 0; i < 10; i++) fixture.step(1000);
    expect(events).toEqual(['closed Unreachable EHOSTUNREACH']);
  });
});

describe('established', () => {
  test('an error is soft, and the reason when nothing gets through any more (RFC 1122 4.2.3.9)', () => {
    fixture = new HostFixture({ tcp: { ...fixture.config.tcp, retransmissionsMax: 2 } });
    fixture.introduce();
    const iss = connect();
    segment(TcpFlag.Syn | TcpFlag.Ack, (iss + 1) | 0);
    connection.write(new Uint8Array(10), 1);
    fixture.step(0);
    report(UnreachableCode.Net, (iss + 1) | 0);
    expect(events).toEqual(['connected']);
    for (let i = 0; i < 20; i++) fixture.step(1000);
    expect(events).toEqual(['connected', 'closed TimedOut ENETUNREACH']);
  });
});

describe('the path MTU', () => {
  const sizes = (): number[] =>
    fixture.frames.map(frame => new DataView(frame.buffer).getUint16(14 + IPV4.totalLength));
  const dontFragment = (): boolean[] =>
    fixture.frames.map(frame => (new DataView(frame.buffer).getUint16(14 + IPV4.fragment) & Ipv4Fragment.Df) !== 0);

  test('that one connection has learned is the next one’s from its first segment on (RFC 1191 6.4)', () => {
    let iss = connect();
    segment(TcpFlag.Syn | TcpFlag.Ack, (iss + 1) | 0, 1460);
    connection.write(new Uint8Array(1460), 1);
    report(UnreachableCode.FragmentationNeeded, (iss + 1) | 0, 8, 1000);
    connection.abort();
    fixture.step(0);
    iss = connect();
    segment(TcpFlag.Syn | TcpFlag.Ack, (iss + 1) | 0, 1460);
    fixture.take();
    connection.write(new Uint8Array(1460), 1);
    fixture.step(0);
    expect(sizes()[0]).toBe(1000);
  });

  test('below 552 is not believed; routers may cut what is sent there (Linux’s min_pmtu)', () => {
    const iss = connect();
    segment(TcpFlag.Syn | TcpFlag.Ack, (iss + 1) | 0, 1460);
    connection.write(new Uint8Array(1000), 1);
    fixture.step(0);
    expect([sizes().at(-1), dontFragment().at(-1)]).toEqual([1040, true]);
    fixture.take();
    report(UnreachableCode.FragmentationNeeded, (iss + 1) | 0, 8, 68);
    expect([sizes()[0], dontFragment()[0]]).toEqual([552, false]);
    const { paths } = fixture.network;
    expect([...paths].map(({ mtu }) => mtu)).toEqual([552]);
    fixture.step(600_000);
    expect([...paths].map(({ mtu }) => mtu)).toEqual([1500]);
    expect(paths.ticksUntilNext()).toBe(-1);
  });

  test('is none of the business of a connection whose datagrams may be cut (IP_PMTUDISC_DONT)', () => {
    const iss = connect();
    segment(TcpFlag.Syn | TcpFlag.Ack, (iss + 1) | 0, 1460);
    connection.setMayFragment(true);
    fixture.take();
    connection.write(new Uint8Array(1460), 1);
    fixture.step(0);
    expect([sizes(), dontFragment()]).toEqual([[1500], [false]]);
    fixture.take();
    report(UnreachableCode.FragmentationNeeded, (iss + 1) | 0, 8, 1000);
    connection.setNoDelay(true);
    connection.write(new Uint8Array(1460), 1);
    fixture.step(0);
    // The host cuts what the path is known not to take.
    expect([sizes(), dontFragment()]).toEqual([
      [996, 524],
      [false, false],
    ]);
  });
});
