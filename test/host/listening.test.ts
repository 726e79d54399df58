/** The queues of a listener, and SYN cookies when they are full (RFC 9293 3.10.1, RFC 4987): one host, any number of peers. */
import { describe, expect, test } from 'vitest';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import type { ListenOptions } from '../../src/host/listeners.ts';
import { TcpConstFlag, TcpState } from '../../src/tcp/tcb.ts';
import { TcpFlag, type TcpHeader } from '../../src/wire/tcp.ts';
import { type Peer, peer, PORT, RawWire, type RawWireOptions, type SegmentFields } from '../support/raw-wire.ts';

const { Syn, Ack, Rst } = TcpFlag;

/** Takes what comes; accepts when told. */
class Application implements TliHandler {
  readonly connections: TliConnection[] = [];
  readonly ended_: number[] = [];
  received_ = 0;

  connected(connection: TliConnection): void {
    this.connections.push(connection);
  }
  received(_connection: TliConnection, _address: number, length: number): number {
    this.received_ += length;
    return length;
  }
  ended(): void {}
  sent(): void {}
  closed(_connection: TliConnection, reason: number): void {
    this.ended_.push(reason);
  }
}

function serve(options: RawWireOptions = {}, listen: ListenOptions = {}) {
  const wire = new RawWire(options);
  const application = new Application();
  wire.call(() => wire.host.tli.listen(PORT, application, listen));
  const { counters } = wire.host.transport.listeners;
  return { wire, application, counters };
}

const SYN: SegmentFields = { flags: Syn, segSeq: 1000, mss: 1460 };

function ackOf(synAck: TcpHeader, from: SegmentFields = SYN): SegmentFields {
  const echo = synAck.hasTimestamp ? { hasTimestamp: true, tsVal: 5, tsEcr: synAck.tsVal } : {};
  return { flags: Ack, segSeq: (from.segSeq! + 1) | 0, segAck: (synAck.segSeq + 1) | 0, ...echo };
}

/** The peer's half of a handshake; the SYN,ACK. */
function open(wire: RawWire, from: Peer, syn: SegmentFields = SYN): TcpHeader {
  wire.send(from, syn);
  const synAck = wire.takeOne(from);
  wire.send(from, ackOf(synAck, syn));
  return synAck;
}

describe('the SYN queue', () => {
  test('holds as many handshakes as the backlog says; without cookies further SYNs are dropped and come again', () => {
    const { wire, application, counters } = serve({ tcp: { synCookies: 'off' } }, { backlog: 2 });
    for (let n = 1; n <= 4; n++) wire.send(peer(n), SYN);
    expect(wire.take().map(({ to }) => to)).toEqual([peer(1), peer(2)]);
    expect(counters.listenDrops).toBe(2);
    // One leaves by a reset, another one finds its place.
    wire.send(peer(1), { flags: Rst, segSeq: 1001 });
    open(wire, peer(3));
    expect(application.connections).toHaveLength(1);
  });

  test('is never more than half of the table', () => {
    const { wire, counters } = serve({ connections: 16 });
    for (let n = 1; n <= 40; n++) wire.send(peer(n), SYN);
    expect(wire.take()).toHaveLength(40);
    expect(wire.host.transport.table.inUse).toBe(8);
    expect(counters.syncookiesSent).toBe(32);
  });

  test('a handshake that is not completed gives its place back', () => {
    const { wire, application } = serve({ tcp: { synCookies: 'off' } }, { backlog: 1 });
    wire.send(peer(1), SYN);
    wire.run(400_000);
    wire.take();
    expect(wire.host.transport.table.inUse).toBe(0);
    open(wire, peer(2));
    expect(application.connections).toHaveLength(1);
  });
});

describe('the accept queue', () => {
  test('full, the ACK of a handshake is ignored, and so are SYNs; accepted, the next one comes in', () => {
    const { wire, application, counters } = serve({}, { backlog: 0, acceptsLater: true });
    wire.send(peer(1), SYN);
    // A backlog of 0 has no room for a handshake: each is by cookie, and one connection may wait.
    wire.send(peer(1), ackOf(wire.takeOne(peer(1))));
    expect(application.connections).toHaveLength(1);
    wire.send(peer(2), SYN);
    expect(wire.take(peer(2))).toEqual([]);
    expect([counters.listenOverflows, counters.listenDrops]).toEqual([1, 1]);
    wire.call(() => application.connections[0]!.accept());
    open(wire, peer(2));
    expect(application.connections).toHaveLength(2);
  });

  test('an ACK that was ignored is not lost: SYN,ACK is sent again, and the next ACK counts', () => {
    const { wire, application, counters } = serve({}, { backlog: 1, acceptsLater: true });
    // Three begin while there is room: two at a time may wait, the third has its place in the SYN queue.
    open(wire, peer(1));
    wire.send(peer(2), SYN);
    const second = wire.takeOne(peer(2));
    wire.put(peer(2), ackOf(second));
    wire.send(peer(3), SYN);
    expect(application.connections).toHaveLength(2);
    expect(wire.take(peer(3))).toEqual([]);
    wire.call(() => application.connections[0]!.accept());
    wire.send(peer(3), SYN);
    const third = wire.takeOne(peer(3));
    open(wire, peer(4));
    // Two wait: what comes now is too much.
    wire.send(peer(3), ackOf(third));
    expect(counters.listenOverflows).toBe(2);
    wire.call(() => application.connections[1]!.accept());
    wire.run(1500);
    wire.send(peer(3), ackOf(wire.takeOne(peer(3))));
    expect(application.connections.map(({ remoteAddress }) => remoteAddress)).toEqual(
      [1, 2, 4, 3].map(n => peer(n).address),
    );
  });

  test('one that ends before it is accepted leaves its place', () => {
    const { wire, application } = serve({}, { backlog: 0, acceptsLater: true });
    const synAck = open(wire, peer(1));
    wire.send(peer(1), { flags: Rst, segSeq: 1001, segAck: synAck.segSeq + 1 });
    expect(application.ended_).toHaveLength(1);
    open(wire, peer(2));
    expect(application.connections).toHaveLength(2);
  });
});

