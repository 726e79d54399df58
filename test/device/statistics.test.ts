/** Counters of offloaded traffic: what the device publishes, and the host's totals over all places (R22, E28, digest 1.7). */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { OffloadStatsReader } from '../../src/host/offload-stats-reader.ts';
import { type HostStatistics, hostStatistics } from '../../src/host/statistics.ts';
import { OffloadStatsFamily, Submission } from '../../src/offload/descriptors.ts';
import { highWord, wide } from '../../src/offload/offload-statistics.ts';
import { TcpState } from '../../src/tcp/tcb.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { LadderMachine, type LadderPeer } from '../support/machine-ladder.ts';
import { OneConnection, PORT } from './one-connection.ts';

function published(one: OneConnection) {
  const { bench } = one;
  const { tcp4, ip4, tcp6, ip6 } = new OffloadStatsReader(bench.memory, bench.nic.boot.regions.offloadStats).read(
    false,
  );
  expect([tcp6, ip6].flatMap<number>(family => Object.values(family)).every(count => count === 0)).toBe(true);
  return { ...tcp4, ...ip4 };
}

/** Ten bytes there and back, one of them sent twice, one segment damaged by a wrong VLAN of its own. */
function busy(): OneConnection {
  const one = new OneConnection();
  one.send('0123456789');
  one.bench.step();
  one.bench.step(1500);
  one.arrive(5000, 1010, 'abc');
  one.bench.step();
  one.bench.step(100);
  return one;
}

describe('TCP4_OFFLOAD_STATS and IP4_OFFLOAD_STATS', () => {
  test('count segments and datagrams of offloaded connections; what is sent again is counted as that only', () => {
    expect(published(busy())).toMatchObject({
      inSegments: 1,
      outSegments: 2,
      retransmittedSegments: 1,
      currentlyEstablished: 1,
      resetEstablished: 0,
      inReceives: 1,
      inDelivers: 1,
      inOctets: 43,
      outRequests: 3,
      outOctets: 50 + 50 + 40,
    });
  });

  test('frames of others are not theirs', () => {
    const one = busy();
    one.bench.arrive(101, PORT + 1, 0, 0, 'other');
    one.bench.step();
    expect(published(one)).toMatchObject({ inSegments: 1, inReceives: 1 });
  });

  test('setting a family zeroes that one alone; what is established is no count (E28)', () => {
    const one = busy();
    one.bench.submit(Submission.SetStatistics, OffloadStatsFamily.Tcp4);
    one.bench.step();
    const zero = { inSegments: 0, outSegments: 0, retransmittedSegments: 0, currentlyEstablished: 1 };
    expect(published(one)).toMatchObject({ ...zero, inReceives: 1, outRequests: 3 });
    one.bench.submit(Submission.SetStatistics, OffloadStatsFamily.Ip4);
    one.arrive(5003, 1010, 'd');
    one.bench.step();
    expect(published(one)).toMatchObject({ ...zero, inSegments: 1, inReceives: 1, outRequests: 0, inOctets: 41 });
  });

  test('CurrentlyEstablished follows ESTABLISHED and CLOSE-WAIT; RST counts as a reset, an upload does not', () => {
    const closing = new OneConnection();
    closing.arrive(5000, 1000, '', TcpFlag.Fin);
    closing.bench.step();
    expect(closing.tcb.state).toBe(TcpState.CloseWait);
    expect(published(closing)).toMatchObject({ currentlyEstablished: 1, resetEstablished: 0 });
    closing.arrive(5001, 1000, '', TcpFlag.Rst);
    closing.bench.step();
    expect(published(closing)).toMatchObject({ currentlyEstablished: 0, resetEstablished: 1 });
    const taken = new OneConnection();
    taken.terminate();
    expect(published(taken)).toMatchObject({ currentlyEstablished: 0, resetEstablished: 0 });
    const aborted = new OneConnection();
    aborted.abort();
    aborted.bench.step();
    expect(published(aborted)).toMatchObject({ currentlyEstablished: 0, resetEstablished: 1, outResets: 1 });
  });

  test('64-bit counters are pairs of words', () => {
    for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7]) {
      expect(wide(value | 0, highWord(value))).toBe(value);
    }
  });
});

const PEERS = { c1: '10.0.0.101:5001', c2: '10.0.0.102:5002', c3: '10.1.0.1:5003 via 10.0.0.251' };
const NAMES = Object.keys(PEERS);

