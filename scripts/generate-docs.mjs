/**
 * Generates docs/layouts.md and docs/state-objects.md from the records of dist, docs/compliance.md from titles and labels in src and test, docs/loss-sweep.md from runs in virtual time. `--check` writes nothing and fails when a file is stale; test/threads/docs.test.ts runs that.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compliance, MISSING_FAILS } from './docs/compliance.mjs';
import { root } from './docs/files.mjs';
import { layouts } from './docs/layouts.mjs';
import { lossSweepPage } from './docs/loss-sweep.mjs';
import { stateObjects } from './docs/state-objects.mjs';

function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not there yet: stale.
    return '';
  }
}

/** Lines of the sources may have moved: that alone makes no page stale. */
function isCurrent(before, after) {
  const unnumbered = text => text.replaceAll(/(\.ts):\d+/g, '$1');
  return unnumbered(before) === unnumbered(after);
}

const check = process.argv.includes('--check');
const { text: complianceText, missing, idle, untitled } = compliance();
let wrong = false;
for (const [file, text] of [
  ['docs/layouts.md', await layouts()],
  ['docs/state-objects.md', await stateObjects()],
  ['docs/compliance.md', complianceText],
  ['docs/loss-sweep.md', await lossSweepPage()],
]) {
  const path = join(root, file);
  if (check ? isCurrent(textOf(path), text) : textOf(path) === text) continue;
  if (check) {
    wrong = true;
    console.error(`${file} is stale: run npm run docs`);
  } else {
    writeFileSync(path, text);
    console.error(`${file} written`);
  }
}
if (missing.length > 0) {
  console.error(`neither test nor reason: ${missing.join(' ')}`);
  wrong ||= MISSING_FAILS;
}
if (untitled.length > 0) {
  console.error(`RFCs without a title in scripts/docs/rfc-titles.mjs: ${untitled.join(' ')}`);
  wrong = true;
}
if (idle.length > 0) console.error(`reasons in scripts/docs/reasons.mjs that a test made needless: ${idle.join(' ')}`);
process.exitCode = wrong ? 1 : 0;
