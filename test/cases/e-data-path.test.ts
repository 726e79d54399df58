/** The data path of offloaded connections on the whole machine (digest §8 E). */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { NdisStatus } from '../../src/base/status.ts';
import type { FrameTap } from '../../src/fabric/capture.ts';
import { patch } from '../../src/host/ndis.ts';
import type { Path } from '../../src/host/path.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';
import { TcpOffloadEvent } from '../../src/offload/events.ts';
import { ETHERNET, EtherType } from '../../src/wire/ethernet.ts';
import { Ipv4Header, Ipv4Parse, IpProtocol, parseIpv4 } from '../../src/wire/ipv4.ts';
import { explore, Race } from '../support/explore.ts';
import { LadderMachine, type MachineLadderOptions } from '../support/machine-ladder.ts';

/** A station of the server's own network. */
const ONE = { peers: { c1: '10.0.0.16:5001' } };
/** Receives of the test's own, which the host knows nothing of: no checker would let them pass. */
const POSTING = { ...ONE, checker: false };
const TWO = { peers: { c1: '10.1.0.1:5001 via 10.0.0.251', c2: '10.1.0.1:5002 via 10.0.0.251' } };
const DAY_TICKS = 24 * 3600 * 1000;

function start(options: Partial<MachineLadderOptions> = {}, seed = 1): { machine: LadderMachine; race: Race } {
  const machine = new LadderMachine({ ...ONE, tcp: { timeWaitTicks: 500 }, ...options }, seed);
  return { machine, race: new Race(machine, new Prng(seed)) };
}

function adapterOf(machine: LadderMachine) {
  return machine.host.interfaces[0]!.adapter;
}

function tcbOf(machine: LadderMachine, name: string) {
  return machine.host.transport.at(machine.peer(name).connection!.slot);
}

function offloaded(race: Race, ...names: string[]): void {
  race.offload(...names);
  race.settle();
  for (const name of names) expect(race.field(name, 'offload')).toBe('Offloaded');
}

interface Answer {
  readonly what: string;
  readonly status: number;
  readonly bytes: number;
}

/** Receives that the test posts to the device past the host, in memory behind the peers' streams. */
class Posted {
  readonly answers: Answer[] = [];
  readonly #machine: LadderMachine;
  readonly #base: number;
  readonly #buffers = new Set<number>();
  #count = 0;

