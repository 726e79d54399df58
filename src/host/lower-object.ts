/**
 * What path and neighbor objects have in common on their way to a device and back (R6, R7, ¶104): which role their block
 * plays in a list, and what becomes of them when the list is answered.
 *
 * Network and Framing each add what is their own: the state behind the block, and the count of dependents below.
 */
import { isOffloaded } from '../base/status.ts';
import { type BlockCursor, BlockRole } from '../offload/block-list.ts';
import { nextOffloadState, OffloadEvent, OffloadState } from '../offload/offload-state.ts';
import type { OffloadedObject } from './offloaded-object.ts';

export type LowerObject = OffloadedObject;

/** What an answered list meant for an object. */
export const Outcome = { Unchanged: 0, Taken: 1, Refused: 2, Uploaded: 3 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Its block in an initiate: offered by handle if the device has it (R7). True when it is new: its state goes along. */
export function describeInitiate(object: LowerObject, block: BlockCursor): boolean {
  if (object.offloadState === OffloadState.Offloaded) {
    block.role = BlockRole.Linker;
    block.offloadHandle = object.offloadHandle;
    return false;
  }
  block.role = BlockRole.New;
  object.offloadState = nextOffloadState(object.offloadState, OffloadEvent.Initiate);
  return true;
}

/** Its block in a terminate. True when its last dependent went, so that it is asked back as well (¶104). */
export function describeTerminate(object: LowerObject, dependents: number, block: BlockCursor): boolean {
  if (dependents > 0 || object.offloadState !== OffloadState.Offloaded) {
    block.role = BlockRole.Placeholder;
    return false;
  }
  block.role = BlockRole.Linker;
  block.offloadHandle = object.offloadHandle;
  object.offloadState = nextOffloadState(object.offloadState, OffloadEvent.Terminate);
  return true;
}

/** The list was answered; takes the object's entry, handle and all. */
export function takeEntry(object: LowerObject, initiate: boolean, block: BlockCursor): Outcome {
  const { role } = block;
  if (initiate && role === BlockRole.New) {
    const taken = isOffloaded(block.status);
    object.offloadState = nextOffloadState(object.offloadState, taken ? OffloadEvent.Taken : OffloadEvent.Refused);
    object.offloadHandle = taken ? block.offloadHandle : 0;
    if (!taken) object.invalidated = false;
    return taken ? Outcome.Taken : Outcome.Refused;
  }
  if (initiate || role !== BlockRole.Linker) return Outcome.Unchanged;
  object.offloadState = nextOffloadState(object.offloadState, OffloadEvent.Uploaded);
  object.offloadHandle = 0;
  object.invalidated = false;
  return Outcome.Uploaded;
}
