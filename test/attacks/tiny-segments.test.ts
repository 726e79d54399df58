/**
 * Tiny things that cost as much as large ones: segments of one byte, windows of one byte, an MSS of one byte (RFC 9293
 * 3.8.6.2, 3.7.1; CVE-2019-11479). Memory is counted in buffers, not in bytes.
 */
import { describe, expect, test } from 'vitest';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { AttackMachine, PORT } from '../support/attack-machine.ts';

const ATTACKERS = 8;
const FROM = 0x0a000300;
const MESSAGE_BYTES = 1000;

describe.each([false, true])('connections offloaded: %s', offload => {
  test('one byte a segment, and an application that reads none of it: the honest ones keep their buffers', () => {
    const machine = new AttackMachine({ offload });
    machine.takes = () => 0;
    const opened = Array.from({ length: ATTACKERS }, (_, i) => machine.open(FROM + i, 5000));
    const { pool } = machine.sim.nics[0]!.firmware;
    let most = 0;
    machine.attack(1500, () => {
      for (const each of opened) {
        each.say(1);
        each.seq = (each.seq + 1) | 0;
      }
      most = Math.max(most, pool.inUse);
    });
    // Twelve thousand segments; a part of the buffers holds what may be held.
    expect(most).toBeLessThanOrEqual(pool.count * 0.75);
    machine.end();
  });

  test('one byte a segment, all of it read: it costs an ACK for every second one', () => {
    const machine = new AttackMachine({ offload });
    const opened = machine.open(FROM, 5000);
    const before = machine.answers;
    machine.attack(1000, () => {
      for (let i = 0; i < 4; i++) {
        opened.say(1);
        opened.seq = (opened.seq + 1) | 0;
      }
    });
    expect(machine.answers - before).toBeLessThanOrEqual(4000);
    machine.end();
  });

  test('an MSS of one byte is taken for a larger one: a reply is not cut into bytes', () => {
    const machine = new AttackMachine({ offload });
    for (const mss of [0, 1, 20, 47]) {
      const opened = machine.open(FROM + mss, 5000, { mss });
      const [victim] = machine.victims;
      const before = machine.answers;
      machine.onAnswer = ({ segSeq, payloadLength }) => (opened.ack = (segSeq + payloadLength) | 0);
      machine.call(() => machine.reply(MESSAGE_BYTES));
      for (let i = 0; i < 100; i++) {
        machine.call(() => opened.say());
        machine.run(2);
      }
      machine.call(() => victim!.abort());
      machine.run(2);
      // Linux sends no segment of less than 48 bytes, options included: 36 of text with timestamps.
      expect(machine.answers - before, `segments for MSS ${mss}`).toBeLessThanOrEqual(MESSAGE_BYTES / 36 + 30);
    }
    machine.end();
  });

  test('a window of one byte: it is filled seldom, not byte by byte (RFC 9293 3.8.6.2.1)', () => {
    const machine = new AttackMachine({ offload });
    const opened = machine.open(FROM, 5000);
    opened.window = 1;
    machine.call(() => opened.say());
    machine.run(2);
    machine.onAnswer = ({ segSeq, payloadLength }) => (opened.ack = (segSeq + payloadLength) | 0);
    machine.call(() => machine.reply(MESSAGE_BYTES));
    const before = machine.answers;
    machine.attack(2000, () => opened.say());
    // The override time-out sends what fits: once an RTO, of at least 200 ms.
    expect(machine.answers - before).toBeLessThanOrEqual(15);
    machine.end();
  });

  test('SYNs with options of every length and none', () => {
    const machine = new AttackMachine({ offload });
    const { prng } = machine;
    machine.attack(500, () => {
      for (const mss of [0, 1, 8, 65_535]) {
        const fromPort = 1024 + prng.below(60_000);
        machine.segment({ from: FROM, fromPort, toPort: PORT, flags: TcpFlag.Syn, seq: prng.int32(), mss, window: 0 });
      }
    });
    machine.end();
  });
});
