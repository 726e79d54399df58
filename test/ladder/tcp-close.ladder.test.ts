/** Closing: RFC 9293 3.6, 3.10.4, 3.10.5 and the FIN of 3.10.7.4. */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

describe('active CLOSE', () => {
  ladder(
    'our FIN first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, CLOSED after 2 MSL (RFC 9293 MUST-13, figure 12)',
    `
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
      0ms  tcb   state=FIN-WAIT-1
     10ms  peer  < . 1:1(0) ack 2
     10ms  app   FIN acknowledged
     10ms  tcb   state=FIN-WAIT-2
     20ms  peer  < F. 1:1(0) ack 2
     20ms  app   peer closed
     20ms  app   TIME-WAIT
     20ms  host  > . 2:2(0) ack 2
  60019ms  tcb   state=TIME-WAIT
  60020ms  app   closed Normal
    `,
    { from: 'ESTABLISHED' },
  );

  ladder(
    'FIN and ACK of ours in one segment: straight to TIME-WAIT',
    `
      0ms  peer  < F. 1:1(0) ack 2
      0ms  app   FIN acknowledged
      0ms  app   peer closed
      0ms  app   TIME-WAIT
      0ms  host  > . 2:2(0) ack 2
      0ms  tcb   state=TIME-WAIT
    `,
    { from: 'FIN-WAIT-1' },
  );

  ladder(
    'FIN rides on the last text (send and CLOSE in one)',
    `
      0ms  app   send+close 2000
      0ms  host  > . 1:1461(1460) ack 1
      0ms  host  > FP. 1461:2001(540) ack 1
     10ms  peer  < . 1:1(0) ack 2002
     10ms  app   sent 2000
     10ms  app   FIN acknowledged
     10ms  tcb   state=FIN-WAIT-2
    `,
    { from: 'ESTABLISHED' },
  );

  ladder(
    'a second CLOSE and a SEND after CLOSE are refused (RFC 9293 3.10.4)',
    `
      0ms  app   refused close
      0ms  app   refused send 10
      0ms  app   refused send+close 10
    `,
    { from: 'FIN-WAIT-2' },
  );

  ladder(
    'FIN is sent again without text, with back-off (RFC 9293 MUST-19)',
    `
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
    200ms  host  > F. 1:1(0) ack 1
    600ms  host  > F. 1:1(0) ack 1
    610ms  peer  < . 1:1(0) ack 2
    610ms  tcb   state=FIN-WAIT-2
    `,
    { from: 'ESTABLISHED' },
  );

  ladder(
    'FIN that never is acknowledged: the connection times out at R2 (RFC 9293 MUST-20)',
    `
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
    200ms  host  > F. 1:1(0) ack 1
    600ms  host  > F. 1:1(0) ack 1
   1400ms  app   closed TimedOut
    `,
    { from: 'ESTABLISHED', params: { retransmissionsMax: 2 } },
  );

  ladder(
    'no room for the FIN: it goes out when there is some',
    `
      0ms  link  room 0
      0ms  app   send+close 100
     30ms  link  room
     30ms  host  > FP. 1:101(100) ack 1
     40ms  peer  < . 1:1(0) ack 102
     40ms  tcb   state=FIN-WAIT-2
    `,
    { from: 'ESTABLISHED' },
  );
});

