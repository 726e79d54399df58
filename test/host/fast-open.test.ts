/** TCP Fast Open (RFC 7413) on the host: cookies, text on SYNs both ways, and what happens when it does not work. */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import { FastOpenServer } from '../../src/host/fast-open-server.ts';
import { Listener, type ListenOptions } from '../../src/host/listeners.ts';
import type { OpenOptions } from '../../src/host/open-options.ts';
import type { OffloadPolicy } from '../../src/host/policy/offload-policy.ts';
import { CloseReason } from '../../src/tcp/effects.ts';
import { TcpFastOpen } from '../../src/tcp/fast-open.ts';
import { DEFAULT_TCP_PARAMS, type TcpParams } from '../../src/tcp/params.ts';
import { type Tcb, TcpState } from '../../src/tcp/tcb.ts';
import { AddressTable } from '../../src/wire/address-table.ts';
import { parseIpv4Address } from '../../src/wire/ipv4-text.ts';
import { TcpFlag, TcpHeader } from '../../src/wire/tcp.ts';
import { type Peer, peer, PORT, RawWire, type SegmentFields, type Taken } from '../support/raw-wire.ts';

const { Syn, Ack, Rst, Psh, Fin } = TcpFlag;
const { Client, Server } = TcpFastOpen;

class Application implements TliHandler {
  readonly connections: TliConnection[] = [];
  readonly events: string[] = [];
  text = '';
  readonly #wire: RawWire;

