/** `machine.udp` of a machine in threads: real NICs' rings, real time, a failover under way. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { createMachine } from 'chimney';

test('datagrams of any size come back, over both IP versions, also by the other NIC', async () => {
  await using machine = await createMachine({
    address: ['10.0.0.1/24', 'fd00::1/64'],
    nics: [{ name: 'nic0' }, { name: 'nic1' }],
    team: { mode: 'active-backup' },
    peers: [{ name: 'client', address: ['10.0.0.2/24', 'fd00::2/64'] }],
    ipv6: { duplicateProbes: 0 },
  });
  const server = machine.udp.createSocket('udp6', (message, { port, address }) => server.send(message, port, address));
  server.bind(7);
  const client = machine.peers['client']!.udp.createSocket('udp6');
  const echo = async (text: string, host: string): Promise<void> => {
    client.send(text, 7, host);
    const [message] = await once(client, 'message');
    expect((message as Buffer).toString()).toBe(text);
  };
  for (const host of ['10.0.0.1', 'fd00::1']) {
    for (const length of [0, 5, 5000, 60_000]) await echo('x'.repeat(length), host);
  }
  const failedOver = once(machine.events, 'failover');
  await machine.nics[0]!.pullCable();
  await failedOver;
  await echo('still here', '10.0.0.1');
  expect(machine.statistics()).toMatchObject({ udpInDatagrams: 9, udpOutDatagrams: 9, udpNoPorts: 0 });
  client.close();
  server.close();
});
