/**
 * Layers that are inserted by patching at run time, between any two others (R33): one that counts and traces, one that injects
 * faults — and the checker below them, which notices each fault that breaks a rule.
 */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { NdisStatus } from '../../src/base/status.ts';
import { RecordingTrace } from '../../src/base/trace.ts';
import { FaultInjection } from '../../src/intermediate-driver/diagnostics/fault-injection.ts';
import { Monitor } from '../../src/intermediate-driver/diagnostics/monitor.ts';
import { BlockRole, OffloadStateType } from '../../src/offload/block-list.ts';
import { CheckedAdapter } from './checked-adapter.ts';

const CONTEXT = 7;

function faulty(seed = 1) {
  const it = new CheckedAdapter();
  const { memory, region: blocks } = it;
  const faults = new FaultInjection(it.adapter, { memory, blocks, prng: new Prng(seed) });
  return { it, faults };
}

/** Without the checker: the calls that came through of an entry that takes one number. */
function numbers(it: CheckedAdapter, entry: string): number[] {
  const calls = it.calls.filter(call => call.startsWith(`${entry}(`));
  return calls.map(call => Number(/\((\d+)/.exec(call)![1]));
}

describe('a monitor', () => {
  test('counts and traces calls of both directions, and lets them through (R33)', () => {
    const it = new CheckedAdapter();
    const trace = new RecordingTrace(() => 5);
    const monitor = new Monitor(it.adapter, trace);
    const { tcp } = it.offload(CONTEXT);
    const buffer = it.buffer();
    it.down.tcpOffloadSend(tcp, buffer);
    it.up.tcpOffloadSendComplete(CONTEXT, buffer, 0);
    expect(monitor.counts()).toEqual({
      initiateOffload: 1,
      initiateOffloadComplete: 1,
      tcpOffloadSend: 1,
      tcpOffloadSendComplete: 1,
    });
    expect(trace.events.slice(-2)).toEqual([
      { us: 5, actor: 'ndis', to: 'nic0', text: `tcpOffloadSend(${tcp}, ${buffer})` },
      { us: 5, actor: 'nic0', to: 'ndis', text: `tcpOffloadSendComplete(${CONTEXT}, ${buffer}, 0)` },
    ]);
    expect(it.calls).toHaveLength(4);
  });

  test('is removed while others stay, in any order (R32, R33)', () => {
    const it = new CheckedAdapter();
    const first = new Monitor(it.adapter);
    const second = new Monitor(it.adapter);
    it.down.setMac(1, 2);
    first.remove();
    it.down.setMac(1, 2);
    second.remove();
    it.down.setMac(1, 2);
    expect([first.count('setMac'), second.count('setMac'), it.calls.length]).toEqual([1, 2, 3]);
  });
});

describe('fault injection', () => {
  test('holds calls back until they are released, in order (R33)', () => {
    const { it, faults } = faulty();
    faults.delay('indicateStatus');
    for (const status of [1, 2, 3]) it.up.indicateStatus(status);
    expect([numbers(it, 'indicateStatus'), faults.holding]).toEqual([[], 3]);
    faults.release('indicateStatus');
    expect([numbers(it, 'indicateStatus'), faults.holding]).toEqual([[1, 2, 3], 0]);
  });

  test('holds a call until others have come, and keeps the order (R33)', () => {
    const { it, faults } = faulty();
    faults.delay('indicateStatus', { calls: 2, times: 1 });
    it.up.indicateStatus(1);
    it.up.indicateStatus(2);
    expect(numbers(it, 'indicateStatus')).toEqual([]);
    it.up.indicateStatus(3);
    expect(numbers(it, 'indicateStatus')).toEqual([1, 2, 3]);
  });

  test('a delay that is undone lets go what it held (R33)', () => {
    const { it, faults } = faulty();
    const undo = faults.delay('indicateStatus');
    faults.drop('setMac');
    it.up.indicateStatus(1);
    it.down.setMac(1, 2);
    undo();
    expect(it.calls).toEqual(['indicateStatus(1)']);
    faults.remove();
    it.down.setMac(1, 2);
    expect(it.calls.at(-1)).toBe('setMac(1, 2)');
  });

  test('strikes with a probability, the same calls for the same seed (R33)', () => {
    const run = (seed: number): number[] => {
      const { it, faults } = faulty(seed);
      faults.drop('indicateStatus', { probability: 0.5 });
      for (let status = 0; status < 100; status++) it.up.indicateStatus(status);
      expect(numbers(it, 'indicateStatus').length).toBe(100 - faults.struck);
      expect(faults.struck).toBeGreaterThan(20);
      expect(faults.struck).toBeLessThan(80);
      return numbers(it, 'indicateStatus');
    };
    expect(run(3)).toEqual(run(3));
    expect(run(3)).not.toEqual(run(4));
  });

  test('a completion that comes twice is noticed (A17)', () => {
    const { it, faults } = faulty();
    faults.duplicate('initiateOffloadComplete');
    expect(() => it.offload(CONTEXT)).toThrow('completed before (A17)');
  });

  test('a lost completion is noticed at the end (invariant 3)', () => {
    const { it, faults } = faulty();
    faults.drop('initiateOffloadComplete', { times: 1 });
    it.offload(CONTEXT);
    expect(() => it.checker.checkEnd()).toThrow('was never completed (invariant 3)');
  });

  test('a completion that is overtaken by the end of the offload is noticed (invariant 7)', () => {
    const { it, faults } = faulty();
    const { tcp } = it.offload(CONTEXT);
    faults.delay('indicateReceive');
    it.up.indicateReceive(CONTEXT, it.buffer());
    it.up.terminateOffloadComplete(it.terminate(tcp).root);
    expect(() => faults.release()).toThrow('(invariant 7)');
  });

  test('an operation that the device carried out says that it failed (A04)', () => {
    const { it, faults } = faulty();
    faults.fail('initiateOffloadComplete', NdisStatus.Resources);
    const path = it.path(BlockRole.New, 0);
    const root = it.neighbor(BlockRole.New, 0, [path]);
    it.down.initiateOffload(root);
    it.succeed(root, path);
    it.up.initiateOffloadComplete(root);
    expect([it.at(root).status, it.at(path).status, it.at(root).offloadHandle]).toEqual([
      NdisStatus.Resources,
      NdisStatus.Resources,
      0,
    ]);
    it.checker.checkEnd();
  });

  test('a failed update is the device’s to say; the checker lets it pass (C11)', () => {
    const { it, faults } = faulty();
    const { tcp } = it.offload(CONTEXT);
    faults.fail('updateOffloadComplete', NdisStatus.Failure);
    const root = it.block(OffloadStateType.TcpCached, BlockRole.New, tcp);
    it.down.updateOffload(root);
    it.succeed(root);
    it.up.updateOffloadComplete(root);
    expect(it.at(root).status).toBe(NdisStatus.Failure);
  });
});
