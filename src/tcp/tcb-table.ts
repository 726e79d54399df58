/**
 * An owner's TCBs: slots in a region, a free list, and the hash that finds a connection by its addresses.
 *
 * The key is (remote address, local address, both ports, VID): the same pair of addresses on two VLANs is two
 * connections. Handles are slot and generation, so that a stale one is refused (architecture §2.8).
 */
import { assert, broken } from '../base/assert.ts';
import { HANDLE_SLOTS_MAX, handleGeneration, handleSlot, makeHandle, nextGeneration } from '../base/handle.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { type Tcb, TcbLayout, TcpState } from './tcb.ts';

const NONE = -1;

export const TCB_SLOTS_MAX = HANDLE_SLOTS_MAX;

export class TcbTable {
  readonly capacity: number;
  readonly #memory: Memory;
  readonly #base: number;
  readonly #free: Int32Array;
  readonly #hashNext: Int32Array;
  readonly #buckets: Int32Array;
  readonly #mask: number;
  readonly #probe: Tcb;
  readonly #live: Uint8Array;
  #freeCount: number;

  constructor(memory: Memory, region: Region, capacity: number) {
    assert(
      capacity <= TCB_SLOTS_MAX && region.byteLength >= capacity * TcbLayout.byteLength,
      'the region holds the table',
    );
    this.capacity = capacity;
    this.#memory = memory;
    this.#base = region.offset;
    this.#free = new Int32Array(capacity);
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
    this.#freeCount = capacity;
    this.#hashNext = new Int32Array(capacity).fill(NONE);
    this.#live = new Uint8Array(capacity);
    let buckets = 16;
    while (buckets < capacity) buckets <<= 1;
    this.#buckets = new Int32Array(buckets).fill(NONE);
    this.#mask = buckets - 1;
    this.#probe = TcbLayout.view(memory);
  }

  get inUse(): number {
    return this.capacity - this.#freeCount;
  }

  get available(): number {
    return this.#freeCount;
  }

  cursor(): Tcb {
    return TcbLayout.view(this.#memory);
  }

  addressOf(slot: number): number {
    return this.#base + slot * TcbLayout.byteLength;
  }

  slotOf(tcb: Tcb): number {
    return ((tcb.base - this.#base) / TcbLayout.byteLength) | 0;
  }

  isLive(slot: number): boolean {
    return this.#live[slot] === 1;
  }

  /** A zeroed TCB with a new generation, or -1 when there is none left. */
  allocate(): number {
    if (this.#freeCount === 0) return -1;
    const slot = this.#free[--this.#freeCount]!;
    this.#live[slot] = 1;
    const address = this.addressOf(slot);
    const tcb = this.#probe.at(address);
    const generation = nextGeneration(tcb.generation);
    this.#memory.kernels.zero(address, TcbLayout.byteLength);
    tcb.generation = generation;
    return slot;
  }

  free(slot: number): void {
    if (this.#live[slot] !== 1) broken(`TCB slot ${slot} is in use`);
    this.#live[slot] = 0;
    this.#probe.at(this.addressOf(slot)).state = TcpState.Closed;
    this.#free[this.#freeCount++] = slot;
  }

  handleOf(slot: number): number {
    return makeHandle(slot, this.#probe.at(this.addressOf(slot)).generation);
  }

  /** The slot of a handle that came from elsewhere, or -1 when it is stale or never was one. */
  slotOfHandle(handle: number): number {
    const slot = handleSlot(handle);
    if (handle <= 0 || slot >= this.capacity || this.#live[slot] !== 1) return -1;
    return this.#probe.at(this.addressOf(slot)).generation === handleGeneration(handle) ? slot : -1;
  }

  insert(slot: number): void {
    const tcb = this.#probe.at(this.addressOf(slot));
    const bucket = this.#bucketOf(tcb.remoteAddress, tcb.localAddress, (tcb.remotePort << 16) | tcb.localPort, tcb.vid);
    this.#hashNext[slot] = this.#buckets[bucket]!;
    this.#buckets[bucket] = slot;
  }

  /** Takes the slot out of the hash; false when it was not there. */
  remove(slot: number): boolean {
    const tcb = this.#probe.at(this.addressOf(slot));
    const bucket = this.#bucketOf(tcb.remoteAddress, tcb.localAddress, (tcb.remotePort << 16) | tcb.localPort, tcb.vid);
    let previous = NONE;
    for (let at = this.#buckets[bucket]!; at !== NONE; at = this.#hashNext[at]!) {
      if (at === slot) {
        if (previous === NONE) this.#buckets[bucket] = this.#hashNext[slot]!;
        else this.#hashNext[previous] = this.#hashNext[slot]!;
        this.#hashNext[slot] = NONE;
        return true;
      }
      previous = at;
    }
    return false;
  }

  /** Slot of the connection, or -1. Addresses as seen from this side. */
  lookup(remoteAddress: number, remotePort: number, localAddress: number, localPort: number, vid: number): number {
    const ports = (remotePort << 16) | localPort;
    let slot = this.#buckets[this.#bucketOf(remoteAddress, localAddress, ports, vid)]!;
    const tcb = this.#probe;
    while (slot !== NONE) {
      tcb.at(this.addressOf(slot));
      if (
        tcb.remoteAddress === remoteAddress &&
        tcb.remotePort === remotePort &&
        tcb.localPort === localPort &&
        tcb.localAddress === localAddress &&
        tcb.vid === vid
      ) {
        return slot;
      }
      slot = this.#hashNext[slot]!;
    }
    return -1;
  }

  #bucketOf(remote: number, local: number, ports: number, vid: number): number {
    let h = Math.imul(remote ^ Math.imul(local, 0x85ebca6b), 0x9e3779b1) ^ ports ^ (vid << 20);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    return (h ^ (h >>> 13)) & this.#mask;
  }
}
