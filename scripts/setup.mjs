/**
 * Makes a fresh clone ready: installs from the lock file and builds, each only when it is needed.
 *
 * Called by `run.mjs` (npm start, npm run chimney) and `test.mjs` (npm test) before they load anything, so this file may
 * use nothing but Node itself. Everything it prints goes to stderr: stdout belongs to the command that follows (--json).
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder with package.json; every path below starts here, so the scripts work from any directory. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What a build depends on. A change of any of these, also a removal, makes the next command build. */
const buildInputs = [
  'src',
  'assembly',
  'types',
  'scripts/build.mjs',
  'tsconfig.json',
  'tsconfig.build.json',
  'package-lock.json',
];
/** Written by the build itself, so not an input of it. */
const generated = new Set(['src/memory/kernels.wasm']);
const buildStamp = join(root, 'dist', '.build-stamp');

/** Runs a program with its output on our stderr. Ends this process with its exit code when it fails. */
export function runOrExit(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (result.error !== undefined) {
    console.error(`chimney: cannot run ${command}: ${result.error.message}`);
    process.exit(1);
  }
  if (result.status !== 0) {
    console.error(`chimney: "${[command, ...args].join(' ')}" failed (${result.signal ?? `exit ${result.status}`})`);
    process.exit(result.status || 1);
  }
}

/** Runs `npm ci` in `folder` when node_modules is missing or was installed from another lock file. */
export function ensureInstalled(folder = root) {
  const lock = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex');
  const stamp = join(folder, 'node_modules', '.chimney-lock-hash');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error(`chimney: installing dependencies in ${folder}`);
  // Development tools are needed to build, whatever NODE_ENV says.
  runOrExit('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], { cwd: folder });
  writeFileSync(stamp, lock);
}

/** One line per input file: path, size and time. Also notices deleted files, which "newer than" would not. */
export function describeInputs() {
  const lines = [];
  const visit = path => {
    const full = join(root, path);
    const info = statSync(full, { throwIfNoEntry: false });
    if (info === undefined || generated.has(path)) return;
    if (info.isDirectory()) {
      for (const name of readdirSync(full).sort()) visit(`${path}/${name}`);
    } else {
      lines.push(`${path} ${info.size} ${info.mtimeMs}`);
    }
  };
  buildInputs.forEach(visit);
  return lines.join('\n');
}

/** Builds when dist is missing or an input changed since the last build. */
export function ensureBuilt() {
  const outputs = ['dist/index.js', 'dist/memory/kernels.wasm', 'src/memory/kernels.wasm'];
  const complete = outputs.every(path => existsSync(join(root, path)));
  if (complete && existsSync(buildStamp) && readFileSync(buildStamp, 'utf8') === describeInputs()) return;
  console.error('chimney: building');
  runOrExit(process.execPath, ['scripts/build.mjs']);
}

/** Called by build.mjs when everything succeeded, with the description that it took before it started. */
export function markBuilt(inputs) {
  writeFileSync(buildStamp, inputs);
}
