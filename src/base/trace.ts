/**
 * The trace: what happened, by whom, when. Ladders, the administrator's log and debugging read it.
 *
 * A component holds `Trace | null` and tests for null before it builds a text: a run without a trace pays a branch.
 */
export interface TraceEvent {
  readonly us: number;
  /** Who acts: `app`, `tli`, `transport`, `network`, `framing`, `ndis`, `team0`, `nic0`, `peer` … */
  readonly actor: string;
  /** To whom, where the event is a call or a message between two of them. */
  readonly to: string;
  readonly text: string;
}

export interface Trace {
  emit(actor: string, to: string, text: string): void;
}

export class RecordingTrace implements Trace {
  readonly events: TraceEvent[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  emit(actor: string, to: string, text: string): void {
    this.events.push({ us: this.#now(), actor, to, text });
  }
}
