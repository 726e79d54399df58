/**
 * Received bytes that come along with a connection, copied into the device's own buffers before the completion (B12): the
 * host's buffers stay the host's. BufferedData is for the application, the out-of-order queue for reassembly.
 */
import type { Memory, Window } from '../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import type { NetBufferCursor } from '../tcp/send-queue.ts';
import { isChainGranted } from './granted.ts';
import type { ReceivePool } from './receive-pool.ts';

/** What `copy` answers instead of a chain. */
export const NOT_READABLE = -1;
export const NO_MEMORY = -2;

/** What a large buffer says of its end is said by the last of its copies. */
const OF_ITS_END = NetBufferFlag.Push | NetBufferFlag.Fin;

export class ReceivedCopies {
  readonly #memory: Memory;
  readonly #window: Window;
  readonly #pool: ReceivePool;
  readonly #from: NetBufferCursor;
  readonly #to: NetBufferCursor;
  #first = 0;
  #last = 0;

  constructor(memory: Memory, window: Window, pool: ReceivePool) {
    this.#memory = memory;
    this.#window = window;
    this.#pool = pool;
    this.#from = NetBuffer.view(memory);
    this.#to = NetBuffer.view(memory);
  }

  /** The chain of copies, 0 for none; or why there is none, and nothing taken. `inOrder`: as in `Effects.takePayload`. */
  copy(slot: number, chain: number, inOrder: boolean): number {
    if (!isChainGranted(this.#window, this.#from, chain)) return NOT_READABLE;
    this.#first = 0;
    this.#last = 0;
    for (let at = chain; at !== 0; at = this.#from.at(at).next) {
      if (this.#copyBuffer(slot, at, inOrder)) continue;
      this.free(this.#first);
      return NO_MEMORY;
    }
    return this.#first;
  }

  free(chain: number): void {
    let address = chain;
    while (address > 0) {
      const { next } = this.#to.at(address);
      this.#pool.free(address);
      address = next;
    }
  }

  #copyBuffer(slot: number, at: number, inOrder: boolean): boolean {
    const { dataAddress, dataLength, flags, segSeq, stamp } = this.#from.at(at);
    let done = 0;
    // Once for a buffer without bytes: a FIN that came early may have one to itself.
    do {
      const address = this.#pool.allocateFor(slot, inOrder);
      if (address === 0) return false;
      const count = Math.min(this.#pool.dataBytes, dataLength - done);
      const to = this.#to.at(address);
      to.dataAddress = this.#pool.dataOf(address);
      to.dataLength = count;
      if (count > 0) this.#memory.kernels.copy(to.dataAddress, dataAddress + done, count);
      // By it the host puts in order what comes back at an upload.
      to.segSeq = (segSeq + done) | 0;
      to.stamp = stamp;
      to.next = 0;
      done += count;
      to.flags = done < dataLength ? flags & ~OF_ITS_END : flags;
      if (this.#first === 0) this.#first = address;
      else this.#to.at(this.#last).next = address;
      this.#last = address;
    } while (done < dataLength);
    return true;
  }
}
