/** Flow control and when to send: RFC 9293 3.7.4, 3.8.4, 3.8.6; delayed ACKs (RFC 5681 4.2); window scale (RFC 7323 2). */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

const MSS_1000 = { from: 'ESTABLISHED', params: { mss: 1000 } } as const;

describe('delayed ACK', () => {
  ladder(
    'one segment is acknowledged after the delay (RFC 9293 SHLD-18, MUST-40)',
    `
      0ms  peer  < P. 1:11(10) ack 1
      0ms  app   received 10
     40ms  host  > . 1:1(0) ack 11
    `,
    MSS_1000,
  );
  ladder(
    'every second segment at once (RFC 9293 SHLD-19)',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 2001
      2ms  peer  < . 2001:3001(1000) ack 1
     42ms  host  > . 1:1(0) ack 3001
    `,
    MSS_1000,
  );
  ladder(
    'out of order, and what fills the gap, at once (RFC 5681 4.2)',
    `
      0ms  peer  < . 1001:2001(1000) ack 1
      0ms  host  > . 1:1(0) ack 1
      1ms  peer  < . 1:1001(1000) ack 1
      1ms  app   received 1000
      1ms  app   received 1000
      1ms  host  > . 1:1(0) ack 2001
    `,
    MSS_1000,
  );
  ladder(
    'text of ours takes the ACK along (RFC 9293 MUST-58)',
    `
      0ms  peer  < P. 1:11(10) ack 1
      5ms  app   send 20
      5ms  host  > P. 1:21(20) ack 11
     10ms  peer  < . 11:11(0) ack 21
    `,
    MSS_1000,
  );
  ladder(
    'no room for the ACK: it goes out when there is some',
    `
      0ms  link  room 0
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  peer  < . 1001:2001(1000) ack 1
     70ms  link  room
     70ms  host  > . 1:1(0) ack 2001
    `,
    MSS_1000,
  );
});

describe('Nagle (RFC 9293 SHLD-7)', () => {
  ladder(
    'a small segment waits while another is in flight',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
      1ms  app   send 20
      2ms  app   send 30
     10ms  peer  < . 1:1(0) ack 11
     10ms  host  > P. 11:61(50) ack 1
    `,
    MSS_1000,
  );
  ladder(
    'a full segment does not wait, its rest does',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
      1ms  app   send 1200
      1ms  host  > . 11:1011(1000) ack 1
     10ms  peer  < . 1:1(0) ack 1011
     10ms  host  > P. 1011:1211(200) ack 1
    `,
    MSS_1000,
  );
  ladder(
    'CLOSE does not wait',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
      1ms  app   send 20
      2ms  app   close
      2ms  host  > FP. 11:31(20) ack 1
    `,
    MSS_1000,
  );
  ladder(
    'off: nothing waits (RFC 9293 MUST-17)',
    `
      0ms  app   send 10
      0ms  host  > P. 1:11(10) ack 1
      1ms  app   send 20
      1ms  host  > P. 11:31(20) ack 1
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, nagle: false } },
  );
});

describe("the sender's silly window (RFC 9293 MUST-38)", () => {
  ladder(
    'less than a segment of window is used after the override time-out only',
    `
      0ms  peer  < . 1:1(0) ack 1 win 300
      0ms  app   send 1000
    200ms  host  > P. 1:301(300) ack 1
    210ms  peer  < . 1:1(0) ack 301 win 2000
    210ms  host  > P. 301:1001(700) ack 1
    `,
    MSS_1000,
  );
  ladder(
    'half of the largest window ever is enough',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      0ms  peer  < S. 0:0(0) ack 1 win 600 <mss 1000>
      0ms  host  > . 1:1(0) ack 1
      0ms  app   send 1000
      0ms  host  > . 1:601(600) ack 1
     10ms  peer  < . 1:1(0) ack 601 win 299
    210ms  tcb   sndMax=601
    211ms  host  > P. 601:900(299) ack 1
    220ms  peer  < . 1:1(0) ack 900 win 300
    220ms  host  > P. 900:1001(101) ack 1
    `,
    {},
  );
  ladder(
    'a window that shrinks below what is in flight: old text is sent again inside it (RFC 9293 MUST-34, SHLD-16)',
    `
      0ms  app   send 2000
      0ms  host  > . 1:1001(1000) ack 1
      0ms  host  > P. 1001:2001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 1 win 400
     11ms  app   send 1000
    200ms  host  > . 1:401(400) ack 1
    210ms  peer  < . 1:1(0) ack 401 win 5000
    210ms  host  > . 401:1401(1000) ack 1
    210ms  tcb   cwnd=1400 sndNxt=2001
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, frto: false } },
  );
});

describe('the closed window', () => {
  ladder(
    'is probed with an old number and no text, first after RTO, then less and less often (RFC 9293 MUST-36, SHLD-29, SHLD-30)',
    `
      0ms  peer  < . 1:1(0) ack 1 win 0
      0ms  app   send 1000
    200ms  host  > . 0:0(0) ack 1
    210ms  peer  < . 1:1(0) ack 1 win 0
    600ms  host  > . 0:0(0) ack 1
    610ms  peer  < . 1:1(0) ack 1 win 0
   1400ms  host  > . 0:0(0) ack 1
   1410ms  peer  < . 1:1(0) ack 1 win 0
   3000ms  host  > . 0:0(0) ack 1
   3010ms  peer  < . 1:1(0) ack 1 win 0
   3010ms  tcb   cwnd=10000 dupAckCount=0
   3020ms  peer  < . 1:1(0) ack 1 win 5000
   3020ms  host  > P. 1:1001(1000) ack 1
   3220ms  host  > P. 1:1001(1000) ack 1
    `,
    MSS_1000,
  );
  ladder(
    'the answer to a probe opens it: sending begins with the first octet, and the probes leave no back-off behind',
    `
      0ms  peer  < . 1:1(0) ack 1 win 0
      0ms  app   send 1000
    200ms  host  > . 0:0(0) ack 1
    600ms  host  > . 0:0(0) ack 1
    610ms  peer  < . 1:1(0) ack 1 win 5000
    610ms  host  > P. 1:1001(1000) ack 1
    610ms  tcb   rtxCount=0 rtoBackoff=0 sndWndProbeCount=0
    810ms  host  > P. 1:1001(1000) ack 1
    `,
    MSS_1000,
  );
  ladder(
    'may stay closed as long as the peer answers (RFC 9293 MUST-37), and not longer',
    `
      0ms  peer  < . 1:1(0) ack 1 win 0
      0ms  app   send 1000
    200ms  host  > . 0:0(0) ack 1
    210ms  peer  < . 1:1(0) ack 1 win 0
    400ms  host  > . 0:0(0) ack 1
    410ms  peer  < . 1:1(0) ack 1 win 0
    600ms  host  > . 0:0(0) ack 1
    610ms  peer  < . 1:1(0) ack 1 win 0
    800ms  host  > . 0:0(0) ack 1
    810ms  peer  < . 1:1(0) ack 1 win 0
   1000ms  host  > . 0:0(0) ack 1
   1200ms  host  > . 0:0(0) ack 1
   1400ms  app   closed TimedOut
    `,
    { from: 'ESTABLISHED', params: { retransmissionsMax: 2, rtoMaxTicks: 200 } },
  );
  ladder(
    'a window that closes on text in flight is probed too, without limit (RFC 9293 MUST-35, SHLD-17)',
    `
      0ms  app   send 1000
      0ms  host  > P. 1:1001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 1 win 0
    200ms  host  > . 0:0(0) ack 1
    210ms  peer  < . 1:1(0) ack 1 win 0
    400ms  host  > . 0:0(0) ack 1
    410ms  peer  < . 1:1(0) ack 1 win 0
    600ms  host  > . 0:0(0) ack 1
    610ms  peer  < . 1:1(0) ack 1 win 0
    800ms  host  > . 0:0(0) ack 1
    810ms  peer  < . 1:1(0) ack 1 win 4000
    810ms  host  > P. 1:1001(1000) ack 1
    `,
    { from: 'ESTABLISHED', params: { retransmissionsMax: 2, rtoMaxTicks: 200 } },
  );
  ladder(
    'holds a FIN back as well, and is probed for it',
    `
      0ms  peer  < . 1:1(0) ack 1 win 0
      0ms  app   close
      0ms  tcb   state=FIN-WAIT-1
    200ms  host  > . 0:0(0) ack 1
    210ms  peer  < . 1:1(0) ack 1 win 0
    600ms  host  > . 0:0(0) ack 1
    610ms  peer  < . 1:1(0) ack 1 win 1
    610ms  host  > F. 1:1(0) ack 1
    620ms  peer  < . 1:1(0) ack 2 win 0
    620ms  tcb   state=FIN-WAIT-2
    `,
    MSS_1000,
  );
  ladder(
    'full to the last byte: the FIN waits for its place',
    `
      0ms  peer  < . 1:1(0) ack 1 win 1000
      0ms  app   send+close 1000
      0ms  host  > P. 1:1001(1000) ack 1
     10ms  peer  < . 1:1(0) ack 1001 win 100
     10ms  host  > F. 1001:1001(0) ack 1
    `,
    MSS_1000,
  );
  ladder(
    'a probe takes no number: an ACK after it has one that the peer hears (RFC 9293 A.2)',
    `
      0ms  peer  < . 1:1(0) ack 1 win 0
      0ms  app   send 1000
    200ms  host  > . 0:0(0) ack 1
    300ms  peer  < . 1:1001(1000) ack 1 win 0
    301ms  peer  < . 1001:2001(1000) ack 1 win 0
    301ms  host  > . 1:1(0) ack 2001
    `,
    MSS_1000,
  );
  ladder(
    'both closed, both probing: no war of ACKs',
    `
      0ms  peer  < . 1:1001(1000) ack 1 win 0
      0ms  app   send 10
     40ms  host  > . 1:1(0) ack 1001 win 0
    200ms  host  > . 0:0(0) ack 1001
    210ms  peer  < . 1001:1002(1) ack 1 win 0
    210ms  host  > . 1:1(0) ack 1001
    211ms  peer  < . 1002:1002(0) ack 1 win 0
    211ms  host  > . 1:1(0) ack 1001
    212ms  peer  < . 1002:1002(0) ack 1 win 0
    213ms  peer  < . 1002:1002(0) ack 1 win 0
    300ms  peer  < . 1001:1002(1) ack 1 win 500
    300ms  host  > P. 1:11(10) ack 1001
    `,
    { from: 'ESTABLISHED', params: { rcvBuffer: 1000 } },
  );
  ladder(
    'no room for the probe: the next one comes in time',
    `
      0ms  peer  < . 1:1(0) ack 1 win 0
      0ms  app   send 1000
    100ms  link  room 0
    300ms  tcb   sndWndProbeCount=0
    500ms  link  room
    600ms  host  > . 0:0(0) ack 1
    `,
    MSS_1000,
  );
});

describe("the receiver's window", () => {
  ladder(
    'closes as the application does not read, and opens by a segment or half the buffer (RFC 9293 MUST-39)',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  peer  < . 1001:2001(1000) ack 1
      0ms  host  > . 1:1(0) ack 2001 win 2000
      1ms  peer  < . 2001:3001(1000) ack 1
      1ms  peer  < . 3001:4001(1000) ack 1
      1ms  host  > . 1:1(0) ack 4001 win 0
     10ms  app   consume 100
     10ms  app   consume 800
     20ms  peer  < . 4001:4002(1) ack 1
     20ms  host  > . 1:1(0) ack 4001 win 0
     30ms  app   consume 1100
     30ms  host  > . 1:1(0) ack 4001 win 2000
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, rcvBuffer: 4000 } },
  );
  ladder(
    'an update goes out when twice as much can be offered, from half the buffer down; less rides on other segments',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  peer  < . 1001:2001(1000) ack 1
      0ms  host  > . 1:1(0) ack 2001 win 18000
     10ms  app   consume 2000
     20ms  peer  < . 2001:3001(1000) ack 1
     20ms  peer  < . 3001:4001(1000) ack 1
     20ms  host  > . 1:1(0) ack 4001 win 18000
     21ms  peer  < . 4001:5001(1000) ack 1
     21ms  peer  < . 5001:6001(1000) ack 1
     21ms  host  > . 1:1(0) ack 6001 win 16000
     22ms  peer  < . 6001:7001(1000) ack 1
     22ms  peer  < . 7001:8001(1000) ack 1
     22ms  host  > . 1:1(0) ack 8001 win 14000
     23ms  peer  < . 8001:9001(1000) ack 1
     23ms  peer  < . 9001:10001(1000) ack 1
     23ms  host  > . 1:1(0) ack 10001 win 12000
     24ms  peer  < . 10001:11001(1000) ack 1
     24ms  peer  < . 11001:12001(1000) ack 1
     24ms  host  > . 1:1(0) ack 12001 win 10000
     30ms  app   consume 9000
     31ms  app   consume 1000
     31ms  host  > . 1:1(0) ack 12001 win 20000
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, rcvBuffer: 20000 } },
  );
  ladder(
    'unscaled it is a number of full segments as the peer sends them, and stays while it is within one of what is free',
    `
      0ms  peer  < . 1:701(700) ack 1
      0ms  peer  < . 701:1401(700) ack 1
      0ms  host  > . 1:1(0) ack 1401 win 18600
      1ms  app   consume 600
      1ms  peer  < . 1401:2101(700) ack 1
      1ms  peer  < . 2101:2801(700) ack 1
      1ms  host  > . 1:1(0) ack 2801 win 17200
      2ms  app   consume 2200
      2ms  peer  < . 2801:3501(700) ack 1
      2ms  peer  < . 3501:4201(700) ack 1
      2ms  host  > . 1:1(0) ack 4201 win 18200
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, rcvBuffer: 20_000 } },
  );
  ladder(
    'a FIN alone is taken at a closed window',
    `
      0ms  peer  < . 1:1001(1000) ack 1
     40ms  host  > . 1:1(0) ack 1001 win 0
     50ms  peer  < F. 1001:1001(0) ack 1
     50ms  app   peer closed
     50ms  host  > . 1:1(0) ack 1002 win 0
    `,
    { from: 'ESTABLISHED', params: { mss: 1000, rcvBuffer: 1000 } },
  );
  ladder(
    'text over the right edge is cut, the FIN with it (RFC 9293 3.10.7.4 first)',
    `
      0ms  peer  < F. 1:1501(1500) ack 1
      0ms  app   received 1000
     40ms  host  > . 1:1(0) ack 1001 win 0
     40ms  tcb   state=ESTABLISHED
    `,
    { from: 'ESTABLISHED', params: { rcvBuffer: 1000 } },
  );
  ladder(
    'with a closed window the ACK of a probe still counts (RFC 9293 3.10.7.4)',
    `
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1001 win 0
     10ms  peer  < . 1001:1002(1) ack 101
     10ms  app   sent 100
     10ms  host  > . 101:101(0) ack 1001 win 0
    `,
    { from: 'ESTABLISHED', params: { rcvBuffer: 1000 } },
  );
  ladder(
    'scaled, it closes for a peer of tiny segments too, and is never taken back (RFC 9293 SHLD-14, RFC 7323 2.4)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) win 65535 <mss 1000,wscale 1>
      0ms  peer  < S. 0:0(0) ack 1 <mss 1000,wscale 0>
      0ms  host  > . 1:1(0) ack 1 win 32768
      1ms  peer  < . 1:3(2) ack 1
      1ms  host  > . 1:1(0) ack 3 win 32767
      2ms  peer  < . 3:6(3) ack 1
      2ms  host  > . 1:1(0) ack 6 win 32766
      3ms  peer  < . 6:9(3) ack 1
      3ms  host  > . 1:1(0) ack 9 win 32764
    `,
    { params: { mss: 1000, rcvBuffer: 65_536, ackFrequency: 1 } },
  );

  ladder(
    'a large buffer is offered as it is used: two bytes more for each that has come (as Linux)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) win 65535 <mss 1000,wscale 4>
      0ms  peer  < S. 0:0(0) ack 1 <mss 1000,wscale 0>
      0ms  host  > . 1:1(0) ack 1 win 4096
      1ms  peer  < P. 1:1001(1000) ack 1
      1ms  host  > . 1:1(0) ack 1001 win 4221
      2ms  peer  < P. 1001:2001(1000) ack 1
      2ms  host  > . 1:1(0) ack 2001 win 4346
    `,
    { params: { mss: 1000, rcvBuffer: 1_000_000, ackFrequency: 1 } },
  );
});

