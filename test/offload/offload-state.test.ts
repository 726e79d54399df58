/** Where delegated state lives: the table, every state and event (style 5). */
import { expect, test } from 'vitest';
import {
  nextOffloadState,
  OFFLOAD_STATE_NAMES,
  OFFLOAD_TRANSITIONS,
  OffloadEvent,
} from '../../src/offload/offload-state.ts';

test('every state and event: what follows, or that it never happens', () => {
  const rows = OFFLOAD_STATE_NAMES.map((name, state) => {
    const cells = Object.entries(OffloadEvent).map(([event, code]) => {
      try {
        return `${event}: ${OFFLOAD_STATE_NAMES[nextOffloadState(state, code)]}`;
      } catch {
        return `${event}: –`;
      }
    });
    return `${name} | ${cells.join(', ')}`;
  });
  expect(rows.join('\n')).toMatchInlineSnapshot(`
    "InHost | Initiate: Offloading, Taken: –, Refused: –, Terminate: –, Uploaded: –
    Offloading | Initiate: –, Taken: Offloaded, Refused: InHost, Terminate: –, Uploaded: –
    Offloaded | Initiate: –, Taken: –, Refused: –, Terminate: Uploading, Uploaded: –
    Uploading | Initiate: –, Taken: –, Refused: –, Terminate: –, Uploaded: InHost"
  `);
  expect(OFFLOAD_TRANSITIONS).toHaveLength(5);
});
