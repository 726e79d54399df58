/**
 * Values that break things, for fields of any width: edges, powers of two and their neighbors, and anything at all; and
 * values near one that means something, which get further in than those.
 */
import type { Prng } from '../../base/prng.ts';

const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, -0x80000000, -1, -2];

export function edgeValue(prng: Prng): number {
  const kind = prng.float();
  if (kind < 0.5) return EDGES[prng.below(EDGES.length)]!;
  if (kind < 0.7) return ((1 << prng.below(32)) + prng.between(-1, 1)) | 0;
  return prng.int32();
}

/** Near a value that means something: its neighbors first, then further away. */
export function nearValue(prng: Prng, value: number): number {
  const spread = [2, 10, 1500, 70_000, 0x40000000][prng.below(5)]!;
  return (value + prng.between(-spread, spread)) | 0;
}

export function oneOf<T>(prng: Prng, choices: readonly T[]): T {
  return choices[prng.below(choices.length)]!;
}
