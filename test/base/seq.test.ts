import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seqDistance, seqGeq, seqGt, seqLeq, seqLt, seqMax } from '../../src/base/seq.ts';

/** Less than half the space apart, where comparison means something. */
const near = fc.integer({ min: -0x7fffffff, max: 0x7fffffff });
const wrap = fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1, 0x7fffffff, -0x80000000, -0x7fffffff));

describe('sequence numbers (RFC 9293 3.4)', () => {
  it('orders any two numbers as their distance says, wherever the wrap lies', () => {
    fc.assert(
      fc.property(wrap, near, (a, distance) => {
        const b = (a + distance) | 0;
        expect(seqLt(a, b)).toBe(distance > 0);
        expect(seqLeq(a, b)).toBe(distance >= 0);
        expect(seqGt(a, b)).toBe(distance < 0);
        expect(seqGeq(a, b)).toBe(distance <= 0);
        expect(seqDistance(a, b)).toBe(distance);
        expect(seqMax(a, b)).toBe(distance > 0 ? b : a);
      }),
    );
  });

  it.each([
    ['2^32 - 1 and 0', -1, 0],
    ['2^31 - 1 and 2^31', 0x7fffffff, -0x80000000],
    ['2^32 - 1000 and 1000', -1000, 1000],
  ])('puts %s in this order', (_, a, b) => {
    expect(seqLt(a, b)).toBe(true);
    expect(seqLeq(a, b)).toBe(true);
    expect(seqGt(a, b)).toBe(false);
    expect(seqGeq(a, b)).toBe(false);
    expect(seqMax(a, b)).toBe(b);
    expect(seqMax(b, a)).toBe(b);
  });

  it('takes unsigned and signed spellings of a number alike', () => {
    fc.assert(
      fc.property(wrap, near, (a, distance) => {
        const b = (a + distance) | 0;
        expect(seqLt(a >>> 0, b >>> 0)).toBe(seqLt(a, b));
        expect(seqDistance(a >>> 0, b)).toBe(seqDistance(a, b >>> 0));
      }),
    );
  });

  it('stays an int32', () => {
    expect(Object.is(seqDistance(5, 5), 0)).toBe(true);
    expect(seqDistance(0x7fffffff, -0x80000000)).toBe(1);
    expect(seqDistance(0, 0xffffffff)).toBe(-1);
  });
});
