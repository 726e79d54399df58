/**
 * What the receiver reports beside RCV.NXT: SACK blocks of the out-of-order queue (RFC 2018) and text that came twice
 * (D-SACK, RFC 2883).
 *
 *   queue   [10,20)#3 [20,30)#5   [40,50)#4   [60,70)#1    →   <sack 10:30 40:50 60:70>
 *
 * The order of the blocks is that of arrival, newest first (RFC 2018 4). Nothing is kept for it but a stamp on each
 * NET_BUFFER of the queue, so it goes along when the queue changes hands. The TCB has the number of blocks, because the size of the
 * option decides how much text fits into a segment.
 *
 * What was reported is never dropped (RFC 2018 8 would allow it): see reassembly.ts and offload/handover.ts.
 */
import { seqGeq, seqGt, seqLt } from '../base/seq.ts';
import { NetBufferFlag } from '../memory/net-buffer.ts';
import { emitSack, SACK_BLOCKS_MAX, TcpOptionLength } from '../wire/tcp-options.ts';
import type { TcpParams } from './params.ts';
import type { NetBufferCursor } from './send-queue.ts';
import { type Tcb, TcpConstFlag } from './tcb.ts';

/** Two NOPs before the option. */
const SACK_BASE_BYTES = TcpOptionLength.Sack + 2;
const DSACK_LENGTH_MAX = 0xffff;

/** One past the last number of a buffer of the queue on which the cursor stands, its FIN included. */
export function endOf(buffers: NetBufferCursor): number {
  return (buffers.segSeq + buffers.dataLength + ((buffers.flags & NetBufferFlag.Fin) !== 0 ? 1 : 0)) | 0;
}

/** How many blocks the next segment carries; a segment of a tiny MSS keeps room for text. */
function blocksReported(tcb: Tcb): number {
  const wanted = tcb.sackBlocks + (tcb.dsackLength > 0 ? 1 : 0);
  if (wanted === 0 || (tcb.constFlags & TcpConstFlag.Sack) === 0) return 0;
  const most = (tcb.constFlags & TcpConstFlag.Timestamp) !== 0 ? SACK_BLOCKS_MAX - 1 : SACK_BLOCKS_MAX;
  const fitting = Math.floor((tcb.effectiveMss - 1 - SACK_BASE_BYTES) / TcpOptionLength.SackBlock);
  return Math.max(0, Math.min(wanted, most, fitting));
}

/** Bytes of SACK option in the next segment that acknowledges. */
export function sackOptionLength(tcb: Tcb): number {
  const blocks = blocksReported(tcb);
  return blocks === 0 ? 0 : SACK_BASE_BYTES + TcpOptionLength.SackBlock * blocks;
}

/** Text that a segment has room for: Eff.snd.MSS is without the options that only some segments carry (RFC 6691 3.1). */
export function segmentRoom(tcb: Tcb): number {
  return tcb.effectiveMss - sackOptionLength(tcb);
}

/**
 * [left, right) came again. One block is reported for what comes before the next ACK: text that adjoins extends it, and
 * of two that do not the first counts (RFC 2883 4: a block is reported once).
 *
 * RFC 2883 4.1: below RCV.NXT; RFC 2883 4.2: inside of the queue; callers know which.
 */
export function noteDuplicate(tcb: Tcb, left: number, right: number, params: TcpParams): void {
  if ((tcb.constFlags & TcpConstFlag.Sack) === 0 || !params.dsack || !seqLt(left, right)) return;
  if (tcb.dsackLength === 0) {
    tcb.dsackLeft = left;
    tcb.dsackLength = Math.min((right - left) | 0, DSACK_LENGTH_MAX);
    return;
  }
  const dsackRight = (tcb.dsackLeft + tcb.dsackLength) | 0;
  if (seqGt(left, dsackRight) || seqLt(right, tcb.dsackLeft)) return;
  if (seqLt(left, tcb.dsackLeft)) tcb.dsackLeft = left;
  const end = seqGt(right, dsackRight) ? right : dsackRight;
  tcb.dsackLength = Math.min((end - tcb.dsackLeft) | 0, DSACK_LENGTH_MAX);
}

/** The queue has changed: counts its blocks. `newest` is the buffer that has just come, or that was sent again; 0: none. */
export function surveyQueue(tcb: Tcb, newest: number, buffers: NetBufferCursor): void {
  let blocks = 0;
  let end = 0;
  let stamp = 0;
  for (let at = tcb.oooHead; at !== 0; at = buffers.next) {
    buffers.at(at);
    if (blocks === 0 || buffers.segSeq !== end) blocks++;
    end = endOf(buffers);
    if (at !== newest && (stamp === 0 || seqGt(buffers.stamp, stamp))) stamp = buffers.stamp;
  }
  tcb.sackBlocks = blocks;
  if (newest !== 0) buffers.at(newest).stamp = (stamp + 1) | 0 || 1;
}

/** Chooses the blocks of one segment and writes them; one for all connections of an owner. */
export class SackReport {
  readonly #left = new Int32Array(SACK_BLOCKS_MAX);
  readonly #right = new Int32Array(SACK_BLOCKS_MAX);
  readonly #stamp = new Int32Array(SACK_BLOCKS_MAX);

  /** Writes the option, `sackOptionLength` bytes, and returns what follows it. A D-SACK has been reported with that. */
  emit(tcb: Tcb, view: DataView, at: number, buffers: NetBufferCursor): number {
    const count = blocksReported(tcb);
    if (count === 0) return at;
    let first = 0;
    if (tcb.dsackLength > 0) {
      // RFC 2883 4: the first block is the D-SACK.
      this.#left[0] = tcb.dsackLeft;
      this.#right[0] = (tcb.dsackLeft + tcb.dsackLength) | 0;
      tcb.dsackLength = 0;
      first = 1;
    }
    this.#choose(tcb, first, count, buffers);
    return emitSack(view, at, this.#left, this.#right, count);
  }

  /** The newest blocks of the queue into [first, count), newest first. */
  #choose(tcb: Tcb, first: number, count: number, buffers: NetBufferCursor): void {
    let chosen = first;
    for (let at = tcb.oooHead; at !== 0;) {
      buffers.at(at);
      const left = buffers.segSeq;
      let right = endOf(buffers);
      let stamp = buffers.stamp;
      for (at = buffers.next; at !== 0 && buffers.at(at).segSeq === right; at = buffers.next) {
        right = endOf(buffers);
        if (seqGt(buffers.stamp, stamp)) stamp = buffers.stamp;
      }
      let place = chosen;
      while (place > first && seqGeq(stamp, this.#stamp[place - 1]!)) place--;
      if (place >= count) continue;
      if (chosen < count) chosen++;
      for (let i = chosen - 1; i > place; i--) this.#move(i - 1, i);
      this.#left[place] = left;
      this.#right[place] = right;
      this.#stamp[place] = stamp;
    }
  }

  #move(from: number, to: number): void {
    this.#left[to] = this.#left[from]!;
    this.#right[to] = this.#right[from]!;
    this.#stamp[to] = this.#stamp[from]!;
  }
}
