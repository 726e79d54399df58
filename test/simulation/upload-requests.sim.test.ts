/**
 * Storms of which the NICs keep asking for connections back, at any moment of their lives (D30, R27, ¶57): no byte is lost,
 * no invariant broken, whether the host or the device keeps the segments of the meantime.
 */
import { expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { createMemory } from '../../src/memory/memory.ts';
import { TcpUploadReason } from '../../src/offload/events.ts';
import type { TargetOptions } from '../../src/offload/target-options.ts';
import { runSeed } from '../../src/scenario/simulate.ts';

const memory = createMemory(24 << 20);
const REASONS = Object.values(TcpUploadReason).filter(reason => reason !== TcpUploadReason.HardwareFailure);
const SEEDS = Array.from({ length: 15 }, (_, index) => 300 + index);

for (const forwardWhileUploading of ['refuse', 'buffer'] as const) {
  test(`segments of the meantime: ${forwardWhileUploading}`, () => {
    let asked = 0;
    for (const seed of SEEDS) {
      const random = new Prng(seed);
      const result = runSeed(seed, {
        memory,
        prepare: ({ sim }) => {
          for (const nic of sim.nics) {
            Object.assign<TargetOptions, Partial<TargetOptions>>(nic.boot.config.target, { forwardWhileUploading });
          }
          const { onRound } = sim;
          sim.onRound = nowUs => {
            onRound(nowUs);
            const nic = sim.nics[random.below(sim.nics.length)]!;
            if (random.below(20) > 0 || nic.tree.connections === 0) return;
            nic.requestUpload(random.below(8), REASONS[random.below(REASONS.length)]!);
            asked++;
          };
        },
      });
      if (!result.ok) expect.fail(`seed ${seed}: ${result.error}`);
    }
    expect(asked).toBeGreaterThan(SEEDS.length);
  });
}
