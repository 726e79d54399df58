/** Retransmission (RFC 6298, RFC 9293 3.8.1) and congestion control (RFC 5681, 6582, 3042, 6928). */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

/**
 * Segments of 1000 bytes, and an algorithm that halves; round-trip time of the handshake 0: RTO is its minimum, 200 ms.
 * Neither SACK nor timestamps, so recovery is that of RFC 6582. With SACK: tcp-recovery.ladder.test.ts.
 */
const MSS_1000 = { from: 'ESTABLISHED', params: { mss: 1000, congestionControl: 'newreno' } } as const;

describe('retransmission time-out', () => {
  ladder(
    'the first segment again, with exponential back-off (RFC 6298 5.4, 5.5; RFC 9293 MUST-19)',
    `
      0ms  app   send 2000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > P. 1001:2001(1000) ack 1
    200ms  host  > . 1:1001(1000) ack 1
    600ms  host  > . 1:1001(1000) ack 1
   1400ms  host  > . 1:1001(1000) ack 1
   1400ms  tcb   cwnd=1000 ssthresh=5000 rtxCount=3
   1410ms  peer  < . 1:1(0) ack 1001
   1410ms  host  > P. 1001:2001(1000) ack 1
   1410ms  tcb   cwnd=2000 rtxCount=0
   1420ms  peer  < . 1:1(0) ack 2001
   1420ms  app   sent 2000
   1420ms  tcb   timers=0
    `,
    MSS_1000,
  );

  ladder(
    'an ACK of all that was sent before the time-out ends it: nothing more is sent again',
    `
      0ms  app   send 3000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > . 1001:2001(1000) ack 1
      0ms  host  > P. 2001:3001(1000) ack 1
    200ms  host  > . 1:1001(1000) ack 1
    210ms  peer  < . 1:1(0) ack 3001
    210ms  app   sent 3000
    210ms  tcb   sndNxt=3001 sndMax=3001
    `,
    MSS_1000,
  );

  ladder(
    'R2: the connection times out (RFC 9293 MUST-20)',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
    200ms  host  > P. 1:11(10) ack 1
    600ms  host  > P. 1:11(10) ack 1
   1400ms  app   closed TimedOut
    `,
    { from: 'ESTABLISHED', params: { retransmissionsMax: 2 } },
  );

  ladder(
    'RTO stays below its maximum',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
    200ms  host  > P. 1:11(10) ack 1
    500ms  host  > P. 1:11(10) ack 1
    800ms  host  > P. 1:11(10) ack 1
    `,
    { from: 'ESTABLISHED', params: { rtoMaxTicks: 300 } },
  );

  ladder(
    'an ACK of new text restarts the timer (RFC 6298 5.3); RTO is SRTT, here 18 ms, and 200 ms of variation at least',
    `
      0ms  app   send 2000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > P. 1001:2001(1000) ack 1
    150ms  peer  < . 1:1(0) ack 1001
    368ms  host  > P. 1001:2001(1000) ack 1
    `,
    MSS_1000,
  );

  ladder(
    'what was sent in small segments is sent again as one (RFC 9293 SHLD-28)',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
     10ms  app   send 20
     10ms  host  > P. 11:31(20) ack 1
     20ms  app   send 30
     20ms  host  > P. 31:61(30) ack 1
    200ms  host  > P. 1:61(60) ack 1
    210ms  peer  < . 1:1(0) ack 61
    210ms  app   sent 30
    210ms  tcb   timers=0 lostBytes=0 retransBytes=0
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, nagle: false } },
  );

  ladder(
    'what was not sent is not joined to it: the peer must be able to tell the two apart',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
     10ms  app   send 20
    200ms  host  > . 1:11(10) ack 1
    200ms  tcb   sndNxt=11 sndMax=11
    210ms  peer  < . 1:1(0) ack 11
    210ms  host  > P. 11:31(20) ack 1
    `,
    MSS_1000,
  );

  ladder(
    'no room when the timer fires: the segment goes out when there is some, and is watched from then on',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
      1ms  link  room 0
    300ms  link  room
    300ms  host  > P. 1:11(10) ack 1
    700ms  host  > P. 1:11(10) ack 1
    `,
    MSS_1000,
  );

  ladder(
    'room for one segment at a time: each goes out once, in order',
    `
      0ms  link  room 1
      0ms  app   send 3000
      0ms  host  > . 1:1001(1000) ack 1
     10ms  link  room 1
     10ms  host  > . 1001:2001(1000) ack 1
     20ms  link  room 1
     20ms  host  > P. 2001:3001(1000) ack 1
    200ms  link  room 1
    200ms  host  > . 1:1001(1000) ack 1
    `,
    MSS_1000,
  );
});

