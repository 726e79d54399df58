/** A connection that is moved to and fro a thousand times under load, and notices nothing (D16). */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import type { TcpParams } from '../../src/tcp/params.ts';
import { Race } from '../support/explore.ts';
import { LadderMachine, type MachineLadderOptions } from '../support/machine-ladder.ts';

const MOVES = 1000;
const ONE: MachineLadderOptions = { peers: { c1: '10.0.0.16:5001' }, timestamps: true, quiet: true };

function start(seed: number, tcp: Partial<TcpParams> = {}): { machine: LadderMachine; race: Race } {
  const machine = new LadderMachine({ ...ONE, tcp: { timeWaitTicks: 500, ...tcp } }, seed);
  return { machine, race: new Race(machine, new Prng(seed)) };
}

/** To the other owner; a move that is still under way is waited for, and does not count. */
function move(race: Race): void {
  if (race.field('c1', 'offload') === 'InHost') race.offload('c1');
  else race.upload('c1');
}

describe('a thousand moves under load', () => {
  for (const loss of [0, 0.01]) {
    for (const seed of [1, 2, 3]) {
      test(
        `with ${loss * 100}% loss both streams are intact, and timestamps never go back (D16) [seed ${seed}]`,
        { timeout: 120_000 },
        () => {
          const { machine, race } = start(seed);
          const { prng } = race;
          const c1 = race.peer('c1');
          c1.loss = loss;
          let busy = 0;
          let moves = 0;
          for (; race.count('nic0 terminate complete') < MOVES; moves++) {
            // Both directions always have something to send, and something on its way.
            if (c1.peer.sent - (c1.rcvNxt - 1) < 6000) race.send('c1', 1 + prng.below(4000));
            if (c1.sndEnd - c1.sndUna < 6000) race.peerSends('c1', 1 + prng.below(4000));
            if (c1.sndNxt > c1.sndUna || c1.rcvNxt - 1 < c1.peer.sent) busy++;
            race.event('move', () => move(race), 12);
            race.run(false);
            if (prng.below(3) === 0) race.advance(1 + prng.below(loss === 0 ? 3 : 40), 1);
            expect(moves).toBeLessThan(20 * MOVES);
          }
          expect(race.count('nic0 initiate complete')).toBeGreaterThanOrEqual(MOVES);
          expect(busy).toBeGreaterThan(moves * 0.9);
          race.delivered();
          expect(c1.peer.received).toBeGreaterThan(500_000);
          expect(c1.peer.sent).toBeGreaterThan(500_000);
          expect(c1.lost > 0).toBe(loss > 0);
          // Both owners have sent: the identification says who (R31).
          const senders = new Set(
            machine.events.filter(({ text }) => text.startsWith('> c1')).map(({ actor }) => actor),
          );
          expect([...senders].sort()).toEqual(['host', 'nic0']);
          expect(c1.peer.lastTsVal).not.toBe(0);
          c1.loss = 0;
          race.end();
        },
      );
    }
  }
});

describe('a lossy connection whose peer never sends again what was SACKed', () => {
  // With few buffers a device often has no room for the queue, and leaves the connection to the host (D09).
  for (const { receiveBuffers, receivePool } of [
    { receiveBuffers: 512, receivePool: 'global' },
    { receiveBuffers: 32, receivePool: 'global' },
    { receiveBuffers: 64, receivePool: 'per-connection' },
  ] as const) {
    test(`gets every byte over hundreds of moves, ${receiveBuffers} buffers, pool ${receivePool} (D09, D16, RFC 2018 8)`, () => {
      const nics = [{ name: 'nic0', target: { receivePool } }];
      const options = { ...ONE, sack: true, nics, receiveBuffers, tcp: { timeWaitTicks: 500 } };
      let carried = 0;
      for (const seed of [1, 2, 3, 4, 5]) {
        const machine = new LadderMachine(options, seed);
        const race = new Race(machine, new Prng(seed));
        const { prng } = race;
        const c1 = race.peer('c1');
        c1.loss = 0.15;
        for (let moves = 0; moves < 200; moves++) {
          if (c1.peer.sent - (c1.rcvNxt - 1) < 6000) race.send('c1', 1 + prng.below(4000));
          if (c1.sndEnd - c1.sndUna < 20_000) race.peerSends('c1', 1 + prng.below(8000));
          const { oooCount } = machine.host.transport.at(c1.peer.connection!.slot);
          if (oooCount > 0 && race.field('c1', 'offload') === 'InHost') carried++;
          race.event('move', () => move(race), 12);
          race.run(false);
          if (prng.below(2) === 0) race.advance(1 + prng.below(40), 1);
        }
        race.delivered();
        expect(c1.lost).toBeGreaterThan(0);
        c1.loss = 0;
        race.end();
      }
      // Not only connections that had nothing to carry were offered.
      expect(carried).toBeGreaterThan(50);
    });
  }
});

