/**
 * Frames on their way: copies that leave at a given time, in the order they came except where one is held back.
 *
 *   in order   FIFO, times never decrease      ─┐
 *                                               ├─► sink, the earlier first (FIFO if equal)
 *   held back  binary heap by (time, arrival)  ─┘
 *
 * The FIFO serves as a cable's software queue too: a frame that the full ring refused is due at once and waits for the
 * sink to take it. Copies lie in buffers of a pool, which lines of one thread may share, behind headroom for VLAN tags.
 * Bounded by `capacity` and by the pool; nothing is allocated per frame.
 */
import { assert } from '../base/assert.ts';
import type { BufferPool, PoolShape } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import { WIRE_FRAME_OFFSET } from '../ring/wire-slot.ts';
import type { FabricPart } from './port.ts';

/** Takes a frame that is due; its bytes are the line's again when it returns. False: no room, offer it again later. */
export type DelaySink = (frameAt: number, length: number, flags: number) => boolean;

/** Buffers for frames of a ring with such slots: the slot's header becomes headroom. */
export function linePoolShape(frames: number, slotBytes: number): PoolShape {
  return { count: frames, dataBytes: slotBytes };
}

export class DelayLine implements FabricPart {
  readonly capacity: number;
  readonly #memory: Memory;
  readonly #pool: BufferPool;
  readonly #sink: DelaySink;
  readonly #descriptor;
  // The FIFO: a ring of `capacity` places.
  readonly #fifoBuffer: Int32Array;
  readonly #fifoDue: Float64Array;
  #fifoHead = 0;
  #fifoCount = 0;
  #lastDue = 0;
  // The heap.
  readonly #heapBuffer: Int32Array;
  readonly #heapDue: Float64Array;
  readonly #heapArrival: Float64Array;
  #heapCount = 0;
  #arrivals = 0;
  /** Frames refused because the line or the pool was full. */
  overflows = 0;

  constructor(memory: Memory, pool: BufferPool, capacity: number, sink: DelaySink) {
    assert(capacity > 0, 'a delay line holds at least one frame');
    this.capacity = capacity;
    this.#memory = memory;
    this.#pool = pool;
    this.#sink = sink;
    this.#descriptor = NetBuffer.view(memory);
    this.#fifoBuffer = new Int32Array(capacity);
    this.#fifoDue = new Float64Array(capacity);
    this.#heapBuffer = new Int32Array(capacity);
    this.#heapDue = new Float64Array(capacity);
    this.#heapArrival = new Float64Array(capacity);
  }

  /** Frames in the line. */
  get count(): number {
    return this.#fifoCount + this.#heapCount;
  }

  /** Frames in order, without those held back: who comes now has to queue behind them. */
  get waiting(): number {
    return this.#fifoCount;
  }

  /** Frames that `push` would take. */
  get room(): number {
    return Math.min(this.capacity - this.count, this.#pool.available);
  }

  /** Longest frame it can hold. */
  get frameMax(): number {
    return this.#pool.dataBytes - WIRE_FRAME_OFFSET;
  }

  /**
   * Copies a frame in. It leaves at `dueUs`, but not before an earlier one of the same order; if `held`, it is out of
   * order and neither waits for others nor makes others wait. False when it is full: counted.
   */
  push(frameAt: number, length: number, flags: number, dueUs: number, held: boolean): boolean {
    const buffer = this.count < this.capacity && length <= this.frameMax ? this.#pool.allocate() : 0;
    if (buffer === 0) {
      this.overflows++;
      return false;
    }
    const copyAt = this.#pool.dataOf(buffer) + WIRE_FRAME_OFFSET;
    this.#memory.kernels.copy(copyAt, frameAt, length);
    const descriptor = this.#descriptor.at(buffer);
    descriptor.dataAddress = copyAt;
    descriptor.dataLength = length;
    descriptor.scratch = flags;
    if (held) {
      this.#heapInsert(buffer, dueUs);
      return true;
    }
    if (this.#fifoCount === 0 || dueUs > this.#lastDue) this.#lastDue = dueUs;
    const place = (this.#fifoHead + this.#fifoCount) % this.capacity;
    this.#fifoBuffer[place] = buffer;
    this.#fifoDue[place] = this.#lastDue;
    this.#fifoCount++;
    return true;
  }

  /** Hands what is due to the sink until that has no room; returns how many frames left. */
  step(nowUs: number): number {
    let released = 0;
    while (this.count > 0) {
      const fromHeap = this.#heapIsNext();
      if ((fromHeap ? this.#heapDue[0]! : this.#fifoDue[this.#fifoHead]!) > nowUs) break;
      const buffer = fromHeap ? this.#heapBuffer[0]! : this.#fifoBuffer[this.#fifoHead]!;
      const { dataAddress, dataLength, scratch } = this.#descriptor.at(buffer);
      if (!this.#sink(dataAddress, dataLength, scratch)) break;
      this.#remove(fromHeap);
      this.#pool.free(buffer);
      released++;
    }
    return released;
  }

  usUntilNext(nowUs: number): number {
    if (this.count === 0) return -1;
    const due = this.#heapIsNext() ? this.#heapDue[0]! : this.#fifoDue[this.#fifoHead]!;
    return Math.max(0, due - nowUs);
  }

  /** Throws all frames away; returns how many there were. */
  clear(): number {
    const cleared = this.count;
    while (this.#fifoCount > 0) {
      this.#pool.free(this.#fifoBuffer[this.#fifoHead]!);
      this.#remove(false);
    }
    for (let i = 0; i < this.#heapCount; i++) this.#pool.free(this.#heapBuffer[i]!);
    this.#heapCount = 0;
    return cleared;
  }

  #heapIsNext(): boolean {
    if (this.#heapCount === 0) return false;
    return this.#fifoCount === 0 || this.#heapDue[0]! < this.#fifoDue[this.#fifoHead]!;
  }

  #remove(fromHeap: boolean): void {
    if (fromHeap) {
      this.#heapRemoveFirst();
      return;
    }
    this.#fifoHead = (this.#fifoHead + 1) % this.capacity;
    this.#fifoCount--;
  }

  #heapInsert(buffer: number, dueUs: number): void {
    const arrival = this.#arrivals++;
    let at = this.#heapCount++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#heapDue[parent]! <= dueUs) break;
      this.#heapMove(parent, at);
      at = parent;
    }
    this.#heapBuffer[at] = buffer;
    this.#heapDue[at] = dueUs;
    this.#heapArrival[at] = arrival;
  }

  #heapRemoveFirst(): void {
    const last = --this.#heapCount;
    const due = this.#heapDue[last]!;
    const arrival = this.#heapArrival[last]!;
    const buffer = this.#heapBuffer[last]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#heapBefore(child + 1, this.#heapDue[child]!, this.#heapArrival[child]!)) child++;
      if (!this.#heapBefore(child, due, arrival)) break;
      this.#heapMove(child, at);
      at = child;
    }
    this.#heapBuffer[at] = buffer;
    this.#heapDue[at] = due;
    this.#heapArrival[at] = arrival;
  }

  #heapBefore(place: number, due: number, arrival: number): boolean {
    const placeDue = this.#heapDue[place]!;
    return placeDue < due || (placeDue === due && this.#heapArrival[place]! < arrival);
  }

  #heapMove(from: number, to: number): void {
    this.#heapBuffer[to] = this.#heapBuffer[from]!;
    this.#heapDue[to] = this.#heapDue[from]!;
    this.#heapArrival[to] = this.#heapArrival[from]!;
  }
}
