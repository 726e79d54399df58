/** When a peer that does not answer is given up: R2 by count, user timeout, orphans (RFC 9293 3.8.3, RFC 5482). */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

const PLAIN = { rack: false, lossProbe: false, frto: false, rtoMinTicks: 1000 } as const;

describe('retransmission', () => {
  ladder(
    'ends after so many attempts',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      1s   host  > P. 1:101(100) ack 1
      3s   host  > P. 1:101(100) ack 1
      7s   app   closed TimedOut
    `,
    { from: 'ESTABLISHED', params: { ...PLAIN, retransmissionsMax: 2 } },
  );
  ladder(
    'with a user timeout it is the time since the first time-out that counts, and the last wait is cut (RFC 5482)',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      1s   host  > P. 1:101(100) ack 1
      3s   host  > P. 1:101(100) ack 1
   4500ms  app   closed TimedOut
    `,
    { from: 'ESTABLISHED', params: { ...PLAIN, userTimeoutTicks: 3500 } },
  );
  ladder(
    'progress begins it anew',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      1s   host  > P. 1:101(100) ack 1
      3s   host  > P. 1:101(100) ack 1
      4s   peer  < . 1:1(0) ack 51
      4s   tcb   totalRt=0 rtxCount=0
    `,
    { from: 'ESTABLISHED', params: { ...PLAIN, userTimeoutTicks: 3500 } },
  );
  ladder(
    'a SYN ends by whichever comes first',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      1s   host  > S 0:0(0)
      3s   host  > S 0:0(0)
      5s   app   closed TimedOut
    `,
    { params: { userTimeoutTicks: 4000 } },
  );
  ladder(
    'a SYN,ACK has a count of its own, that of Linux (tcp_synack_retries)',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1460>
      0ms  host  > S. 0:0(0) ack 1
      1s   host  > S. 0:0(0) ack 1
      3s   host  > S. 0:0(0) ack 1
      7s   host  > S. 0:0(0) ack 1
     15s   host  > S. 0:0(0) ack 1
     31s   host  > S. 0:0(0) ack 1
     63s   app   closed TimedOut
    `,
  );
});

describe('a user that is gone (close(2))', () => {
  ladder(
    'gets fewer attempts',
    `
      0ms  app   set NoReader
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
      1s   host  > F. 1:1(0) ack 1
      3s   host  > F. 1:1(0) ack 1
      7s   app   closed TimedOut
    `,
    { from: 'ESTABLISHED', params: { ...PLAIN, orphanRetransmissionsMax: 2 } },
  );
  ladder(
    'but not one that has only ended its direction',
    `
      0ms  app   set HalfClosed
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
      1s   host  > F. 1:1(0) ack 1
      3s   host  > F. 1:1(0) ack 1
      7s   host  > F. 1:1(0) ack 1
    `,
    { from: 'ESTABLISHED', params: { ...PLAIN, orphanRetransmissionsMax: 2 } },
  );
});