interface Totals {
  readonly counted: HostStatistics;
  /** What really was on the wire. */
  readonly segmentsIn: number;
  readonly segmentsOut: number;
}

/** A conversation of three peers, the same for a seed, with hand-overs between or not. */
class Conversation {
  readonly #machine: LadderMachine;
  readonly #prng: Prng;
  readonly #handsOver: boolean;
  readonly #sent: Record<string, number> = {};
  #timeUs = 0;
  #segmentsIn = 0;

  constructor(seed: number, handsOver: boolean) {
    this.#machine = new LadderMachine({ peers: PEERS }, 1);
    this.#prng = new Prng(seed);
    this.#handsOver = handsOver;
    for (const name of NAMES) this.#sent[name] = 1;
  }

  run(turns: number): Totals {
    const machine = this.#machine;
    const before = hostStatistics(machine.host);
    for (let turn = 0; turn < turns; turn++) this.#turn(turn);
    // Everything acknowledged, and quiet.
    for (const name of NAMES) this.#segment(name, 0);
    this.#pass(2000);
    const after = hostStatistics(machine.host);
    const counted = Object.fromEntries(
      Object.entries(after).map(([key, value]) => [key, value - before[key as keyof HostStatistics]]),
    ) as unknown as HostStatistics;
    const segmentsOut = machine.events.filter(({ text }) => /^> c\d/.test(text)).length;
    return { counted: { ...counted, tcpCurrEstab: after.tcpCurrEstab }, segmentsIn: this.#segmentsIn, segmentsOut };
  }

  #turn(turn: number): void {
    const name = NAMES[this.#prng.below(NAMES.length)]!;
    const dice = this.#prng.below(10);
    const length = 1 + this.#prng.below(200);
    // Both runs draw the same numbers; only one of them hands over.
    const handOver = this.#prng.below(3);
    if (dice < 4) this.#segment(name, length);
    else if (dice < 7) this.#machine.call(() => this.#machine.application(this.#peer(name), 'send', length));
    else this.#pass(dice === 9 ? 1500 : 1 + dice);
    if (this.#handsOver && handOver < 2) {
      if (handOver === 0) this.#machine.call(() => this.#machine.offload([name]));
      else this.#machine.call(() => this.#machine.upload([name]));
      if (turn % 2 === 0) this.#machine.settle();
    }
    this.#machine.settle();
  }

  #peer(name: string): LadderPeer {
    return this.#machine.peer(name);
  }

  /** Text of a peer that acknowledges everything that was sent to it. */
  #segment(name: string, length: number): void {
    const from = this.#sent[name]!;
    this.#sent[name] = from + length;
    this.#segmentsIn++;
    const flags = length > 0 ? 'P.' : '.';
    this.#machine.inject(this.#peer(name), `${flags} ${from}:${from + length}(${length}) ack ${this.#highest(name)}`);
    this.#machine.settle();
  }

  #highest(name: string): number {
    let highest = 1;
    for (const { text } of this.#machine.events) {
      const match = new RegExp(`^> ${name} \\S+ \\d+:(\\d+)\\(`).exec(text);
      if (match !== null) highest = Math.max(highest, Number(match[1]));
    }
    return highest;
  }

  #pass(ms: number): void {
    this.#timeUs += ms * 1000;
    this.#machine.advanceTo(this.#timeUs);
  }
}

describe('the totals of a host and its NICs (E28)', () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`nothing is lost or counted twice over any number of hand-overs (seed ${seed})`, () => {
      const still = new Conversation(seed, false).run(80);
      const moving = new Conversation(seed, true).run(80);
      for (const { counted, segmentsIn, segmentsOut } of [still, moving]) {
        expect(counted.tcpInSegs).toBe(segmentsIn);
        expect(counted.tcpOutSegs + counted.tcpRetransSegs).toBe(segmentsOut);
        expect(counted.ipOutRequests).toBe(segmentsOut);
        expect(counted).toMatchObject({ tcpCurrEstab: NAMES.length, tcpEstabResets: 0, tcpInErrs: 0, tcpOutRsts: 0 });
      }
      // What came in is the same; what goes out again depends on RTT samples, of which a hand-over costs some.
      const { ipInReceives, ipInDelivers, tcpInSegs } = still.counted;
      expect(moving.counted).toMatchObject({ ipInReceives, ipInDelivers, tcpInSegs });
      expect(still.counted.tcpRetransSegs).toBeGreaterThan(0);
    });
  }
});
