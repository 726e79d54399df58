/**
 * What the engine reported during one entry, kept until it has returned: Effects must not run application code.
 *
 * `current` is filled by the Effects; chains of NET_BUFFERs run through their `next`. When an application's call makes
 * the engine report while another record is being worked off, the record waits in a queue, so that no application is
 * entered twice.
 */
import type { Memory } from '../../memory/memory.ts';
import { NetBuffer } from '../../memory/net-buffer.ts';
import { CloseReason } from '../../tcp/effects.ts';
import type { NetBufferCursor } from '../../tcp/send-queue.ts';

export const StationEvent = {
  Established: 1,
  Received: 2,
  SendCompleted: 4,
  PeerClosed: 8,
  TimeWait: 16,
  Closed: 32,
} as const;

class EventRecord {
  connection = 0;
  /** `StationEvent` bits. */
  bits = 0;
  received = 0;
  receivedTail = 0;
  completed = 0;
  completedTail = 0;
  reason: CloseReason = CloseReason.Normal;
}

export class StationEvents {
  readonly current = new EventRecord();
  /** Records that wait, and spent ones behind them for use again; grows to the most that ever waited. */
  readonly #queue: EventRecord[] = [];
  readonly #buffers: NetBufferCursor;
  #waiting = 0;
  #taken = 0;

  constructor(memory: Memory) {
    this.#buffers = NetBuffer.view(memory);
  }

  addReceived(buffer: number): void {
    const { current } = this;
    current.bits |= StationEvent.Received;
    if (current.receivedTail === 0) current.received = buffer;
    else this.#buffers.at(current.receivedTail).next = buffer;
    current.receivedTail = buffer;
  }

  addCompleted(buffer: number): void {
    const { current } = this;
    current.bits |= StationEvent.SendCompleted;
    if (current.completedTail === 0) current.completed = buffer;
    else this.#buffers.at(current.completedTail).next = buffer;
    current.completedTail = buffer;
  }

  /** Puts the current record at the end of the queue and starts an empty one. */
  enqueue(connection: number): void {
    if (this.#waiting === this.#queue.length) this.#queue.push(new EventRecord());
    const to = this.#queue[this.#waiting++];
    const from = this.current;
    to.connection = connection;
    to.bits = from.bits;
    to.received = from.received;
    to.completed = from.completed;
    to.reason = from.reason;
    from.bits = 0;
    from.received = 0;
    from.receivedTail = 0;
    from.completed = 0;
    from.completedTail = 0;
    from.reason = CloseReason.Normal;
  }

  /** The record that has waited for longest; undefined when there is none. It stays valid until the next `take`. */
  take(): EventRecord | undefined {
    if (this.#taken < this.#waiting) return this.#queue[this.#taken++];
    this.#taken = 0;
    this.#waiting = 0;
    return undefined;
  }
}
