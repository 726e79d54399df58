import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlotLists } from '../../../src/fabric/stations/slot-lists.ts';

const ITEMS = 8;
const LISTS = 3;

describe('SlotLists', () => {
  test('behave as arrays do, whatever is appended, removed and taken', () => {
    const operation = fc.tuple(fc.constantFrom('append', 'remove', 'take'), fc.nat(ITEMS - 1), fc.nat(LISTS - 1));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), operations => {
        const lists = new SlotLists(ITEMS, LISTS);
        const model: number[][] = Array.from({ length: LISTS }, () => []);
        const listOf = (item: number): number => model.findIndex(list => list.includes(item));
        for (const [name, item, list] of operations) {
          if (name === 'append' && listOf(item) < 0) {
            lists.append(list, item);
            model[list]!.push(item);
          } else if (name === 'remove') {
            lists.remove(item);
            for (const of of model) if (of.includes(item)) of.splice(of.indexOf(item), 1);
          } else if (name === 'take') {
            expect(lists.takeFirst(list)).toBe(model[list]!.shift() ?? -1);
          }
          for (let i = 0; i < ITEMS; i++) expect(lists.listOf(i)).toBe(listOf(i));
          model.forEach((of, i) => {
            expect(lists.first(i)).toBe(of[0] ?? -1);
            expect(lists.count(i)).toBe(of.length);
          });
        }
      }),
      { numRuns: 200 },
    );
  });

  test('refuse an item that is in a list already', () => {
    const lists = new SlotLists(2, 2);
    lists.append(0, 1);
    expect(() => lists.append(1, 1)).toThrow(/in no list/);
  });
});
