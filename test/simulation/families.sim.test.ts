/** Drawn machines speak either IP version, or both; stations behind routers are reached by both. */
import { describe, expect, test } from 'vitest';
import { runSeed } from '../../src/scenario/simulate.ts';
import { drawSeed } from '../../src/scenario/simulate-plan.ts';

const familyOf = (seed: number): string => {
  const { routes, ipv6Routes } = drawSeed(seed).wiring;
  if (ipv6Routes!.length === 0) return 'ipv4';
  return routes.length === 0 ? 'ipv6' : 'both';
};

/** The first of these seeds that draws the family, and offloads without bottlenecks. */
const seedOf = (family: string): number => {
  for (let seed = 1; ; seed++) {
    const { wiring, machine } = drawSeed(seed);
    const hasRoom = machine.hosts[0]!.nics.every(
      ({ tcpEntries, pathEntries }) => Math.min(tcpEntries, pathEntries) > 32,
    );
    if (familyOf(seed) === family && hasRoom && !wiring.team) return seed;
  }
};

describe('the family of a seed', () => {
  test('is drawn', () => {
    const drawn = new Set(Array.from({ length: 30 }, (_, seed) => familyOf(seed)));
    expect(drawn).toEqual(new Set(['ipv4', 'ipv6', 'both']));
  });

  test.each(['ipv6', 'both'])('%s: connections are offloaded by it, and every byte arrives', family => {
    const counted = { ipv4: 0, ipv6: 0 };
    const result = runSeed(seedOf(family), {
      prepare: ({ sim }) => {
        const { onRound } = sim;
        sim.onRound = nowUs => {
          const [nic] = sim.nics;
          counted.ipv4 = nic!.stats.ipv4.inSegments;
          counted.ipv6 = nic!.stats.ipv6.inSegments;
          onRound(nowUs);
        };
      },
    });
    expect(result).toMatchObject({ ok: true, lost: 0 });
    expect(counted.ipv6).toBeGreaterThan(0);
    if (family === 'ipv6') expect(counted.ipv4).toBe(0);
    else expect(counted.ipv4).toBeGreaterThan(0);
  });
});
