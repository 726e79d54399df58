/** What the receiver reports, against a model that keeps every number of the stream (RFC 2018 4, RFC 2883 4). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exportDelegated, importDelegated } from '../../src/offload/handover.ts';
import { adoptOutOfOrder, OUT_OF_ORDER_MAX } from '../../src/tcp/reassembly.ts';
import { segmentRoom, sackOptionLength } from '../../src/tcp/sack-report.ts';
import { TcbLayout, TcpConstFlag } from '../../src/tcp/tcb.ts';
import { TcpFlag, TcpHeader } from '../../src/wire/tcp.ts';
import { established } from '../support/ladder-engine.ts';
import type { Endpoint } from '../support/tcp-endpoint.ts';

const STREAM = 300;

function withSack(timestamps: boolean, irs = 5000): Endpoint {
  const endpoint = established({ irs, params: { sack: true, ackFrequency: 1 } });
  endpoint.tcb.constFlags |= TcpConstFlag.Sack | (timestamps ? TcpConstFlag.Timestamp : 0);
  return endpoint;
}

function text(endpoint: Endpoint, from: number, length: number, fin = false): void {
  const header = new TcpHeader();
  header.flags = TcpFlag.Ack | (fin ? TcpFlag.Fin : 0);
  header.segSeq = (endpoint.irs + 1 + from) | 0;
  header.segAck = (endpoint.iss + 1) | 0;
  header.window = 65535;
  endpoint.inject(header, length, from);
  endpoint.checkInvariants();
}

/** To an owner that knows nothing but what travels. */
function handOver(endpoint: Endpoint): void {
  const { tcb, memory, buffers, now } = endpoint;
  exportDelegated(tcb, now);
  const { localAddress, remoteAddress, oooHead } = tcb;
  const { start, end } = TcbLayout.range('private');
  memory.u8.fill(0, tcb.base + start, tcb.base + end);
  Object.assign(tcb, { localAddress, remoteAddress });
  importDelegated(tcb, now, endpoint);
  adoptOutOfOrder(tcb, oooHead, buffers);
}

/** The blocks of the last segment sent, relative to the stream. */
function reported(endpoint: Endpoint): number[][] {
  const last = endpoint.events.findLast(event => event.kind === 'segment');
  if (last === undefined || last.kind !== 'segment') return [];
  const { sackCount, sackLeft, sackRight } = last.header;
  const at = (edge: number): number => (edge - endpoint.irs - 1) | 0;
  return Array.from({ length: sackCount }, (_, i) => [at(sackLeft[i]!), at(sackRight[i]!)]);
}

class Model {
  readonly #has = new Uint8Array(STREAM + 2);
  /** When a segment with this number came last. */
  readonly #cameAt = new Int32Array(STREAM + 2);
  #time = 0;
  next = 0;

  /** Takes [from, end); returns what must be reported. */
  take(from: number, end: number, most: number): number[][] {
    this.#time++;
    const duplicate = this.#firstRun(from, end);
    this.#has.fill(1, from, end);
    this.#cameAt.fill(this.#time, from, end);
    while (this.#has[this.next] === 1) this.next++;
    const blocks = this.#blocks().sort((a, b) => b[2]! - a[2]!);
    return [...(duplicate === null ? [] : [duplicate]), ...blocks.map(([left, right]) => [left!, right!])].slice(
      0,
      most,
    );
  }

  #firstRun(from: number, end: number): number[] | null {
    let left = from;
    while (left < end && this.#has[left] === 0) left++;
    let right = left;
    while (right < end && this.#has[right] === 1) right++;
    return left < right ? [left, right] : null;
  }

  #blocks(): number[][] {
    const blocks: number[][] = [];
    for (let n = this.next; n < this.#has.length; n++) {
      if (this.#has[n] === 0) continue;
      const left = n;
      let newest = 0;
      for (; this.#has[n] === 1; n++) newest = Math.max(newest, this.#cameAt[n]!);
      blocks.push([left, n, newest]);
    }
    return blocks;
  }
}

describe('SACK blocks', () => {
  const segment = fc.record({
    // At the end of the stream the FIN alone.
    from: fc.nat(STREAM),
    length: fc.integer({ min: 1, max: 40 }),
    isMoved: fc.boolean(),
  });

  test('are those of the model, for segments in any order with any overlaps, whoever has the connection (RFC 2018 4, RFC 2883 4)', () => {
    const property = fc.property(
      fc.array(segment, { minLength: 1, maxLength: 60 }),
      fc.constantFrom(1000, -200, 0x7fffff80),
      fc.boolean(),
      (segments, irs, timestamps) => {
        const endpoint = withSack(timestamps, irs);
        const model = new Model();
        for (const { from, length, isMoved } of segments) {
          if (isMoved) handOver(endpoint);
          const end = Math.min(STREAM, from + length);
          text(endpoint, from, end - from, end === STREAM);
          const expected = model.take(from, end === STREAM ? STREAM + 1 : end, timestamps ? 3 : 4);
          if (model.next > STREAM) return;
          expect(reported(endpoint)).toEqual(expected);
        }
      },
    );
    fc.assert(property, { numRuns: 1500 });
  });

  test('only grow until they are delivered, whatever buffers there are: nothing is taken back (RFC 2018 8)', () => {
    const scarce = fc.record({
      from: fc.nat(STREAM - 1),
      length: fc.integer({ min: 1, max: 60 }),
      takes: fc.nat(1),
      isMoved: fc.boolean(),
    });
    const property = fc.property(fc.array(scarce, { maxLength: 60 }), segments => {
      const endpoint = withSack(false);
      const promised = new Uint8Array(STREAM + 2);
      for (const { from, length, takes, isMoved } of segments) {
        if (isMoved) handOver(endpoint);
        endpoint.takes = takes;
        text(endpoint, from, Math.min(length, STREAM - from));
        for (const [left, right] of reported(endpoint)) promised.fill(1, left, right);
      }
      // Everything that was never promised, once: then all is there.
      endpoint.takes = Infinity;
      for (let n = 0; n < STREAM; n++) if (promised[n] === 0) text(endpoint, n, 1);
      expect(endpoint.received).toBe(STREAM);
      expect(endpoint.rxPool.inUse).toBe(0);
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('of a full queue: what is not taken is not reported', () => {
    const endpoint = withSack(false);
    for (let i = 0; i < OUT_OF_ORDER_MAX + 5; i++) text(endpoint, 10 + 20 * i, 10);
    const last = 10 + 20 * (OUT_OF_ORDER_MAX - 1);
    expect(reported(endpoint)[0]).toEqual([last, last + 10]);
  });
});

describe('the option', () => {
  test('takes room from the text, never all of it', () => {
    const endpoint = withSack(false);
    text(endpoint, 10, 10);
    text(endpoint, 30, 10);
    expect([sackOptionLength(endpoint.tcb), segmentRoom(endpoint.tcb)]).toEqual([20, 1440]);
    for (const [mss, length] of [
      [21, 20],
      [20, 12],
      [13, 12],
      [12, 0],
      [1, 0],
    ] as const) {
      endpoint.tcb.effectiveMss = mss;
      expect([mss, sackOptionLength(endpoint.tcb)]).toEqual([mss, length]);
    }
  });
});
