/** Which calls with MSG_ZEROCOPY are over, and how reports become one. */
import { expect, test } from 'vitest';
import type { SendState } from '../../src/packetdrill/send-state.ts';
import { ZeroCopy } from '../../src/packetdrill/zero-copy.ts';

const acked = (written: number, queued: number): SendState => ({
  mss: 1000,
  remoteMss: 1000,
  cwnd: 10_000,
  sndWnd: 10_000,
  maxSndWnd: 10_000,
  written,
  queued,
  inFlight: queued,
  unsent: 0,
});

test('a call is over with its last byte; reports that follow each other are one, until they are read', () => {
  let reports = 0;
  const calls = new ZeroCopy(() => reports++);
  for (const end of [1000, 2000, 3000, 4000]) calls.wrote(end);
  calls.look(acked(4000, 3001));
  expect(calls.queue).toEqual([]);
  calls.look(acked(4000, 3000));
  calls.look(acked(4000, 1999));
  expect(calls.queue).toEqual([{ first: 0, last: 1 }]);
  expect(reports).toBe(2);
  calls.queue.shift();
  calls.look(acked(4000, 1000));
  expect(calls.queue).toEqual([{ first: 2, last: 2 }]);
  expect(calls.areAwaited).toBe(true);
});

test('with the connection everything is over', () => {
  const calls = new ZeroCopy(() => {});
  calls.wrote(1000);
  calls.wrote(5000);
  calls.look(null);
  expect(calls.queue).toEqual([{ first: 0, last: 1 }]);
  expect(calls.areAwaited).toBe(false);
  calls.wrote(100);
  calls.look(acked(100, 0));
  expect(calls.queue).toEqual([{ first: 0, last: 2 }]);
});
