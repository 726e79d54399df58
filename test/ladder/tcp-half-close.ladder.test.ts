/** After our FIN: who still reads, and how long FIN-WAIT-2 lasts (RFC 9293 3.6, RFC 1122 4.2.2.13). */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

describe('close(2): nobody reads', () => {
  ladder(
    'text in FIN-WAIT-2 is answered with RST, in the number that the peer expects (RFC 1122 4.2.2.13)',
    `
      0ms  app   set NoReader
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
     10ms  peer  < . 1:1(0) ack 2
     20ms  peer  < P. 1:101(100) ack 2
     20ms  app   closed Reset
     20ms  host  > R 2:2(0)
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'so is text in FIN-WAIT-1, and text that acknowledges our FIN',
    `
      0ms  app   set NoReader
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
     10ms  peer  < P. 1:101(100) ack 2
     10ms  app   FIN acknowledged
     10ms  app   closed Reset
     10ms  host  > R 2:2(0)
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'old text and a FIN alone are not: the close goes on',
    `
      0ms  peer  < P. 1:101(100) ack 1
      0ms  app   set NoReader
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 101
     10ms  peer  < P. 1:101(100) ack 2
     10ms  host  > . 2:2(0) ack 101
     20ms  peer  < F. 101:101(0) ack 2
     20ms  app   TIME-WAIT
     20ms  host  > . 2:2(0) ack 102
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'FIN-WAIT-2 ends after its time, ACKs or not',
    `
      0ms  app   set NoReader
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
     10ms  peer  < . 1:1(0) ack 2
    50s    peer  < . 1:1(0) ack 2
   60009ms tcb   state=FIN-WAIT-2
   60010ms app   closed Normal
    `,
    { from: 'ESTABLISHED' },
  );
});

describe('shutdown(2): somebody reads on', () => {
  ladder(
    'text is taken, and FIN-WAIT-2 has no end',
    `
      0ms  app   set HalfClosed
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
     10ms  peer  < . 1:1(0) ack 2
    100h   peer  < P. 1:101(100) ack 2
    100h   app   received 100
    100h   host  > . 2:2(0) ack 101
    200h   tcb   state=FIN-WAIT-2 timers=0
    `,
    { from: 'ESTABLISHED', params: { ackFrequency: 1 } },
  );
  ladder(
    'until close(2) follows: then its time begins',
    `
      0ms  app   set HalfClosed
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
     10ms  peer  < . 1:1(0) ack 2
   1000s   app   set NoReader
   1000s   app   clear HalfClosed
   1059s   tcb   state=FIN-WAIT-2
   1060s   app   closed Normal
    `,
    { from: 'ESTABLISHED' },
  );
});

describe('a disconnect, and nothing said of who reads', () => {
  ladder(
    'FIN-WAIT-2 ends a minute after the last segment',
    `
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
     10ms  peer  < . 1:1(0) ack 2
    50s    peer  < . 1:1(0) ack 2
   109s    tcb   state=FIN-WAIT-2
   110s    app   closed Normal
    `,
    { from: 'ESTABLISHED' },
  );
});
