/**
 * In-order bytes of an offloaded connection, on their way to the application (R30, digest §4.3).
 *
 * Posted receives are filled first, in order; with none posted, the buffer from the NIC's pool goes up whole by an
 * indication and comes back through ReturnBuffers. A receive that got any bytes is completed at once (every buffer is
 * in push mode, and the push timer is zero).
 */
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import { Completion } from '../offload/descriptors.ts';
import type { DescriptorQueue } from '../ring/descriptor-queue.ts';
import type { NetBufferCursor } from '../tcp/send-queue.ts';

export class ReceiveDelivery {
  readonly #memory: Memory;
  readonly #posted: NetBufferCursor;
  readonly #source: NetBufferCursor;
  readonly #host: DescriptorQueue;
  readonly #head: Int32Array;
  readonly #tail: Int32Array;

  constructor(memory: Memory, slots: number, host: DescriptorQueue) {
    this.#memory = memory;
    this.#posted = NetBuffer.view(memory);
    this.#source = NetBuffer.view(memory);
    this.#host = host;
    this.#head = new Int32Array(slots);
    this.#tail = new Int32Array(slots);
  }

  /** Takes a chain of receives for a connection; zero-byte ones complete at once. */
  post(slot: number, context: number, chain: number): void {
    let address = chain;
    while (address !== 0) {
      const buffer = this.#posted.at(address);
      const next = buffer.next;
      buffer.next = 0;
      buffer.bytesTransferred = 0;
      if (buffer.dataLength === 0 && this.#head[slot] === 0) {
        this.#complete(context, address, 0);
      } else if (this.#head[slot] === 0) {
        this.#head[slot] = address;
        this.#tail[slot] = address;
      } else {
        buffer.at(this.#tail[slot]!).next = address;
        this.#tail[slot] = address;
      }
      address = next;
    }
  }

  /**
   * Places the bytes of a pool buffer; returns how many went into posted receives. When that is all of them the caller
   * keeps the buffer, else the rest of it has been indicated.
   */
  deliver(slot: number, context: number, address: number): number {
    const source = this.#source.at(address);
    let placed = 0;
    while (this.#head[slot] !== 0 && source.dataLength > 0) {
      const target = this.#head[slot]!;
      const buffer = this.#posted.at(target);
      const count = Math.min(source.dataLength, buffer.dataLength - buffer.bytesTransferred);
      this.#memory.kernels.copy(buffer.dataAddress + buffer.bytesTransferred, source.dataAddress, count);
      buffer.bytesTransferred += count;
      source.dataAddress += count;
      source.dataLength -= count;
      placed += count;
      this.#head[slot] = buffer.next;
      this.#complete(context, target, 0);
    }
    if (source.dataLength > 0) this.#host.push(Completion.TcpIndicateReceive, context, address, 0);
    return placed;
  }

  /** Completes every posted receive with a status: upload in progress, aborted. */
  flush(slot: number, context: number, status: number): void {
    while (this.#head[slot] !== 0) {
      const address = this.#head[slot]!;
      this.#head[slot] = this.#posted.at(address).next;
      this.#complete(context, address, status);
    }
  }

  #complete(context: number, address: number, status: number): void {
    const buffer = this.#posted.at(address);
    buffer.status = status;
    buffer.next = 0;
    this.#host.push(Completion.TcpReceiveComplete, context, address, status);
  }
}
