/**
 * Whether a chain of NET_BUFFERs from the host lies where this device may read and write: each descriptor, and the bytes
 * that it describes (architecture §2.8). A chain that does not end is none.
 */
import type { Window } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { NetBufferCursor } from '../tcp/send-queue.ts';

const CHAIN_MAX = 0xffff;

export function isChainGranted(window: Window, buffers: NetBufferCursor, head: number): boolean {
  let address = head;
  for (let count = 0; address !== 0; count++) {
    if (count > CHAIN_MAX || !window.allows(address, NetBuffer.byteLength)) return false;
    buffers.at(address);
    if (!window.allows(buffers.dataAddress, buffers.dataLength)) return false;
    address = buffers.next;
  }
  return true;
}
