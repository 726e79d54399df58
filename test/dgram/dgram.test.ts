/** Sockets of UDP between two hosts: as node:dgram, whose answers are the expectations here wherever it has any. */
import nodeDgram from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Dgram } from '../../src/dgram/dgram.ts';
import type { RemoteInfo, Socket } from '../../src/dgram/socket.ts';
import { CLIENT, type NetMachine, type NetMachineOptions, pattern, SERVER, withMachine } from '../net/harness.ts';

const SERVER6 = 'fd00::1';

const dual = (run: (machine: NetMachine) => Promise<void>, options: NetMachineOptions = {}): Promise<void> =>
  withMachine({ ipv6: true, ...options }, run);

/** A socket that sends back what it gets. */
function echo(dgram: Dgram, type: 'udp4' | 'udp6' = 'udp4'): Socket {
  const socket = dgram.createSocket(type, (message, { port, address }) => socket.send(message, port, address));
  return socket.bind(7);
}

async function message(socket: Socket): Promise<{ bytes: Buffer; from: RemoteInfo }> {
  const [bytes, from] = await once(socket, 'message');
  return { bytes: bytes as Buffer, from: from as RemoteInfo };
}

async function failure(socket: Socket): Promise<NodeJS.ErrnoException> {
  const [error] = await once(socket, 'error');
  return error as NodeJS.ErrnoException;
}

function sent(socket: Socket, bytes: Buffer | string, port: number, address: string): Promise<number | string> {
  return new Promise(done =>
    socket.send(bytes, port, address, (error, count) => done(error === null ? count! : error.message)),
  );
}

/** What a call throws, as far as programs look at it. */
function thrown(call: () => unknown): string {
  try {
    call();
    return 'nothing';
  } catch (error) {
    const { name, code, message: text } = error as NodeJS.ErrnoException;
    return `${name} ${code} ${text}`;
  }
}

