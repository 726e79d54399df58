/**
 * Before the `threads` project: a build, if src has changed since the last one. A stale dist would be tested otherwise.
 */
import { execFileSync } from 'node:child_process';

export function setup(): void {
  const call = "import('./scripts/setup.mjs').then(setup => setup.ensureBuilt())";
  execFileSync(process.execPath, ['--input-type=module', '-e', call], { stdio: ['ignore', 2, 2] });
}
