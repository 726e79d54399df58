/** What is written for each kind of segment; payload and checksum are compared by the fixture with every segment. */
import { describe, expect, test } from 'vitest';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { established, freshEndpoint, parseSegment, formatEmitted } from '../support/ladder-engine.ts';

describe('SegmentWriter', () => {
  test.each([
    [false, false, 24, 20],
    [true, false, 36, 32],
    [false, true, 28, 20],
    [true, true, 40, 32],
  ])('timestamps %s, scaling %s: SYN of %d bytes, others of %d', (timestamps, windowScaling, syn, other) => {
    const endpoint = freshEndpoint({ params: { timestamps, windowScaling } });
    endpoint.connect();
    expect(endpoint.writer.headerLength(endpoint.tcb, TcpFlag.Syn)).toBe(syn);
    expect(endpoint.writer.headerLength(endpoint.tcb, TcpFlag.Ack)).toBe(other);
    const event = endpoint.events[0]!;
    expect(event.kind === 'segment' && event.header.headerLength).toBe(syn);
  });

  test('gathers a segment from descriptors of any length, odd ones too, with the right checksum (RFC 9293 MUST-2)', () => {
    const endpoint = established();
    endpoint.send(1, 3, 0, 5, 7, 1, 1, 2, 9, 0, 1001);
    const { iss, tcb } = endpoint;
    for (let from = 0; from < 40; from++) {
      for (const length of [1, 2, 3, 17, 64, 900]) endpoint.emitSegment(tcb, TcpFlag.Ack, iss + 1 + from, length);
    }
    const last = endpoint.events.at(-1)!;
    expect(last.kind === 'segment' && parseSegment(formatEmitted(endpoint, last)).length).toBe(900);
  });

  test('ports and addresses are those of the TCB', () => {
    const endpoint = freshEndpoint();
    endpoint.connect();
    const event = endpoint.events[0]!;
    expect(event.kind === 'segment' && [event.header.srcPort, event.header.dstPort]).toEqual([10_000, 80]);
  });
});
