import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUFFER_HEADER_BYTES, BufferPool, type PoolShape, poolBytes } from '../../src/memory/buffer-pool.ts';
import { type Memory, RegionPlan, createMemory } from '../../src/memory/memory.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';

function setUp(shape: PoolShape, poolId = 7): { memory: Memory; pool: BufferPool } {
  const plan = new RegionPlan();
  const region = plan.add('pool', poolBytes(shape));
  const memory = createMemory(plan.byteLength);
  return { memory, pool: new BufferPool(memory, region, shape, poolId) };
}

function allocateAll(pool: BufferPool): number[] {
  return Array.from({ length: pool.count }, () => pool.allocate());
}

describe('buffer pool', () => {
  it('hands out aligned buffers that do not overlap and fill the region', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 2100 }), (count, dataBytes) => {
        const shape = { count, dataBytes };
        const { pool } = setUp(shape);
        const all = allocateAll(pool).toSorted((a, b) => a - b);
        for (const [i, address] of all.entries()) {
          expect(address).toBe(pool.start + i * pool.stride);
          expect(address % 64).toBe(0);
          expect(pool.dataOf(address)).toBe(address + BUFFER_HEADER_BYTES);
          expect(pool.dataOf(address) + dataBytes).toBeLessThanOrEqual(address + pool.stride);
          expect(pool.indexOf(address)).toBe(i);
        }
        expect(pool.end).toBe(pool.start + poolBytes(shape));
      }),
      { numRuns: 30 },
    );
  });

  it('gives 0 when it is empty, and lends the warmest buffer first', () => {
    const { pool } = setUp({ count: 3, dataBytes: 100 });
    const [a, b] = allocateAll(pool);
    expect(pool.allocate()).toBe(0);
    expect(pool.available).toBe(0);
    pool.free(b!);
    pool.free(a!);
    expect(pool.allocate()).toBe(a);
    expect(pool.allocate()).toBe(b);
    expect(pool.allocate()).toBe(0);
  });

  it('writes its id into every descriptor', () => {
    const { memory, pool } = setUp({ count: 4, dataBytes: 64 }, 513);
    for (const address of allocateAll(pool)) expect(NetBuffer.view(memory).at(address).poolId).toBe(513);
  });

  it('refuses a region that is too small', () => {
    const memory = createMemory(65536 * 2);
    const region = { name: 'small', offset: 65536, byteLength: 2 * 128 - 1 };
    expect(() => new BufferPool(memory, region, { count: 2, dataBytes: 64 }, 1)).toThrow('pool small fits its region');
  });

  it('asserts on a double free, on a buffer never lent, and on an address that is none of its own', () => {
    const { pool } = setUp({ count: 4, dataBytes: 100 });
    const [a, b] = [pool.allocate(), pool.allocate()];
    pool.free(a);
    const strangers = [a, b + 1, b + 64, b - 1, pool.start - pool.stride, pool.end, 0, -1, 2 ** 31];
    for (const address of strangers)
      expect(() => pool.free(address), `free(${address})`).toThrow('of this pool and in use');
    expect(pool.available).toBe(3);
    pool.free(b);
    expect(pool.available).toBe(4);
  });

  it('owns its buffers only, and knows which are lent: what comes across a ring is checked so', () => {
    const { pool } = setUp({ count: 4, dataBytes: 100 });
    const lent = pool.allocate();
    for (let address = pool.start - 200; address < pool.end + 200; address++) {
      const offset = address - pool.start;
      const isBuffer = offset >= 0 && offset < 4 * pool.stride && offset % pool.stride === 0;
      expect(pool.owns(address)).toBe(isBuffer);
      expect(pool.isLent(address)).toBe(address === lent);
    }
    for (const wild of [0, -1, -2147483648, 0x7fffffff, Number.NaN]) {
      expect(pool.owns(wild)).toBe(false);
      expect(pool.isLent(wild)).toBe(false);
    }
    pool.free(lent);
    expect(pool.isLent(lent)).toBe(false);
  });

  it('never lends a buffer twice: model of a stack of free buffers', () => {
    // A number allocates when it is 0; otherwise it frees the lent buffer with that number.
    const operations = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100 })), {
      maxLength: 200,
      size: 'max',
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), operations, (count, script) => {
        const { pool } = setUp({ count, dataBytes: 64 });
        const free = Array.from({ length: count }, (_, i) => pool.start + (count - 1 - i) * pool.stride);
        const lent: number[] = [];
        let lowest = count;
        for (const step of script) {
          if (step === 0) {
            const expected = free.pop() ?? 0;
            expect(pool.allocate()).toBe(expected);
            if (expected !== 0) lent.push(expected);
            lowest = Math.min(lowest, free.length);
          } else if (lent.length > 0) {
            const [address] = lent.splice(step % lent.length, 1);
            pool.free(address!);
            free.push(address!);
          }
          expect([pool.available, pool.inUse, pool.lowestAvailable]).toEqual([free.length, lent.length, lowest]);
          expect(lent.every(address => pool.isLent(address))).toBe(true);
          expect(free.some(address => pool.isLent(address))).toBe(false);
        }
      }),
    );
  });
});
