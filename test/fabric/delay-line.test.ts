import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DelayLine } from '../../src/fabric/delay-line.ts';
import { type TestMemory, place, rawFrame, testMemory } from './fixture.ts';

interface Bench extends TestMemory {
  readonly line: DelayLine;
  /** Numbers of the frames that left. */
  readonly out: number[];
  /** Frames that the sink still takes. */
  room: number;
}

function setUp(capacity = 32): Bench {
  const base = testMemory(64);
  const out: number[] = [];
  const line = new DelayLine(base.memory, base.pool, capacity, frameAt => {
    if (bench.room === 0) return false;
    bench.room--;
    out.push(base.memory.view.getInt32(frameAt + 14));
    return true;
  });
  const bench: Bench = { ...base, line, out, room: Infinity };
  return bench;
}

function push(bench: Bench, number: number, dueUs: number, held = false): boolean {
  return bench.line.push(place(bench, rawFrame({}, number)), 60, 0, dueUs, held);
}

describe('delay line', () => {
  it('lets frames go when they are due, and says when that is', () => {
    const bench = setUp();
    expect(bench.line.usUntilNext(0)).toBe(-1);
    push(bench, 1, 100);
    push(bench, 2, 250);
    expect(bench.line.usUntilNext(40)).toBe(60);
    expect(bench.line.step(99)).toBe(0);
    expect(bench.line.step(100)).toBe(1);
    expect(bench.line.usUntilNext(300)).toBe(0);
    expect(bench.line.step(300)).toBe(1);
    expect(bench.out).toEqual([1, 2]);
    expect(bench.pool.inUse).toBe(0);
  });

  it('keeps the order when a later frame has less delay', () => {
    const bench = setUp();
    push(bench, 1, 500);
    push(bench, 2, 100);
    bench.line.step(499);
    expect(bench.out).toEqual([]);
    bench.line.step(500);
    expect(bench.out).toEqual([1, 2]);
  });

  it('lets others overtake a frame that is held back', () => {
    const bench = setUp();
    push(bench, 1, 500, true);
    push(bench, 2, 100);
    push(bench, 3, 500);
    expect(bench.line.waiting).toBe(2);
    bench.line.step(1000);
    expect(bench.out).toEqual([2, 3, 1]);
  });

  it('offers a refused frame again', () => {
    const bench = setUp();
    bench.room = 1;
    for (const number of [1, 2, 3]) push(bench, number, 0);
    expect(bench.line.step(0)).toBe(1);
    expect(bench.line.step(0)).toBe(0);
    bench.room = 5;
    expect(bench.line.step(0)).toBe(2);
    expect(bench.out).toEqual([1, 2, 3]);
  });

  it('is bounded by its capacity and by the pool, and counts what it refuses', () => {
    const bench = setUp(2);
    expect([1, 2, 3].map(number => push(bench, number, 0))).toEqual([true, true, false]);
    expect(bench.line).toMatchObject({ overflows: 1, room: 0, count: 2 });
    expect(bench.line.clear()).toBe(2);
    expect(bench.pool.inUse).toBe(0);
    while (bench.pool.allocate() !== 0);
    expect(push(bench, 4, 0)).toBe(false);
    expect(bench.line.push(bench.scratchAt, 5000, 0, 0, false)).toBe(false);
    expect(bench.line.overflows).toBe(3);
  });

  it('is a queue ordered by (time, arrival) whatever comes, and loses nothing (property)', () => {
    const step = fc.record({ dueUs: fc.nat(50), held: fc.boolean(), advance: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 32 }), steps => {
        const bench = setUp();
        const model: { number: number; dueUs: number; held: boolean }[] = [];
        const expected: number[] = [];
        let now = 0;
        let floor = 0;
        const release = (): void => {
          model.sort((a, b) => a.dueUs - b.dueUs || Number(a.held) - Number(b.held) || a.number - b.number);
          while (model.length > 0 && model[0]!.dueUs <= now) expected.push(model.shift()!.number);
        };
        for (const [number, { dueUs, held, advance }] of steps.entries()) {
          push(bench, number, now + dueUs, held);
          if (!held) floor = model.some(entry => !entry.held) ? Math.max(floor, now + dueUs) : now + dueUs;
          model.push({ number, dueUs: held ? now + dueUs : floor, held });
          now += advance;
          bench.line.step(now);
          release();
          expect(bench.out).toEqual(expected);
          expect(bench.line.count).toBe(model.length);
        }
        now += 1000;
        bench.line.step(now);
        release();
        expect(bench.out).toEqual(expected);
        expect(bench.out.toSorted((a, b) => a - b)).toEqual(steps.map((_, number) => number));
        expect(bench.pool.inUse).toBe(0);
      }),
    );
  });
});
