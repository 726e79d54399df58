/**
 * Poll, then sleep (architecture §2.5): the loop of a worker thread around a component with `step`.
 *
 * While there is work it polls; idle, it announces sleep, looks once more, and waits on its doorbell until rung or until
 * its next timer. Control messages need the thread's event loop: the host bumps a counter and rings, the loop returns to
 * the event loop for a turn when it sees that.
 */
import type { Clock } from '../base/clock.ts';
import type { DoorbellSleeper } from './doorbell.ts';

export interface Polled {
  /** Does what there is to do, up to the budget; returns how much it did. */
  step(nowUs: number, budget: number): number;
  /** Whether rings have work, read from shared memory: the look-again before sleep. */
  hasWork(): boolean;
  /** Microseconds until a timer may be due, -1 for never. */
  usUntilNext(nowUs: number): number;
}

export interface PollLoopOptions {
  readonly budget: number;
  /** Longest sleep, ms: a heartbeat's period, say. */
  readonly sleepMaxMs: number;
  /** Extra polls before sleep; 0 unless there are more cores than busy threads. */
  readonly spins: number;
  /** True when control messages wait. */
  controlPending(): boolean;
  stopped(): boolean;
}

/** Runs one burst: returns when control messages wait or the component stopped. */
export function pollBurst(component: Polled, clock: Clock, sleeper: DoorbellSleeper, options: PollLoopOptions): void {
  let idle = 0;
  while (!options.stopped() && !options.controlPending()) {
    const now = clock.nowUs();
    if (component.step(now, options.budget) > 0) {
      idle = 0;
      continue;
    }
    if (idle++ < options.spins) continue;
    idle = 0;
    sleeper.announce();
    if (component.hasWork() || options.controlPending() || options.stopped()) {
      sleeper.awake();
      continue;
    }
    sleeper.wait(sleepMs(component.usUntilNext(clock.nowUs()), options.sleepMaxMs));
  }
}

export function sleepMs(usUntilNext: number, sleepMaxMs: number): number {
  if (usUntilNext < 0) return sleepMaxMs;
  return Math.min(sleepMaxMs, Math.max(0, usUntilNext / 1000));
}
