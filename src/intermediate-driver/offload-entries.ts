/**
 * What an intermediate driver remembers of each object that is offloaded through it (digest §5.2): the handle of the
 * layer above, the handle of the device below, which virtual adapter it came from and which member has it.
 *
 * The layer above sees the entry's handle as the device's; the device sees it as the host's. Both directions translate
 * through here, so drivers stack.
 */
import { assert } from '../base/assert.ts';
import { handleGeneration, handleSlot, makeHandle, nextGeneration } from '../base/handle.ts';

export class OffloadEntries {
  /** Handle that the layer above gave (context of indications). */
  upper = new Int32Array(64);
  /** Handle that the device gave. */
  lower = new Int32Array(64);
  virtual = new Uint8Array(64);
  member = new Uint8Array(64);
  layer = new Uint8Array(64);
  #generation = new Uint16Array(64);
  #live = new Uint8Array(64);
  #free: number[] = [];
  #used = 0;
  /** Live entries of each member, and of these the connections. */
  readonly perMember: number[] = [];
  readonly connectionsPerMember: number[] = [];

  constructor(members: number) {
    for (let i = 0; i < members; i++) {
      this.perMember.push(0);
      this.connectionsPerMember.push(0);
    }
  }

  allocate(upper: number, virtual: number, member: number, layer: number): number {
    const entry = this.#free.pop() ?? this.#used++;
    if (entry >= this.upper.length) this.#grow();
    this.#live[entry] = 1;
    this.#generation[entry] = nextGeneration(this.#generation[entry]!);
    this.upper[entry] = upper;
    this.lower[entry] = 0;
    this.virtual[entry] = virtual;
    this.member[entry] = member;
    this.layer[entry] = layer;
    this.perMember[member]!++;
    if (layer === 2) this.connectionsPerMember[member]!++;
    return entry;
  }

  free(entry: number): void {
    assert(this.#live[entry] === 1, 'the entry is live');
    this.#live[entry] = 0;
    const member = this.member[entry]!;
    this.perMember[member]!--;
    if (this.layer[entry] === 2) this.connectionsPerMember[member]!--;
    this.#free.push(entry);
  }

  /** Connections that the member has taken: without those that it is only being asked to take. */
  connectionsTaken(member: number): number {
    let count = 0;
    for (let entry = 0; entry < this.#used; entry++) {
      const isTaken = this.#live[entry] === 1 && this.lower[entry] !== 0;
      if (isTaken && this.member[entry] === member && this.layer[entry] === 2) count++;
    }
    return count;
  }

  handleOf(entry: number): number {
    return makeHandle(entry, this.#generation[entry]!);
  }

  /** -1 for a stale handle. */
  entryOf(handle: number): number {
    const entry = handleSlot(handle);
    if (handle <= 0 || entry >= this.#used || this.#live[entry] !== 1) return -1;
    return this.#generation[entry] === handleGeneration(handle) ? entry : -1;
  }

  #grow(): void {
    const wider = <T extends Int32Array | Uint8Array | Uint16Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    const size = this.upper.length * 2;
    this.upper = wider(this.upper, new Int32Array(size));
    this.lower = wider(this.lower, new Int32Array(size));
    this.virtual = wider(this.virtual, new Uint8Array(size));
    this.member = wider(this.member, new Uint8Array(size));
    this.layer = wider(this.layer, new Uint8Array(size));
    this.#generation = wider(this.#generation, new Uint16Array(size));
    this.#live = wider(this.#live, new Uint8Array(size));
  }
}
