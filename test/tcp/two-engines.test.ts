/**
 * Two engines over a link that loses, duplicates, delays and reorders, in virtual time, with random writes and closes:
 * both applications get exactly the bytes of the other, every buffer goes back, both sides reach CLOSED.
 *
 * A failure names its seed: `runCase(seed)` plays it again.
 */
import { expect, test } from 'vitest';
import { assert } from '../../src/base/assert.ts';
import { Prng } from '../../src/base/prng.ts';
import { CloseReason } from '../../src/tcp/effects.ts';
import { TcpState } from '../../src/tcp/tcb.ts';
import { formatEmitted } from '../support/ladder-engine.ts';
import { Endpoint, type EndpointOptions } from '../support/tcp-endpoint.ts';

interface Flight {
  readonly at: number;
  readonly order: number;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
}

interface Side {
  readonly endpoint: Endpoint;
  readonly prng: Prng;
  /** Whether a write ends a record (MSG_EOR): the endpoint sees to it that no segment goes beyond. */
  readonly records: Prng;
  readonly recordChance: number;
  bytesLeft: number;
  closeAsked: boolean;
  seen: number;
  unconsumed: number;
  indicated: number;
}

interface Faults {
  readonly loss: number;
  readonly duplicate: number;
  readonly delayMax: number;
  readonly noRoom: number;
  readonly noBuffer: number;
  readonly slowReader: number;
}

const TRACE = process.env['TCP_TRACE'] !== undefined;
const STEPS_MAX = 60_000;
const left = new Endpoint();
const right = new Endpoint();

function randomOptions(prng: Prng, isRemote: boolean): EndpointOptions {
  const rcvBuffer = [2000, 5000, 20_000, 65_535, 262_140][prng.below(5)]!;
  return {
    isRemote,
    iss: prng.chance(0.3) ? prng.between(-20_000, 0) : prng.int32(),
    params: {
      mss: [100, 536, 1460][prng.below(3)]!,
      rcvBuffer,
      timestamps: prng.chance(0.5),
      sack: prng.chance(0.7),
      dsack: prng.chance(0.8),
      rack: prng.chance(0.8),
      lossProbe: prng.chance(0.8),
      frto: prng.chance(0.8),
      congestionControl: (['cubic', 'newreno', 'none'] as const)[prng.below(3)]!,
      slowStartAfterIdle: prng.chance(0.5),
      windowScaling: prng.chance(0.5),
      nagle: prng.chance(0.5),
      keepAlive: prng.chance(0.2),
      kaTimeout: 5000,
      kaInterval: 1000,
      ackFrequency: prng.between(1, 2),
      // Losses are independent: with these limits no connection gives up.
      retransmissionsMax: 60,
      synRetransmissionsMax: 40,
      rtoMaxTicks: 2000,
      timeWaitTicks: 10_000,
      finWait2Ticks: 0x3fffffff,
    },
  };
}