describe('round-trip time', () => {
  ladder(
    'one segment at a time is measured, first sample and smoothing (RFC 6298 2.2, 2.3)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
    100ms  peer  < S. 0:0(0) ack 1 <mss 1000>
    100ms  host  > . 1:1(0) ack 1
    100ms  tcb   srtt=800 rttvar=200
    100ms  app   send 10
    100ms  host  > P. 1:11(10) ack 1
    280ms  peer  < . 1:1(0) ack 11
    280ms  tcb   srtt=880 rttvar=230
    `,
    { params: { windowScaling: false } },
  );

  ladder(
    'what was sent again is not measured, and the back-off stays until a valid sample (Karn, RFC 9293 MUST-18)',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
    200ms  host  > P. 1:11(10) ack 1
    600ms  host  > P. 1:11(10) ack 1
    650ms  peer  < . 1:1(0) ack 11
    650ms  tcb   srtt=1 rtxCount=0 rtoBackoff=2
    650ms  app   send 10
    650ms  host  > P. 11:21(10) ack 1
   1350ms  peer  < . 1:1(0) ack 21
   1350ms  tcb   srtt=701 rttvar=700 rtoBackoff=0
    `,
    { from: 'ESTABLISHED' },
  );

  ladder(
    'timestamps measure what was sent again too (RFC 7323 4.1)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) <mss 1460,TS val 0 ecr 0>
     50ms  peer  < S. 0:0(0) ack 1 <mss 1460,TS val 900 ecr 0>
     50ms  host  > . 1:1(0) ack 1 <TS val 50 ecr 900>
     50ms  tcb   srtt=400
    100ms  app   send 10
    100ms  host  > P. 1:11(10) ack 1 <TS val 100 ecr 900>
    350ms  host  > P. 1:11(10) ack 1 <TS val 350 ecr 900>
    400ms  peer  < . 1:1(0) ack 11 <TS val 950 ecr 350>
    400ms  tcb   srtt=400 rtxCount=0 rtoBackoff=0
    `,
    { params: { windowScaling: false, timestamps: true } },
  );

  ladder(
    'a SYN that was sent again is measured by its echo, and one that we never sent is answered with a reset (RFC 6298 3)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
   1000ms  host  > S 0:0(0)
   1050ms  peer  < S. 0:0(0) ack 1 <mss 1460,TS val 900 ecr 40000>
   1050ms  host  > R 1:1(0)
   1060ms  peer  < S. 0:0(0) ack 1 <mss 1460,TS val 910 ecr 1000>
   1060ms  host  > . 1:1(0) ack 1
   1060ms  tcb   srtt=480
    `,
    { params: { windowScaling: false, timestamps: true } },
  );
});

