/**
 * A NIC that hung, was given up by its team, and wakes again.
 */
import { describe, expect, it } from 'vitest';
import { NOTHING } from '../../src/host/policy/nothing.ts';
import { planMachine } from '../../src/machine-plan.ts';
import { Simulation } from '../../src/simulation.ts';

const ADDRESS = 0x0a000001;

function team(): Simulation {
  const nics = [{ name: 'nic0' }, { name: 'nic1' }];
  const plan = planMachine({ hosts: [{ name: 'host', nics, connections: 64 }], small: true });
  const interfaces = [{ address: ADDRESS, prefixLength: 24, vid: 0 }];
  return new Simulation({ plan, wiring: [{ interfaces, routes: [], team: true, policy: NOTHING }], seed: 1 });
}

describe('a NIC whose heartbeat stopped (R37)', () => {
  it('is fenced: it never acts again, even when its firmware wakes', () => {
    const sim = team();
    const [nic0] = sim.nics;
    sim.runFor(100_000);
    nic0!.stall();
    sim.runFor(2_000_000);
    expect(sim.host.team!.failovers).toMatchObject([{ nic: 'nic0', to: 'nic1', cause: 'heartbeat' }]);
    const { framesTransmitted } = nic0!.stats;
    nic0!.resume();
    sim.host.host.framing.announce(sim.host.host.interfaces[0]!);
    sim.runFor(1_000_000);
    expect(nic0!.step(sim.clock.nowUs(), 64)).toBe(0);
    expect(nic0!.hasWork()).toBe(false);
    expect(nic0!.stats.framesTransmitted).toBe(framesTransmitted);
  });
});
