/**
 * `npm run profile:doctor|flame|bubbleprof`: runs the storm (or other arguments) under clinic and says where the report is.
 *
 *   npm run profile:doctor                          storm, 20,000 connections
 *   npm run profile:flame -- --connections 5000     further options of storm
 *   npm run profile:flame -- bulk --seconds 5       another command: the first word is no option
 *
 * Needs no browser and no terminal. Doctor and flame see the main thread only; for the workers use
 * `node --cpu-prof --cpu-prof-dir=.profile dist/cli/main.js storm`, which writes one file a thread.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './setup.mjs';

const tools = ['doctor', 'flame', 'bubbleprof'];
/** Bubbleprof now and then hangs and fills the disk with stack traces, so it gets a limit that cannot be ignored. */
const limitSeconds = { doctor: 600, flame: 600, bubbleprof: 120 };
const defaults = ['--rivals', 'none', '--connections', '20000'];
const reports = join(root, '.profile');
const profilePackage = join(root, 'tools', 'profile');

const [tool, ...extra] = process.argv.slice(2);
if (!tools.includes(tool)) {
  console.error(`usage: node scripts/profile.mjs ${tools.join('|')} [command] [options of the command]`);
  process.exit(2);
}

ensureInstalled();
ensureBuilt();
ensureInstalled(profilePackage);
mkdirSync(reports, { recursive: true });

const isCommand = extra.length > 0 && !extra[0].startsWith('-');
const target = isCommand ? extra : ['storm', ...defaults, ...extra];
const before = new Set(htmlReports());
const code = profile();
removeTraceLogs();
const report = htmlReports().find(name => !before.has(name));
if (report === undefined) {
  console.error(`chimney: clinic ${tool} left no report (exit ${code})`);
  process.exit(1);
}
console.log(relative(process.cwd(), join(reports, report)));
process.exit(code);

/** Runs clinic, in a process group of its own so that the limit also ends the program that it profiles. */
function profile() {
  const clinic = join(profilePackage, 'node_modules', 'clinic', 'bin.js');
  const program = ['node', join(root, 'dist', 'cli', 'main.js'), ...target];
  const preload = join(root, 'scripts', 'profile-main-thread.cjs');
  const nodeOptions = `${process.env['NODE_OPTIONS'] ?? ''} --require ${JSON.stringify(preload)}`;
  const limited = ['-s', 'KILL', String(limitSeconds[tool]), process.execPath, clinic, tool];
  const result = spawnSync('timeout', [...limited, '--open=false', '--dest', reports, '--', ...program], {
    cwd: root,
    stdio: ['ignore', 2, 2], // standard output is for the path of the report
    // Without these clinic asks a question, and silently does nothing when there is no terminal.
    env: { ...process.env, NO_INSIGHT: '1', NO_UPDATE_NOTIFIER: '1', NODE_OPTIONS: nodeOptions.trim() },
  });
  if (result.error !== undefined) throw result.error;
  if (result.signal === 'SIGKILL' || result.status === 137) {
    console.error(`chimney: clinic ${tool} was ended after ${limitSeconds[tool]} s`);
  }
  return result.status ?? 1;
}

/** Reports lie directly in the folder; clinic's raw data in folders beside them. One that failed is almost empty. */
function htmlReports() {
  return readdirSync(reports).filter(name => name.endsWith('.html') && statSync(join(reports, name)).size > 10_000);
}

/** A bubbleprof that was ended leaves these in the working directory. */
function removeTraceLogs() {
  for (const name of readdirSync(root)) {
    if (/^node_trace\.\d+\.log$/.test(name)) rmSync(join(root, name), { force: true });
  }
}
