/**
 * Forged frames for whole machines (src/scenario/fuzz): seeds that found something as the fuzzer is now, a few fresh ones, and that
 * what is broken on purpose is found. `chimney fuzz --frames 10000000` is for campaigns.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createMemory } from '../../src/memory/memory.ts';
import { FRAMES_A_MACHINE, FUZZ_MEMORY_BYTES, fuzzSeed, type FuzzResult } from '../../src/scenario/fuzz/fuzz.ts';

/** As many as take a few seconds. FUZZ_SEED and FUZZ_MACHINES are for more. */
const MACHINES = Number(process.env['FUZZ_MACHINES'] ?? 30);
const FIRST_SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const KEPT = JSON.parse(readFileSync(new URL('seeds.json', import.meta.url), 'utf8')) as {
  machines: Record<string, string>;
};

const memory = createMemory(FUZZ_MEMORY_BYTES);

function expectClean(result: FuzzResult): void {
  expect(result.error, `npm run chimney -- fuzz --frames 1 --seed ${result.seed}`).toBeUndefined();
}

describe('a machine that is fed forged frames', () => {
  test.each(Object.entries(KEPT.machines))('seed %s: %s', seed => expectClean(fuzzSeed(Number(seed), { memory })));

  test(`${MACHINES} machines throw nothing, never hang and lose nothing`, { timeout: 60_000 + MACHINES * 1000 }, () => {
    const results = Array.from({ length: MACHINES }, (_, i) => fuzzSeed(FIRST_SEED + i, { memory }));
    for (const result of results) expectClean(result);
    const sum = (of: (result: FuzzResult) => number): number => results.reduce((total, each) => total + of(each), 0);
    // Alive all the time, and on the move.
    expect(sum(({ frames }) => frames)).toBeGreaterThanOrEqual(MACHINES * FRAMES_A_MACHINE);
    expect(sum(({ connections }) => connections)).toBeGreaterThan(10 * MACHINES);
    expect(sum(({ uploads }) => uploads)).toBeGreaterThan(5 * MACHINES);
  });

  test('does the same in the next run of the seed', () => {
    expect(fuzzSeed(3, { memory })).toEqual(fuzzSeed(3, { memory }));
    expect(fuzzSeed(4, { memory })).not.toEqual(fuzzSeed(3, { memory }));
  });
});

describe('what is broken on purpose is found', () => {
  test('a layer that throws at one kind of frame', () => {
    const result = fuzzSeed(1, {
      memory,
      prepare: ({ hosts }) => {
        const { network } = hosts[0]!.host;
        const receive = network.receive.bind(network);
        network.receive = (...datagram) => {
          const [, , at, end] = datagram;
          if ((end - at) % 16 === 13) throw new Error('thirteen');
          return receive(...datagram);
        };
      },
    });
    expect(result.error).toMatch(/^after \d+ frames: Error: thirteen/);
  });

  test('a receive buffer that is not given back', () => {
    const result = fuzzSeed(1, {
      memory,
      prepare: ({ nics }) => {
        nics[0]!.firmware.pool.allocate();
      },
    });
    expect(result.error).toContain('a0: 1 receive buffers');
  });

  test('an answer to every answer, for ever', () => {
    const result = fuzzSeed(1, {
      memory,
      prepare: ({ fabric }) => {
        const step = fabric.step.bind(fabric);
        fabric.step = (nowUs, budget) => step(nowUs, budget) + (fabric.cables[0]!.toNic.frames > 100 ? 1 : 0);
      },
    });
    expect(result.error).toContain('it never ends');
  });
});
