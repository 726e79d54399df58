/**
 * Where a connection's delegated state lives: the host's state machine beside TCP's (style §5).
 *
 *            initiate            complete: taken
 *   InHost ───────────► Offloading ───────────► Offloaded
 *     ▲  ▲                  │ refused               │ terminate
 *     │  └──────────────────┘                       ▼
 *     └──────────────── complete ────────────── Uploading
 *
 * The checker of R5: delegated variables are the host's in InHost and Offloading, the device's in Offloaded, and the
 * device's until the completion in Uploading.
 */
import { broken } from '../base/assert.ts';

export const OffloadState = { InHost: 0, Offloading: 1, Offloaded: 2, Uploading: 3 } as const;
export type OffloadState = (typeof OffloadState)[keyof typeof OffloadState];

export const OFFLOAD_STATE_NAMES = ['InHost', 'Offloading', 'Offloaded', 'Uploading'] as const;

export const OffloadEvent = { Initiate: 0, Taken: 1, Refused: 2, Terminate: 3, Uploaded: 4 } as const;
export type OffloadEvent = (typeof OffloadEvent)[keyof typeof OffloadEvent];

const S = OffloadState;
const E = OffloadEvent;
export const OFFLOAD_TRANSITIONS: readonly [OffloadState, OffloadEvent, OffloadState][] = [
  [S.InHost, E.Initiate, S.Offloading],
  [S.Offloading, E.Taken, S.Offloaded],
  [S.Offloading, E.Refused, S.InHost],
  [S.Offloaded, E.Terminate, S.Uploading],
  [S.Uploading, E.Uploaded, S.InHost],
];

const EVENTS = 5;
const table = new Uint8Array(OFFLOAD_STATE_NAMES.length * EVENTS).fill(0xff);
for (const [from, event, to] of OFFLOAD_TRANSITIONS) table[from * EVENTS + event] = to;

export function nextOffloadState(state: number, event: OffloadEvent): OffloadState {
  const next = table[state * EVENTS + event]!;
  if (next === 0xff) broken(`offload event ${event} in state ${OFFLOAD_STATE_NAMES[state] ?? state}`);
  return next as OffloadState;
}
