/**
 * The send queue: NET_BUFFERs from SND.UNA on (digest §4.2).
 *
 *   sendDataHead → [ acked | unacked ] → [ unacked | unsent ] → [ unsent ] ← sendDataTail
 *                          ^ SND.UNA              ^ sndMax
 *
 * The acknowledged bytes of the head are its `bytesTransferred`. Descriptors are only borrowed: each goes back through
 * `sendComplete` when its last byte is acknowledged, never earlier. A FIN has no byte here; the state says whether one
 * is to be sent.
 */
import { seqLt } from '../base/seq.ts';
import type { Cursor } from '../memory/record.ts';
import { type NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import type { Effects } from './effects.ts';
import { type Tcb, TcpPrivateFlag, TcpState } from './tcb.ts';

export type NetBufferCursor = Cursor<typeof NetBuffer.fields>;

/** Appends a chain of descriptors, in order. */
export function enqueueSend(tcb: Tcb, first: number, buffers: NetBufferCursor): void {
  let address = first;
  if (tcb.sendDataTail !== 0) buffers.at(tcb.sendDataTail).next = address;
  else tcb.sendDataHead = address;
  while (address !== 0) {
    buffers.at(address).bytesTransferred = 0;
    tcb.sendDataBytes += buffers.dataLength;
    if ((buffers.flags & NetBufferFlag.EndOfRecord) !== 0) tcb.privateFlags |= TcpPrivateFlag.RecordEnds;
    tcb.sendDataTail = address;
    address = buffers.next;
  }
}

/** Takes `count` acknowledged bytes off the front and completes what is used up. */
export function acknowledgeSend(tcb: Tcb, count: number, buffers: NetBufferCursor, fx: Effects): void {
  let left = count;
  tcb.sendDataBytes -= count;
  while (tcb.sendDataHead !== 0) {
    const address = tcb.sendDataHead;
    buffers.at(address);
    const room = buffers.dataLength - buffers.bytesTransferred;
    if (room > left) {
      buffers.bytesTransferred += left;
      return;
    }
    left -= room;
    buffers.bytesTransferred = buffers.dataLength;
    tcb.sendDataHead = buffers.next;
    if (tcb.sendDataHead === 0) tcb.sendDataTail = 0;
    if (tcb.curBuffer === address) tcb.curBuffer = 0;
    buffers.next = 0;
    fx.sendComplete(tcb, address);
    if (left === 0 && room > 0) {
      // Zero-length descriptors that follow are complete as well; the loop goes on only for those.
      if (tcb.sendDataHead === 0 || buffers.at(tcb.sendDataHead).dataLength !== 0) return;
    }
  }
}

/** Empties the queue without completing: for an abort. Returns the chain. */
export function takeSendQueue(tcb: Tcb): number {
  const head = tcb.sendDataHead;
  tcb.sendDataHead = 0;
  tcb.sendDataTail = 0;
  tcb.sendDataBytes = 0;
  tcb.curBuffer = 0;
  return head;
}

/** Places the cursor on the descriptor that holds `seq`; returns the offset of `seq` in it. */
export function seekSend(tcb: Tcb, seq: number, buffers: NetBufferCursor): number {
  if (tcb.curBuffer === 0 || seqLt(seq, tcb.curSeq)) {
    tcb.curBuffer = tcb.sendDataHead;
    tcb.curSeq = (tcb.sndUna - buffers.at(tcb.sendDataHead).bytesTransferred) | 0;
  }
  buffers.at(tcb.curBuffer);
  let offset = (seq - tcb.curSeq) | 0;
  while (offset >= buffers.dataLength && buffers.next !== 0) {
    offset -= buffers.dataLength;
    tcb.curSeq = (tcb.curSeq + buffers.dataLength) | 0;
    tcb.curBuffer = buffers.next;
    buffers.at(tcb.curBuffer);
  }
  return offset;
}

/** A FIN is to be sent, or was and is not acknowledged: the state alone says so. */
export function finOutstanding(state: number): boolean {
  return state === TcpState.FinWait1 || state === TcpState.Closing || state === TcpState.LastAck;
}
