/** Frames that go from one cable to another, through the switch. */
import { describe, expect, test } from 'vitest';
import type { HostWiring } from '../../src/assemble-host.ts';
import { NOTHING } from '../../src/host/policy/nothing.ts';
import { planMachine } from '../../src/machine-plan.ts';
import { Simulation } from '../../src/simulation.ts';

const DELAY_US = 10_000;
const A = 0x0a000001;
const B = 0x0a000002;

describe('two cables, each with a delay', () => {
  test('take as long as both together, also after a silence; a tap on the second shows when a frame came', () => {
    const plan = planMachine({
      hosts: ['a', 'b'].map(name => ({ name, nics: [{ name: `${name}0` }], connections: 16 })),
      small: true,
    });
    const wiring = [A, B].map((address): HostWiring => {
      return { interfaces: [{ address, prefixLength: 24, vid: 0 }], routes: [], team: false, policy: NOTHING };
    });
    const sim = new Simulation({ plan, wiring, seed: 1 });
    const { fabric, clock } = sim;
    for (const { name } of fabric.cables) fabric.setFaults(name, { delayUs: DELAY_US });
    const seen: number[] = [];
    fabric.cables[1]!.addTap({ frame: (_id, nowUs, _at, _length, outbound) => void (outbound || seen.push(nowUs)) }, 1);
    let connectedUs = -1;
    const ignore = {
      received: (_c: unknown, _at: number, length: number) => length,
      ended() {},
      sent() {},
      closed() {},
    };
    sim.hosts[1]!.host.tli.listen(80, { connected() {}, ...ignore });
    const { host } = sim.hosts[0]!;
    for (const silenceUs of [0, 77_000]) {
      sim.runFor(1_000_000 + silenceUs);
      seen.length = 0;
      const startUs = clock.nowUs();
      host.setTime(startUs);
      host.tli.connect(B, 80, { connected: () => (connectedUs = clock.nowUs()), ...ignore });
      for (const miniport of host.miniports) miniport.flush();
      sim.runFor(500_000);
      // The first finds out B's address before: a round trip more.
      const trips = silenceUs === 0 ? 2 : 1;
      expect(connectedUs - startUs).toBeGreaterThanOrEqual(trips * 4 * DELAY_US);
      expect(connectedUs - startUs).toBeLessThan(trips * 4 * DELAY_US + 1000);
      expect(seen[0]! - startUs).toBeGreaterThanOrEqual(2 * DELAY_US);
    }
  });
});
