/**
 * The WebAssembly kernels against their plain JavaScript twin and against published answers: RFC 1071 section 3,
 * RFC 1624 section 4 and the verification suite of Microsoft's "Verifying the RSS Hash Calculation".
 */
import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import {
  type Kernels,
  TOEPLITZ_INPUT_BYTES_MAX,
  TOEPLITZ_KEY_BYTES,
  scriptKernels,
  wasmKernels,
} from '../../src/memory/kernels.ts';

const PAGE = 65536;
const LENGTH_MAX = 9000;
const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
memory.grow(1);
const bytes = new Uint8Array(memory.buffer);
const variants: [string, Kernels][] = [
  ['wasm', wasmKernels(memory)],
  ['script', scriptKernels(memory)],
];
const wasm = variants[0]![1];
const script = variants[1]![1];

/** Fills the memory from a seed; one seed in four gives only 0x00 and 0xff, where one's complement has two zeros. */
function fill(seed: number): void {
  let state = seed | 1;
  for (let at = 0; at < bytes.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = (seed & 3) === 0 ? -(state & 1) : state;
  }
}

const lengths = fc.oneof(fc.integer({ min: 0, max: 160 }), fc.integer({ min: 0, max: LENGTH_MAX }));
const alignments = fc.integer({ min: 0, max: 63 });
const seeds = fc.integer();
const initials = fc.oneof(fc.constantFrom(0, 1, 0xfffe, 0xffff), fc.integer({ min: 0, max: 0xffff }));

describe('checksum', () => {
  test.each(variants)('sums the example of RFC 1071 section 3 (%s)', (_name, kernels) => {
    bytes.set([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], 101);
    expect(kernels.checksum(101, 8, 0)).toBe(0xddf2);
  });

  test.each(variants)('sums an IPv4 header to 0xffff with its checksum in place (%s)', (_name, kernels) => {
    const header = '4500003044224000800600008c7c19acae241e2b';
    bytes.set(Buffer.from(header, 'hex'), 7);
    expect(kernels.checksum(7, 20, 0) ^ 0xffff).toBe(0x442e);
    bytes.set([0x44, 0x2e], 7 + 10);
    expect(kernels.checksum(7, 20, 0)).toBe(0xffff);
  });

  test.each(variants)('is `initial` for no bytes, and pads an odd byte on the right (%s)', (_name, kernels) => {
    bytes.set([0xab, 0xcd], 33);
    expect(kernels.checksum(33, 0, 0)).toBe(0);
    expect(kernels.checksum(33, 0, 0xffff)).toBe(0xffff);
    expect(kernels.checksum(33, 1, 0)).toBe(0xab00);
    expect(kernels.checksum(33, 1, 0x5500)).toBe(0x0001);
  });

  test.each(variants)('tells the two zeros apart: only zeros sum to 0 (%s)', (_name, kernels) => {
    bytes.fill(0, 0, 4096);
    expect(kernels.checksum(1, 3001, 0)).toBe(0);
    bytes.fill(0xff, 0, 4096);
    expect(kernels.checksum(1, 3000, 0)).toBe(0xffff);
  });

  test.prop([seeds, alignments, lengths, initials])('equals the twin', (seed, offset, length, initial) => {
    fill(seed);
    expect(wasm.checksum(offset, length, initial)).toBe(script.checksum(offset, length, initial));
  });

  test.prop([seeds, alignments, lengths, fc.nat(), initials])(
    'can be continued at any even place',
    (seed, offset, length, cut, initial) => {
      fill(seed);
      const first = (cut % (length + 1)) & ~1;
      const sum = wasm.checksum(offset + first, length - first, wasm.checksum(offset, first, initial));
      expect(sum).toBe(wasm.checksum(offset, length, initial));
    },
  );

  test('does not overflow a lane in 3 MiB of ones or of zeros', () => {
    const big = new WebAssembly.Memory({ initial: 49, maximum: 49, shared: true });
    const view = new Uint8Array(big.buffer);
    const kernels = wasmKernels(big);
    expect(kernels.checksum(3, 3 * 1024 * 1024, 0)).toBe(0);
    view.fill(0xff);
    expect(kernels.checksum(3, 3 * 1024 * 1024, 0)).toBe(0xffff);
    view.fill(0x01);
    expect(kernels.checksum(3, 3 * 1024 * 1024 + 1, 0)).toBe(scriptKernels(big).checksum(3, 3 * 1024 * 1024 + 1, 0));
  });
});

describe('copy and copyChecksum', () => {
  const destination = 40_000;

  test.prop([seeds, alignments, alignments, lengths, initials])(
    'copy exactly the range and return the sum',
    (seed, from, shift, length, initial) => {
      const to = destination + shift;
      for (const [name, kernels] of variants) {
        fill(seed);
        const expected = bytes.slice();
        expected.copyWithin(to, from, from + length);
        const sum = script.checksum(from, length, initial);
        expect(kernels.copyChecksum(to, from, length, initial), name).toBe(sum);
        expect(Buffer.compare(bytes, expected), `${name}: copyChecksum`).toBe(0);
        fill(seed);
        kernels.copy(to, from, length);
        expect(Buffer.compare(bytes, expected), `${name}: copy`).toBe(0);
      }
    },
  );
});

