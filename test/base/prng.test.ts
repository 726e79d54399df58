import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.ts';

function draw(prng: Prng, count: number): number[] {
  return Array.from({ length: count }, () => prng.int32());
}

/** sfc32 as its author writes it (PractRand), in BigInt, seeded like ours. */
function* reference(seed: number): Generator<number> {
  const mod = 1n << 32n;
  const wrap = (value: bigint): bigint => ((value % mod) + mod) % mod;
  let s = wrap(BigInt(seed));
  const splitmix = (): bigint => {
    s = wrap(s + 0x9e3779b9n);
    let t = s ^ (s >> 16n);
    t = wrap(t * 0x21f0aaadn);
    t ^= t >> 15n;
    t = wrap(t * 0x735a2d97n);
    return t ^ (t >> 15n);
  };
  let [a, b, c, counter] = [splitmix(), splitmix(), splitmix(), splitmix() | 1n];
  for (let i = 0; ; i++) {
    const t = wrap(a + b + counter);
    counter = wrap(counter + 1n);
    a = b ^ (b >> 9n);
    b = wrap(c + (c << 3n));
    c = wrap(((c << 21n) | (c >> 11n)) % mod) + t;
    c = wrap(c);
    if (i >= 12) yield Number(t) | 0;
  }
}

describe('prng', () => {
  it('gives the values it always gave: recorded seeds replay', () => {
    expect(draw(new Prng(1), 4)).toEqual([1130556604, -1703375149, -1280014306, 960850752]);
    expect(draw(new Prng(0), 4)).toEqual([1101400650, -1275043042, 1223568846, 1580756518]);
    expect(draw(new Prng(1).fork('link'), 2)).toEqual([-895639001, 2140728919]);
  });

  it('is sfc32', () => {
    fc.assert(
      fc.property(fc.integer(), seed => {
        const values = reference(seed);
        const expected = Array.from({ length: 20 }, () => values.next().value as number);
        expect(draw(new Prng(seed), 20)).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  it('repeats with the seed and differs between neighboring seeds', () => {
    const first = new Set<number>();
    for (let seed = 0; seed < 1000; seed++) {
      expect(draw(new Prng(seed), 3)).toEqual(draw(new Prng(seed), 3));
      first.add(new Prng(seed).int32());
    }
    expect(first.size).toBe(1000);
  });

  it('keeps float, below and between inside their bounds, and reaches both ends', () => {
    const prng = new Prng(7);
    const seen = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      const float = prng.float();
      expect(float >= 0 && float < 1).toBe(true);
      expect(prng.below(1)).toBe(0);
      seen.add(prng.between(-2, 3));
    }
    expect([...seen].toSorted((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3]);
  });

  it('draws below(n) evenly', () => {
    const prng = new Prng(99);
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) counts[prng.below(16)]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('draws one value for every chance, also for certain ones', () => {
    const [a, b] = [new Prng(3), new Prng(3)];
    expect(a.chance(0)).toBe(false);
    expect(a.chance(1)).toBe(true);
    b.int32();
    b.int32();
    expect(a.int32()).toBe(b.int32());
  });
});

describe('fork', () => {
  it('gives streams of their own for each name and for the parent', () => {
    const parent = new Prng(5);
    const streams = [parent, parent.fork('a'), parent.fork('b'), parent.fork('ab'), parent.fork('ba'), parent.fork('')];
    const heads = streams.map(stream => draw(stream, 4).join());
    expect(new Set(heads).size).toBe(streams.length);
  });

  it('is not disturbed by consumers that were added before it', () => {
    const before = draw(new Prng(5).fork('link'), 8);
    const parent = new Prng(5);
    parent.fork('a consumer that is new');
    parent.int32();
    expect(draw(parent.fork('link'), 8)).toEqual(before);
  });

  it('does not disturb its parent', () => {
    const parent = new Prng(5);
    parent.fork('link').int32();
    expect(draw(parent, 4)).toEqual(draw(new Prng(5), 4));
  });

  it('gives another stream when a name is used again', () => {
    const parent = new Prng(5);
    expect(draw(parent.fork('connection'), 4)).not.toEqual(draw(parent.fork('connection'), 4));
  });

  it('depends on the seed', () => {
    expect(new Prng(5).fork('link').int32()).not.toBe(new Prng(6).fork('link').int32());
  });
});
