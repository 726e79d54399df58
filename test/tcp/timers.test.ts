/** RTO arithmetic (RFC 6298) and the deadlines of a connection. */
import { describe, expect, test } from 'vitest';
import { TcpConstFlag, TcpDelegatedFlag, TcpTimer, TcpTimerBit } from '../../src/tcp/tcb.ts';
import { echoTicks, endBackoff, isDue, rearm, rto, sampleRtt, startRtx } from '../../src/tcp/timers.ts';
import { TcpHeader } from '../../src/wire/tcp.ts';
import { established, synSent } from '../support/ladder-engine.ts';

describe('rto', () => {
  test('starts at one second (RFC 6298 2.1), doubles with each time-out and stops at the maximum (2.5, 5.5)', () => {
    const endpoint = synSent();
    const seen = [0, 1, 2, 3, 4, 5, 6, 7, 20, 255].map(count => {
      endpoint.tcb.rtxCount = count;
      return rto(endpoint.tcb, endpoint);
    });
    expect(seen).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
  });

  test('is SRTT + 4 RTTVAR, and not below its minimum', () => {
    const endpoint = established();
    const { tcb } = endpoint;
    expect(rto(tcb, endpoint)).toBe(200);
    tcb.srtt = 0;
    sampleRtt(tcb, 400);
    expect(rto(tcb, endpoint)).toBe(400 + 4 * 200);
    sampleRtt(tcb, 400);
    expect(rto(tcb, endpoint)).toBe(400 + 4 * 150);
  });

  test('approaches a steady round trip from above and below', () => {
    const { tcb } = established();
    for (let i = 0; i < 100; i++) sampleRtt(tcb, 300);
    expect(tcb.srtt >> 3).toBeGreaterThanOrEqual(299);
    for (let i = 0; i < 100; i++) sampleRtt(tcb, 20);
    expect(tcb.srtt >> 3).toBeLessThanOrEqual(21);
    expect(tcb.rttvar).toBeGreaterThan(0);
  });

  test('is three times as long for data after a lost SYN without a sample (RFC 6298 5.7)', () => {
    const endpoint = established();
    endpoint.tcb.srtt = 0;
    endpoint.tcb.delegatedFlags |= TcpDelegatedFlag.SynRetransmitted;
    expect(rto(endpoint.tcb, endpoint)).toBe(3000);
  });
});

test('the back-off is kept without a sample and ends with one (RFC 9293 MUST-18)', () => {
  const endpoint = established();
  const { tcb } = endpoint;
  tcb.rtxCount = 2;
  endBackoff(tcb, false);
  expect([tcb.rtxCount, rto(tcb, endpoint)]).toEqual([0, 800]);
  tcb.rtxCount = 1;
  expect(rto(tcb, endpoint)).toBe(1600);
  endBackoff(tcb, true);
  expect(rto(tcb, endpoint)).toBe(200);
});

test('an echo of 0, of the future or of long ago is no sample', () => {
  const { tcb } = established();
  tcb.constFlags |= TcpConstFlag.Timestamp;
  const clock = (5000 + tcb.tsOffset) | 0;
  const segment = new TcpHeader();
  segment.hasTimestamp = true;
  const echo = (tsEcr: number): number => {
    segment.tsEcr = tsEcr;
    return echoTicks(tcb, segment, 5000);
  };
  expect([echo(0), echo((clock + 1) | 0), echo((clock - 700_000) | 0)]).toEqual([-1, -1, -1]);
  expect(echo((clock - 80) | 0)).toBe(80);
});

test('rearm arms the earliest running timer, also across the wrap of the tick counter', () => {
  const endpoint = established({ startTick: 0x7fffff00 });
  const { tcb } = endpoint;
  const armed: number[] = [];
  const fx = Object.create(endpoint) as typeof endpoint;
  fx.armTimer = (_tcb, deadline) => void armed.push(deadline);
  rearm(tcb, fx);
  expect(armed).toEqual([]);
  tcb.timers = TcpTimerBit.KeepAlive | TcpTimerBit.DelayedAck;
  tcb.kaAt = (0x7fffff00 + 500) | 0;
  tcb.ackAt = 0x7fffff20;
  rearm(tcb, fx);
  startRtx(tcb, TcpTimer.Retransmit, 0x7fffff10, fx);
  rearm(tcb, fx);
  tcb.timers = TcpTimerBit.KeepAlive;
  rearm(tcb, fx);
  expect(armed).toEqual([0x7fffff20, 0x7fffff10, 0x7fffff10, (0x7fffff00 + 500) | 0]);
  expect(isDue(tcb, TcpTimerBit.KeepAlive, tcb.kaAt, 0x7fffffff)).toBe(false);
  expect(isDue(tcb, TcpTimerBit.KeepAlive, tcb.kaAt, (0x7fffff00 + 500) | 0)).toBe(true);
});
