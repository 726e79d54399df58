import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChimneyError } from '../../src/base/errors.ts';
import { RegionPlan, type Region, Window, attachMemory, createMemory } from '../../src/memory/memory.ts';

const PAGE = 65536;

describe('memory', () => {
  it('is shared, holds what was asked for, and all views show the same bytes', () => {
    const memory = createMemory(100_000);
    expect(memory.wasm.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(memory.byteLength).toBeGreaterThanOrEqual(100_000);
    memory.view.setUint16(PAGE, 0x0800);
    expect([memory.u8[PAGE], memory.u8[PAGE + 1]]).toEqual([0x08, 0x00]);
    memory.i32[PAGE / 4] = -2;
    expect([memory.u16[PAGE / 2], memory.u16[PAGE / 2 + 1]]).toEqual([0xfffe, 0xffff]);
    expect(attachMemory(memory.wasm).i32[PAGE / 4]).toBe(-2);
  });

  it('comes with kernels that work on it', () => {
    const memory = createMemory(1024);
    memory.u8.set([1, 2, 3, 4], PAGE);
    memory.kernels.copy(PAGE + 100, PAGE, 4);
    expect([...memory.u8.subarray(PAGE + 99, PAGE + 105)]).toEqual([0, 1, 2, 3, 4, 0]);
    expect(memory.kernels.checksum(PAGE, 4, 0)).toBe(0x0102 + 0x0304);
  });

  it('says what to do when there is not enough', () => {
    const asked = 2 ** 31;
    expect(() => createMemory(asked)).toThrow(ChimneyError);
    expect(() => createMemory(asked)).toThrow(/2048 MiB.*fewer NICs/);
    expect(() => createMemory(asked)).toThrow(expect.objectContaining({ code: 'ERR_CHIMNEY_MEMORY' }));
  });
});

const request = fc.record({
  byteLength: fc.integer({ min: 1, max: 100_000 }),
  align: fc.option(fc.constantFrom(1, 2, 4, 64, 4096, 65536), { nil: undefined }),
});

describe('region plan', () => {
  it('aligns every region, in order, without overlap, outside the first page', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1 }), requests => {
        const plan = new RegionPlan();
        let end = PAGE;
        for (const [i, { byteLength, align }] of requests.entries()) {
          const region = plan.add(`r${i}`, byteLength, align);
          expect(region.offset % (align ?? 64)).toBe(0);
          expect(region.offset).toBeGreaterThanOrEqual(end);
          expect(region.offset - end).toBeLessThan(align ?? 64);
          expect(region.byteLength).toBe(byteLength);
          end = region.offset + byteLength;
        }
        expect(plan.byteLength).toBe(end);
        expect(plan.regions).toHaveLength(requests.length);
      }),
    );
  });

  it('gives the same regions when it is run twice, all of them inside a memory of its size', () => {
    const run = (): RegionPlan => {
      const plan = new RegionPlan();
      plan.add('a', 1);
      plan.add('b', 70_000, 4096);
      plan.add('c', 63);
      return plan;
    };
    const plan = run();
    expect(run().regions).toEqual(plan.regions);
    const memory = createMemory(plan.byteLength);
    for (const region of plan.regions) expect(region.offset + region.byteLength).toBeLessThanOrEqual(memory.byteLength);
  });

  it.each([
    [0, 64],
    [-1, 64],
    [64, 3],
    [64, 0],
    [64, -64],
  ])('refuses %i bytes aligned to %i', (byteLength, align) => {
    expect(() => new RegionPlan().add('bad', byteLength, align)).toThrow('region bad');
  });
});

describe('window', () => {
  const granted: Region = { name: 'granted', offset: 2 * PAGE, byteLength: 4096 };
  const neighbor: Region = { name: 'neighbor', offset: 2 * PAGE + 4096, byteLength: 64 };
  const window = new Window([granted]);
  const start = granted.offset;
  const end = granted.offset + granted.byteLength;

  it.each([
    ['the whole region', start, 4096],
    ['its first byte', start, 1],
    ['its last byte', end - 1, 1],
    ['nothing at its start', start, 0],
  ])('allows %s', (_, address, byteLength) => {
    expect(window.allows(address, byteLength)).toBe(true);
  });

  it.each([
    ['one byte past the end', start, 4097],
    ['the byte behind it', end, 1],
    ['the byte before it', start - 1, 1],
    ['a range that begins before it', start - 1, 2],
    ['a negative length', start + 8, -1],
    ['a negative length that ends inside', end + 8, -16],
    ['a negative address', -1, 1],
    ['an address that reads negative as int32', (start + 0x80000000) | 0, 1],
    ['the null address', 0, 0],
    ['the kernels’ page', PAGE - 4, 4],
    ['a length that overflows int32', start + 1, 0x7fffffff],
    ['a length that overflows uint32', start, 0xffffffff],
    ['a length that wraps round to the region', start, 2 ** 32 + 1],
    ['an address beyond uint32', start + 2 ** 32, 1],
    ['no number at all', Number.NaN, 1],
    ['a length that is no number', start, Number.NaN],
  ])('refuses %s', (_, address, byteLength) => {
    expect(window.allows(address, byteLength)).toBe(false);
  });

  it('refuses a range that straddles two granted regions: they are granted one by one', () => {
    const both = new Window([granted, neighbor]);
    expect(both.allows(end - 4, 4)).toBe(true);
    expect(both.allows(end, 64)).toBe(true);
    expect(both.allows(end - 4, 8)).toBe(false);
  });

  it('refuses everything when nothing was granted', () => {
    expect(new Window([]).allows(start, 0)).toBe(false);
  });

  it('allows exactly the ranges inside a granted region', () => {
    const both = new Window([granted, { name: 'far', offset: 8 * PAGE, byteLength: 128 }]);
    const edge = fc.oneof(fc.integer({ min: -8, max: 8 }), fc.integer());
    const anchor = fc.constantFrom(0, PAGE, start, end, 8 * PAGE, 8 * PAGE + 128);
    fc.assert(
      fc.property(anchor, edge, fc.oneof(fc.integer({ min: -4, max: 4200 }), fc.integer()), (from, by, byteLength) => {
        const address = from + by;
        const inside = [
          [start, end],
          [8 * PAGE, 8 * PAGE + 128],
        ].some(([low, high]) => byteLength >= 0 && address >= low! && address + byteLength <= high!);
        expect(both.allows(address, byteLength)).toBe(inside);
      }),
      { numRuns: 1000 },
    );
  });
});
