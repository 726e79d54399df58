/**
 * What the host remembers of any object that can be on a device — a connection, a path, a neighbor — so that calls about it
 * keep the rules of the interface (digest §3.10): one update at a time, none for what is invalid or on its way back, and no
 * terminate while a call is unanswered.
 */
import { OffloadState } from '../offload/offload-state.ts';

export interface OffloadedObject {
  offloadState: OffloadState;
  /** The device's handle while it is there, or 0. */
  offloadHandle: number;
  /** Updates, relinks, queries and invalidations that were not answered yet. */
  callsOut: number;
  /** A cached value changed that the device has not been told of (R18). */
  updateDue: boolean;
  updateOut: boolean;
  /** The device transmits nothing for it any more: it is neither updated nor offered, until it has been terminated. */
  invalidated: boolean;
}

/** The object is on the device and may be named in a call. */
export function isThere(object: OffloadedObject): boolean {
  return object.offloadState === OffloadState.Offloaded && !object.invalidated;
}
