/**
 * Two kinds of tests. `unit` imports `src/*.ts` and runs in virtual time, in one thread: unit, ladder, property and
 * simulation tests. `threads` imports the built package by its own name, because workers need JavaScript, and has real
 * threads in real time: few, one file after the other, in processes of their own, so that a thread stuck in
 * Atomics.wait cannot freeze the runner.
 */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    maxWorkers: 2,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'html', 'json-summary'] },
    projects: [
      {
        test: {
          name: 'unit',
          pool: 'forks',
          // Files share a process, its modules and its warm code, which halves the time: what one leaves behind is its fault.
          isolate: false,
          include: ['test/**/*.test.ts'], // also *.sim.test.ts and *.ladder.test.ts
          exclude: ['test/threads/**'],
          globalSetup: ['test/setup/build-kernels.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'threads',
          pool: 'forks',
          include: ['test/threads/**/*.test.ts'],
          globalSetup: ['test/setup/build-dist.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
