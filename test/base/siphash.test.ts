/** SipHash-2-4 against the vectors of its reference implementation and of a deployed one. */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { SipHash } from '../../src/base/siphash.ts';

/** Of the key 00 01 … 0f and the message 00 01 02 …: hashes of 0, 4, 8, 12 and 16 bytes, as numbers. */
const VECTORS = [
  '726fdb47dd0e0e31',
  'cf2794e0277187b7',
  '93f5f5799a932462',
  '751e8fbc860ee5fb',
  '3f2acc7f57c29bdb',
] as const;

const hex = (hash: SipHash): string =>
  [hash.hi, hash.lo].map(half => (half >>> 0).toString(16).padStart(8, '0')).join('');

describe('SipHash-2-4', () => {
  const hash = new SipHash(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c);

  test.each(VECTORS.map((text, words) => [words, text] as const))('of %i words', (words, text) => {
    hash.begin();
    for (let i = 0; i < words; i++) hash.word(0x03020100 + 0x04040404 * i);
    hash.end();
    expect(hex(hash)).toBe(text);
  });

  test('another key, another hash; the same seed, the same key', () => {
    const of = (seed: number): string => {
      const keyed = SipHash.keyedBy(new Prng(seed));
      keyed.begin();
      keyed.word(7);
      keyed.end();
      return hex(keyed);
    };
    expect(of(1)).toBe(of(1));
    expect(of(1)).not.toBe(of(2));
  });
});