describe('cookies (RFC 4987 3.6)', () => {
  test('nothing is kept of the SYN, and the connection is as without them', () => {
    const { wire, application, counters } = serve({ tcp: { synCookies: 'always' } });
    const syn: SegmentFields = { ...SYN, windowScale: 7, hasTimestamp: true, tsVal: 1 };
    wire.send(peer(1), syn);
    expect(wire.host.transport.table.inUse).toBe(0);
    const synAck = wire.takeOne(peer(1));
    expect(synAck).toMatchObject({ flags: Syn | Ack, segAck: 1001, mss: 1460, hasTimestamp: true });
    expect(synAck.windowScale).toBeGreaterThanOrEqual(0);
    wire.run(5000);
    expect(wire.take()).toEqual([]);
    wire.send(peer(1), { ...ackOf(synAck, syn), window: 100, payload: 'hello' });
    expect([application.connections.length, application.received_]).toEqual([1, 5]);
    const tcb = wire.host.transport.at(application.connections[0]!.slot);
    expect([tcb.state, tcb.sndWindScale, tcb.sndWnd, tcb.remoteMss]).toEqual([TcpState.Established, 7, 12_800, 1460]);
    expect(tcb.constFlags & TcpConstFlag.WindowScaling).not.toBe(0);
    // The cookie's timestamp carries options: it is no sample.
    expect(tcb.srtt).toBe(0);
    expect([counters.syncookiesSent, counters.syncookiesRecv]).toEqual([1, 1]);
  });

  test('without timestamps nothing is offered that could not be remembered', () => {
    const { wire, application } = serve({ tcp: { synCookies: 'always' } });
    const synAck = open(wire, peer(1), { ...SYN, windowScale: 7, sackPermitted: true, mss: 1400 });
    expect(synAck).toMatchObject({ windowScale: -1, sackPermitted: false, hasTimestamp: false });
    const tcb = wire.host.transport.at(application.connections[0]!.slot);
    expect([tcb.constFlags, tcb.remoteMss, tcb.initialRcvWnd]).toEqual([0, 1300, 65_535]);
  });

  test('an ACK that nobody asked for is reset; while cookies are out it is not: it may stand behind text that was lost', () => {
    const { wire, application, counters } = serve({ tcp: { synCookies: 'always' } });
    const stray: SegmentFields = { flags: Ack, segSeq: 7, segAck: 99 };
    wire.send(peer(1), stray);
    expect(wire.takeOne(peer(1))).toMatchObject({ flags: Rst, segSeq: 99 });
    expect(counters.syncookiesFailed).toBe(0);
    wire.send(peer(2), SYN);
    wire.take();
    wire.send(peer(1), stray);
    expect(wire.take()).toEqual([]);
    expect([counters.syncookiesFailed, application.connections.length]).toEqual([1, 0]);
  });

  test('a cookie is worth nothing to another address, nor after two minutes', () => {
    const { wire, application } = serve({ tcp: { synCookies: 'always' } });
    wire.send(peer(1), SYN);
    const ack = ackOf(wire.takeOne(peer(1)));
    wire.send(peer(2), ack);
    expect(wire.take()).toEqual([]);
    wire.run(180_000);
    wire.send(peer(1), ack);
    expect(wire.takeOne(peer(1)).flags).toBe(Rst);
    expect(application.connections).toEqual([]);
  });
});

describe('a flood of SYNs (RFC 4987 2.2)', () => {
  test.each([
    ['with timestamps', { windowScale: 7, sackPermitted: true, hasTimestamp: true, tsVal: 9 }],
    ['without', { windowScale: 7, sackPermitted: true }],
  ] as const)('takes no more than the SYN queue, and clients %s come through', (_what, options) => {
    const { wire, application } = serve({ connections: 64 }, { backlog: 16 });
    const { table } = wire.host.transport;
    const syn: SegmentFields = { ...SYN, ...options };
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 50; n++) wire.put(peer(1000 + round * 50 + n), { ...SYN, segSeq: round * n });
      wire.run(1);
      expect(table.inUse).toBeLessThanOrEqual(16 + round);
      wire.take();
      const client = peer(1 + round);
      const synAck = open(wire, client, syn);
      wire.send(client, { ...ackOf(synAck, syn), payload: 'GET /' });
      expect(wire.take(client).every(({ header }) => (header.flags & Rst) === 0)).toBe(true);
    }
    expect(application.connections).toHaveLength(20);
    expect(application.received_).toBe(20 * 5);
    // Over, and forgotten.
    wire.run(400_000);
    expect(table.inUse).toBe(20);
  });
});
