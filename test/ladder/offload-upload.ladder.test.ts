/** Upload as Figure 7 has it: somebody asks, the request goes down, delegated state comes up, the host goes on. */
import { describe } from 'vitest';
import { machineLadder } from '../support/machine-ladder.ts';

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
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections          // 330
    0ms  transport  > network initiate offload, 1 connections            // 332
    0ms  network    > framing initiate offload, 1 paths                  // 334
    0ms  framing    > ndis initiate offload, 3 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 3 blocks
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  nic0       > framing initiate complete                          // 308
    0ms  framing    > network initiate complete                          // 312
    0ms  network    > transport initiate complete                        // 316
    0ms  transport  > tli initiate complete                              // 320
    1ms  app        c1 send+close 100
    1ms  nic0       > c1 FP. 1:101(100) ack 1
    2ms  c1         < . 1:1(0) ack 102
    2ms  app        c1 sent 100
    3ms  c1         < F. 1:1(0) ack 102
    3ms  nic0       > c1 . 102:102(0) ack 2
    3ms  nic0       > tli disconnect
    3ms  app        c1 ended
    3ms  app        c1 closed Normal
    3ms  nic0       > ndis retrieve: UploadRequested                     // 702
    3ms  ndis       > transport retrieve: UploadRequested                // 704
    3ms  tli        > transport terminate offload, 1 connections
    3ms  transport  > network terminate offload, 1 connections           // 728
    3ms  network    > framing terminate offload, 1 paths                 // 726
    3ms  framing    > ndis terminate offload, 3 blocks                   // 724
    3ms  ndis       > nic0 terminate offload, 3 blocks                   // 722
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    3ms  nic0       > framing terminate complete                         // 742, 744
    3ms  framing    > network terminate complete                         // 746
    3ms  network    > transport terminate complete                       // 748
    3ms  transport  > tli terminate complete
    3ms  check      nic0 tcp=0 paths=0 neighbors=0
         // TIME-WAIT is the host's: it answers the FIN that comes again.
  500ms  c1         < F. 1:1(0) ack 102
  500ms  host       > c1 . 102:102(0) ack 2
  500ms  check      host blocks=0 offloaded=0 connections=1
62000ms  check      host connections=0
`,
  );

  machineLadder(
    'the device gives up after its retransmissions and says why; the application hears of the time-out (Figure 7, digest 3.8)',
    // It gives up before it doubts the neighbor.
    { ...ONE, nics: [{ name: 'nic0', target: { nceStaleTicks: 1_000_000 } }], tcp: { retransmissionsMax: 12 } },
    `
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections          // 330
    0ms  transport  > network initiate offload, 1 connections            // 332
    0ms  network    > framing initiate offload, 1 paths                  // 334
    0ms  framing    > ndis initiate offload, 3 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 3 blocks
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  nic0       > framing initiate complete                          // 308
    0ms  framing    > network initiate complete                          // 312
    0ms  network    > transport initiate complete                        // 316
    0ms  transport  > tli initiate complete                              // 320
    0ms  app        c1 send 100
    0ms  nic0       > c1 P. 1:101(100) ack 1
  200ms  nic0       > c1 P. 1:101(100) ack 1
  600ms  nic0       > c1 P. 1:101(100) ack 1
 1400ms  nic0       > c1 P. 1:101(100) ack 1
 3000ms  nic0       > c1 P. 1:101(100) ack 1
 6200ms  nic0       > c1 P. 1:101(100) ack 1
