/**
 * TCP options by the handful: every kind that is assigned and some that are not, in any order, with lengths that are
 * right, wrong, zero or beyond the header (RFC 9293 3.2, MUST-6 and MUST-7).
 */
import type { Prng } from '../../base/prng.ts';
import { edgeValue } from './draw.ts';

/** Kind and its length; 0: drawn. */
const KINDS: readonly (readonly [number, number])[] = [
  [0, 1],
  [1, 1],
  [2, 4],
  [3, 3],
  [4, 2],
  [5, 0],
  [8, 10],
  [19, 18],
  [28, 4],
  [30, 0],
  [34, 0],
  [253, 0],
];
const AREA_MAX = 40;
const SACK_BLOCK = 8;

/** Fills [at, at + length) with options; `base` is a number that SACK blocks and timestamps lie near. */
export function fillTcpOptions(view: DataView, at: number, length: number, base: number, prng: Prng): void {
  const end = at + Math.min(length, AREA_MAX);
  let p = at;
  while (p < end) {
    const [kind, fixed] = KINDS[prng.below(KINDS.length)]!;
    view.setUint8(p++, kind);
    if (fixed === 1 || p === end) continue;
    const fits = fixed === 0 ? 2 + SACK_BLOCK * prng.below(5) : fixed;
    view.setUint8(p++, prng.chance(0.9) ? fits : edgeValue(prng) & 0xff);
    const until = Math.min(end, p + fits - 2);
    while (p + 4 <= until) {
      view.setInt32(p, prng.chance(0.7) ? (base + prng.between(-3000, 70_000)) | 0 : prng.int32());
      p += 4;
    }
    while (p < until) view.setUint8(p++, prng.chance(0.5) ? prng.below(16) : prng.int32() & 0xff);
  }
}