describe('slow start and congestion avoidance (RFC 5681 3.1)', () => {
  ladder(
    'ten segments at first (RFC 6928 2), then as much more as each ACK acknowledges (RFC 3465)',
    `
      0ms  app   send 15000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > . 1001:2001(1000) ack 1
      0ms  host  > . 2001:3001(1000) ack 1
      0ms  host  > . 3001:4001(1000) ack 1
      0ms  host  > . 4001:5001(1000) ack 1
      0ms  host  > . 5001:6001(1000) ack 1
      0ms  host  > . 6001:7001(1000) ack 1
      0ms  host  > . 7001:8001(1000) ack 1
      0ms  host  > . 8001:9001(1000) ack 1
      0ms  host  > . 9001:10001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 2001
     10ms  host  > . 10001:11001(1000) ack 1
     10ms  host  > . 11001:12001(1000) ack 1
     10ms  host  > . 12001:13001(1000) ack 1
     10ms  host  > . 13001:14001(1000) ack 1
     10ms  tcb   cwnd=12000
    `,
    MSS_1000,
  );

  ladder(
    'a window of four segments that is not used does not grow, a used one does (RFC 7661 4)',
    `
      0ms  app   send 4000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > . 1001:2001(1000) ack 1
      0ms  host  > . 2001:3001(1000) ack 1
      0ms  host  > P. 3001:4001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 4001
     10ms  tcb   cwnd=10000
     10ms  app   send 6000
     10ms  host  > . 4001:5001(1000) ack 1
     10ms  host  > . 5001:6001(1000) ack 1
     10ms  host  > . 6001:7001(1000) ack 1
     10ms  host  > . 7001:8001(1000) ack 1
     10ms  host  > . 8001:9001(1000) ack 1
     10ms  host  > P. 9001:10001(1000) ack 1
     20ms  peer  < . 1:1(0) ack 10001
     20ms  tcb   cwnd=16000
    `,
    MSS_1000,
  );

  ladder(
    'above ssthresh the window grows by a segment in a round trip',
    `
      0ms  app   send 10000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > . 1001:2001(1000) ack 1
      0ms  host  > . 2001:3001(1000) ack 1
      0ms  host  > . 3001:4001(1000) ack 1
      0ms  host  > . 4001:5001(1000) ack 1
      0ms  host  > . 5001:6001(1000) ack 1
      0ms  host  > . 6001:7001(1000) ack 1
      0ms  host  > . 7001:8001(1000) ack 1
      0ms  host  > . 8001:9001(1000) ack 1
      0ms  host  > P. 9001:10001(1000) ack 1
    200ms  host  > . 1:1001(1000) ack 1
    200ms  tcb   cwnd=1000 ssthresh=5000
    210ms  peer  < . 1:1(0) ack 6001
    210ms  host  > . 6001:7001(1000) ack 1
    210ms  host  > . 7001:8001(1000) ack 1
    210ms  host  > . 8001:9001(1000) ack 1
    210ms  host  > P. 9001:10001(1000) ack 1
    210ms  tcb   cwnd=5000 cwndCount=2000
    220ms  peer  < . 1:1(0) ack 8001
    220ms  tcb   cwnd=5000 cwndCount=4000
    221ms  peer  < . 1:1(0) ack 9001
    221ms  tcb   cwnd=6000 cwndCount=0
    `,
    MSS_1000,
  );

  ladder(
    'after an idle time of more than RTO the window starts over (RFC 5681 4.1)',
    `
      0ms  app   send 10000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > . 1001:2001(1000) ack 1
      0ms  host  > . 2001:3001(1000) ack 1
      0ms  host  > . 3001:4001(1000) ack 1
      0ms  host  > . 4001:5001(1000) ack 1
      0ms  host  > . 5001:6001(1000) ack 1
      0ms  host  > . 6001:7001(1000) ack 1
      0ms  host  > . 7001:8001(1000) ack 1
      0ms  host  > . 8001:9001(1000) ack 1
      0ms  host  > P. 9001:10001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 5001
     10ms  peer  < . 1:1(0) ack 10001
     10ms  tcb   cwnd=20000
    500ms  app   send 10
    500ms  host  > P. 10001:10011(10) ack 1
    500ms  tcb   cwnd=10000
    `,
    MSS_1000,
  );
});

