/**
 * The timer wheel against a model that is obviously right: an array kept sorted by the tick at which each item is due.
 *
 * The model counts in unbounded ticks from an origin; the wheel gets them modulo 2^32, from origins around 2^31.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assert } from '../../src/base/assert.ts';
import { TimerWheel } from '../../src/base/timer-wheel.ts';

const TURN = 4096;
const ITEMS = 24;

interface Entry {
  readonly item: number;
  readonly deadline: number;
  /** The tick of the expire that fires it: the deadline, or the next tick if that has passed. */
  readonly due: number;
}

class SortedModel {
  entries: Entry[] = [];
  last = 0;

  schedule(item: number, deadline: number): void {
    this.cancel(item);
    this.entries.push({ item, deadline, due: Math.max(deadline, this.last + 1) });
    this.entries.sort((a, b) => a.due - b.due);
  }

  cancel(item: number): void {
    this.entries = this.entries.filter(entry => entry.item !== item);
  }

  find(item: number): Entry | undefined {
    return this.entries.find(entry => entry.item === item);
  }
}

/** What a handler does when the item fires: to itself, then to another item, which may be due in the same sweep. */
interface Reaction {
  readonly own: number | null;
  readonly other: number;
  readonly otherDoes: 'nothing' | 'schedule' | 'cancel';
  readonly delay: number;
}

type Operation =
  | { readonly kind: 'schedule'; readonly item: number; readonly delay: number }
  | { readonly kind: 'noLaterThan'; readonly item: number; readonly delay: number }
  | { readonly kind: 'cancel'; readonly item: number }
  | { readonly kind: 'expire'; readonly ticks: number };

const item = fc.nat(ITEMS - 1);
const delay = fc.oneof(
  fc.integer({ min: -3, max: 40 }),
  fc.integer({ min: -5000, max: 3 * TURN }),
  fc.constantFrom(0, 1, TURN - 1, TURN, TURN + 1, 2 * TURN, 1 << 29),
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('schedule'), item, delay }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('noLaterThan'), item, delay }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel'), item }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('expire'),
      ticks: fc.oneof(fc.nat(50), fc.nat(3 * TURN), fc.constantFrom(0, 1, TURN - 1, TURN, TURN + 1)),
    }),
  },
);
const reaction: fc.Arbitrary<Reaction> = fc.record({
  own: fc.option(fc.oneof(fc.integer({ min: -2, max: 20 }), delay)),
  other: item,
  otherDoes: fc.constantFrom('nothing', 'schedule', 'cancel'),
  delay,
});
const origin = fc.oneof(fc.constantFrom(0, 0x7fffffff, 0x7ffffff0, -1, -2147483648), fc.integer());

class Run {
  readonly #wheel: TimerWheel;
  readonly #model = new SortedModel();
  readonly #origin: number;
  readonly #reactions: readonly Reaction[];
  /** Every reaction is used once, or two items that re-arm each other would never let the wheel rest. */
  #nextReaction = 0;

  constructor(start: number, reactions: readonly Reaction[]) {
    this.#origin = start;
    this.#wheel = new TimerWheel(ITEMS, start);
    this.#reactions = reactions;
  }

  apply(op: Operation): void {
    const model = this.#model;
    if (op.kind === 'schedule') this.#schedule(op.item, model.last + op.delay);
    else if (op.kind === 'noLaterThan') this.#scheduleNoLaterThan(op.item, model.last + op.delay);
    else if (op.kind === 'cancel') this.#cancel(op.item);
    else this.#expire(model.last + op.ticks);
    this.#compare();
  }

  /** Fires all that is left, sleeping as long as the wheel says: nothing may fire late or be forgotten. */
  drain(): void {
    for (let wakes = 0; this.#model.entries.length > 0; wakes++) {
      assert(wakes < 1e5, 'the wheel comes to rest');
      const next = this.#model.entries[0]!.due;
      const sleep = this.#wheel.ticksUntilNext(this.#ticks(this.#model.last));
      expect(sleep, 'a swept wheel has nothing due now').toBeGreaterThan(0);
      // A far deadline would take thousands of turns: jump to just before it, as an owner with other work does.
      const far = next - this.#model.last > 8 * TURN;
      this.#expire(far ? next - 1 : this.#model.last + sleep);
      expect(this.#model.last, 'slept past a deadline').toBeLessThanOrEqual(next);
    }
    this.#compare();
  }

  #ticks(at: number): number {
    return (this.#origin + at) | 0;
  }

  #schedule(who: number, deadline: number): void {
    this.#wheel.schedule(who, this.#ticks(deadline));
    this.#model.schedule(who, deadline);
  }

