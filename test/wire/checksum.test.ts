/** RFC 1071 and RFC 1624: their own examples, and agreement with the obvious implementation. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checksumOf,
  combine,
  fold,
  onesComplementSum,
  pseudoHeaderSum,
  updateChecksum16,
  updateChecksum32,
} from '../../src/wire/checksum.ts';
import { emitInside, i32, parseBlind, sharedView, u16, u8, viewOf } from './support.ts';

/** RFC 1071 1, word by word, in unbounded arithmetic. */
function obviousSum(bytes: Uint8Array, initial = 0): number {
  let sum = initial;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i] * 256 + (i + 1 < bytes.length ? bytes[i + 1] : 0);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

describe('sum', () => {
  test('gives the sum of the example in RFC 1071 3', () => {
    expect(onesComplementSum(viewOf('0001f203f4f5f6f7'), 0, 8, 0)).toBe(0xddf2);
    expect(checksumOf(0xddf2)).toBe(0x220d);
  });

  test('equals the obvious implementation for any bytes, length, alignment and start value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), u16, (bytes, initial) => {
        const sum = parseBlind(bytes, (view, at, end) => onesComplementSum(view, at, end - at, initial));
        expect(sum).toBe(obviousSum(bytes, initial));
      }),
    );
  });

  test('does not overflow at the documented limit of 131,070 bytes', () => {
    const view = sharedView(131_070);
    new Uint8Array(view.buffer).fill(0xff);
    expect(onesComplementSum(view, 0, 131_070, 0xffff)).toBe(0xffff);
    new Uint8Array(view.buffer)[131_069] = 0xfe;
    expect(onesComplementSum(view, 0, 131_070, 0xffff)).toBe(0xfffe);
  });

  test('folds every carry of any 32-bit sum', () => {
    expect(fold(0xffff_ffff)).toBe(0xffff);
    expect(fold(0x1_ffff)).toBe(1);
    fc.assert(
      fc.property(fc.nat({ max: 0xffff_ffff }), sum => {
        expect(fold(sum)).toBe(sum === 0 ? 0 : ((sum - 1) % 0xffff) + 1);
      }),
    );
  });

  test('combines the sums of two blocks, also after an odd number of bytes (RFC 1071 2(B))', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ maxLength: 50 }), (first, second) => {
        const whole = Uint8Array.from([...first, ...second]);
        expect(combine(obviousSum(first), first.length, obviousSum(second))).toBe(obviousSum(whole));
      }),
    );
  });

  test('sums the pseudo-header as if it stood in memory (RFC 9293 3.1)', () => {
    fc.assert(
      fc.property(i32, i32, u8, u16, (source, destination, protocol, length) => {
        const { view, end } = emitInside((v, at) => {
          v.setInt32(at, source);
          v.setInt32(at + 4, destination);
          v.setUint16(at + 8, protocol);
          v.setUint16(at + 10, length);
          return 12;
        }, 0);
        expect(pseudoHeaderSum(source, destination, protocol, length)).toBe(onesComplementSum(view, 0, end, 0));
      }),
    );
  });
});

describe('incremental update', () => {
  test('gives 0x0000, not 0xffff, for the example in RFC 1624 4', () => {
    expect(updateChecksum16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  /** A packet with a non-zero byte outside of the word that changes, as every IP packet has. */
  const packet = fc.uint8Array({ minLength: 10, maxLength: 60 }).map(bytes => {
    bytes[0] |= 0x40;
    return bytes;
  });

  test('of 16 bits equals full recomputation', () => {
    fc.assert(
      fc.property(packet, fc.nat(), u16, (bytes, where, after) => {
        const view = viewOf(bytes);
        const at = 2 + 2 * (where % ((bytes.length - 2) >> 1));
        const checksum = checksumOf(onesComplementSum(view, 0, bytes.length, 0));
        const before = view.getUint16(at);
        view.setUint16(at, after);
        const full = checksumOf(onesComplementSum(view, 0, bytes.length, 0));
        expect(updateChecksum16(checksum, before, after)).toBe(full);
      }),
    );
  });

  test('of 32 bits equals full recomputation', () => {
    fc.assert(
      fc.property(packet, fc.nat(), i32, (bytes, where, after) => {
        const view = viewOf(bytes);
        const at = 2 + 2 * (where % ((bytes.length - 4) >> 1));
        const checksum = checksumOf(onesComplementSum(view, 0, bytes.length, 0));
        const before = view.getInt32(at);
        view.setInt32(at, after);
        const full = checksumOf(onesComplementSum(view, 0, bytes.length, 0));
        expect(updateChecksum32(checksum, before, after)).toBe(full);
      }),
    );
  });
});
