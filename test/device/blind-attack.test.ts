/** RST and SYN that may be forged, by the shipped rules (digest 4.5, E19), and as RFC 5961 has it. */
import { describe, expect, test } from 'vitest';
import { TcpOffloadEvent, TcpUploadReason } from '../../src/offload/events.ts';
import { DEFAULT_TCP_PARAMS } from '../../src/tcp/params.ts';
import { TcpCachedFlag, TcpState } from '../../src/tcp/tcb.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { eventsOf, OneConnection, reasonsOf } from './one-connection.ts';

const FIVE_MINUTES = 300_000;
const EDGE = 5000 + 65_535;
const ABORT = [TcpOffloadEvent.IndicateAbort, 0];

function shipped(change: Partial<Record<string, number>> = {}): OneConnection {
  return new OneConnection({ target: { blindAttack: 'shipped' } }, change);
}

/** Lets time pass in steps; the frames and reasons of it. */
function wait(one: OneConnection, ms: number): { frames: number; reasons: number[] } {
  const reasons: number[] = [];
  let frames = 0;
  for (let left = ms; left > 0; left -= 500) {
    reasons.push(...reasonsOf(one.bench.step(Math.min(500, left))));
    frames += one.bench.frames().length;
  }
  return { frames, reasons };
}

function rst(one: OneConnection, seq: number): number {
  one.arrive(seq, 1000, '', TcpFlag.Rst);
  one.bench.step(1);
  return one.bench.frames().length;
}

function syn(one: OneConnection, seq: number): number {
  one.arrive(seq, 1000, '', TcpFlag.Syn);
  one.bench.step(1);
  return one.bench.frames().length;
}

describe('RST (E19)', () => {
  for (const seq of [4999, 0, EDGE, EDGE + 5000]) {
    test(`outside of the window (${seq}) is dropped silently and arms nothing`, () => {
      const one = shipped();
      expect(rst(one, seq)).toBe(0);
      expect(wait(one, FIVE_MINUTES + 20_000)).toEqual({ frames: 0, reasons: [] });
    });
  }

  test('at RCV.NXT aborts', () => {
    const one = shipped();
    one.arrive(5000, 1000, '', TcpFlag.Rst);
    expect(eventsOf(one.bench.step())).toEqual([ABORT]);
  });

  test('elsewhere in the window: one challenge ACK until a segment is accepted', () => {
    const one = shipped();
    const answers = [5001, 5002, EDGE - 1].map(seq => rst(one, seq));
    expect(answers).toEqual([1, 0, 0]);
    wait(one, 10_000);
    expect(rst(one, 5001)).toBe(0);
    one.arrive(5000, 1000);
    one.bench.step();
    expect(rst(one, 5001)).toBe(1);
  });

  test('a peer that does not answer for five minutes and ten probes is gone: TimeoutExpiration, in CLOSED', () => {
    const one = shipped();
    rst(one, 5001);
    expect(wait(one, FIVE_MINUTES - 1000)).toEqual({ frames: 0, reasons: [] });
    const { frames, reasons } = wait(one, 15_000);
    // With the RST at the end.
    expect([frames, reasons]).toEqual([11, [TcpUploadReason.TimeoutExpiration]]);
    expect(one.terminate().tcb.state).toBe(TcpState.Closed);
  });

  test('probes of before the offload count', () => {
    const one = shipped({ kaProbeCount: 7 });
    rst(one, 5001);
    expect(wait(one, FIVE_MINUTES + 15_000)).toEqual({ frames: 4, reasons: [TcpUploadReason.TimeoutExpiration] });
  });

  test('KaProbeCount and KaInterval apply where they are given', () => {
    const one = shipped({ kaProbeMax: 2, kaInterval: 5000 });
    rst(one, 5001);
    expect(wait(one, FIVE_MINUTES + 9000)).toEqual({ frames: 2, reasons: [] });
    expect(wait(one, 2000).reasons).toEqual([TcpUploadReason.TimeoutExpiration]);
  });

  test('an acceptable segment ends a keep-alive that was there only for this', () => {
    const one = shipped();
    rst(one, 5001);
    one.arrive(5000, 1000);
    one.bench.step();
    expect(wait(one, FIVE_MINUTES + 20_000)).toEqual({ frames: 0, reasons: [] });
  });

  test('a keep-alive of its own that would fire later fires after five minutes; afterwards it goes on as before', () => {
    const ticks = 2 * FIVE_MINUTES;
    const own = { cachedFlags: TcpCachedFlag.KeepAliveEnabled, kaTimeout: ticks, kaTimeoutDelta: ticks };
    const one = shipped({ ...own, kaInterval: 75_000, kaProbeMax: 9 });
    rst(one, 5001);
    expect(wait(one, FIVE_MINUTES + 1000).frames).toBe(1);
    one.arrive(5000, 1000);
    one.bench.step();
    expect(wait(one, ticks - 5000).frames).toBe(0);
    expect(wait(one, 10_000).frames).toBe(1);
  });

  test('the validation does not travel: the host has rules of its own', () => {
    const one = shipped();
    rst(one, 5001);
    expect(one.terminate().tcb.kaTimeoutDelta).toBe(-1);
  });
});

