/** Resets and what looks like an attack: RFC 9293 3.5.2, 3.5.3, 3.10.7.1, 3.10.7.4; RFC 5961. */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

describe('a closed port (RFC 9293 3.10.7.1)', () => {
  ladder(
    'answers ACK with its number, and everything else with an ACK of all of it; RST with nothing',
    `
      0ms  peer  < . 1:1(0) ack 500
      0ms  host  > R 500:500(0)
      1ms  peer  < R. 1:1(0) ack 500
      2ms  peer  < R 1:1(0)
      3ms  peer  < P. 1:11(10) ack 7
      3ms  host  > R 7:7(0)
    `,
  );
});

describe('SYN-SENT (RFC 9293 3.10.7.3)', () => {
  ladder(
    'RST with the ACK of our SYN: refused',
    `
      0ms  peer  < R. 0:0(0) ack 1
      0ms  app   closed Refused
    `,
    { from: 'SYN-SENT' },
  );
  ladder(
    'RST without ACK, or with a wrong one, is dropped',
    `
      0ms  peer  < R 0:0(0)
      1ms  peer  < R. 0:0(0) ack 2
      2ms  peer  < R. 0:0(0) ack 0
      2ms  tcb   state=SYN-SENT
    `,
    { from: 'SYN-SENT' },
  );
  ladder(
    'an ACK of something else is answered with RST, with or without SYN: a half-open connection is found out',
    `
      0ms  peer  < . 300:300(0) ack 100
      0ms  host  > R 100:100(0)
      1ms  peer  < S. 300:300(0) ack 0
      1ms  host  > R 0:0(0)
      1ms  tcb   state=SYN-SENT
      5ms  peer  < S. 0:0(0) ack 1 <mss 1460>
      5ms  host  > . 1:1(0) ack 1
    `,
    { from: 'SYN-SENT' },
  );
  ladder(
    'a bare ACK of our SYN, or text without SYN, is dropped',
    `
      0ms  peer  < . 1:1(0) ack 1
      1ms  peer  < - 1:11(10)
      1ms  tcb   state=SYN-SENT
    `,
    { from: 'SYN-SENT' },
  );
});

describe('SYN-RECEIVED', () => {
  ladder(
    'RST ends a passive open',
    `
      0ms  peer  < R 1:1(0)
      0ms  app   closed Reset
    `,
    { from: 'SYN-RECEIVED' },
  );
  ladder(
    'RST refuses an active open that became simultaneous (RFC 9293 3.10.7.4)',
    `
      0ms  peer  < S 0:0(0)
      0ms  host  > S. 0:0(0) ack 1
      5ms  peer  < R 1:1(0)
      5ms  app   closed Refused
    `,
    { from: 'SYN-SENT' },
  );
});

describe('synchronized states: RST (RFC 5961 3.2)', () => {
  for (const [state, rcvNxt] of [
    ['ESTABLISHED', 1],
    ['FIN-WAIT-1', 1],
    ['FIN-WAIT-2', 1],
    ['CLOSE-WAIT', 2],
    ['CLOSING', 2],
    ['LAST-ACK', 2],
  ] as const) {
    ladder(
      `the exact number resets in ${state}`,
      `
      0ms  peer  < R ${rcvNxt}:${rcvNxt}(0)
      0ms  app   closed Reset
      `,
      { from: state },
    );
  }
  ladder(
    'another number in the window is challenged, one outside is dropped silently',
    `
      0ms  peer  < R 2:2(0)
      0ms  host  > . 1:1(0) ack 1
      1s   peer  < R 65535:65535(0)
      1s   host  > . 1:1(0) ack 1
      2s   peer  < R 65536:65536(0)
      2s   peer  < R 0:0(0)
      2s   peer  < R 500000:500000(0)
      2s   tcb   state=ESTABLISHED
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'challenges are throttled (RFC 5961 7)',
    `
      0ms  peer  < R 2:2(0)
      0ms  host  > . 1:1(0) ack 1
    100ms  peer  < R 3:3(0)
    499ms  peer  < R 4:4(0)
    500ms  peer  < R 5:5(0)
    500ms  host  > . 1:1(0) ack 1
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'a SYN is challenged whatever its number, and with text too (RFC 5961 4.2)',
    `
      0ms  peer  < S 500000:500000(0)
      0ms  host  > . 1:1(0) ack 1
      1s   peer  < S 500000:500100(100)
      1s   host  > . 1:1(0) ack 1
      1s   peer  < S 2:2(0)
      2s   peer  < S 2:2(0)
      2s   host  > . 1:1(0) ack 1
      2s   tcb   state=ESTABLISHED
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'the interval is a parameter',
    `
      0ms  peer  < R 2:2(0)
      0ms  host  > . 1:1(0) ack 1
      9ms  peer  < R 3:3(0)
     10ms  peer  < R 5:5(0)
     10ms  host  > . 1:1(0) ack 1
    `,
    { from: 'ESTABLISHED', params: { invalidAckIntervalTicks: 10 } },
  );
  ladder(
    'all connections share so many challenges a second; what is only unacceptable is answered all the same (RFC 5961 7)',
    `
      0ms  peer  < R 2:2(0)
      0ms  host  > . 1:1(0) ack 1
    100ms  peer  < R 2:2(0)
    110ms  peer  < . 0:0(0) ack 1
    120ms  peer  < . 0:0(0) ack 1
    120ms  host  > . 1:1(0) ack 1
    `,
    { from: 'ESTABLISHED', params: { invalidAckIntervalTicks: 20, challengeAcksPerSecond: 1 }, startTick: 0 },
  );
  ladder(
    'RST may have text (RFC 9293 SHLD-2), and counts with a closed window too (RFC 9293 MUST-66)',
    `
      0ms  peer  < . 1:1001(1000) ack 1
     40ms  host  > . 1:1(0) ack 1001 win 0
     50ms  peer  < R. 1001:1010(9) ack 1
     50ms  app   closed Reset
    `,
    { from: 'ESTABLISHED', params: { rcvBuffer: 1000 } },
  );
  ladder(
    'what waits to be acknowledged or delivered is given back',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
      5ms  peer  < . 11:21(10) ack 1
      5ms  host  > . 101:101(0) ack 1
     10ms  peer  < R 1:1(0)
     10ms  app   closed Reset
    `,
    { from: 'ESTABLISHED' },
  );
});

