/**
 * Blind attacks on established connections (RFC 5961): an attacker who knows addresses and ports, and guesses numbers, neither
 * ends nor changes a connection. Only the exact number, which nobody off the path knows, would.
 */
import { describe, expect, test } from 'vitest';
import type { Prng } from '../../src/base/prng.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { AttackMachine, CLIENT, SERVER, type Seen } from '../support/attack-machine.ts';

const ECHO = 7;
const STEPS = 1500;

/** A segment in the client's name. */
function spoof(machine: AttackMachine, fromPort: number, flags: number, seq: number, ack: number, length = 0): void {
  machine.segment({ from: CLIENT, fromPort, to: SERVER, toPort: ECHO, flags, seq, ack, length });
}

function each(machine: AttackMachine, work: (port: number, seen: Seen) => void): void {
  for (const [port, seen] of machine.seen) work(port, seen);
}

/** What no ACK says but one of an attacker who guesses: neither old by a window nor of what was sent. */
function farFrom(prng: Prng, seq: number): number {
  return (seq + (prng.chance(0.5) ? 1 : -1) * prng.between(2_000_000, 0x7fff0000)) | 0;
}

describe.each([false, true])('connections offloaded: %s', offload => {
  test('RSTs with random numbers (RFC 5961 3.2)', () => {
    const machine = new AttackMachine({ offload });
    const { prng } = machine;
    machine.attack(STEPS, () => each(machine, port => spoof(machine, port, TcpFlag.Rst, prng.int32(), 0)));
    machine.end();
  });

  test('RSTs that hit the window but not RCV.NXT are challenged, and no more often than is allowed (RFC 5961 3.2, 7)', () => {
    const machine = new AttackMachine({ offload });
    const { prng } = machine;
    const before = machine.serverFrames;
    machine.attack(STEPS, () =>
      // Further on than what is in flight, so that none meets RCV.NXT.
      each(machine, (port, { ack }) => spoof(machine, port, TcpFlag.Rst, (ack + 20_000 + prng.below(10_000)) | 0, 0)),
    );
    const inPeace = machine.serverFrames - before;
    expect(inPeace).toBeGreaterThan(0);
    machine.end();
  });

  test('SYNs in the window, and anywhere (RFC 5961 4.2)', () => {
    const machine = new AttackMachine({ offload });
    const { prng } = machine;
    machine.attack(STEPS, () =>
      each(machine, (port, { ack }) => {
        spoof(machine, port, TcpFlag.Syn, (ack + prng.between(1, 30_000)) | 0, 0);
        spoof(machine, port, TcpFlag.Syn, prng.int32(), 0);
        spoof(machine, port, TcpFlag.Syn | TcpFlag.Ack, prng.int32(), prng.int32());
      }),
    );
    machine.end();
  });

  test('text in the window whose ACK is far from what was sent is not taken (RFC 5961 5.2)', () => {
    const machine = new AttackMachine({ offload });
    const { prng } = machine;
    machine.attack(STEPS, () =>
      each(machine, (port, { seq, ack }) =>
        spoof(machine, port, TcpFlag.Ack | TcpFlag.Psh, ack, farFrom(prng, seq), 100),
      ),
    );
    machine.end();
  });

  test('FINs whose numbers are guesses', () => {
    const machine = new AttackMachine({ offload });
    const { prng } = machine;
    machine.attack(STEPS, () =>
      each(machine, (port, { seq, ack }) => {
        spoof(machine, port, TcpFlag.Fin | TcpFlag.Ack, prng.int32(), prng.int32());
        spoof(machine, port, TcpFlag.Fin | TcpFlag.Ack, ack, farFrom(prng, seq));
      }),
    );
    machine.end();
  });
});
