/**
 * Loss recovery where the peer speaks SACK: RACK-TLP (RFC 8985), PRR (RFC 6937), F-RTO (RFC 5682), and taking a reduction back
 * (RFC 3522, RFC 2883). Without SACK: tcp-retransmission.ladder.test.ts.
 */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

/** Segments of 1000 bytes; CUBIC, so a loss leaves 0.7 of the window; RTO of 100 + 200 ms. */
const SACK = { params: { sack: true, mss: 1000, windowScaling: false } } as const;
const WITHOUT_PROBE = { params: { ...SACK.params, lossProbe: false } } as const;
const TIMESTAMPS = { params: { ...SACK.params, mss: 1012, timestamps: true } } as const;

/** A round trip of 100 ms. */
const OPEN = `
      0ms  app   connect
      0ms  host  > S 0:0(0)
    100ms  peer  < S. 0:0(0) ack 1 <mss 1000,sackOK>
    100ms  host  > . 1:1(0) ack 1`;
const segments = (time: number, first: number, count: number, last = '.'): string =>
  Array.from({ length: count }, (_, i) => {
    const from = first + i * 1000;
    return `\n    ${time}ms  host  > ${i === count - 1 ? last : '.'} ${from}:${from + 1000}(1000) ack 1`;
  }).join('');
/** Two in flight, and nothing more to send. */
const TWO = `${OPEN}
    200ms  app   send 2000${segments(200, 1, 2, 'P.')}`;
/** The initial window in flight, and as much to send. */
const TEN = `${OPEN}
    200ms  app   send 20000${segments(200, 1, 10)}`;
const ONLY_TEN = `${OPEN}
    200ms  app   send 10000${segments(200, 1, 10, 'P.')}`;
const TEN_WITH_TIMESTAMPS = `
      0ms  app   connect
      0ms  host  > S 0:0(0)
    100ms  peer  < S. 0:0(0) ack 1 <mss 1012,sackOK,TS val 900 ecr 0>
    100ms  host  > . 1:1(0) ack 1
    200ms  app   send 10000${segments(200, 1, 10, 'P.')}`;