describe('SYN (E19)', () => {
  test('out of the window: an ACK each time', () => {
    const one = shipped();
    expect([4000, 4000, EDGE + 1, EDGE + 1].map(seq => syn(one, seq))).toEqual([1, 1, 1, 1]);
  });

  test('in the window: one challenge ACK in three seconds, and the five-minute keep-alive', () => {
    const one = shipped();
    expect([5001, 5002, 5003].map(seq => syn(one, seq))).toEqual([1, 0, 0]);
    wait(one, 3000);
    expect(syn(one, 5001)).toBe(1);
    expect(wait(one, FIVE_MINUTES + 15_000).reasons).toEqual([TcpUploadReason.TimeoutExpiration]);
  });

  test('at RCV.NXT: the connection is over and goes up in CLOSED, without an Abort', () => {
    const one = shipped();
    one.arrive(5000, 1000, '', TcpFlag.Syn);
    expect(eventsOf(one.bench.step())).toEqual([[TcpOffloadEvent.IndicateRetrieve, TcpUploadReason.UploadRequested]]);
    expect(one.terminate().tcb.state).toBe(TcpState.Closed);
  });
});

describe('by default RFC 5961 applies', () => {
  test('a SYN is challenged wherever it stands, a RST only in the window; no keep-alive is armed', () => {
    const one = new OneConnection();
    expect([rst(one, 4999), rst(one, 5001)]).toEqual([0, 1]);
    wait(one, 1000);
    expect(syn(one, 5000)).toBe(1);
    expect(wait(one, FIVE_MINUTES + 20_000)).toEqual({ frames: 0, reasons: [] });
  });
});

test('a device has a budget of its own for the challenges of all its connections (RFC 5961 7)', () => {
  const tcp = { ...DEFAULT_TCP_PARAMS, challengeAcksPerSecond: 1, invalidAckIntervalTicks: 10 };
  const one = new OneConnection({ config: { tcp } });
  const answers = [5001, 5002, 5003].map(seq => {
    wait(one, 20);
    return rst(one, seq);
  });
  expect(answers).toEqual([1, 0, 0]);
  wait(one, 1000);
  expect(rst(one, 5001)).toBe(1);
});

describe('RST and what else is under way', () => {
  test('RST then FIN in one batch: the RST wins, the FIN is not told of (E14)', () => {
    const one = new OneConnection();
    one.arrive(5000, 1000, '', TcpFlag.Rst);
    one.arrive(5000, 1000, '', TcpFlag.Fin);
    expect(eventsOf(one.bench.step())).toEqual([ABORT]);
  });

  test('a local abort and a RST cross: one completion, at most one Abort, either way round (E15)', () => {
    for (const abortFirst of [true, false]) {
      const one = new OneConnection();
      if (abortFirst) one.abort();
      else one.arrive(5000, 1000, '', TcpFlag.Rst);
      const answers = one.bench.step();
      if (abortFirst) one.arrive(5000, 1000, '', TcpFlag.Rst);
      else one.abort();
      answers.push(...one.bench.step());
      expect(one.disconnectsIn(answers)).toEqual([0]);
      expect(eventsOf(answers)).toEqual(abortFirst ? [] : [ABORT]);
    }
  });

  test('an abort is not held up by text that is with the host (E16)', () => {
    const one = new OneConnection();
    one.arrive(5000, 1000, 'not consumed');
    one.bench.step();
    one.bench.frames();
    one.abort();
    expect(one.disconnectsIn(one.bench.step())).toEqual([0]);
    expect(one.bench.frames()).toMatchObject([{ flags: TcpFlag.Rst | TcpFlag.Ack }]);
  });
});
