import { describe, expect, it } from 'vitest';
import { CLIENT, closed, failure, SERVER, withMachine } from './harness.ts';

describe('connect', () => {
  it('is refused where nobody listens', () =>
    withMachine({}, async ({ client }) => {
      const socket = client.connect(81, SERVER);
      const end = closed(socket);
      expect(await failure(socket)).toMatchObject({
        message: 'connect ECONNREFUSED 10.0.0.1:81',
        code: 'ECONNREFUSED',
        errno: -111,
        syscall: 'connect',
        address: SERVER,
        port: 81,
      });
      expect(await end).toBe(true);
      expect(socket.connecting).toBe(false);
    }));

  it('fails without a route', () =>
    withMachine({}, async ({ client }) => {
      const error = await failure(client.connect(80, '192.0.2.1'));
      expect(error).toMatchObject({ code: 'ENETUNREACH', message: 'connect ENETUNREACH 192.0.2.1:80' });
    }));

  it('gives up on a host that is not there', () =>
    withMachine({}, async ({ client }) => {
      const error = await failure(client.connect(80, '10.0.0.77'));
      expect(error).toMatchObject({ code: 'EHOSTUNREACH', message: 'connect EHOSTUNREACH 10.0.0.77:80' });
    }));

  it('can be given up by a timeout', () =>
    withMachine({}, async ({ client }) => {
      const socket = client.connect({ port: 80, host: '10.0.0.77', timeout: 500 });
      const end = closed(socket);
      await new Promise<void>(resolve => {
        socket.on('timeout', () => {
          socket.destroy();
          resolve();
        });
      });
      expect(await end).toBe(false);
    }));

  it('is silent when destroyed before it came about', () =>
    withMachine({}, async ({ server, client }) => {
      let accepted = 0;
      const listener = server
        .createServer(socket => {
          accepted++;
          socket.on('error', () => {});
        })
        .listen(80);
      const socket = client.connect(80, SERVER);
      const end = closed(socket);
      socket.on('connect', () => expect.unreachable());
      socket.destroy();
      await end;
      listener.close();
      expect(accepted).toBe(0);
    }));

  it('takes a local port only once', () =>
    withMachine({}, async ({ server, client }) => {
      const listener = server.createServer(socket => socket.resume()).listen(80);
      const first = client.connect({ port: 80, host: SERVER, localPort: 4000 });
      const second = client.connect({ port: 80, host: SERVER, localPort: 4000, localAddress: CLIENT });
      expect(await failure(second)).toMatchObject({
        code: 'EADDRINUSE',
        message: `connect EADDRINUSE 10.0.0.1:80 - Local (${CLIENT}:4000)`,
      });
      const third = client.connect({ port: 80, host: SERVER, localAddress: '10.0.0.9' });
      expect((await failure(third)).code).toBe('EADDRNOTAVAIL');
      first.resume();
      first.end();
      await closed(first);
      listener.close();
    }));

  it.each([
    ['localhost', undefined],
    ['localhost', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
    ['www.example.com', 'www.example.com'],
  ])('names what to give instead of %s', (hostname, host) =>
    withMachine({}, async ({ client }) => {
      const error = await failure(client.connect({ port: 80, host }));
      expect(error).toMatchObject({ code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname });
      expect(error.message).toMatch(/address.*10\.0\.0\.2/);
    }),
  );

  it('does not reach its own host', () =>
    withMachine({}, async ({ client }) => {
      const error = await failure(client.connect(80, CLIENT));
      expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', address: CLIENT, port: 80 });
    }));

  it('checks its arguments as node:net does', () =>
    withMachine({}, async ({ client }) => {
      expect(() => client.connect(70000, SERVER)).toThrow(
        expect.objectContaining({
          name: 'RangeError',
          code: 'ERR_SOCKET_BAD_PORT',
          message: 'Port should be >= 0 and < 65536. Received type number (70000).',
        }),
      );
      expect(() => client.connect('http', SERVER)).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }));
      expect(() => client.connect({} as never)).toThrow(expect.objectContaining({ code: 'ERR_MISSING_ARGS' }));
      expect(() => client.connect({ path: '/tmp/x' } as never)).toThrow(/port instead of a path/);
      expect((await failure(client.connect({ port: 0, host: SERVER }))).code).toBe('ECONNREFUSED');
      expect([client.isIP('10.0.0.1'), client.isIPv4('x'), client.isIPv6('::1')]).toEqual([4, false, true]);
    }));

  it('fails a write on a socket that was never connected', () =>
    withMachine({}, async ({ client }) => {
      const socket = new client.Socket();
      const error = failure(socket);
      socket.write('x');
      expect((await error).code).toBe('ERR_SOCKET_CLOSED');
      const other = new client.Socket();
      const reset = failure(other);
      other.resetAndDestroy();
      expect((await reset).code).toBe('ERR_SOCKET_CLOSED');
    }));
});