describe('fast recovery', () => {
  ladder(
    'each SACK lets a new segment out (RFC 3042), the third one finds the loss (RFC 8985 6.2); PRR sends seven for ten (RFC 6937)',
    `${TEN}
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:2001>
    300ms  host  > . 10001:11001(1000) ack 1
    300ms  tcb   caState=1 rtxKind=6
    301ms  peer  < . 1:1(0) ack 1 <sack 1001:3001>
    301ms  host  > . 11001:12001(1000) ack 1
    302ms  peer  < . 1:1(0) ack 1 <sack 1001:4001>
    302ms  host  > . 1:1001(1000) ack 1
    302ms  tcb   caState=3 cwnd=9000 ssthresh=7000 recover=12001 prrDelivered=1000 prrOut=1000
    303ms  peer  < . 1:1(0) ack 1 <sack 1001:5001>
    304ms  peer  < . 1:1(0) ack 1 <sack 1001:6001>
    305ms  peer  < . 1:1(0) ack 1 <sack 1001:7001>
    305ms  host  > . 12001:13001(1000) ack 1
    306ms  peer  < . 1:1(0) ack 1 <sack 1001:8001>
    306ms  host  > . 13001:14001(1000) ack 1
    307ms  peer  < . 1:1(0) ack 1 <sack 1001:9001>
    307ms  host  > . 14001:15001(1000) ack 1
    308ms  peer  < . 1:1(0) ack 1 <sack 1001:10001>
    308ms  host  > . 15001:16001(1000) ack 1
    308ms  tcb   cwnd=7000 prrDelivered=7000 prrOut=5000
    400ms  peer  < . 1:1(0) ack 1 <sack 1001:11001>
    400ms  host  > . 16001:17001(1000) ack 1
    401ms  peer  < . 1:1(0) ack 1 <sack 1001:12001>
    401ms  host  > . 17001:18001(1000) ack 1
    402ms  peer  < . 1:1(0) ack 12001
    402ms  host  > . 18001:19001(1000) ack 1
    402ms  tcb   caState=0 cwnd=7000 ssthresh=7000 lostBytes=0 retransBytes=0 sackedBytes=0
    `,
    SACK,
  );

  ladder(
    'below ssthresh PRR sends what was delivered, and a segment more when SND.UNA moves and nothing new is lost',
    `${TEN}
    300ms  peer  < . 1:1(0) ack 1 <sack 6001:7001>
    300ms  host  > . 10001:11001(1000) ack 1
    301ms  peer  < . 1:1(0) ack 1 <sack 6001:8001>
    301ms  host  > . 11001:12001(1000) ack 1
    302ms  peer  < . 1:1(0) ack 1 <sack 6001:9001>
    302ms  host  > . 1:1001(1000) ack 1
    302ms  tcb   caState=3 cwnd=4000 ssthresh=7000 lostBytes=6000
    303ms  peer  < . 1:1(0) ack 1 <sack 6001:10001>
    303ms  host  > . 1001:2001(1000) ack 1
    400ms  peer  < . 1:1(0) ack 1 <sack 6001:11001>
    400ms  host  > . 2001:3001(1000) ack 1
    401ms  peer  < . 1:1(0) ack 1 <sack 6001:12001>
    401ms  host  > . 3001:4001(1000) ack 1
    402ms  peer  < . 1:1(0) ack 1001 <sack 6001:12001>
    402ms  host  > . 4001:5001(1000) ack 1
    402ms  host  > . 5001:6001(1000) ack 1
    402ms  tcb   cwnd=5000
    403ms  peer  < . 1:1(0) ack 2001 <sack 6001:12001>
    403ms  host  > . 12001:13001(1000) ack 1
    403ms  host  > . 13001:14001(1000) ack 1
    403ms  tcb   cwnd=6000
    `,
    SACK,
  );

  ladder(
    'a retransmission that is lost is found by what was sent after it (RFC 8985 1)',
    `${TEN}
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:4001>${segments(300, 1, 1)}
    302ms  peer  < . 1:1(0) ack 1 <sack 1001:10001>
    302ms  host  > . 10001:11001(1000) ack 1
    302ms  host  > . 11001:12001(1000) ack 1
    302ms  host  > . 12001:13001(1000) ack 1
    302ms  host  > . 13001:14001(1000) ack 1
    302ms  host  > . 14001:15001(1000) ack 1
    302ms  host  > . 15001:16001(1000) ack 1
    402ms  peer  < . 1:1(0) ack 1 <sack 1001:11001>
    402ms  host  > . 1:1001(1000) ack 1
    402ms  host  > . 16001:17001(1000) ack 1
    402ms  tcb   caState=3 retransBytes=1000 lostBytes=1000
    `,
    SACK,
  );

  ladder(
    'what left in the same tick as a retransmission does not prove it lost: which was first is not known',
    `${TEN}
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:2001>
    300ms  host  > . 10001:11001(1000) ack 1
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:3001>
    300ms  host  > . 11001:12001(1000) ack 1
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:4001>
    300ms  host  > . 1:1001(1000) ack 1
    301ms  peer  < . 1:1(0) ack 1 <sack 1001:10001>
    301ms  host  > . 12001:13001(1000) ack 1
    301ms  host  > . 13001:14001(1000) ack 1
    301ms  host  > . 14001:15001(1000) ack 1
    301ms  host  > . 15001:16001(1000) ack 1
    400ms  peer  < . 1:1(0) ack 1 <sack 1001:11001>
    400ms  host  > . 16001:17001(1000) ack 1
    400ms  tcb   lostBytes=1000 retransBytes=1000 rtxKind=6
    400ms  peer  < . 1:1(0) ack 11001
    400ms  host  > . 17001:18001(1000) ack 1
    `,
    SACK,
  );
});

describe('reordering', () => {
  ladder(
    'one segment behind the hole: the hole is lost a quarter of a round trip later (RFC 8985 6.2, the reordering timer)',
    `${TWO}
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:2001>
    300ms  tcb   caState=1 rtxKind=6
    327ms  host  > . 1:1001(1000) ack 1
    327ms  tcb   caState=3 ssthresh=7000
    `,
    SACK,
  );

  ladder(
    'where reordering was seen, three or four behind a hole prove nothing before that time',
    `${ONLY_TEN}
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:2001>
    310ms  peer  < . 1:1(0) ack 2001
    310ms  tcb   caState=0
    311ms  peer  < . 1:1(0) ack 2001 <sack 3001:4001>
    312ms  peer  < . 1:1(0) ack 2001 <sack 3001:5001>
    313ms  peer  < . 1:1(0) ack 2001 <sack 3001:6001>
    314ms  peer  < . 1:1(0) ack 2001 <sack 3001:7001>
    340ms  tcb   caState=1 lostBytes=0
    341ms  host  > . 2001:3001(1000) ack 1
    341ms  tcb   caState=3
    `,
    SACK,
  );

  ladder(
    'the hole fills before the timer: nothing was lost, nothing is sent again',
    `${TWO}
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:2001>
    320ms  peer  < . 1:1(0) ack 2001
    320ms  app   sent 2000
    320ms  tcb   caState=0 timers=0 cwnd=10000
    `,
    SACK,
  );
});

