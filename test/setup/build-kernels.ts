/**
 * Before the `unit` project: the WebAssembly that `src/memory/kernels.ts` reads. No more than that, so that tests of
 * one folder run while another does not compile yet.
 */
import { execFileSync } from 'node:child_process';

export function setup(): void {
  execFileSync(process.execPath, ['scripts/build.mjs', '--kernels-only'], { stdio: ['ignore', 2, 2] });
}
