/** Options of a socket's connection that Node has not: TCP Fast Open (RFC 7413), user timeout (RFC 5482), keep-alive in detail. */
import { describe, expect, it } from 'vitest';
import { everything } from '../../src/host/policy/everything.ts';
import type { Socket } from '../../src/net/socket.ts';
import {
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

const FAST_OPEN = { tcp: { timeWaitTicks: 1000, fastOpen: 3 } };

/** An echo server that takes Fast Opens, and how many it has accepted. */
function echo({ server }: NetMachine) {
  const accepted: Socket[] = [];
  const listener = server.createServer({ allowHalfOpen: true }, socket => {
    accepted.push(socket);
    socket.pipe(socket);
  });
  return { accepted, listener: listener.listen({ port: 80, fastOpen: 8 }) };
}

async function exchange(
  machine: NetMachine,
  text: Buffer,
  fastOpen = true,
): Promise<{ answer: Buffer; firstAfterUs: number }> {
  const beganUs = machine.nowUs;
  let firstAfterUs = 0;
  const socket = machine.client.connect({ port: 80, host: SERVER, fastOpen });
  socket.once('data', () => {
    firstAfterUs = machine.nowUs - beganUs;
  });
  socket.end(text);
  const answer = await collect(socket);
  return { answer, firstAfterUs };
}

describe.each(POLICIES)('Fast Open $name', ({ policy }) => {
  it('sends text with the SYN once there is a cookie, and gets the answer a round trip earlier', () =>
    withMachine({ policy: policy(), server: FAST_OPEN, client: FAST_OPEN }, async machine => {
      const { listener } = echo(machine);
      const text = pattern(500);
      const { fastOpen } = machine.sim.hosts[0]!.host.transport;
      expect((await exchange(machine, text)).answer).toEqual(text);
      expect(fastOpen.counters).toMatchObject({ cookieReqd: 1, passive: 0 });
      const slow = await exchange(machine, text, false);
      const fast = await exchange(machine, text);
      expect(fast.answer).toEqual(text);
      expect(fastOpen.counters.passive).toBe(1);
      // A frame takes 400 µs from one end to the other.
      expect(slow.firstAfterUs - fast.firstAfterUs).toBeGreaterThan(700);
      listener.close();
    }));

  it('carries on with what the SYN had no room for', () =>
    withMachine(
      { policy: policy(), server: FAST_OPEN, client: FAST_OPEN, faults: { lossPercent: 2 } },
      async machine => {
        const { listener } = echo(machine);
        const text = pattern(300_000);
        for (let i = 0; i < 3; i++) expect(sha256((await exchange(machine, text)).answer)).toBe(sha256(text));
        listener.close();
      },
    ));
});

describe('Fast Open', () => {
  it('opens all the same when nothing is written', () =>
    withMachine({ server: FAST_OPEN, client: FAST_OPEN }, async machine => {
      const listener = machine.server.createServer(socket => socket.end('hello')).listen({ port: 80, fastOpen: 8 });
      for (let i = 0; i < 2; i++) {
        const socket = machine.client.connect({ port: 80, host: SERVER, fastOpen: true });
        expect(String(await collect(socket))).toBe('hello');
      }
      listener.close();
    }));

  it('is refused where nobody listens, the text notwithstanding', () =>
    withMachine({ server: FAST_OPEN, client: FAST_OPEN }, async machine => {
      const { listener } = echo(machine);
      await exchange(machine, pattern(10));
      listener.close();
      await machine.sleep(100);
      const socket = machine.client.connect({ port: 80, host: SERVER, fastOpen: true });
      socket.write('text');
      expect((await failure(socket)).code).toBe('ECONNREFUSED');
    }));

  it('may be destroyed while its SYN waits for text', () =>
    withMachine({ server: FAST_OPEN, client: FAST_OPEN }, async machine => {
      const { listener, accepted } = echo(machine);
      await exchange(machine, pattern(10));
      const socket = machine.client.connect({ port: 80, host: SERVER, fastOpen: true });
      const end = closed(socket);
      socket.destroy();
      await end;
      await machine.sleep(100);
      expect(accepted.length).toBe(1);
      listener.close();
    }));

  it('is for those who ask: a socket that does not opens as ever', () =>
    withMachine({ server: FAST_OPEN, client: FAST_OPEN }, async machine => {
      const { listener } = echo(machine);
      await exchange(machine, pattern(10));
      const socket = machine.client.connect({ port: 80, host: SERVER });
      socket.end('text');
      expect(String(await collect(socket))).toBe('text');
      expect(machine.sim.hosts[0]!.host.transport.fastOpen.counters.passive).toBe(0);
      listener.close();
    }));
});

describe.each(POLICIES)('a peer that is silent $name', ({ policy }) => {
  it('is given up after the user timeout (RFC 5482)', () =>
    withMachine({ policy: policy() }, async machine => {
      const listener = machine.server.createServer({ userTimeout: 5000 }).listen(80);
      const far = new Promise<Socket>(resolve => void listener.once('connection', resolve));
      const near = machine.client.connect(80, SERVER).on('error', () => {});
      const socket = await far;
      await machine.sleep(1000);
      machine.sim.fabric.cable('far')!.pull();
      const error = failure(socket);
      const beganUs = machine.nowUs;
      socket.write('anybody?');
      await error;
      const ms = (machine.nowUs - beganUs) / 1000;
      expect(ms).toBeGreaterThan(4500);
      expect(ms).toBeLessThan(8000);
      near.destroy();
      listener.close();
    }));

  it('is probed as often as the socket says', () =>
    withMachine({ policy: policy() }, async machine => {
      const keepAlive = { keepAlive: true, keepAliveInitialDelay: 10_000, keepAliveInterval: 2000, keepAliveProbes: 3 };
      const listener = machine.server.createServer(keepAlive).listen(80);
      const far = new Promise<Socket>(resolve => void listener.once('connection', resolve));
      const near = machine.client.connect(80, SERVER).on('error', () => {});
      const socket = await far;
      await machine.sleep(1000);
      machine.sim.fabric.cable('far')!.pull();
      const error = failure(socket);
      const beganUs = machine.nowUs;
      expect((await error).code).toBe('ETIMEDOUT');
      // 10 s since the connection was made, then three times 2 s.
      expect(Math.round((machine.nowUs - beganUs) / 1e6)).toBe(15);
      near.destroy();
      listener.close();
    }));
});

it('tells a NIC of its user timeout and keep-alive', () =>
  withMachine({ policy: everything(0) }, async machine => {
    const listener = machine.server.createServer().listen(80);
    const far = new Promise<Socket>(resolve => void listener.once('connection', resolve));
    const near = machine.client.connect(80, SERVER);
    const socket = await far;
    await machine.until('offloaded', () => socket.isOffloaded);
    socket.setUserTimeout(7000).setKeepAlive(true, 30_000, 4000, 5);
    await machine.sleep(100);
    const { table, tcb } = machine.sim.nics[0]!.firmware;
    tcb.at(table.addressOf(0));
    expect([tcb.maxRt, tcb.kaTimeout, tcb.kaInterval, tcb.kaProbeMax]).toEqual([7000, 30_000, 4000, 5]);
    for (const each of [near, socket]) each.resume().end();
    listener.close();
  }));