describe('tail loss probe (RFC 8985 7)', () => {
  ladder(
    'two round trips without an answer: the last segment again; its SACK finds the loss before it',
    `${TWO}
    402ms  host  > P. 1001:2001(1000) ack 1
    402ms  tcb   caState=0 cwnd=10000 rtxKind=1
    502ms  peer  < . 1:1(0) ack 1 <sack 1001:2001>
    502ms  host  > . 1:1001(1000) ack 1
    502ms  tcb   caState=3
    602ms  peer  < . 1:1(0) ack 2001
    602ms  tcb   caState=0 cwnd=7000 timers=0
    `,
    SACK,
  );

  ladder(
    'new data is the better probe, even beyond the window; unanswered, the time-out follows after a whole RTO',
    `${TEN}
    402ms  host  > . 10001:11001(1000) ack 1
    402ms  tcb   cwnd=10000 rtxKind=1
    702ms  host  > . 1:1001(1000) ack 1
    702ms  tcb   caState=4
    `,
    SACK,
  );

  ladder(
    'a lone segment is given time for a delayed ACK, but no more than RTO; where the probe itself repaired the loss the window pays (7.4)',
    `${TWO}
    300ms  peer  < . 1:1(0) ack 1001
    600ms  host  > P. 1001:2001(1000) ack 1
    700ms  peer  < . 1:1(0) ack 2001
    700ms  tcb   cwnd=10000 timers=0
    710ms  app   send 100
    710ms  host  > P. 2001:2101(100) ack 1
    810ms  peer  < . 1:1(0) ack 2101
    810ms  tcb   caState=0 cwnd=7000 ssthresh=7000
    `,
    SACK,
  );

  ladder(
    'both copies have arrived, as a D-SACK says even after the last ACK: nothing was lost',
    `${TWO}
    300ms  peer  < . 1:1(0) ack 1001
    600ms  host  > P. 1001:2001(1000) ack 1
    690ms  peer  < . 1:1(0) ack 2001
    700ms  peer  < . 1:1(0) ack 2001 <sack 1001:2001>
    710ms  app   send 100
    710ms  host  > P. 2001:2101(100) ack 1
    810ms  peer  < . 1:1(0) ack 2101
    810ms  tcb   cwnd=10000
    `,
    SACK,
  );

  ladder(
    'or a plain duplicate ACK, of a peer without D-SACK',
    `${TWO}
    300ms  peer  < . 1:1(0) ack 1001
    600ms  host  > P. 1001:2001(1000) ack 1
    690ms  peer  < . 1:1(0) ack 2001
    700ms  peer  < . 1:1(0) ack 2001
    710ms  app   send 100
    710ms  host  > P. 2001:2101(100) ack 1
    810ms  peer  < . 1:1(0) ack 2101
    810ms  tcb   cwnd=10000
    `,
    SACK,
  );

  ladder(
    'one probe at a time, and none in recovery',
    `${TWO}
    402ms  host  > P. 1001:2001(1000) ack 1
    702ms  host  > . 1:1001(1000) ack 1
    702ms  tcb   caState=4 rtxKind=1
   1302ms  host  > . 1:1001(1000) ack 1
    `,
    SACK,
  );
});

