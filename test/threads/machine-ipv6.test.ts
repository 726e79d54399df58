/** A machine with addresses of both IP versions, on real threads. */
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createMachine, type Machine, type MachineOptions } from 'chimney';

const OPTIONS = {
  address: ['10.0.0.1/24', 'fd00::1/64'],
  nics: [{ name: 'nic0' }, { name: 'nic1' }],
  team: { mode: 'active-backup' },
  peers: [{ name: 'client', address: ['10.0.0.2/24', 'fd00::2/64'] }],
  ipv6: { duplicateProbes: 0 },
  offload: { policy: 'everything' },
};

/** Options as a program in JavaScript gives them, wrong ones too. */
function machineOf(options: object): Promise<Machine> {
  return createMachine(options as MachineOptions);
}

async function echo(
  machine: Machine,
  host: string,
  text: string,
): Promise<{ text: string; family: string | undefined }> {
  const socket = machine.peers['client']!.net.connect(80, host);
  await once(socket, 'connect');
  socket.end(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return { text: Buffer.concat(chunks).toString(), family: socket.remoteFamily };
}

describe('createMachine with IPv6 addresses', () => {
  test('serves both IP versions, offloads both, and fails over', async () => {
    await using machine = await machineOf(OPTIONS);
    const server = machine.net.createServer(socket => socket.pipe(socket)).listen(80);
    expect(server.address()).toEqual({ address: '::', family: 'IPv6', port: 80 });
    const long = 'abcdefgh'.repeat(20_000);
    expect(await echo(machine, 'fd00::1', long)).toEqual({ text: long, family: 'IPv6' });
    expect(await echo(machine, '10.0.0.1', long)).toEqual({ text: long, family: 'IPv4' });
    expect(machine.status().everOffloaded).toBeGreaterThan(0);
    await machine.nics[0]!.pullCable();
    expect(await echo(machine, 'fd00::1', long)).toEqual({ text: long, family: 'IPv6' });
    expect(machine.status().activeNic).toBe('nic1');
  });

  test('is there when its addresses have been checked (RFC 4862 5.4)', async () => {
    const { address, peers } = OPTIONS;
    await using machine = await machineOf({ address, peers, nics: [{ name: 'nic0' }], ipv6: {} });
    machine.net.createServer(socket => socket.pipe(socket)).listen(80);
    expect((await echo(machine, 'fd00::1', 'hello')).text).toBe('hello');
  });

  test.each([
    [{ address: 'fd00::1' }, /address: takes an address with prefix, such as .* or fd00::1\/64/],
    [{ address: ['fd00::1/129'] }, /address.*takes an address with prefix/],
    [{ address: 'fd00::1/64', routes: [{ to: '::/0', via: '10.0.0.9' }] }, /routes.*same IP version/],
    [{ address: '10.0.0.1/24', routes: [{ to: '10.1.0.0/16', via: '10.0.0.9', mtu: 40 }] }, /routes.*mtu/],
    [{}, /address: is needed/],
    [{ address: 'fd00::1/64', ipv6: { duplicateProbes: -1 } }, /ipv6.duplicateProbes/],
  ])('says what is wrong with %j', async (options, message) => {
    await expect(machineOf({ nics: [{ name: 'nic0' }], ...options })).rejects.toThrow(message);
  });
});