describe('datagrams', () => {
  test('go there and come back, with where they are from', () =>
    withMachine({}, async ({ serverUdp, clientUdp }) => {
      const server = echo(serverUdp);
      const client = clientUdp.createSocket('udp4');
      client.send('hello', 7, SERVER);
      const { bytes, from } = await message(client);
      expect([bytes.toString(), from]).toEqual(['hello', { address: SERVER, family: 'IPv4', port: 7, size: 5 }]);
      expect(client.address()).toMatchObject({ address: '0.0.0.0', family: 'IPv4' });
      expect(server.address()).toEqual({ address: '0.0.0.0', family: 'IPv4', port: 7 });
      client.close();
      server.close();
    }));

  test.each([0, 1, 1472, 1473, 9000, 65_507])('of %i bytes are what they were', length =>
    withMachine({ small: length < 40_000 }, async ({ serverUdp, clientUdp }) => {
      const server = echo(serverUdp);
      const client = clientUdp.createSocket('udp4').bind(9000);
      const bytes = pattern(length);
      expect(await sent(client, bytes, 7, SERVER)).toBe(length);
      expect((await message(client)).bytes.equals(bytes)).toBe(true);
      client.close();
      server.close();
    }),
  );

  test('over IPv6; a socket of both versions answers each where it is', () =>
    dual(async ({ serverUdp, clientUdp }) => {
      const server = echo(serverUdp, 'udp6');
      const client = clientUdp.createSocket('udp6');
      client.send(pattern(3000), 7, SERVER6);
      const { bytes, from } = await message(client);
      expect([bytes.length, from]).toEqual([3000, { address: SERVER6, family: 'IPv6', port: 7, size: 3000 }]);
      const old = clientUdp.createSocket('udp4');
      old.send('four', 7, SERVER);
      expect((await message(old)).from).toMatchObject({ address: SERVER, family: 'IPv4' });
      for (const socket of [server, client, old]) socket.close();
    }));

  test('link-local addresses have a zone, which leads back (RFC 4007 11)', () =>
    dual(async ({ serverUdp, clientUdp, sim }) => {
      const { number } = sim.hosts[0]!.host.interfaces[0]!.ipv6!.addresses[0]!;
      const target = sim.hosts[0]!.host.addresses.format(number);
      const server = echo(serverUdp, 'udp6');
      const client = clientUdp.createSocket('udp6');
      client.send('hello', 7, `${target}%far`);
      expect((await message(client)).from.address).toBe(`${target}%far`);
      client.close();
      server.close();
    }));

  test('parts of a buffer, lists of buffers, views', () =>
    withMachine({}, async ({ serverUdp, clientUdp }) => {
      const got: string[] = [];
      const server = serverUdp.createSocket('udp4', bytes => got.push(bytes.toString())).bind(7);
      const client = clientUdp.createSocket('udp4');
      client.send(Buffer.from('0123456789'), 2, 3, 7, SERVER);
      client.send(['ab', Buffer.from('cd')], 7, SERVER);
      client.send(new Uint16Array([0x3130, 0x3332]), 7, SERVER);
      client.connect(7, SERVER);
      client.send(Buffer.from('abcdef'), 1, 2);
      client.send('all');
      await once(server, 'message');
      while (got.length < 5) await once(server, 'message');
      expect(got).toEqual(['234', 'abcd', '0123', 'bc', 'all']);
      client.close();
      server.close();
    }));

  test('a broadcast reaches the others on the link, of a socket that may send one', () =>
    withMachine({}, async ({ serverUdp, clientUdp }) => {
      const server = serverUdp.createSocket('udp4').bind(67);
      const client = clientUdp.createSocket('udp4').bind(68);
      expect(await sent(client, 'who', 67, '255.255.255.255')).toBe('send EACCES 255.255.255.255:67');
      client.setBroadcast(true);
      expect(await sent(client, 'who', 67, '255.255.255.255')).toBe(3);
      expect((await message(server)).from).toEqual({ address: CLIENT, family: 'IPv4', port: 68, size: 3 });
      client.close();
      server.close();
    }));

  test('a listener that throws loses no datagram but its own', () =>
    withMachine({}, async ({ serverUdp, clientUdp }) => {
      const got: string[] = [];
      const uncaught: unknown[] = [];
      const before = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.on('uncaughtException', error => uncaught.push((error as Error).message));
      try {
        const server = serverUdp.createSocket('udp4', bytes => {
          got.push(bytes.toString());
          if (got.length === 1) throw new Error('the first');
        });
        server.bind(7);
        const client = clientUdp.createSocket('udp4');
        for (const text of ['a', 'b', 'c']) client.send(text, 7, SERVER);
        while (got.length < 3) await new Promise(resolve => void setImmediate(resolve));
        client.close();
        server.close();
      } finally {
        process.removeAllListeners('uncaughtException');
        for (const listener of before) process.on('uncaughtException', listener);
      }
      expect([got, uncaught]).toEqual([['a', 'b', 'c'], ['the first']]);
    }));

  test('what nobody takes in time is dropped, the first are kept', () =>
    withMachine({}, async machine => {
      const server = machine.serverUdp.createSocket({ type: 'udp4', recvBufferSize: 4000 });
      expect(server.getRecvBufferSize()).toBe(4000);
      // Nothing is told before the end of this: ten datagrams come in one step.
      const sink = machine.sim.hosts[0]!.host.udp.open({ ready: () => {} }, 4);
      sink.receiveBuffer = 4000;
      expect(machine.sim.hosts[0]!.host.udp.bind(sink, 0, 9)).toBe('');
      const client = machine.clientUdp.createSocket('udp4');
      for (let i = 0; i < 10; i++) client.send(`${i}`, 9, SERVER);
      await machine.until('all came', () => sink.unread + sink.dropped === 10);
      expect([sink.unread, sink.take()!.bytes.toString()]).toEqual([5, '0']);
      machine.sim.hosts[0]!.host.udp.close(sink);
      client.close();
      server.close();
    }));
});

