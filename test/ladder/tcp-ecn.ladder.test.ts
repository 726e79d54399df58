/** Explicit congestion notification (RFC 3168): negotiation, ECT, the echo of CE, the reaction to ECE. */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

const ON = { params: { ecn: 'on', mss: 1000, lossProbe: false } } as const;
const PASSIVE = { params: { ecn: 'passive', mss: 1000 } } as const;
const OFF = { params: { ecn: 'off', mss: 1000 } } as const;

const ACTIVE = `
      0ms  app   connect
      0ms  host  > SEW 0:0(0)
     10ms  peer  < SE. 0:0(0) ack 1 <mss 1000>
     10ms  host  > . 1:1(0) ack 1`;

describe('negotiation (RFC 3168 6.1.1)', () => {
  ladder(
    'both bits in our SYN, ECE in the answer: data is ECN-capable, bare ACKs are not (RFC 3168 6.1.4)',
    `${ACTIVE}
     20ms  app   send 1500
     20ms  host  > [ect0] . 1:1001(1000) ack 1
     20ms  host  > [ect0] P. 1001:1501(500) ack 1
     30ms  peer  < . 1:1001(1000) ack 1501
     31ms  peer  < . 1001:2001(1000) ack 1501
     31ms  host  > . 1501:1501(0) ack 2001
     40ms  app   close
     40ms  host  > F. 1501:1501(0) ack 2001
    `,
    ON,
  );
  ladder(
    'a peer that only reflects both bits does not know ECN',
    `
      0ms  app   connect
      0ms  host  > SEW 0:0(0)
     10ms  peer  < SEW. 0:0(0) ack 1 <mss 1000>
     10ms  host  > . 1:1(0) ack 1
     20ms  app   send 10
     20ms  host  > P. 1:11(10) ack 1
    `,
    ON,
  );
  ladder(
    'a peer that answers without ECE does not want it',
    `
      0ms  app   connect
      0ms  host  > SEW 0:0(0)
     10ms  peer  < S. 0:0(0) ack 1 <mss 1000>
     10ms  host  > . 1:1(0) ack 1
     20ms  app   send 10
     20ms  host  > P. 1:11(10) ack 1
    `,
    ON,
  );
  ladder(
    'a SYN that is lost is sent again without: somebody on the way may drop it (RFC 3168 6.1.1.1); ECN is off then, whatever comes',
    `
      0ms  app   connect
      0ms  host  > SEW 0:0(0)
   1000ms  host  > S 0:0(0)
   1010ms  peer  < SE. 0:0(0) ack 1 <mss 1000>
   1010ms  host  > . 1:1(0) ack 1
   1020ms  app   send 10
   1020ms  host  > P. 1:11(10) ack 1
    `,
    ON,
  );
  for (const [name, options] of [
    ['on', ON],
    ['passive', PASSIVE],
  ] as const) {
    ladder(
      `${name}: a SYN with both bits is answered with ECE`,
      `
      0ms  app   listen
      0ms  peer  < SEW 0:0(0) <mss 1000>
      0ms  host  > SE. 0:0(0) ack 1
     10ms  peer  < . 1:1(0) ack 1
     10ms  app   send 10
     10ms  host  > [ect0] P. 1:11(10) ack 1
      `,
      options,
    );
  }
  ladder(
    'passive: our own SYN does not ask',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
    `,
    PASSIVE,
  );
  for (const [name, syn] of [
    ['without both bits', 'SE 0:0(0)'],
    ['that was marked on its way', '[ce] SEW 0:0(0)'],
  ] as const) {
    ladder(
      `a SYN ${name} is answered without`,
      `
      0ms  app   listen
      0ms  peer  < ${syn} <mss 1000>
      0ms  host  > S. 0:0(0) ack 1
      `,
      ON,
    );
  }
  ladder(
    'off: neither asked for nor answered',
    `
      0ms  app   listen
      0ms  peer  < SEW 0:0(0) <mss 1000>
      0ms  host  > S. 0:0(0) ack 1
    `,
    OFF,
  );
  ladder(
    'a peer that falls back in its second SYN gets an answer without',
    `
      0ms  app   listen
      0ms  peer  < SEW 0:0(0) <mss 1000>
      0ms  host  > SE. 0:0(0) ack 1
    500ms  peer  < S 0:0(0) <mss 1000>
    500ms  host  > S. 0:0(0) ack 1
    510ms  peer  < . 1:1(0) ack 1
    510ms  app   send 10
    510ms  host  > P. 1:11(10) ack 1
    `,
    ON,
  );
  ladder(
    'both open at once, both ask (RFC 9293 MUST-10)',
    `
      0ms  app   connect
      0ms  host  > SEW 0:0(0)
     10ms  peer  < SEW 0:0(0) <mss 1000>
     10ms  host  > SE. 0:0(0) ack 1
     20ms  peer  < . 1:1(0) ack 1
     20ms  app   send 10
     20ms  host  > [ect0] P. 1:11(10) ack 1
    `,
    ON,
  );
});

describe('the receiver (RFC 3168 6.1.3)', () => {
  ladder(
    'echoes CE on every ACK until CWR comes; text that is marked begins it anew',
    `${ACTIVE}
     20ms  peer  < [ce] . 1:1001(1000) ack 1
     60ms  host  > E. 1:1(0) ack 1001
     70ms  peer  < . 1001:2001(1000) ack 1
     71ms  peer  < . 2001:3001(1000) ack 1
     71ms  host  > E. 1:1(0) ack 3001
     72ms  app   send 10
     72ms  host  > [ect0] PE. 1:11(10) ack 3001
     80ms  peer  < W. 3001:4001(1000) ack 11
     80ms  host  > . 11:11(0) ack 4001
     81ms  peer  < . 4001:5001(1000) ack 11
     82ms  peer  < . 5001:6001(1000) ack 11
     82ms  host  > . 11:11(0) ack 6001
     90ms  peer  < [ce] W. 6001:7001(1000) ack 11
     90ms  host  > E. 11:11(0) ack 7001
    `,
    ON,
  );
  ladder(
    'acknowledges at once after a mark: the sender may have one segment left to send',
    `${ACTIVE}
     20ms  peer  < [ce] . 1:1001(1000) ack 1
     20ms  host  > E. 1:1(0) ack 1001
     30ms  peer  < . 1001:2001(1000) ack 1
     30ms  host  > E. 1:1(0) ack 2001
     30ms  tcb   quickAcks=0
    `,
    { params: { ...ON.params, quickAcksMax: 2 } },
  );
  ladder(
    'takes a mark on text out of order too, and none from bare ACKs or old text (RFC 3168 6.1.4, RFC 3168 6.1.5)',
    `${ACTIVE}
     20ms  peer  < [ce] . 1:1(0) ack 1
     21ms  peer  < . 1:1001(1000) ack 1
     22ms  peer  < . 1001:2001(1000) ack 1
     22ms  host  > . 1:1(0) ack 2001
     23ms  peer  < [ce] . 1:1001(1000) ack 1
     23ms  host  > . 1:1(0) ack 2001
     24ms  peer  < [ce] . 3001:4001(1000) ack 1
     24ms  host  > E. 1:1(0) ack 2001
    `,
    ON,
  );
  ladder(
    'echoes nothing where ECN is not agreed',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1000>
      0ms  host  > S. 0:0(0) ack 1
     10ms  peer  < [ce] . 1:1001(1000) ack 1
     50ms  host  > . 1:1(0) ack 1001
    `,
    ON,
  );
});

