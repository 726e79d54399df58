/** Dispatch tables can be patched: patches stack, and unwind in any order (R32, R33, ¶71). */
import { describe, expect, test } from 'vitest';
import { fc, test as property } from '@fast-check/vitest';
import { Adapter, patch, type ClientTable, type ProviderTable } from '../../src/host/ndis.ts';

interface Table {
  call: (argument: number) => void;
  other: (argument: number) => void;
}

function fixture() {
  const seen: string[] = [];
  const table: Table = {
    call: argument => seen.push(`device ${argument}`),
    other: argument => seen.push(`other ${argument}`),
  };
  const layer = (name: string) =>
    patch(table, 'call', next => argument => {
      seen.push(name);
      next(argument + 1);
    });
  const run = (): string => {
    seen.length = 0;
    table.call(0);
    return seen.join(' ');
  };
  return { table, seen, layer, run };
}

describe('patch', () => {
  test('calls the latest first, each the one it replaced, the original last', () => {
    const { layer, run } = fixture();
    layer('A');
    layer('B');
    layer('C');
    expect(run()).toBe('C B A device 3');
  });

  for (const [order, steps] of [
    ['first in, first out', ['C B device 2', 'C device 1', 'device 0']],
    ['last in, first out', ['B A device 2', 'A device 1', 'device 0']],
  ] as const) {
    test(`unwinds ${order}`, () => {
      const { layer, run } = fixture();
      const undo = ['A', 'B', 'C'].map(layer);
      if (order === 'last in, first out') undo.reverse();
      const after = undo.map(each => {
        each();
        return run();
      });
      expect(after).toEqual(steps);
    });
  }

  test('the same undo twice takes one layer, and others may come meanwhile', () => {
    const { layer, run } = fixture();
    const undo = layer('A');
    layer('B');
    undo();
    undo();
    layer('A');
    expect(run()).toBe('A B device 2');
  });

  test('leaves other entries alone, and puts back the very function that was there', () => {
    const { table, layer } = fixture();
    const { call, other } = table;
    const undo = layer('A');
    expect(table.other).toBe(other);
    expect(table.call).not.toBe(call);
    undo();
    expect(table.call).toBe(call);
  });

  property.prop([fc.array(fc.nat({ max: 9 }), { maxLength: 40 })])('any order of patching and unwinding', steps => {
    const { layer, run } = fixture();
    const live: { name: string; undo: () => void }[] = [];
    steps.forEach((step, index) => {
      if (step % 2 === 0 || live.length === 0) live.push({ name: `L${index}`, undo: layer(`L${index}`) });
      else live.splice(step % live.length, 1)[0]!.undo();
      const expected = [...live.map(({ name }) => name).reverse(), `device ${live.length}`].join(' ');
      expect(run()).toBe(expected);
    });
  });
});

describe('an adapter', () => {
  test('is bound once; unbound again it may be bound anew, and indications without a client are a defect', () => {
    const adapter = new Adapter('nic0', 0, 1, 1500, {} as ProviderTable);
    const client = {} as ClientTable;
    expect(() => adapter.up.receiveFrame(1)).toThrow(/bound before/);
    // Media state has nobody to tell, which is no defect.
    expect(() => adapter.up.indicateStatus(1)).not.toThrow();
    adapter.bind(client);
    expect(() => adapter.bind(client)).toThrow(/bound once/);
    adapter.unbind();
    adapter.bind(client);
    expect(adapter.up).toBe(client);
  });
});