describe('synchronized states: SYN (RFC 5961 4.2)', () => {
  for (const state of ['ESTABLISHED', 'CLOSE-WAIT', 'FIN-WAIT-2', 'TIME-WAIT'] as const) {
    const snd = state === 'ESTABLISHED' || state === 'CLOSE-WAIT' ? 1 : 2;
    const rcv = state === 'ESTABLISHED' || state === 'FIN-WAIT-2' ? 1 : 2;
    ladder(
      `is challenged whatever its number, with a throttle, in ${state}`,
      `
      0ms  peer  < S 100:100(0)
      0ms  host  > . ${snd}:${snd}(0) ack ${rcv}
      1ms  peer  < S 101:101(0)
    600ms  peer  < S 900000:900000(0)
    600ms  host  > . ${snd}:${snd}(0) ack ${rcv}
   1200ms  peer  < S. 100:100(0) ack 1
   1200ms  host  > . ${snd}:${snd}(0) ack ${rcv}
   1200ms  tcb   state=${state}
      `,
      { from: state },
    );
  }
  ladder(
    "the peer's SYN,ACK again (our ACK was lost) is answered with an ACK",
    `
      0ms  peer  < S. 0:0(0) ack 1
      0ms  host  > . 1:1(0) ack 1
    `,
    { from: 'ESTABLISHED' },
  );
});

describe('unacceptable segments (RFC 9293 3.10.7.4 first)', () => {
  ladder(
    'old text is acknowledged at once, each time',
    `
      0ms  peer  < . 1:101(100) ack 1
     40ms  host  > . 1:1(0) ack 101
     50ms  peer  < . 1:101(100) ack 1
     50ms  host  > . 1:1(0) ack 101
     51ms  peer  < . 1:101(100) ack 1
     51ms  host  > . 1:1(0) ack 101
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'text beyond the window is answered, and not taken',
    `
      0ms  peer  < . 65536:65546(10) ack 1
      0ms  host  > . 1:1(0) ack 1
      0ms  tcb   rcvNxt=1 oooCount=0
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'an empty old segment is answered, but not one after the other: answers to answers would never end',
    `
      0ms  peer  < . -5:-5(0) ack 1
      0ms  host  > . 1:1(0) ack 1
      1ms  peer  < . -5:-5(0) ack 1
    500ms  peer  < . 0:0(0) ack 1
    500ms  host  > . 1:1(0) ack 1
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'an empty segment on the right edge is heard: the peer has filled the window (RFC 9293 A.2)',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
     10ms  peer  < . 65536:65536(0) ack 101
     10ms  app   sent 100
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'an ACK of what was never sent is answered, with a throttle, and the segment dropped (RFC 9293 3.10.7.4 fifth)',
    `
      0ms  peer  < P. 1:11(10) ack 2
      0ms  host  > . 1:1(0) ack 1
      1ms  peer  < P. 1:11(10) ack 2
      1ms  tcb   rcvNxt=1
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'an ACK older than the largest window ever is nobody we know (RFC 5961 5.2, RFC 9293 MAY-12)',
    `
      0ms  peer  < P. 1:11(10) ack -65535
      0ms  host  > . 1:1(0) ack 1
      0ms  tcb   rcvNxt=1
      1ms  peer  < P. 1:11(10) ack -65534
      1ms  app   received 10
     41ms  host  > . 1:1(0) ack 11
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'a segment without ACK is dropped',
    `
      0ms  peer  < P 1:11(10)
      0ms  tcb   rcvNxt=1
    `,
    { from: 'ESTABLISHED' },
  );
  ladder(
    'an old duplicate ACK moves nothing',
    `
      0ms  app   send 100
      0ms  host  > P. 1:101(100) ack 1
     10ms  peer  < . 1:1(0) ack 101 win 5000
     11ms  peer  < . 1:1(0) ack 1 win 9000
     11ms  tcb   sndUna=101 sndWnd=5000 dupAckCount=0
    `,
    { from: 'ESTABLISHED' },
  );
});
