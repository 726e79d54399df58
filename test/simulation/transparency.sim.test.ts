/**
 * Offload transparency (R1): random applications, faults and hand-overs, each seed with and without offload
 * (src/scenario/transparency.ts says how, src/scenario/transparency-compare.ts what is compared).
 *
 * A failure names its seed; `npm run simulate -- --transparency --seed N --shrink` makes it small. A seed that found
 * something joins the list with what it found.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { createMemory } from '../../src/memory/memory.ts';
import {
  checkTransparency,
  TRANSPARENCY_MEMORY_BYTES,
  type TransparencyOptions,
} from '../../src/scenario/transparency.ts';
import { addTransparency, noTransparencyTotals } from '../../src/scenario/transparency-campaign.ts';
import { drawTransparency } from '../../src/scenario/transparency-plan.ts';
import { shrinkPlan } from '../../src/scenario/transparency-shrink.ts';
import type { Simulation } from '../../src/simulation.ts';

const memory = createMemory(TRANSPARENCY_MEMORY_BYTES);
const totals = noTransparencyTotals();

/** Seeds that failed once, and what they found. */
const FOUND: readonly [seed: number, what: string][] = [
  [2, 'credit below 64 KiB was never given back: with a smaller receive buffer the connection stood still'],
  [9, 'bytes, and the end, were shown to an application that had aborted, unless they were on a device'],
  [37, 'a connection offered again while it was offloaded was not taken back at its end'],
  [63, 'a send after a reset that the application had not heard of yet lost its descriptor'],
  [224, "the peer's end, kept behind bytes, was shown to an application that had aborted"],
  [4829, 'a connection closed with bytes held let go of its slot twice when TIME-WAIT ended just then'],
  [128531, 'TIME-WAIT ended before the last ACK had got through the losses: the plan gives it longer'],
  [158204, 'the plan let offload go on in the middle of the failover of a team'],
];

const FIRST = 1;
const COUNT = 2000;
const SEEDS_A_TEST = 100;

function expectTransparent(seed: number): void {
  const result = checkTransparency(seed, { memory });
  addTransparency(totals, result);
  if (!result.ok) expect.fail(`npm run simulate -- --transparency --seed ${seed} --shrink\n${result.error}`);
}

describe('applications see what they see with offload disabled (R1)', () => {
  test.each(FOUND)('seed %i: %s', expectTransparent);

  const starts = Array.from({ length: COUNT / SEEDS_A_TEST }, (_, index) => FIRST + index * SEEDS_A_TEST);
  test.each(starts)(`${SEEDS_A_TEST} seeds from %i`, first => {
    for (let seed = first; seed < first + SEEDS_A_TEST; seed++) expectTransparent(seed);
  });

  afterAll(() => {
    // Otherwise the property would say little.
    expect(totals.handOvers).toBeGreaterThan(COUNT);
    expect(totals.liveUploads).toBeGreaterThan(COUNT / 2);
    expect(totals.refusals).toBeGreaterThan(COUNT / 100);
    expect(totals.updates).toBeGreaterThan(COUNT / 10);
    expect(totals.queries).toBeGreaterThan(COUNT / 20);
    expect(totals.failovers).toBeGreaterThan(COUNT / 20);
  });
});

describe('a seed is a run', () => {
  test('the same seed gives the same result, also in used memory', () => {
    const first = checkTransparency(7);
    checkTransparency(8, { memory });
    expect(checkTransparency(7, { memory })).toEqual(first);
  });
});

/** Breaks the machine with offload of some seeds; the error of the first that notices. */
function sabotaged(prepare: (sim: Simulation) => void): { seed: number; error: string } {
  for (let seed = 1; seed <= 30; seed++) {
    const { error } = checkTransparency(seed, { memory, prepare });
    if (error !== undefined) return { seed, error };
  }
  throw new Error('nobody noticed');
}

describe('the comparison notices', () => {
  test('a completion that is reported out of order', () => {
    const { error } = sabotaged(sim => {
      for (const { host } of sim.hosts) {
        const complete = host.tli.sendComplete.bind(host.tli);
        let kept: Parameters<typeof complete> | null = null;
        host.tli.sendComplete = (...call) => {
          if (kept === null) kept = call;
          else {
            complete(...call);
            complete(...kept);
            kept = null;
          }
        };
      }
    });
    expect(error).toMatch(/completions|not finished|stuck/);
  });

  test('a connection that a device keeps', () => {
    const { error } = sabotaged(sim => {
      for (const { host } of sim.hosts) host.chimney.takeBack = () => {};
    });
    expect(error).toContain('connections in the chimney');
  });

  test('data that a device never delivers', () => {
    const { error } = sabotaged(sim => {
      // They would find it before the comparison does.
      for (const checker of sim.checkers) checker.detach();
      for (const { host } of sim.hosts) {
        for (const { adapter } of host.miniports) {
          const { up, down } = adapter;
          up.indicateReceive = (_context, buffer) => down.returnBuffer(buffer);
        }
      }
    });
    expect(error).toMatch(/bytes, the peer sends/);
  });

  test('and what fails is made smaller', () => {
    const prepare: TransparencyOptions['prepare'] = sim => {
      for (const { host } of sim.hosts) host.chimney.takeBack = () => {};
    };
    const { seed } = sabotaged(prepare);
    const small = shrinkPlan(drawTransparency(seed), { memory, prepare });
    expect(small.connections).toHaveLength(1);
    expect(small.actions.length).toBeLessThanOrEqual(1);
  });
});
