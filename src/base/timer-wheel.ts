/**
 * A hashed timing wheel (Varghese & Lauck 1987, scheme 6) of one-millisecond slots, one timer an item.
 *
 * Items are small integers (TCB slots). `schedule`, `cancel` and firing are O(1); an item whose deadline lies more than a
 * turn ahead is passed over once a turn. Owners that restart timers often keep the real deadline in the TCB and let an
 * early firing re-arm (lazy restart), so that an ACK costs no wheel operation.
 *
 * Invariants: an item is in at most one list; `slotOf[item] < 0` exactly when it is in none.
 */
import { assert } from './assert.ts';

const SLOTS = 4096;
const FIRING = SLOTS;
const NONE = -1;

export interface TimerHandler {
  /** The item's deadline has passed; the item is out of the wheel and may be scheduled again. */
  timerFired(item: number, nowTicks: number): void;
}

export class TimerWheel {
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #slotOf: Int32Array;
  readonly #deadline: Int32Array;
  readonly #head = new Int32Array(SLOTS + 1).fill(NONE);
  readonly #occupied = new Int32Array(SLOTS / 32);
  #last: number;
  #count = 0;

  constructor(capacity: number, nowTicks: number) {
    this.#next = new Int32Array(capacity).fill(NONE);
    this.#prev = new Int32Array(capacity).fill(NONE);
    this.#slotOf = new Int32Array(capacity).fill(NONE);
    this.#deadline = new Int32Array(capacity);
    this.#last = nowTicks;
  }

  get count(): number {
    return this.#count;
  }

  isScheduled(item: number): boolean {
    return this.#slotOf[item]! >= 0;
  }

  /** Deadline of a scheduled item, ticks. */
  deadlineOf(item: number): number {
    return this.#deadline[item]!;
  }

  /** (Re)arms the item. A deadline that has passed fires at the next `expire`. */
  schedule(item: number, deadline: number): void {
    if (this.#slotOf[item]! >= 0) this.#unlink(item);
    this.#deadline[item] = deadline;
    // Slots up to #last have been swept: an overdue item goes into the next one that will be.
    const at = ((deadline - this.#last) | 0) <= 0 ? (this.#last + 1) | 0 : deadline;
    this.#link(item, at & (SLOTS - 1));
  }

  /** Arms the item unless it already fires no later: the lazy restart. */
  scheduleNoLaterThan(item: number, deadline: number): void {
    if (this.#slotOf[item]! >= 0 && ((this.#deadline[item]! - deadline) | 0) <= 0) return;
    this.schedule(item, deadline);
  }

  cancel(item: number): void {
    if (this.#slotOf[item]! >= 0) this.#unlink(item);
  }

  /** Fires everything due at `now`; returns how many fired. */
  expire(now: number, handler: TimerHandler): number {
    let fired = 0;
    let steps = (now - this.#last) | 0;
    if (steps <= 0) return 0;
    if (steps > SLOTS) steps = SLOTS;
    const first = (now - steps + 1) | 0;
    this.#last = now;
    if (this.#count === 0) return 0;
    for (let i = 0; i < steps; i++) {
      const slot = (first + i) & (SLOTS - 1);
      if (this.#head[slot] !== NONE) fired += this.#fireSlot(slot, now, handler);
    }
    return fired;
  }

  #fireSlot(slot: number, now: number, handler: TimerHandler): number {
    // Move the whole list aside first: a handler may put items back into this very slot.
    let item = this.#head[slot]!;
    while (item !== NONE) {
      const next = this.#next[item]!;
      this.#unlink(item);
      this.#link(item, FIRING);
      item = next;
    }
    let fired = 0;
    while ((item = this.#head[FIRING]!) !== NONE) {
      this.#unlink(item);
      if (((this.#deadline[item]! - now) | 0) > 0) {
        this.#link(item, this.#deadline[item]! & (SLOTS - 1));
      } else {
        fired++;
        handler.timerFired(item, now);
      }
    }
    return fired;
  }

  /**
   * Ticks from `now` until something may be due: a lower bound, exact when it is within a turn. -1 when idle.
   */
  ticksUntilNext(now: number): number {
    if (this.#count === 0) return -1;
    const start = (this.#last + 1) | 0;
    for (let i = 0; i < SLOTS;) {
      const slot = (start + i) & (SLOTS - 1);
      const word = this.#occupied[slot >>> 5]! >>> (slot & 31);
      if (word !== 0) {
        const skip = 31 - Math.clz32(word & -word);
        return Math.max(0, (start + i + skip - now) | 0);
      }
      i += 32 - (slot & 31);
    }
    return SLOTS;
  }

  #link(item: number, slot: number): void {
    const head = this.#head[slot]!;
    this.#next[item] = head;
    this.#prev[item] = NONE;
    if (head !== NONE) this.#prev[head] = item;
    this.#head[slot] = item;
    this.#slotOf[item] = slot;
    if (slot !== FIRING) this.#occupied[slot >>> 5]! |= 1 << (slot & 31);
    this.#count++;
  }

  #unlink(item: number): void {
    const slot = this.#slotOf[item]!;
    assert(slot >= 0, 'timer is in the wheel');
    const next = this.#next[item]!;
    const prev = this.#prev[item]!;
    if (next !== NONE) this.#prev[next] = prev;
    if (prev !== NONE) this.#next[prev] = next;
    else {
      this.#head[slot] = next;
      if (next === NONE && slot !== FIRING) this.#occupied[slot >>> 5]! &= ~(1 << (slot & 31));
    }
    this.#slotOf[item] = NONE;
    this.#count--;
  }
}
