/**
 * Builds dist: the AssemblyScript kernels with asc, then src with tsc. No bundler.
 *
 *   node scripts/build.mjs [--clean] [--kernels-only]
 *
 * --clean removes dist first; --kernels-only stops after the WebAssembly, which is all that a type check and the tests
 * on src need. Output goes to stderr, for the sake of commands that build before they print JSON.
 */
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeInputs, markBuilt, root, runOrExit } from './setup.mjs';

const kernelSource = join(root, 'assembly', 'kernels.ts');
const kernelBinary = join(root, 'src', 'memory', 'kernels.wasm');

/**
 * Memory is imported, shared and of any size: 65,536 pages is the largest maximum WebAssembly knows, and an import
 * accepts every memory whose own maximum is not larger. Low memory belongs to the caller, so nothing may be put there:
 * the stub runtime and the absence of strings and static arrays keep the module free of data segments.
 */
const kernelOptions = (
  '--enable simd --enable threads --sharedMemory --importMemory --initialMemory 1 --maximumMemory 65536 --memoryBase 0 ' +
  '--runtime stub --use abort= --noAssert --optimizeLevel 3 --shrinkLevel 0 --converge'
).split(' ');

function buildKernels() {
  const sources = [kernelSource, fileURLToPath(import.meta.url)];
  if (existsSync(kernelBinary) && sources.every(source => statSync(source).mtimeMs < statSync(kernelBinary).mtimeMs))
    return;
  const asc = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
  runOrExit(process.execPath, [asc, kernelSource, '--outFile', kernelBinary, ...kernelOptions]);
}

function buildTypeScript() {
  mkdirSync(join(root, 'dist', 'memory'), { recursive: true });
  copyFileSync(kernelBinary, join(root, 'dist', 'memory', 'kernels.wasm'));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  runOrExit(process.execPath, [tsc, '-p', 'tsconfig.build.json']);
}

const inputs = describeInputs();
if (process.argv.includes('--clean')) rmSync(join(root, 'dist'), { recursive: true, force: true });
if (process.argv.includes('--clean')) rmSync(kernelBinary, { force: true });
buildKernels();
if (!process.argv.includes('--kernels-only')) {
  buildTypeScript();
  markBuilt(inputs);
}
