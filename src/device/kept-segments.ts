/**
 * Segments of a connection that stands still until it is taken back, where the device keeps them (¶57, option
 * `forwardWhileUploading: 'buffer'`): off the wire and forwarded ones in one chain, in the order in which they came.
 *
 * The chain goes back with the upload (offload/tcp-transfer.ts), and the host runs it through its own TCP before
 * anything that it holds itself. A buffer of the device's is lent from then on, as with any indication.
 */
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { NetBufferCursor } from '../tcp/send-queue.ts';

export class KeptSegments {
  readonly #buffer: NetBufferCursor;
  readonly #head: Int32Array;
  readonly #tail: Int32Array;

  constructor(memory: Memory, slots: number) {
    this.#buffer = NetBuffer.view(memory);
    this.#head = new Int32Array(slots);
    this.#tail = new Int32Array(slots);
  }

  append(slot: number, address: number): void {
    this.#buffer.at(address).next = 0;
    if (this.#head[slot] === 0) this.#head[slot] = address;
    else this.#buffer.at(this.#tail[slot]!).next = address;
    this.#tail[slot] = address;
  }

  /** The chain, which is the caller's now. */
  take(slot: number): number {
    const head = this.#head[slot]!;
    this.#head[slot] = 0;
    return head;
  }
}
