/**
 * What a client load has come to: the numbers of LoadProgress, kept as plain numbers and published into the record from
 * time to time, and why connections failed.
 */
import type { Memory } from '../../memory/memory.ts';
import { LoadProgress } from '../load-progress.ts';

/** Why a connection failed; each failed connection counts once. */
export const FAILURES = [
  'wrongContent',
  'shortReply',
  'longReply',
  'badHead',
  'badStatus',
  'wrongLength',
  'reset',
  'refused',
  'timedOut',
  'tookTooLong',
] as const;
export type Failure = (typeof FAILURES)[number];

export interface LoadReport {
  readonly started: number;
  readonly completed: number;
  readonly failed: number;
  readonly reset: number;
  readonly active: number;
  readonly bytesVerified: number;
  readonly bytesWrong: number;
  readonly bytesLost: number;
  readonly retransmissions: number;
  readonly finished: boolean;
  readonly failures: Readonly<Record<Failure, number>>;
}

const TWO_31 = 0x80000000;

export class LoadCounters {
  started = 0;
  completed = 0;
  failed = 0;
  reset = 0;
  active = 0;
  bytesVerified = 0;
  bytesWrong = 0;
  bytesLost = 0;
  finished = false;
  readonly failures = Object.fromEntries(FAILURES.map(failure => [failure, 0])) as Record<Failure, number>;
  readonly #i32: Int32Array;
  readonly #at: number;

  constructor(memory: Memory, progressAt: number) {
    this.#i32 = memory.i32;
    this.#at = progressAt >> 2;
  }

  /** Writes the record; `finished` goes last, so that whoever reads it finds the final numbers. */
  publish(retransmissions: number): void {
    const words = this.#i32;
    const at = this.#at;
    const { index } = LoadProgress;
    words[at + index.started] = this.started;
    words[at + index.completed] = this.completed;
    words[at + index.failed] = this.failed;
    words[at + index.reset] = this.reset;
    words[at + index.bytesVerifiedLo] = this.bytesVerified % TWO_31;
    words[at + index.bytesVerifiedHi] = Math.floor(this.bytesVerified / TWO_31);
    words[at + index.bytesWrong] = Math.min(this.bytesWrong, TWO_31 - 1);
    words[at + index.bytesLost] = Math.min(this.bytesLost, TWO_31 - 1);
    words[at + index.retransmissions] = retransmissions;
    words[at + index.active] = this.active;
    Atomics.store(words, at + index.finished, this.finished ? 1 : 0);
  }

  report(retransmissions: number): LoadReport {
    const { started, completed, failed, reset, active, bytesVerified, bytesWrong, bytesLost, finished } = this;
    const counts = { started, completed, failed, reset, active, bytesVerified, bytesWrong, bytesLost };
    return { ...counts, retransmissions, finished, failures: { ...this.failures } };
  }
}
