/**
 * Received bytes on their way to an application that leaves some and posts receives, while the connection changes hands: the
 * same cases in every form of offload (digest §8 B12–B14, D10–D12, E01–E05).
 */
import { describe, expect } from 'vitest';
import { assert } from '../../src/base/assert.ts';
import { NdisStatus } from '../../src/base/status.ts';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import type { HostOffloadOptions } from '../../src/host/offload-options.ts';
import { explore, type Race } from '../support/explore.ts';
import type { LadderMachine, LadderPeer } from '../support/machine-ladder.ts';

const ONE = { peers: { c1: '10.0.0.16:5001' }, interleavings: 60, orders: 2 };
const TWO = { ...ONE, peers: { c1: '10.0.0.16:5001', c2: '10.0.0.17:5002' } };
/** Receives lie in the machine's memory behind the peers' streams. */
const RECEIVES_BYTES = 16_384;
/** Of receives whose end nobody waits for. */
const CROSSING = 9999;

interface Posted {
  readonly cookie: number;
  readonly address: number;
  readonly length: number;
  readonly noPush: boolean;
}

/** The application of c1. Whatever it is shown or given must be the next bytes of the stream. */
class Receiver implements TliHandler {
  readonly #machine: LadderMachine;
  readonly #race: Race;
  readonly #peer: LadderPeer;
  readonly #base: number;
  readonly outstanding: Posted[] = [];
  /** Bytes and status of those that are done. */
  readonly done: { readonly bytes: number; readonly status: number }[] = [];
  takes: (length: number) => number = length => length;
  onComplete: () => void = () => {};
  #next = 0;

  constructor(machine: LadderMachine, race: Race) {
    this.#machine = machine;
    this.#race = race;
    this.#peer = machine.peer('c1');
    const { offset, byteLength } = machine.sim.layout.hosts[0]!.regions.application;
    this.#base = offset + byteLength - RECEIVES_BYTES;
    this.connection.handler = this;
  }

  get connection(): TliConnection {
    return this.#peer.connection!;
  }

  get bytes(): number {
    return this.#peer.received;
  }

  #check(address: number, length: number): void {
    const { u8 } = this.#machine.sim.memory;
    for (let i = 0; i < length; i++) {
      const offset = this.#peer.received++;
      assert(u8[address + i] === ((offset * 11) & 0xff), `byte ${offset} is the one that was sent`);
    }
  }

  /** From inside of a callback; `post` is for the outside. */
  postHere(length: number, noPush = false): void {
    const at = this.#next % RECEIVES_BYTES;
    const address = this.#base + (at + length <= RECEIVES_BYTES ? at : 0);
    this.#next = address - this.#base + length;
    const cookie = this.done.length + this.outstanding.length;
    this.outstanding.push({ cookie, address, length, noPush });
    assert(this.connection.postReceive(address, length, cookie, noPush), 'the receive is taken');
  }

  post(length: number, noPush = false): void {
    this.#machine.call(() => this.postHere(length, noPush));
  }

  /** Takes everything from now on. */
  resume(): void {
    this.takes = length => length;
    this.#machine.call(() => this.connection.resume());
  }

  connected(): void {}

  received(_connection: TliConnection, address: number, length: number): number {
    const taken = this.takes(length);
    this.#check(address, taken);
    this.#race.note(`takes ${taken} of ${length}`);
    return taken;
  }

  receiveComplete(_connection: TliConnection, cookie: number, length: number, status: number): void {
    if (cookie === CROSSING) {
      this.#peer.received += length;
      return;
    }
    const posted = this.outstanding.shift()!;
    assert(posted.cookie === cookie, 'receives are completed in order');
    const isEarly = length < posted.length && status === NdisStatus.Success;
    assert(!isEarly || !posted.noPush || this.connection.peerClosed, 'without push it is full');
    this.#check(posted.address, length);
    this.done.push({ bytes: length, status });
    this.#race.note(`received ${length} of ${posted.length}`);
    this.onComplete();
  }

  ended(connection: TliConnection): void {
    this.#machine.ended(connection);
  }

  sent(connection: TliConnection, cookie: number): void {
    this.#machine.sent(connection, cookie);
  }

  closed(connection: TliConnection, reason: number): void {
    assert(this.outstanding.length === 0, 'every receive is completed before the end');
    this.#machine.closed(connection, reason);
  }
}

function offloaded(race: Race): void {
  race.offload('c1');
  race.settle();
  expect(race.field('c1', 'offload')).toBe('Offloaded');
}

/** The connection goes to the device and back, and perhaps there again, while the rest happens. */
function moves(race: Race): void {
  if (race.prng.chance(0.5)) offloaded(race);
  else race.event('offload', () => race.offload('c1'), 10);
  race.event('upload', () => race.upload('c1'), 20);
  race.event('offload again', () => race.offload('c1'), 30);
}

