import { expect, it } from 'vitest';
import { VirtualClock } from '../../src/base/clock.ts';
import { RecordingTrace } from '../../src/base/trace.ts';

it('records who said what to whom, and when', () => {
  const clock = new VirtualClock();
  const trace = new RecordingTrace(() => clock.nowUs());
  trace.emit('tli', 'nic0', 'initiate offload');
  clock.advanceTo(20_000);
  trace.emit('nic0', 'tli', 'Success');
  expect(trace.events).toEqual([
    { us: 0, actor: 'tli', to: 'nic0', text: 'initiate offload' },
    { us: 20_000, actor: 'nic0', to: 'tli', text: 'Success' },
  ]);
});
