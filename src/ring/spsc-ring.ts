/**
 * Single-producer single-consumer ring of equal slots in shared memory (R45).
 *
 *   consumed      published        reserved        free
 *   ----------|===================|+++++++++++|-----------
 *            head                tail      reserve
 *
 * Publication law: fill bodies with plain stores → Atomics.store(tail) once a batch → ring the doorbell if the consumer
 * sleeps. The consumer does Atomics.load(tail) first, bodies after. Indices run free modulo 2^32 and are masked on use,
 * so full and empty differ without a lost slot. Each side keeps a private copy of the other's index and reads the shared
 * word only when the copy says full (or empty): rigtorp.se/ringbuffer shows what that is worth.
 *
 * The peer is not trusted: an index that claims more than the ring holds is `Corrupt`, a device fault, not a crash.
 */
import { assert } from '../base/assert.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { bytes, record, word } from '../memory/record.ts';
import type { Doorbell } from './doorbell.ts';

export const RingHeader = record('RING_HEADER', 192, {
  tail: word('slots ever published; written by the producer', 'control', 'owner'),
  reserved0: bytes(60),
  head: word('slots ever released; written by the consumer'),
  reserved1: bytes(60),
  producerWaits: word('1 while the producer waits for room; written by the producer'),
  slotBytes: word('bytes a slot'),
  slots: word('slots, a power of two'),
  reserved2: bytes(52),
});

export const RING_FULL = -1;
export const RING_EMPTY = -1;

export interface RingShape {
  readonly slots: number;
  readonly slotBytes: number;
}

export function ringBytes(shape: RingShape): number {
  return RingHeader.byteLength + shape.slots * shape.slotBytes;
}

/** Writes a ring's header; once, by whoever lays out the machine, before either side attaches. */
export function initializeRing(memory: Memory, region: Region, shape: RingShape): void {
  assert(shape.slots > 0 && (shape.slots & (shape.slots - 1)) === 0, `${region.name}: slots are a power of two`);
  assert(shape.slotBytes % 4 === 0, `${region.name}: a slot is whole words`);
  assert(region.byteLength >= ringBytes(shape), `${region.name}: the region holds the ring`);
  const header = RingHeader.view(memory).at(region.offset);
  header.tail = 0;
  header.head = 0;
  header.producerWaits = 0;
  header.slotBytes = shape.slotBytes;
  header.slots = shape.slots;
}

abstract class RingSide {
  protected readonly i32: Int32Array;
  protected readonly tailIndex: number;
  protected readonly headIndex: number;
  protected readonly waitsIndex: number;
  protected readonly bodies: number;
  readonly slots: number;
  readonly slotBytes: number;
  protected readonly mask: number;

  constructor(memory: Memory, region: Region) {
    const header = RingHeader.view(memory).at(region.offset);
    this.i32 = memory.i32;
    this.tailIndex = (region.offset + RingHeader.offset.tail) >> 2;
    this.headIndex = (region.offset + RingHeader.offset.head) >> 2;
    this.waitsIndex = (region.offset + RingHeader.offset.producerWaits) >> 2;
    this.bodies = region.offset + RingHeader.byteLength;
    this.slots = header.slots;
    this.slotBytes = header.slotBytes;
    this.mask = this.slots - 1;
    assert(this.slots > 0 && this.slotBytes > 0, `${region.name}: the ring was initialized`);
  }
}

export class RingProducer extends RingSide {
  readonly #consumer: Doorbell;
  #published: number;
  #reserved: number;
  #headSeen: number;
  /** What the shared word says: only this side writes it. */
  #waiting: boolean;
  /** Byte address of the first slot that `reserveRun` gave last. */
  runAddress = 0;
  /** The consumer's index was impossible: treat the device behind it as faulty. Slots known to be free stay usable. */
  corrupt = false;

  /** @param consumer the doorbell of the thread that consumes */
  constructor(memory: Memory, region: Region, consumer: Doorbell) {
    super(memory, region);
    this.#consumer = consumer;
    this.#published = Atomics.load(this.i32, this.tailIndex);
    this.#reserved = this.#published;
    // Full until the first look at the consumer's index, which checks it.
    this.#headSeen = (this.#published - this.slots) | 0;
    this.#waiting = Atomics.load(this.i32, this.waitsIndex) !== 0;
  }

  get doorbell(): Doorbell {
    return this.#consumer;
  }