const FORMS: readonly Pick<HostOffloadOptions, 'state' | 'buffers' | 'bufferedData'>[] = (
  ['with-request', 'at-completion'] as const
).flatMap(state =>
  (['after-completion', 'in-request'] as const).flatMap(buffers =>
    (['switch', 'state'] as const).map(bufferedData => ({ state, buffers, bufferedData })),
  ),
);

describe.each(FORMS)('state $state, buffers $buffers, data in the $bufferedData', offload => {
  const one = { ...ONE, offload };

  explore('what was left goes first into receives, then what came since (E01)', one, (machine, race) => {
    const app = new Receiver(machine, race);
    moves(race);
    app.takes = () => 0;
    race.event('peer sends', () => race.peerSends('c1', 700), 4);
    race.event('peer sends more', () => race.peerSends('c1', 1800), 24);
    for (const length of [400, 1000, 300]) race.event('post', () => app.post(length), 24);
    race.run();
    app.resume();
    race.end();
  });

  explore('a receive of no bytes shows again what was left (E02)', one, (machine, race) => {
    const app = new Receiver(machine, race);
    moves(race);
    app.takes = () => 0;
    race.event('peer sends', () => race.peerSends('c1', 1200), 8);
    race.run();
    app.takes = length => length;
    race.event('post', () => app.post(0));
    race.event('upload', () => race.upload('c1'));
    race.run();
    expect(app.bytes).toBe(1200);
    expect(app.done).toEqual([{ bytes: 0, status: NdisStatus.Success }]);
    race.end();
  });

  explore('taken in part, again and again: the rest begins at the next byte (E03, D11)', one, (machine, race) => {
    const app = new Receiver(machine, race);
    moves(race);
    app.takes = length => race.prng.below(length + 1);
    for (const bytes of [1, 900, 2200]) race.event('peer sends', () => race.peerSends('c1', bytes), 20);
    for (let i = 0; i < 3; i++) race.event('show', () => machine.call(() => app.connection.resume()), 30);
    race.event('post', () => app.post(600), 30);
    race.run();
    app.resume();
    race.end();
  });

  explore('receives posted from inside of callbacks, wherever the bytes are (E04, E05)', one, (machine, race) => {
    const app = new Receiver(machine, race);
    moves(race);
    let left = 6;
    const postOne = (): void => {
      if (left-- > 0) app.postHere(race.prng.below(900));
    };
    app.onComplete = postOne;
    app.takes = length => {
      postOne();
      return race.prng.below(length + 1);
    };
    for (const bytes of [900, 100, 2200]) race.event('peer sends', () => race.peerSends('c1', bytes), 24);
    race.run();
    app.resume();
    race.end();
  });

  explore('a receive that is partly filled at a hand-over is filled on the other side (D10)', one, (machine, race) => {
    const app = new Receiver(machine, race);
    moves(race);
    app.post(4000, true);
    app.post(1000, true);
    for (const bytes of [700, 1500, 2000, 1300]) race.event('peer sends', () => race.peerSends('c1', bytes), 30);
    race.run();
    race.until('both are full', () => app.done.length === 2);
    expect(app.done.map(({ bytes }) => bytes)).toEqual([4000, 1000]);
    race.end();
  });

  explore('left while the terminate is under way: the bytes come back with it (D12)', one, (machine, race) => {
    const app = new Receiver(machine, race);
    offloaded(race);
    app.takes = () => 0;
    race.event('upload', () => race.upload('c1'), 12);
    race.event('peer sends', () => race.peerSends('c1', 2500), 12);
    race.run();
    expect(race.field('c1', 'offload')).toBe('InHost');
    expect(app.bytes).toBe(0);
    app.resume();
    race.end();
    expect(app.bytes).toBe(2500);
  });

  explore('bytes that were left, then the end: told once, behind them (B14, D19)', one, (machine, race) => {
    const app = new Receiver(machine, race);
    moves(race);
    app.takes = () => 0;
    race.peerSends('c1', 900);
    race.event('peer closes', () => race.peerCloses('c1'), 30);
    race.run();
    race.until('the FIN is there', () => race.peer('c1').sndUna === 902);
    expect(race.count('c1 ended')).toBe(0);
    race.event('post', () => app.post(500), 10);
    race.event('resume', () => app.resume(), 20);
    race.event('upload', () => race.upload('c1'), 20);
    race.run();
    race.until('the end is told of', () => race.count('c1 ended') === 1);
    expect(app.bytes).toBe(900);
    race.end();
  });

  explore('more bytes left than the window has now: no window below zero (B13)', one, (machine, race) => {
    const app = new Receiver(machine, race);
    app.takes = () => 0;
    race.peerSends('c1', 6000);
    race.until('they are there', () => race.peer('c1').sndUna === 6001);
    race.event('rcvbuf', () => machine.call(() => app.connection.setReceiveBuffer(3000)), 2);
    moves(race);
    race.event('send', () => race.send('c1', 500), 20);
    race.run();
    // What the peer was promised does not grow while nothing is taken.
    expect(race.peer('c1').window).toBeLessThanOrEqual(65_535 - 6000);
    app.resume();
    race.peerSends('c1', 4000);
    race.end();
  });
});

