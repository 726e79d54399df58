/**
 * SYN floods (RFC 4987): half-open connections are bounded, whoever comes in good faith is still let in, and those who are
 * connected notice nothing.
 */
import { describe, expect, test } from 'vitest';
import { AttackMachine, PORT } from '../support/attack-machine.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';

const FLOOD_MS = 1500;
const SYNS_A_MS = 5;

describe.each([false, true])('connections offloaded: %s', offload => {
  test('a SYN flood from everywhere: half of the table at most, and honest clients are let in meanwhile', () => {
    const machine = new AttackMachine({ offload });
    const { transport, framing } = machine.server;
    const { prng } = machine;
    const before = transport.table.inUse;
    let most = 0;
    const late: { isOpen: boolean }[] = [];
    machine.attack(FLOOD_MS, index => {
      for (let i = 0; i < SYNS_A_MS; i++) {
        const from = 0x20000000 | prng.below(0x10000000);
        machine.segment({
          from,
          fromPort: 1024 + prng.below(60_000),
          flags: TcpFlag.Syn,
          seq: prng.int32(),
          mss: 1460,
        });
      }
      most = Math.max(most, transport.table.inUse);
      if (index % 100 === 99 && late.length < 20) late.push(machine.connect());
    });
    machine.run(10);
    expect(most - before).toBeLessThanOrEqual(transport.table.capacity / 2 + late.length);
    expect(late.map(({ isOpen }) => isOpen)).toEqual(late.map(() => true));
    // Each SYN is answered once, and those that are kept a few times more; never more than that.
    expect(machine.answers).toBeLessThanOrEqual(FLOOD_MS * SYNS_A_MS + 6 * (transport.table.capacity / 2));
    expect([...framing.neighbors].length).toBeLessThanOrEqual(4);
    machine.end();
  });

  test('a SYN flood from addresses of the own network, which answer no ARP', () => {
    const machine = new AttackMachine({ offload });
    machine.answersArp = false;
    const { transport, tx } = machine.server;
    const { prng } = machine;
    let mostTx = 0;
    machine.attack(FLOOD_MS, () => {
      for (let i = 0; i < SYNS_A_MS; i++) {
        const from = 0x0a000100 + prng.below(0xf000);
        machine.segment({
          from,
          fromPort: 1024 + prng.below(60_000),
          flags: TcpFlag.Syn,
          seq: prng.int32(),
          mss: 1460,
        });
      }
      mostTx = Math.max(mostTx, tx.inUse);
    });
    expect(transport.table.inUse).toBeLessThanOrEqual(transport.table.capacity / 2 + 8);
    // What waits for an address is a quarter of the buffers.
    expect(mostTx).toBeLessThanOrEqual(tx.count / 2);
    machine.end();
  });

  test('the half-open ones go away by themselves: a minute later the table is as before', () => {
    const machine = new AttackMachine({ offload });
    const { transport } = machine.server;
    const { prng } = machine;
    const before = transport.table.inUse;
    machine.attack(100, () => {
      const from = 0x20000000 | prng.below(0x10000000);
      machine.segment({ from, fromPort: 1024, toPort: PORT, flags: TcpFlag.Syn, seq: prng.int32() });
    });
    machine.run(10);
    expect(transport.table.inUse).toBe(before + 100);
    machine.rest(70_000);
    expect(transport.table.inUse).toBe(before);
    machine.end();
  });
});
