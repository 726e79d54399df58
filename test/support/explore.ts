/**
 * Races, explored: one scenario under hundreds of schedules of the simulated machine, and a judgement of each.
 *
 *   explore('terminate crosses a send (D04)', { peers: { c1: '10.0.0.16:5001' } }, (machine, race) => {
 *     race.offload('c1');
 *     race.event('send', () => race.send('c1', 100));
 *     race.event('upload', () => machine.upload(['c1']));
 *     race.run();
 *     race.end();
 *   });
 *
 * A seed chooses everything: which part of the machine steps next and how many descriptors it takes, after how many rounds
 * of the scheduler each event happens, when the peers answer. Invariants are looked at in every round; `end` wants every
 * byte delivered once in both directions, every send completed once, and nothing left anywhere. The order of all that
 * happened is hashed: a race of which few orders were seen was not explored, and fails as well.
 *
 * A failure names its seed: `EXPLORE_SEED=17 npx vitest run -t D04` runs it alone. `EXPLORE_COUNT=5000` is a campaign.
 */
import { expect, test } from 'vitest';
import { assert } from '../../src/base/assert.ts';
import { Prng } from '../../src/base/prng.ts';
import type { InvariantChecker } from '../../src/scenario/invariants.ts';
import { TcpFlag, type TcpHeader } from '../../src/wire/tcp.ts';
import { LadderMachine, type LadderPeer, type MachineLadderOptions } from './machine-ladder.ts';

export interface ExploreOptions extends MachineLadderOptions {
  /** Schedules, where the usual number is not wanted. */
  readonly interleavings?: number;
  /** Different orders of events that must have been seen. */
  readonly orders?: number;
}

const INTERLEAVINGS = 400;
const ORDERS = 10;
const ROUNDS_MAX = 10;
/** How long a peer waits for an ACK before it goes back. */
const PEER_RTO_US = 300_000;
const PEER_MSS = 1460;
/** Virtual time in which everything must have arrived; and in which TIME-WAIT, made short, has passed. */
const PATIENCE_MS = 60_000;
const TIME_WAIT_MS = 2000;
const BUDGETS = [1, 2, 8, 64];

/**
 * A peer that acknowledges, sends what it has, and sends it again when that is lost: go-back-N, and no more. Where SACK is
 * permitted it never sends again what was SACKed: if that is taken back, the connection stands still (RFC 2018 8).
 */
export class LivePeer {
  readonly peer: LadderPeer;
  readonly #machine: LadderMachine;
  readonly #prng: Prng;
  /** All relative to the ISS of the side that counts: the first byte is 1. */
  rcvNxt = 1;
  sndUna = 1;
  sndNxt = 1;
  /** Beyond the last byte to send, the FIN not counted. */
  sndEnd = 1;
  closes = false;
  finReceived = false;
  wasReset = false;
  window = 65_535;
  /** Of 1: segments of either side that never arrive. */
  loss = 0;
  lost = 0;
  /** Announced to the server; 0 stops it. */
  receiveWindow = 65_535;
  /** Acknowledges nothing and sends nothing. */
  mute = false;
  /** By number: SACKed. */
  readonly #sacked: boolean[] = [];
  #ackDue = false;
  #resetAt = -1;
  #progressUs = 0;

  constructor(machine: LadderMachine, peer: LadderPeer, prng: Prng) {
    this.#machine = machine;
    this.peer = peer;
    this.#prng = prng;
    this.#progressUs = machine.sim.clock.nowUs();
  }

  /** Everything sent is acknowledged, and everything that was promised has arrived. */
  get isDone(): boolean {
    if (this.wasReset) return true;
    return this.sndUna === this.sndEnd + (this.closes ? 1 : 0) && this.rcvNxt - 1 >= this.peer.sent;
  }

