/**
 * Urgent data of a socket as Linux has it (RFC 6093 2): one byte, the last of what is urgent, is apart from the others. It is read
 * with MSG_OOB; other reads end in front of it and then pass over it, unless SO_OOBINLINE leaves it where it is.
 *
 *   consumed ──── a read takes these ────► mark │ and the next one those behind it ──► received
 */
import { type CallResult, failed, ok } from './call-result.ts';

export class UrgentMark {
  /** Where in the stream, -1: nothing is urgent. */
  #at = -1;
  #wasRead = false;

  /** There is more, or it has moved on. */
  note(at: number): void {
    if (at <= this.#at) return;
    this.#at = at;
    this.#wasRead = false;
  }

  /** The byte is in [from, end), and nobody has read it. */
  isThere(from: number, end: number): boolean {
    return this.#at >= from && this.#at < end && !this.#wasRead;
  }

  /** Bytes from `from` on in front of the mark; infinite where there is none. */
  before(from: number): number {
    return this.#at < from ? Number.POSITIVE_INFINITY : this.#at - from;
  }

  /** What a read of [from, end) passes over before it takes its first byte: 1 at the mark. */
  holeAt(from: number, end: number, isInline: boolean): number {
    return !isInline && this.#at === from && from < end ? 1 : 0;
  }

  /** What a read takes at most from `from` on: one that begins at the mark goes on behind it. */
  room(from: number): number {
    const before = this.before(from);
    return before === 0 ? Number.POSITIVE_INFINITY : before;
  }

  /** recv() with MSG_OOB, which never waits, where [from, end) is there to be read. */
  take(from: number, end: number, isInline: boolean, isOver: boolean, peek: boolean): CallResult {
    if (isInline || this.#at < from || this.#wasRead) return failed('EINVAL');
    if (this.#at >= end) return isOver ? ok(0) : failed('EAGAIN');
    if (!peek) this.#wasRead = true;
    return ok(1);
  }
}
