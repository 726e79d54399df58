/** The receiver's side of selective acknowledgment (RFC 2018) and D-SACK (RFC 2883). */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

const SACK = { params: { sack: true, mss: 1000 } } as const;
const SACK_AND_TIMESTAMPS = { params: { sack: true, timestamps: true, mss: 1000, ackFrequency: 1 } } as const;
const OPEN = `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      0ms  peer  < S. 0:0(0) ack 1 <mss 1000,sackOK>
      0ms  host  > . 1:1(0) ack 1`;

describe('SACK permitted (RFC 2018 2)', () => {
  ladder(
    'is asked for in our SYN',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) <mss 1000,sackOK,wscale 2>
    `,
    SACK,
  );
  ladder(
    'is answered when the peer asks, with timestamps or without',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1000,sackOK,TS val 7 ecr ->
      0ms  host  > S. 0:0(0) ack 1 <mss 1000,sackOK,TS val 0 ecr 7>
    `,
    SACK_AND_TIMESTAMPS,
  );
  ladder(
    'is not answered when the peer does not ask, and nothing is reported then',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1000>
      0ms  host  > S. 0:0(0) ack 1 <mss 1000>
      0ms  peer  < . 1:1(0) ack 1
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 1 <>
    `,
    SACK,
  );
  ladder(
    'is not answered when it is switched off',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1000,sackOK>
      0ms  host  > S. 0:0(0) ack 1 <mss 1000>
    `,
    { params: { sack: false, mss: 1000 } },
  );
});