  #scheduleNoLaterThan(who: number, deadline: number): void {
    this.#wheel.scheduleNoLaterThan(who, this.#ticks(deadline));
    const entry = this.#model.find(who);
    if (entry === undefined || entry.deadline > deadline) this.#model.schedule(who, deadline);
  }

  #cancel(who: number): void {
    this.#wheel.cancel(who);
    this.#model.cancel(who);
  }

  #expire(now: number): void {
    const before = this.#model.last;
    this.#model.last = now;
    let fired = 0;
    const returned = this.#wheel.expire(this.#ticks(now), {
      timerFired: (who, nowTicks) => {
        fired++;
        expect(nowTicks).toBe(this.#ticks(now));
        this.#fired(who, now);
      },
    });
    expect(returned).toBe(fired);
    if (now > before) expect(this.#model.entries[0]?.due ?? Infinity, 'fired late').toBeGreaterThan(now);
    else expect(fired).toBe(0);
  }

  #fired(who: number, now: number): void {
    const entry = this.#model.find(who);
    expect(entry, `item ${who} fired without being armed`).toBeDefined();
    expect(entry!.due, `item ${who} fired early`).toBeLessThanOrEqual(now);
    expect(this.#wheel.isScheduled(who), 'out of the wheel while it fires').toBe(false);
    this.#model.cancel(who);
    const reacts = this.#reactions[this.#nextReaction++];
    if (reacts === undefined) return;
    if (reacts.own !== null) this.#schedule(who, now + reacts.own);
    if (reacts.otherDoes === 'schedule') this.#schedule(reacts.other, now + reacts.delay);
    else if (reacts.otherDoes === 'cancel') this.#cancel(reacts.other);
  }

  #compare(): void {
    const { entries, last } = this.#model;
    expect(this.#wheel.count).toBe(entries.length);
    for (let who = 0; who < ITEMS; who++) {
      const entry = this.#model.find(who);
      // Plain assertions: an expect() for every item after every operation would take most of the test's time.
      assert(this.#wheel.isScheduled(who) === (entry !== undefined), `item ${who} is armed as in the model`);
      if (entry !== undefined) assert(this.#wheel.deadlineOf(who) === this.#ticks(entry.deadline), 'the same deadline');
    }
    const withinTurn = entries.every(entry => entry.due - last <= TURN);
    for (const ahead of [0, 1, 7]) this.#compareNext(last + ahead, withinTurn);
  }

  #compareNext(now: number, withinTurn: boolean): void {
    const sleep = this.#wheel.ticksUntilNext(this.#ticks(now));
    const first = this.#model.entries[0];
    if (first === undefined) {
      expect(sleep, 'idle').toBe(-1);
      return;
    }
    const exact = Math.max(0, first.due - now);
    expect(sleep).toBeGreaterThanOrEqual(0);
    expect(sleep, 'never later than the next deadline').toBeLessThanOrEqual(exact);
    if (withinTurn) expect(sleep, 'exact within a turn').toBe(exact);
  }
}

class Fired {
  readonly items: number[] = [];

  timerFired(who: number): void {
    this.items.push(who);
  }
}

