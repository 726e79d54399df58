/** Acceptability and the offered window: RFC 9293 3.10.7.4 and 3.8.6, RFC 7323 2. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  advertiseWindow,
  isAcceptable,
  isResetInWindow,
  windowScaleFor,
  windowUpdateDue,
} from '../../src/tcp/window.ts';
import { established } from '../support/ladder-engine.ts';

describe('isAcceptable', () => {
  test.each([
    [0, 0, true],
    [-1, 0, false],
    [99, 0, true],
    [100, 0, true],
    [101, 0, false],
    [-5, 5, false],
    [-5, 6, true],
    [99, 50, true],
    [100, 1, false],
    [-5, 500, true],
  ])('offset %d, length %d, window 100: %s', (offset, length, expected) => {
    for (const rcvNxt of [1000, -50, 0x7fffffd0]) {
      const { tcb } = established();
      tcb.rcvNxt = rcvNxt;
      tcb.rcvWnd = 100;
      expect(isAcceptable(tcb, (rcvNxt + offset) | 0, length)).toBe(expected);
    }
  });

  test('a closed window takes an empty segment at RCV.NXT and no text', () => {
    const { tcb } = established();
    tcb.rcvWnd = 0;
    expect(isAcceptable(tcb, tcb.rcvNxt, 0)).toBe(true);
    expect(isAcceptable(tcb, tcb.rcvNxt, 1)).toBe(false);
    expect(isAcceptable(tcb, tcb.rcvNxt + 1, 0)).toBe(false);
    expect(isResetInWindow(tcb, tcb.rcvNxt)).toBe(true);
    expect(isResetInWindow(tcb, tcb.rcvNxt + 1)).toBe(false);
  });
});

describe('the offered window', () => {
  test('windowScaleFor: the smallest shift that offers the buffer whole', () => {
    expect([1, 65535, 65536, 262_140, 262_141, 0x3fffffff, 0x7fffffff].map(windowScaleFor)).toEqual([
      0, 0, 1, 2, 3, 14, 14,
    ]);
  });

  test.each([
    ['half free: whatever there is', 0, 8000, 8000],
    ['less, and less than a sixteenth of the buffer: nothing', 0, 992, 0],
    ['less, but a sixteenth', 0, 1000, 1000],
    ['less than a segment beyond what was offered: as it is', 3000, 3004, 3004],
    ['never less than was offered (RFC 9293 SHLD-14)', 3000, 500, 3000],
  ])('%s (RFC 9293 MUST-39)', (_name, offered, free, expected) => {
    const { tcb } = established();
    Object.assign(tcb, { rcvMss: 100, rcvWindScale: 2, initialRcvWnd: 16_000, rcvWnd: offered });
    tcb.rcvPending = 16_000 - free;
    advertiseWindow(tcb, false);
    expect(tcb.rcvWnd).toBe(expected);
  });

  test('no quick ACKs while most of the buffer is full', () => {
    const { tcb } = established();
    Object.assign(tcb, { initialRcvWnd: 16_000, rcvPending: 8000, quickAcks: 5 });
    advertiseWindow(tcb, false);
    expect(tcb.quickAcks).toBe(5);
    tcb.rcvPending = 8001;
    advertiseWindow(tcb, false);
    expect(tcb.quickAcks).toBe(0);
  });

  test('any reading and arriving: never more than the buffer and a unit, and never taken back by a unit', () => {
    const step = fc.record({ arrive: fc.nat(5000), consume: fc.nat(5000) });
    const property = fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.integer({ min: 3000, max: 2_000_000 }),
      (steps, rcvBuffer) => {
        const { tcb } = established({ params: { rcvBuffer } });
        const shift = windowScaleFor(rcvBuffer);
        tcb.rcvWindScale = shift;
        tcb.initialRcvWnd = rcvBuffer;
        tcb.rcvPending = 0;
        tcb.rcvNxt = 0;
        tcb.rcvWnd = 0;
        let wireEdge = 0;
        let edge = 0;
        let largest = 0;
        for (const { arrive, consume } of steps) {
          const count = Math.min(arrive, tcb.rcvWnd);
          tcb.rcvNxt += count;
          tcb.rcvWnd -= count;
          tcb.rcvPending += count;
          tcb.rcvPending -= Math.min(consume, tcb.rcvPending);
          const offered = advertiseWindow(tcb, false) << shift;
          expect(tcb.rcvNxt + tcb.rcvWnd).toBeGreaterThanOrEqual(edge);
          edge = tcb.rcvNxt + tcb.rcvWnd;
          largest = Math.max(largest, tcb.rcvWnd);
          expect(tcb.rcvNxt + offered).toBeGreaterThan(wireEdge - (1 << shift));
          wireEdge = Math.max(wireEdge, tcb.rcvNxt + offered);
          expect(tcb.rcvPending + tcb.rcvWnd).toBeLessThan(rcvBuffer + (1 << shift));
          expect(offered).toBeLessThanOrEqual(tcb.rcvWnd);
        }
        // Everything read: whatever was offered last, an update is due or the peer may send (RFC 9293 3.8.6.2.1): it has
        // room for a segment, or half of the largest window that it has seen.
        tcb.rcvPending = 0;
        expect(windowUpdateDue(tcb) || tcb.rcvWnd >= Math.min(tcb.effectiveMss, largest >> 1)).toBe(true);
      },
    );
    fc.assert(property, {
      numRuns: 400,
      examples: [
        [
          [
            { arrive: 0, consume: 0 },
            { arrive: 1221, consume: 0 },
          ],
          3000,
        ],
      ],
    });
  });
});
