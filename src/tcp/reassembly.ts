/**
 * Received text: trimming, in-order delivery and the out-of-order queue (RFC 9293 3.10.7.4 seventh step, SHLD-31).
 *
 * The queue is a chain of NET_BUFFERs ordered by `segSeq` that do not overlap; a FIN that arrives early is remembered on
 * the buffer it follows. The number of buffers is bounded, so that a peer cannot pin the pool.
 */
import { seqGt, seqLeq, seqLt } from '../base/seq.ts';
import { NetBufferFlag } from '../memory/net-buffer.ts';
import { TcpFlag, type TcpHeader } from '../wire/tcp.ts';
import type { Effects } from './effects.ts';
import type { NetBufferCursor } from './send-queue.ts';
import { type Tcb, TcpPrivateFlag } from './tcb.ts';
import { startDelayedAck } from './timers.ts';

export const OUT_OF_ORDER_MAX = 64;

/** Takes the text and FIN of an acceptable segment. True when RCV.NXT has passed the peer's FIN. */
export function receiveText(tcb: Tcb, segment: TcpHeader, buffers: NetBufferCursor, now: number, fx: Effects): boolean {
  // A SYN stands before the text (data on SYN,ACK).
  let from = (segment.segSeq + ((segment.flags & TcpFlag.Syn) >>> 1)) | 0;
  let length = segment.payloadLength;
  let fin = (segment.flags & TcpFlag.Fin) !== 0;
  let at = segment.payloadAt;
  const duplicate = (tcb.rcvNxt - from) | 0;
  if (duplicate > 0) {
    const cut = Math.min(duplicate, length);
    at += cut;
    length -= cut;
    from = (from + cut) | 0;
    if (length === 0 && fin && seqLt(from, tcb.rcvNxt)) fin = false;
  }
  const room = (tcb.rcvNxt + tcb.rcvWnd - from) | 0;
  if (length > room) {
    length = room;
    fin = false;
  }
  if (length <= 0 && !fin) {
    // Nothing new: a duplicate, acknowledged at once so that a lost ACK does not cost a time-out.
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
    return false;
  }
  if (from === tcb.rcvNxt && tcb.oooHead === 0) {
    if (length > 0 && !deliver(tcb, segment, at, length, buffers, fx)) return false;
    if (!fin) acknowledgeText(tcb, now, fx);
    return fin;
  }
  tcb.privateFlags |= TcpPrivateFlag.AckNow;
  queueOutOfOrder(tcb, segment, from, at, length, fin, buffers, fx);
  return drainOutOfOrder(tcb, buffers, fx);
}

function deliver(
  tcb: Tcb,
  segment: TcpHeader,
  at: number,
  length: number,
  buffers: NetBufferCursor,
  fx: Effects,
): boolean {
  const address = fx.takePayload(at, length, true);
  if (address === 0) {
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
    return false;
  }
  buffers.at(address);
  buffers.segSeq = tcb.rcvNxt;
  buffers.flags = (segment.flags & TcpFlag.Psh) !== 0 ? NetBufferFlag.Push : 0;
  buffers.next = 0;
  advance(tcb, length);
  fx.indicateReceive(tcb, address);
  return true;
}

function advance(tcb: Tcb, length: number): void {
  tcb.rcvNxt = (tcb.rcvNxt + length) | 0;
  tcb.rcvWnd -= length;
  tcb.rcvPending += length;
}

/** RFC 9293 MUST-58, MUST-59; RFC 5681 4.2. */
function acknowledgeText(tcb: Tcb, now: number, fx: Effects): void {
  tcb.delayedAckSegments++;
  if (tcb.delayedAckSegments >= fx.params.ackFrequency) tcb.privateFlags |= TcpPrivateFlag.AckNow;
  else startDelayedAck(tcb, now, fx);
}

function queueOutOfOrder(
  tcb: Tcb,
  segment: TcpHeader,
  segSeq: number,
  segAt: number,
  segLength: number,
  fin: boolean,
  buffers: NetBufferCursor,
  fx: Effects,
): void {
  let from = segSeq;
  let at = segAt;
  let length = segLength;
  let previous = 0;
  let next = tcb.oooHead;
  // Find the place; cut what the buffer before already has.
  while (next !== 0) {
    buffers.at(next);
    if (seqGt(buffers.segSeq, from)) break;
    const overlap = (buffers.segSeq + buffers.dataLength - from) | 0;
    if (overlap > 0) {
      const cut = Math.min(overlap, length);
      from = (from + cut) | 0;
      at += cut;
      length -= cut;
    }
    if (length <= 0 && (buffers.flags & NetBufferFlag.Fin) !== 0) return;
    previous = next;
    next = buffers.next;
  }
  if (length <= 0 && !fin) return;
  // Cut what the buffer behind has; drop those behind that are covered whole.
  while (next !== 0) {
    buffers.at(next);
    const end = (from + length) | 0;
    if (seqLeq(end, buffers.segSeq)) break;
    const nextEnd = (buffers.segSeq + buffers.dataLength) | 0;
    if (seqLt(end, nextEnd) || (end === nextEnd && buffers.flags & NetBufferFlag.Fin)) {
      length = (buffers.segSeq - from) | 0;
      fin = false;
      break;
    }
    const covered = next;
    next = buffers.next;
    tcb.oooCount--;
    fx.freeBuffer(covered);
    if (previous !== 0) buffers.at(previous).next = next;
    else tcb.oooHead = next;
  }
  if (length <= 0 && !fin) return;
  // A full queue still takes the one that lets it drain.
  if (tcb.oooCount >= OUT_OF_ORDER_MAX && from !== tcb.rcvNxt) return;
  const address = fx.takePayload(at, length, from === tcb.rcvNxt);
  if (address === 0) return;
  tcb.oooCount++;
  buffers.at(address);
  buffers.segSeq = from;
  buffers.flags = ((segment.flags & TcpFlag.Psh) !== 0 ? NetBufferFlag.Push : 0) | (fin ? NetBufferFlag.Fin : 0);
  buffers.next = next;
  if (previous !== 0) buffers.at(previous).next = address;
  else tcb.oooHead = address;
}

function drainOutOfOrder(tcb: Tcb, buffers: NetBufferCursor, fx: Effects): boolean {
  while (tcb.oooHead !== 0) {
    const address = tcb.oooHead;
    buffers.at(address);
    if (seqGt(buffers.segSeq, tcb.rcvNxt)) return false;
    const fin = (buffers.flags & NetBufferFlag.Fin) !== 0;
    const length = buffers.dataLength;
    tcb.oooHead = buffers.next;
    tcb.oooCount--;
    buffers.next = 0;
    if (length > 0) {
      advance(tcb, length);
      fx.indicateReceive(tcb, address);
    } else {
      fx.freeBuffer(address);
    }
    if (fin) {
      dropOutOfOrder(tcb, buffers, fx);
      return true;
    }
  }
  return false;
}

/** Discards the queue: at a hand-over (digest §3.6 step 3) and at the end of the connection. */
export function dropOutOfOrder(tcb: Tcb, buffers: NetBufferCursor, fx: Effects): void {
  while (tcb.oooHead !== 0) {
    const address = tcb.oooHead;
    tcb.oooHead = buffers.at(address).next;
    fx.freeBuffer(address);
  }
  tcb.oooCount = 0;
}
