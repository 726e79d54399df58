/**
 * The host thread's poll loop on Node's event loop (architecture §2.5): polls with a budget from setImmediate while there
 * is work, sleeps on Atomics.waitAsync otherwise. The machine's workers are the referenced handles that keep Node alive
 * meanwhile (a pending waitAsync does not).
 */
import type { Clock } from './base/clock.ts';
import type { Host } from './host/host.ts';
import type { Memory, Region } from './memory/memory.ts';
import { Doorbell, DoorbellSleeper } from './ring/doorbell.ts';
import { sleepMs } from './ring/poll-loop.ts';

const STEP_BUDGET = 256;
/** Steps before the event loop gets a turn. */
const STEPS_PER_TURN = 16;
const SLEEP_MAX_MS = 50;

export class HostLoop {
  readonly #hosts: readonly Host[];
  readonly #clock: Clock;
  readonly #sleeper: DoorbellSleeper;
  readonly #bell: Doorbell;
  #running = true;
  #scheduled = false;
  #asleep = false;
  /** Time in steps that did something, µs. */
  busyUs = 0;
  steps = 0;
  onError: (error: unknown) => void = error => {
    throw error;
  };

  constructor(memory: Memory, doorbell: Region, hosts: readonly Host[], clock: Clock) {
    this.#hosts = hosts;
    this.#clock = clock;
    this.#sleeper = new DoorbellSleeper(memory, doorbell);
    this.#bell = new Doorbell(memory, doorbell);
  }

  get sleeps(): number {
    return this.#sleeper.sleeps;
  }

  /** Work was queued from outside a step: poll soon. */
  wake(): void {
    if (this.#asleep) this.#bell.ring();
    else this.#schedule();
  }

  stop(): void {
    this.#running = false;
    if (this.#asleep) this.#bell.ring();
  }

  #schedule(): void {
    if (this.#scheduled || !this.#running) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (!this.#running) return;
    try {
      for (let i = 0; i < STEPS_PER_TURN; i++) {
        if (this.#step() === 0) {
          this.#sleep();
          return;
        }
      }
    } catch (error) {
      this.#running = false;
      this.onError(error);
      return;
    }
    this.#schedule();
  }

  #step(): number {
    const before = this.#clock.nowUs();
    let work = 0;
    for (const host of this.#hosts) work += host.step(before, STEP_BUDGET);
    if (work > 0) {
      this.steps++;
      const busyUs = this.#clock.nowUs() - before;
      this.busyUs += busyUs;
      for (const host of this.#hosts) host.load.add(before, busyUs);
    }
    return work;
  }

  #sleep(): void {
    this.#sleeper.announce();
    if (this.#hosts.some(host => host.hasWork())) {
      this.#sleeper.awake();
      this.#schedule();
      return;
    }
    const now = this.#clock.nowUs();
    let wait = SLEEP_MAX_MS;
    for (const host of this.#hosts) wait = Math.min(wait, sleepMs(host.usUntilNext(now), SLEEP_MAX_MS));
    if (wait <= 0) {
      // Due, and yet there was nothing to do: a wait of 0 would come back as a microtask, and so starve the event loop.
      this.#sleeper.awake();
      this.#schedule();
      return;
    }
    this.#asleep = true;
    void this.#sleeper.waitAsync(wait).then(() => {
      this.#asleep = false;
      this.#turn();
    });
  }
}