describe('a closed window and an idle time', () => {
  ladder(
    'the window starts over when sending begins, once, and not while it is closed (RFC 5681 4.1)',
    `
      0ms  app   send 10000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > . 1001:2001(1000) ack 1
      0ms  host  > . 2001:3001(1000) ack 1
      0ms  host  > . 3001:4001(1000) ack 1
      0ms  host  > . 4001:5001(1000) ack 1
      0ms  host  > . 5001:6001(1000) ack 1
      0ms  host  > . 6001:7001(1000) ack 1
      0ms  host  > . 7001:8001(1000) ack 1
      0ms  host  > . 8001:9001(1000) ack 1
      0ms  host  > P. 9001:10001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 10001 win 0
     10ms  tcb   cwnd=20000
    500ms  app   send 1000
    500ms  tcb   cwnd=20000
    701ms  host  > . 10000:10000(0) ack 1
    710ms  peer  < . 1:1(0) ack 10001 win 0
    710ms  tcb   cwnd=20000
    720ms  link  room 0
    720ms  peer  < . 1:1(0) ack 10001 win 5000
    720ms  tcb   cwnd=10000
    730ms  link  room
    730ms  host  > P. 10001:11001(1000) ack 1
    730ms  tcb   cwnd=10000
    `,
    MSS_1000,
  );
});

/** Ten segments in flight. */
const TEN = `
      0ms  app   send 20000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > . 1001:2001(1000) ack 1
      0ms  host  > . 2001:3001(1000) ack 1
      0ms  host  > . 3001:4001(1000) ack 1
      0ms  host  > . 4001:5001(1000) ack 1
      0ms  host  > . 5001:6001(1000) ack 1
      0ms  host  > . 6001:7001(1000) ack 1
      0ms  host  > . 7001:8001(1000) ack 1
      0ms  host  > . 8001:9001(1000) ack 1
      0ms  host  > . 9001:10001(1000) ack 1`;