describe('connected sockets', () => {
  test('send without an address, hear their peer only, and that nobody listens there', () =>
    withMachine({}, async ({ serverUdp, clientUdp }) => {
      const client = clientUdp.createSocket('udp4');
      const connected = new Promise<unknown>(done => client.connect(7, SERVER, done));
      expect(await connected).toBe(undefined);
      expect(client.remoteAddress()).toEqual({ address: SERVER, family: 'IPv4', port: 7 });
      expect(client.address().address).toBe(CLIENT);
      client.send('anybody?');
      expect(await failure(client)).toMatchObject({
        code: 'ECONNREFUSED',
        syscall: 'recvmsg',
        message: 'recvmsg ECONNREFUSED',
        address: SERVER,
        port: 7,
      });
      const server = echo(serverUdp);
      const other = serverUdp.createSocket('udp4').bind(8);
      other.send('not from your peer', client.address().port, CLIENT);
      client.send('hello');
      expect((await message(client)).bytes.toString()).toBe('hello');
      client.disconnect();
      other.send('now it may', client.address().port, CLIENT);
      expect((await message(client)).from.port).toBe(8);
      for (const socket of [client, server, other]) socket.close();
    }));

  test('others hear of errors if they ask to', () =>
    withMachine({}, async ({ clientUdp }) => {
      const client = clientUdp.createSocket({ type: 'udp4', reportAllErrors: true });
      client.send('anybody?', 7, SERVER);
      expect(await failure(client)).toMatchObject({ code: 'ECONNREFUSED', address: SERVER, port: 7 });
      client.close();
    }));

  test('cannot be connected to nowhere', () =>
    withMachine({}, async ({ clientUdp }) => {
      const client = clientUdp.createSocket('udp4');
      client.connect(7, '192.0.2.1');
      expect((await failure(client)).message).toBe('connect ENETUNREACH 192.0.2.1:7');
      const error = await new Promise<Error | undefined>(done => client.connect(7, CLIENT, done));
      expect(error?.message).toBe(`connect EADDRNOTAVAIL ${CLIENT}:7`);
      const unnamed = await new Promise<Error | undefined>(done => client.connect(7, 'localhost', done));
      expect((unnamed as NodeJS.ErrnoException).code).toBe('ENOTFOUND');
      client.close();
    }));
});