describe('blocks (RFC 2018 3, 4)', () => {
  ladder(
    'name what is queued, the newest first; what fills the gap between two joins them',
    `${OPEN}
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 1 <sack 1001:2001>
      2ms  peer  < . 3001:4001(1000) ack 1
      2ms  host  > . 1:1(0) ack 1 <sack 3001:4001 1001:2001>
      3ms  peer  < . 5001:6001(1000) ack 1
      3ms  host  > . 1:1(0) ack 1 <sack 5001:6001 3001:4001 1001:2001>
      4ms  peer  < . 2001:3001(1000) ack 1
      4ms  host  > . 1:1(0) ack 1 <sack 1001:4001 5001:6001>
      5ms  peer  < . 6001:7001(1000) ack 1
      5ms  host  > . 1:1(0) ack 1 <sack 5001:7001 1001:4001>
      6ms  peer  < . 1:1001(1000) ack 1
      6ms  host  > . 1:1(0) ack 4001 <sack 5001:7001>
      7ms  peer  < . 4001:5001(1000) ack 1
      7ms  host  > . 1:1(0) ack 7001 <>
    `,
    SACK,
  );
  ladder(
    'are at most four, the newest',
    `${OPEN}
      1ms  peer  < . 1001:1011(10) ack 1
      1ms  host  > . 1:1(0) ack 1
      2ms  peer  < . 2001:2011(10) ack 1
      2ms  host  > . 1:1(0) ack 1
      3ms  peer  < . 3001:3011(10) ack 1
      3ms  host  > . 1:1(0) ack 1
      4ms  peer  < . 4001:4011(10) ack 1
      4ms  host  > . 1:1(0) ack 1 <sack 4001:4011 3001:3011 2001:2011 1001:1011>
      5ms  peer  < . 5001:5011(10) ack 1
      5ms  host  > . 1:1(0) ack 1 <sack 5001:5011 4001:4011 3001:3011 2001:2011>
      6ms  peer  < . 1011:1021(10) ack 1
      6ms  host  > . 1:1(0) ack 1 <sack 1001:1021 5001:5011 4001:4011 3001:3011>
    `,
    SACK,
  );
  ladder(
    'beside timestamps at most three',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) <mss 1000,sackOK,TS val 0 ecr 0,wscale 2>
      0ms  peer  < S. 0:0(0) ack 1 <mss 1000,sackOK,TS val 500 ecr 0>
      0ms  host  > . 1:1(0) ack 1
      1ms  peer  < . 1001:1011(10) ack 1 <TS val 501 ecr 0>
      1ms  host  > . 1:1(0) ack 1 <TS val 1 ecr 500,sack 1001:1011>
      2ms  peer  < . 2001:2011(10) ack 1 <TS val 502 ecr 0>
      2ms  host  > . 1:1(0) ack 1
      3ms  peer  < . 3001:3011(10) ack 1 <TS val 503 ecr 0>
      3ms  host  > . 1:1(0) ack 1
      4ms  peer  < . 4001:4011(10) ack 1 <TS val 504 ecr 0>
      4ms  host  > . 1:1(0) ack 1 <TS val 4 ecr 500,sack 4001:4011 3001:3011 2001:2011>
    `,
    SACK_AND_TIMESTAMPS,
  );
  ladder(
    'ride on data too, which then has less room (RFC 6691 3.1)',
    `${OPEN}
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 1 <sack 1001:2001>
      2ms  app   send 1500
      2ms  host  > . 1:989(988) ack 1 <sack 1001:2001>
      2ms  host  > P. 989:1501(512) ack 1 <sack 1001:2001>
    `,
    { params: { sack: true, mss: 1000, nagle: false } },
  );
  ladder(
    'count a FIN that came early',
    `${OPEN}
      1ms  peer  < F. 1001:1101(100) ack 1
      1ms  host  > . 1:1(0) ack 1 <sack 1001:1102>
      2ms  peer  < . 1:1001(1000) ack 1
      2ms  app   peer closed
      2ms  host  > . 1:1(0) ack 1102 <>
    `,
    SACK,
  );
  ladder(
    'no buffer for the segment: it is not reported',
    `${OPEN}
      1ms  link  pool 0
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 1 <>
    `,
    SACK,
  );
  ladder(
    'what was reported stays, though a larger segment that covers it finds no buffer (RFC 2018 8)',
    `${OPEN}
      1ms  peer  < . 1501:1601(100) ack 1
      1ms  host  > . 1:1(0) ack 1 <sack 1501:1601>
      2ms  link  pool 0
      2ms  peer  < . 1001:2001(1000) ack 1
      2ms  host  > . 1:1(0) ack 1 <sack 1501:1601 1501:1601>
      3ms  link  pool
      3ms  peer  < . 1001:2001(1000) ack 1
      3ms  host  > . 1:1(0) ack 1 <sack 1501:1601 1001:2001>
    `,
    SACK,
  );
});

describe('D-SACK (RFC 2883)', () => {
  ladder(
    'a segment that was acknowledged before is reported once (RFC 2883 4.1.1)',
    `${OPEN}
      1ms  peer  < . 1:1001(1000) ack 1
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 2001
      2ms  peer  < . 1:1001(1000) ack 1
      2ms  host  > . 1:1(0) ack 2001 <sack 1:1001>
      3ms  peer  < . 2001:3001(1000) ack 1
      3ms  peer  < . 3001:4001(1000) ack 1
      3ms  host  > . 1:1(0) ack 4001 <>
    `,
    SACK,
  );
  ladder(
    'part of one: only what was there (RFC 2883 4.1)',
    `${OPEN}
      1ms  peer  < . 1:1001(1000) ack 1
      1ms  peer  < . 501:1501(1000) ack 1
      1ms  host  > . 1:1(0) ack 1501 <sack 501:1001>
    `,
    SACK,
  );
  ladder(
    'inside of the queue: the D-SACK first, then the block that it lies in (RFC 2883 4.2)',
    `${OPEN}
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 1 <sack 1001:2001>
      2ms  peer  < . 3001:4001(1000) ack 1
      2ms  host  > . 1:1(0) ack 1 <sack 3001:4001 1001:2001>
      3ms  peer  < . 1001:1501(500) ack 1
      3ms  host  > . 1:1(0) ack 1 <sack 1001:1501 1001:2001 3001:4001>
      4ms  peer  < . 1501:2501(1000) ack 1
      4ms  host  > . 1:1(0) ack 1 <sack 1501:2001 1001:2501 3001:4001>
    `,
    SACK,
  );
  ladder(
    'what fills a gap and more reports the more (RFC 2883 4.2.3)',
    `${OPEN}
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 1 <sack 1001:2001>
      2ms  peer  < . 1:1501(1500) ack 1
      2ms  host  > . 1:1(0) ack 2001 <sack 1001:1501>
    `,
    SACK,
  );
  ladder(
    'a FIN that comes again counts',
    `${OPEN}
      1ms  peer  < F. 1:101(100) ack 1
      1ms  host  > . 1:1(0) ack 102
      2ms  peer  < F. 1:101(100) ack 1
      2ms  host  > . 1:1(0) ack 102 <sack 1:102>
      3ms  peer  < F. 101:101(0) ack 1
      3ms  host  > . 1:1(0) ack 102 <sack 101:102>
    `,
    SACK,
  );
  ladder(
    'switched off: SACK only',
    `${OPEN}
      1ms  peer  < . 1:1001(1000) ack 1
      1ms  peer  < . 1001:2001(1000) ack 1
      1ms  host  > . 1:1(0) ack 2001
      2ms  peer  < . 1:1001(1000) ack 1
      2ms  host  > . 1:1(0) ack 2001 <>
    `,
    { params: { sack: true, dsack: false, mss: 1000 } },
  );
});
