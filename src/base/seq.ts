/**
 * Arithmetic modulo 2^32 (RFC 9293 3.4): sequence numbers, timestamps and tick counts.
 *
 * Values are int32 throughout (`| 0`), so that V8 keeps them as small integers; print them with `>>> 0`. A comparison is
 * meaningful while the two are less than 2^31 apart.
 */
export function seqLt(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function seqLeq(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0;
}

export function seqGt(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export function seqGeq(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}

/** b - a as a signed distance. */
export function seqDistance(a: number, b: number): number {
  return (b - a) | 0;
}

export function seqMax(a: number, b: number): number {
  return seqGt(a, b) ? a : b;
}
