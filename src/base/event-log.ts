/**
 * The administrator's event log (R24): what offload, failover and devices did, with the time. Kept bounded; listeners see
 * each event as it happens.
 */
import type { Clock } from './clock.ts';

export interface LogEvent {
  readonly us: number;
  /**
   * `offload-pause`, `upload-all`, `offload-evicted`, `offload-directed`, `directed-offload-ended`, `retrieve`, `failover`,
   * `link-down`, `device-fault` …
   */
  readonly kind: string;
  /** The adapter, member or interface it is about. */
  readonly subject: string;
  readonly text: string;
}

const KEPT_MAX = 4096;

export class EventLog {
  readonly events: LogEvent[] = [];
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: LogEvent) => void>();
  dropped = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  emit(kind: string, subject: string, text: string): void {
    const event = { us: this.#clock.nowUs(), kind, subject, text };
    if (this.events.length < KEPT_MAX) this.events.push(event);
    else this.dropped++;
    for (const listener of this.#listeners) listener(event);
  }

  /** Returns the undo. */
  subscribe(listener: (event: LogEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
