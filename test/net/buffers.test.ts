import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Incoming } from '../../src/net/incoming.ts';
import { Outgoing } from '../../src/net/outgoing.ts';
import { pattern } from './harness.ts';

const size = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 9000 }), fc.nat({ max: 100_000 }));

describe('Outgoing', () => {
  it('gives back what went in, in pieces no larger than asked for', () => {
    fc.assert(
      fc.property(
        fc.array(size, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }),
        (sizes, limits) => {
          const chunks = sizes.map((length, i) => pattern(length, i));
          const outgoing = new Outgoing();
          outgoing.start(chunks);
          const pieces: Buffer[] = [];
          for (let i = 0; outgoing.remaining > 0; i++) {
            const limit = limits[i % limits.length]!;
            const piece = outgoing.peek(limit);
            expect(piece.length).toBeGreaterThan(0);
            expect(piece.length).toBeLessThanOrEqual(limit);
            pieces.push(Buffer.from(piece));
            outgoing.advance(piece.length);
          }
          expect(Buffer.concat(pieces).equals(Buffer.concat(chunks))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gathers small chunks', () => {
    const outgoing = new Outgoing();
    outgoing.start(Array.from({ length: 100 }, () => Buffer.from('0123456789')));
    expect(outgoing.peek(65536).length).toBe(1000);
  });
});

describe('Incoming', () => {
  it('gives back what went in, whatever is taken in between', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.nat({ max: 2 })), { maxLength: 200 }),
        segments => {
          const memory = pattern(4096);
          const incoming = new Incoming();
          const expected: Buffer[] = [];
          const taken: Buffer[] = [];
          for (const [length, takes] of segments) {
            const address = length % 1000;
            incoming.append(memory, address, length);
            expected.push(Buffer.from(memory.subarray(address, address + length)));
            for (let i = 0; i < takes && incoming.length > 0; i++) taken.push(incoming.take());
          }
          while (incoming.length > 0) taken.push(incoming.take());
          expect(taken.every(chunk => chunk.length > 0)).toBe(true);
          expect(Buffer.concat(taken).equals(Buffer.concat(expected))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});