describe('no buffer for the payload', () => {
  ladder(
    'the segment is taken as never received, in order and out of order; nothing is lost',
    `
      0ms  link  pool 0
      0ms  peer  < . 1:1001(1000) ack 1
      0ms  host  > . 1:1(0) ack 1
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 1
      1ms  tcb   oooCount=0
      2ms  link  pool 1
      2ms  peer  < . 1001:2001(1000) ack 1
      2ms  host  > . 1:1(0) ack 1
      3ms  peer  < . 1:1001(1000) ack 1
      3ms  host  > . 1:1(0) ack 1
      4ms  link  pool
      4ms  peer  < . 1:1001(1000) ack 1
      4ms  app   received 1000
      4ms  app   received 1000
      4ms  host  > . 1:1(0) ack 2001
    `,
    MSS_1000,
  );
  ladder(
    'a FIN does not pass the text that found none',
    `
      0ms  link  pool 0
      0ms  peer  < F. 1:101(100) ack 1
      0ms  host  > . 1:1(0) ack 1
      0ms  tcb   state=ESTABLISHED
      1ms  link  pool
      1ms  peer  < F. 1:101(100) ack 1
      1ms  app   received 100
      1ms  app   peer closed
      1ms  host  > . 1:1(0) ack 102
    `,
    MSS_1000,
  );
});

