import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { everything } from '../../src/host/policy/everything.ts';
import type { Socket } from '../../src/net/socket.ts';
import { TcpCachedFlag } from '../../src/tcp/tcb.ts';
import {
  CLIENT,
  closed,
  collect,
  failure,
  type NetMachine,
  pattern,
  POLICIES,
  SERVER,
  sha256,
  withMachine,
} from './harness.ts';

/** A connection, seen from both ends; the listener is closed with it. */
async function pair(machine: NetMachine, options: { allowHalfOpen?: boolean } = {}): Promise<[Socket, Socket]> {
  const { server, client } = machine;
  const accepted = new Promise<Socket>(resolve => {
    const listener = server.createServer(options, socket => {
      listener.close();
      resolve(socket);
    });
    listener.listen(80);
  });
  const socket = client.connect({ port: 80, host: SERVER, ...options });
  return [socket, await accepted];
}

describe.each(POLICIES)('a socket $name', ({ policy }) => {
  it('echoes, and closes when both ends have said so', () =>
    withMachine({ policy: policy() }, async ({ server, client }) => {
      const listener = server.createServer(socket => socket.pipe(socket)).listen(80);
      const socket = client.connect(80, SERVER);
      const end = closed(socket);
      socket.end('hello');
      expect(String(await collect(socket))).toBe('hello');
      expect(await end).toBe(false);
      const over = closed(listener);
      listener.close();
      await over;
    }));

  it('carries much data in both directions at once', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      const up = pattern(700_000, 3);
      const down = pattern(900_000, 5);
      near.end(up);
      far.end(down);
      const [got, sent] = await Promise.all([collect(near), collect(far)]);
      expect([sha256(sent), sha256(got)]).toEqual([sha256(up), sha256(down)]);
      expect([near.bytesWritten, near.bytesRead]).toEqual([up.length, down.length]);
      expect([far.bytesWritten, far.bytesRead]).toEqual([down.length, up.length]);
    }));

  it('may be half open', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine, { allowHalfOpen: true });
      near.end('question');
      expect(String(await collect(far))).toBe('question');
      expect([near.readyState, far.readyState]).toEqual(['readOnly', 'writeOnly']);
      await machine.sleep(500);
      expect(far.writable).toBe(true);
      far.end('answer');
      expect(String(await collect(near))).toBe('answer');
    }));

  it('may be half open for long; with keep-alive not for ever when the peer is gone', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine, { allowHalfOpen: true });
      near.end('question');
      far.resume();
      await machine.sleep(150_000);
      far.write('part of the answer;');
      await machine.sleep(150_000);
      far.end('rest');
      expect(String(await collect(near))).toBe('part of the answer;rest');
      const [other, left] = await pair(machine, { allowHalfOpen: true });
      const error = failure(other);
      other.setKeepAlive(true, 20_000);
      other.end();
      machine.sim.fabric.cable('far')!.pull();
      // Nobody at the next hop's address: as on Linux that is the reason, not that time ran out.
      expect((await error).code).toBe('EHOSTUNREACH');
      machine.sim.fabric.cable('far')!.plug();
      left.destroy();
    }));

  it('answers the end of the peer with its own, unless half-open is allowed', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      const ends = [closed(near), closed(far)];
      far.resume();
      near.resume();
      near.end();
      expect(await Promise.all(ends)).toEqual([false, false]);
    }));

  it('holds a writer back while the reader is slow, with bounded memory', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      const chunk = pattern(65536);
      let written = 0;
      let drains = 0;
      const total = 64;
      const feed = (): void => {
        while (written < total) {
          written++;
          if (!near.write(chunk)) return;
        }
        near.end();
      };
      near.on('drain', () => {
        drains++;
        feed();
      });
      far.pause();
      feed();
      await machine.sleep(5000);
      // What the reader's window and the writer's share of the copy buffers can hold, and not much more.
      expect(near.bytesWritten).toBeLessThan(262144 * 2 + 3 * 65536);
      expect(far.readableLength).toBeLessThanOrEqual(65536 * 2);
      const before = far.bytesRead;
      await machine.sleep(5000);
      expect(far.bytesRead).toBe(before);
      let length = 0;
      for await (const bytes of far) {
        length += (bytes as Buffer).length;
        await machine.sleep(5);
      }
      expect(length).toBe(total * chunk.length);
      expect(drains).toBeGreaterThan(10);
    }));

  it('is reset by resetAndDestroy', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      const error = failure(far);
      const end = closed(far);
      near.write('x');
      await machine.sleep(50);
      near.resetAndDestroy();
      expect(await error).toMatchObject({ code: 'ECONNRESET', syscall: 'read', message: 'read ECONNRESET' });
      expect(await end).toBe(true);
    }));

  it('delivers what came before the reset', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      const error = failure(near);
      const got: Buffer[] = [];
      near.on('data', bytes => got.push(bytes as Buffer));
      far.write('last words');
      await machine.sleep(50);
      far.resetAndDestroy();
      expect((await error).code).toBe('ECONNRESET');
      expect(String(Buffer.concat(got))).toBe('last words');
    }));

  it('resets the peer when it is destroyed with bytes unread, as close(2) does', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      const error = failure(near);
      far.pause();
      near.write(pattern(200_000));
      await machine.sleep(200);
      far.destroy();
      expect((await error).code).toBe('ECONNRESET');
    }));

  it('resets a peer that sends to a destroyed socket', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine, { allowHalfOpen: true });
      const error = failure(near);
      far.destroy();
      await machine.sleep(100);
      near.write('anybody there?');
      expect((await error).code).toBe('ECONNRESET');
    }));

  it('delivers what was written before destroySoon', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      const bytes = pattern(1_000_000);
      far.write(bytes);
      far.destroySoon();
      expect(sha256(await collect(near))).toBe(sha256(bytes));
    }));

  it('fails writes after the end of the peer', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      far.resume();
      far.once('end', () => far.write('too late'));
      near.resume();
      near.on('error', () => {});
      const error = failure(far);
      near.end();
      expect(await error).toMatchObject({ code: 'EPIPE', message: 'This socket has been ended by the other party' });
    }));

  it('says nothing of a write that destroy cut short but resets', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      const error = failure(far);
      far.pause();
      near.write(pattern(2_000_000));
      await machine.sleep(100);
      const end = closed(near);
      near.destroy();
      expect(await end).toBe(false);
      far.resume();
      expect((await error).code).toBe('ECONNRESET');
    }));

  it('destroys with the error it is given', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      far.resume();
      far.on('error', () => {});
      const error = failure(near);
      const end = closed(near);
      near.destroy(new Error('enough'));
      expect((await error).message).toBe('enough');
      expect(await end).toBe(true);
    }));

  it('has one small write after the other arrive in order', () =>
    withMachine({ policy: policy() }, async machine => {
      const [near, far] = await pair(machine);
      const text = Array.from({ length: 3000 }, (_, i) => `${i},`);
      for (const [i, part] of text.entries()) {
        near.write(part);
        if (i % 500 === 0) await machine.sleep(1);
      }
      near.end();
      expect(String(await collect(far))).toBe(text.join(''));
    }));

  it('shares few copy buffers among many writers', () =>
    withMachine({ policy: policy(), server: { copyBuffers: 8 } }, async ({ server, client }) => {
      const bytes = pattern(60_000);
      const listener = server.createServer(socket => socket.end(bytes)).listen(80);
      const sockets = Array.from({ length: 20 }, () => client.connect(80, SERVER));
      const got = await Promise.all(sockets.map(socket => collect(socket)));
      expect(new Set(got.map(sha256))).toEqual(new Set([sha256(bytes)]));
      listener.close();
    }));

  it('does not starve others of receive buffers by not reading', () =>
    withMachine({ policy: policy() }, async machine => {
      const { server, client } = machine;
      const held: Socket[] = [];
      const listener = server.createServer({ pauseOnConnect: true }, socket => held.push(socket)).listen(80);
      const echo = server.createServer(socket => socket.pipe(socket)).listen(7);
      const bytes = pattern(150_000);
      const writers = Array.from({ length: 12 }, () => client.connect(80, SERVER));
      for (const socket of writers) socket.end(bytes);
      await machine.sleep(3000);
      const socket = client.connect(7, SERVER);
      socket.end('still alive');
      expect(String(await collect(socket))).toBe('still alive');
      const got = await Promise.all(held.map(socket => collect(socket)));
      expect(new Set(got.map(sha256))).toEqual(new Set([sha256(bytes)]));
      listener.close();
      echo.close();
    }));
});

