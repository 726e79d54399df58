/** MSG_EOR: bytes behind the end of a record never share a segment with its own, sent first or sent again (tcp/record-end.ts). */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

const ESTABLISHED = { from: 'ESTABLISHED', params: { rack: false, lossProbe: false } } as const;
const SACK = { params: { sack: true, nagle: false, mss: 1000, windowScaling: false } } as const;
const PROBES = {
  params: { ...SACK.params, mtuProbing: 'always', mtuProbeBase: 512, initialWindowSegments: 14 },
} as const;
const OPEN = `
      0ms  app   connect
      0ms  host  > S 0:0(0)
     40ms  peer  < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK>
     40ms  app   established
     40ms  host  > . 1:1(0) ack 1`;
const NO_DELAY = { from: 'ESTABLISHED', params: { nagle: false, rack: false, lossProbe: false } } as const;

describe('what has not left yet', () => {
  ladder(
    'a record may take up what waits before it, and nothing behind it: PSH stands where it ends (RFC 9293 MUST-61)',
    `
      0ms  app   set Corked
      0ms  app   send 100
      0ms  app   send+eor 50
      1ms  app   send 1500
      1ms  host  > P. 1:151(150) ack 1
      1ms  host  > . 151:1611(1460) ack 1
      2ms  app   clear Corked
      2ms  host  > P. 1611:1651(40) ack 1
    `,
    NO_DELAY,
  );
  ladder(
    'Nagle holds the last record only: nothing can fill up one that others follow (RFC 9293 MUST-17)',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      1ms  app   send+eor 50
      2ms  app   send+eor 60
      2ms  host  > P. 101:151(50) ack 1
      3ms  app   send 70
      3ms  host  > P. 151:211(60) ack 1
      9ms  peer  < . 1:1(0) ack 211
      9ms  host  > P. 211:281(70) ack 1
    `,
    ESTABLISHED,
  );
  ladder(
    'with MSG_MORE its end has no PSH, and waits as MSG_MORE does',
    `
      0ms  app   send+more+eor 100
      1ms  app   send+eor 50
      1ms  host  > . 1:101(100) ack 1
      1ms  host  > P. 101:151(50) ack 1
    `,
    NO_DELAY,
  );
  ladder(
    'a call of many segments ends once, of one that is full and of several descriptors as well',
    `
      0ms  app   send+eor 1000 0 460 1000 0
      0ms  host  > . 1:1461(1460) ack 1
      0ms  host  > P. 1461:2461(1000) ack 1
      0ms  app   send+eor 1460
      0ms  host  > P. 2461:3921(1460) ack 1
      0ms  app   send 10
      9ms  peer  < . 1:1(0) ack 2461
      9ms  host  > P. 3921:3931(10) ack 1
    `,
    ESTABLISHED,
  );
  ladder(
    'a close has no byte: its FIN rides on the last record',
    `
      0ms  app   set Corked
      0ms  app   send+eor 40
      1ms  app   send+eor 40
      1ms  host  > P. 1:41(40) ack 1
      2ms  app   close
      2ms  host  > FP. 41:81(40) ack 1
    `,
    NO_DELAY,
  );
  ladder(
    'what was written while connecting is kept apart as well',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      1ms  app   send+eor 100
      2ms  app   send 100
     10ms  peer  < S. 0:0(0) ack 1 win 29200 <mss 1460>
     10ms  app   established
     10ms  host  > P. 1:101(100) ack 1
     10ms  host  > P. 101:201(100) ack 1
    `,
    { params: { nagle: false } },
  );
  ladder(
    'a window smaller than a segment takes the end of one record (RFC 9293 3.8.6.2.1)',
    `
      0ms  app   set Corked
      0ms  peer  < . 1:1(0) ack 1 win 0
      0ms  app   send+eor 30
      1ms  app   send 100
      2ms  peer  < . 1:1(0) ack 1 win 60
      2ms  host  > P. 1:31(30) ack 1
    `,
    NO_DELAY,
  );
});

describe('what is sent again', () => {
  ladder(
    'after a time-out short segments leave as one, but not across the end of a record (RFC 6298 5.4)',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      0ms  app   send+eor 100
      0ms  host  > P. 101:201(100) ack 1
      0ms  app   send 100
      0ms  host  > P. 201:301(100) ack 1
      0ms  app   send 100
      0ms  host  > P. 301:401(100) ack 1
    200ms  host  > P. 1:201(200) ack 1
    200ms  host  > P. 201:401(200) ack 1
    240ms  peer  < . 1:1(0) ack 401
    `,
    NO_DELAY,
  );
  ladder(
    'RACK fills each hole with its own segment (RFC 8985 6)',
    `${OPEN}
    100ms  app   send+eor 400
    100ms  host  > P. 1:401(400) ack 1
    100ms  app   send+eor 400
    100ms  host  > P. 401:801(400) ack 1
    100ms  app   send+eor 400
    100ms  host  > P. 801:1201(400) ack 1
    100ms  app   send 400
    100ms  host  > P. 1201:1601(400) ack 1
    140ms  peer  < . 1:1(0) ack 401 <sack 1201:1601>
    152ms  host  > P. 401:801(400) ack 1
    152ms  host  > P. 801:1201(400) ack 1
    190ms  peer  < . 1:1(0) ack 1601
    `,
    SACK,
  );
  ladder(
    'a FIN goes with the last record again, not with the one before',
    `
      0ms  app   send+eor 100
      0ms  host  > P. 1:101(100) ack 1
      0ms  app   send+eor 100
      0ms  host  > P. 101:201(100) ack 1
      0ms  app   close
      0ms  host  > F. 201:201(0) ack 1
    200ms  host  > P. 1:101(100) ack 1
    200ms  host  > FP. 101:201(100) ack 1
    240ms  peer  < . 1:1(0) ack 202
    `,
    NO_DELAY,
  );
  ladder(
    'a loss probe is the last record, also where half of a segment was acknowledged (RFC 8985 7.3)',
    `${OPEN}
    100ms  app   send+eor 400
    100ms  host  > P. 1:401(400) ack 1
    100ms  app   send+eor 400
    100ms  host  > P. 401:801(400) ack 1
    140ms  peer  < . 1:1(0) ack 201
    380ms  host  > P. 401:801(400) ack 1
    420ms  peer  < . 1:1(0) ack 801
    `,
    SACK,
  );
});

describe('the search for a larger size (RFC 4821 7.4)', () => {
  ladder(
    'makes no probe of two records, but one of a record that is longer',
    `${OPEN}
    100ms  app   set Corked
    100ms  app   send+eor 400
    101ms  app   send 3000
    101ms  host  > P. 1:401(400) ack 1
    101ms  host  > . 401:1157(756) ack 1              // (512 + 1000) / 2
    101ms  tcb   probeSize=756
    101ms  host  > . 1157:1669(512) ack 1
    101ms  host  > . 1669:2181(512) ack 1
    101ms  host  > . 2181:2693(512) ack 1
    101ms  host  > . 2693:3205(512) ack 1
    `,
    PROBES,
  );
});
