/** The send queue: completions in order, the right bytes at any number, and what is borrowed goes back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { takeSendQueue } from '../../src/tcp/send-queue.ts';
import { TcpFlag, TcpHeader } from '../../src/wire/tcp.ts';
import { established } from '../support/ladder-engine.ts';
import type { Endpoint } from '../support/tcp-endpoint.ts';

function acknowledge(endpoint: Endpoint, count: number, window = 65535): void {
  const header = new TcpHeader();
  header.flags = TcpFlag.Ack;
  header.segSeq = (endpoint.irs + 1) | 0;
  header.segAck = (endpoint.iss + 1 + count) | 0;
  header.window = window;
  endpoint.inject(header, 0, 0);
  endpoint.checkInvariants();
}

const length = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 3000 }));
const step = fc.oneof(
  fc.record({ send: fc.array(length, { minLength: 1, maxLength: 5 }) }),
  fc.record({ acknowledge: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ read: fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 1460 })) }),
);

describe('the send queue', () => {
  test('completes in order and exactly what is acknowledged; any range of it can be sent at any time', () => {
    const property = fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom(1000, -3000, 0x7ffffc00),
      (steps, iss) => {
        const endpoint = established({ iss, params: { nagle: false } });
        const { tcb } = endpoint;
        const ends: number[] = [];
        let acked = 0;
        for (const action of steps) {
          if ('send' in action) {
            if (endpoint.txPool.available < action.send.length) continue;
            let end = endpoint.written;
            for (const each of action.send) ends.push((end += each));
            endpoint.send(...action.send);
          } else if ('acknowledge' in action) {
            const sent = (tcb.sndMax - endpoint.iss - 1) | 0;
            acked += Math.floor((sent - acked) * action.acknowledge);
            acknowledge(endpoint, acked);
          } else if (endpoint.written > acked) {
            const from = acked + Math.floor((endpoint.written - acked - 1) * action.read[0]);
            const count = Math.min(action.read[1], endpoint.written - from);
            // Compares every byte and the checksum.
            endpoint.emitSegment(tcb, TcpFlag.Ack, (endpoint.iss + 1 + from) | 0, count);
          }
          // An empty descriptor completes with the last byte before it.
          expect(endpoint.txPool.inUse).toBe(ends.filter(end => end > acked).length);
        }
        while (acked < endpoint.written) {
          acked = (tcb.sndMax - endpoint.iss - 1) | 0;
          acknowledge(endpoint, acked);
        }
        expect(endpoint.completed).toBe(endpoint.written);
        expect(endpoint.txPool.inUse).toBe(0);
        expect(tcb.sendDataTail).toBe(0);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  test('an empty send with nothing before it completes at once', () => {
    const endpoint = established();
    endpoint.send(0, 0);
    expect(endpoint.txPool.inUse).toBe(0);
    endpoint.send(10);
    endpoint.send(0);
    expect(endpoint.txPool.inUse).toBe(2);
    acknowledge(endpoint, 10);
    expect(endpoint.txPool.inUse).toBe(0);
  });

  test('an empty send with CLOSE completes when the FIN is acknowledged', () => {
    const endpoint = established();
    endpoint.sendAndClose(0);
    expect(endpoint.txPool.inUse).toBe(1);
    acknowledge(endpoint, 1);
    expect(endpoint.txPool.inUse).toBe(0);
    expect(endpoint.stateName).toBe('FIN-WAIT-2');
  });

  test('is handed out whole and empty afterwards', () => {
    const endpoint = established();
    endpoint.send(10, 20, 0, 30);
    const lengths: number[] = [];
    for (let at = takeSendQueue(endpoint.tcb); at !== 0; at = endpoint.buffers.next) {
      lengths.push(endpoint.buffers.at(at).dataLength);
    }
    expect(lengths).toEqual([10, 20, 0, 30]);
    expect(endpoint.tcb.sendDataBytes).toBe(0);
    expect(takeSendQueue(endpoint.tcb)).toBe(0);
  });
});
