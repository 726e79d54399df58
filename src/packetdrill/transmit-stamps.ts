/**
 * Transmit time stamps of a stream socket (SO_TIMESTAMPING), measured from the machine as it runs. A call that sends is stamped at
 * its last byte, three times:
 *
 *   SCHED  TCP has let the byte go to the interface: SND.NXT is behind it, on the host or on the device
 *   SND    the segment with it is on the wire
 *   ACK    SND.UNA is behind it, wherever the connection is
 *
 * One of two calls whose last bytes wait in the same piece of the send buffer has none, as with Linux, whose descriptor has
 * room for one: MSG_EOR keeps them apart. A byte that is sent again is on the wire a second time; what Linux makes of that is
 * not rebuilt (`isRepeated`).
 */
import type { SendBuffer } from './send-buffer.ts';
import type { SendState } from './send-state.ts';

/** SOF_TIMESTAMPING_…, as far as they are known here. */
export const StampFlag = {
  TxSoftware: 2,
  Software: 0x10,
  OptId: 0x80,
  TxSched: 0x100,
  TxAck: 0x200,
  OptTsOnly: 0x800,
} as const;

/** SCM_TSTAMP_… */
export const StampKind = { Sent: 0, Scheduled: 1, Acknowledged: 2 } as const;
export type StampKind = (typeof StampKind)[keyof typeof StampKind];

export interface Stamp {
  readonly kind: StampKind;
  readonly us: number;
  /** One past the byte, in the stream. */
  readonly end: number;
  /** Without SOF_TIMESTAMPING_OPT_ID 0, with it the byte, counted from where the option was set. */
  readonly key: number;
}

/** A call whose stamps are to come. */
interface Awaited {
  /** One past its last byte in the stream. */
  readonly end: number;
  readonly flags: number;
  readonly key: number;
  isScheduled: boolean;
  isSent: boolean;
}

export class TransmitStamps {
  flags = 0;
  /** Of what is on the socket's error queue, the oldest first. */
  readonly queue: Stamp[] = [];
  /** A byte whose stamps are asked for was sent again. */
  isRepeated = false;
  #base = 0;
  #awaited: Awaited[] = [];
  readonly #onReport: () => void;

  constructor(onReport: () => void) {
    this.#onReport = onReport;
  }

  get areAwaited(): boolean {
    return this.#awaited.length > 0;
  }

  /** `acked`: bytes of the stream that are acknowledged. */
  set(flags: number, acked: number): void {
    if ((flags & ~this.flags & StampFlag.OptId) !== 0) this.#base = acked;
    this.flags = flags;
  }

  /** A call has written up to the end of `buffer`, and is done. */
  wrote(buffer: SendBuffer): void {
    const { flags } = this;
    if ((flags & (StampFlag.TxSched | StampFlag.TxSoftware | StampFlag.TxAck)) === 0) return;
    const end = buffer.written;
    const last = this.#awaited.at(-1);
    if (last !== undefined && !last.isScheduled && buffer.sharePiece(last.end, end)) this.#awaited.pop();
    const key = (flags & StampFlag.OptId) === 0 ? 0 : end - 1 - this.#base;
    this.#awaited.push({ end, flags, key, isScheduled: false, isSent: false });
  }

  /** Bytes [from, to) of the stream are on the wire. */
  onWire(from: number, to: number, us: number): void {
    for (const awaited of this.#awaited) {
      if (awaited.end <= from || awaited.end > to) continue;
      this.#schedule(awaited, us);
      if (awaited.isSent) this.isRepeated = true;
      else if ((awaited.flags & StampFlag.TxSoftware) !== 0) this.#report(StampKind.Sent, awaited, us);
      awaited.isSent = true;
    }
  }

  /** Looks how far TCP is: an ACK is heard before it lets anything go. `null`: the connection is over, and so is this. */
  look(state: SendState | null, us: number): void {
    this.lookForAck(state, us);
    if (state === null) return;
    const sent = state.written - state.unsent;
    for (const awaited of this.#awaited) if (awaited.end <= sent) this.#schedule(awaited, us);
  }

  /** What an ACK has let go may be on the wire before anybody has looked for the ACK. */
  lookForAck(state: SendState | null, us: number): void {
    const acked = state === null ? Infinity : state.written - state.queued;
    while (this.#awaited.length > 0 && this.#awaited[0]!.end <= acked) {
      const awaited = this.#awaited.shift()!;
      if (state !== null && (awaited.flags & StampFlag.TxAck) !== 0) this.#report(StampKind.Acknowledged, awaited, us);
    }
  }

  #schedule(awaited: Awaited, us: number): void {
    if (awaited.isScheduled) return;
    awaited.isScheduled = true;
    if ((awaited.flags & StampFlag.TxSched) !== 0) this.#report(StampKind.Scheduled, awaited, us);
  }

  /** What happens at one instant is reported call by call, as where each segment is on the wire before TCP makes the next. */
  #report(kind: StampKind, { end, key }: Awaited, us: number): void {
    const { queue } = this;
    let at = queue.length;
    while (at > 0 && queue[at - 1]!.us === us && queue[at - 1]!.end > end) at--;
    queue.splice(at, 0, { kind, us, end, key });
    this.#onReport();
  }
}