describe('data in the state', () => {
  explore(
    'no memory to copy it: that connection is refused, and no other (B12)',
    { ...TWO, offload: { bufferedData: 'state' } },
    (machine, race) => {
      const app = new Receiver(machine, race);
      app.takes = () => 0;
      race.peerSends('c1', 2000);
      race.settle();
      const { pool } = machine.sim.nics[0]!.firmware;
      const taken: number[] = [];
      for (let at = pool.allocate(); at !== 0; at = pool.allocate()) taken.push(at);
      race.event('offload', () => race.offload('c1', 'c2'));
      race.event('send', () => race.send('c2', 300));
      race.run();
      for (const address of taken) pool.free(address);
      expect(race.field('c1', 'offload')).toBe('InHost');
      expect(race.field('c2', 'offload')).toBe('Offloaded');
      race.event('offload', () => race.offload('c1'));
      race.run();
      expect(race.field('c1', 'offload')).toBe('Offloaded');
      app.resume();
      race.end();
    },
  );
});

describe('the end of a connection', () => {
  const title = 'in the host receives are aborted, and none is taken any more, also from inside (E13)';
  explore(title, { ...ONE, orders: 1 }, (machine, race) => {
    const app = new Receiver(machine, race);
    const isTaken: boolean[] = [];
    for (let i = 0; i < 2; i++) app.post(1000, true);
    const { address } = app.outstanding[0]!;
    app.onComplete = () => isTaken.push(app.connection.postReceive(address, 100, 9, false));
    race.event('reset', () => race.peerResets('c1'), 24);
    race.run();
    race.until('it ends', () => race.count('c1 closed') === 1);
    expect(app.done.map(({ status }) => status)).toEqual([NdisStatus.RequestAborted, NdisStatus.RequestAborted]);
    expect(isTaken).toEqual([false, false]);
    race.end();
  });

  const crossing =
    'on a device a receive may cross the end on its way up: its buffer comes back all the same (E12, E13)';
  explore(crossing, { ...ONE, interleavings: 200 }, (machine, race) => {
    const app = new Receiver(machine, race);
    const { connection } = app;
    const { offset } = machine.sim.layout.hosts[0]!.regions.application;
    offloaded(race);
    race.peerSends('c1', 9000);
    if (race.prng.chance(0.5)) race.event('reset', () => race.peerResets('c1'), 12);
    else {
      race.event('peer closes', () => race.peerCloses('c1'), 12);
      race.event('close', () => machine.call(() => connection.disconnect()), 12);
    }
    for (let i = 0; i < 3; i++) {
      race.event('post', () => machine.call(() => connection.postReceive(offset, 1000, CROSSING, true)), 20);
      race.event('show', () => machine.call(() => connection.resume()), 20);
    }
    race.run();
    app.resume();
    race.until('it ends', () => race.count('c1 closed') === 1);
    race.settle();
    expect(machine.host.sendDescriptors.inUse).toBe(0);
    race.end();
  });

  const late = 'a receive that a NIC answers when the connection is over gives its buffer back (E13, D22)';
  explore(late, { ...ONE, interleavings: 200, tcp: { finWait2Ticks: 300 } }, (machine, race) => {
    const app = new Receiver(machine, race);
    const { connection } = app;
    const { offset } = machine.sim.layout.hosts[0]!.regions.application;
    const [nic] = machine.sim.nics;
    offloaded(race);
    machine.call(() => connection.disconnect());
    race.settle();
    // It hangs for longer than FIN-WAIT-2 lasts; what it has to do then it does in a row.
    nic!.stall();
    race.advance(400);
    race.event('abort', () => machine.call(() => connection.abort()), 4);
    for (let i = 0; i < 2; i++) {
      race.event('post', () => machine.call(() => connection.postReceive(offset, 1000, CROSSING, true)), 12);
    }
    race.event('wake up', () => nic!.resume(), 8);
    race.mayBreak('c1');
    race.run();
    race.until('it ends', () => race.count('c1 closed') === 1);
    race.settle();
    expect(machine.host.sendDescriptors.inUse).toBe(0);
    race.end();
  });
});
