/**
 * When a device thinks that a connection would be better off in the host: the optional upload reasons (digest §3.8, §6.4).
 *
 * A few counters a slot, each with a threshold in UploadAdvice; without thresholds nothing is counted. The host may ignore
 * every one of these reasons, and the connection then goes on (D03), so they are repeated only after a while.
 */
import { TcpUploadReason } from '../offload/events.ts';
import type { UploadAdvice } from '../offload/target-options.ts';
import { TcpState } from '../tcp/tcb.ts';

/** Between two optional reasons for one connection. */
const ADVICE_INTERVAL_TICKS = 1000;
/** HighDropRate is judged over so many segments sent. */
const SENT_WINDOW = 100;
/** Small receives in a row. */
const SMALL_IO_RUN = 8;
/** Slots that one sweep for idle connections looks at, so that a large table costs a step little. */
const SWEEP_MAX = 1024;

/**
 * Digest §3.8, D29: a half-closed connection is not asked for by the device's own choice — optional reasons, and
 * UploadRequested. What has happened already is told all the same (time-outs, TIME-WAIT, invalid objects, failed
 * hardware, urgent data): the device could not go on.
 */
export function mayAsk(state: number): boolean {
  return state !== TcpState.FinWait1 && state !== TcpState.FinWait2 && state !== TcpState.CloseWait;
}

export class UploadAdvisor {
  /** Some threshold is set. */
  readonly isOn: boolean;
  readonly #advice: UploadAdvice;
  readonly #ask: (slot: number, reason: TcpUploadReason) => void;
  readonly #askedAt: Int32Array;
  readonly #activeAt: Int32Array;
  readonly #sent: Uint8Array;
  readonly #sentAgain: Uint8Array;
  readonly #smallReceives: Uint16Array;
  readonly #indications: Uint16Array;
  readonly #forwarded: Uint16Array;
  #sweepAt = 0;
  now = 0;

  constructor(advice: UploadAdvice, slots: number, ask: (slot: number, reason: TcpUploadReason) => void) {
    this.isOn = Object.values(advice).some((threshold: number) => threshold > 0);
    this.#advice = advice;
    this.#ask = ask;
    const counted = this.isOn ? slots : 0;
    this.#askedAt = new Int32Array(counted);
    this.#activeAt = new Int32Array(counted);
    this.#sent = new Uint8Array(counted);
    this.#sentAgain = new Uint8Array(counted);
    this.#smallReceives = new Uint16Array(counted);
    this.#indications = new Uint16Array(counted);
    this.#forwarded = new Uint16Array(counted);
  }

  /** A connection was loaded into the slot. */
  begin(slot: number): void {
    if (!this.isOn) return;
    this.#askedAt[slot] = (this.now - ADVICE_INTERVAL_TICKS) | 0;
    this.#activeAt[slot] = this.now;
    this.#sent[slot] = 0;
    this.#sentAgain[slot] = 0;
    this.#smallReceives[slot] = 0;
    this.#indications[slot] = 0;
    this.#forwarded[slot] = 0;
  }

  /** A segment was processed; `outOfOrder` buffers wait for a gap to be filled. */
  noteSegment(slot: number, forwarded: boolean, outOfOrder: number): void {
    if (!this.isOn) return;
    const { forwardedSegments, outOfOrderBuffers } = this.#advice;
    this.#activeAt[slot] = this.now;
    if (forwarded) this.#run(slot, this.#forwarded, forwardedSegments, TcpUploadReason.HighFragmentation);
    else this.#forwarded[slot] = 0;
    if (outOfOrderBuffers > 0 && outOfOrder >= outOfOrderBuffers) {
      this.#advise(slot, TcpUploadReason.HighOutOfOrderPackets);
    }
  }

  noteSent(slot: number, again: boolean): void {
    if (!this.isOn) return;
    this.#activeAt[slot] = this.now;
    const { highDropPercent } = this.#advice;
    if (highDropPercent === 0) return;
    if (again) this.#sentAgain[slot]!++;
    if (++this.#sent[slot]! < SENT_WINDOW) return;
    const drops = this.#sentAgain[slot]!;
    this.#sent[slot] = 0;
    this.#sentAgain[slot] = 0;
    if (drops >= highDropPercent) this.#advise(slot, TcpUploadReason.HighDropRate);
  }

  /** The application posted a receive of so many bytes; one of none only asks for indications (digest §4.3). */
  noteReceivePosted(slot: number, bytes: number): void {
    if (!this.isOn || bytes === 0) return;
    this.#indications[slot] = 0;
    if (bytes < this.#advice.smallIoBytes) {
      this.#run(slot, this.#smallReceives, SMALL_IO_RUN, TcpUploadReason.SmallIo);
    } else {
      this.#smallReceives[slot] = 0;
    }
  }

  /** Text found no receive posted and was indicated. */
  noteIndication(slot: number): void {
    if (!this.isOn) return;
    this.#run(slot, this.#indications, this.#advice.indicationsWithoutPost, TcpUploadReason.NoBufferPreposting);
  }

  /** Looks for idle connections, some slots at a time; to be called now and then. */
  sweep(isLive: (slot: number) => boolean): void {
    const { lowActivityTicks } = this.#advice;
    if (lowActivityTicks === 0) return;
    const slots = this.#activeAt.length;
    for (let left = Math.min(SWEEP_MAX, slots); left > 0; left--) {
      const slot = this.#sweepAt;
      this.#sweepAt = slot + 1 === slots ? 0 : slot + 1;
      const idle = (this.now - this.#activeAt[slot]!) | 0;
      if (idle >= lowActivityTicks && isLive(slot)) this.#advise(slot, TcpUploadReason.LowActivity);
    }
  }

  #run(slot: number, counts: Uint16Array, threshold: number, reason: TcpUploadReason): void {
    if (threshold === 0) return;
    if (++counts[slot]! < threshold) return;
    counts[slot] = 0;
    this.#advise(slot, reason);
  }

  #advise(slot: number, reason: TcpUploadReason): void {
    if (((this.now - this.#askedAt[slot]!) | 0) < ADVICE_INTERVAL_TICKS) return;
    this.#askedAt[slot] = this.now;
    this.#ask(slot, reason);
  }
}
