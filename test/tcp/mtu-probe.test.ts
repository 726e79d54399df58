/** The search for the path MTU, where ladders do not reach: at hand-overs, when the path says something, and much later. */
import { describe, expect, test } from 'vitest';
import { nextSegmentRoom, resumeSearch, sizeForPath } from '../../src/tcp/mtu-probe.ts';
import { established } from '../support/ladder-engine.ts';

describe('the search for the path MTU (RFC 4821)', () => {
  test('what it has found holds for ten minutes: then routes may have changed (RFC 4821 7.7)', () => {
    const { tcb, params, sent, now } = established();
    const fx = { params, sent } as never;
    resumeSearch(tcb, 1000, 1004, now);
    tcb.cwnd = 100_000;
    expect(nextSegmentRoom(tcb, 50_000, now + 599_999, fx)).toBe(1000);
    expect(tcb.probeHigh).toBe(1004);
    expect(nextSegmentRoom(tcb, 50_000, now + 600_000, fx)).toBe(1000);
    expect(tcb.probeHigh).toBe(1460);
    expect(nextSegmentRoom(tcb, 50_000, now + 600_000, fx)).toBe(1230);
  });

  test('a probe waits for the window that it needs, and is not sent into one of the peer’s that is too small', () => {
    const { tcb, params, sent, now } = established();
    const fx = { params, sent } as never;
    resumeSearch(tcb, 512, 1460, now);
    tcb.cwnd = 11 * 512 - 1;
    expect(nextSegmentRoom(tcb, 50_000, now, fx)).toBe(512);
    tcb.cwnd = 11 * 512;
    expect(nextSegmentRoom(tcb, 50_000, now, fx)).toBe(986);
    // Ten segments are in flight: one more would fit, a probe does not.
    tcb.sndMax = (tcb.sndUna + 10 * 512) | 0;
    tcb.sndNxt = tcb.sndMax;
    expect(nextSegmentRoom(tcb, 50_000, now, fx)).toBe(0);
    tcb.sndWnd = 5000;
    expect(nextSegmentRoom(tcb, 50_000, now, fx)).toBe(512);
  });

  test('goes on with the next owner', () => {
    const { tcb } = established();
    tcb.probeSize = 1200;
    resumeSearch(tcb, 1024, 1460, 77);
    const { probeLow, probeHigh, probeSize, effectiveMss, probeMark } = tcb;
    expect({ probeLow, probeHigh, probeSize, effectiveMss, probeMark }).toEqual({
      probeLow: 1024,
      probeHigh: 1460,
      probeSize: 0,
      effectiveMss: 1024,
      probeMark: 77,
    });
    // A giver that knows nothing of it (the shipped interface): the path is trusted, with the size that it has.
    resumeSearch(tcb, 0, 0, 77);
    expect([tcb.probeLow, tcb.effectiveMss]).toEqual([0, 1024]);
  });

  test('a path that says what it takes ends it there', () => {
    const { tcb, now } = established();
    resumeSearch(tcb, 1024, 1460, now);
    expect(sizeForPath(tcb, 1300)).toBe(1024);
    expect([tcb.probeLow, tcb.probeHigh]).toEqual([1024, 1260]);
    expect(sizeForPath(tcb, 600)).toBe(560);
    expect([tcb.probeLow, tcb.probeHigh]).toEqual([560, 560]);
    expect(sizeForPath(tcb, 1500)).toBe(560);
    expect([tcb.probeLow, tcb.probeHigh]).toEqual([560, 1460]);
  });
});
