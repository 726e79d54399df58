/** TCB slots, stale handles, and the connection hash. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RegionPlan, createMemory } from '../../src/memory/memory.ts';
import { TcbTable } from '../../src/tcp/tcb-table.ts';
import { TcbLayout, TcpState, mayOffload } from '../../src/tcp/tcb.ts';

function makeTable(capacity: number): TcbTable {
  const plan = new RegionPlan();
  const region = plan.add('tcbs', capacity * TcbLayout.byteLength);
  return new TcbTable(createMemory(plan.byteLength), region, capacity);
}

describe('TcbTable', () => {
  test('hands out every slot once, zeroed, and then none', () => {
    const table = makeTable(3);
    const tcb = table.cursor();
    const slots = [table.allocate(), table.allocate(), table.allocate()];
    expect(new Set(slots).size).toBe(3);
    expect(table.allocate()).toBe(-1);
    expect([table.inUse, table.available]).toEqual([3, 0]);
    tcb.at(table.addressOf(slots[1]!)).sndUna = 77;
    table.free(slots[1]!);
    expect(table.allocate()).toBe(slots[1]);
    expect(tcb.sndUna).toBe(0);
    expect(table.slotOf(tcb)).toBe(slots[1]);
  });

  test('refuses handles that are stale, free or never were', () => {
    const table = makeTable(2);
    const slot = table.allocate();
    const handle = table.handleOf(slot);
    expect(handle).toBeGreaterThan(0);
    expect(table.slotOfHandle(handle)).toBe(slot);
    table.free(slot);
    expect(table.slotOfHandle(handle)).toBe(-1);
    expect(table.allocate()).toBe(slot);
    expect(table.slotOfHandle(handle)).toBe(-1);
    for (const wrong of [0, -1, 1, 5, 0x7fffffff]) expect(table.slotOfHandle(wrong)).toBe(-1);
    expect(() => table.free(1)).toThrow('in use');
  });

  test('finds connections as a Map does, VLANs apart', () => {
    const key = fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(1));
    const property = fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 60 }), steps => {
      const table = makeTable(32);
      const tcb = table.cursor();
      const model = new Map<string, number>();
      for (const [[remote, remotePort, local, localPort, vid], adds] of steps) {
        const name = [remote, remotePort, local, localPort, vid].join();
        const known = model.get(name);
        if (adds && known === undefined && table.available > 0) {
          const slot = table.allocate();
          tcb.at(table.addressOf(slot));
          tcb.remoteAddress = remote;
          tcb.remotePort = remotePort;
          tcb.localAddress = local;
          tcb.localPort = localPort;
          tcb.vid = vid;
          table.insert(slot);
          model.set(name, slot);
        } else if (!adds && known !== undefined) {
          expect(table.remove(known)).toBe(true);
          expect(table.remove(known)).toBe(false);
          table.free(known);
          model.delete(name);
        }
        for (const [text, slot] of model) {
          const [a, b, c, d, e] = text.split(',').map(Number) as [number, number, number, number, number];
          expect(table.lookup(a, b, c, d, e)).toBe(slot);
        }
        if (!model.has(name)) expect(table.lookup(remote, remotePort, local, localPort, vid)).toBe(-1);
      }
    });
    fc.assert(property, { numRuns: 200 });
  });
});

test('a connection may be offloaded from ESTABLISHED to LAST-ACK', () => {
  const states = Object.entries(TcpState).filter(([, state]) => mayOffload(state));
  expect(states.map(([name]) => name)).toEqual([
    'Established',
    'FinWait1',
    'FinWait2',
    'CloseWait',
    'Closing',
    'LastAck',
  ]);
});
