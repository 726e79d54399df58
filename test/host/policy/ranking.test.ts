/** Who has the better claim to a place, and the short lists of a sweep. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Directive } from '../../../src/host/directives.ts';
import { everything } from '../../../src/host/policy/everything.ts';
import { outranks, rankOf } from '../../../src/host/policy/outranks.ts';
import { Shortlist } from '../../../src/host/policy/shortlist.ts';
import { candidate } from './candidate.ts';

describe('the better claim', () => {
  test('no two outrank one another, at any margin (R34)', () => {
    const rank = fc.double({ min: 0, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(rank, rank, fc.integer({ min: 0, max: 1000 }), (a, b, margin) => {
        expect(outranks(a, b, margin) && outranks(b, a, margin)).toBe(false);
      }),
    );
  });

  test('takes more than the margin, and something at all', () => {
    expect(outranks(150, 100, 50)).toBe(false);
    expect(outranks(151, 100, 50)).toBe(true);
    expect(outranks(0, 0, 0)).toBe(false);
    expect(outranks(1, 0, 1000)).toBe(true);
  });

  test('what is directed outranks all but its kind (¶62)', () => {
    const policy = everything(0);
    const directed = rankOf(policy, candidate(), Directive.Offload);
    expect(outranks(directed, rankOf(policy, candidate({ activity: 1e15 }), Directive.None), 1000)).toBe(true);
    expect(outranks(directed, directed, 0)).toBe(false);
  });
});

test('a short list has the best of all, in order, the earlier of equals first', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 })), fc.integer({ min: 1, max: 8 }), (ranks, capacity) => {
      const list = new Shortlist<number>(capacity);
      ranks.forEach((rank, at) => list.add(at, rank));
      const best = ranks.map((rank, at) => ({ rank, at })).sort((a, b) => b.rank - a.rank || a.at - b.at);
      const kept = Array.from({ length: list.length }, (_, at) => ({ rank: list.rank(at), at: list.item(at) }));
      expect(kept).toEqual(best.slice(0, capacity));
      list.clear();
      expect(list.length).toBe(0);
    }),
  );
});