class World {
  readonly prng: Prng;
  readonly faults: Faults;
  readonly sides: readonly [Side, Side];
  flights: Flight[] = [];
  now: number;
  #order = 0;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    const { prng } = this;
    const harsh = prng.chance(0.3);
    this.faults = {
      loss: harsh ? 0.2 : prng.chance(0.3) ? 0 : 0.03,
      duplicate: prng.chance(0.5) ? 0.05 : 0,
      delayMax: [0, 5, 60, 300][prng.below(4)]!,
      noRoom: [0, 0, 0.2, 1][prng.below(4)]!,
      noBuffer: prng.chance(0.3) ? 0.1 : 0,
      slowReader: prng.chance(0.4) ? 0.02 : 0.6,
    };
    this.now = prng.chance(0.2) ? 0x7fffff00 | 0 : prng.int32();
    const startTick = this.now;
    left.reset({ ...randomOptions(prng, false), startTick });
    right.reset({ ...randomOptions(prng, true), startTick });
    left.irs = right.iss;
    right.irs = left.iss;
    const side = (endpoint: Endpoint): Side => ({
      endpoint,
      prng: prng.fork('side'),
      records: prng.fork('records'),
      recordChance: [0, 0, 0.2, 0.8][prng.below(4)]!,
      bytesLeft: prng.chance(0.1) ? 0 : prng.below([200, 5000, 40_000][prng.below(3)]!),
      closeAsked: false,
      seen: 0,
      unconsumed: 0,
      indicated: 0,
    });
    this.sides = [side(left), side(right)];
  }

  open(): void {
    const both = this.prng.chance(0.15);
    if (!both) right.listen();
    left.connect();
    if (both) right.connect();
    this.#afterStep(this.sides[0]);
    this.#afterStep(this.sides[1]);
  }

  get isOver(): boolean {
    return this.sides.every(({ endpoint }) => endpoint.closeReason !== -1);
  }

  step(): void {
    const { prng } = this;
    for (const side of this.sides) if (prng.chance(0.3)) this.#application(side);
    this.#passTime();
    this.#deliver();
  }

  /** To the next thing that happens, or a little while when there is an application to act. */
  #passTime(): void {
    let wait = 0x3fffffff;
    for (const flight of this.flights) wait = Math.min(wait, (flight.at - this.now) | 0);
    for (const { endpoint } of this.sides) {
      const ticks = endpoint.wheel.ticksUntilNext(this.now);
      if (ticks >= 0) wait = Math.min(wait, ticks);
      if (endpoint.isBlocked) wait = Math.min(wait, 1);
    }
    if (this.sides.some(side => !isIdle(side))) wait = Math.min(wait, this.prng.below(20));
    assert(wait < 0x3fffffff, 'something is going to happen');
    this.now = (this.now + Math.max(0, wait)) | 0;
    for (const side of this.sides) {
      side.endpoint.room = this.prng.chance(this.faults.noRoom) ? this.prng.below(2) : 1000;
      side.endpoint.takes = this.prng.chance(this.faults.noBuffer) ? 0 : 1000;
      side.endpoint.advanceTo(this.now);
      this.#afterStep(side);
      if (side.endpoint.isBlocked) {
        side.endpoint.unblock(this.prng.chance(this.faults.noRoom) ? this.prng.below(3) : 1000);
        this.#afterStep(side);
      }
    }
  }

  #deliver(): void {
    const due = this.flights.filter(flight => ((flight.at - this.now) | 0) <= 0);
    if (due.length === 0) return;
    this.flights = this.flights.filter(flight => ((flight.at - this.now) | 0) > 0);
    due.sort((a, b) => (a.at - b.at) | 0 || a.order - b.order);
    for (const { to, bytes } of due) {
      to.arrive(bytes);
      this.#afterStep(this.sides[to === left ? 0 : 1]);
    }
  }

  #application(side: Side): void {
    const { endpoint, prng } = side;
    const { state } = endpoint.tcb;
    if (side.unconsumed > 0 && prng.chance(this.faults.slowReader)) {
      const count = prng.chance(0.5) ? side.unconsumed : prng.between(1, side.unconsumed);
      side.unconsumed -= count;
      endpoint.consume(count);
    } else if (side.bytesLeft > 0 && endpoint.txPool.available > 20) {
      this.#write(side);
    } else if (!side.closeAsked && side.bytesLeft === 0 && state !== TcpState.Closed && prng.chance(0.1)) {
      side.closeAsked = true;
      endpoint.close();
    }
    this.#afterStep(side);
  }

  #write(side: Side): void {
    const { endpoint, prng } = side;
    const lengths: number[] = [];
    let total = 0;
    for (let i = prng.between(1, 4); i > 0; i--) {
      const most = Math.min(side.bytesLeft - total, [1, 30, 1500, 9000][prng.below(4)]!);
      const length = prng.chance(0.1) ? 0 : prng.between(0, most);
      lengths.push(length);
      total += length;
    }
    const closing = side.bytesLeft === total && prng.chance(0.5);
    const accepted = closing ? endpoint.sendAndClose(...lengths) : this.#send(side, lengths);
    if (!accepted) return;
    side.bytesLeft -= total;
    if (closing) side.closeAsked = true;
  }

  #send({ endpoint, records, recordChance }: Side, lengths: readonly number[]): boolean {
    if (!records.chance(recordChance)) return endpoint.send(...lengths);
    return endpoint.sendRecord(records.chance(0.2), ...lengths);
  }

  /** Puts what the engine sent on the link, and looks whether everything holds. */
  #afterStep(side: Side): void {
    const { endpoint } = side;
    const { faults, prng } = this;
    const to = endpoint === left ? right : left;
    for (; side.seen < endpoint.events.length; side.seen++) {
      const event = endpoint.events[side.seen]!;
      if (TRACE)
        console.log(
          this.now - endpoint.startTick,
          endpoint === left ? 'L' : 'R',
          endpoint.stateName,
          event.kind === 'segment' ? formatEmitted(endpoint, event) : event.text,
        );
      if (event.kind !== 'segment') continue;
      const copies = prng.chance(faults.loss) ? 0 : prng.chance(faults.duplicate) ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        const at = (this.now + 1 + prng.below(faults.delayMax + 1)) | 0;
        this.flights.push({ at, order: this.#order++, to, bytes: event.bytes });
      }
    }
    endpoint.events.length = 0;
    side.seen = 0;
    side.unconsumed += endpoint.received - side.indicated;
    side.indicated = endpoint.received;
    endpoint.checkInvariants();
  }
}

function isIdle(side: Side): boolean {
  return side.bytesLeft === 0 && side.closeAsked && side.unconsumed === 0;
}

export function runCase(seed: number): number {
  const world = new World(seed);
  world.open();
  let steps = 0;
  while (!world.isOver) {
    assert(steps++ < STEPS_MAX, `both sides are CLOSED: ${left.stateName} and ${right.stateName}`);
    world.step();
  }
  const [a, b] = world.sides;
  assert(a.bytesLeft === 0 && b.bytesLeft === 0, 'everything was written');
  assert(left.received === right.written, `left received ${left.received} of ${right.written} bytes`);
  assert(right.received === left.written, `right received ${right.received} of ${left.written} bytes`);
  for (const { endpoint } of world.sides) {
    // A RST may end a TIME-WAIT early (RFC 1337), and the FIN that was still to be acknowledged then meets a closed port.
    const other = endpoint === left ? right : left;
    const assassinated = endpoint.closeReason === CloseReason.Reset && other.closeReason === CloseReason.Normal;
    if (!assassinated) {
      assert(endpoint.completed === endpoint.written, 'every send was completed');
      assert(endpoint.closeReason === CloseReason.Normal, `the end is in order, not ${endpoint.closeReason}`);
    }
    endpoint.checkEmpty();
  }
  return steps;
}

const CASES = Number(process.env['TCP_CASES'] ?? 700);
const FIRST_SEED = Number(process.env['TCP_SEED'] ?? 1);

test(`${CASES} connections over a bad link deliver every byte once and end in CLOSED`, { timeout: 120_000 }, () => {
  let steps = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES; seed++) {
    try {
      steps += runCase(seed);
    } catch (cause) {
      throw new Error(`TCP_SEED=${seed} TCP_CASES=1: ${(cause as Error).message}`, { cause });
    }
  }
  expect(steps).toBeGreaterThan(CASES);
});