12600ms  nic0       > c1 P. 1:101(100) ack 1
25400ms  nic0       > c1 P. 1:101(100) ack 1
51000ms  nic0       > c1 P. 1:101(100) ack 1
102200ms  nic0       > c1 P. 1:101(100) ack 1
162200ms  nic0       > c1 P. 1:101(100) ack 1
222200ms  nic0       > c1 P. 1:101(100) ack 1
282200ms  nic0       > c1 P. 1:101(100) ack 1
342200ms  nic0       > ndis retrieve: TimeoutExpiration                  // 702
342200ms  ndis       > transport retrieve: TimeoutExpiration             // 704
342200ms  tli        > transport terminate offload, 1 connections
342200ms  transport  > network terminate offload, 1 connections          // 728
342200ms  network    > framing terminate offload, 1 paths                // 726
342200ms  framing    > ndis terminate offload, 3 blocks                  // 724
342200ms  ndis       > nic0 terminate offload, 3 blocks                  // 722
342200ms  blocks     nic0 terminate N={P={T}}
342200ms  blocks     nic0 terminate complete N={P={T}}
342200ms  nic0       > framing terminate complete                        // 742, 744
342200ms  framing    > network terminate complete                        // 746
342200ms  network    > transport terminate complete                      // 748
342200ms  transport  > tli terminate complete
342200ms  app        c1 closed TimedOut
800000ms  check      nic0 tcp=0 paths=0 neighbors=0
800000ms  check      host blocks=0 sends=0 connections=0
`,
  );

  machineLadder(
    'outstanding requests are answered UPLOAD_IN_PROGRESS (732, 734, R27, D22)',
    ONE,
    `
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections          // 330
    0ms  transport  > network initiate offload, 1 connections            // 332
    0ms  network    > framing initiate offload, 1 paths                  // 334
    0ms  framing    > ndis initiate offload, 3 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 3 blocks
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  nic0       > framing initiate complete                          // 308
    0ms  framing    > network initiate complete                          // 312
    0ms  network    > transport initiate complete                        // 316
    0ms  transport  > tli initiate complete                              // 320
    1ms  app        c1 send+close 100
    1ms  nic0       > c1 FP. 1:101(100) ack 1
    2ms  tli        upload c1
    2ms  tli        > transport terminate offload, 1 connections
    2ms  transport  > network terminate offload, 1 connections           // 728
    2ms  network    > framing terminate offload, 1 paths                 // 726
    2ms  framing    > ndis terminate offload, 3 blocks                   // 724
    2ms  ndis       > nic0 terminate offload, 3 blocks                   // 722
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  nic0       > tli disconnect complete: UploadInProgress          // 732, 734
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  nic0       > framing terminate complete                         // 742, 744
    2ms  framing    > network terminate complete                         // 746
    2ms  network    > transport terminate complete                       // 748
    2ms  transport  > tli terminate complete
    2ms  check      c1 state=FIN-WAIT-1 sndUna=1 sndNxt=102 sndMax=102 queued=100
         // The FIN has no byte in the queue; the host retransmits it with the rest when its time comes.
  201ms  host       > c1 FP. 1:101(100) ack 1
  250ms  c1         < . 1:1(0) ack 102
  250ms  app        c1 sent 100
  250ms  check      c1 state=FIN-WAIT-2
