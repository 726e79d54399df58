/**
 * Connections held for nothing: peers that ask for much and take none of it (a window of zero, as in the tool sockstress),
 * or that say nothing at all. They cost what they were given and no more, and end when the application, or its time-out,
 * says so.
 */
import { describe, expect, test } from 'vitest';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { AttackMachine } from '../support/attack-machine.ts';

const FROM = 0x0a000300;
const ATTACKERS = 32;
const REPLY_BYTES = 1000;

describe.each([false, true])('connections offloaded: %s', offload => {
  test('a window of zero for ever: a probe now and then, no buffer but those of the replies', () => {
    const machine = new AttackMachine({ offload });
    const { tx, sendDescriptors } = machine.server;
    const opened = Array.from({ length: ATTACKERS }, (_, i) => machine.open(FROM + i, 5000, { window: 0 }));
    machine.call(() => machine.reply(REPLY_BYTES));
    const before = machine.answers;
    let most = 0;
    machine.attack(2000, index => {
      if (index % 50 === 0) for (const each of opened) each.say();
      most = Math.max(most, tx.inUse);
    });
    expect(most).toBeLessThanOrEqual(tx.count / 4);
    // One descriptor each, and two a honest connection at most.
    expect(sendDescriptors.inUse).toBeLessThanOrEqual(ATTACKERS + 8);
    // Probes after 0.2 (or 1), 0.4, 0.8 s …: three or four in two seconds (RFC 9293 MUST-37).
    expect(machine.answers - before).toBeLessThanOrEqual(ATTACKERS * 5);
    expect(machine.victims.length).toBe(ATTACKERS);
    machine.end();
  });

  test('who never answers a probe is given up; whoever answers stays (RFC 9293 MUST-36)', () => {
    const machine = new AttackMachine({ offload, tcp: { retransmissionsMax: 5, rtoMaxTicks: 2000 } });
    const opened = Array.from({ length: 4 }, (_, i) => machine.open(FROM + i, 5000, { window: 0 }));
    machine.call(() => machine.reply(REPLY_BYTES));
    const [silent, ...answering] = opened;
    machine.onAnswer = ({ flags }, address) => {
      const each = answering.find(({ from }) => from === address);
      if (each !== undefined && (flags & TcpFlag.Rst) === 0) machine.call(() => each.say());
    };
    machine.rest(60_000);
    expect(machine.victims.map(({ remoteAddress }) => remoteAddress)).toEqual(answering.map(({ from }) => from));
    expect(machine.victims.map(({ remoteAddress }) => remoteAddress)).not.toContain(silent!.from);
    machine.end();
  });

  test('what opens and then says nothing takes a TCB each and nothing else; keep-alive finds it out (RFC 9293 3.8.4)', () => {
    const machine = new AttackMachine({
      offload,
      tcp: { keepAlive: true, kaTimeout: 10_000, kaInterval: 1000, kaProbeMax: 3 },
    });
    for (let i = 0; i < ATTACKERS; i++) machine.open(FROM + i, 5000);
    expect(machine.victims.length).toBe(ATTACKERS);
    machine.rest(20_000);
    expect(machine.victims.length).toBe(0);
    machine.end();
  });
});
