/**
 * When an event of a script is due, and whether what happened was in time.
 *
 * Relative times count from now, but for inbound packets that follow each other: those count from each other, so that
 * nothing adds up. The tolerance is the script's own, or a part of the time since the event before, whichever is more.
 */
import type { ScriptEvent } from './ast.ts';
import { Mismatch } from './mismatch.ts';
import { timeText } from './packet-text.ts';
import type { Settings } from './settings.ts';

export interface DueTime {
  readonly us: number;
  readonly endUs: number;
  readonly isAny: boolean;
  /** When the event before was due, -1 for the first. */
  readonly beforeUs: number;
}

export class ScriptClock {
  readonly #settings: Settings;
  #last: ScriptEvent | null = null;
  #lastUs = -1;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The next event's time. */
  due(event: ScriptEvent, nowUs: number): DueTime {
    const { kind, us, endUs } = event.time;
    const isRelative = kind === 'relative' || kind === 'relative-range';
    const isAnchored = this.#last !== null && isInbound(event) && isInbound(this.#last);
    const from = kind === 'any' ? nowUs : isRelative ? (isAnchored ? this.#lastUs : nowUs) : 0;
    const due = { us: from + us, endUs: from + endUs, isAny: kind === 'any', beforeUs: this.#lastUs };
    if (this.#last === null && due.us !== 0) throw new Mismatch(event.line, 'the first event should be at time 0');
    this.#last = event;
    this.#lastUs = due.us;
    return due;
  }

  /** Throws when `actualUs` is too far from the time that was due. */
  verify(line: number, due: DueTime, actualUs: number, what: string): void {
    if (due.isAny) return;
    const off = this.lateness(due, actualUs);
    if (off === '') return;
    throw new Mismatch(line, `timing error: expected ${what} ${off}`);
  }

  /** '' when it is in time. */
  lateness({ us, endUs, beforeUs }: DueTime, actualUs: number): string {
    const { toleranceUs, tolerancePercent } = this.#settings;
    const part = beforeUs < 0 ? 0 : (tolerancePercent / 100) * (us - beforeUs);
    const tolerance = Math.max(toleranceUs, part);
    if (actualUs >= us - tolerance && actualUs <= endUs + tolerance) return '';
    const when = us === endUs ? `at ${timeText(us)}` : `in ${timeText(us)}~${timeText(endUs)}`;
    return `${when} sec but it happened at ${timeText(actualUs)} sec; tolerance ${timeText(tolerance)} sec`;
  }
}

function isInbound({ action }: ScriptEvent): boolean {
  return action.kind === 'packet' && action.inbound;
}