  constructor(machine: LadderMachine) {
    this.#machine = machine;
    const { offset, byteLength } = machine.sim.layout.hosts[0]!.regions.application;
    this.#base = offset + byteLength - 16_384;
    const { up } = adapterOf(machine);
    const buffer = NetBuffer.view(machine.sim.memory);
    patch(up, 'tcpOffloadReceiveComplete', next => (context, address, status) => {
      if (!this.#buffers.has(address)) next(context, address, status);
      else this.answers.push({ what: 'receive', status, bytes: buffer.at(address).bytesTransferred });
    });
    patch(up, 'indicateEvent', next => (context, event, argument) => {
      const name = Object.entries(TcpOffloadEvent).find(([, value]) => value === event)![0];
      this.answers.push({ what: name, status: 0, bytes: 0 });
      next(context, event, argument);
    });
  }

  post(name: string, length: number): number {
    const { memory } = this.#machine.sim;
    const address = this.#base + this.#count++ * 2048;
    const buffer = NetBuffer.view(memory).at(address);
    memory.u8.fill(0, address, address + NetBuffer.byteLength);
    buffer.dataAddress = address + NetBuffer.byteLength;
    buffer.dataLength = length;
    this.#buffers.add(address);
    const { offloadHandle } = tcbOf(this.#machine, name);
    this.#machine.call(() => adapterOf(this.#machine).down.tcpOffloadReceive(offloadHandle, address));
    return address;
  }

  /** Bytes placed so far. */
  bytesOf(address: number): number[] {
    const from = address + NetBuffer.byteLength;
    const { bytesTransferred } = NetBuffer.view(this.#machine.sim.memory).at(address);
    return [...this.#machine.sim.memory.u8.subarray(from, from + bytesTransferred)];
  }
}

/** What the peer c1 sends at an offset of its stream (test/support/machine-ladder.ts). */
function peerBytes(count: number): number[] {
  return Array.from({ length: count }, (_, offset) => (offset * 11) & 0xff);
}

/** The IPv4 identifications of the frames that leave, by who built them. */
class Identifications implements FrameTap {
  readonly seen: number[] = [];
  readonly #machine: LadderMachine;
  readonly #ip = new Ipv4Header();

  constructor(machine: LadderMachine) {
    this.#machine = machine;
    machine.sim.fabric.addTap(this);
  }

  frame(_interfaceId: number, _nowUs: number, at: number, length: number, outbound: boolean): void {
    const { view } = this.#machine.sim.memory;
    if (!outbound || view.getUint16(at + ETHERNET.etherType) !== EtherType.Ipv4) return;
    const ok = parseIpv4(view, at + ETHERNET.headerLength, at + length, this.#ip) === Ipv4Parse.Ok;
    if (ok && this.#ip.protocol === IpProtocol.Tcp) this.seen.push(this.#ip.identification);
  }

  get ofDevice(): number[] {
    return this.seen.filter(id => id >= 0x8000);
  }

  get ofHost(): number[] {
    return this.seen.filter(id => id < 0x8000);
  }
}

function pathOf(machine: LadderMachine, name: string): Path {
  return machine.host.transport.pathOf(tcbOf(machine, name));
}

describe('posted receives and the end', () => {
  explore('a receive posted after the end was told of is INVALID_STATE, at once (E12)', POSTING, (machine, race) => {
    offloaded(race, 'c1');
    const posted = new Posted(machine);
    race.event('peer closes', () => race.peerCloses('c1'));
    race.event('send', () => race.send('c1', 900));
    race.run();
    expect(race.count('c1 ended')).toBe(1);
    posted.post('c1', 1000);
    race.settle();
    const receives = posted.answers.filter(({ what }) => what === 'receive');
    expect(receives).toEqual([{ what: 'receive', status: NdisStatus.InvalidState, bytes: 0 }]);
    expect(race.count('c1 ended')).toBe(1);
    // The other direction goes on.
    race.send('c1', 500);
    race.end();
  });

  explore(
    'FIN with a partly filled receive: its bytes first, then the end (E11)',
    { ...POSTING, orders: 2, interleavings: 100 },
    (machine, race) => {
      offloaded(race, 'c1');
      const posted = new Posted(machine);
      const buffer = posted.post('c1', 1000);
      const c1 = race.peer('c1');
      c1.sndEnd = 301;
      c1.sndNxt = 301;
      race.event('peer sends', () => machine.inject(c1.peer, 'P. 1:301(300) ack 1'));
      race.event('its FIN, perhaps first', () => race.peerCloses('c1'));
      race.run();
      race.until('the end is told of', () => race.count('c1 ended') === 1);
      expect(posted.answers).toEqual([
        { what: 'receive', status: NdisStatus.Success, bytes: 300 },
        { what: 'IndicateDisconnect', status: 0, bytes: 0 },
      ]);
      expect(posted.bytesOf(buffer)).toEqual(peerBytes(300));
      race.until('the end is acknowledged', () => c1.sndUna === 302);
    },
  );

  explore(
    'RST: what is posted is answered REQUEST_ABORTED, sends too, and the application hears once (E13)',
    POSTING,
    (machine, race) => {
      offloaded(race, 'c1');
      const posted = new Posted(machine);
      posted.post('c1', 1000);
      posted.post('c1', 1000);
      race.settle();
      race.peer('c1').mute = true;
      const aborted: number[] = [];
      patch(adapterOf(machine).up, 'tcpOffloadSendComplete', next => (context, buffer, status) => {
        aborted.push(status);
        next(context, buffer, status);
      });
      race.event('send', () => race.send('c1', 700));
      race.event('send', () => race.send('c1', 300));
      race.event('RST', () => race.peerResets('c1'), 20);
      race.run();
      race.until('it ends', () => race.count('c1 closed') === 1);
      expect(race.count('c1 closed Reset')).toBe(1);
      expect(posted.answers.filter(({ what }) => what === 'IndicateAbort')).toHaveLength(1);
      const receives = posted.answers.filter(({ what }) => what === 'receive');
      expect(receives).toEqual(Array(2).fill({ what: 'receive', status: NdisStatus.RequestAborted, bytes: 0 }));
      // Calls that crossed the end find the connection gone, or closed: none is a success.
      for (const status of aborted) expect([NdisStatus.RequestAborted, NdisStatus.UploadInProgress]).toContain(status);
      race.end();
    },
  );
});

describe('sends', () => {
  explore(
    'are completed when the ACK covers their last byte, whoever has the connection (E17)',
    ONE,
    (machine, race) => {
      offloaded(race, 'c1');
      const c1 = race.peer('c1');
      c1.mute = true;
      for (const bytes of [1000, 1200, 800]) race.send('c1', bytes);
      race.settle();
      // Two of three segments; Nagle keeps the rest for the ACK of the last.
      const acks = [500, 1000, 1001, 1500, 2200].filter(() => race.prng.chance(0.6));
      for (const ack of acks) {
        race.event(`ACK ${ack}`, () => machine.inject(c1.peer, `. 1:1(0) ack ${ack}`));
        race.event('upload', () => race.upload('c1'), 40);
        race.run();
        race.offload('c1');
        race.settle();
        const ends = [1001, 2201, 3001];
        expect(race.count('c1 sent')).toBe(ends.filter(end => ack >= end).length);
      }
      c1.mute = false;
      race.end();
    },
  );
});

describe('IPv4 identification', () => {
  test('the device keeps to the upper half and the host to the lower, over the wrap of each (E22)', () => {
    const { machine, race } = start({ ...TWO, quiet: true });
    const path = pathOf(machine, 'c1');
    path.ipIdStart = 0x7ff8;
    path.ipId = 0x7ff8;
    const ids = new Identifications(machine);
    // c1 on the device, c2 in the host: they share the path.
    offloaded(race, 'c1');
    for (let i = 0; i < 20; i++) {
      race.send('c1', 100);
      race.send('c2', 100);
      race.settle();
    }
    const expected = Array.from({ length: 20 }, (_, index) => (0x7ff8 + index) & 0x7fff);
    expect(ids.ofHost).toEqual(expected);
    expect(ids.ofDevice).toEqual(expected.map(id => id | 0x8000));
    race.end();
  });

  test('the next value comes back with the path and is where the next offload goes on (E23)', () => {
    const { machine, race } = start({ ...TWO, quiet: true });
    const ids = new Identifications(machine);
    const counted: number[] = [];
    for (let round = 0; round < 6; round++) {
      offloaded(race, 'c1', 'c2');
      for (let i = 0; i < 5 + round; i++) {
        race.send(i % 2 === 0 ? 'c1' : 'c2', 50);
        race.settle();
      }
      race.upload('c1', 'c2');
      race.settle();
      counted.push(ids.ofDevice.length);
      expect(pathOf(machine, 'c1').ipIdStart & 0x7fff).toBe(ids.ofDevice.length);
    }
    expect(counted.at(-1)).toBe(5 + 6 + 7 + 8 + 9 + 10);
    expect(ids.ofDevice).toEqual(Array.from({ length: counted.at(-1)! }, (_, index) => 0x8000 + index));
    race.end();
  });
});

describe('windows and buffers', () => {
  explore(
    'zero window: an upload in the second round goes on in the second round (E25)',
    { ...ONE, orders: 2, interleavings: 200 },
    (machine, race) => {
      const c1 = race.peer('c1');
      offloaded(race, 'c1');
      c1.receiveWindow = 0;
      c1.say('. 1:1(0)');
      race.settle();
      c1.mute = true;
      race.send('c1', 500);
      race.settle();
      // Without a sample RTO is what the handshake left: 200 ms, so probes at 200, 600, 1400 ms.
      race.advanceTo(601 + race.prng.below(700));
      race.event('upload', () => race.upload('c1'), 6);
      race.run();
      expect(tcbOf(machine, 'c1').sndWndProbeCount).toBe(2);
      const probes = (): number[] =>
        machine.events.filter(({ text }) => /^> c1 \S+ 0:0\(0\)/.test(text)).map(({ us }) => Math.floor(us / 1000));
      expect(probes()).toEqual([200, 600]);
      race.advanceTo(1405);
      expect(probes()).toEqual([200, 600, 1400]);
      expect(machine.events.filter(({ text }) => /^> c1 \S+ 0:0\(0\)/.test(text)).map(({ actor }) => actor)).toEqual([
        'nic0',
        'nic0',
        'host',
      ]);
      c1.mute = false;
      c1.receiveWindow = 65_535;
      c1.say('. 1:1(0)');
      race.end();
    },
  );

  explore(
    'buffers of two connections go back in one call: each is free, both windows open (E27)',
    TWO,
    (machine, race) => {
      offloaded(race, 'c1', 'c2');
      const { pool } = machine.sim.nics[0]!.firmware;
      for (const name of ['c1', 'c2']) {
        race.call(name, 'hold');
        race.event(`${name} sends`, () => race.peerSends(name, 2500));
      }
      race.run();
      const held = pool.inUse;
      expect(held).toBeGreaterThanOrEqual(2);
      machine.call(() => {
        // One step of the host gives back what both have read, in one descriptor.
        for (const name of ['c1', 'c2']) machine.application(machine.peer(name), 'resume', 0);
      });
      race.event('c1 sends', () => race.peerSends('c1', 700));
      if (race.prng.chance(0.5)) race.event('upload', () => race.upload('c2'));
      race.run();
      expect(pool.inUse).toBe(0);
      expect(machine.peer('c1').received).toBe(3200);
      expect(machine.peer('c2').received).toBe(2500);
      race.end();
    },
  );
});

describe('timestamps', () => {
  explore(
    'PAWS goes on with the connection: an old timestamp is refused until TS.Recent is 24 days old (E29)',
    { ...ONE, timestamps: true, orders: 4, interleavings: 400 },
    (machine, race) => {
      const isAged = race.prng.chance(0.5);
      const days = isAged ? 25 : 23;
      const tcb = tcbOf(machine, 'c1');
      // The peer's clock as it was before a restart: what it stamps now is older than what the host has seen.
      tcb.tsRecent = (tcb.tsRecent + 1_000_000) | 0;
      tcb.tsRecentAge = (tcb.tsRecentAge - days * DAY_TICKS) | 0;
      const moves = race.prng.below(4);
      for (let move = 0; move < moves; move++) {
        if (move % 2 === 0) race.offload('c1');
        else race.upload('c1');
        race.settle();
      }
      const c1 = race.peer('c1');
      race.event('peer sends', () => race.peerSends('c1', 400));
      race.event('move', () => (moves % 2 === 0 ? race.offload('c1') : race.upload('c1')), 12);
      race.run();
      if (isAged) {
        expect(c1.peer.received).toBe(400);
        race.end();
      } else {
        // Acknowledged, and not taken.
        expect(c1.peer.received).toBe(0);
        expect(race.count('> c1 . 1:1(0) ack 1')).toBeGreaterThan(0);
      }
    },
  );
});

describe('segment sizes', () => {
  test('a peer with an MSS of 536 on a path of 9000 gets no larger segment, from either owner (E30)', () => {
    const { machine, race } = start({ mtu: 9000, peerMss: 536 });
    race.send('c1', 4000);
    race.settle();
    offloaded(race, 'c1');
    race.send('c1', 6000);
    race.settle();
    race.upload('c1');
    race.settle();
    race.send('c1', 3000);
    race.settle();
    race.delivered();
    const sizes = (actor: string): number[] =>
      machine.events
        .filter(event => event.actor === actor && event.text.startsWith('> c1'))
        .map(({ text }) => Number(/\((\d+)\)/.exec(text)![1]));
    for (const actor of ['host', 'nic0']) expect(Math.max(...sizes(actor))).toBe(536);
    race.end();
  });
});