describe('zero', () => {
  test.prop([seeds, alignments, lengths])('fills exactly the range', (seed, at, length) => {
    for (const [name, kernels] of variants) {
      fill(seed);
      const expected = bytes.slice().fill(0, at, at + length);
      kernels.zero(at, length);
      expect(Buffer.compare(bytes, expected), name).toBe(0);
    }
  });
});

describe('toeplitz', () => {
  // The key and the answers of Microsoft's verification suite: source, destination, without ports, with ports.
  const key = '6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa';
  const v4 = [
    ['66.9.149.187:2794', '161.142.100.80:1766', 0x323e8fc2, 0x51ccc178],
    ['199.92.111.2:14230', '65.69.140.83:4739', 0xd718262a, 0xc626b0ea],
    ['24.19.198.95:12898', '12.22.207.184:38024', 0xd2d0a5de, 0x5c2b394a],
    ['38.27.205.30:48228', '209.142.163.6:2217', 0x82989176, 0xafc7327f],
    ['153.39.163.191:44251', '202.188.127.2:1303', 0x5d1809c5, 0x10e828a2],
  ] as const;
  const v6 = [
    ['3ffe250102001fff0000000000000007', 2794, '3ffe2501020000030000000000000001', 1766, 0x2cc18cd5, 0x40207d3d],
    ['3ffe050100080000026097fffe40efab', 14230, 'ff020000000000000000000000000001', 4739, 0x0f0c461c, 0xdde51bbf],
    ['3ffe1900454500030200f8fffe2167cf', 44251, 'fe800000000000000200f8fffe2167cf', 38024, 0x4b61e985, 0x02d1feef],
  ] as const;
  const keyAt = 1003;
  const inputAt = 2001;

  function hash(kernels: Kernels, input: readonly number[]): number {
    bytes.set(Buffer.from(key, 'hex'), keyAt);
    bytes.set(input, inputAt);
    return kernels.toeplitz(inputAt, input.length, keyAt) >>> 0;
  }

  const port = (value: number): number[] => [value >>> 8, value & 0xff];

  test.each(variants)("gives Microsoft's answers for IPv4 (%s)", (_name, kernels) => {
    for (const [source, destination, plain, withPorts] of v4) {
      const [from, to] = [source, destination].map(text => text.split(':'));
      const addresses = [...from![0]!.split('.'), ...to![0]!.split('.')].map(Number);
      expect(hash(kernels, addresses)).toBe(plain);
      expect(hash(kernels, [...addresses, ...port(Number(from![1])), ...port(Number(to![1]))])).toBe(withPorts);
    }
  });

  test.each(variants)("gives Microsoft's answers for IPv6 (%s)", (_name, kernels) => {
    for (const [source, sourcePort, destination, destinationPort, plain, withPorts] of v6) {
      const addresses = [...Buffer.from(source, 'hex'), ...Buffer.from(destination, 'hex')];
      expect(hash(kernels, addresses)).toBe(plain);
      expect(hash(kernels, [...addresses, ...port(sourcePort), ...port(destinationPort)])).toBe(withPorts);
    }
  });

  test.prop([seeds, alignments, fc.integer({ min: 0, max: TOEPLITZ_INPUT_BYTES_MAX }), alignments])(
    'equals the twin',
    (seed, offset, length, keyShift) => {
      fill(seed);
      const keyOffset = 500 + keyShift;
      expect(wasm.toeplitz(offset, length, keyOffset)).toBe(script.toeplitz(offset, length, keyOffset));
    },
  );

  test.each(variants)(
    'refuses an input longer than the key serves, and reads no byte past the key (%s)',
    (_n, kernels) => {
      const end = bytes.length;
      expect(() => kernels.toeplitz(0, TOEPLITZ_INPUT_BYTES_MAX + 1, 500)).toThrow();
      for (let length = 0; length <= TOEPLITZ_INPUT_BYTES_MAX; length++) {
        expect(() => kernels.toeplitz(0, length, end - TOEPLITZ_KEY_BYTES)).not.toThrow();
      }
    },
  );
});

describe('linking', () => {
  test('takes a shared memory of any maximum and leaves its bytes alone', () => {
    for (const maximum of [1, 2, 100, 32768, 65536]) {
      const other = new WebAssembly.Memory({ initial: 1, maximum, shared: true });
      const view = new Uint8Array(other.buffer).fill(0xa5);
      wasmKernels(other);
      expect(view.every(byte => byte === 0xa5)).toBe(true);
    }
  });

  test('sees a memory that has grown since, on both twins', () => {
    const other = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
    const both = [wasmKernels(other), scriptKernels(other)];
    other.grow(1);
    new Uint8Array(other.buffer).fill(1, PAGE);
    for (const kernels of both) expect(kernels.checksum(PAGE, 3, 0)).toBe(0x0201);
  });

  test('works up to the last byte of a memory of 4 GiB', () => {
    const other = new WebAssembly.Memory({ initial: 65536, maximum: 65536, shared: true });
    const kernels = wasmKernels(other);
    const end = 65536 * PAGE;
    new DataView(other.buffer).setUint16(end - 2, 0x1234);
    expect(kernels.checksum(end - 1472, 1472, 0)).toBe(0x1234);
    expect(kernels.copyChecksum(end - 8192, end - 100, 100, 1)).toBe(0x1235);
    kernels.copy(end - 30, 64, 30);
    expect(kernels.checksum(end - 1472, 1472, 0)).toBe(0);
  });
});