  constructor(wire: RawWire) {
    this.#wire = wire;
  }
  connected(connection: TliConnection): void {
    this.connections.push(connection);
    this.events.push('connected');
  }
  received(_connection: TliConnection, address: number, length: number): number {
    this.text += Buffer.from(this.#wire.sim.memory.u8.slice(address, address + length)).toString();
    this.events.push(`received ${length}`);
    return length;
  }
  ended(): void {
    this.events.push('ended');
  }
  sent(_connection: TliConnection, cookie: number): void {
    this.events.push(`sent ${cookie}`);
  }
  closed(_connection: TliConnection, reason: number): void {
    this.events.push(`closed ${reason}`);
  }
}

const P = peer(1);
const SYN: SegmentFields = { flags: Syn, segSeq: 1000, mss: 1460 };

function server(tcp: Partial<TcpParams> = {}, listen: ListenOptions = { fastOpenMax: 2 }, policy?: OffloadPolicy) {
  const wire = new RawWire({
    tcp: { fastOpen: Client | Server, timestamps: false, ...tcp },
    ...(policy === undefined ? {} : { policy }),
  });
  const application = new Application(wire);
  wire.call(() => wire.host.tli.listen(PORT, application, listen));
  return { wire, application, counters: wire.host.transport.fastOpen.counters };
}

/** What the server gives out on request. */
function cookieFor(wire: RawWire, from: Peer): string {
  wire.send(from, { ...SYN, segSeq: 7, fastOpen: '' });
  const [synAck] = wire.take(from);
  wire.send(from, { flags: Rst, segSeq: 8 });
  return synAck!.fastOpen!;
}

const one = (wire: RawWire, to: Peer): Taken => {
  const taken = wire.take(to);
  expect(taken).toHaveLength(1);
  return taken[0]!;
};

describe('a server', () => {
  test('gives a cookie to who asks, of 8 bytes, another one to each address; the handshake is an ordinary one', () => {
    const { wire, application, counters } = server();
    const cookies = [1, 2].map(n => cookieFor(wire, peer(n)));
    expect(cookies.map(cookie => cookie.length)).toEqual([16, 16]);
    expect(cookies[0]).not.toBe(cookies[1]);
    expect(cookieFor(wire, P)).toBe(cookies[0]);
    expect([application.events, counters.cookieReqd]).toEqual([[], 3]);
  });

  test('takes the text of a SYN with its cookie, and answers before the handshake is complete (RFC 7413 4.2.2)', () => {
    const { wire, application } = server();
    const cookie = cookieFor(wire, P);
    wire.send(P, { ...SYN, fastOpen: cookie, payload: 'question' });
    const synAck = one(wire, P);
    expect(synAck.header).toMatchObject({ flags: Syn | Ack, segAck: 1009 });
    expect(synAck.fastOpen).toBeUndefined();
    expect([application.text, application.events]).toEqual(['question', ['connected', 'received 8']]);
    const [connection] = application.connections;
    wire.call(() => connection!.write(Buffer.from('answer'), 1));
    const answer = one(wire, P);
    expect([answer.payload, answer.header.segSeq]).toEqual(['answer', (synAck.header.segSeq + 1) | 0]);
    const tcb = wire.host.transport.at(connection!.slot);
    expect(tcb.state).toBe(TcpState.SynReceived);
    wire.send(P, { flags: Ack, segSeq: 1009, segAck: (synAck.header.segSeq + 7) | 0 });
    expect([tcb.state, tcb.sndUna]).toEqual([TcpState.Established, (synAck.header.segSeq + 7) | 0]);
    expect(application.events.slice(2)).toEqual(['sent 1']);
  });

  test('sends SYN,ACK again, and nothing else, until it is acknowledged; then the text', () => {
    const { wire, application } = server();
    wire.send(P, { ...SYN, fastOpen: cookieFor(wire, P), payload: 'question' });
    const { segSeq } = one(wire, P).header;
    wire.call(() => application.connections[0]!.write(Buffer.from('answer'), 1));
    wire.take(P);
    wire.run(3500);
    expect(wire.take(P).map(({ header: { flags }, fastOpen }) => [flags, fastOpen])).toEqual([
      [Syn | Ack, undefined],
      [Syn | Ack, undefined],
    ]);
    wire.send(P, { flags: Ack, segSeq: 1009, segAck: (segSeq + 1) | 0 });
    wire.run(3000);
    expect(wire.take(P)[0]).toMatchObject({ payload: 'answer', header: { segSeq: (segSeq + 1) | 0 } });
  });

  test('without text the connection is open at once all the same, and text that follows is taken', () => {
    const { wire, application } = server();
    wire.send(P, { ...SYN, fastOpen: cookieFor(wire, P) });
    const { segSeq } = one(wire, P).header;
    expect(application.events).toEqual(['connected']);
    wire.send(P, { flags: Ack | Psh | Fin, segSeq: 1001, segAck: (segSeq + 1) | 0, payload: 'late' });
    expect(application.events).toEqual(['connected', 'received 4', 'ended']);
  });

  test.each([
    ['of another address', (wire: RawWire) => cookieFor(wire, peer(2))],
    ['that somebody made up', () => '0123456789abcdef'],
    ['too short', () => '01234567'],
  ])('a cookie %s: only the SYN is acknowledged, with the right cookie (RFC 7413 4.2.2)', (_what, cookie) => {
    const { wire, application, counters } = server();
    wire.send(P, { ...SYN, fastOpen: cookie(wire), payload: 'question' });
    const synAck = one(wire, P);
    expect([synAck.header.segAck, application.events, counters.passiveFail]).toEqual([1001, [], 1]);
    expect(synAck.fastOpen).toBe(cookieFor(wire, peer(1, 5002)));
  });

  test('answers in the form that the peer has used (RFC 7413 7)', () => {
    const { wire, application } = server();
    wire.send(P, { ...SYN, fastOpen: '', old: true });
    const { header, fastOpen } = one(wire, P);
    expect(header.isFastOpenOld).toBe(true);
    wire.send(P, { flags: Rst, segSeq: 1001 });
    wire.send(P, { ...SYN, fastOpen: fastOpen!, old: true, payload: 'hi' });
    expect(application.text).toBe('hi');
  });

  test.each([
    ['that is not to', { fastOpen: Client }, { fastOpenMax: 2 }],
    ['whose listener does not want it', {}, {}],
  ] as const)('%s says nothing of it', (_what, tcp, listen) => {
    const { wire } = server(tcp, listen);
    wire.send(P, { ...SYN, fastOpen: '', payload: 'question' });
    const synAck = one(wire, P);
    expect([synAck.fastOpen, synAck.header.segAck]).toEqual([undefined, 1001]);
  });

  test('where all listeners do, or no cookie is needed', () => {
    const all = server({ fastOpen: Server | TcpFastOpen.AllListeners }, { backlog: 4 });
    expect(cookieFor(all.wire, P)).toHaveLength(16);
    const free = server({ fastOpen: Server | TcpFastOpen.ServerNoCookie });
    free.wire.send(P, { ...SYN, payload: 'question' });
    expect([one(free.wire, P).header.segAck, free.application.text]).toEqual([1009, 'question']);
  });

  test('a listener may have a key of its own (TCP_FASTOPEN_KEY)', () => {
    const key = [1, 2, 3, 4];
    const ofHost = cookieFor(server({ fastOpenKey: key }).wire, P);
    const ofListener = cookieFor(server({}, { fastOpenMax: 1, fastOpenKey: key }).wire, P);
    expect(ofListener).toBe(ofHost);
    expect(cookieFor(server().wire, P)).not.toBe(ofHost);
  });

  test.each([
    ['192.0.2.1', '192.168.0.1', [0xa1a1a1a1, 0xb2b2b2b2, 0xc3c3c3c3, 0xd4d4d4d4], '3021b9d889017eeb'],
    ['10.248.0.2', '192.168.0.2', [0xa0bf63f7, 0xed803d81, 0xcd641d30, 0xcebc4a90], '00abaaabe8e954c2'],
  ])('has the cookies of Linux: %s to %s', (from, to, fastOpenKey, cookie) => {
    const params = { ...DEFAULT_TCP_PARAMS, fastOpen: Server, fastOpenKey };
    const fastOpen = new FastOpenServer(params, new Prng(1), new AddressTable(1));
    const tcb = { remoteAddress: parseIpv4Address(from), localAddress: parseIpv4Address(to) } as Tcb;
    const asks = Object.assign(new TcpHeader(), { fastOpenLength: 0 });
    expect(fastOpen.accepts(new Listener(PORT, { fastOpenMax: 1 }), tcb, asks, new Uint8Array(0))).toBe(false);
    expect(Buffer.from(fastOpen.answer.bytes.subarray(0, fastOpen.answer.length)).toString('hex')).toBe(cookie);
  });

  test('limits those that are not confirmed (RFC 7413 5.1); a handshake or an end makes room', () => {
    const { wire, application, counters } = server({}, { fastOpenMax: 2 });
    const cookies = [1, 2, 3, 4].map(n => cookieFor(wire, peer(n)));
    const opens = (n: number): boolean => {
      wire.send(peer(n), { ...SYN, fastOpen: cookies[n - 1]!, payload: 'x' });
      return one(wire, peer(n)).header.segAck === 1002;
    };
    const before = counters.listenOverflow;
    expect([opens(1), opens(2), opens(3)]).toEqual([true, true, false]);
    expect(counters.listenOverflow - before).toBe(1);
    const { sndMax } = wire.host.transport.at(application.connections[0]!.slot);
    wire.send(peer(1), { flags: Ack, segSeq: 1002, segAck: sndMax });
    expect(opens(4)).toBe(true);
    wire.send(peer(2), { flags: Rst, segSeq: 1002 });
    wire.send(peer(3), { flags: Rst, segSeq: 1001 });
    expect(opens(3)).toBe(true);
  });

  test('a reset ends it, after its text was seen; a close with text unread resets', () => {
    const { wire, application } = server();
    const cookie = cookieFor(wire, P);
    wire.send(P, { ...SYN, fastOpen: cookie, payload: 'question' });
    wire.send(P, { flags: Rst, segSeq: 1009 });
    expect(application.events).toEqual(['connected', 'received 8', `closed ${CloseReason.Reset}`]);
    expect(wire.host.transport.table.inUse).toBe(0);
  });

  test('is no device’s before its handshake is complete, and text of its SYN acknowledged', () => {
    const policy: OffloadPolicy = { name: 'all', batchUs: 0, holdsData: false, wants: () => true };
    const { wire } = server({}, { fastOpenMax: 2 }, policy);
    wire.send(P, { ...SYN, fastOpen: cookieFor(wire, P), payload: 'question' });
    const { segSeq } = one(wire, P).header;
    wire.run(500);
    expect(wire.host.chimney.offloaded).toBe(0);
    wire.send(P, { flags: Ack, segSeq: 1009, segAck: (segSeq + 1) | 0 });
    wire.run(10);
    expect(wire.host.chimney.offloaded).toBe(1);
  });
});

describe('a client', () => {
  function client(tcp: Partial<TcpParams> = {}) {
    const wire = new RawWire({ tcp: { timestamps: false, ...tcp } });
    const application = new Application(wire);
    let port = 2000;
    const connect = (options: OpenOptions = { fastOpen: true }): TliConnection =>
      wire.call(() => wire.host.tli.connect(P.address, P.port, application, port++, 0, null, options)!);
    const write = (connection: TliConnection, text: string): void => {
      wire.call(() => connection.write(Buffer.from(text), text.length));
    };
    /** A SYN,ACK; the answers. */
    const answer = ({ segSeq, srcPort }: TcpHeader, acked: number, more: SegmentFields = {}): Taken[] => {
      const segAck = (segSeq + 1 + acked) | 0;
      wire.send(P, { flags: Syn | Ack, segSeq: 5000, segAck, mss: 1460, toPort: srcPort, ...more });
      return wire.take(P);
    };
    /** Has the peer's cookie. */
    const learn = (cookie: string, more: SegmentFields = {}): void => {
      connect();
      answer(one(wire, P).header, 0, { fastOpen: cookie, ...more });
      wire.take(P);
    };
    return { wire, application, connect, write, answer, learn };
  }

  test('asks for a cookie with its first SYN (RFC 7413 4.1.3), and sends text behind the handshake', () => {
    const { wire, connect, write, answer } = client();
    const connection = connect();
    const syn = one(wire, P);
    expect([syn.fastOpen, syn.payload]).toEqual(['', '']);
    write(connection, 'question');
    const [text] = answer(syn.header, 0, { fastOpen: '01234567' });
    expect(text).toMatchObject({ payload: 'question', header: { segSeq: (syn.header.segSeq + 1) | 0 } });
  });

  test('with a cookie the SYN waits for text, and carries it; what is acknowledged with it is done', () => {
    const { wire, application, connect, write, answer, learn } = client();
    learn('0123456789abcdef');
    const connection = connect();
    expect(wire.take(P)).toEqual([]);
    write(connection, 'question');
    const syn = one(wire, P);
    expect([syn.fastOpen, syn.payload, syn.header.flags]).toEqual(['0123456789abcdef', 'question', Syn]);
    const [ack] = answer(syn.header, 8);
    expect(ack).toMatchObject({ payload: '', header: { segSeq: (syn.header.segSeq + 9) | 0 } });
    expect(application.events.slice(1)).toEqual(['connected', 'sent 8']);
    write(connection, 'more');
    expect(one(wire, P)).toMatchObject({ payload: 'more', header: { segSeq: (syn.header.segSeq + 9) | 0 } });
  });

  test('what the server has not taken is sent again at once, all of it or the rest (RFC 7413 4.2.1)', () => {
    const { wire, connect, write, answer, learn } = client();
    learn('01234567');
    for (const taken of [0, 3]) {
      write(connect(), 'question');
      const syn = one(wire, P);
      const [text] = answer(syn.header, taken);
      expect(text!.payload).toBe('question'.slice(taken));
      expect(text!.header.segSeq).toBe((syn.header.segSeq + 1 + taken) | 0);
    }
  });

  test('an acknowledgment of more than was sent is a reset', () => {
    const { wire, connect, write, answer, learn } = client();
    learn('01234567');
    write(connect(), 'question');
    const syn = one(wire, P);
    expect(answer(syn.header, 9)[0]!.header).toMatchObject({ flags: Rst, segSeq: (syn.header.segSeq + 10) | 0 });
  });

  test('a SYN that is sent again carries neither text nor option; its text follows the handshake', () => {
    const { wire, connect, write, answer, learn } = client();
    learn('01234567');
    write(connect(), 'question');
    const syn = one(wire, P);
    wire.run(1000);
    const again = one(wire, P);
    expect([again.fastOpen, again.payload, again.header.segSeq]).toEqual([undefined, '', syn.header.segSeq]);
    expect(answer(again.header, 0)[0]!.payload).toBe('question');
  });

  test('no more than the MSS of the last time, less room for options; the rest follows', () => {
    const { wire, connect, write, answer, learn } = client();
    learn('01234567', { mss: 940 });
    write(connect(), 'x'.repeat(1000));
    const syn = one(wire, P);
    expect(syn.payload).toHaveLength(900);
    expect(answer(syn.header, 900)[0]!.payload).toHaveLength(100);
  });

  test('a later cookie replaces the earlier; one that nobody asked for, or of a wrong length, does not', () => {
    const { wire, connect, write, answer, learn } = client();
    learn('01234567');
    const use = (more: SegmentFields): string | undefined => {
      write(connect(), 'x');
      const syn = one(wire, P);
      answer(syn.header, 1, more);
      wire.take(P);
      return syn.fastOpen;
    };
    expect([use({ fastOpen: '89abcdef' }), use({ fastOpen: '1122' }), use({}), use({})]).toEqual([
      '01234567',
      '89abcdef',
      '89abcdef',
      '89abcdef',
    ]);
    const plain = connect({});
    answer(one(wire, P).header, 0, { fastOpen: 'ffffffff' });
    expect(plain.remotePort).toBe(P.port);
    expect(use({})).toBe('89abcdef');
  });

  test('a server that gives no cookie is asked once in the experimental form, then in the new one again', () => {
    const { wire, connect, answer } = client();
    const forms = [1, 2, 3, 4].map(() => {
      connect();
      const { header } = one(wire, P);
      answer(header, 0);
      wire.take(P);
      return header.isFastOpenOld;
    });
    expect(forms).toEqual([false, true, false, false]);
  });

  test('text that gets lost twice is not sent on a SYN for a while (RFC 7413 4.1.3.1)', () => {
    const { wire, connect, write, answer, learn } = client();
    learn('01234567');
    const attempt = (): string => {
      write(connect(), 'x');
      const [syn] = wire.take(P);
      wire.run(1000);
      answer(syn!.header, 0);
      wire.take(P);
      return syn!.payload;
    };
    expect([attempt(), attempt(), attempt()]).toEqual(['x', 'x', '']);
    wire.run(121_000);
    wire.take(P);
    expect(attempt()).toBe('x');
  });

  test('a close without text lets the SYN go; without the option nothing is said of it', () => {
    const { wire, connect, learn } = client();
    learn('01234567');
    const connection = connect();
    wire.call(() => connection.disconnect());
    expect(one(wire, P)).toMatchObject({ payload: '', fastOpen: '01234567' });
    connect({});
    expect(one(wire, P).fastOpen).toBeUndefined();
    const off = client({ fastOpen: 0 });
    off.connect();
    expect(one(off.wire, P).fastOpen).toBeUndefined();
  });

  test('without need of a cookie text goes at once, and no option (TcpFastOpen.ClientNoCookie)', () => {
    const { wire, connect, write } = client({ fastOpen: Client | TcpFastOpen.ClientNoCookie });
    write(connect(), 'question');
    expect(one(wire, P)).toMatchObject({ payload: 'question', fastOpen: undefined });
  });

  test('refused, or given up, as any other', () => {
    const { wire, application, connect, write, learn } = client({ synRetransmissionsMax: 1 });
    learn('01234567');
    write(connect(), 'question');
    const { header } = one(wire, P);
    wire.send(P, { flags: Rst | Ack, segAck: (header.segSeq + 1) | 0, toPort: header.srcPort });
    expect(application.events.at(-1)).toBe(`closed ${CloseReason.Refused}`);
    write(connect(), 'question');
    wire.run(4000);
    expect(application.events.at(-1)).toBe(`closed ${CloseReason.TimedOut}`);
    expect(wire.host.tli.sends.writeRoom).toBeGreaterThan(0);
  });
});
