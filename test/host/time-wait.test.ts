/** TIME-WAIT makes room for the next connection of the same pair of addresses (RFC 9293 3.6.1, RFC 6191). */
import { describe, expect, test } from 'vitest';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import { TcpState } from '../../src/tcp/tcb.ts';
import type { TcpParams } from '../../src/tcp/params.ts';
import { TcpFlag, type TcpHeader } from '../../src/wire/tcp.ts';
import { peer, PORT, RawWire, type SegmentFields } from '../support/raw-wire.ts';

const { Syn, Ack, Fin } = TcpFlag;
const CLIENT = peer(1);
const ISS = 1000;

class Application implements TliHandler {
  readonly connections: TliConnection[] = [];
  connected(connection: TliConnection): void {
    this.connections.push(connection);
  }
  received(_connection: TliConnection, _address: number, length: number): number {
    return length;
  }
  ended(): void {}
  sent(): void {}
  closed(): void {}
}

/** Timestamps of the peer's at one time. */
type Clock = (echo: number) => SegmentFields;
const stamped =
  (tsVal: number): Clock =>
  tsEcr => ({ hasTimestamp: true, tsVal, tsEcr });
const plain: Clock = () => ({});

interface Waiting {
  readonly wire: RawWire;
  readonly application: Application;
  /** Of the server's SYN,ACK, and its SND.NXT at the end. */
  readonly synAck: TcpHeader;
  readonly sndNxt: number;
}

/** A connection that the server has closed first: it is in TIME-WAIT, RCV.NXT is ISS + 2. */
function inTimeWait(clock: Clock, tcp: Partial<TcpParams> = {}): Waiting {
  const wire = new RawWire({ tcp });
  const application = new Application();
  wire.call(() => wire.host.tli.listen(PORT, application));
  wire.send(CLIENT, { flags: Syn, segSeq: ISS, mss: 1460, ...clock(0) });
  const synAck = wire.takeOne(CLIENT);
  const segAck = (synAck.segSeq + 1) | 0;
  wire.send(CLIENT, { flags: Ack, segSeq: ISS + 1, segAck, ...clock(synAck.tsVal) });
  wire.call(() => application.connections[0]!.disconnect());
  const fin = wire.takeOne(CLIENT);
  const sndNxt = (fin.segSeq + 1) | 0;
  wire.send(CLIENT, { flags: Ack | Fin, segSeq: ISS + 1, segAck: sndNxt, ...clock(fin.tsVal) });
  wire.take();
  const { transport } = wire.host;
  expect(transport.at(application.connections[0]!.slot).state).toBe(TcpState.TimeWait);
  return { wire, application, synAck, sndNxt };
}

/** Sends a SYN; the answer. */
function again({ wire }: Waiting, segSeq: number, options: SegmentFields): TcpHeader {
  wire.send(CLIENT, { flags: Syn, segSeq, mss: 1460, ...options });
  return wire.takeOne(CLIENT);
}

describe('a SYN in TIME-WAIT', () => {
  test('with a higher number begins a new connection, whose ISN is beyond that of the old one (RFC 9293 MAY-2)', () => {
    const waiting = inTimeWait(plain);
    const { wire, application, sndNxt } = waiting;
    const answer = again(waiting, ISS + 3, {});
    expect(answer).toMatchObject({ flags: Syn | Ack, segAck: ISS + 4, segSeq: (sndNxt + 65_537) | 0 });
    wire.send(CLIENT, { flags: Ack, segSeq: ISS + 4, segAck: (answer.segSeq + 1) | 0 });
    expect(application.connections).toHaveLength(2);
    expect(wire.host.transport.table.inUse).toBe(1);
  });

  test.each([ISS + 2, ISS, ISS - 5])('with number %i is an old one: an ACK tells what is expected', segSeq => {
    const waiting = inTimeWait(plain);
    const answer = again(waiting, segSeq, {});
    expect(answer).toMatchObject({ flags: Ack, segAck: ISS + 2, segSeq: waiting.sndNxt });
    expect(waiting.application.connections).toHaveLength(1);
  });

  test('with a later timestamp begins anew whatever its number (RFC 9293 SHLD-4, RFC 6191 2)', () => {
    const waiting = inTimeWait(stamped(500));
    const answer = again(waiting, ISS - 5_000_000, { hasTimestamp: true, tsVal: 501 });
    expect(answer).toMatchObject({ flags: Syn | Ack, segAck: ISS - 4_999_999, tsEcr: 501 });
    // RFC 7323 7.1: one clock for the pair, so that the peer may do the same.
    expect((answer.tsVal - waiting.synAck.tsVal) | 0).toBeGreaterThanOrEqual(0);
  });

  test('with an earlier timestamp is refused even if its number is higher: PAWS', () => {
    const waiting = inTimeWait(stamped(500));
    expect(again(waiting, ISS + 5000, { hasTimestamp: true, tsVal: 499 }).flags).toBe(Ack);
  });

  test('begins anew although the SYN queue is full: the peer is real', () => {
    const waiting = inTimeWait(plain, { synCookies: 'always' });
    const { wire } = waiting;
    again(waiting, ISS + 3, {});
    expect(wire.host.transport.table.inUse).toBe(1);
    expect(wire.host.transport.listeners.counters.syncookiesSent).toBe(1);
  });

  test('where nobody listens any more is only acknowledged', () => {
    const waiting = inTimeWait(plain);
    waiting.wire.call(() => waiting.wire.host.tli.unlisten(PORT));
    expect(again(waiting, ISS + 3, {}).flags).toBe(Ack);
  });
});

describe('an active open to a pair in TIME-WAIT (RFC 6191 2)', () => {
  const connect = ({ wire, application }: Waiting): TliConnection | null =>
    wire.call(() => wire.host.tli.connect(CLIENT.address, CLIENT.port, application, PORT));

  test('takes it once the peer’s timestamps are more than a second old', () => {
    const waiting = inTimeWait(stamped(500));
    const { wire, sndNxt, application } = waiting;
    wire.run(1000);
    expect(connect(waiting)).toBeNull();
    wire.run(1);
    expect(connect(waiting)).not.toBeNull();
    const syn = wire.takeOne(CLIENT);
    expect(syn).toMatchObject({ flags: Syn, segSeq: (sndNxt + 65_537) | 0 });
    wire.send(CLIENT, { flags: Syn | Ack, segSeq: 9, segAck: (syn.segSeq + 1) | 0, ...stamped(1600)(syn.tsVal) });
    expect(application.connections).toHaveLength(2);
    expect(wire.host.transport.table.inUse).toBe(1);
  });

  test.each([
    ['without timestamps', plain, {}],
    ['when that is not wanted', stamped(500), { timeWaitReuse: false }],
  ] as const)('never takes it %s', (_what, clock, tcp) => {
    const waiting = inTimeWait(clock, tcp);
    waiting.wire.run(30_000);
    expect(connect(waiting)).toBeNull();
    waiting.wire.run(31_000);
    expect(connect(waiting)).not.toBeNull();
  });
});
