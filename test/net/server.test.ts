import { describe, expect, it } from 'vitest';
import type { Socket } from '../../src/net/socket.ts';
import { closed, collect, failure, pattern, POLICIES, SERVER, withMachine } from './harness.ts';

const listening = (emitter: NodeJS.EventEmitter): Promise<void> =>
  new Promise(resolve => void emitter.once('listening', resolve));

describe('a server', () => {
  it('takes every form of listen', () =>
    withMachine({}, async ({ server }) => {
      const forms = [
        server.createServer().listen(1001),
        server.createServer().listen('1002', '0.0.0.0'),
        server.createServer().listen(1003, SERVER, 511),
        server.createServer().listen({ port: 1004, host: SERVER, backlog: 4 }),
        new server.Server().listen(0),
        server.createServer().listen(),
      ];
      await Promise.all(forms.map(listening));
      const addresses = forms.map(form => form.address());
      expect(addresses.slice(0, 4)).toEqual([
        { address: '0.0.0.0', family: 'IPv4', port: 1001 },
        { address: '0.0.0.0', family: 'IPv4', port: 1002 },
        { address: SERVER, family: 'IPv4', port: 1003 },
        { address: SERVER, family: 'IPv4', port: 1004 },
      ]);
      expect(addresses[4]!.port).toBeGreaterThanOrEqual(49152);
      expect(addresses[5]!.port).not.toBe(addresses[4]!.port);
      const ends = forms.map(closed);
      for (const form of forms) form.close();
      await Promise.all(ends);
      expect(forms.map(form => form.address())).toEqual(forms.map(() => null));
    }));

  it('says why it cannot listen', () =>
    withMachine({}, async ({ server }) => {
      const first = server.createServer().listen(80);
      const second = server.createServer().listen(80);
      expect(await failure(second)).toMatchObject({
        message: 'listen EADDRINUSE: address already in use 0.0.0.0:80',
        code: 'EADDRINUSE',
        errno: -98,
        syscall: 'listen',
        address: '0.0.0.0',
        port: 80,
      });
      expect(await failure(server.createServer().listen(80, '10.9.9.9'))).toMatchObject({
        code: 'EADDRNOTAVAIL',
        message: 'listen EADDRNOTAVAIL: address not available 10.9.9.9:80',
      });
      expect((await failure(server.createServer().listen(80, 'localhost'))).message).toMatch(/no loopback/);
      expect(() => first.listen(81)).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }));
      expect(() => second.listen(65536)).toThrow(
        expect.objectContaining({
          code: 'ERR_SOCKET_BAD_PORT',
          message: 'options.port should be >= 0 and < 65536. Received type number (65536).',
        }),
      );
      expect(() => second.listen({})).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
      const notRunning = await new Promise<NodeJS.ErrnoException | undefined>(resolve => {
        second.close(resolve);
      });
      expect(notRunning?.code).toBe('ERR_SERVER_NOT_RUNNING');
      first.close();
      const again = server.createServer().listen(80);
      await listening(again);
      await again[Symbol.asyncDispose]();
      expect(again.listening).toBe(false);
    }));

  it('closes when its last connection has', () =>
    withMachine({}, async machine => {
      const { server, client } = machine;
      const sockets: Socket[] = [];
      const listener = server.createServer(socket => sockets.push(socket)).listen(80);
      const near = [client.connect(80, SERVER), client.connect(80, SERVER)];
      await machine.until('both', () => sockets.length === 2);
      const count = await new Promise(resolve => void listener.getConnections((_error, n) => resolve(n)));
      expect(count).toBe(2);
      let isClosed = false;
      const end = closed(listener).then(() => (isClosed = true));
      listener.close();
      const late = client.connect(80, SERVER);
      expect((await failure(late)).code).toBe('ECONNREFUSED');
      expect([listener.listening, isClosed]).toEqual([false, false]);
      for (const socket of [...near, ...sockets]) socket.resume().end();
      await end;
    }));

  it('drops what exceeds maxConnections', () =>
    withMachine({}, async machine => {
      const { server, client } = machine;
      const listener = server.createServer(socket => socket.end('welcome')).listen(80);
      listener.maxConnections = 1;
      const drops: unknown[] = [];
      listener.on('drop', argument => drops.push(argument));
      const first = client.connect({ port: 80, host: SERVER, allowHalfOpen: true });
      await machine.sleep(50);
      const second = client.connect(80, SERVER);
      expect((await failure(second)).code).toBe('ECONNRESET');
      expect(drops).toEqual([expect.objectContaining({ localPort: 80, remoteAddress: '10.0.0.2' })]);
      expect(String(await collect(first))).toBe('welcome');
      first.end();
      listener.close();
    }));

  it('may leave accepted sockets paused, and hand them on', () =>
    withMachine({}, async machine => {
      const { server, client } = machine;
      const listener = server.createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true }).listen(80);
      const accepted = new Promise<Socket>(resolve => void listener.on('connection', resolve));
      const near = client.connect(80, SERVER);
      near.end('patience');
      const socket = await accepted;
      await machine.sleep(100);
      expect(socket.isPaused()).toBe(true);
      expect(String(await collect(socket))).toBe('patience');
      near.resume();
      listener.close();
    }));

  it('stops listening by an AbortSignal', () =>
    withMachine({}, async ({ server }) => {
      const controller = new AbortController();
      const listener = server.createServer().listen({ port: 80, signal: controller.signal });
      const end = closed(listener);
      controller.abort();
      await end;
    }));
});

describe.each(POLICIES)('many connections $name', ({ policy }) => {
  it('come and go', () =>
    withMachine({ policy: policy(), server: { connections: 1024 }, client: { connections: 1024 } }, async machine => {
      const { server, client } = machine;
      const bytes = pattern(3000);
      const listener = server.createServer(socket => socket.end(bytes)).listen(80);
      for (let wave = 0; wave < 4; wave++) {
        const sockets = Array.from({ length: 100 }, () => client.connect(80, SERVER));
        const got = await Promise.all(sockets.map(socket => collect(socket)));
        expect(got.every(reply => reply.equals(bytes))).toBe(true);
      }
      listener.close();
    }));
});