describe('keep-alive (RFC 9293 MAY-5)', () => {
  const KEEP = {
    from: 'ESTABLISHED',
    params: { keepAlive: true, kaTimeout: 10_000, kaInterval: 1000, kaProbeMax: 3 },
  } as const;
  ladder(
    'is off by default (RFC 9293 MUST-25)',
    `
      0ms  tcb   timers=0
    200h   tcb   state=ESTABLISHED
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'probes after the idle time, gives up after so many unanswered (RFC 9293 MUST-26, MUST-29, SHLD-12)',
    `
     10s   host  > . 0:0(0) ack 1
     11s   host  > . 0:0(0) ack 1
     12s   host  > . 0:0(0) ack 1
     13s   host  > R. 1:1(0) ack 1
     13s   app   closed TimedOut
    `,
    KEEP,
  );
  ladder(
    'with a user timeout it is the time that counts, once a probe has been sent (RFC 5482, as Linux has it)',
    `
      0ms  tcb   kaTimeout=10000 kaInterval=1000 kaProbeMax=3
     10s   host  > . 0:0(0) ack 1
     11s   host  > . 0:0(0) ack 1
     12s   host  > . 0:0(0) ack 1
     13s   host  > . 0:0(0) ack 1
     14s   host  > . 0:0(0) ack 1
     15s   host  > R. 1:1(0) ack 1
     15s   app   closed TimedOut
    `,
    { ...KEEP, params: { ...KEEP.params, userTimeoutTicks: 15_000 } },
  );
  ladder(
    'an answer starts the idle time over',
    `
     10s   host  > . 0:0(0) ack 1
     11s   host  > . 0:0(0) ack 1
  11010ms  peer  < . 1:1(0) ack 1
  21010ms  host  > . 0:0(0) ack 1
    `,
    KEEP,
  );
  ladder(
    'text in either direction does too; in flight, retransmission watches instead',
    `
      5s   peer  < P. 1:11(10) ack 1
   5040ms  host  > . 1:1(0) ack 11
     14s   app   send 10
  14000ms  host  > P. 1:11(10) ack 11
  14200ms  host  > P. 1:11(10) ack 11
  14600ms  host  > P. 1:11(10) ack 11
  15400ms  host  > P. 1:11(10) ack 11
  15410ms  peer  < . 11:11(0) ack 11
  25410ms  host  > . 10:10(0) ack 11
    `,
    KEEP,
  );
  ladder(
    "the peer's probe is answered",
    `
      0ms  peer  < . 0:0(0) ack 1
      0ms  host  > . 1:1(0) ack 1
      1s   peer  < . 0:1(1) ack 1
      1s   host  > . 1:1(0) ack 1
    `,
    { from: 'ESTABLISHED' },
  );
});

describe('PAWS (RFC 7323 5)', () => {
  const OPEN = `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      0ms  peer  < S. 0:0(0) ack 1 <mss 1460,TS val 1000 ecr 0>
      0ms  host  > . 1:1(0) ack 1 <TS val 0 ecr 1000>`;
  const TIMESTAMPS = { params: { timestamps: true, windowScaling: false } } as const;
  ladder(
    'an older timestamp is a segment of old: acknowledged and dropped; RST is not subject to it',
    `${OPEN}
     10ms  peer  < P. 1:11(10) ack 1 <TS val 999 ecr 0>
     10ms  host  > . 1:1(0) ack 1 <TS val 10 ecr 1000>
     20ms  peer  < P. 1:11(10) ack 1 <TS val 1000 ecr 0>
     20ms  app   received 10
     60ms  host  > . 1:1(0) ack 11 <TS val 60 ecr 1000>
     70ms  peer  < R. 11:11(0) ack 1 <TS val 5 ecr 0>
     70ms  app   closed Reset
    `,
    TIMESTAMPS,
  );
  ladder(
    'the timestamp echoed is that of the first segment an ACK answers (RFC 7323 4.3)',
    `${OPEN}
     10ms  peer  < . 1:1001(1000) ack 1 <TS val 1010 ecr 0>
     15ms  peer  < . 1001:2001(1000) ack 1 <TS val 1015 ecr 0>
     15ms  host  > . 1:1(0) ack 2001 <TS val 15 ecr 1010>
     20ms  peer  < . 3001:4001(1000) ack 1 <TS val 1020 ecr 0>
     20ms  host  > . 1:1(0) ack 2001 <TS val 20 ecr 1010>
     30ms  peer  < . 2001:3001(1000) ack 1 <TS val 1030 ecr 0>
     30ms  host  > . 1:1(0) ack 4001 <TS val 30 ecr 1030>
    `,
    TIMESTAMPS,
  );
  ladder(
    'a segment that acknowledges what was never sent leaves TS.Recent alone',
    `${OPEN}
     10ms  peer  < P. 1:11(10) ack 99 <TS val 9000 ecr 0>
     10ms  host  > . 1:1(0) ack 1 <TS val 10 ecr 1000>
     20ms  peer  < P. 1:11(10) ack 1 <TS val 1020 ecr 0>
     60ms  host  > . 1:1(0) ack 11 <TS val 60 ecr 1020>
    `,
    TIMESTAMPS,
  );
  ladder(
    'while an ACK is delayed TS.Recent stays, also for text that came before; not for what is older than the last ACK',
    `${OPEN}
     10ms  peer  < P. 1:11(10) ack 1 <TS val 1010 ecr 0>
     50ms  host  > . 1:1(0) ack 11 <TS val 50 ecr 1010>
     60ms  peer  < P. 11:21(10) ack 1 <TS val 1060 ecr 0>
     70ms  peer  < P. 21:31(10) ack 1 <TS val 1070 ecr 0>
     75ms  peer  < P. 1:31(30) ack 1 <TS val 1075 ecr 0>
     75ms  host  > . 1:1(0) ack 31 <TS val 75 ecr 1060>
    `,
    TIMESTAMPS,
  );
  ladder(
    'a SYN with a timestamp of zero says nothing of the clock of its sender',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1460,TS val 0 ecr ->
      0ms  host  > S. 0:0(0) ack 1 <mss 1460,TS val 0 ecr 0>
     10ms  peer  < . 1:1(0) ack 1 <TS val 4000000000 ecr 0>
     10ms  app   established
     20ms  peer  < P. 1:11(10) ack 1 <TS val 4000000010 ecr 0>
     60ms  host  > . 1:1(0) ack 11 <TS val 60 ecr -294967286>
    `,
    TIMESTAMPS,
  );
  ladder(
    'after more than 24 days of silence any timestamp is new (RFC 7323 5.5)',
    `${OPEN}
     10ms  peer  < P. 1:11(10) ack 1 <TS val 1000 ecr 0>
     50ms  host  > . 1:1(0) ack 11
    575h   peer  < P. 11:21(10) ack 1 <TS val 900 ecr 0>
    575h   host  > . 1:1(0) ack 11
    577h   peer  < P. 11:21(10) ack 1 <TS val 900 ecr 0>
    577h   app   received 10
    `,
    TIMESTAMPS,
  );
});
