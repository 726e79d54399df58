/**
 * How in-order bytes reach the application (digest §4.3, R30): posted receives first, in order; what finds none is shown
 * by an indication, and kept while the application does not want it. One algorithm for the TLI switch and for devices.
 *
 *   arrived ──► held: buffers in order ──┬─ a receive is posted ──► placed into it ──► completed
 *                                        ├─ none, not refused ────► indicated
 *                                        └─ none, refused ────────► wait for a post, or `resume`
 *
 * A receive is completed when it is full; in push mode also behind a segment with PSH, when the push timer runs out, and at
 * the end of the stream. A run is carried to its end: what callbacks post or what arrives during one is taken up by it,
 * never inside of a callback (E04, E05).
 */
import { NdisStatus } from '../base/status.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import type { NetBufferCursor } from '../tcp/send-queue.ts';

export interface DeliveryOwner {
  /** Shows bytes; returns how many were taken. With all of them the buffer has become the callee's. */
  indicate(slot: number, address: number): number;
  /** A posted receive is done: `bytesTransferred` of its bytes are valid. */
  receiveComplete(slot: number, address: number, status: number): void;
  /** So many bytes went into posted receives: the application has them. */
  placed(slot: number, count: number): void;
  /** All bytes of a held buffer were placed. */
  freeHeld(slot: number, address: number): void;
  armPushTimer(slot: number): void;
  stopPushTimer(slot: number): void;
}

const Flag = {
  /** A run is under way. */
  Busy: 1,
  /** The last indication was refused: wait for a post. */
  Refused: 2,
  /** Buffers are on their way back: nothing is delivered until they are here. */
  Gated: 4,
} as const;

export class ReceiveDelivery {
  readonly #memory: Memory;
  readonly #owner: DeliveryOwner;
  readonly #held: NetBufferCursor;
  readonly #posted: NetBufferCursor;
  readonly #flags: Uint8Array;
  readonly #postedHead: Int32Array;
  readonly #postedTail: Int32Array;
  readonly #heldHead: Int32Array;
  readonly #heldTail: Int32Array;
  readonly #heldBytes: Int32Array;
  readonly #heldCount: Int32Array;
  /** Buffers that are held, of all connections together. */
  heldBuffers = 0;
  /** The last buffer that was put back in front of what arrived later, or 0. */
  readonly #backTail: Int32Array;

  constructor(memory: Memory, slots: number, owner: DeliveryOwner) {
    this.#memory = memory;
    this.#owner = owner;
    this.#held = NetBuffer.view(memory);
    this.#posted = NetBuffer.view(memory);
    this.#flags = new Uint8Array(slots);
    this.#postedHead = new Int32Array(slots);
    this.#postedTail = new Int32Array(slots);
    this.#heldHead = new Int32Array(slots);
    this.#heldTail = new Int32Array(slots);
    this.#heldBytes = new Int32Array(slots);
    this.#heldCount = new Int32Array(slots);
    this.#backTail = new Int32Array(slots);
  }

  /** For a new connection in a slot whose last one has given everything back. */
  reset(slot: number): void {
    this.#flags[slot] = 0;
    this.#backTail[slot] = 0;
  }

  hasHeld(slot: number): boolean {
    return this.#heldHead[slot] !== 0;
  }

  hasPosted(slot: number): boolean {
    return this.#postedHead[slot] !== 0;
  }

  heldBytes(slot: number): number {
    return this.#heldBytes[slot]!;
  }

  /** A buffer of in-order bytes, behind all that came before. */
  arrived(slot: number, address: number): void {
    this.#append(slot, address);
    this.#run(slot);
  }