`,
  );

  machineLadder(
    'unacknowledged bytes come back in the send queue and are acknowledged to the host (D04, D05, D06)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 send 1460
    1ms  nic0       > c1 P. 1:1461(1460) ack 1
    1ms  app        c1 send 1000
    1ms  nic0       > c1 P. 1461:2461(1000) ack 1
    1ms  app        c1 send 500
    2ms  c1         < . 1:1(0) ack 2000
    2ms  app        c1 sent 1460
    3ms  tli        upload c1
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    3ms  check      c1 sndUna=2000 sndNxt=2461 sndMax=2461 queued=961
    4ms  app        c1 send 40
    5ms  c1         < . 1:1(0) ack 2461
    5ms  app        c1 sent 1000
    5ms  host       > c1 P. 2461:3001(540) ack 1
    6ms  c1         < . 1:1(0) ack 3001
    6ms  app        c1 sent 500
    6ms  app        c1 sent 40
    6ms  check      host sends=0 blocks=0
`,
  );

  machineLadder(
    'the host retransmits what the device had sent, when the device would have (D17)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  app        c1 send 100
    0ms  nic0       > c1 P. 1:101(100) ack 1
  100ms  tli        upload c1
  100ms  blocks     nic0 terminate N={P={T}}
  100ms  blocks     nic0 terminate complete N={P={T}}
  200ms  host       > c1 P. 1:101(100) ack 1
  300ms  c1         < . 1:1(0) ack 101
  300ms  app        c1 sent 100
`,
  );

  machineLadder(
    'back-off goes with it: the third time-out follows the second (D17)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  app        c1 send 100
    0ms  nic0       > c1 P. 1:101(100) ack 1
  200ms  nic0       > c1 P. 1:101(100) ack 1
  300ms  tli        upload c1
  300ms  blocks     nic0 terminate N={P={T}}
  300ms  blocks     nic0 terminate complete N={P={T}}
  600ms  host       > c1 P. 1:101(100) ack 1
  700ms  tli        offload c1
  700ms  blocks     nic0 initiate N+{P+{T}}
  700ms  blocks     nic0 initiate complete N+{P+{T}}
 1400ms  nic0       > c1 P. 1:101(100) ack 1
 1500ms  c1         < . 1:1(0) ack 101
 1500ms  app        c1 sent 100
`,
  );

  machineLadder(
    'calls and segments wait in the host until the state is there (R26, D14)',
    ONE,
    `
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections          // 330
    0ms  transport  > network initiate offload, 1 connections            // 332
    0ms  network    > framing initiate offload, 1 paths                  // 334
    0ms  framing    > ndis initiate offload, 3 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 3 blocks
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  nic0       > framing initiate complete                          // 308
    0ms  framing    > network initiate complete                          // 312
    0ms  network    > transport initiate complete                        // 316
    0ms  transport  > tli initiate complete                              // 320
    1ms  im         hold terminateOffload
    1ms  tli        upload c1
    1ms  tli        > transport terminate offload, 1 connections
    1ms  transport  > network terminate offload, 1 connections           // 728
    1ms  network    > framing terminate offload, 1 paths                 // 726
    1ms  framing    > ndis terminate offload, 3 blocks                   // 724
    1ms  ndis       > nic0 terminate offload, 3 blocks                   // 722
    2ms  app        c1 send 20
         // Until the device hears of it, it goes on.
    3ms  c1         < P. 1:11(10) ack 1
    3ms  app        c1 received 10
    4ms  im         release
    4ms  blocks     nic0 terminate N={P={T}}
    4ms  blocks     nic0 terminate complete N={P={T}}
    4ms  nic0       > framing terminate complete                         // 742, 744
    4ms  framing    > network terminate complete                         // 746
    4ms  network    > transport terminate complete                       // 748
    4ms  transport  > tli terminate complete
    4ms  tli        > transport held calls
    4ms  nic0       > c1 . 1:1(0) ack 11
    4ms  host       > c1 P. 1:21(20) ack 11
   60ms  check      nic0 tcp=0 buffers=0
`,
  );

  machineLadder(
    'a segment that the device forgot in time is held, then processed (R26, D14)',
    ONE,
    `
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections          // 330
    0ms  transport  > network initiate offload, 1 connections            // 332
    0ms  network    > framing initiate offload, 1 paths                  // 334
    0ms  framing    > ndis initiate offload, 3 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 3 blocks
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  nic0       > framing initiate complete                          // 308
    0ms  framing    > network initiate complete                          // 312
    0ms  network    > transport initiate complete                        // 316
    0ms  transport  > tli initiate complete                              // 320
    1ms  im         hold terminateOffloadComplete
    1ms  tli        upload c1
    1ms  tli        > transport terminate offload, 1 connections
    1ms  transport  > network terminate offload, 1 connections           // 728
    1ms  network    > framing terminate offload, 1 paths                 // 726
    1ms  framing    > ndis terminate offload, 3 blocks                   // 724
    1ms  ndis       > nic0 terminate offload, 3 blocks                   // 722
    1ms  blocks     nic0 terminate N={P={T}}
    2ms  c1         < P. 1:11(10) ack 1
    2ms  transport  hold segment
    3ms  app        c1 send 20
    4ms  c1         < P. 11:21(10) ack 1
    4ms  transport  hold segment
    5ms  im         release
    5ms  blocks     nic0 terminate complete N={P={T}}
    5ms  nic0       > framing terminate complete                         // 742, 744
    5ms  framing    > network terminate complete                         // 746
    5ms  network    > transport terminate complete                       // 748
    5ms  transport  > tli terminate complete
    5ms  tli        > transport held calls
    5ms  transport  process held segment
    5ms  transport  process held segment
    5ms  app        c1 received 10
    5ms  app        c1 received 10
    5ms  host       > c1 P. 1:21(20) ack 1
   45ms  host       > c1 . 21:21(0) ack 21
   60ms  check      nic0 buffers=0
`,
  );

  machineLadder(
    'bytes that the application left are shown once, in order, over two owners (R27, D19)',
    { ...ONE, quiet: true },
    `
    0ms  app        c1 hold
    0ms  c1         < P. 1:101(100) ack 1
    0ms  app        c1 leaves 100
    1ms  tli        offload c1
    1ms  blocks     nic0 initiate N+{P+{T}}
    1ms  host       > c1 . 1:1(0) ack 101
    1ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  c1         < P. 101:151(50) ack 1
    3ms  tli        upload c1
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    3ms  nic0       > c1 . 1:1(0) ack 151
    4ms  c1         < P. 151:201(50) ack 1
    5ms  c1         < F. 201:201(0) ack 1
    6ms  app        c1 resume
    6ms  app        c1 received 100
    6ms  app        c1 received 50
    6ms  app        c1 received 50
    6ms  app        c1 ended
    7ms  check      c1 state=CLOSE-WAIT rcvNxt=202
    7ms  check      nic0 buffers=0
   44ms  host       > c1 . 1:1(0) ack 202
`,
  );

  machineLadder(
    'out-of-order bytes go along, down and up: what was SACKed is not taken back, and keeps its order (D09, RFC 2018 8)',
    { ...ONE, quiet: true, sack: true },
    `
    0ms  c1         < P. 31:41(10) ack 1
    0ms  host       > c1 . 1:1(0) ack 1 <sack 31:41>
    1ms  tli        offload c1
    1ms  blocks     nic0 initiate N+{P+{T}}
    1ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  c1         < P. 11:21(10) ack 1
    2ms  nic0       > c1 . 1:1(0) ack 1 <sack 11:21 31:41>
    3ms  c1         < P. 41:51(10) ack 1
    3ms  nic0       > c1 . 1:1(0) ack 1 <sack 31:51 11:21>
    4ms  tli        upload c1
    4ms  blocks     nic0 terminate N={P={T}}
    4ms  blocks     nic0 terminate complete N={P={T}}
    4ms  check      c1 rcvNxt=1
    5ms  c1         < P. 31:41(10) ack 1
    5ms  host       > c1 . 1:1(0) ack 1 <sack 31:41 31:51 11:21>
    6ms  tli        offload c1
    6ms  blocks     nic0 initiate N+{P+{T}}
    6ms  blocks     nic0 initiate complete N+{P+{T}}
    6ms  check      nic0 buffers=3
    7ms  c1         < P. 1:11(10) ack 1
    7ms  app        c1 received 10
    7ms  app        c1 received 10
    7ms  nic0       > c1 . 1:1(0) ack 21 <sack 31:51>
    8ms  tli        upload c1
    8ms  blocks     nic0 terminate N={P={T}}
    8ms  blocks     nic0 terminate complete N={P={T}}
    9ms  c1         < P. 21:31(10) ack 1
    9ms  app        c1 received 10
    9ms  app        c1 received 10
    9ms  app        c1 received 10
    9ms  host       > c1 . 1:1(0) ack 51
   60ms  check      nic0 buffers=0
`,
  );

  machineLadder(
    'a FIN that came early goes along (D09)',
    { ...ONE, quiet: true, sack: true },
    `
    0ms  c1         < F. 11:11(0) ack 1
    0ms  host       > c1 . 1:1(0) ack 1 <sack 11:12>
    1ms  tli        offload c1
    1ms  blocks     nic0 initiate N+{P+{T}}
    1ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  tli        upload c1
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  blocks     nic0 terminate complete N={P={T}}
    3ms  c1         < P. 1:11(10) ack 1
    3ms  app        c1 received 10
    3ms  app        c1 ended
    3ms  host       > c1 . 1:1(0) ack 12
   60ms  check      nic0 buffers=0
`,
  );

  machineLadder(
    'an ACK that the device owes is sent before the terminate completes (D08)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  c1         < P. 1:11(10) ack 1
    1ms  app        c1 received 10
    5ms  tli        upload c1
    5ms  blocks     nic0 terminate N={P={T}}
    5ms  blocks     nic0 terminate complete N={P={T}}
    5ms  nic0       > c1 . 1:1(0) ack 11
   60ms  check      c1 rcvNxt=11
`,
  );

  machineLadder(
    'asked twice while it is under way: one terminate (D01, D02)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  im         hold terminateOffload
    1ms  tli        upload c1
    2ms  tli        upload c1
    3ms  c1         < R 1:1(0)
    3ms  app        c1 closed Reset
    4ms  tli        upload c1
    5ms  im         release
    5ms  blocks     nic0 terminate N={P={T}}
    5ms  blocks     nic0 terminate complete N={P={T}}
    5ms  check      host blocks=0 pending=0 connections=0
    5ms  check      nic0 tcp=0 paths=0 neighbors=0
`,
  );

  machineLadder(
    'a reset tells the host that the offload should end; what was queued is aborted (R25, E13)',
    ONE,
    `
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections          // 330
    0ms  transport  > network initiate offload, 1 connections            // 332
    0ms  network    > framing initiate offload, 1 paths                  // 334
    0ms  framing    > ndis initiate offload, 3 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 3 blocks
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  nic0       > framing initiate complete                          // 308
    0ms  framing    > network initiate complete                          // 312
    0ms  network    > transport initiate complete                        // 316
    0ms  transport  > tli initiate complete                              // 320
    1ms  app        c1 send 20
    1ms  nic0       > c1 P. 1:21(20) ack 1
    2ms  c1         < R 1:1(0)
    2ms  nic0       > tli abort
    2ms  app        c1 closed Reset
    2ms  nic0       > tli send complete: RequestAborted
    2ms  tli        > transport terminate offload, 1 connections
    2ms  transport  > network terminate offload, 1 connections           // 728
    2ms  network    > framing terminate offload, 1 paths                 // 726
    2ms  framing    > ndis terminate offload, 3 blocks                   // 724
    2ms  ndis       > nic0 terminate offload, 3 blocks                   // 722
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  nic0       > framing terminate complete                         // 742, 744
    2ms  framing    > network terminate complete                         // 746
    2ms  network    > transport terminate complete                       // 748
    2ms  transport  > tli terminate complete
    2ms  check      host sends=0 connections=0
`,
  );

  machineLadder(
    'an abort of the application on the device: RST from there, then upload (E16)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 send 20
    1ms  nic0       > c1 P. 1:21(20) ack 1
    2ms  app        c1 abort
    2ms  app        c1 closed Aborted
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  nic0       > c1 R. 21:21(0) ack 1
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  check      host sends=0 connections=0
    2ms  check      nic0 tcp=0 paths=0 neighbors=0
`,
  );
});

describe('half closed', () => {
  machineLadder(
    'FIN-WAIT-2: uploaded with what is left of its time; the host ends it (D17)',
    { ...ONE, quiet: true, tcp: { finWait2Ticks: 5000 } },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 close
    1ms  nic0       > c1 F. 1:1(0) ack 1
    2ms  c1         < . 1:1(0) ack 2
 1000ms  tli        upload c1
 1000ms  blocks     nic0 terminate N={P={T}}
 1000ms  blocks     nic0 terminate complete N={P={T}}
 1000ms  check      c1 state=FIN-WAIT-2 sndUna=2
 1500ms  c1         < P. 1:11(10) ack 2
 1500ms  app        c1 received 10
 1540ms  host       > c1 . 2:2(0) ack 11
 1600ms  c1         < F. 11:11(0) ack 2
 1600ms  app        c1 ended
 1600ms  app        c1 closed Normal
 1600ms  host       > c1 . 2:2(0) ack 12
`,
  );

  machineLadder(
    'CLOSE-WAIT: the host goes on sending and closes (B14)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  c1         < FP. 1:11(10) ack 1
    1ms  app        c1 received 10
    1ms  app        c1 ended
    2ms  tli        upload c1
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  nic0       > c1 . 1:1(0) ack 12
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  check      c1 state=CLOSE-WAIT rcvNxt=12
    3ms  app        c1 send+close 100
    3ms  host       > c1 FP. 1:101(100) ack 12
    3ms  check      c1 state=LAST-ACK
    4ms  c1         < . 12:12(0) ack 102
    4ms  app        c1 sent 100
    4ms  app        c1 closed Normal
    4ms  check      host connections=0
`,
  );

  machineLadder(
    'closed on the device, while the application still has bytes to see: its addresses are free, segments find nobody (RFC 9293 3.10.7.1)',
    { ...ONE, quiet: true },
    `
    0ms  app        c1 hold
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  c1         < FP. 1:101(100) ack 1
    1ms  app        c1 leaves 100
    2ms  app        c1 close
    2ms  nic0       > c1 F. 1:1(0) ack 102
    3ms  c1         < . 102:102(0) ack 2
    3ms  tli        upload c1
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    3ms  app        c1 leaves 100
    4ms  c1         < R. 102:102(0) ack 2
    5ms  c1         < . 102:102(0) ack 2
    5ms  host       > c1 R 2:2(0)
    6ms  app        c1 resume
    6ms  app        c1 received 100
    6ms  app        c1 ended
    6ms  app        c1 closed Normal
    7ms  check      host connections=0
    7ms  check      nic0 buffers=0
`,
  );

  machineLadder(
    'LAST-ACK: the FIN is the host’s to repeat (B15, D22)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  c1         < F. 1:1(0) ack 1
    1ms  nic0       > c1 . 1:1(0) ack 2
    1ms  app        c1 ended
    2ms  app        c1 close
    2ms  nic0       > c1 F. 1:1(0) ack 2
    3ms  tli        upload c1
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    3ms  check      c1 state=LAST-ACK sndUna=1 sndMax=2 queued=0
  202ms  host       > c1 F. 1:1(0) ack 2
  300ms  c1         < . 2:2(0) ack 2
  300ms  app        c1 closed Normal
  300ms  check      host connections=0
`,
  );

  machineLadder(
    'CLOSING: both FINs are on their way (B15)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 close
    1ms  nic0       > c1 F. 1:1(0) ack 1
    2ms  c1         < F. 1:1(0) ack 1
    2ms  app        c1 ended
    2ms  nic0       > c1 . 2:2(0) ack 2
    3ms  tli        upload c1
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    3ms  check      c1 state=CLOSING
    4ms  c1         < . 2:2(0) ack 2
    4ms  app        c1 closed Normal
    4ms  check      c1 state=TIME-WAIT
`,
  );

  machineLadder(
    'with a zero window: the probes go on in the host (E25)',
    { ...ONE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  c1         < . 1:1(0) ack 1 win 0
    2ms  app        c1 send 100
  202ms  nic0       > c1 . 0:0(0) ack 1
  300ms  tli        upload c1
  300ms  blocks     nic0 terminate N={P={T}}
  300ms  blocks     nic0 terminate complete N={P={T}}
  602ms  host       > c1 . 0:0(0) ack 1
  700ms  c1         < . 1:1(0) ack 1 win 65535
  700ms  host       > c1 P. 1:101(100) ack 1
  701ms  c1         < . 1:1(0) ack 101 win 65535
  701ms  app        c1 sent 100
`,
  );
});

