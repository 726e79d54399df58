/**
 * Received text: trimming, in-order delivery and the out-of-order queue (RFC 9293 3.10.7.4 seventh step, SHLD-31).
 *
 * The queue is a chain of NET_BUFFERs ordered by `segSeq` that do not overlap; a FIN that arrives early is remembered on
 * the buffer it follows. The number of buffers is bounded, so that a peer cannot pin the pool. What is in it has been reported
 * (sack-report.ts) and stays until it is delivered: text is only ever refused before it goes in (RFC 2018 8).
 */
import { seqGt, seqLeq, seqLt } from '../base/seq.ts';
import { NetBufferFlag } from '../memory/net-buffer.ts';
import { TcpFlag, type TcpHeader } from '../wire/tcp.ts';
import { acknowledgeText, countUnacked, enterQuickAcks, textArrived } from './delayed-ack.ts';
import type { Effects } from './effects.ts';
import { noteDuplicate, surveyQueue } from './sack-report.ts';
import type { NetBufferCursor } from './send-queue.ts';
import { type Tcb, TcpPrivateFlag } from './tcb.ts';

/** More than the default receive buffer in full segments; what travels is copied into at most 255 (tcb.oooCount). */
export const OUT_OF_ORDER_MAX = 192;

/** Takes the text and FIN of an acceptable segment. True when RCV.NXT has passed the peer's FIN. */
export function receiveText(tcb: Tcb, segment: TcpHeader, buffers: NetBufferCursor, now: number, fx: Effects): boolean {
  // A SYN stands before the text (data on SYN,ACK).
  let from = (segment.segSeq + ((segment.flags & TcpFlag.Syn) >>> 1)) | 0;
  let length = segment.payloadLength;
  let fin = (segment.flags & TcpFlag.Fin) !== 0;
  let at = segment.payloadAt;
  const duplicate = (tcb.rcvNxt - from) | 0;
  if (duplicate > 0) {
    const end = (from + length + (fin ? 1 : 0)) | 0;
    noteDuplicate(tcb, from, seqLt(end, tcb.rcvNxt) ? end : tcb.rcvNxt, fx.params);
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
    enterQuickAcks(tcb, fx.params.quickAcksMax, fx);
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
    return false;
  }
  if (from === tcb.rcvNxt && tcb.oooHead === 0) {
    if (length > 0 && !deliver(tcb, segment, at, length, buffers, now, fx)) return false;
    if (!fin) acknowledgeText(tcb, now, fx);
    return fin;
  }
  tcb.privateFlags |= TcpPrivateFlag.AckNow;
  if (from === tcb.rcvNxt) textArrived(tcb, segment, now, fx);
  queueOutOfOrder(tcb, segment, from, at, length, fin, buffers, fx);
  return drainOutOfOrder(tcb, buffers, fx);
}

function deliver(
  tcb: Tcb,
  segment: TcpHeader,
  at: number,
  length: number,
  buffers: NetBufferCursor,
  now: number,
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
  textArrived(tcb, segment, now, fx);
  advance(tcb, length);
  fx.indicateReceive(tcb, address);
  return true;
}

function advance(tcb: Tcb, length: number): void {
  tcb.rcvNxt = (tcb.rcvNxt + length) | 0;
  tcb.rcvWnd -= length;
  tcb.rcvPending += length;
  countUnacked(tcb, length);
}

/** Where a segment goes in the queue, and what is left of it there. One for all connections: it is used up at once. */
const place = { from: 0, at: 0, length: 0, fin: false, previous: 0, next: 0, covered: 0 };

function queueOutOfOrder(
  tcb: Tcb,
  segment: TcpHeader,
  from: number,
  at: number,
  length: number,
  fin: boolean,
  buffers: NetBufferCursor,
  fx: Effects,
): void {
  place.from = from;
  place.at = at;
  place.length = length;
  place.fin = fin;
  cutFront(tcb, buffers, fx);
  if (place.length <= 0 && !place.fin) {
    // RFC 2018 4: the first block is the one with the segment that led to the ACK, though it brought nothing new.
    surveyQueue(tcb, place.previous, buffers);
    return;
  }
  cutBack(tcb, buffers, fx);
  const isNext = place.from === tcb.rcvNxt;
  // A full queue still takes the one that lets it drain.
  if (tcb.oooCount - place.covered >= OUT_OF_ORDER_MAX && !isNext) return;
  // Before the ones that it covers go: without a buffer for it, they stay, because they may have been reported.
  const address = fx.takePayload(place.at, place.length, isNext);
  if (address === 0) return;
  for (; place.covered > 0; place.covered--) {
    const covered = place.next;
    place.next = buffers.at(covered).next;
    tcb.oooCount--;
    fx.freeBuffer(covered);
  }
  tcb.oooCount++;
  buffers.at(address);
  buffers.segSeq = place.from;
  buffers.flags = ((segment.flags & TcpFlag.Psh) !== 0 ? NetBufferFlag.Push : 0) | (place.fin ? NetBufferFlag.Fin : 0);
  buffers.next = place.next;
  if (place.previous !== 0) buffers.at(place.previous).next = address;
  else tcb.oooHead = address;
  surveyQueue(tcb, address, buffers);
}