describe('half close', () => {
  ladder(
    'the peer goes on sending in FIN-WAIT-2',
    `
      0ms  peer  < P. 1:101(100) ack 2
      0ms  app   received 100
     40ms  host  > . 2:2(0) ack 101
     50ms  peer  < FP. 101:201(100) ack 2
     50ms  app   received 100
     50ms  app   peer closed
     50ms  host  > . 2:2(0) ack 202
     50ms  tcb   state=TIME-WAIT
    `,
    { from: 'FIN-WAIT-2' },
  );

  ladder(
    'we go on sending in CLOSE-WAIT, then LAST-ACK and CLOSED',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 2
     10ms  peer  < . 2:2(0) ack 101
     10ms  app   sent 100
     20ms  app   close
     20ms  host  > F. 101:101(0) ack 2
     20ms  tcb   state=LAST-ACK
     30ms  peer  < . 2:2(0) ack 102
     30ms  app   FIN acknowledged
     30ms  app   closed Normal
    `,
    { from: 'CLOSE-WAIT' },
  );

  ladder(
    "the peer's FIN again, in CLOSE-WAIT and LAST-ACK: acknowledged again",
    `
      0ms  peer  < F. 1:1(0) ack 1
      0ms  host  > . 1:1(0) ack 2
      5ms  app   close
      5ms  host  > F. 1:1(0) ack 2
     10ms  peer  < F. 1:1(0) ack 1
     10ms  host  > . 2:2(0) ack 2
    `,
    { from: 'CLOSE-WAIT' },
  );

  ladder(
    'FIN-WAIT-2 does not last for ever: it ends when nothing was heard for its time-out',
    `
  50000ms  peer  < . 1:1(0) ack 2
 109999ms  tcb   state=FIN-WAIT-2
 110000ms  app   closed Normal
    `,
    { from: 'FIN-WAIT-2' },
  );

  ladder(
    'a peer that keeps probing our closed window keeps FIN-WAIT-2 alive',
    `
      0ms  peer  < . 1:1001(1000) ack 2
     40ms  host  > . 2:2(0) ack 1001 win 0
  50000ms  peer  < . 1001:1002(1) ack 2
  50000ms  host  > . 2:2(0) ack 1001 win 0
 109999ms  tcb   state=FIN-WAIT-2
 110000ms  app   closed Normal
    `,
    { from: 'FIN-WAIT-2', params: { rcvBuffer: 1000 } },
  );
});

describe('simultaneous CLOSE', () => {
  ladder(
    'FINs cross: CLOSING, then TIME-WAIT (RFC 9293 figure 13)',
    `
      0ms  app   close
      0ms  host  > F. 1:1(0) ack 1
      5ms  peer  < F. 1:1(0) ack 1
      5ms  app   peer closed
      5ms  host  > . 2:2(0) ack 2
      5ms  tcb   state=CLOSING
     10ms  peer  < . 2:2(0) ack 2
     10ms  app   FIN acknowledged
     10ms  app   TIME-WAIT
     10ms  tcb   state=TIME-WAIT
    `,
    { from: 'ESTABLISHED' },
  );

  ladder(
    'our FIN lost in CLOSING is sent again',
    `
    200ms  host  > F. 1:1(0) ack 2
    210ms  peer  < . 2:2(0) ack 2
    210ms  tcb   state=TIME-WAIT
    `,
    { from: 'CLOSING' },
  );
});

describe('TIME-WAIT', () => {
  ladder(
    'a RST ends it, as on Linux; not where RFC 1337 is wanted',
    `
      0ms  peer  < R 2:2(0)
      0ms  app   closed Normal
    `,
    { from: 'TIME-WAIT' },
  );
  ladder(
    'RFC 1337 3: no RST ends it',
    `
      0ms  peer  < R 2:2(0)
      0ms  tcb   state=TIME-WAIT
    60s    app   closed Normal
    `,
    { from: 'TIME-WAIT', params: { timeWaitIgnoresReset: true } },
  );
  ladder(
    "the peer's FIN again is acknowledged and starts the wait over (RFC 9293 3.10.7.4)",
    `
  30000ms  peer  < F. 1:1(0) ack 2
  30000ms  host  > . 2:2(0) ack 2
  89999ms  tcb   state=TIME-WAIT
  90000ms  app   closed Normal
    `,
    { from: 'TIME-WAIT' },
  );

  ladder(
    'no room for the ACK of the FIN: it goes out when there is some',
    `
      0ms  link  room 0
      0ms  peer  < F. 1:1(0) ack 2
      0ms  tcb   state=TIME-WAIT
     10ms  link  room
     10ms  host  > . 2:2(0) ack 2
    `,
    { from: 'FIN-WAIT-2' },
  );

  ladder(
    'new text is acknowledged, not taken',
    `
      0ms  peer  < P. 2:12(10) ack 2
      0ms  host  > . 2:2(0) ack 2
      0ms  tcb   state=TIME-WAIT rcvNxt=2
    `,
    { from: 'TIME-WAIT' },
  );

  ladder(
    'RST ends it, and nothing is wrong',
    `
      0ms  peer  < R 2:2(0)
      0ms  app   closed Normal
    `,
    { from: 'TIME-WAIT' },
  );
});

describe('ABORT (RFC 9293 3.10.5)', () => {
  for (const [state, seq, ack] of [
    ['SYN-RECEIVED', 1, 1],
    ['ESTABLISHED', 1, 1],
    ['FIN-WAIT-1', 2, 1],
    ['FIN-WAIT-2', 2, 1],
    ['CLOSE-WAIT', 1, 2],
  ] as const) {
    ladder(
      `sends RST in ${state}`,
      `
      0ms  app   abort
      0ms  host  > R. ${seq}:${seq}(0) ack ${ack}
      0ms  app   closed Aborted
      `,
      { from: state },
    );
  }
  for (const state of ['SYN-SENT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT'] as const) {
    ladder(
      `is silent in ${state}`,
      `
      0ms  app   abort
      0ms  app   closed Aborted
      `,
      { from: state },
    );
  }

  ladder(
    'with text in flight: RST has the highest number, also while going back after a time-out',
    `
      0ms  app   send 1460 1460 1460
      0ms  host  > . 1:1461(1460) ack 1
      0ms  host  > . 1461:2921(1460) ack 1
      0ms  host  > P. 2921:4381(1460) ack 1
    200ms  host  > . 1:1461(1460) ack 1
    210ms  app   abort
    210ms  host  > R. 4381:4381(0) ack 1
    210ms  app   closed Aborted
    `,
    { from: 'ESTABLISHED' },
  );

  ladder(
    'without room for the RST the connection ends all the same; the next segment of the peer is answered',
    `
      0ms  link  room 0
      0ms  app   abort
      0ms  app   closed Aborted
      5ms  link  room
     10ms  peer  < P. 1:11(10) ack 1
     10ms  host  > R 1:1(0)
    `,
    { from: 'ESTABLISHED' },
  );
});

describe('FIN out of order', () => {
  ladder(
    'is remembered with the text before it (RFC 9293 SHLD-31)',
    `
      0ms  peer  < FP. 101:201(100) ack 1
      0ms  host  > . 1:1(0) ack 1
     10ms  peer  < . 1:101(100) ack 1
     10ms  app   received 100
     10ms  app   received 100
     10ms  app   peer closed
     10ms  host  > . 1:1(0) ack 202
     10ms  tcb   state=CLOSE-WAIT
    `,
    { from: 'ESTABLISHED' },
  );

  ladder(
    'alone is remembered too',
    `
      0ms  peer  < F. 101:101(0) ack 1
      0ms  host  > . 1:1(0) ack 1
      1ms  peer  < F. 101:101(0) ack 1
      1ms  host  > . 1:1(0) ack 1
     10ms  peer  < . 1:101(100) ack 1
     10ms  app   received 100
     10ms  app   peer closed
     10ms  host  > . 1:1(0) ack 102
    `,
    { from: 'ESTABLISHED' },
  );

  ladder(
    'in FIN-WAIT-1 with the ACK of ours: TIME-WAIT when the gap closes',
    `
      0ms  peer  < F. 101:101(0) ack 2
      0ms  app   FIN acknowledged
      0ms  host  > . 2:2(0) ack 1
      0ms  tcb   state=FIN-WAIT-2
     10ms  peer  < . 1:101(100) ack 2
     10ms  app   received 100
     10ms  app   TIME-WAIT
     10ms  host  > . 2:2(0) ack 102
    `,
    { from: 'FIN-WAIT-1' },
  );
});
