/**
 * Doorbell: how a thread that sleeps learns that a ring has work for it (architecture §2.5). An event count.
 *
 * Each thread owns one doorbell; all its producers ring it. The law that loses no wake-up (Dekker's, on sequentially
 * consistent Atomics):
 *
 *   producer:  store(index)   … load(sleeping) == 1 ?  add(events), notify
 *   sleeper:   store(sleeping, 1) … load(index) of every ring; nothing there?  wait(events, seen before)
 *
 * One of the two sees the other. `notify` without a sleeper costs 42 ns, so the flag is tested first.
 */
import type { Memory, Region } from '../memory/memory.ts';
import { bytes, record, word } from '../memory/record.ts';

export const DoorbellLayout = record('DOORBELL', 128, {
  events: word('count of rings; the sleeper waits on it; Atomics.add by every producer'),
  reserved0: bytes(60),
  sleeping: word('1 while the owner sleeps or is about to; written by the owner only'),
  reserved1: bytes(60),
});

/** The producers' side. */
export class Doorbell {
  readonly #i32: Int32Array;
  readonly #events: number;
  readonly #sleeping: number;
  /** How often this side rang: doorbells per packet are measured with it. */
  rings = 0;

  constructor(memory: Memory, region: Region) {
    this.#i32 = memory.i32;
    this.#events = (region.offset + DoorbellLayout.offset.events) >> 2;
    this.#sleeping = (region.offset + DoorbellLayout.offset.sleeping) >> 2;
  }

  /** True when the owner sleeps: ring. Read after the index was published. */
  get wanted(): boolean {
    return Atomics.load(this.#i32, this.#sleeping) !== 0;
  }

  ring(): void {
    this.rings++;
    Atomics.add(this.#i32, this.#events, 1);
    Atomics.notify(this.#i32, this.#events);
  }

  /** Rings only if the owner sleeps. */
  ringIfWanted(): void {
    if (this.wanted) this.ring();
  }
}

export const SleepResult = { WorkArrived: 0, Rung: 1, TimedOut: 2 } as const;
export type SleepResult = (typeof SleepResult)[keyof typeof SleepResult];

/** The owner's side: announce, look again, wait. */
export class DoorbellSleeper {
  readonly #i32: Int32Array;
  readonly #events: number;
  readonly #sleeping: number;
  #seen = 0;
  sleeps = 0;

  constructor(memory: Memory, region: Region) {
    this.#i32 = memory.i32;
    this.#events = (region.offset + DoorbellLayout.offset.events) >> 2;
    this.#sleeping = (region.offset + DoorbellLayout.offset.sleeping) >> 2;
  }

  /** Says "I am going to sleep". The caller must look at all its rings once more before `wait` or `waitAsync`. */
  announce(): void {
    this.#seen = Atomics.load(this.#i32, this.#events);
    Atomics.store(this.#i32, this.#sleeping, 1);
  }

  /** Awake again, or never slept: producers need not ring. */
  awake(): void {
    Atomics.store(this.#i32, this.#sleeping, 0);
  }

  /** Blocks the thread until rung or the time-out. Never on the host thread. */
  wait(timeoutMs: number): SleepResult {
    this.sleeps++;
    const result = Atomics.wait(this.#i32, this.#events, this.#seen, timeoutMs);
    this.awake();
    return result === 'ok' ? SleepResult.Rung : result === 'timed-out' ? SleepResult.TimedOut : SleepResult.WorkArrived;
  }

  /** For the host thread: resolves when rung or timed out. Keep a referenced handle meanwhile. */
  async waitAsync(timeoutMs: number): Promise<void> {
    this.sleeps++;
    const result = Atomics.waitAsync(this.#i32, this.#events, this.#seen, timeoutMs);
    if (result.async) await result.value;
    this.awake();
  }
}
