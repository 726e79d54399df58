/**
 * ACK storms: two ends that believe different things answer each other's answers. What is not acceptable is answered, but
 * seldom (RFC 5961 7; Linux's tcp_invalid_ratelimit), so that one forged segment never becomes a stream of them.
 */
import { describe, expect, test } from 'vitest';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { AttackMachine, CLIENT, type Opened, SERVER } from '../support/attack-machine.ts';

const ECHO = 7;

describe.each([false, true])('connections offloaded: %s', offload => {
  test('text forged into both ends desynchronizes them: they fall silent instead of storming', () => {
    const machine = new AttackMachine({ offload, clients: 1, tcp: { retransmissionsMax: 4, rtoMaxTicks: 1000 } });
    machine.pause();
    machine.run(200);
    const [port, { seq, ack }] = [...machine.seen][0]!;
    // From here on the bytes are not those that were sent.
    machine.forget();
    const flags = TcpFlag.Ack | TcpFlag.Psh;
    machine.call(() => {
      // Each believes now to have received more than the other has sent.
      machine.segment({
        from: CLIENT,
        fromPort: port,
        to: SERVER,
        toPort: ECHO,
        flags,
        seq: ack,
        ack: seq,
        length: 50,
      });
      machine.segment({ from: SERVER, fromPort: ECHO, to: CLIENT, toPort: port, flags, seq, ack, length: 70 });
    });
    const before = machine.serverFrames;
    machine.run(5000);
    // Two throttled ends in five seconds; without a throttle it is two frames a round trip of 2 ms.
    expect(machine.serverFrames - before).toBeLessThanOrEqual(40);
  });

  test('ACKs of what was never sent get at most one answer in half a second each connection', () => {
    const machine = new AttackMachine({ offload });
    machine.pause();
    machine.run(200);
    const before = machine.serverFrames;
    for (let i = 0; i < 2000; i++) {
      machine.call(() => {
        for (const [fromPort, { seq, ack }] of machine.seen) {
          const beyond = (seq + 1_000_000 + i) | 0;
          machine.segment({ from: CLIENT, fromPort, toPort: ECHO, flags: TcpFlag.Ack, seq: ack, ack: beyond });
        }
      });
      machine.run(1);
    }
    // 8,000 forged segments, four connections, two seconds.
    expect(machine.serverFrames - before).toBeLessThanOrEqual(4 * 6);
    machine.resume();
    machine.end();
  });

  test('old text is answered one for one, never more (RFC 9293 3.10.7.4)', () => {
    const machine = new AttackMachine({ offload });
    machine.pause();
    machine.run(200);
    const before = machine.serverFrames;
    for (let i = 0; i < 1000; i++) {
      machine.call(() => {
        for (const [fromPort, { seq, ack }] of machine.seen) {
          const old = (ack - 500) | 0;
          const flags = TcpFlag.Ack | TcpFlag.Psh;
          machine.segment({ from: CLIENT, fromPort, toPort: ECHO, flags, seq: old, ack: seq, length: 100 });
        }
      });
      machine.run(1);
    }
    expect(machine.serverFrames - before).toBeLessThanOrEqual(4 * 1000 + 10);
    machine.resume();
    machine.end();
  });
});

describe('a segment to nobody', () => {
  test('is answered once at most, a RST never (RFC 9293 3.10.7.1)', () => {
    const machine = new AttackMachine({ offload: false });
    const { prng } = machine;
    machine.pause();
    machine.run(100);
    let sent = 0;
    for (let i = 0; i < 1000; i++) {
      machine.call(() => {
        const flags = prng.int32() & 0xff;
        if ((flags & TcpFlag.Rst) === 0) sent++;
        const from = 0x20000000 | prng.below(0x10000000);
        machine.segment({ from, fromPort: 99, toPort: 9999, flags, seq: prng.int32(), ack: prng.int32(), length: 20 });
      });
      machine.run(1);
    }
    expect(machine.answers).toBeLessThanOrEqual(sent);
    machine.resume();
    machine.end();
  });
});

describe('an attacker with a connection', () => {
  const open = (machine: AttackMachine): Opened => machine.open(0x0a000300, 5000);

  test('who repeats its last ACK for ever is not answered', () => {
    const machine = new AttackMachine({ offload: false });
    const opened = open(machine);
    const before = machine.answers;
    machine.attack(1000, () => {
      for (let i = 0; i < 4; i++) opened.say();
    });
    expect(machine.answers - before).toBe(0);
    machine.end();
  });
});