describe('as in node:dgram', () => {
  type Both = (of: Pick<typeof nodeDgram, 'createSocket'>) => string;
  const mistakes: readonly (readonly [string, Both])[] = [
    ['a type that there is not', of => thrown(() => of.createSocket('udp5' as 'udp4'))],
    ['a port that is none', of => thrown(() => of.createSocket('udp4').send('x', 65_536, '10.0.0.9'))],
    ['no port', of => thrown(() => of.createSocket('udp4').send('x'))],
    ['port 0', of => thrown(() => of.createSocket('udp4').send('x', 0, '10.0.0.9'))],
    ['a message that is none', of => thrown(() => of.createSocket('udp4').send(5 as unknown as string, 9, '10.0.0.9'))],
    ['a slice that is outside', of => thrown(() => of.createSocket('udp4').send(Buffer.alloc(4), 2, 3, 9, '10.0.0.9'))],
    ['an offset that is outside', of => thrown(() => of.createSocket('udp4').send(Buffer.alloc(4), 5, 0, 9, 'x'))],
    ['an address that is none', of => thrown(() => of.createSocket('udp4').send('x', 9, 5 as unknown as string))],
    ['the address of an unbound socket', of => thrown(() => of.createSocket('udp4').address())],
    ['the peer of one that is not connected', of => thrown(() => of.createSocket('udp4').remoteAddress())],
    ['disconnecting it', of => thrown(() => of.createSocket('udp4').disconnect())],
    ['connecting to port 0', of => thrown(() => of.createSocket('udp4').connect(0))],
    ['a buffer size that is none', of => thrown(() => of.createSocket('udp4').setRecvBufferSize(-1))],
  ];

  test.each(mistakes)('%s', (_what, mistake) =>
    withMachine({}, async ({ clientUdp }) => {
      const ours = mistake(clientUdp as unknown as typeof nodeDgram);
      expect(ours).toBe(mistake(nodeDgram));
      expect(ours).not.toBe('nothing');
    }),
  );

  /** What a bound and then closed socket says; Node's needs a turn for each step. */
  async function life(of: Pick<typeof nodeDgram, 'createSocket'>): Promise<string[]> {
    const seen: string[] = [];
    const socket = of.createSocket('udp4');
    for (const event of ['listening', 'connect', 'close'] as const) socket.on(event, () => seen.push(event));
    socket.bind(() => seen.push('callback'));
    await once(socket, 'listening');
    seen.push(thrown(() => socket.bind(5)));
    seen.push(
      `${socket.setTTL(5)}`,
      thrown(() => socket.setTTL(256)),
      thrown(() => socket.setTTL('1' as unknown as number)),
    );
    socket.close(() => seen.push('closed'));
    for (const call of [
      () => socket.close(),
      () => socket.address(),
      () => socket.bind(5),
      () => socket.send('x', 9),
    ]) {
      seen.push(thrown(call));
    }
    await once(socket, 'close');
    return seen;
  }

  test('a life', () =>
    withMachine({}, async ({ clientUdp }) => {
      const ours = await life(clientUdp as unknown as typeof nodeDgram);
      expect(ours).toEqual(await life(nodeDgram));
      expect(ours).toContain('closed');
    }));

  test('a port that is taken', () =>
    withMachine({}, async ({ serverUdp }) => {
      const first = serverUdp.createSocket('udp4').bind(53);
      const second = serverUdp.createSocket('udp4');
      let wasCalled = false;
      second.bind(53, () => (wasCalled = true));
      expect(await failure(second)).toMatchObject({
        message: 'bind EADDRINUSE 0.0.0.0:53',
        syscall: 'bind',
        address: '0.0.0.0',
        port: 53,
      });
      second.bind({ port: 53, address: '10.0.0.77' });
      expect((await failure(second)).message).toBe('bind EADDRNOTAVAIL 10.0.0.77:53');
      second.bind({ port: 54, address: SERVER });
      await once(second, 'listening');
      expect([second.address(), wasCalled]).toEqual([{ address: SERVER, family: 'IPv4', port: 54 }, false]);
      const shared = [1, 2].map(() => serverUdp.createSocket({ type: 'udp4', reuseAddr: true }).bind(55));
      await Promise.all(shared.map(socket => once(socket, 'listening')));
      for (const socket of [first, second, ...shared]) socket.close();
    }));

  test('an aborted signal closes', () =>
    withMachine({}, async ({ serverUdp }) => {
      const controller = new AbortController();
      const socket = serverUdp.createSocket({ type: 'udp4', signal: controller.signal }).bind(53);
      const isClosed = once(socket, 'close');
      controller.abort();
      await isClosed;
      const late = serverUdp.createSocket({ type: 'udp4', signal: controller.signal });
      await once(late, 'close');
      controller.abort();
    }));

  test('closed by `await using`', () =>
    withMachine({}, async ({ serverUdp }) => {
      let socket: Socket;
      {
        await using scoped = serverUdp.createSocket('udp4').bind(53);
        socket = scoped;
      }
      expect(thrown(() => socket.address())).toContain('Not running');
      await socket[Symbol.asyncDispose]();
    }));
});

test('an open socket keeps the event loop alive unless told otherwise', () =>
  withMachine({}, async ({ serverUdp, kept }) => {
    const socket = serverUdp.createSocket('udp4');
    expect(kept.get('server udp')).toBe(undefined);
    socket.bind(53);
    expect(kept.get('server udp')).toBe(true);
    socket.unref();
    expect(kept.get('server udp')).toBe(false);
    socket.ref();
    expect(kept.get('server udp')).toBe(true);
    socket.close();
    expect(kept.get('server udp')).toBe(false);
  }));

test('a flood of UDP leaves buffers for others, and nothing behind', () =>
  withMachine({}, async machine => {
    const { server, client, serverUdp, clientUdp } = machine;
    let count = 0;
    const sink = serverUdp.createSocket('udp4', () => count++).bind(9);
    const listener = server.createServer(socket => socket.end('still here')).listen(80);
    const flood = clientUdp.createSocket('udp4').bind(9);
    const bytes = pattern(1400);
    let refused = 0;
    for (let i = 0; i < 2000; i++) {
      flood.send(bytes, 9, SERVER, error => (refused += error === null ? 0 : 1));
      if (i % 20 === 0) await machine.sleep(1);
    }
    const socket = client.connect(80, SERVER);
    const [text] = (await once(socket, 'data')) as [Buffer];
    expect(text.toString()).toBe('still here');
    await machine.until('what was sent has come', () => count >= (2000 - refused) * 0.9);
    listener.close();
    for (const each of [sink, flood]) each.close();
  }));
