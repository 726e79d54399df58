/** Block lists: the tree of Figure 5, its walk, its pool (R10, R11). */
import { describe, expect, test } from 'vitest';
import { createMemory, type Memory, RegionPlan } from '../../src/memory/memory.ts';
import {
  Block,
  BLOCK_SLOT_BYTES,
  BlockPool,
  BlockWalk,
  layerOf,
  OffloadStateType,
} from '../../src/offload/block-list.ts';

interface Tree {
  readonly [name: string]: Tree;
}

function fixture(blocks: number) {
  const plan = new RegionPlan();
  const region = plan.add('blocks', blocks * BLOCK_SLOT_BYTES);
  const memory = createMemory(plan.byteLength);
  return { memory, region, pool: new BlockPool(memory, region), walk: new BlockWalk(memory, region) };
}

const TYPES = [OffloadStateType.Neighbor, OffloadStateType.Ip4, OffloadStateType.Tcp];

/** Lays out a tree; returns its root, and the names by address. */
function lay(memory: Memory, pool: BlockPool, tree: Tree, names: Map<number, string>, layer = 0): number {
  const block = Block.view(memory);
  let first = 0;
  let previous = 0;
  for (const [name, dependents] of Object.entries(tree)) {
    const address = pool.allocate(TYPES[layer]!);
    names.set(address, name);
    const below = lay(memory, pool, dependents, names, layer + 1);
    block.at(address).dependentBlockList = below;
    if (previous === 0) first = address;
    else block.at(previous).nextBlock = address;
    previous = address;
  }
  return first;
}

const A01 = { N1: { P1: { T1: {}, T2: {} }, P2: { T3: {} } }, N2: { P3: { T4: {}, T5: {} } } };

describe('the walk', () => {
  test('is depth first, then breadth: N1 P1 T1 T2 P2 T3 N2 P3 T4 T5 (A01)', () => {
    const { memory, pool, walk } = fixture(16);
    const names = new Map<number, string>();
    const root = lay(memory, pool, A01, names);
    const order: string[] = [];
    const parents: string[] = [];
    for (let at = walk.start(root); at !== 0; at = walk.next()) {
      order.push(names.get(at)!);
      parents.push(names.get(walk.parent) ?? '');
      expect(walk.level).toBe(layerOf(Block.view(memory).at(at).type));
    }
    expect(order.join(' ')).toBe('N1 P1 T1 T2 P2 T3 N2 P3 T4 T5');
    expect(parents.join(' ')).toBe(' N1 P1 P1 N1 P2  N2 P3 P3');
    expect(walk.corrupt).toBe(false);
  });

  test('leaves out what depends on a block when told so: N1 N2', () => {
    const { memory, pool, walk } = fixture(16);
    const names = new Map<number, string>();
    const root = lay(memory, pool, A01, names);
    const order: string[] = [];
    for (let at = walk.start(root); at !== 0; at = walk.next(true)) order.push(names.get(at)!);
    expect(order).toEqual(['N1', 'N2']);
  });

  test('visits 100,000 siblings once each, without recursion and in linear time (A13)', () => {
    const count = 100_000;
    const { memory, pool, walk } = fixture(count + 2);
    const block = Block.view(memory);
    const neighbor = pool.allocate(OffloadStateType.Neighbor);
    const path = pool.allocate(OffloadStateType.Ip4);
    block.at(neighbor).dependentBlockList = path;
    let previous = 0;
    for (let i = 0; i < count; i++) {
      const address = pool.allocate(OffloadStateType.Tcp);
      if (previous === 0) block.at(path).dependentBlockList = address;
      else block.at(previous).nextBlock = address;
      previous = address;
    }
    let visited = 0;
    for (let at = walk.start(neighbor); at !== 0; at = walk.next()) visited++;
    expect(visited).toBe(count + 2);
    expect(walk.corrupt).toBe(false);
  });

  for (const [what, spoil] of [
    ['a loop among siblings', (block, [, path]) => (block.at(path!).nextBlock = path!)],
    ['a loop from a connection to its path', (block, [, path, tcp]) => (block.at(tcp!).nextBlock = path!)],
    ['a fourth layer', (block, [neighbor, , tcp]) => (block.at(tcp!).dependentBlockList = neighbor!)],
    ['a pointer outside the region', (block, [, , tcp]) => (block.at(tcp!).nextBlock = 0x7000_0000)],
    ['a negative pointer', (block, [, , tcp]) => (block.at(tcp!).nextBlock = -256)],
    ['a pointer that is not aligned', (block, [neighbor, , tcp]) => (block.at(tcp!).nextBlock = neighbor! + 2)],
    [
      'a block that sticks out of the region',
      (block, [neighbor, , tcp]) => (block.at(tcp!).nextBlock = neighbor! + 15 * BLOCK_SLOT_BYTES + 4),
    ],
  ] satisfies [string, (block: ReturnType<typeof Block.view>, at: number[]) => void][]) {
    test(`ends and says "corrupt" at ${what} (architecture 2.8)`, () => {
      const { memory, pool, walk } = fixture(16);
      const names = new Map<number, string>();
      const root = lay(memory, pool, { N: { P: { T: {} } } }, names);
      spoil(Block.view(memory), [...names.keys()]);
      let visited = 0;
      for (let at = walk.start(root); at !== 0 && visited < 100; at = walk.next()) visited++;
      expect(walk.corrupt).toBe(true);
      expect(visited).toBeLessThanOrEqual(16);
    });
  }

  test('a root that is none is corrupt at once, and the next good one is not', () => {
    const { pool, walk, region } = fixture(4);
    expect(walk.start(0)).toBe(0);
    expect(walk.corrupt).toBe(true);
    expect(walk.start(region.offset - BLOCK_SLOT_BYTES)).toBe(0);
    const root = pool.allocate(OffloadStateType.Neighbor);
    expect(walk.start(root)).toBe(root);
    expect(walk.next()).toBe(0);
    expect(walk.corrupt).toBe(false);
  });
});

describe('the pool', () => {
  test('gives zeroed blocks of a type until there is none, and takes them back', () => {
    const { memory, pool } = fixture(3);
    const block = Block.view(memory);
    const all = [1, 2, 3].map(() => pool.allocate(OffloadStateType.Tcp));
    expect(new Set(all).size).toBe(3);
    expect(pool.allocate(OffloadStateType.Tcp)).toBe(0);
    expect([pool.inUse, pool.available]).toEqual([3, 0]);
    memory.u8.fill(0xaa, all[1]!, all[1]! + BLOCK_SLOT_BYTES);
    pool.free(all[1]!);
    const again = pool.allocate(OffloadStateType.Neighbor);
    expect(again).toBe(all[1]);
    block.at(again);
    expect([block.type, block.nextBlock, block.status, block.offloadHandle]).toEqual([
      OffloadStateType.Neighbor,
      0,
      0,
      0,
    ]);
    expect(memory.u8.subarray(again + 64, again + BLOCK_SLOT_BYTES).every(byte => byte === 0)).toBe(true);
  });

  test('refuses an address that is not its own', () => {
    const { pool, region } = fixture(2);
    expect(() => pool.free(region.offset - BLOCK_SLOT_BYTES)).toThrow(/of this pool/);
    expect(() => pool.free(region.offset + 2 * BLOCK_SLOT_BYTES)).toThrow(/of this pool/);
  });
});
