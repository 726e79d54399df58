/** A cable is pulled while sockets are busy: the team fails over, and nobody above the TLI switch notices. */
import { describe, expect, it } from 'vitest';
import { collect, type NetMachine, pattern, POLICIES, SERVER, sha256, withMachine } from './harness.ts';

const LENGTH = 5 * 1024 * 1024;

/** Five megabytes each way on one connection; `meanwhile` runs when a quarter is there. */
async function exchange(machine: NetMachine, meanwhile: () => Promise<void>): Promise<void> {
  const { server, client } = machine;
  const up = pattern(LENGTH, 11);
  const down = pattern(LENGTH, 13);
  const listener = server.createServer();
  const received = new Promise<Buffer>((resolve, reject) => {
    listener.on('connection', socket => {
      listener.close();
      socket.end(down);
      collect(socket).then(resolve, reject);
    });
  });
  listener.listen(80);
  const socket = client.connect(80, SERVER);
  socket.end(up);
  const got = collect(socket);
  await machine.until('a quarter is there', () => socket.bytesRead > LENGTH / 4);
  await meanwhile();
  expect([sha256(await received), sha256(await got)]).toEqual([sha256(up), sha256(down)]);
}

describe.each(POLICIES)('a failover in the middle of a transfer $name', ({ policy }) => {
  it.each([1, 2, 3])('loses nothing (seed %i)', seed =>
    withMachine({ policy: policy(), seed }, async machine => {
      const { team } = machine.sim.hosts[0]!;
      const before = team!.active;
      await exchange(machine, async () => {
        const { host } = machine.sim.hosts[0]!;
        expect(host.chimney.offloaded).toBe(host.chimney.policy.name === 'nothing' ? 0 : 1);
        machine.sim.fabric.cable('nic0')!.pull();
        await machine.until('the other NIC is active', () => team!.active !== before);
      });
    }),
  );

  it('comes back when the cable does', () =>
    withMachine({ policy: policy(), seed: 5 }, machine =>
      exchange(machine, async () => {
        const cable = machine.sim.fabric.cable('nic0')!;
        for (let i = 0; i < 3; i++) {
          cable.pull();
          await machine.sleep(300);
          cable.plug();
          await machine.sleep(300);
        }
      }),
    ));

  it('loses nothing on a bad wire either', () =>
    withMachine(
      {
        policy: policy(),
        seed: 7,
        faults: { lossPercent: 0.3, duplicatePercent: 0.3, reorderPercent: 0.3, corruptPercent: 0.1 },
      },
      machine =>
        exchange(machine, async () => {
          machine.sim.fabric.cable('nic0')!.pull();
        }),
    ));
});
