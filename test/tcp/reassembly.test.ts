/** The out-of-order queue against a byte-array model (RFC 9293 SHLD-31). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OUT_OF_ORDER_MAX } from '../../src/tcp/reassembly.ts';
import { TcpState } from '../../src/tcp/tcb.ts';
import { TcpFlag, TcpHeader } from '../../src/wire/tcp.ts';
import { established } from '../support/ladder-engine.ts';
import type { Endpoint } from '../support/tcp-endpoint.ts';

const STREAM = 300;

function text(endpoint: Endpoint, from: number, length: number, fin = false): void {
  const header = new TcpHeader();
  header.flags = TcpFlag.Ack | (fin ? TcpFlag.Fin : 0);
  header.segSeq = (endpoint.irs + 1 + from) | 0;
  header.segAck = (endpoint.iss + 1) | 0;
  header.window = 65535;
  endpoint.inject(header, length, from);
  endpoint.checkInvariants();
}

/** Lengths of what is queued, as [offset, length, …]. */
function queued(endpoint: Endpoint): number[] {
  const found: number[] = [];
  for (let at = endpoint.tcb.oooHead; at !== 0; at = endpoint.buffers.next) {
    endpoint.buffers.at(at);
    found.push((endpoint.buffers.segSeq - endpoint.irs - 1) | 0, endpoint.buffers.dataLength);
  }
  return found;
}

describe('the out-of-order queue', () => {
  const segment = fc.record({
    from: fc.nat(STREAM - 1),
    length: fc.integer({ min: 4, max: 60 }),
    noBuffer: fc.boolean(),
  });

  test('delivers exactly the stream, once, from segments in any order with any overlaps', () => {
    const property = fc.property(
      fc.array(segment, { maxLength: 60 }),
      fc.constantFrom(1000, -200, 0x7fffff80),
      fc.boolean(),
      (segments, irs, scarce) => {
        const endpoint = established({ irs, params: { ackFrequency: 1 } });
        const has = new Uint8Array(STREAM + 1);
        for (const { from, length, noBuffer } of segments) {
          const end = Math.min(STREAM, from + length);
          const isLost = scarce && noBuffer;
          endpoint.takes = isLost ? 0 : Infinity;
          text(endpoint, from, end - from, end === STREAM);
          if (!isLost) has.fill(1, from, end === STREAM ? STREAM + 1 : end);
          // What found no buffer may be lost, but nothing more than that segment and what it covered.
          if (!scarce) expect(endpoint.received).toBe(Math.min(STREAM, prefix(has)));
        }
        endpoint.takes = Infinity;
        for (let from = endpoint.received; from < STREAM; from = endpoint.received) {
          text(endpoint, from, Math.min(100, STREAM - from), from + 100 >= STREAM);
          expect(endpoint.received).toBeGreaterThan(from);
        }
        if (endpoint.tcb.state === TcpState.Established) text(endpoint, STREAM, 0, true);
        expect(endpoint.received).toBe(STREAM);
        expect(endpoint.peerClosedCount).toBe(1);
        expect(endpoint.tcb.oooCount).toBe(0);
        expect(endpoint.rxPool.inUse).toBe(0);
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });

  function prefix(has: Uint8Array): number {
    const gap = has.indexOf(0);
    return gap < 0 ? STREAM + 1 : gap;
  }

  test('holds buffers that are in order and do not overlap', () => {
    const property = fc.property(fc.array(segment, { maxLength: 40 }), segments => {
      const endpoint = established();
      for (const { from, length } of segments) {
        text(endpoint, from + 1, length);
        const spans = queued(endpoint);
        expect(spans.length).toBe(2 * endpoint.tcb.oooCount);
        for (let i = 2; i < spans.length; i += 2) {
          expect(spans[i]).toBeGreaterThanOrEqual(spans[i - 2]! + spans[i - 1]!);
        }
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('trims overlaps on both sides and drops what is covered whole', () => {
    const endpoint = established();
    text(endpoint, 10, 10);
    text(endpoint, 40, 10);
    expect(queued(endpoint)).toEqual([10, 10, 40, 10]);
    text(endpoint, 15, 30);
    expect(queued(endpoint)).toEqual([10, 10, 20, 20, 40, 10]);
    text(endpoint, 5, 60);
    expect(queued(endpoint)).toEqual([5, 60]);
    text(endpoint, 0, 7);
    expect(endpoint.received).toBe(65);
    expect(endpoint.rxPool.inUse).toBe(0);
  });

  test('is bounded, and when full still takes the segment that lets it drain', () => {
    const endpoint = established();
    for (let i = 0; i < OUT_OF_ORDER_MAX + 10; i++) text(endpoint, 10 + 20 * i, 10);
    expect(endpoint.tcb.oooCount).toBe(OUT_OF_ORDER_MAX);
    expect(endpoint.rxPool.inUse).toBe(OUT_OF_ORDER_MAX);
    text(endpoint, 0, 10);
    expect(endpoint.received).toBe(20);
    expect(endpoint.tcb.oooCount).toBe(OUT_OF_ORDER_MAX - 1);
  });

  test('forgets what lies behind a FIN: the peer has broken its word', () => {
    const endpoint = established();
    text(endpoint, 100, 50);
    text(endpoint, 10, 10, true);
    text(endpoint, 0, 10);
    expect(endpoint.received).toBe(20);
    expect(endpoint.tcb.state).toBe(TcpState.CloseWait);
    expect(endpoint.rxPool.inUse).toBe(0);
  });
});
