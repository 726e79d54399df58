/**
 * One physical memory a machine (architecture §2.1): a shared WebAssembly.Memory, cut into named regions at boot.
 *
 * Addresses are 32-bit byte offsets, as DMA addresses are; 0 is never a valid address. Views are made once a thread
 * (a new view per access costs five times a cursor). A region is what a device may be granted: `Window` is its IOMMU.
 */
import { assert } from '../base/assert.ts';
import { ChimneyError } from '../base/errors.ts';
import { type Kernels, wasmKernels } from './kernels.ts';

const PAGE = 65536;
/** The first page stays unused, so that 0 and small numbers are never addresses. */
const FIRST_ADDRESS = PAGE;
const LARGEST_BYTES = 0x7fff0000;

export interface Memory {
  readonly wasm: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  /** Big-endian access to frames. */
  readonly view: DataView;
  readonly kernels: Kernels;
  readonly byteLength: number;
}

export interface Region {
  readonly name: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** Makes a thread's views of a memory. */
export function attachMemory(wasm: WebAssembly.Memory): Memory {
  const buffer = wasm.buffer;
  return {
    wasm,
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    i32: new Int32Array(buffer),
    view: new DataView(buffer),
    kernels: wasmKernels(wasm),
    byteLength: buffer.byteLength,
  };
}

export function createMemory(byteLength: number): Memory {
  const pages = Math.ceil(byteLength / PAGE) + 1;
  try {
    if (pages * PAGE > LARGEST_BYTES) throw new RangeError('addresses are 31 bits wide');
    return attachMemory(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
  } catch (cause) {
    const mebibytes = Math.ceil(byteLength / 1048576);
    throw new ChimneyError(
      'ERR_CHIMNEY_MEMORY',
      `the machine needs ${mebibytes} MiB of memory, which cannot be had: use fewer NICs or a smaller --concurrency`,
      { cause },
    );
  }
}

/** An earlier machine's memory, emptied, if it is large enough: shared memory is given back late, if ever. */
export function reuseMemory(memory: Memory | undefined, byteLength: number): Memory {
  if (memory === undefined || memory.byteLength < byteLength) return createMemory(byteLength);
  // Words: a shared array is filled element by element.
  memory.i32.fill(0, 0, Math.ceil(byteLength / 4));
  return memory;
}

/** Sizes a machine before its memory exists, then hands out the regions: run the same plan twice. */
export class RegionPlan {
  readonly regions: Region[] = [];
  #at = FIRST_ADDRESS;

  get byteLength(): number {
    return this.#at;
  }

  /** Reserves a region. Alignment is a cache line unless said otherwise. */
  add(name: string, byteLength: number, align = 64): Region {
    assert(
      byteLength > 0 && align > 0 && (align & (align - 1)) === 0,
      `region ${name}: ${byteLength} bytes aligned to ${align}`,
    );
    const offset = Math.ceil(this.#at / align) * align;
    this.#at = offset + byteLength;
    const region = { name, offset, byteLength };
    this.regions.push(region);
    return region;
  }
}

/** The regions a device was granted: every address it is handed is checked here before use (architecture §2.8). */
export class Window {
  readonly #starts: number[];
  readonly #ends: number[];

  constructor(regions: readonly Region[]) {
    this.#starts = regions.map(region => region.offset);
    this.#ends = regions.map(region => region.offset + region.byteLength);
  }

  allows(address: number, byteLength: number): boolean {
    if (byteLength < 0 || address < FIRST_ADDRESS) return false;
    for (let i = 0; i < this.#starts.length; i++) {
      if (address >= this.#starts[i]! && address + byteLength <= this.#ends[i]!) return true;
    }
    return false;
  }
}
