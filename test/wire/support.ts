/**
 * Helpers of the codec tests: views over shared memory, and proof that a parser is blind to what lies around its
 * bytes. Parsers get views on `SharedArrayBuffer`s, as in the running machine.
 */
import fc from 'fast-check';
import { expect } from 'vitest';

export function sharedView(length: number): DataView {
  return new DataView(new SharedArrayBuffer(length));
}

/** Exactly these bytes: any read before or behind them throws a RangeError. */
export function viewOf(bytes: Uint8Array | string): DataView {
  const source = typeof bytes === 'string' ? Uint8Array.from(Buffer.from(bytes.replace(/\s/g, ''), 'hex')) : bytes;
  const view = sharedView(source.length);
  bytesOf(view).set(source);
  return view;
}

export function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

export function hexOf(view: DataView, at: number, length: number): string {
  return Buffer.from(bytesOf(view).slice(at, at + length)).toString('hex');
}

const BEFORE = 24;
const AFTER = 40;

/**
 * Parses the bytes alone in a view, then between two different surroundings: it must not throw, must not write, and
 * must say the same in both. Returns what it said.
 */
export function parseBlind<T>(bytes: Uint8Array, parse: (view: DataView, at: number, end: number) => T): T {
  const alone = viewOf(bytes);
  parse(alone, 0, bytes.length);
  expect(bytesOf(alone)).toEqual(bytes);
  const [zeros, ones] = [0x00, 0xff].map(canary => {
    const view = sharedView(BEFORE + bytes.length + AFTER);
    bytesOf(view).fill(canary);
    bytesOf(view).set(bytes, BEFORE);
    const before = bytesOf(view).slice();
    const result = parse(view, BEFORE, BEFORE + bytes.length);
    expect(bytesOf(view)).toEqual(before);
    return result;
  });
  expect(ones).toEqual(zeros);
  return zeros;
}

/** Runs `emit` at a random place of a random memory; checks that it wrote only the `length` bytes that it returned. */
export function emitInside(emit: (view: DataView, at: number) => number, at: number): { view: DataView; end: number } {
  const view = sharedView(at + 256);
  bytesOf(view).fill(0xa5);
  const length = emit(view, at);
  const outside = [...bytesOf(view).slice(0, at), ...bytesOf(view).slice(at + length)];
  expect(outside.every(byte => byte === 0xa5)).toBe(true);
  return { view, end: at + length };
}

export const u8 = fc.integer({ min: 0, max: 0xff });
export const u16 = fc.integer({ min: 0, max: 0xffff });
export const i32 = fc.oneof(fc.integer(), fc.constantFrom(0, -1, 0x7fffffff, -0x80000000));
/** Any alignment. */
export const place = fc.integer({ min: 0, max: 64 });

/** Random bytes, and bytes of a real frame with a few of them changed: random ones alone hardly pass the first check. */
export function hostileBytes(real: readonly DataView[], maxLength: number): fc.Arbitrary<Uint8Array> {
  const edits = fc.array(fc.tuple(fc.nat(), u8), { maxLength: 4 });
  const mutated = fc.tuple(fc.constantFrom(...real), edits, fc.nat()).map(([view, changes, cut]) => {
    const bytes = bytesOf(view).slice();
    for (const [index, value] of changes) bytes[index % bytes.length] = value;
    return cut % 3 === 0 ? bytes.slice(0, cut % (bytes.length + 1)) : bytes;
  });
  return fc.oneof(fc.uint8Array({ maxLength }), mutated);
}

/** Frame offsets in an untagged IPv4 frame without IP options. */
export const IP_AT = 14;
export const L4_AT = 34;

/** The part of a captured frame from `at` on, as a view of its own. */
export function tail(view: DataView, at: number): DataView {
  return viewOf(bytesOf(view).slice(at));
}