describe('a tree of three connections on two paths that share a neighbor', () => {
  machineLadder(
    'each lower layer adds its block with the last dependent, else only passes the request on (Figure 7, R26, R6)',
    TREE,
    `
    0ms  tli        offload c1 c2 c3
    0ms  tli        > transport initiate offload, 3 connections          // 330
    0ms  transport  > network initiate offload, 3 connections            // 332
    0ms  network    > framing initiate offload, 2 paths                  // 334
    0ms  framing    > ndis initiate offload, 6 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 6 blocks
    0ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    0ms  nic0       > framing initiate complete                          // 308
    0ms  framing    > network initiate complete                          // 312
    0ms  network    > transport initiate complete                        // 316
    0ms  transport  > tli initiate complete                              // 320
    1ms  tli        upload c1
    1ms  tli        > transport terminate offload, 1 connections
    1ms  transport  > network terminate offload, 1 connections           // 728
    1ms  network    > framing terminate offload, 1 paths                 // 726
    1ms  framing    > ndis terminate offload, 3 blocks                   // 724
    1ms  ndis       > nic0 terminate offload, 3 blocks                   // 722
    1ms  blocks     nic0 terminate N.{P.{T}}
    1ms  blocks     nic0 terminate complete N.{P.{T}}
    1ms  nic0       > framing terminate complete                         // 742, 744
    1ms  framing    > network terminate complete                         // 746
    1ms  network    > transport terminate complete                       // 748
    1ms  transport  > tli terminate complete
    1ms  check      nic0 tcp=2 paths=2 neighbors=1
    2ms  tli        upload c2
    2ms  tli        > transport terminate offload, 1 connections
    2ms  transport  > network terminate offload, 1 connections           // 728
    2ms  network    > framing terminate offload, 1 paths                 // 726
    2ms  framing    > ndis terminate offload, 3 blocks                   // 724
    2ms  ndis       > nic0 terminate offload, 3 blocks                   // 722
    2ms  blocks     nic0 terminate N.{P={T}}
    2ms  blocks     nic0 terminate complete N.{P={T}}
    2ms  nic0       > framing terminate complete                         // 742, 744
    2ms  framing    > network terminate complete                         // 746
    2ms  network    > transport terminate complete                       // 748
    2ms  transport  > tli terminate complete
    2ms  check      nic0 tcp=1 paths=1 neighbors=1
    3ms  tli        upload c3
    3ms  tli        > transport terminate offload, 1 connections
    3ms  transport  > network terminate offload, 1 connections           // 728
    3ms  network    > framing terminate offload, 1 paths                 // 726
    3ms  framing    > ndis terminate offload, 3 blocks                   // 724
    3ms  ndis       > nic0 terminate offload, 3 blocks                   // 722
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    3ms  nic0       > framing terminate complete                         // 742, 744
    3ms  framing    > network terminate complete                         // 746
    3ms  network    > transport terminate complete                       // 748
    3ms  transport  > tli terminate complete
    3ms  check      nic0 tcp=0 paths=0 neighbors=0
    3ms  check      host blocks=0 offloaded=0
`,
  );

  machineLadder(
    'all of it in one call ends the same (D20)',
    TREE,
    `
    0ms  tli        offload c1 c2 c3
    0ms  tli        > transport initiate offload, 3 connections          // 330
    0ms  transport  > network initiate offload, 3 connections            // 332
    0ms  network    > framing initiate offload, 2 paths                  // 334
    0ms  framing    > ndis initiate offload, 6 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 6 blocks
    0ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    0ms  nic0       > framing initiate complete                          // 308
    0ms  framing    > network initiate complete                          // 312
    0ms  network    > transport initiate complete                        // 316
    0ms  transport  > tli initiate complete                              // 320
    1ms  app        c1 send 10
    1ms  nic0       > c1 P. 1:11(10) ack 1
    1ms  app        c3 send 10
    1ms  nic0       > c3 P. 1:11(10) ack 1
    2ms  tli        upload c1 c2 c3
    2ms  tli        > transport terminate offload, 3 connections
    2ms  transport  > network terminate offload, 3 connections           // 728
    2ms  network    > framing terminate offload, 2 paths                 // 726
    2ms  framing    > ndis terminate offload, 6 blocks                   // 724
    2ms  ndis       > nic0 terminate offload, 6 blocks                   // 722
    2ms  blocks     nic0 terminate N={P={T T} P={T}}
    2ms  blocks     nic0 terminate complete N={P={T T} P={T}}
    2ms  nic0       > framing terminate complete                         // 742, 744
    2ms  framing    > network terminate complete                         // 746
    2ms  network    > transport terminate complete                       // 748
    2ms  transport  > tli terminate complete
    2ms  check      nic0 tcp=0 paths=0 neighbors=0
    3ms  c1         < . 1:1(0) ack 11
    3ms  app        c1 sent 10
    3ms  c3         < . 1:1(0) ack 11
    3ms  app        c3 sent 10
    4ms  check      host blocks=0 sends=0 offloaded=0
`,
  );

  machineLadder(
    'offloaded again at once, while segments arrive (D15)',
    { ...TREE, quiet: true },
    `
    0ms  tli        offload c1 c2 c3
    0ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    1ms  c1         < P. 1:11(10) ack 1
    1ms  app        c1 received 10
    1ms  tli        upload c1 c2 c3
    1ms  blocks     nic0 terminate N={P={T T} P={T}}
    1ms  blocks     nic0 terminate complete N={P={T T} P={T}}
    1ms  nic0       > c1 . 1:1(0) ack 11
    1ms  tli        offload c1 c2 c3
    1ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    1ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    1ms  c1         < P. 11:21(10) ack 1
    1ms  app        c1 received 10
    1ms  check      nic0 tcp=3 paths=2 neighbors=1
    2ms  app        c1 send 10
    2ms  nic0       > c1 P. 1:11(10) ack 21
   60ms  check      nic0 buffers=0 fault=
`,
  );
});
