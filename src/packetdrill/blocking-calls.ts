/**
 * Calls that have not returned: tried again whenever something has happened, and compared with what the script says when
 * they are done — the value, the error, and the time at which a blocking call returns.
 */
import type { CallAction, ScriptEvent } from './ast.ts';
import { CallArguments } from './call-arguments.ts';
import type { Attempt, CallResult } from './call-result.ts';
import { errnoNumber } from './constants.ts';
import type { DrillMachine } from './machine.ts';
import { Mismatch } from './mismatch.ts';
import { timeText } from './packet-text.ts';
import type { DueTime, ScriptClock } from './script-clock.ts';

/** A call without an end time that blocks all the same gets so long. */
const PATIENCE_US = 10_000_000;
/** Their value is a file, which the script numbers as it likes. */
const MAKES_FILE = new Set(['socket', 'accept', 'accept4', 'epoll_create', 'epoll_create1', 'open']);

interface Pending {
  readonly event: ScriptEvent;
  readonly call: CallAction;
  readonly attempt: Attempt;
  readonly beganUs: number;
  readonly endUs: number;
}

export class BlockingCalls {
  readonly #machine: DrillMachine;
  readonly #clock: ScriptClock;
  #pending: Pending[] = [];
  #isTrying = false;

  constructor(machine: DrillMachine, clock: ScriptClock) {
    this.#machine = machine;
    this.#clock = clock;
  }

  /** Does a call: its result is right, or it waits as the script says it does. */
  run(event: ScriptEvent, call: CallAction, attempt: Attempt, due: DueTime): void {
    const result = this.#machine.call(attempt);
    const endUs =
      call.endUs < 0 ? -1 : event.time.kind === 'relative' ? due.us - event.time.us + call.endUs : call.endUs;
    const pending = { event, call, attempt, beganUs: due.us, endUs };
    if (result !== null) {
      this.#done(pending, result);
      return;
    }
    this.#pending.push(pending);
    if (endUs >= 0) return;
    const isBack = this.#machine.run(() => !this.#pending.includes(pending), due.us + PATIENCE_US);
    if (!isBack) throw new Mismatch(event.line, `the call blocks\n  expected: ${event.text}`);
  }

  /** Something has happened. */
  retry(): void {
    if (this.#isTrying || this.#pending.length === 0) return;
    this.#isTrying = true;
    for (const pending of this.#pending) {
      const result = this.#machine.call(pending.attempt);
      if (result === null) continue;
      this.#pending = this.#pending.filter(each => each !== pending);
      this.#done(pending, result);
    }
    this.#isTrying = false;
  }

  /** At the end of the script: what still blocks has until its time. */
  finish(): void {
    for (const { event, endUs } of this.#pending) {
      const isOver = (): boolean => !this.#pending.some(pending => pending.event === event);
      if (this.#machine.run(isOver, endUs + PATIENCE_US)) continue;
      throw new Mismatch(event.line, `the call has not returned\n  expected: ${event.text}`);
    }
  }

  #done({ event, call, beganUs, endUs }: Pending, result: CallResult): void {
    const { line, text } = event;
    const args = new CallArguments(call, line);
    const expected = args.value(call.result);
    const isFile = MAKES_FILE.has(call.name) && expected >= 0;
    const isRight = isFile ? result.value >= 0 : result.value === expected;
    const errnoRight = call.errno === '' || errnoNumber(call.errno, line) === numberOrNone(result.errno, line);
    const seen = result.errno === '' ? String(result.value) : `${result.value} ${result.errno}`;
    if (!isRight || !errnoRight) throw new Mismatch(line, `result\n  expected: ${text}\n  seen:     ${seen}`);
    if (result.difference !== '') throw new Mismatch(line, `${result.difference}\n  expected: ${text}`);
    if (endUs < 0) return;
    const due = { us: endUs, endUs, isAny: false, beforeUs: beganUs };
    const off = this.#clock.lateness(due, this.#machine.nowUs);
    if (off === '') return;
    const when = timeText(this.#machine.nowUs);
    throw new Mismatch(line, `timing error: system call return\n  expected: ${text}\n  seen:     at ${when}`);
  }
}

function numberOrNone(errno: string, line: number): number {
  return errno === '' ? 0 : errnoNumber(errno, line);
}