describe('timer wheel', () => {
  it('does what a sorted array does, at any origin, also when handlers change the wheel', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        origin,
        fc.array(operation, { maxLength: 120, size: 'max' }),
        fc.array(reaction, { maxLength: 60, size: 'max' }),
        (start, operations, reactions) => {
          const run = new Run(start, reactions);
          for (const op of operations) run.apply(op);
          run.drain();
        },
      ),
      { numRuns: 250 },
    );
  });

  it('fires at the deadline and not one tick before', () => {
    const wheel = new TimerWheel(1, 0);
    const fired = new Fired();
    wheel.schedule(0, 100);
    expect(wheel.expire(99, fired)).toBe(0);
    expect(wheel.expire(100, fired)).toBe(1);
    expect(fired.items).toEqual([0]);
  });

  it.each([TURN - 1, TURN, TURN + 1, 3 * TURN, 3 * TURN + 1])('holds a deadline %i ticks ahead', ahead => {
    const wheel = new TimerWheel(1, 17);
    const fired = new Fired();
    wheel.schedule(0, 17 + ahead);
    for (let now = 18; now < 17 + ahead; now++) wheel.expire(now, fired);
    expect(fired.items).toEqual([]);
    wheel.expire(17 + ahead, fired);
    expect(fired.items).toEqual([0]);
  });

  it('fires an overdue item at the next tick, once', () => {
    const wheel = new TimerWheel(1, 1000);
    const fired = new Fired();
    wheel.schedule(0, 400);
    expect(wheel.ticksUntilNext(1000)).toBe(1);
    expect(wheel.expire(1001, fired)).toBe(1);
    expect(wheel.expire(1002, fired)).toBe(0);
  });

  it('crosses the wrap of the tick count at 2^31', () => {
    const wheel = new TimerWheel(2, 0x7ffffffe);
    const fired = new Fired();
    wheel.schedule(0, 0x7fffffff);
    wheel.schedule(1, -0x80000000 + 1);
    expect(wheel.ticksUntilNext(0x7ffffffe)).toBe(1);
    wheel.expire(0x7fffffff, fired);
    expect(wheel.ticksUntilNext(0x7fffffff)).toBe(2);
    wheel.expire(-0x80000000, fired);
    expect(fired.items).toEqual([0]);
    wheel.expire(-0x80000000 + 1, fired);
    expect(fired.items).toEqual([0, 1]);
  });

  it('fires everything after a jump of many turns', () => {
    const wheel = new TimerWheel(100, 0);
    for (let i = 0; i < 100; i++) wheel.schedule(i, 1 + i * 97);
    const fired = new Fired();
    expect(wheel.expire(1_000_000, fired)).toBe(100);
    expect(wheel.count).toBe(0);
    expect(wheel.ticksUntilNext(1_000_000)).toBe(-1);
  });

  it('lets a handler re-arm itself for now without firing it twice in one sweep', () => {
    const wheel = new TimerWheel(1, 0);
    let fired = 0;
    const handler = {
      timerFired: (who: number, now: number): void => {
        fired++;
        wheel.schedule(who, now);
      },
    };
    wheel.schedule(0, 5);
    for (let now = 5; now < 15; now++) expect(wheel.expire(now, handler)).toBe(1);
    expect(fired).toBe(10);
    // A jump of exactly one turn sweeps the slot that the handler re-arms into.
    expect(wheel.expire(14 + TURN, handler)).toBe(1);
  });

  it('lets a handler cancel or postpone an item of the same sweep', () => {
    const wheel = new TimerWheel(3, 0);
    for (let i = 0; i < 3; i++) wheel.schedule(i, 8);
    const seen: number[] = [];
    wheel.expire(8, {
      timerFired: who => {
        seen.push(who);
        for (let other = 0; other < 3; other++) if (other !== who) wheel.schedule(other, 20);
      },
    });
    expect(seen).toHaveLength(1);
    expect(wheel.count).toBe(2);
    const later = new Fired();
    wheel.expire(20, later);
    expect([...seen, ...later.items].toSorted()).toEqual([0, 1, 2]);
  });

  it('reports a deadline in the last slot before the sweep comes round', () => {
    for (let start = 0; start < 70; start++) {
      const wheel = new TimerWheel(1, start);
      wheel.schedule(0, start + TURN);
      expect(wheel.ticksUntilNext(start)).toBe(TURN);
    }
  });

  it('leaves an earlier deadline alone in scheduleNoLaterThan', () => {
    const wheel = new TimerWheel(1, 0);
    wheel.scheduleNoLaterThan(0, 50);
    wheel.scheduleNoLaterThan(0, 60);
    expect(wheel.deadlineOf(0)).toBe(50);
    wheel.scheduleNoLaterThan(0, 40);
    expect(wheel.deadlineOf(0)).toBe(40);
    expect(wheel.count).toBe(1);
  });
});