  /** A chain of receives. Any of them, also one of zero bytes, ends a refusal (E02). */
  post(slot: number, chain: number): void {
    const posted = this.#posted;
    const waiting = this.#postedHead[slot]!;
    if (chain !== 0) {
      if (this.#postedHead[slot] === 0) this.#postedHead[slot] = chain;
      else posted.at(this.#postedTail[slot]!).next = chain;
      let last = chain;
      while (posted.at(last).next !== 0) last = posted.next;
      this.#postedTail[slot] = last;
    }
    this.resume(slot);
    // One that came down partly filled does not wait for more before its time runs (E10); the time of one that waited runs on.
    const head = this.#postedHead[slot]!;
    if (head !== 0 && head !== waiting && posted.at(head).bytesTransferred > 0 && this.#pushes())
      this.#owner.armPushTimer(slot);
  }

  /** The application wants to see again what it refused. */
  resume(slot: number): void {
    this.#flags[slot]! &= ~Flag.Refused;
    this.#run(slot);
  }

  /** What is held waits for a post, as after a refusal. */
  refuse(slot: number): void {
    this.#flags[slot]! |= Flag.Refused;
  }

  // --- buffers that come back: the owner indicated them before it knew of a refusal ---

  /** Nothing is delivered until `open`: buffers that belong in front are on their way back. */
  gate(slot: number): void {
    this.#flags[slot]! |= Flag.Gated;
  }

  open(slot: number): void {
    this.#flags[slot]! &= ~Flag.Gated;
    this.#backTail[slot] = 0;
    this.#run(slot);
  }

  isGated(slot: number): boolean {
    return (this.#flags[slot]! & Flag.Gated) !== 0;
  }

  /** One of them: behind those that came back before it, in front of what has arrived since. */
  putBack(slot: number, address: number): void {
    this.#count(slot, 1, this.#held.at(address).dataLength);
    const previous = this.#backTail[slot]!;
    const next = previous === 0 ? this.#heldHead[slot]! : this.#held.at(previous).next;
    this.#held.at(address).next = next;
    if (previous === 0) this.#heldHead[slot] = address;
    else this.#held.at(previous).next = address;
    if (next === 0) this.#heldTail[slot] = address;
    this.#backTail[slot] = address;
  }

  // --- ends ---

  /** The push timer ran out; nothing partly filled is no matter (E08). */
  pushTimerFired(slot: number): void {
    const head = this.#postedHead[slot]!;
    if (head === 0) return;
    if (this.#posted.at(head).bytesTransferred === 0 || !this.#pushes()) return;
    this.#flags[slot]! |= Flag.Busy;
    this.#complete(slot, NdisStatus.Success);
    this.#flags[slot]! &= ~Flag.Busy;
    this.#run(slot);
  }

  /**
   * Completes every posted receive: at the end of the stream with success, else upload in progress or aborted. What their
   * completions post is not one of them.
   */
  flush(slot: number, status: number): void {
    const wasBusy = this.#flags[slot]! & Flag.Busy;
    let address = this.takePosted(slot);
    this.#flags[slot]! |= Flag.Busy;
    while (address !== 0) {
      const posted = this.#posted.at(address);
      address = posted.next;
      posted.next = 0;
      posted.status = status;
      this.#owner.receiveComplete(slot, posted.base, status);
    }
    this.#flags[slot]! = (this.#flags[slot]! & ~Flag.Busy) | wasBusy;
    this.#run(slot);
  }

  /** Takes the receives back without completing them. */
  takePosted(slot: number): number {
    const chain = this.#postedHead[slot]!;
    this.#postedHead[slot] = 0;
    if (chain !== 0) this.#owner.stopPushTimer(slot);
    return chain;
  }

  /** The buffers that are held, as a chain in order; they are the caller's, and so is the refusal of them. */
  takeHeld(slot: number): number {
    this.#flags[slot]! &= ~Flag.Refused;
    const chain = this.#heldHead[slot]!;
    this.#heldHead[slot] = 0;
    this.#count(slot, -this.#heldCount[slot]!, -this.#heldBytes[slot]!);
    this.#backTail[slot] = 0;
    return chain;
  }

  /** A chain in order, behind what is held; delivered with the next run. */
  hold(slot: number, chain: number): void {
    let address = chain;
    while (address !== 0) {
      const { next } = this.#held.at(address);
      this.#append(slot, address);
      address = next;
    }
  }

  // --- the algorithm ---

  #run(slot: number): void {
    if ((this.#flags[slot]! & Flag.Busy) !== 0) return;
    this.#flags[slot]! |= Flag.Busy;
    for (;;) {
      this.#completeFilled(slot);
      const address = this.#heldHead[slot]!;
      if (address === 0 || (this.#flags[slot]! & Flag.Gated) !== 0) break;
      if (this.#postedHead[slot] !== 0) this.#place(slot, address);
      else if ((this.#flags[slot]! & Flag.Refused) !== 0) break;
      else this.#indicate(slot, address);
    }
    this.#flags[slot]! &= ~Flag.Busy;
  }

  /** Also those of zero bytes, when their turn has come. */
  #completeFilled(slot: number): void {
    for (let head = this.#postedHead[slot]!; head !== 0; head = this.#postedHead[slot]!) {
      const { bytesTransferred, dataLength } = this.#posted.at(head);
      if (bytesTransferred < dataLength) return;
      this.#owner.stopPushTimer(slot);
      this.#complete(slot, NdisStatus.Success);
    }
  }

  #place(slot: number, address: number): void {
    const held = this.#held.at(address);
    const posted = this.#posted.at(this.#postedHead[slot]!);
    const room = posted.dataLength - posted.bytesTransferred;
    const count = Math.min(held.dataLength, room);
    this.#memory.kernels.copy(posted.dataAddress + posted.bytesTransferred, held.dataAddress, count);
    posted.bytesTransferred += count;
    held.dataAddress += count;
    held.dataLength -= count;
    const isUsedUp = held.dataLength === 0;
    this.#count(slot, isUsedUp ? -1 : 0, -count);
    const pushed = isUsedUp && (held.flags & NetBufferFlag.Push) !== 0;
    const pushes = this.#pushes();
    if (isUsedUp) {
      this.#heldHead[slot] = held.next;
      this.#owner.freeHeld(slot, address);
    }
    this.#owner.placed(slot, count);
    // A full one is completed by the run; PSH counts only where its segment ends (E06, E07).
    if (count === room || !pushes) return;
    if (!pushed) {
      this.#owner.armPushTimer(slot);
      return;
    }
    this.#owner.stopPushTimer(slot);
    this.#complete(slot, NdisStatus.Success);
  }

  /** The receive at hand is in push mode. */
  #pushes(): boolean {
    return (this.#posted.flags & NetBufferFlag.NoPush) === 0;
  }

  #indicate(slot: number, address: number): void {
    const held = this.#held.at(address);
    const { dataLength } = held;
    // It is not in the list meanwhile: the callback may give it away.
    this.#heldHead[slot] = held.next;
    held.next = 0;
    this.#count(slot, -1, -dataLength);
    const taken = this.#owner.indicate(slot, address);
    if (taken === dataLength) return;
    held.at(address);
    held.dataAddress += taken;
    held.dataLength -= taken;
    held.next = this.#heldHead[slot]!;
    if (held.next === 0) this.#heldTail[slot] = address;
    this.#heldHead[slot] = address;
    this.#count(slot, 1, held.dataLength);
    // A post from inside the callback takes it (E05).
    if (this.#postedHead[slot] === 0) this.#flags[slot]! |= Flag.Refused;
  }

  #complete(slot: number, status: number): void {
    const address = this.#postedHead[slot]!;
    const posted = this.#posted.at(address);
    this.#postedHead[slot] = posted.next;
    posted.next = 0;
    posted.status = status;
    this.#owner.receiveComplete(slot, address, status);
  }

  #count(slot: number, buffers: number, bytes: number): void {
    this.#heldCount[slot]! += buffers;
    this.heldBuffers += buffers;
    this.#heldBytes[slot]! += bytes;
  }

  #append(slot: number, address: number): void {
    const held = this.#held.at(address);
    held.next = 0;
    this.#count(slot, 1, held.dataLength);
    if (this.#heldHead[slot] === 0) this.#heldHead[slot] = address;
    else held.at(this.#heldTail[slot]!).next = address;
    this.#heldTail[slot] = address;
  }
}
