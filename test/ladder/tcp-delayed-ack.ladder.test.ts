/** When text is acknowledged (RFC 9293 3.8.6.3, RFC 5681 4.2): quick ACKs, ping-pong, delays that adapt. */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

const QUICK = { from: 'ESTABLISHED', params: { mss: 1000, quickAcksMax: 4 } } as const;
/** One is left. */
const READ = { from: 'ESTABLISHED', params: { mss: 1000, quickAcksMax: 1 } } as const;
/** None. */
const SLOW = { from: 'ESTABLISHED', params: { mss: 1000, quickAcksMax: 0 } } as const;

describe('quick ACKs', () => {
  ladder(
    'at the beginning each segment is acknowledged at once; then every second one',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  host  > . 1:1(0) ack 1001
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 2001
      2ms  peer  < P. 2001:2011(10) ack 1
      2ms  host  > . 1:1(0) ack 2011
      2ms  tcb   quickAcks=1
      3ms  peer  < . 2011:3011(1000) ack 1
      3ms  host  > . 1:1(0) ack 3011
      3ms  tcb   quickAcks=0
      4ms  peer  < . 3011:4011(1000) ack 1
      5ms  peer  < . 4011:5011(1000) ack 1
      5ms  host  > . 1:1(0) ack 5011
    `,
    QUICK,
  );
  ladder(
    'at most half the window in full segments, and at least two',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  host  > . 1:1(0) ack 1001
      0ms  tcb   quickAcks=1
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, rcvBuffer: 3000, quickAcksMax: 16 } },
  );
  ladder(
    'an answer ends them: the ACK waits for the next one',
    `
      0ms  peer  < P. 1:11(10) ack 1
      0ms  host  > . 1:1(0) ack 11
      1ms  app   send 20
      1ms  host  > P. 1:21(20) ack 11
      2ms  peer  < P. 11:21(10) ack 21
      5ms  app   send 30
      5ms  host  > P. 21:51(30) ack 21
      6ms  peer  < . 21:21(0) ack 51
    `,
    QUICK,
  );
  ladder(
    'an answer that does not come ends ping-pong: quick ACKs that are left are used again',
    `
      0ms  peer  < P. 1:11(10) ack 1
      0ms  host  > . 1:1(0) ack 11
      1ms  app   send 20
      1ms  host  > P. 1:21(20) ack 11
      2ms  peer  < P. 11:21(10) ack 21
     42ms  host  > . 21:21(0) ack 21
     50ms  peer  < P. 21:31(10) ack 21
     50ms  host  > . 21:21(0) ack 31
    `,
    QUICK,
  );
  ladder(
    'begin again after an idle time of more than RTO: the peer has slow start before it',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  host  > . 1:1(0) ack 1001
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 2001
      2ms  peer  < . 2001:3001(1000) ack 1
      3ms  peer  < . 3001:4001(1000) ack 1
      3ms  host  > . 1:1(0) ack 4001
   1500ms  peer  < . 4001:5001(1000) ack 1
   1500ms  host  > . 1:1(0) ack 5001
   1500ms  tcb   quickAcks=1
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, quickAcksMax: 2 } },
  );
  ladder(
    'begin again with text that came before: its ACK was lost, or it was sent too early',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  host  > . 1:1(0) ack 1001
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 2001
      1ms  tcb   quickAcks=0
      2ms  peer  < . 1:1001(1000) ack 1
      2ms  host  > . 1:1(0) ack 2001
      3ms  peer  < . 2001:3001(1000) ack 1
      3ms  host  > . 1:1(0) ack 3001
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, quickAcksMax: 2 } },
  );
});

describe('delayed ACKs', () => {
  ladder(
    'what is more than a full segment is acknowledged, whatever segments it came in',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      1ms  peer  < P. 1001:1011(10) ack 1
      1ms  host  > . 1:1(0) ack 1011
      2ms  peer  < P. 1011:1021(10) ack 1
      3ms  peer  < P. 1021:1031(10) ack 1
     42ms  host  > . 1:1(0) ack 1031
    `,
    SLOW,
  );
  ladder(
    'a small segment is acknowledged when it is read, if nothing is left to read',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  host  > . 1:1(0) ack 1001
      0ms  app   consume 1000
      0ms  peer  < P. 1001:1011(10) ack 1
      1ms  app   consume 5
      2ms  app   consume 5
      2ms  host  > . 1:1(0) ack 1011
    `,
    READ,
  );
  ladder(
    'but not of a peer that is answered, unless it is the second',
    `
      0ms  peer  < P. 1:11(10) ack 1
      0ms  host  > . 1:1(0) ack 11
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 11
      1ms  peer  < P. 11:21(10) ack 11
      1ms  app   consume 20
      2ms  peer  < P. 21:31(10) ack 11
      2ms  app   consume 10
      2ms  host  > . 11:11(0) ack 31
    `,
    READ,
  );
  ladder(
    'the delay grows as segments come further apart, up to 200 ms (RFC 9293 MUST-40), and falls again',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
    250ms  peer  < S. 0:0(0) ack 1 <mss 1000>
    250ms  host  > . 1:1(0) ack 1
    300ms  peer  < . 1:1001(1000) ack 1
    330ms  peer  < . 1001:2001(1000) ack 1
    330ms  host  > . 1:1(0) ack 2001
    330ms  tcb   ackTimeout=25
    370ms  peer  < P. 2001:2011(10) ack 1
    370ms  tcb   ackTimeout=32
    434ms  host  > . 1:1(0) ack 2011
    434ms  tcb   ackTimeout=64
    500ms  peer  < P. 2011:2021(10) ack 1
    500ms  tcb   ackTimeout=64
    628ms  host  > . 1:1(0) ack 2021
    628ms  tcb   ackTimeout=128
    800ms  peer  < P. 2021:2031(10) ack 1
    800ms  tcb   ackTimeout=128
   1000ms  host  > . 1:1(0) ack 2031
   1000ms  tcb   ackTimeout=255
   1001ms  peer  < . 2031:3031(1000) ack 1
   1002ms  peer  < . 3031:4031(1000) ack 1
   1002ms  host  > . 1:1(0) ack 4031
   1003ms  peer  < . 4031:5031(1000) ack 1
   1004ms  peer  < . 5031:6031(1000) ack 1
   1004ms  host  > . 1:1(0) ack 6031
   1005ms  peer  < P. 6031:6041(10) ack 1
   1071ms  host  > . 1:1(0) ack 6041
    `,
    { params: { mss: 1000, quickAcksMax: 0 } },
  );
  ladder(
    'on a short path the delay is the least: the answer of a peer so near does not take long',
    `
      0ms  peer  < P. 1:11(10) ack 1
     40ms  host  > . 1:1(0) ack 11
     40ms  tcb   ackTimeout=40
     70ms  peer  < P. 11:21(10) ack 1
    110ms  host  > . 1:1(0) ack 21
    `,
    SLOW,
  );
  ladder(
    'TcpAckFrequency and TcpDelayedAckTicks: so many full segments, at least so long',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      1ms  peer  < . 1001:2001(1000) ack 1
      2ms  peer  < . 2001:3001(1000) ack 1
      2ms  host  > . 1:1(0) ack 3001
      3ms  peer  < . 3001:4001(1000) ack 1
    103ms  host  > . 1:1(0) ack 4001
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, quickAcksMax: 0, ackFrequency: 3, delayedAckTicks: 100 } },
  );
  ladder(
    'a FIN is acknowledged at once, and so is what came before it',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      1ms  peer  < F. 1001:1001(0) ack 1
      1ms  host  > . 1:1(0) ack 1002
    `,
    SLOW,
  );
  ladder(
    'with a gap behind it every segment is acknowledged at once (RFC 5681 4.2)',
    `
      0ms  peer  < . 3001:4001(1000) ack 1
      0ms  host  > . 1:1(0) ack 1
      1ms  peer  < . 1:1001(1000) ack 1
      1ms  host  > . 1:1(0) ack 1001
      2ms  peer  < . 1001:3001(2000) ack 1
      2ms  host  > . 1:1(0) ack 4001
    `,
    SLOW,
  );
});
