/** The receiver's round trip: what gives a sample, and what is done with it. */
import { expect, test } from 'vitest';
import { type Arrival, ReceiveRtt } from '../../src/packetdrill/receive-rtt.ts';
import { type Tcb, TcpConstFlag } from '../../src/tcp/tcb.ts';
import { established } from '../support/ladder-engine.ts';

const MSS = 1000;
const OFFSET = 7000;

function receiving(constFlags: number): Tcb {
  const { tcb } = established();
  tcb.constFlags = constFlags;
  tcb.rcvMss = MSS;
  tcb.rcvWnd = 4 * MSS;
  tcb.tsOffset = OFFSET;
  tcb.unackedBytes = 0;
  return tcb;
}

/** A segment comes `at` ms, and is taken. */
function comes(rtt: ReceiveRtt, tcb: Tcb, at: number, echo?: number, length = MSS): void {
  const arrival: Arrival = { seq: tcb.rcvNxt, length, echo };
  tcb.rcvNxt = (tcb.rcvNxt + length) | 0;
  tcb.rcvWnd -= length;
  rtt.look(tcb, [arrival], at, at * 1000);
}

function opens(rtt: ReceiveRtt, tcb: Tcb, window: number, at: number): void {
  tcb.rcvWnd = window;
  rtt.look(tcb, [], at, at * 1000);
}

test('an echo of a full segment in the window, once for each value, smoothed by an eighth (RFC 7323 4.3)', () => {
  const tcb = receiving(TcpConstFlag.Timestamp);
  const rtt = new ReceiveRtt();
  rtt.look(tcb, [], 0, 0);
  comes(rtt, tcb, 80, OFFSET, 10);
  expect(rtt.us).toBe(0);
  comes(rtt, tcb, 100, OFFSET + 20);
  expect(rtt.us).toBe(80_000);
  comes(rtt, tcb, 300, OFFSET + 20);
  expect(rtt.us).toBe(80_000);
  // Old, and beyond the window.
  rtt.look(tcb, [{ seq: (tcb.rcvNxt - MSS) | 0, length: MSS, echo: OFFSET + 30 }], 500, 500_000);
  rtt.look(tcb, [{ seq: (tcb.rcvNxt + tcb.rcvWnd) | 0, length: MSS, echo: OFFSET + 31 }], 500, 500_000);
  expect(rtt.us).toBe(80_000);
  comes(rtt, tcb, 560, OFFSET + 400);
  expect(rtt.us).toBe(90_000);
  // From the future: nonsense.
  comes(rtt, tcb, 570, OFFSET + 600);
  expect(rtt.us).toBe(90_000);
});

test('without timestamps echoes say nothing', () => {
  const tcb = receiving(0);
  const rtt = new ReceiveRtt();
  rtt.look(tcb, [], 0, 0);
  comes(rtt, tcb, 100, OFFSET);
  expect(rtt.us).toBe(0);
});

test('a window’s worth of text, from when it was allowed; the least counts', () => {
  const tcb = receiving(0);
  const rtt = new ReceiveRtt();
  rtt.look(tcb, [], 0, 0);
  comes(rtt, tcb, 100);
  for (const at of [150, 160, 170]) comes(rtt, tcb, at);
  expect(rtt.us).toBe(0);
  // The application reads: the window opens, and is closed once more when this has come.
  opens(rtt, tcb, 4 * MSS, 200);
  comes(rtt, tcb, 250);
  expect(rtt.us).toBe(150_000);
  opens(rtt, tcb, 4 * MSS, 250);
  for (const at of [260, 270, 280, 290]) comes(rtt, tcb, at);
  expect(rtt.us).toBe(40_000);
  opens(rtt, tcb, 4 * MSS, 300);
  for (const at of [900, 910, 920, 930]) comes(rtt, tcb, at);
  expect(rtt.us).toBe(40_000);
});