describe('a socket', () => {
  it('knows its addresses and states', () =>
    withMachine({}, async ({ server, client }) => {
      const seen: Socket[] = [];
      const listener = server.createServer();
      const accepted = new Promise<void>(resolve => {
        listener.on('connection', (peer: Socket) => {
          seen.push(peer);
          resolve();
        });
      });
      listener.listen(8080);
      const socket = new client.Socket();
      expect([socket.pending, socket.connecting, socket.readyState]).toEqual([true, false, 'open']);
      expect(socket.address()).toEqual({});
      const events: string[] = [];
      for (const name of ['connect', 'ready', 'end', 'finish', 'close']) socket.on(name, () => events.push(name));
      const end = closed(socket);
      const connected = new Promise<void>(resolve => {
        socket.connect({ port: 8080, host: SERVER, localPort: 5555 }, resolve);
      });
      expect([socket.pending, socket.connecting, socket.readyState]).toEqual([true, true, 'opening']);
      expect(socket.remoteAddress).toBeUndefined();
      await connected;
      await accepted;
      expect([socket.pending, socket.connecting, socket.readyState]).toEqual([false, false, 'open']);
      expect([socket.remoteAddress, socket.remotePort, socket.remoteFamily]).toEqual([SERVER, 8080, 'IPv4']);
      expect(socket.address()).toEqual({ address: CLIENT, family: 'IPv4', port: 5555 });
      expect([socket.localAddress, socket.localPort, socket.localFamily]).toEqual([CLIENT, 5555, 'IPv4']);
      socket.resume();
      socket.end();
      seen[0]!.resume();
      expect([seen[0]!.remoteAddress, seen[0]!.remotePort, seen[0]!.localPort]).toEqual([CLIENT, 5555, 8080]);
      expect(seen[0]).toBeInstanceOf(server.Socket);
      expect(seen[0]).toBeInstanceOf(Duplex);
      await end;
      expect(events).toEqual(['connect', 'ready', 'finish', 'end', 'close']);
      expect(socket.readyState).toBe('closed');
      listener.close();
    }));

  it('emits timeout after so long without traffic, in the time of the host', () =>
    withMachine({}, async machine => {
      const [near, far] = await pair(machine);
      far.resume();
      const started = machine.nowUs;
      await new Promise<void>(resolve => void near.setTimeout(3000, resolve));
      expect(near.timeout).toBe(3000);
      expect(machine.nowUs - started).toBeGreaterThanOrEqual(3_000_000);
      expect(machine.nowUs - started).toBeLessThan(3_100_000);
      let fired = 0;
      near.on('timeout', () => fired++);
      near.setTimeout(100);
      for (let i = 0; i < 10; i++) {
        near.write('x');
        await machine.sleep(60);
      }
      expect(fired).toBe(0);
      await machine.sleep(200);
      expect(fired).toBe(1);
      near.setTimeout(0);
      near.resume();
      near.end();
    }));

  it('can be connected again after close', () =>
    withMachine({}, async ({ server, client }) => {
      const listener = server.createServer(socket => socket.end('hi')).listen(80);
      const socket = new client.Socket();
      for (let i = 0; i < 3; i++) {
        const end = closed(socket);
        let text = '';
        const onData = (bytes: Buffer): void => void (text += bytes.toString());
        socket.on('data', onData);
        socket.connect(80, SERVER);
        await end;
        socket.off('data', onData);
        expect([text, socket.bytesRead]).toEqual(['hi', 2]);
      }
      listener.close();
    }));

  it('keeps the event loop alive while referenced, and until what it sent is acknowledged', () =>
    withMachine({}, async machine => {
      const [near, far] = await pair(machine);
      expect(machine.kept.get('client')).toBe(true);
      near.unref();
      expect(machine.kept.get('client')).toBe(false);
      near.ref();
      expect(machine.kept.get('client')).toBe(true);
      near.end(pattern(10_000));
      near.destroySoon();
      const end = closed(near);
      await end;
      expect(machine.kept.get('client')).toBe(true);
      far.resume();
      await machine.until('acknowledged', () => machine.kept.get('client') === false);
    }));

  it('probes a silent peer when keep-alive is on, and gives up', () =>
    withMachine({}, async machine => {
      const [near, far] = await pair(machine);
      const error = failure(near);
      const other = failure(far);
      near.setKeepAlive(true, 10_000);
      far.setKeepAlive(true, 10_000);
      await machine.sleep(30_000);
      expect(near.destroyed).toBe(false);
      machine.sim.fabric.cable('far')!.pull();
      expect(await error).toMatchObject({ code: 'ETIMEDOUT', syscall: 'read' });
      expect((await other).code).toBe('ETIMEDOUT');
    }));

  it('does not wait for acknowledgments with setNoDelay, and does without', () =>
    withMachine({}, async machine => {
      const [near, far] = await pair(machine);
      far.resume();
      const { transport } = machine.sim.hosts[1]!.host;
      const count = async (): Promise<number> => {
        const before = transport.segmentsOut;
        for (let i = 0; i < 5; i++) {
          near.write('x');
          await new Promise(resolve => setImmediate(resolve));
        }
        await machine.sleep(500);
        return transport.segmentsOut - before;
      };
      await machine.sleep(100);
      const nagled = await count();
      near.setNoDelay();
      expect(await count()).toBeGreaterThan(nagled);
      near.resume();
      near.end();
    }));

  it('tells the NIC of its options while it is offloaded', () =>
    withMachine({ policy: everything(0) }, async machine => {
      const [near, far] = await pair(machine);
      await machine.until('offloaded', () => far.isOffloaded);
      far.setNoDelay();
      far.setKeepAlive(true, 30_000);
      await machine.sleep(100);
      const { table, tcb } = machine.sim.nics[0]!.firmware;
      tcb.at(table.addressOf(0));
      expect([tcb.cachedFlags, tcb.kaTimeout]).toEqual([TcpCachedFlag.KeepAliveEnabled, 30_000]);
      for (const socket of [near, far]) socket.resume().end();
    }));

  it('is destroyed by an AbortSignal', () =>
    withMachine({}, async ({ server, client }) => {
      const listener = server.createServer(socket => socket.on('error', () => {})).listen(80);
      const controller = new AbortController();
      const socket = client.connect({ port: 80, host: SERVER, signal: controller.signal });
      const error = failure(socket);
      socket.on('connect', () => controller.abort());
      expect((await error).name).toBe('AbortError');
      listener.close();
    }));
});
