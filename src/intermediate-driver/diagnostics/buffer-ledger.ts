/**
 * Who has each NET_BUFFER that went through a dispatch table (§8.2 of the digest, invariants 2 and 3): every buffer has one
 * owner, and every call that hands one over is answered exactly once.
 *
 * The adapters of one level share a ledger: a frame that one member received may be forwarded to another, and frames of
 * all VLANs are completed through the first.
 */
import { AssertionError } from '../../base/assert.ts';
import type { CheckedObject } from './checked-object.ts';

/** The call that handed a buffer over and was not answered yet. */
export const Custody = {
  /** The device has it until it completes the call. */
  Frame: 'sendFrame',
  Send: 'tcpOffloadSend',
  Receive: 'tcpOffloadReceive',
  Disconnect: 'tcpOffloadDisconnect',
  Forward: 'tcpOffloadForward',
  /** The host has it until it returns it. */
  Received: 'receiveFrame',
  Indicated: 'indicateReceive',
} as const;
export type Custody = (typeof Custody)[keyof typeof Custody];

/** The adapter that a buffer went through; of a dead device nothing is expected any more. */
export interface LedgerOwner {
  readonly name: string;
  isDead(): boolean;
}

export interface Holding {
  readonly owner: LedgerOwner;
  readonly custody: Custody;
  readonly object: CheckedObject | null;
}

export class BufferLedger {
  readonly #holdings = new Map<number, Holding>();

  /** What is out now, dead devices left out. */
  *outstanding(): Iterable<[buffer: number, holding: Holding]> {
    for (const entry of this.#holdings) if (!entry[1].owner.isDead()) yield entry;
  }

  get(buffer: number): Holding | undefined {
    return this.#holdings.get(buffer);
  }

  /** `buffer` goes into custody; it must not be in any. */
  enter(owner: LedgerOwner, buffer: number, custody: Custody, object: CheckedObject | null): void {
    const before = this.#holdings.get(buffer);
    if (before !== undefined && !before.owner.isDead()) {
      throw new AssertionError(
        `${owner.name}: ${custody} of buffer ${buffer}, whose ${before.custody} is not answered yet (invariant 2)`,
      );
    }
    this.#holdings.set(buffer, { owner, custody, object });
  }

  /** The answer `call` to a buffer that is in one of these custodies. */
  leave(owner: LedgerOwner, buffer: number, call: string, ...custodies: readonly Custody[]): Holding {
    const holding = this.#holdings.get(buffer);
    if (holding === undefined) {
      throw new AssertionError(
        `${owner.name}: ${call} of buffer ${buffer}, which was answered before, or never handed over (invariant 3)`,
      );
    }
    if (!custodies.includes(holding.custody)) {
      throw new AssertionError(
        `${owner.name}: ${call} of buffer ${buffer}, which was handed over by ${holding.custody} (invariant 3)`,
      );
    }
    this.#holdings.delete(buffer);
    return holding;
  }

  /** The object's device is lost, and what it had is the host's again. */
  forget(buffers: Iterable<number>): void {
    for (const buffer of buffers) this.#holdings.delete(buffer);
  }
}
