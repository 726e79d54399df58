/**
 * The kernels that touch every byte, beside their plain JavaScript twins: checksum, and copy with checksum.
 *
 * Sizes are those of TCP payloads: a small segment, the default MSS, Ethernet's, and that of jumbo frames. One measured call
 * goes over all segments of a buffer that is larger than the first cache, at odd offsets as payloads lie, so that neither the
 * clock nor a warm line is what is measured.
 */
import { isMainThread } from 'node:worker_threads';
import { createMemory } from 'chimney/internal/memory/memory';
import { scriptKernels } from 'chimney/internal/memory/kernels';
import { Bench } from 'tinybench';
import { runIfMain, timeRow } from './rows.mjs';

const BENCH = 'checksum';
const SIZES = [64, 536, 1460, 8960];
const SEGMENTS = 64;
const STRIDE = 9216;
const FIRST = 65536;
const SOURCE = FIRST + 54; // behind Ethernet, IPv4 and TCP headers
const TARGET = FIRST + SEGMENTS * STRIDE + 128;

const calls = {
  checksum(kernels, size) {
    let sum = 0;
    for (let i = 0, at = SOURCE; i < SEGMENTS; i++, at += STRIDE) sum ^= kernels.checksum(at, size, sum);
    return sum;
  },
  copyChecksum(kernels, size) {
    let sum = 0;
    for (let i = 0, at = 0; i < SEGMENTS; i++, at += STRIDE)
      sum ^= kernels.copyChecksum(TARGET + at, SOURCE + at, size, sum);
    return sum;
  },
};

/** @returns {Promise<import('./rows.mjs').Row[]>} */
export async function run({ quick }) {
  const memory = createMemory(TARGET + SEGMENTS * STRIDE);
  for (let i = FIRST; i < TARGET; i++) memory.u8[i] = Math.imul(i, 0x9e3779b1) >>> 24;
  const twin = scriptKernels(memory.wasm);
  const rows = [];
  for (const [name, call] of Object.entries(calls)) {
    for (const size of SIZES) {
      if (call(memory.kernels, size) !== call(twin, size)) throw new Error(`${name}(${size}) differs from its twin`);
      const bench = new Bench({ time: quick ? 60 : 400, warmupTime: quick ? 30 : 100 });
      bench.add('wasm', () => call(memory.kernels, size));
      bench.add('script', () => call(twin, size));
      await bench.run();
      const [ours, rival] = bench.tasks.map(task => (task.result.latency.p50 / SEGMENTS) * 1e6);
      rows.push(timeRow(BENCH, `${name} of ${size} bytes`, 'ns', ours, 'JavaScript', rival));
    }
  }
  return rows;
}

if (isMainThread) await runIfMain(import.meta.url, run);
