/**
 * Time comes in through a Clock: the only place that reads the machine's clock.
 *
 * `nowUs` is microseconds since the machine's epoch, a float that stays an exact integer for 285 years. Every thread of
 * a machine is given the same epoch (milliseconds of `performance.timeOrigin` kind), so that times compare across
 * threads. Protocol code counts in ticks of one millisecond (TicksPerSecond = 1000, the shipped interface's default).
 */
export interface Clock {
  nowUs(): number;
}

export const US_PER_TICK = 1000;

/** Ticks are int32 and wrap after 24 days; compare them with base/seq.ts. */
export function ticksOf(us: number): number {
  return Math.floor(us / US_PER_TICK) | 0;
}

/** Milliseconds since 1970 with microsecond resolution, comparable between threads of one process. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

export class RealClock implements Clock {
  readonly #originMs: number;

  constructor(epoch: number) {
    this.#originMs = epoch - performance.timeOrigin;
  }

  nowUs(): number {
    return Math.round((performance.now() - this.#originMs) * 1000);
  }
}

/** The simulation's clock: stands still until somebody advances it. */
export class VirtualClock implements Clock {
  #now = 0;

  nowUs(): number {
    return this.#now;
  }

  advanceTo(us: number): void {
    if (us > this.#now) this.#now = us;
  }
}
