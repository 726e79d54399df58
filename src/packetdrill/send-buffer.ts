/**
 * SO_SNDBUF as a Linux kernel counts it, so that a write is cut where scripts expect it: data waits in pieces of up to half
 * of the peer's window, each with an overhead, and a piece that is begun is filled, whatever the limit.
 *
 *   |  piece  |  piece  | unsent, may be filled up |
 *   acked     sent                                 written
 */
import { CONGESTION_INFINITE, type SendState } from './send-state.ts';

/** Descriptor and headers of a piece. */
const PIECE_OVERHEAD = 1280;
/** What a piece holds at most. */
const PIECE_MAX = 65_535 - 320;
const HEADER_ROOM = 320 + 320;
const DESCRIPTOR = 256;
const INITIAL_WINDOW = 10;

export class SendBuffer {
  /** SO_SNDBUF, doubled as the kernel does. */
  limit: number;
  /** The application has set it: it does not grow any more. */
  isLocked = false;
  readonly #most: number;
  /** TCP_NOTSENT_LOWAT, 0: the system's. */
  notsentLowat = 0;
  readonly #systemLowat: number;
  /** Ends of pieces, as offsets in the stream; the last is where the next byte goes. */
  #ends: number[] = [];
  written = 0;
  /** Where the last record ended (MSG_EOR): the piece before it is not filled up. */
  #recordEnd = -1;
  /** A write found no room: tell when there is some. */
  wantsRoom = false;

  constructor(limit: number, most: number, notsentLowat: number) {
    this.limit = limit;
    this.#most = most;
    this.#systemLowat = notsentLowat;
  }

  get #lowat(): number {
    return this.notsentLowat === 0 ? this.#systemLowat : this.notsentLowat;
  }

  /** Another connection begins. */
  restart(): void {
    this.#ends = [];
    this.#recordEnd = -1;
    this.written = 0;
    this.wantsRoom = false;
  }

  /** What was written last ends a record. */
  endRecord(): void {
    this.#recordEnd = this.written;
  }

  /** Are the bytes before these two offsets in the same piece? */
  sharePiece(one: number, other: number): boolean {
    const pieceOf = (offset: number): number | undefined => this.#ends.find(end => end >= offset);
    return pieceOf(one) === pieceOf(other);
  }

  inherit(from: SendBuffer): void {
    this.limit = from.limit;
    this.isLocked = from.isLocked;
    this.notsentLowat = from.notsentLowat;
  }

  /** Before there is a connection, with nothing to wait for. */
  takeWhole(count: number): void {
    this.written += count;
    this.#ends.push(this.written);
  }

  /** What of `count` bytes a write takes now. */
  take(count: number, state: SendState): number {
    const goal = pieceSize(state);
    let sent = this.written - state.unsent;
    // Whole segments only.
    const room = Math.max(0, Math.min(state.cwnd, state.sndWnd) - state.inFlight);
    const sendable = sent + room - (room % state.mss);
    this.#sync(sent, state);
    let left = count;
    while (left > 0) {
      const ends = this.#ends;
      const start = ends.length > 1 ? ends.at(-2)! : state.written - state.queued;
      const length = ends.length > 0 ? ends.at(-1)! - start : 0;
      const isOpen = ends.length > 0 && start >= sent && length < goal && ends.at(-1) !== this.#recordEnd;
      if (!isOpen && !this.#hasMemory(state, sent)) break;
      const part = Math.min(left, isOpen ? goal - length : goal);
      if (isOpen) ends.pop();
      this.written += part;
      ends.push(this.written);
      left -= part;
      const isFull = (isOpen ? length : 0) + part === goal;
      if (isFull) sent = this.#send(sent, sendable);
    }
    if (left > 0) this.wantsRoom = true;
    return count - left;
  }

  /** A piece that goes in part is two from then on. */
  #send(sent: number, sendable: number): number {
    const now = Math.max(sent, Math.min(this.written, sendable));
    this.#split(now);
    return now;
  }

  #split(at: number): void {
    if (at >= this.written || this.#ends.includes(at)) return;
    const i = this.#ends.findIndex(end => end > at);
    if (i >= 0) this.#ends.splice(i, 0, at);
  }

  #sync(sent: number, { queued }: SendState): void {
    const acked = this.written - queued;
    this.#ends = this.#ends.filter(end => end > acked);
    if (sent > acked) this.#split(sent);
  }

  #used({ queued }: SendState): number {
    const acked = this.written - queued;
    return queued + PIECE_OVERHEAD * this.#ends.filter(end => end > acked).length;
  }

  #hasMemory(state: SendState, sent: number): boolean {
    const queued = this.written - (state.written - state.queued);
    return this.#used({ ...state, queued }) < this.limit && this.written - sent < this.#lowat;
  }

  /** POLLOUT, and what wakes a write: a third of the buffer is free. */
  isWritable(state: SendState): boolean {
    this.#sync(this.written - state.unsent, state);
    const used = this.#used(state);
    return this.limit - used >= used >> 1 && state.unsent * 2 < this.#lowat;
  }

  /** The buffer grows with the congestion window, unless it was set. */
  grow({ cwnd, mss, remoteMss }: SendState): void {
    if (this.isLocked) return;
    const segment = 2 ** Math.ceil(Math.log2(Math.max(mss, remoteMss) + HEADER_ROOM)) + DESCRIPTOR;
    const segments = Math.max(INITIAL_WINDOW, cwnd >= CONGESTION_INFINITE ? 0 : Math.floor(cwnd / mss));
    this.limit = Math.max(this.limit, Math.min(2 * segments * segment, this.#most));
  }
}

/** A whole number of segments, and no more than half of the largest window that the peer has offered. */
function pieceSize({ mss, maxSndWnd }: SendState): number {
  const bound = maxSndWnd > 536 ? maxSndWnd >> 1 : maxSndWnd;
  return Math.max(mss, Math.floor(Math.min(PIECE_MAX, bound) / mss) * mss);
}