describe('time-out', () => {
  ladder(
    'takes only for lost what was sent a round trip ago (RFC 8985 6.3)',
    `${OPEN}
    200ms  app   send 5000${segments(200, 1, 5, 'P.')}
    450ms  app   send 3000${segments(450, 5001, 3, 'P.')}
    500ms  host  > . 1:1001(1000) ack 1
    500ms  tcb   caState=4 lostBytes=5000 cwnd=4000 ssthresh=7000
    `,
    WITHOUT_PROBE,
  );

  ladder(
    'of a network that was only slow: new data goes out, the originals are acknowledged, the window is back (F-RTO, RFC 5682 3.1)',
    `${TEN}
    500ms  host  > . 1:1001(1000) ack 1
    500ms  tcb   caState=4 cwnd=1000 ssthresh=7000 lostBytes=10000
    510ms  peer  < . 1:1(0) ack 1001
    510ms  host  > . 10001:11001(1000) ack 1
    510ms  host  > . 11001:12001(1000) ack 1
    510ms  tcb   caState=4 cwnd=2000
    520ms  peer  < . 1:1(0) ack 2001
    520ms  host  > . 12001:13001(1000) ack 1
    520ms  tcb   caState=0 cwnd=11000 ssthresh=1073741823 lostBytes=0
    `,
    WITHOUT_PROBE,
  );

  ladder(
    'a real one: the new data is SACKed, and what is lost is sent again (RFC 5682 3.1 step 3a)',
    `${TEN}
    500ms  host  > . 1:1001(1000) ack 1
    600ms  peer  < . 1:1(0) ack 1001
    600ms  host  > . 10001:11001(1000) ack 1
    600ms  host  > . 11001:12001(1000) ack 1
    700ms  peer  < . 1:1(0) ack 1001 <sack 10001:11001>
    700ms  host  > . 1001:2001(1000) ack 1
    700ms  tcb   caState=4 cwnd=2000 ssthresh=7000
    701ms  peer  < . 1:1(0) ack 1001 <sack 10001:12001>
    701ms  host  > . 2001:3001(1000) ack 1
    `,
    WITHOUT_PROBE,
  );

  ladder(
    "F-RTO's new data does not wait for an ACK (Nagle), or there would be no verdict",
    `${OPEN}
    200ms  app   send 2500
    200ms  host  > . 1:1001(1000) ack 1
    200ms  host  > . 1001:2001(1000) ack 1
    200ms  host  > P. 2001:2501(500) ack 1
    210ms  app   send 100
    500ms  host  > . 1:1001(1000) ack 1
    510ms  peer  < . 1:1(0) ack 1001
    510ms  host  > P. 2501:2601(100) ack 1
    520ms  peer  < . 1:1(0) ack 2001
    520ms  tcb   caState=0 lostBytes=0
    `,
    WITHOUT_PROBE,
  );

  ladder(
    'without SACK an ACK of what was sent again proves nothing for what it covers besides (as Linux, RFC 5682 2.1)',
    `
      0ms  app   send 10000${segments(0, 1, 10, 'P.')}
    200ms  host  > . 1:1001(1000) ack 1
    210ms  peer  < . 1:1(0) ack 5001
    210ms  tcb   caState=4 ssthresh=7000 cwnd=6000
    210ms  host  > . 5001:6001(1000) ack 1
    210ms  host  > . 6001:7001(1000) ack 1
    210ms  host  > . 7001:8001(1000) ack 1
    210ms  host  > . 8001:9001(1000) ack 1
    210ms  host  > P. 9001:10001(1000) ack 1
    `,
    { from: 'ESTABLISHED', params: { mss: 1000 } },
  );

  ladder(
    'a peer that has dropped what it SACKed: after half a round trip everything is sent again (RFC 2018 8)',
    `${ONLY_TEN}
    300ms  peer  < . 1:1(0) ack 1001 <sack 2001:4001>
    310ms  peer  < . 1:1(0) ack 2001 <sack 8001:9001>
    310ms  tcb   sackedBytes=3000 rtxKind=1
    360ms  host  > . 2001:3001(1000) ack 1
    360ms  tcb   caState=4 sackedBytes=0 lostBytes=8000
    460ms  peer  < . 1:1(0) ack 10001
    460ms  tcb   caState=0 lostBytes=0 retransBytes=0
    `,
    SACK,
  );

  ladder(
    'or which gets the rest in time',
    `${ONLY_TEN}
    300ms  peer  < . 1:1(0) ack 1001 <sack 2001:4001>
    310ms  peer  < . 1:1(0) ack 2001 <sack 8001:9001>
    320ms  peer  < . 1:1(0) ack 10001
    320ms  tcb   caState=0 timers=0 sackedBytes=0
    `,
    SACK,
  );

  ladder(
    'the window closes on what is in flight: it is probed, not sent again, and goes first when it opens (RFC 9293 MUST-35)',
    `${TWO}
    300ms  peer  < . 1:1(0) ack 1001 win 0
    300ms  tcb   rtxKind=1
    600ms  host  > . 1000:1000(0) ack 1
    610ms  peer  < . 1:1(0) ack 1001 win 0
   1200ms  host  > . 1000:1000(0) ack 1
   1210ms  peer  < . 1:1(0) ack 1001 win 5000
   1210ms  host  > P. 1001:2001(1000) ack 1
   1310ms  peer  < . 1:1(0) ack 2001 win 5000
   1310ms  tcb   caState=0 timers=0
    `,
    WITHOUT_PROBE,
  );
});

