/**
 * Mutation check of the linter's configuration: a rule that does not run reports nothing, just like clean code. Builds a
 * small tree of bad files with the project's own configuration, lints it once, and expects each file to break its rule.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

interface Diagnostic {
  code: string;
  filename: string;
}

const oxlint = resolve('node_modules/oxlint/bin/oxlint');
const tree = mkdtempSync(join(tmpdir(), 'chimney-lint-'));
const broken = new Map<string, string[]>();
let status: number | null = null;

const use = (specifier: string): string => `import { thing } from '${specifier}';\nexport const other = thing;\n`;

/** Imports that the ladder forbids, and imports that it must let pass. */
const forbidden: [string, string][] = [
  ['src/base', '../memory/record.ts'],
  ['src/memory', '../wire/tcp.ts'],
  ['src/wire', '../tcp/tcb.ts'],
  ['src/tcp', '../offload/requests.ts'],
  ['src/tcp', '../host/transport/transport.ts'],
  ['src/offload', '../ring/spsc-ring.ts'],
  ['src/ring', '../device/device.ts'],
  ['src/host', '../device/device.ts'],
  ['src/host', '../fabric/switch.ts'],
  ['src/host/tli', '../../net/socket.ts'],
  ['src/device', '../host/ndis.ts'],
  ['src/fabric', '../device/mac.ts'],
  ['src/intermediate-driver', '../host/transport.ts'],
  ['src/intermediate-driver', '../device/device.ts'],
  ['src/net', '../device/device.ts'],
  ['src/net', '../dgram/socket.ts'],
  ['src/dgram', '../fabric/switch.ts'],
  ['src/host', '../dgram/socket.ts'],
  ['src/tcp', '../machine.ts'],
  ['src/device', '../scenario/storm.ts'],
];
const permitted: [string, string][] = [
  ['src/ring', '../memory/memory.ts'],
  ['src/device', '../ring/spsc-ring.ts'],
  ['src/intermediate-driver', '../host/ndis.ts'],
  ['src/intermediate-driver', '../host/ndis/ndis.ts'],
  ['src/intermediate-driver', '../host/ndis-tables.ts'],
  ['src/net', '../host/tli/switch.ts'],
  ['src/dgram', '../host/udp.ts'],
  ['src/dgram', '../net/errors.ts'],
  ['src/scenario', '../machine.ts'],
];

/** Clocks and chance: forbidden in the layers, allowed in the command line. */
const impure: [string, string, string][] = [
  ['date', 'export const now = Date.now();\n', 'no-restricted-globals'],
  ['set-timeout', 'setTimeout(() => {}, 1);\n', 'no-restricted-globals'],
  ['set-interval', 'setInterval(() => {}, 1);\n', 'no-restricted-globals'],
  ['set-immediate', 'setImmediate(() => {});\n', 'no-restricted-globals'],
  ['random', 'export const chance = Math.random();\n', 'no-restricted-properties'],
  ['performance', 'export const now = performance.now();\n', 'no-restricted-properties'],
  [
    'timers',
    "import { setTimeout } from 'node:timers/promises';\nexport const later = setTimeout;\n",
    'no-restricted-imports',
  ],
];

const others: [string, string, string][] = [
  [
    'floating',
    'async function f(): Promise<void> {}\nexport function g(): void {\n  f();\n}\n',
    'no-floating-promises',
  ],
  [
    'switch',
    "export function f(of: 'host' | 'nic'): number {\n  switch (of) {\n    case 'host':\n      return 1;\n  }\n  return 0;\n}\n",
    'switch-exhaustiveness-check',
  ],
  ['any', 'export const anything: any = 1;\n', 'no-explicit-any'],
  ['cycle-a', "import { b } from './cycle-b.ts';\nexport const a = (): number => b();\n", 'no-cycle'],
  ['cycle-b', "import { a } from './cycle-a.ts';\nexport const b = (): number => a();\n", 'no-cycle'],
];

const importFile = (folder: string, specifier: string): string =>
  `${folder}/imports-${specifier.replace(/[^a-z]+/g, '-')}.ts`;

function put(path: string, source: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), source);
}

beforeAll(() => {
  for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) copyFileSync(name, join(tree, name));
  symlinkSync(resolve('node_modules'), join(tree, 'node_modules')); // for the type-aware half of the linter
  for (const [folder, specifier] of [...forbidden, ...permitted]) put(importFile(folder, specifier), use(specifier));
  for (const [name, source] of [...impure, ...others]) put(`src/host/${name}.ts`, source);
  for (const [name, source] of impure) put(`src/cli/${name}.ts`, source);
  const result = spawnSync(process.execPath, [oxlint, '--type-aware', '--format=json', '.'], {
    cwd: tree,
    encoding: 'utf8',
  });
  status = result.status;
  const report = JSON.parse(result.stdout) as { diagnostics: Diagnostic[] };
  for (const { filename, code } of report.diagnostics) broken.set(filename, [...(broken.get(filename) ?? []), code]);
});

afterAll(() => rmSync(tree, { recursive: true, force: true }));

function rulesBrokenBy(path: string): string {
  return (broken.get(path) ?? []).join(' ');
}

test('a tree with bad files fails', () => {
  expect(status).not.toBe(0);
});

describe('the import ladder', () => {
  test.each(forbidden)('forbids %s to import %s', (folder, specifier) => {
    expect(rulesBrokenBy(importFile(folder, specifier))).toContain('no-restricted-imports');
  });

  test.each(permitted)('lets %s import %s', (folder, specifier) => {
    expect(rulesBrokenBy(importFile(folder, specifier))).not.toContain('no-restricted-imports');
  });
});

describe('time and randomness', () => {
  test.each(impure)('%s is forbidden in the layers, not in the command line', (name, _source, rule) => {
    expect(rulesBrokenBy(`src/host/${name}.ts`)).toContain(rule);
    expect(rulesBrokenBy(`src/cli/${name}.ts`)).not.toContain(rule);
  });
});

describe('the other rules that matter', () => {
  test.each(others)('%s is found', (name, _source, rule) => {
    expect(rulesBrokenBy(`src/host/${name}.ts`)).toContain(rule);
  });
});
