/** When a segment may leave that is not full: Nagle's algorithm in Minshall's form, cork, MSG_MORE (RFC 9293 3.7.4). */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

const ESTABLISHED = { from: 'ESTABLISHED', params: { rack: false, lossProbe: false } } as const;
const NO_DELAY = { from: 'ESTABLISHED', params: { nagle: false, rack: false, lossProbe: false } } as const;

describe('Nagle (RFC 9293 MUST-17, SHLD-7)', () => {
  ladder(
    'a second short segment waits for the ACK of the first, and takes what comes meanwhile',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      1ms  app   send 50
      2ms  app   send 50
      9ms  peer  < . 1:1(0) ack 101
      9ms  host  > P. 101:201(100) ack 1
    `,
    ESTABLISHED,
  );
  ladder(
    'full segments do not wait, nor does the rest of the same write: no short one is in flight (Minshall)',
    `
      0ms  app   send 3000
      0ms  host  > . 1:1461(1460) ack 1
      0ms  host  > . 1461:2921(1460) ack 1
      0ms  host  > P. 2921:3001(80) ack 1
      1ms  app   send 1500
      1ms  host  > . 3001:4461(1460) ack 1
      9ms  peer  < . 1:1(0) ack 2921
     10ms  peer  < . 1:1(0) ack 3001
     10ms  host  > P. 4461:4501(40) ack 1
    `,
    ESTABLISHED,
  );
  ladder(
    'switched off, everything goes at once (RFC 9293 MUST-17)',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      1ms  app   send 50
      1ms  host  > P. 101:151(50) ack 1
    `,
    NO_DELAY,
  );
  ladder(
    'a close does not wait: what is left goes with the FIN',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      1ms  app   send 50
      2ms  app   close
      2ms  host  > FP. 101:151(50) ack 1
    `,
    ESTABLISHED,
  );
  ladder(
    'TCP_NODELAY sends what waits',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      1ms  app   send 50
      2ms  app   clear NaglingEnabled
      2ms  host  > P. 101:151(50) ack 1
    `,
    ESTABLISHED,
  );
});

describe('a cork', () => {
  ladder(
    'holds what is not full, with Nagle off too; without it that goes',
    `
      0ms  app   set Corked
      0ms  app   send 40
     50ms  app   send 40
     60ms  app   clear Corked
     60ms  host  > P. 1:81(80) ack 1
    `,
    NO_DELAY,
  );
  ladder(
    'lets full segments go; the rest waits, ACKs notwithstanding, until nothing has been in flight for an RTO',
    `
      0ms  app   set Corked
      0ms  app   send 1500
      0ms  host  > . 1:1461(1460) ack 1
     10ms  peer  < . 1:1(0) ack 1461
    211ms  host  > P. 1461:1501(40) ack 1
    `,
    NO_DELAY,
  );
  ladder(
    'gives way to TCP_NODELAY, once',
    `
      0ms  app   set Corked
      0ms  app   send 40
     10ms  app   push
     10ms  host  > P. 1:41(40) ack 1
     20ms  app   send 40
     30ms  peer  < . 1:1(0) ack 41
     40ms  app   clear Corked
     40ms  host  > P. 41:81(40) ack 1
    `,
    NO_DELAY,
  );
  ladder(
    'does not hold a FIN',
    `
      0ms  app   set Corked
      0ms  app   send 40
     10ms  app   close
     10ms  host  > FP. 1:41(40) ack 1
    `,
    NO_DELAY,
  );
});

describe('MSG_MORE', () => {
  ladder(
    'corks its own call; the next one without it sends everything',
    `
      0ms  app   send+more 100
      5ms  app   send+more 160
      8ms  app   send 5
      8ms  host  > P. 1:266(265) ack 1
    `,
    NO_DELAY,
  );
  ladder(
    'lets full segments go; an ACK lets the rest go, without PSH: more was promised',
    `
      0ms  app   send+more 3000
      0ms  host  > . 1:1461(1460) ack 1
      0ms  host  > . 1461:2921(1460) ack 1
      3ms  app   send+more 50
     10ms  peer  < . 1:1(0) ack 1461
     10ms  host  > . 2921:3051(130) ack 1
     11ms  app   send+more 1
     12ms  app   send+more 2
     20ms  peer  < . 1:1(0) ack 3051
     20ms  host  > . 3051:3054(3) ack 1
    `,
    NO_DELAY,
  );
  ladder(
    'with nothing in flight it waits for 200 ms at most',
    `
      0ms  app   send+more 40
    200ms  host  > P. 1:41(40) ack 1
    `,
    NO_DELAY,
  );
});
