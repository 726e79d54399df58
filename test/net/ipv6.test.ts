/** Sockets over IPv6: as node:net, whose answers are the expectations here wherever it has any. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { everything } from '../../src/host/policy/everything.ts';
import type { Socket } from '../../src/net/socket.ts';
import { type NetMachineOptions, type NetMachine, withMachine } from './harness.ts';

const SERVER6 = 'fd00::1';
const CLIENT6 = 'fd00::2';
const SERVER4 = '10.0.0.1';

const dual = (test: (machine: NetMachine) => Promise<void>, options: NetMachineOptions = {}): Promise<void> =>
  withMachine({ ipv6: true, ...options }, test);

async function textOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk as Buffer));
  await once(socket, 'end');
  return Buffer.concat(chunks).toString();
}

async function failure(socket: Socket): Promise<NodeJS.ErrnoException & { address?: string; port?: number }> {
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  return error;
}

describe('a server', () => {
  test('listens on both IP versions unless told otherwise, and says so', () =>
    dual(async ({ server, client }) => {
      const listening = server.createServer(socket => socket.end(`${socket.remoteFamily} ${socket.remoteAddress}`));
      listening.listen(80);
      await once(listening, 'listening');
      expect(listening.address()).toEqual({ address: '::', family: 'IPv6', port: 80 });
      expect(await textOf(client.connect(80, SERVER6))).toBe(`IPv6 ${CLIENT6}`);
      expect(await textOf(client.connect(80, SERVER4))).toBe('IPv4 10.0.0.2');
      listening.close();
    }));

  test.each([
    ['0.0.0.0', { host: '0.0.0.0' }, SERVER4, SERVER6],
    [':: without IPv4', { host: '::', ipv6Only: true }, SERVER6, SERVER4],
    ['an address', { host: SERVER6 }, SERVER6, SERVER4],
  ])('on %s is not there for the other', (_what, options, there, notThere) =>
    dual(async ({ server, client }) => {
      const listening = server.createServer(socket => socket.end('hello')).listen({ port: 80, ...options });
      await once(listening, 'listening');
      expect((listening.address() as AddressInfo).address).toBe(options.host);
      expect(await textOf(client.connect(80, there))).toBe('hello');
      expect(await failure(client.connect(80, notThere))).toMatchObject({
        code: 'ECONNREFUSED',
        message: `connect ECONNREFUSED ${notThere}:80`,
        address: notThere,
      });
      listening.close();
    }),
  );

  test('cannot listen on an address that is not the host’s, nor twice on a port', () =>
    dual(async ({ server }) => {
      const elsewhere = server.createServer().listen(80, 'fd00::77');
      const [error] = (await once(elsewhere, 'error')) as [Error];
      expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', address: 'fd00::77' });
      const first = server.createServer().listen(80, SERVER6);
      const second = server.createServer().listen(80, SERVER6);
      const [taken] = (await once(second, 'error')) as [Error];
      expect(taken.message).toBe(`listen EADDRINUSE: address already in use ${SERVER6}:80`);
      first.close();
    }));

  test('tells of connections that it drops by their families', () =>
    dual(async ({ server, client }) => {
      const listening = server.createServer();
      listening.maxConnections = 0;
      listening.listen(80);
      const dropped = once(listening, 'drop');
      client.connect(80, SERVER6).on('error', () => {});
      expect((await dropped)[0]).toMatchObject({
        localAddress: SERVER6,
        localFamily: 'IPv6',
        remoteAddress: CLIENT6,
        remoteFamily: 'IPv6',
      });
      listening.close();
    }));
});

describe('a socket', () => {
  test('knows both ends, while it lasts and afterwards', () =>
    dual(async ({ server, client }) => {
      const listening = server.createServer(socket => socket.end()).listen(80);
      const socket = client.connect({ host: SERVER6, port: 80, localPort: 5555 });
      await once(socket, 'connect');
      const ends = {
        localAddress: CLIENT6,
        localPort: 5555,
        localFamily: 'IPv6',
        remoteAddress: SERVER6,
        remotePort: 80,
      };
      expect(socket).toMatchObject({ ...ends, remoteFamily: 'IPv6' });
      expect(socket.address()).toEqual({ address: CLIENT6, family: 'IPv6', port: 5555 });
      socket.resume();
      await once(socket, 'close');
      expect(socket).toMatchObject(ends);
      listening.close();
    }));

  test.each([
    ['to no route', '2001:db8::1', 'ENETUNREACH', 'connect ENETUNREACH 2001:db8::1:80'],
    ['to itself', CLIENT6, 'EADDRNOTAVAIL', /a host of a machine does not reach itself/],
    ['to the loopback', '::1', 'ENOTFOUND', /a machine has no loopback/],
    ['to a zone that is not there', 'fe80::1%eth9', 'ENOTFOUND', /no adapter is named eth9/],
    ['to what is no address', 'fd00::g', 'ENOTFOUND', /has no resolver/],
  ])('%s fails', (_what, host, code, message) =>
    dual(async ({ client, sim }) => {
      const before = sim.hosts[1]!.host.addresses.inUse;
      const error = await failure(client.connect({ host, port: 80 }));
      expect(error.code).toBe(code);
      expect(error.message).toMatch(message);
      expect(sim.hosts[1]!.host.addresses.inUse).toBe(before);
    }),
  );

  test('from the address that is asked for', () =>
    dual(async ({ server, client, sim }) => {
      const { network } = sim.hosts[1]!.host;
      network.ipv6.addAddress(network.ipv6.interfaces[0]!, Int32Array.of(0xfd000000, 0, 0, 0x22), 64);
      const listening = server.createServer(socket => socket.end(socket.remoteAddress)).listen(80);
      for (const localAddress of ['fd00::22', CLIENT6]) {
        expect(await textOf(client.connect({ host: SERVER6, port: 80, localAddress }))).toBe(localAddress);
      }
      const error = await failure(client.connect({ host: SERVER6, port: 80, localAddress: 'fd00::99' }));
      expect(error).toMatchObject({ code: 'EADDRNOTAVAIL' });
      listening.close();
    }));

  test('to a link-local address, with the adapter as its zone (RFC 4007 11)', () =>
    dual(async ({ server, client, sim }) => {
      const { addresses, interfaces } = sim.hosts[0]!.host;
      const own = interfaces[0]!.ipv6!.addresses.find(({ origin }) => origin === 'link-local')!;
      const listening = server.createServer(socket => socket.end('near')).listen(80);
      expect(await textOf(client.connect(80, `${addresses.format(own.number)}%far`))).toBe('near');
      listening.close();
    }));
});

test('much data both ways over a chimney, by sockets that cannot tell', () =>
  dual(
    async ({ server, client, sim }) => {
      const listening = server.createServer(socket => socket.pipe(socket)).listen(80);
      const socket = client.connect(80, SERVER6);
      const sent = Buffer.alloc(300_000, 'The quick brown fox ');
      socket.end(sent);
      expect(await textOf(socket)).toBe(sent.toString());
      expect(sim.hosts[0]!.host.chimney.stats.connectionsOffloaded).toBe(1);
      listening.close();
    },
    { policy: everything(0) },
  ));