/** Finds the place; cuts what the buffers before it already have. */
function cutFront(tcb: Tcb, buffers: NetBufferCursor, fx: Effects): void {
  place.previous = 0;
  place.next = tcb.oooHead;
  while (place.next !== 0) {
    buffers.at(place.next);
    if (seqGt(buffers.segSeq, place.from)) return;
    const overlap = (buffers.segSeq + buffers.dataLength - place.from) | 0;
    if (overlap > 0) {
      const cut = Math.min(overlap, place.length);
      noteDuplicate(tcb, place.from, (place.from + cut) | 0, fx.params);
      place.from = (place.from + cut) | 0;
      place.at += cut;
      place.length -= cut;
    }
    place.previous = place.next;
    place.next = buffers.next;
    if (place.length > 0) continue;
    if (place.fin && (buffers.flags & NetBufferFlag.Fin) !== 0) {
      noteDuplicate(tcb, place.from, (place.from + 1) | 0, fx.params);
      place.fin = false;
    }
    if (!place.fin) return;
  }
}

/** Cuts what the buffer behind has; counts those behind that are covered whole. */
function cutBack(tcb: Tcb, buffers: NetBufferCursor, fx: Effects): void {
  place.covered = 0;
  const { from } = place;
  for (let next = place.next; next !== 0; next = buffers.next) {
    buffers.at(next);
    const end = (from + place.length) | 0;
    const { segSeq } = buffers;
    if (seqLeq(end, segSeq)) {
      if (end === segSeq && place.fin && buffers.dataLength === 0) finCameBefore(tcb, end, fx);
      return;
    }
    const nextEnd = (segSeq + buffers.dataLength) | 0;
    if (seqLt(end, nextEnd) || (end === nextEnd && (buffers.flags & NetBufferFlag.Fin) !== 0)) {
      noteDuplicate(tcb, segSeq, end === nextEnd && place.fin ? (end + 1) | 0 : end, fx.params);
      place.length = (segSeq - from) | 0;
      place.fin = false;
      return;
    }
    noteDuplicate(tcb, segSeq, nextEnd, fx.params);
    place.covered++;
  }
}

/** The FIN behind this text has a buffer of its own already. */
function finCameBefore(tcb: Tcb, at: number, fx: Effects): void {
  noteDuplicate(tcb, at, (at + 1) | 0, fx.params);
  place.fin = false;
}

function drainOutOfOrder(tcb: Tcb, buffers: NetBufferCursor, fx: Effects): boolean {
  if (tcb.oooHead === 0 || seqGt(buffers.at(tcb.oooHead).segSeq, tcb.rcvNxt)) return false;
  for (;;) {
    const address = tcb.oooHead;
    const fin = (buffers.at(address).flags & NetBufferFlag.Fin) !== 0;
    const length = buffers.dataLength;
    tcb.oooHead = buffers.next;
    tcb.oooCount--;
    buffers.flags &= ~NetBufferFlag.Fin;
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
    if (tcb.oooHead !== 0 && seqLeq(buffers.at(tcb.oooHead).segSeq, tcb.rcvNxt)) continue;
    surveyQueue(tcb, 0, buffers);
    return false;
  }
}

/** A queue that has come with the state (offload/handover.ts). */
export function adoptOutOfOrder(tcb: Tcb, chain: number, buffers: NetBufferCursor): void {
  tcb.oooHead = chain;
  tcb.oooCount = 0;
  for (let at = chain; at !== 0; at = buffers.at(at).next) tcb.oooCount++;
  surveyQueue(tcb, 0, buffers);
}

/** Discards the queue: at the end of the connection, and when a device has taken the connection with a copy of it. */
export function dropOutOfOrder(tcb: Tcb, buffers: NetBufferCursor, fx: Effects): void {
  while (tcb.oooHead !== 0) {
    const address = tcb.oooHead;
    tcb.oooHead = buffers.at(address).next;
    fx.freeBuffer(address);
  }
  tcb.oooCount = 0;
  tcb.sackBlocks = 0;
}
