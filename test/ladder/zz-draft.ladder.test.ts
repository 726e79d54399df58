/** Upload as Figure 7 has it: somebody asks, the request goes down, delegated state comes up, the host goes on. */
import { describe } from 'vitest';
import { machineLadder } from '../support/zz-draft.ts';

/** A station of the server's own network. */
const ONE = { peers: { c1: '10.0.0.16:5001' } };
/** Figure 5: two connections share a path, a third has its own, all behind one router: one neighbor. */
const TREE = {
  peers: {
    c1: '10.1.0.1:5001 via 10.0.0.251',
    c2: '10.1.0.1:5002 via 10.0.0.251',
    c3: '10.1.0.2:5003 via 10.0.0.251',
  },
};

describe('one connection', () => {
  machineLadder(
    'the device asks at TIME-WAIT 702, 704; the request descends 728 to 722, the state climbs 742 to 748 (Figure 7, R23, R28)',
    ONE,
    `
    0ms  tli       offload c1
    1ms  app       c1 send+close 100
    2ms  c1        < . 1:1(0) ack 102
    3ms  c1        < F. 1:1(0) ack 102
    3ms  check     nic0 tcp=0 paths=0 neighbors=0
    // TIME-WAIT is the host's: it answers the FIN that comes again.
  500ms  c1        < F. 1:1(0) ack 102
  500ms  check     host blocks=0 offloaded=0 connections=1
   62s   check     host connections=0
    `,
  );

  machineLadder(
    'the device gives up after its retransmissions and says why: TimeoutExpiration (Figure 7, digest 3.8)',
    ONE,
    `
    0ms  tli       offload c1
    0ms  app       c1 send 100
  800s   check     nic0 tcp=0 paths=0 neighbors=0
  800s   check     host blocks=0 sends=0 connections=0
    `,
  );

  machineLadder(
    'outstanding requests are answered UPLOAD_IN_PROGRESS (732, 734, R27, D22)',
    ONE,
    `
    0ms  tli       offload c1
    1ms  app       c1 send+close 100
    2ms  tli       upload c1
    2ms  check     c1 state=FIN-WAIT-1 sndUna=1 sndNxt=102 sndMax=102 queued=100
    // The FIN has no byte in the queue; the host retransmits it with the rest when its time comes.
  250ms  c1        < . 1:1(0) ack 102
  250ms  check     c1 state=FIN-WAIT-2
    `,
  );

  machineLadder(
    'unacknowledged bytes come back in the send queue and are acknowledged to the host (D04, D05, D06)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    1ms  app       c1 send 1460
    1ms  app       c1 send 1000
    1ms  app       c1 send 500
    2ms  c1        < . 1:1(0) ack 2000
    3ms  tli       upload c1
    3ms  check     c1 sndUna=2000 sndNxt=2921 sndMax=2921 queued=961
    4ms  app       c1 send 40
    5ms  c1        < . 1:1(0) ack 2921
    6ms  c1        < . 1:1(0) ack 2961
    6ms  check     host sends=0 blocks=0
    `,
  );

  machineLadder(
    'the host retransmits what the device had sent, when the device would have (D17)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    0ms  app       c1 send 100
  100ms  tli       upload c1
  300ms  c1        < . 1:1(0) ack 101
    `,
  );

  machineLadder(
    'back-off goes with it: the third time-out follows the second (D17)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    0ms  app       c1 send 100
  300ms  tli       upload c1
  700ms  tli       offload c1
  1500ms c1        < . 1:1(0) ack 101
    `,
  );

  machineLadder(
    'calls and segments wait in the host until the state is there (R26, D14)',
    ONE,
    `
    0ms  tli       offload c1
    1ms  im        hold terminateOffload
    1ms  tli       upload c1
    2ms  app       c1 send 20
    // Until the device hears of it, it goes on.
    3ms  c1        < P. 1:11(10) ack 1
    4ms  im        release
    60ms check     nic0 tcp=0 buffers=0
    `,
  );

  machineLadder(
    'a segment that the device forgot in time is held, then processed (R26, D14)',
    ONE,
    `
    0ms  tli       offload c1
    1ms  im        hold terminateOffloadComplete
    1ms  tli       upload c1
    2ms  c1        < P. 1:11(10) ack 1
    3ms  app       c1 send 20
    4ms  c1        < P. 11:21(10) ack 1
    5ms  im        release
    60ms check     nic0 buffers=0
    `,
  );

  machineLadder(
    'bytes that the application left are shown once, in order, over two owners (R27, D19)',
    { ...ONE, quiet: true },
    `
    0ms  app       c1 hold
    0ms  c1        < P. 1:101(100) ack 1
    1ms  tli       offload c1
    2ms  c1        < P. 101:151(50) ack 1
    3ms  tli       upload c1
    4ms  c1        < P. 151:201(50) ack 1
    5ms  c1        < F. 201:201(0) ack 1
    6ms  app       c1 resume
    7ms  check     c1 state=CLOSE-WAIT rcvNxt=202
    7ms  check     nic0 buffers=0
    `,
  );

  machineLadder(
    'out-of-order bytes are dropped by the device and sent again by the peer (D09)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    1ms  c1        < P. 11:21(10) ack 1
    2ms  tli       upload c1
    2ms  check     c1 rcvNxt=1
    3ms  c1        < P. 1:11(10) ack 1
    4ms  c1        < P. 11:21(10) ack 1
    60ms check     nic0 buffers=0
    `,
  );

  machineLadder(
    'an ACK that the device owes is sent at once by the host (D08)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    1ms  c1        < P. 1:11(10) ack 1
    5ms  tli       upload c1
    60ms check     c1 rcvNxt=11
    `,
  );

  machineLadder(
    'asked twice while it is under way: one terminate (D01, D02)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    1ms  im        hold terminateOffload
    1ms  tli       upload c1
    2ms  tli       upload c1
    3ms  c1        < R 1:1(0)
    4ms  tli       upload c1
    5ms  im        release
    5ms  check     host blocks=0 pending=0 connections=0
    5ms  check     nic0 tcp=0 paths=0 neighbors=0
    `,
  );

  machineLadder(
    'a reset tells the host that the offload should end; what was queued is aborted (R25, E13)',
    ONE,
    `
    0ms  tli       offload c1
    1ms  app       c1 send 20
    2ms  c1        < R 1:1(0)
    2ms  check     host sends=0 connections=0
    `,
  );

  machineLadder(
    'an abort of the application on the device: RST from there, then upload (E16)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    1ms  app       c1 send 20
    2ms  app       c1 abort
    2ms  check     host sends=0 connections=0
    2ms  check     nic0 tcp=0 paths=0 neighbors=0
    `,
  );
});

describe('half closed', () => {
  machineLadder(
    'FIN-WAIT-2: uploaded with what is left of its time; the host ends it (D17)',
    { ...ONE, quiet: true, tcp: { finWait2Ticks: 5000 } },
    `
    0ms  tli       offload c1
    1ms  app       c1 close
    2ms  c1        < . 1:1(0) ack 2
 1000ms  tli       upload c1
 1000ms  check     c1 state=FIN-WAIT-2 sndUna=2
 1500ms  c1        < P. 1:11(10) ack 2
 1600ms  c1        < F. 11:11(0) ack 2
    `,
  );

  machineLadder(
    'CLOSE-WAIT: the host goes on sending and closes (B14)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    1ms  c1        < FP. 1:11(10) ack 1
    2ms  tli       upload c1
    2ms  check     c1 state=CLOSE-WAIT rcvNxt=12
    3ms  app       c1 send+close 100
    3ms  check     c1 state=LAST-ACK
    4ms  c1        < . 12:12(0) ack 102
    4ms  check     host connections=0
    `,
  );

  machineLadder(
    'LAST-ACK: the FIN is the host’s to repeat (B15, D22)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    1ms  c1        < F. 1:1(0) ack 1
    2ms  app       c1 close
    3ms  tli       upload c1
    3ms  check     c1 state=LAST-ACK sndUna=1 sndMax=2 queued=0
  300ms  c1        < . 2:2(0) ack 2
  300ms  check     host connections=0
    `,
  );

  machineLadder(
    'CLOSING: both FINs are on their way (B15)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    1ms  app       c1 close
    2ms  c1        < F. 1:1(0) ack 1
    3ms  tli       upload c1
    3ms  check     c1 state=CLOSING
    4ms  c1        < . 2:2(0) ack 2
    4ms  check     c1 state=TIME-WAIT
    `,
  );

  machineLadder(
    'with a zero window: the probes go on in the host (E25)',
    { ...ONE, quiet: true },
    `
    0ms  tli       offload c1
    1ms  c1        < . 1:1(0) ack 1 win 0
    2ms  app       c1 send 100
  300ms  tli       upload c1
  700ms  c1        < . 1:1(0) ack 1 win 65535
  701ms  c1        < . 1:1(0) ack 101 win 65535
    `,
  );
});

