/**
 * `npm test`: makes the clone ready, then runs every test with vitest. Further arguments are vitest's own:
 *
 *   npm test -- test/ring            only these files
 *   npm test -- --project threads    only the tests with real threads
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './setup.mjs';

ensureInstalled();
ensureBuilt();
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const result = spawnSync(process.execPath, [vitest, 'run', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
process.exit(result.status ?? 1);
