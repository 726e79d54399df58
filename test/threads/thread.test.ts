/** A worker thread as the host sees it. */
import { expect, test } from 'vitest';
import { createMemory, RegionPlan } from 'chimney/internal/memory/memory';
import { DoorbellLayout } from 'chimney/internal/ring/doorbell';
import { NicStatus } from 'chimney/internal/ring/nic-layout';
import { MachineThread } from 'chimney/internal/thread';

interface Control {
  stop(): string;
}

test('what a thread says last is heard, also when this one was busy until it had ended', async () => {
  const plan = new RegionPlan();
  const doorbell = plan.add('doorbell', DoorbellLayout.byteLength);
  const status = plan.add('status', NicStatus.byteLength);
  const memory = createMemory(plan.byteLength);
  for (let i = 0; i < 5; i++) {
    const deaths: string[] = [];
    const thread = new MachineThread<Control>({
      name: 'fixture',
      script: new URL('fixtures/last-words.mjs', import.meta.url),
      workerData: null,
      memory,
      doorbell,
      status,
      onDeath: name => deaths.push(name),
    });
    await thread.ready;
    const answer = thread.stop(control => control.stop());
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    expect(await answer).toBe('last words');
    expect(deaths).toEqual([]);
  }
});
