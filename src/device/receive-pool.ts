/**
 * The buffers that a NIC receives into (R30, ¶88): one pool for all, or so many for each connection, set aside when it is
 * offloaded (option `receivePool`).
 *
 * With buffers of its own a connection can starve nobody, and nobody it: it never has more of them out — in indications
 * and in its out-of-order queue — and they are its own again when they come back. What the host still holds of a
 * connection that was terminated comes back to all.
 */
import { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { type NicBoot, receivePoolShape } from '../ring/nic-layout.ts';

const NOBODY = -1;

export class ReceivePool extends BufferPool {
  /** Buffers of each connection; 0: one pool for all. */
  readonly quota: number;
  /** Buffers that out-of-order text leaves for text that fills gaps. */
  readonly #outOfOrderReserve: number;
  /** Buffers that are never set aside: frames for the host need some too, ARP and all segments that are not offloaded. */
  readonly #normalPath: number;
  readonly #held: Int32Array;
  /** In-order text of the connection that found no buffer, in a row. */
  readonly #starved: Int32Array;
  /** Per slot: counts the connections it has had, so that a late buffer is not counted for the next one. */
  readonly #epoch: Uint16Array;
  readonly #owner: Int32Array;
  readonly #ownerEpoch: Uint16Array;
  #setAside = 0;

  constructor(memory: Memory, { config, regions, index }: NicBoot) {
    super(memory, regions.receivePool, receivePoolShape(config), index);
    const { receivePool, buffersPerConnection } = config.target;
    this.quota = receivePool === 'per-connection' ? buffersPerConnection : 0;
    this.#outOfOrderReserve = (this.quota > 0 ? this.quota : config.receiveBuffers) >> 2;
    this.#normalPath = config.receiveBuffers >> 2;
    const slots = this.quota > 0 ? config.tcpEntries : 0;
    this.#held = new Int32Array(slots);
    this.#starved = new Int32Array(slots);
    this.#epoch = new Uint16Array(slots);
    this.#owner = new Int32Array(this.quota > 0 ? config.receiveBuffers : 0).fill(NOBODY);
    this.#ownerEpoch = new Uint16Array(this.#owner.length);
  }

  /** Buffers that nobody has a right to. */
  get unreserved(): number {
    return this.available - this.#setAside;
  }

  /** Sets buffers aside for a new connection; false when there are not that many. */
  reserve(slot: number): boolean {
    if (this.quota === 0) return true;
    if (this.unreserved < this.quota + this.#normalPath) return false;
    this.#setAside += this.quota;
    this.#held[slot] = 0;
    this.#starved[slot] = 0;
    return true;
  }

  /** The connection is gone: what is out still comes back to all. */
  release(slot: number): void {
    if (this.quota === 0) return;
    this.#setAside -= this.quota - this.#held[slot]!;
    this.#epoch[slot]!++;
  }

  /** A buffer for text of a connection, or 0. */
  allocateFor(slot: number, inOrder: boolean): number {
    const reserve = inOrder ? 0 : this.#outOfOrderReserve;
    if (this.quota === 0) return this.available > reserve ? this.allocate() : 0;
    const held = this.#held[slot]!;
    if (held + reserve >= this.quota) {
      if (inOrder) this.#starved[slot]!++;
      return 0;
    }
    const address = this.allocate();
    const index = this.indexOf(address);
    this.#owner[index] = slot;
    this.#ownerEpoch[index] = this.#epoch[slot]!;
    this.#held[slot] = held + 1;
    this.#starved[slot] = 0;
    this.#setAside--;
    return address;
  }

  /** How often in a row the connection found none of its buffers free. */
  starved(slot: number): number {
    return this.quota === 0 ? 0 : this.#starved[slot]!;
  }

  override free(address: number): void {
    super.free(address);
    if (this.quota === 0) return;
    const index = this.indexOf(address);
    const slot = this.#owner[index]!;
    this.#owner[index] = NOBODY;
    if (slot === NOBODY || this.#ownerEpoch[index] !== this.#epoch[slot]) return;
    this.#held[slot]!--;
    this.#setAside++;
  }
}
