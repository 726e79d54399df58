/**
 * Chains of NET_BUFFERs with received bytes, in the order of their sequence numbers: what a device gives back as
 * BufferedData, and what it had indicated before it knew that the connection is going.
 */
import { seqLt } from '../base/seq.ts';
import type { Cursor } from '../memory/record.ts';
import type { NetBuffer } from '../memory/net-buffer.ts';

/** Puts a buffer before the first of the chain that does not come before it; returns the head. */
export function insertBySeq(buffer: Cursor<typeof NetBuffer.fields>, chain: number, address: number): number {
  const seq = buffer.at(address).segSeq;
  let before = 0;
  let after = chain;
  while (after !== 0 && seqLt(buffer.at(after).segSeq, seq)) {
    before = after;
    after = buffer.next;
  }
  buffer.at(address).next = after;
  if (before === 0) return address;
  buffer.at(before).next = address;
  return chain;
}
