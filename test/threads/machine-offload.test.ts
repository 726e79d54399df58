/** `machine.offload` on real threads: policy and directives, changed while connections are open (R34, R24). */
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createMachine, type LogEvent, type Machine, type MachineOptions } from 'chimney';

const PORT = 80;
const OTHER_PORT = 81;
const CONNECTIONS = 8;
const PATIENCE_MS = 20_000;

/** A server that echoes on two ports, and as many clients of a peer on each, open. */
async function withClients(
  offload: MachineOptions['offload'],
  body: (machine: Machine, echoAll: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await using machine = await createMachine({
    address: '10.0.0.1/24',
    nics: [{ name: 'nic0' }],
    peers: [{ name: 'client', address: '10.0.0.2/24' }],
    ...(offload !== undefined && { offload }),
  });
  for (const port of [PORT, OTHER_PORT]) {
    machine.net.createServer(socket => void socket.on('data', data => socket.write(data))).listen(port);
  }
  const ports = Array.from({ length: CONNECTIONS }, (_, index) => (index % 2 === 0 ? PORT : OTHER_PORT));
  const sockets = ports.map(port => machine.peers['client']!.net.connect(port, '10.0.0.1'));
  await Promise.all(sockets.map(socket => once(socket, 'connect')));
  const echoAll = async (): Promise<void> => {
    await Promise.all(
      sockets.map(async (socket, index) => {
        socket.write(`hello ${index}`);
        const [data] = (await once(socket, 'data')) as [Buffer];
        expect(data.toString()).toBe(`hello ${index}`);
      }),
    );
  };
  await body(machine, echoAll);
  for (const socket of sockets) socket.destroy();
}

async function offloaded(machine: Machine, count: number): Promise<void> {
  const due = performance.now() + PATIENCE_MS;
  while (machine.status().offloaded !== count && performance.now() < due) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  expect(machine.status().offloaded).toBe(count);
}

describe('machine.offload', () => {
  test('a policy that is replaced brings connections back and down again, and they go on (R34, digest 9)', () =>
    withClients({ policy: 'everything' }, async (machine, echoAll) => {
      expect(machine.offload.policy).toBe('everything');
      await offloaded(machine, CONNECTIONS);
      await echoAll();
      machine.offload.setPolicy('nothing');
      await offloaded(machine, 0);
      await echoAll();
      machine.offload.setPolicy(`by-port:${PORT}`);
      await offloaded(machine, CONNECTIONS / 2);
      await echoAll();
      expect(machine.offload.policy).toBe(`by-port:${PORT}`);
    }));

  test('a directive goes before the policy until it is revoked (¶62)', () =>
    withClients({ policy: 'nothing' }, async (machine, echoAll) => {
      const kinds: string[] = [];
      machine.events.on('offload', ({ kind }: LogEvent) => kinds.push(kind));
      const revoke = machine.offload.direct({ order: 'offload', localPort: OTHER_PORT, remote: '10.0.0.0/24' });
      await offloaded(machine, CONNECTIONS / 2);
      await echoAll();
      const keep = machine.offload.direct({ order: 'keep-in-host', remote: '10.0.0.2' });
      await offloaded(machine, 0);
      keep();
      await offloaded(machine, CONNECTIONS / 2);
      revoke();
      await offloaded(machine, 0);
      await echoAll();
      expect(kinds).toContain('offload-directed');
    }));

  test('what it does not take is said at once', () =>
    withClients(
      { policy: 'by-traffic', evict: { marginPercent: 20 }, ignoreReasons: ['LowActivity'] },
      async machine => {
        expect(machine.offload.policy).toBe('most active of by-traffic:130000,20');
        expect(() => machine.offload.setPolicy('by-port:http')).toThrow(
          'machine.offload.setPolicy: takes young-in-batches',
        );
        expect(() => machine.offload.direct({ order: 'offload', remote: 'here' })).toThrow("'here' is no address");
        expect(machine.offload.policy).toBe('most active of by-traffic:130000,20');
        await Promise.resolve();
      },
    ));

  test.each([
    [{ policy: 'all' }, 'offload.policy: takes young-in-batches'],
    [{ ignoreReasons: ['UploadRequested'] }, 'offload.ignoreReasons'],
    [{ evict: { marginPercent: -1 } }, 'offload.evict.marginPercent'],
  ])('options %j are refused', async (offload, named) => {
    const options = { address: '10.0.0.1/24', nics: [{ name: 'nic0' }], offload } as unknown as MachineOptions;
    await expect(createMachine(options)).rejects.toThrow(named);
  });
});
