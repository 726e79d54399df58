/**
 * MSG_ZEROCOPY of a stream socket with SO_ZEROCOPY: a call's bytes stay the application's memory, which it may change again when
 * the error queue has said so. A report names the first and the last of the calls that are over, counted from 0; one that
 * goes on with the last in the queue becomes part of it.
 *
 * The stack sends from where the bytes lie, on the host and on the device, and may do so again until SND.UNA is behind them.
 * On its way to the cable each frame is a copy, which the report says too (SO_EE_CODE_ZEROCOPY_COPIED), as Linux does where
 * a tun device is the interface.
 */
import type { SendState } from './send-state.ts';

export interface ZeroCopyReport {
  readonly first: number;
  last: number;
}

/** What Linux puts into one packet at most (MAX_SKB_FRAGS); more buffers in a call make segments of their own. */
export const ZERO_COPY_BUFFERS_MAX = 17;

export class ZeroCopy {
  /** On the socket's error queue, the oldest first. */
  readonly queue: ZeroCopyReport[] = [];
  /** Where the bytes of calls end in the stream that are not over, the oldest first. */
  readonly #ends: number[] = [];
  #calls = 0;
  readonly #onReport: () => void;

  constructor(onReport: () => void) {
    this.#onReport = onReport;
  }

  get areAwaited(): boolean {
    return this.#ends.length > 0;
  }

  /** A call has written, up to `end` in the stream. */
  wrote(end: number): void {
    this.#ends.push(end);
    this.#calls++;
  }

  /** Looks how far the peer's ACKs are. `null`: the connection is over, and nothing is sent again. */
  look(state: SendState | null): void {
    const acked = state === null ? Infinity : state.written - state.queued;
    let over = 0;
    while (over < this.#ends.length && this.#ends[over]! <= acked) over++;
    if (over === 0) return;
    const first = this.#calls - this.#ends.length;
    this.#ends.splice(0, over);
    const tail = this.queue.at(-1);
    if (tail !== undefined && tail.last === first - 1) tail.last += over;
    else this.queue.push({ first, last: first + over - 1 });
    this.#onReport();
  }
}
