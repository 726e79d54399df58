/**
 * A connection as an object that can be on a device (offloaded-object.ts): its state lies in the TCB, what calls about it
 * are out is remembered here. Made for a slot when there is first something to remember.
 */
import type { OffloadState } from '../offload/offload-state.ts';
import type { OffloadedObject } from './offloaded-object.ts';
import type { Transport } from './transport.ts';

export class ConnectionObject implements OffloadedObject {
  readonly slot: number;
  readonly #transport: Transport;
  callsOut = 0;
  updateDue = false;
  updateOut = false;
  /** A single connection is terminated, and not invalidated (digest §3.5). */
  readonly invalidated = false;

  constructor(transport: Transport, slot: number) {
    this.#transport = transport;
    this.slot = slot;
  }

  get offloadState(): OffloadState {
    return this.#transport.at(this.slot).offloadState as OffloadState;
  }

  get offloadHandle(): number {
    return this.#transport.at(this.slot).offloadHandle;
  }
}