describe('the sender (RFC 3168 6.1.2)', () => {
  ladder(
    'takes ECE for a loss, once in a round trip, and says so on the first new data; nothing is sent again',
    `${ACTIVE}
     20ms  app   send 40000
     20ms  host  > [ect0] . 1:1001(1000) ack 1
     20ms  host  > [ect0] . 1001:2001(1000) ack 1
     20ms  host  > [ect0] . 2001:3001(1000) ack 1
     20ms  host  > [ect0] . 3001:4001(1000) ack 1
     20ms  host  > [ect0] . 4001:5001(1000) ack 1
     20ms  host  > [ect0] . 5001:6001(1000) ack 1
     20ms  host  > [ect0] . 6001:7001(1000) ack 1
     20ms  host  > [ect0] . 7001:8001(1000) ack 1
     20ms  host  > [ect0] . 8001:9001(1000) ack 1
     20ms  host  > [ect0] . 9001:10001(1000) ack 1
     30ms  peer  < E. 1:1(0) ack 2001
     30ms  tcb   caState=2
     30ms  host  > [ect0] W. 10001:11001(1000) ack 1
     31ms  peer  < E. 1:1(0) ack 4001
     31ms  host  > [ect0] . 11001:12001(1000) ack 1
     31ms  tcb   caState=2 lostBytes=0
    `,
    { params: { ...ON.params, congestionControl: 'newreno' } },
  );
  ladder(
    'what is sent again is not ECN-capable (RFC 3168 6.1.5)',
    `${ACTIVE}
     20ms  app   send 1000
     20ms  host  > [ect0] P. 1:1001(1000) ack 1
    230ms  host  > P. 1:1001(1000) ack 1
    `,
    ON,
  );
  ladder(
    'without ECN an ECE says nothing',
    `
      0ms  app   connect
      0ms  host  > SEW 0:0(0)
     10ms  peer  < S. 0:0(0) ack 1 <mss 1000>
     10ms  host  > . 1:1(0) ack 1
     20ms  app   send 1000
     20ms  host  > P. 1:1001(1000) ack 1
     30ms  peer  < E. 1:1(0) ack 1001
     30ms  tcb   caState=0
    `,
    ON,
  );
});