  hear(tcp: TcpHeader): void {
    if (this.#isLost()) return;
    const { peer } = this;
    if ((tcp.flags & TcpFlag.Rst) !== 0 || this.wasReset) {
      // RFC 5961 3.2: whoever has no connection any more answers a challenge with the RST that is wanted.
      if ((tcp.flags & TcpFlag.Rst) === 0) this.#resetAt = (tcp.segAck - peer.iss) | 0;
      this.wasReset = true;
      return;
    }
    const acked = (tcp.segAck - peer.iss) | 0;
    if (acked > this.sndUna) {
      assert(acked <= this.sndEnd + 1, `${peer.name}: only what was sent is acknowledged`);
      this.sndUna = acked;
      this.sndNxt = Math.max(this.sndNxt, acked);
      this.#progressUs = this.#machine.sim.clock.nowUs();
    }
    for (let i = 0; i < tcp.sackCount; i++) {
      const right = (tcp.sackRight[i]! - peer.iss) | 0;
      for (let n = (tcp.sackLeft[i]! - peer.iss) | 0; n < right; n++) this.#sacked[n] = true;
    }
    this.window = tcp.window;
    const isFin = (tcp.flags & TcpFlag.Fin) !== 0;
    if (tcp.payloadLength === 0 && !isFin) return;
    const first = (tcp.segSeq - peer.irs) | 0;
    const end = first + tcp.payloadLength + (isFin ? 1 : 0);
    // A closed window takes nothing; probes are answered.
    if (first <= this.rcvNxt && end > this.rcvNxt && this.receiveWindow > 0) {
      this.rcvNxt = end;
      this.finReceived ||= isFin;
    }
    this.#ackDue = true;
  }

  /** One segment, if there is cause. */
  act(): boolean {
    if (this.#resetAt >= 0) {
      this.#machine.inject(this.peer, `R ${this.#resetAt}:${this.#resetAt}(0)`);
      this.#resetAt = -1;
      return true;
    }
    if (this.wasReset || this.mute) return false;
    if (this.#machine.sim.clock.nowUs() - this.#progressUs >= PEER_RTO_US) {
      this.sndNxt = this.sndUna;
      this.#progressUs = this.#machine.sim.clock.nowUs();
    }
    while (this.sndNxt < this.sndEnd && this.#sacked[this.sndNxt] === true) this.sndNxt++;
    const room = Math.min(this.sndEnd, this.sndUna + this.window) - this.sndNxt;
    const longest = Math.max(0, Math.min(room, 1 + this.#prng.below(PEER_MSS)));
    let length = 0;
    while (length < longest && this.#sacked[this.sndNxt + length] !== true) length++;
    const end = this.sndNxt + length;
    const mayFin = this.closes && this.#sacked[this.sndEnd] !== true;
    const isFin = mayFin && end === this.sndEnd && this.sndNxt <= this.sndEnd && this.sndUna <= this.sndEnd;
    if (length === 0 && !isFin && !this.#ackDue) return false;
    this.#ackDue = false;
    const flags = isFin ? 'F.' : length > 0 ? 'P.' : '.';
    this.say(`${flags} ${this.sndNxt}:${end}(${length})`);
    this.sndNxt = end + (isFin ? 1 : 0);
    return true;
  }

  #isLost(): boolean {
    const isLost = this.loss > 0 && this.#prng.float() < this.loss;
    if (isLost) this.lost++;
    return isLost;
  }

  /** A segment that acknowledges what has arrived. */
  say(segment: string): void {
    if (this.#isLost()) return;
    this.#machine.inject(this.peer, `${segment} ack ${this.rcvNxt} win ${this.receiveWindow}`);
  }
}

interface RaceEvent {
  readonly name: string;
  readonly work: () => void;
  readonly round: number;
}

export class Race {
  readonly machine: LadderMachine;
  readonly prng: Prng;
  readonly peers: LivePeer[];
  readonly checker: InvariantChecker;
  /** A device that died keeps what it had, and that is nobody's any more. */
  checksInvariants = true;
  /** Sends of the application, by peer: each is completed once. */
  readonly #sends = new Map<string, number>();
  #events: RaceEvent[] = [];
  /** Segments of peers so far: while there are more, something is under way. */
  #acts = 0;
  /** An application that aborted, or a peer that reset, has lost the right to its bytes. */
  readonly #cut = new Set<string>();

  constructor(machine: LadderMachine, prng: Prng) {
    this.machine = machine;
    this.prng = prng;
    this.peers = machine.peers.map(peer => new LivePeer(machine, peer, prng));
    this.checker = machine.invariants;
    machine.onSegment = (peer, tcp) => this.peers[peer.index]!.hear(tcp);
    machine.sim.onRound = () => {
      if (this.checksInvariants) this.checker.check();
      // Most of the time, so that answers meet everything else in every order.
      if (prng.below(4) > 0) this.#actAll();
    };
  }

  peer(name: string): LivePeer {
    return this.peers[this.machine.peer(name).index]!;
  }

  /** Something that happens after a drawn number of the scheduler's rounds; several of one race in any order. */
  event(name: string, work: () => void, roundsMax = ROUNDS_MAX): void {
    this.#events.push({ name, work, round: this.prng.below(roundsMax + 1) });
  }

  /** Lets the events happen, and then everything that needs no time, unless more is to happen first. */
  run(settles = true): void {
    const { sim } = this.machine;
    const start = sim.rounds;
    const events = this.#events.map(event => ({ event, tie: this.prng.int32() }));
    events.sort((a, b) => a.event.round - b.event.round || a.tie - b.tie);
    this.#events = [];
    for (const { event } of events) {
      const due = start + event.round;
      if (sim.rounds < due) sim.run(() => sim.rounds >= due, sim.clock.nowUs());
      this.note(event.name);
      event.work();
    }
    if (settles) this.settle();
  }

  note(text: string): void {
    const { machine } = this;
    machine.events.push({ us: machine.sim.clock.nowUs() - machine.startUs, actor: 'race', text, sequence: '' });
  }

  settle(): void {
    let seen: number;
    do {
      seen = this.#acts;
      this.machine.settle();
      this.#actAll();
    } while (this.#acts !== seen);
  }

  #actAll(): void {
    for (const peer of this.peers) if (peer.act()) this.#acts++;
  }

  /** Virtual time, with peers that go on. */
  advance(ms: number, stepMs = 10): void {
    const { sim } = this.machine;
    const until = sim.clock.nowUs() + ms * 1000;
    while (sim.clock.nowUs() < until) {
      this.settle();
      sim.run(() => false, Math.min(until, sim.clock.nowUs() + stepMs * 1000));
    }
    this.settle();
  }

  /** To a point of the machine's time, in ms. */
  advanceTo(ms: number): void {
    const { sim, startUs } = this.machine;
    this.advance(ms - (sim.clock.nowUs() - startUs) / 1000);
  }

  /** Goes on until it is so; a race that never gets there fails. */
  until(what: string, done: () => boolean, withinMs = PATIENCE_MS): void {
    this.settle();
    for (let ms = 0; ms < withinMs && !done(); ms += 10) this.advance(10);
    assert(done(), `${what}, within ${withinMs} ms`);
  }

  // --- what scenarios do ---

  offload(...names: string[]): void {
    this.machine.call(() => this.machine.offload(names));
  }

  upload(...names: string[]): void {
    this.machine.call(() => this.machine.upload(names));
  }

  /** The application sends, unless its connection is over. */
  send(name: string, count: number, andClose = false): void {
    if (!this.isOpen(name)) return;
    this.#sends.set(name, (this.#sends.get(name) ?? 0) + 1);
    this.machine.call(() => this.machine.application(this.machine.peer(name), andClose ? 'send+close' : 'send', count));
  }

  /** Another call of the application's, unless its connection is over. */
  call(name: string, verb: 'close' | 'abort' | 'hold' | 'resume'): void {
    if (verb === 'abort') this.#cut.add(name);
    if (this.isOpen(name)) this.machine.call(() => this.machine.application(this.machine.peer(name), verb, 0));
  }

  /** The peer has so many bytes more to send. */
  peerSends(name: string, count: number): void {
    this.peer(name).sndEnd += count;
    this.peer(name).act();
  }

  peerCloses(name: string): void {
    this.peer(name).closes = true;
    this.peer(name).act();
  }

  peerResets(name: string): void {
    this.#cut.add(name);
    const peer = this.peer(name);
    this.machine.inject(peer.peer, `R. ${peer.sndNxt}:${peer.sndNxt}(0) ack ${peer.rcvNxt}`);
    peer.wasReset = true;
  }

  /** Bytes of this connection may be lost: it ends with its NIC. */
  mayBreak(name: string): void {
    this.#cut.add(name);
  }

  isOpen(name: string): boolean {
    const { connection } = this.machine.peer(name);
    return connection!.handler !== null && !connection!.sendClosed;
  }

  field(subject: string, field: string): string | number | undefined {
    return this.machine.fieldsOf(subject)[field];
  }

  /** How often something happened whose text begins so. */
  count(text: string): number {
    return this.machine.events.filter(event => event.text.startsWith(text)).length;
  }

  // --- the judgement ---

  /** Every byte has arrived, in both directions, and every send is completed. */
  delivered(): void {
    const left = this.peers.filter(({ peer }) => !this.#cut.has(peer.name));
    this.until('every byte arrives', () => left.every(live => live.isDone && live.peer.received === live.sndEnd - 1));
    const open = ({ peer }: LivePeer): number => (this.#sends.get(peer.name) ?? 0) - this.count(`${peer.name} sent `);
    this.until('every send is completed', () => left.every(live => open(live) <= 0));
    for (const live of left) assert(open(live) === 0, `${live.peer.name}: sends are completed once`);
  }

  /** All is delivered; then everything ends, once, and nothing is left anywhere. */
  end(): void {
    this.delivered();
    for (const { peer } of this.peers) {
      const { connection } = peer;
      if (connection!.handler !== null) this.machine.call(() => connection!.abort());
    }
    const { transport } = this.machine.host;
    this.until('the table empties', () => transport.table.inUse === 0, TIME_WAIT_MS);
    this.advance(500, 100);
    for (const { peer } of this.peers) {
      for (const upcall of ['ended', 'closed']) {
        const times = this.count(`${peer.name} ${upcall}`);
        assert(times <= 1, `${peer.name}: ${upcall} ${times} times`);
        assert(upcall === 'ended' || times === 1, `${peer.name} ends`);
      }
    }
    const refused = this.machine.events.find(({ text }) => /terminate complete .*:/.test(text));
    assert(refused === undefined, `every terminate succeeds: ${refused?.text}`);
    this.checker.checkEnd();
  }

  /** What happened, in order. */
  get order(): string {
    return this.machine.events.map(({ actor, text }) => `${actor} ${text}`).join('\n');
  }
}

export type Scenario = (machine: LadderMachine, race: Race) => void;

function runSeed(title: string, options: ExploreOptions, scenario: Scenario, seed: number): string {
  const prng = new Prng(seed).fork('race');
  const tcp = { timeWaitTicks: TIME_WAIT_MS / 4, ...options.tcp };
  const machine = new LadderMachine({ tiny: true, ...options, tcp, budgetMax: BUDGETS[seed % BUDGETS.length]! }, seed);
  try {
    const race = new Race(machine, prng);
    scenario(machine, race);
    return race.order;
  } catch (cause) {
    const ladder = machine.events
      .slice(0, 120)
      .map(({ us, actor, text }) => `${String(us).padStart(9)} ${actor.padEnd(10)} ${text}`);
    const why = cause instanceof Error ? cause.message : String(cause);
    const again = `EXPLORE_SEED=${seed} npx vitest run --project unit -t '${title.slice(0, 40)}'`;
    throw new Error(`${title}, seed ${seed}: ${why}\n  ${again}\n${ladder.join('\n')}\n`, { cause });
  }
}

/** A scenario under many schedules; see above. */
export function explore(title: string, options: ExploreOptions, scenario: Scenario): void {
  const { EXPLORE_SEED, EXPLORE_COUNT } = process.env;
  const count = Number(EXPLORE_COUNT ?? options.interleavings ?? INTERLEAVINGS);
  test(title, { timeout: 60_000 + count * 60 }, ({ annotate }) => {
    if (EXPLORE_SEED !== undefined) {
      runSeed(title, options, scenario, Number(EXPLORE_SEED));
      return undefined;
    }
    const orders = new Set<string>();
    for (let seed = 1; seed <= count; seed++) orders.add(runSeed(title, options, scenario, seed));
    const wanted = Math.min(options.orders ?? ORDERS, Math.ceil(count / 20));
    expect(orders.size, `orders of events in ${count} interleavings`).toBeGreaterThanOrEqual(wanted);
    return annotate(`${count} interleavings, ${orders.size} orders of events`);
  });
}
