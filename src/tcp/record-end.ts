/**
 * Ends of records in the send queue (MSG_EOR of send(2)): bytes behind one never share a segment with bytes before it, when
 * they leave first and when they are sent again, whoever sends them. The peer does not see more than that, and where PSH is:
 * which marks no record (RFC 9293 3.9.1.2).
 *
 *    record ─────────────┐ record ┐ not ended yet
 *   [ 1460 ][ 1460 ][ 80 ][  300  ][ 700 …
 *                      PSH      PSH
 *
 * The mark is a flag of the last NET_BUFFER of the call, so that it travels with its bytes. TcpPrivateFlag.RecordEnds says
 * that there are any: connections without pay one test for a segment.
 */
import { NetBufferFlag } from '../memory/net-buffer.ts';
import type { Effects } from './effects.ts';
import { type NetBufferCursor, seekSend } from './send-queue.ts';
import { type Tcb, TcpPrivateFlag } from './tcb.ts';

/**
 * Of `left` bytes that wait from `seq` on, those as far as the first end of a record that a segment of `reach` bytes would
 * meet; all of them when it meets none.
 */
export function untilRecordEnd(tcb: Tcb, seq: number, left: number, reach: number, fx: Effects): number {
  return (tcb.privateFlags & TcpPrivateFlag.RecordEnds) === 0 ? left : search(tcb, seq, left, reach, fx.buffers);
}

/** Of [seq, seq + length), a FIN perhaps included, what may leave as one segment. A FIN is no byte of another record. */
export function withinRecord(tcb: Tcb, seq: number, length: number, fx: Effects): number {
  if ((tcb.privateFlags & TcpPrivateFlag.RecordEnds) === 0) return length;
  const left = (tcb.sndUna + tcb.sendDataBytes - seq) | 0;
  const record = search(tcb, seq, left, length, fx.buffers);
  return record < left ? Math.min(length, record) : length;
}

/** Does a record end with [seq, seq + length), of a call that did not say that more is to come? Such a segment has PSH. */
export function endsRecord(tcb: Tcb, seq: number, length: number, fx: Effects): boolean {
  if ((tcb.privateFlags & TcpPrivateFlag.RecordEnds) === 0) return false;
  const { buffers } = fx;
  let end = seekSend(tcb, seq, buffers) + length;
  while (end > buffers.dataLength && buffers.next !== 0) {
    end -= buffers.dataLength;
    buffers.at(buffers.next);
  }
  const { EndOfRecord, More } = NetBufferFlag;
  return end === buffers.dataLength && (buffers.flags & (EndOfRecord | More)) === EndOfRecord;
}

/** After a hand-over: private state knows nothing of the queue that came along. */
export function findRecordEnds(tcb: Tcb, buffers: NetBufferCursor): void {
  for (let address = tcb.sendDataHead; address !== 0; address = buffers.next) {
    if ((buffers.at(address).flags & NetBufferFlag.EndOfRecord) === 0) continue;
    tcb.privateFlags |= TcpPrivateFlag.RecordEnds;
    return;
  }
}

function search(tcb: Tcb, seq: number, left: number, reach: number, buffers: NetBufferCursor): number {
  if (left <= 0) return left;
  let length = -seekSend(tcb, seq, buffers);
  for (;;) {
    length += buffers.dataLength;
    if ((buffers.flags & NetBufferFlag.EndOfRecord) !== 0) return Math.min(length, left);
    if (length >= reach || buffers.next === 0) return left;
    buffers.at(buffers.next);
  }
}
