/** SO_SNDBUF as a Linux kernel counts it. */
import { describe, expect, test } from 'vitest';
import { SendBuffer } from '../../src/packetdrill/send-buffer.ts';
import type { SendState } from '../../src/packetdrill/send-state.ts';

const MSS = 1000;
const FOREVER = 0xffffffff;

function state(written: number, acked: number, sent: number, cwnd = 10 * MSS): SendState {
  const queued = written - acked;
  const inFlight = sent - acked;
  const windows = { cwnd, sndWnd: 32_896, maxSndWnd: 32_896 };
  return { mss: MSS, remoteMss: MSS, ...windows, written, queued, inFlight, unsent: queued - inFlight };
}

describe('a send buffer', () => {
  test('fills the piece that is begun whatever the limit: half of the window, less what has left of it', () => {
    const buffer = new SendBuffer(50_000, 4_194_304, FOREVER);
    // 10,000 go at once, the rest of that piece is filled up; then two pieces more.
    expect(buffer.take(59_000, state(0, 0, 0))).toBe(58_000);
    expect(buffer.wantsRoom).toBe(true);
    expect(buffer.take(1000, state(58_000, 0, 10_000))).toBe(0);
  });

  test('begins a piece behind the end of a record (MSG_EOR), which takes memory of its own', () => {
    const buffer = new SendBuffer(5000, 4_194_304, FOREVER);
    buffer.take(10_000, state(0, 0, 0));
    expect(buffer.take(500, state(10_000, 0, 10_000))).toBe(0);
    // 10,000 have been acknowledged, and nothing leaves any more.
    const closed = (written: number): SendState => state(written, 10_000, 10_000, 0);
    expect(buffer.take(500, closed(10_000))).toBe(500);
    buffer.endRecord();
    expect(buffer.take(500, closed(10_500))).toBe(500);
    expect(buffer.take(500, closed(11_000))).toBe(500);
    buffer.endRecord();
    // Two pieces of 500 and 1000, each with its overhead, leave room for one more; it would have been filled up otherwise.
    expect(buffer.take(20_000, closed(11_500))).toBe(16_000);
    buffer.endRecord();
    expect(buffer.take(1, closed(27_500))).toBe(0);
  });

  test('does not go on filling a piece that has left whole', () => {
    const buffer = new SendBuffer(6000, 4_194_304, FOREVER);
    buffer.isLocked = true;
    expect(buffer.take(20_000, { ...state(0, 0, 0), maxSndWnd: 16_000 })).toBe(8000);
  });

  test('takes no more than may be unsent', () => {
    const buffer = new SendBuffer(50_000, 4_194_304, FOREVER);
    buffer.notsentLowat = 32_000;
    expect(buffer.take(59_000, state(0, 0, 0))).toBe(42_000);
  });

  test('is writable when a third of it is free', () => {
    const buffer = new SendBuffer(42_000, 4_194_304, FOREVER);
    buffer.isLocked = true;
    buffer.take(100_000, state(0, 0, 0));
    const { written } = buffer;
    expect(buffer.isWritable(state(written, 0, 10_000))).toBe(false);
    expect(buffer.isWritable(state(written, written - 30_000, written))).toBe(false);
    expect(buffer.isWritable(state(written, written - 20_000, written))).toBe(true);
  });

  test('grows with the congestion window, unless it was set', () => {
    const buffer = new SendBuffer(16_384, 4_194_304, FOREVER);
    buffer.grow(state(0, 0, 0, 36 * MSS));
    expect(buffer.limit).toBe(165_888);
    buffer.isLocked = true;
    buffer.grow(state(0, 0, 0, 72 * MSS));
    expect(buffer.limit).toBe(165_888);
    const small = new SendBuffer(16_384, 20_000, FOREVER);
    small.grow(state(0, 0, 0, 36 * MSS));
    expect(small.limit).toBe(20_000);
  });
});
