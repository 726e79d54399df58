/** The `tcp` options of `createMachine`, and Fast Open between the machine and a peer, in threads. */
import { expect, test } from 'vitest';
import { createMachine, type Machine } from 'chimney';
import { tcpParamsOf } from 'chimney/internal/machine-tcp';
import { DEFAULT_TCP_PARAMS } from 'chimney/internal/tcp/params';

const BASE = { address: '10.0.0.1/24', nics: [{ name: 'nic0' }], peers: [{ name: 'far', address: '10.0.0.2/24' }] };

test('what is not said is as ever, but that Fast Open may be asked for', () => {
  expect({ ...DEFAULT_TCP_PARAMS, ...tcpParamsOf({}) }).toEqual({ ...DEFAULT_TCP_PARAMS, fastOpen: 3 });
});

test('what is said is what the engine does', () => {
  const keepAlive = { always: true, idleMs: 10_000, intervalMs: 1000, probes: 2 };
  const options = { congestionControl: 'newreno', ecn: 'on', sack: false, noDelay: true, fastOpen: false } as const;
  expect(tcpParamsOf({ ...options, keepAlive, userTimeoutMs: 5000, synCookies: 'always' })).toMatchObject({
    congestionControl: 'newreno',
    ecn: 'on',
    sack: false,
    timestamps: true,
    nagle: false,
    keepAlive: true,
    kaTimeout: 10_000,
    kaInterval: 1000,
    kaProbeMax: 2,
    userTimeoutTicks: 5000,
    synCookies: 'always',
    fastOpen: 0,
  });
});

test.each([
  ['tcp.userTimeoutMs', { userTimeoutMs: 3 }],
  ['tcp.keepAlive.probes', { keepAlive: { probes: 0 } }],
  ['tcp: ', { windowScale: 7 }],
])('%s is checked', async (where, tcp) => {
  await expect(createMachine({ ...BASE, tcp: tcp as never })).rejects.toThrow(`createMachine: ${where}`);
});

/** One question and its answer, over a connection that may be opened with it. */
function ask(machine: Machine, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = machine.net.connect({ port: 80, host: '10.0.0.2', fastOpen: true });
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk));
    socket.once('end', () => resolve(answer));
    socket.once('error', reject);
    socket.end(question);
  });
}

test('a machine opens connections with text on their SYNs', { timeout: 30_000 }, async () => {
  await using machine = await createMachine({ ...BASE, tcp: { noDelay: true } });
  const server = machine.peers['far']!.net.createServer({ allowHalfOpen: true }, socket => socket.pipe(socket));
  server.listen({ port: 80, fastOpen: 16 });
  for (const question of ['one', 'two', 'three']) expect(await ask(machine, question)).toBe(question);
  expect(machine.statistics()).toMatchObject({ tcpActiveOpens: 3, tcpFastOpenActive: 2, tcpFastOpenActiveFail: 0 });
  server.close();
});
