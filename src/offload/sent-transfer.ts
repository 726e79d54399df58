/**
 * What recovery knows of the data in flight, beside the state of a block (SENT_RANGE): written by the one who gives a
 * connection, taken up by the one who gets it. Times are ages, numbers are relative to SND.UNA.
 *
 * With it a recovery goes on where it was: nothing that is SACKed is sent again, nothing lost is forgotten. Ranges that find
 * no place are merged into the last one as sent last, and not SACKed: such a segment is sent again too late, never too early.
 * A giver that says nothing (the shipped interface has no such list) leaves [SND.UNA, SND.NXT) in flight and the rest, up to
 * SndMax, to be sent again.
 */
import { seqGt } from '../base/seq.ts';
import type { Memory } from '../memory/memory.ts';
import { noteSmall, smallEnd } from '../tcp/nagle.ts';
import type { SentRanges } from '../tcp/sent-ranges.ts';
import { noteProbe, resumeSearch } from '../tcp/mtu-probe.ts';
import { SentFlag } from '../tcp/sent-flag.ts';
import { CaState, type Tcb, TcpConstFlag, TcpState } from '../tcp/tcb.ts';
import {
  SENT_RANGES_MAX,
  SENT_RANGES_OFFSET,
  SentRangeTransfer,
  TCP_TRANSFER_OFFSET,
  TcpTransfer,
} from './tcp-transfer.ts';

const AGE_MAX = 0xffff;
const PROBE_OFFSET_MAX = 0xffff;
/** In the flags: the range ends with the last segment that was not full, for Nagle's algorithm (tcp/nagle.ts). */
const SMALL = 128;
const SEGMENTS_MAX = 0xff;

export class SentTransfer {
  readonly #transfer;
  readonly #range;

  constructor(memory: Memory) {
    this.#transfer = TcpTransfer.view(memory);
    this.#range = SentRangeTransfer.view(memory);
  }

  /** The giver's; the ranges are free after it. `block` is the block's address. */
  give(tcb: Tcb, block: number, now: number, sent: SentRanges): void {
    const range = this.#range;
    let count = 0;
    for (let at = tcb.sentHead; at !== 0; at = sent.next(at)) {
      const isLast = count === SENT_RANGES_MAX;
      if (!isLast) {
        range.at(block + SENT_RANGES_OFFSET + count * SentRangeTransfer.byteLength);
        count++;
      }
      const age = Math.min(AGE_MAX, Math.max(0, (now - sent.sentAt(at)) | 0));
      range.end = (sent.end(at) - tcb.sndUna) | 0;
      range.age = isLast ? Math.min(range.age, age) : age;
      range.flags = isLast ? mergedFlags(range.flags, sent.flags(at)) : sent.flags(at);
      if (sent.end(at) === smallEnd(tcb)) range.flags |= SMALL;
      range.segments = Math.min(SEGMENTS_MAX, (isLast ? range.segments : 0) + sent.segments(at));
    }
    const transfer = this.#transfer.at(block + TCP_TRANSFER_OFFSET);
    transfer.sentRangeCount = count;
    transfer.probeLow = tcb.probeLow;
    transfer.probeHigh = tcb.probeHigh;
    const probeOffset = (tcb.probeMark - tcb.sndUna) | 0;
    // One that is too far ahead is forgotten: it will be made again.
    transfer.probeSize = probeOffset >= 0 && probeOffset <= PROBE_OFFSET_MAX ? tcb.probeSize : 0;
    transfer.probeOffset = probeOffset;
    sent.clear(tcb);
  }

  /** The getter's: private counters come from it. What does not fit the sequence numbers of the state is not believed. */
  take(tcb: Tcb, block: number, now: number, sent: SentRanges): void {
    sent.clear(tcb);
    if (tcb.state < TcpState.Established) return;
    noteSmall(tcb, tcb.sndUna);
    const { sentRangeCount, probeLow, probeHigh, probeSize, probeOffset } = this.#transfer.at(
      block + TCP_TRANSFER_OFFSET,
    );
    resumeSearch(tcb, probeLow, probeHigh, now);
    if (probeSize > 0) noteProbe(tcb, (tcb.sndUna + probeOffset) | 0, probeSize);
    const count = Math.min(SENT_RANGES_MAX, Math.max(0, sentRangeCount));
    const flight = (tcb.sndMax - tcb.sndUna) | 0;
    let end = 0;
    for (let i = 0; i < count && end < flight; i++) {
      const range = this.#range.at(block + SENT_RANGES_OFFSET + i * SentRangeTransfer.byteLength);
      if (range.end <= end) break;
      end = Math.min(range.end, flight);
      const flags = plausible(tcb, range.flags & ~SMALL);
      sent.load(tcb, (tcb.sndUna + end) | 0, (now - range.age) | 0, flags, range.segments);
      if ((range.flags & SMALL) !== 0) noteSmall(tcb, (tcb.sndUna + end) | 0);
    }
    if (end < flight) loadUnknown(tcb, end, flight, now, sent);
    tcb.sndNxt = tcb.sndMax;
    if ((tcb.constFlags & TcpConstFlag.Sack) !== 0) return;
    // Without SACK duplicate ACKs stand for what has arrived (recovery.ts).
    tcb.sackedSegments = Math.min(tcb.dupAckCount, Math.ceil((flight - tcb.lostBytes) / tcb.effectiveMss));
    tcb.sackedBytes = Math.min(tcb.sackedSegments * tcb.effectiveMss, flight - tcb.lostBytes);
  }
}

/** Of two ranges as one: nothing of it is SACKed, and it is lost only if all of it is. */
function mergedFlags(one: number, other: number): number {
  return (one & other & ~SentFlag.Sacked) | ((one | other) & SentFlag.EverRetransmitted);
}

/** As much of it as can be true at the same time: what is SACKed is not lost, and only a peer with SACK does so. */
function plausible(tcb: Tcb, flags: number): number {
  if ((tcb.constFlags & TcpConstFlag.Sack) === 0) return flags & ~SentFlag.Sacked;
  return (flags & SentFlag.Sacked) === 0 ? flags : flags & ~SentFlag.Lost;
}

/** In flight as far as SND.NXT, behind it to be sent again (SndMax of the shipped state lies beyond it then). */
function loadUnknown(tcb: Tcb, from: number, flight: number, now: number, sent: SentRanges): void {
  const next = Math.max(from, Math.min(flight, (tcb.sndNxt - tcb.sndUna) | 0));
  const count = (bytes: number): number => Math.max(1, Math.ceil(bytes / tcb.effectiveMss));
  if (next > from) sent.load(tcb, (tcb.sndUna + next) | 0, now, 0, count(next - from));
  if (flight === next) return;
  sent.load(tcb, tcb.sndMax, now, SentFlag.Lost, count(flight - next));
  if (tcb.caState >= CaState.Recovery) return;
  tcb.caState = CaState.Loss;
  if (seqGt(tcb.sndMax, tcb.recover)) tcb.recover = tcb.sndMax;
}