describe('fast retransmit and fast recovery', () => {
  ladder(
    'two duplicates let new segments out (RFC 3042), the third retransmits (RFC 5681 3.2); a full ACK ends it (RFC 6582 3.2)',
    `${TEN}
     10ms  peer  < . 1:1(0) ack 1
     10ms  host  > . 10001:11001(1000) ack 1
     11ms  peer  < . 1:1(0) ack 1
     11ms  host  > . 11001:12001(1000) ack 1
     12ms  peer  < . 1:1(0) ack 1
     12ms  host  > . 1:1001(1000) ack 1
     12ms  tcb   caState=3 cwnd=9000 ssthresh=5000 recover=12001
     13ms  peer  < . 1:1(0) ack 1
     13ms  peer  < . 1:1(0) ack 1
     13ms  peer  < . 1:1(0) ack 1
     13ms  host  > . 12001:13001(1000) ack 1
     13ms  tcb   cwnd=7000
     14ms  peer  < . 1:1(0) ack 1
     20ms  peer  < . 1:1(0) ack 13001
     20ms  host  > . 13001:14001(1000) ack 1
     20ms  host  > . 14001:15001(1000) ack 1
     20ms  host  > . 15001:16001(1000) ack 1
     20ms  host  > . 16001:17001(1000) ack 1
     20ms  host  > . 17001:18001(1000) ack 1
     20ms  host  > . 18001:19001(1000) ack 1
     20ms  tcb   caState=0 cwnd=6000 ssthresh=5000
    `,
    MSS_1000,
  );

  ladder(
    'a partial ACK retransmits the next hole at once, whatever is in flight (RFC 6582 3.2 step 3)',
    `${TEN}
     10ms  peer  < . 1:1(0) ack 1
     10ms  host  > . 10001:11001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 1
     10ms  host  > . 11001:12001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 1
     10ms  host  > . 1:1001(1000) ack 1
     20ms  peer  < . 1:1(0) ack 3001
     20ms  host  > . 3001:4001(1000) ack 1
     20ms  tcb   cwnd=8000 recover=12001 caState=3
     30ms  peer  < . 1:1(0) ack 5001
     30ms  host  > . 5001:6001(1000) ack 1
     30ms  tcb   cwnd=7000
     40ms  peer  < . 1:1(0) ack 12001
     40ms  host  > . 12001:13001(1000) ack 1
     40ms  host  > . 13001:14001(1000) ack 1
     40ms  host  > . 14001:15001(1000) ack 1
     40ms  host  > . 15001:16001(1000) ack 1
     40ms  host  > . 16001:17001(1000) ack 1
     40ms  tcb   caState=3 cwnd=5000
     50ms  peer  < . 1:1(0) ack 13001
     50ms  tcb   caState=0
     50ms  host  > . 17001:18001(1000) ack 1
    `,
    MSS_1000,
  );

  ladder(
    'a time-out in recovery ends it, and its old duplicates start no other (RFC 6582 4)',
    `${TEN}
     10ms  peer  < . 1:1(0) ack 1
     10ms  host  > . 10001:11001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 1
     10ms  host  > . 11001:12001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 1
     10ms  host  > . 1:1001(1000) ack 1
    210ms  host  > . 1:1001(1000) ack 1
    210ms  tcb   caState=4 cwnd=1000 recover=12001 sackedSegments=0
    220ms  peer  < . 1:1(0) ack 1001
    220ms  host  > . 1001:2001(1000) ack 1
    220ms  host  > . 2001:3001(1000) ack 1
    221ms  peer  < . 1:1(0) ack 1001
    222ms  peer  < . 1:1(0) ack 1001
    223ms  peer  < . 1:1(0) ack 1001
    224ms  peer  < . 1:1(0) ack 1001
    224ms  tcb   caState=4 retransBytes=2000 sndNxt=12001
    `,
    MSS_1000,
  );

  ladder(
    'small segments count as segments: the third duplicate retransmits the first of four, and that alone',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
      0ms  app   send 20
      0ms  host  > P. 11:31(20) ack 1
      0ms  app   send 30
      0ms  host  > P. 31:61(30) ack 1
      0ms  app   send 40
      0ms  host  > P. 61:101(40) ack 1
     10ms  peer  < . 1:1(0) ack 1
     11ms  peer  < . 1:1(0) ack 1
     11ms  tcb   caState=1
     12ms  peer  < . 1:1(0) ack 1
     12ms  host  > . 1:11(10) ack 1
     12ms  tcb   caState=3
     20ms  peer  < . 1:1(0) ack 101
     20ms  tcb   sackedBytes=0 lostBytes=0 retransBytes=0
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, nagle: false } },
  );

  ladder(
    'duplicates of a lone segment do not come from segments behind it: only the time-out sends it again',
    `
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
     10ms  peer  < . 1:1(0) ack 1
     11ms  peer  < . 1:1(0) ack 1
     12ms  peer  < . 1:1(0) ack 1
    200ms  host  > F. 1:1(0) ack 1
    `,
    MSS_1000,
  );

  ladder(
    'text, another window, or another ACK number make no duplicate (RFC 5681 2)',
    `
      0ms  app   send 2000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > P. 1001:2001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 1 win 60000
     11ms  peer  < . 1:1(0) ack 1 win 60001
     12ms  peer  < . 1:1001(1000) ack 1 win 60001
     13ms  peer  < . 1001:2001(1000) ack 1 win 60001
     13ms  host  > . 2001:2001(0) ack 2001
     13ms  tcb   dupAckCount=0
    `,
    MSS_1000,
  );

  ladder(
    'no room for the retransmission: it goes first when there is some',
    `${TEN}
     10ms  link  room 0
     10ms  peer  < . 1:1(0) ack 1
     10ms  peer  < . 1:1(0) ack 1
     10ms  peer  < . 1:1(0) ack 1
     20ms  link  room 1
     20ms  host  > . 1:1001(1000) ack 1
     30ms  peer  < . 1:1(0) ack 10001
     30ms  link  room
     30ms  host  > . 10001:11001(1000) ack 1
     30ms  host  > . 11001:12001(1000) ack 1
     30ms  host  > . 12001:13001(1000) ack 1
     30ms  host  > . 13001:14001(1000) ack 1
     30ms  host  > . 14001:15001(1000) ack 1
    `,
    MSS_1000,
  );
});