describe('a reduction that was not needed', () => {
  ladder(
    'is taken back when the ACK echoes a time before the retransmission (Eifel, RFC 3522)',
    `${TEN_WITH_TIMESTAMPS}
    300ms  peer  < . 1:1(0) ack 1 <TS val 1000 ecr 200,sack 1001:4001>
    300ms  host  > . 1:1001(1000) ack 1
    300ms  tcb   caState=3 ssthresh=7000
    310ms  peer  < . 1:1(0) ack 4001 <TS val 1010 ecr 200>
    310ms  tcb   caState=0 cwnd=11000 ssthresh=1073741823 lostBytes=0 retransBytes=0
    `,
    TIMESTAMPS,
  );

  ladder(
    'not when it echoes the retransmission, even if it covers one that left later',
    `${TEN_WITH_TIMESTAMPS}
    300ms  peer  < . 1:1(0) ack 1 <TS val 1000 ecr 200,sack 2001:3001>
    300ms  peer  < . 1:1(0) ack 1 <TS val 1000 ecr 200,sack 2001:4001>
    300ms  peer  < . 1:1(0) ack 1 <TS val 1000 ecr 200,sack 2001:5001>
    300ms  host  > . 1:1001(1000) ack 1
    310ms  peer  < . 1:1(0) ack 1 <TS val 1010 ecr 200,sack 2001:6001>
    310ms  host  > . 1001:2001(1000) ack 1
    400ms  peer  < . 1:1(0) ack 10001 <TS val 1100 ecr 300>
    400ms  tcb   caState=0 cwnd=7000 ssthresh=7000
    `,
    TIMESTAMPS,
  );

  ladder(
    'nor the first of two retransmissions: the second was not needed, but the original was lost',
    `${TEN_WITH_TIMESTAMPS}
    500ms  host  > . 1:1001(1000) ack 1
   1100ms  host  > . 1:1001(1000) ack 1
   1120ms  peer  < . 1:1(0) ack 1001 <TS val 1100 ecr 500>
   1120ms  tcb   caState=4 ssthresh=7000
   1120ms  host  > . 1001:2001(1000) ack 1
   1120ms  host  > . 2001:3001(1000) ack 1
    `,
    { params: { ...TIMESTAMPS.params, lossProbe: false } },
  );

  ladder(
    'but it is when both were not: the ACK echoes the original',
    `${TEN_WITH_TIMESTAMPS}
    500ms  host  > . 1:1001(1000) ack 1
   1100ms  host  > . 1:1001(1000) ack 1
   1120ms  peer  < . 1:1(0) ack 1001 <TS val 1100 ecr 200>
   1120ms  tcb   caState=0 ssthresh=1073741823 lostBytes=0
    `,
    { params: { ...TIMESTAMPS.params, lossProbe: false } },
  );

  ladder(
    'or when D-SACKs name all that was sent again, still in recovery (RFC 2883, RFC 3708)',
    `${ONLY_TEN}
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:4001>
    300ms  host  > . 1:1001(1000) ack 1
    310ms  peer  < . 1:1(0) ack 4001
    310ms  tcb   caState=3 cwnd=7000 ssthresh=7000 undoRetrans=1
    400ms  peer  < . 1:1(0) ack 4001 <sack 1:1001>
    400ms  tcb   caState=0 cwnd=10000 ssthresh=1073741823 undoRetrans=0
    `,
    SACK,
  );

  ladder(
    'and after it, with nothing in flight any more',
    `${ONLY_TEN}
    300ms  peer  < . 1:1(0) ack 1 <sack 1001:4001>
    300ms  host  > . 1:1001(1000) ack 1
    310ms  peer  < . 1:1(0) ack 10001
    310ms  tcb   caState=0 cwnd=7000 ssthresh=7000
    400ms  peer  < . 1:1(0) ack 10001 <sack 1:1001>
    400ms  tcb   cwnd=10000 ssthresh=1073741823
    `,
    SACK,
  );

  ladder(
    'one of two is not enough',
    `${ONLY_TEN}
    300ms  peer  < . 1:1(0) ack 1 <sack 2001:3001>
    300ms  peer  < . 1:1(0) ack 1 <sack 2001:4001>
    300ms  peer  < . 1:1(0) ack 1 <sack 2001:5001>
    300ms  host  > . 1:1001(1000) ack 1
    310ms  peer  < . 1:1(0) ack 1 <sack 2001:6001>
    310ms  host  > . 1001:2001(1000) ack 1
    400ms  peer  < . 1:1(0) ack 10001
    410ms  peer  < . 1:1(0) ack 10001 <sack 1:1001>
    410ms  tcb   cwnd=7000 ssthresh=7000 undoRetrans=1
    `,
    SACK,
  );
});