describe('a tree of three connections on two paths that share a neighbor', () => {
  machineLadder(
    'each lower layer adds its block with the last dependent, else only passes the request on (Figure 7, R26, R6)',
    TREE,
    `
    0ms  tli       offload c1 c2 c3
    1ms  tli       upload c1
    1ms  check     nic0 tcp=2 paths=2 neighbors=1
    2ms  tli       upload c2
    2ms  check     nic0 tcp=1 paths=1 neighbors=1
    3ms  tli       upload c3
    3ms  check     nic0 tcp=0 paths=0 neighbors=0
    3ms  check     host blocks=0 offloaded=0
    `,
  );

  machineLadder(
    'all of it in one call ends the same (D20)',
    TREE,
    `
    0ms  tli       offload c1 c2 c3
    1ms  app       c1 send 10
    1ms  app       c3 send 10
    2ms  tli       upload c1 c2 c3
    2ms  check     nic0 tcp=0 paths=0 neighbors=0
    3ms  c1        < . 1:1(0) ack 11
    3ms  c3        < . 1:1(0) ack 11
    4ms  check     host blocks=0 sends=0 offloaded=0
    `,
  );

  machineLadder(
    'offloaded again at once, while segments arrive (D15)',
    { ...TREE, quiet: true },
    `
    0ms  tli       offload c1 c2 c3
    1ms  c1        < P. 1:11(10) ack 1
    1ms  tli       upload c1 c2 c3
    1ms  tli       offload c1 c2 c3
    1ms  c1        < P. 11:21(10) ack 1
    1ms  check     nic0 tcp=3 paths=2 neighbors=1
    2ms  app       c1 send 10
    60ms check     nic0 buffers=0 fault=
    `,
  );
});