  /** Byte address of a free slot for the caller to fill, or RING_FULL. */
  reserve(): number {
    if (((this.#reserved - this.#headSeen) | 0) >= this.slots && !this.#refresh()) return RING_FULL;
    const address = this.bodies + (this.#reserved & this.mask) * this.slotBytes;
    this.#reserved = (this.#reserved + 1) | 0;
    return address;
  }

  /**
   * Reserves up to `max` slots that lie one behind the other, the first at `runAddress`, each `slotBytes` long. Returns
   * how many: 0 when the ring is full; fewer than are free where the ring wraps, so ask again for the rest.
   */
  reserveRun(max: number): number {
    let room = (this.#headSeen + this.slots - this.#reserved) | 0;
    if (room < max && this.#refresh()) room = (this.#headSeen + this.slots - this.#reserved) | 0;
    const first = this.#reserved & this.mask;
    const count = Math.min(max, room, this.slots - first);
    this.runAddress = this.bodies + first * this.slotBytes;
    this.#reserved = (this.#reserved + count) | 0;
    return count;
  }

  /** Slots that can be reserved now. */
  free(): number {
    this.#refresh();
    return this.slots - ((this.#reserved - this.#headSeen) | 0);
  }

  get pending(): boolean {
    return this.#reserved !== this.#published;
  }

  /** Publishes all reserved slots; true when the consumer sleeps: ring its doorbell, once for all rings. */
  commit(): boolean {
    if (this.#reserved === this.#published) return false;
    this.#published = this.#reserved;
    Atomics.store(this.i32, this.tailIndex, this.#published);
    return this.#consumer.wanted;
  }

  /** Forgets what was reserved since the last commit. */
  revert(): void {
    this.#reserved = this.#published;
  }

  /**
   * Says whether the producer waits for room; stores only a change. The consumer rings for room only when it finds both
   * this and the doorbell's sleeping flag set after it has stored its index. So whoever goes to sleep while waiting must
   * look for room once more after both: `free()`, or `announceWait`, which does this and looks.
   */
  setWaiting(waiting: boolean): void {
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    Atomics.store(this.i32, this.waitsIndex, waiting ? 1 : 0);
  }

  /** Before the producer sleeps because the ring is full; false when there is room after all. */
  announceWait(): boolean {
    this.setWaiting(true);
    if (!this.#refresh()) return true;
    this.setWaiting(false);
    return false;
  }

  cancelWait(): void {
    this.setWaiting(false);
  }

  #refresh(): boolean {
    const head = Atomics.load(this.i32, this.headIndex);
    // The consumer may only release what it had not released before and what has been published.
    if ((head - this.#headSeen) >>> 0 > ((this.#published - this.#headSeen) | 0)) this.corrupt = true;
    else this.#headSeen = head;
    return ((this.#reserved - this.#headSeen) | 0) < this.slots;
  }
}

export class RingConsumer extends RingSide {
  readonly #producer: Doorbell | null;
  #head: number;
  #released: number;
  #tailSeen: number;
  /** Byte address of the first slot that `nextRun` gave last. */
  runAddress = 0;
  /** The producer's index was impossible: treat the device behind it as faulty. */
  corrupt = false;

  /** @param producer the doorbell of the producing thread, if it may wait for room */
  constructor(memory: Memory, region: Region, producer: Doorbell | null) {
    super(memory, region);
    this.#producer = producer;
    this.#head = Atomics.load(this.i32, this.headIndex);
    this.#released = this.#head;
    this.#tailSeen = this.#head;
  }

  /** Byte address of the next slot, or RING_EMPTY. The slot stays the consumer's until `release`. */
  next(): number {
    if (this.#head === this.#tailSeen && !this.#refresh()) return RING_EMPTY;
    const address = this.bodies + (this.#head & this.mask) * this.slotBytes;
    this.#head = (this.#head + 1) | 0;
    return address;
  }

  /**
   * Takes up to `max` slots that lie one behind the other, the first at `runAddress`. Returns how many: 0 when the ring
   * is empty; fewer than are there where the ring wraps, so ask again for the rest.
   */
  nextRun(max: number): number {
    let there = (this.#tailSeen - this.#head) | 0;
    if (there < max && this.#refresh()) there = (this.#tailSeen - this.#head) | 0;
    const first = this.#head & this.mask;
    const count = Math.min(max, there, this.slots - first);
    this.runAddress = this.bodies + first * this.slotBytes;
    this.#head = (this.#head + count) | 0;
    return count;
  }

  /** Puts back the slot that `next` gave last: it could not be handled yet. */
  unread(): void {
    assert(this.#head !== this.#released, 'a slot was taken');
    this.#head = (this.#head - 1) | 0;
  }

  /** Gives consumed slots back; true when the producer waits for room: ring its doorbell. */
  release(): boolean {
    if (this.#head === this.#released) return false;
    this.#released = this.#head;
    Atomics.store(this.i32, this.headIndex, this.#head);
    return this.#producer !== null && Atomics.load(this.i32, this.waitsIndex) !== 0 && this.#producer.wanted;
  }

  get producerDoorbell(): Doorbell | null {
    return this.#producer;
  }

  /** Whether there is work, looking at the shared index: for the look-again before sleep. */
  hasWork(): boolean {
    return this.#head !== this.#tailSeen || this.#refresh();
  }

  #refresh(): boolean {
    const tail = Atomics.load(this.i32, this.tailIndex);
    // Counted from the released slots: those that are taken but not released cannot hold anything new.
    const claimed = (tail - this.#released) >>> 0;
    const taken = (this.#head - this.#released) | 0;
    if (claimed > this.slots || claimed < taken) {
      this.corrupt = true;
      return false;
    }
    this.#tailSeen = tail;
    return claimed > taken;
  }
}