/** When frames that begin so have left, in ms. */
function timesOf(machine: LadderMachine, frame: string): number[] {
  return machine.events.filter(({ text }) => text.startsWith(frame)).map(({ us }) => Math.floor(us / 1000));
}

/** Moves the connection every `everyMs` until then. */
function moveUntil(race: Race, untilMs: number, everyMs: number): void {
  const { machine } = race;
  const now = (): number => (machine.sim.clock.nowUs() - machine.startUs) / 1000;
  while (now() < untilMs) {
    move(race);
    race.settle();
    race.advanceTo(Math.min(untilMs, Math.floor(now()) + everyMs));
  }
}

describe('timers go on while a connection moves', () => {
  test('a lost segment is sent again at its first deadline, and at the next ones, over fifty moves each (D16, D17)', () => {
    const { machine, race } = start(1);
    race.peer('c1').mute = true;
    race.send('c1', 100);
    race.settle();
    moveUntil(race, 199, 4);
    expect(race.count('nic0 terminate complete')).toBeGreaterThanOrEqual(24);
    expect(timesOf(machine, '> c1 P. 1:101(100)')).toEqual([0]);
    moveUntil(race, 1500, 7);
    expect(timesOf(machine, '> c1 P. 1:101(100)')).toEqual([0, 200, 600, 1400]);
    race.peer('c1').mute = false;
    race.end();
  });

  test('zero-window probes come when they would have come (D16, D17, E25)', () => {
    const probes = (ms: (race: Race) => void) => {
      const { machine, race } = start(2);
      const c1 = race.peer('c1');
      c1.receiveWindow = 0;
      c1.say('. 1:1(0)');
      race.settle();
      race.send('c1', 100);
      race.settle();
      ms(race);
      const times = machine.events.filter(({ text }) => /^> c1 \S+ 0:0\(0\)/.test(text)).map(({ us }) => us);
      c1.receiveWindow = 65_535;
      c1.say('. 1:1(0)');
      race.end();
      return times.map(us => Math.floor(us / 1000));
    };
    const expected = probes(race => race.advanceTo(8000));
    expect(expected.length).toBeGreaterThanOrEqual(3);
    expect(probes(race => moveUntil(race, 8000, 13))).toEqual(expected);
  });

  test('keep-alive probes leave after the idle time, and the connection is given up after the last (D16, D17)', () => {
    const { machine, race } = start(3, { kaInterval: 100, kaProbeMax: 3 });
    machine.call(() => race.peer('c1').peer.connection!.setKeepAlive(true, 500));
    race.peer('c1').mute = true;
    race.send('c1', 10);
    race.settle();
    machine.inject(race.peer('c1').peer, '. 1:1(0) ack 11');
    race.settle();
    moveUntil(race, 950, 6);
    const probes = timesOf(machine, '> c1 . 10:10(0)');
    expect(probes).toEqual([500, 600, 700]);
    expect(race.count('c1 closed TimedOut')).toBe(1);
  });

  test('FIN-WAIT-2 ends at its time (D16, D17)', () => {
    const { machine, race } = start(4, { finWait2Ticks: 700 });
    race.call('c1', 'close');
    race.settle();
    moveUntil(race, 705, 5);
    const [end] = machine.events.filter(({ text }) => text.startsWith('c1 closed'));
    expect(end?.text).toBe('c1 closed Normal');
    expect(Math.floor(end!.us / 1000)).toBe(700);
  });
});
