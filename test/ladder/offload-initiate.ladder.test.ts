/** Offload as Figures 3, 5 and 8 have it: the request goes down, the completion comes up, the work goes on in the device. */
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
    'the request descends 330 to 336, the completion climbs 308 to 320, the switch lets go what it held 322 (Figure 3, R13, R14, R15, B08)',
    ONE,
    `
    0ms  c1         < P. 1:101(100) ack 1
    0ms  app        c1 received 100
    0ms  app        c1 send 200
    0ms  host       > c1 P. 1:201(200) ack 101
    5ms  c1         < . 101:101(0) ack 201
    5ms  app        c1 sent 200
   10ms  im         hold initiateOffload
   10ms  tli        offload c1
   10ms  tli        > transport initiate offload, 1 connections          // 330
   10ms  transport  > network initiate offload, 1 connections            // 332
   10ms  network    > framing initiate offload, 1 paths                  // 334
   10ms  framing    > ndis initiate offload, 3 blocks                    // 336
   10ms  ndis       > nic0 initiate offload, 3 blocks
   10ms  check      c1 offload=Offloading state=undefined
   11ms  app        c1 send 300
   11ms  app        c1 send 50
   15ms  im         release
   15ms  blocks     nic0 initiate N+{P+{T}}
   15ms  blocks     nic0 initiate complete N+{P+{T}}
   15ms  nic0       > framing initiate complete                          // 308
   15ms  framing    > network initiate complete                          // 312
   15ms  network    > transport initiate complete                        // 316
   15ms  transport  > tli initiate complete                              // 320
   15ms  tli        > nic0 held calls                                    // 322
   15ms  nic0       > c1 P. 201:501(300) ack 101
   15ms  check      c1 offload=Offloaded handle=some
   15ms  check      nic0 tcp=1 paths=1 neighbors=1
         // Nagle's algorithm goes on in the device: the second send waits for the ACK of the first.
   20ms  c1         < . 101:101(0) ack 501
   20ms  app        c1 sent 300
   20ms  nic0       > c1 P. 501:551(50) ack 101
   25ms  c1         < P. 101:201(100) ack 551
   25ms  app        c1 sent 50
   25ms  app        c1 received 100
   30ms  c1         < P. 201:301(100) ack 551
   30ms  app        c1 received 100
   40ms  check      host blocks=0 tx=0 sends=0 pending=0
   65ms  nic0       > c1 . 551:551(0) ack 301
`,
  );

  machineLadder(
    'segments that arrive meanwhile are held and forwarded, each byte once (R16, B01)',
    ONE,
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections          // 330
    0ms  transport  > network initiate offload, 1 connections            // 332
    0ms  network    > framing initiate offload, 1 paths                  // 334
    0ms  framing    > ndis initiate offload, 3 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 3 blocks
    1ms  c1         < P. 1:51(50) ack 1
    1ms  transport  hold segment
    1ms  c1         < P. 51:61(10) ack 1
    1ms  transport  hold segment
    2ms  im         release
    2ms  blocks     nic0 initiate N+{P+{T}}
    2ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  nic0       > framing initiate complete                          // 308
    2ms  framing    > network initiate complete                          // 312
    2ms  network    > transport initiate complete                        // 316
    2ms  transport  > tli initiate complete                              // 320
    2ms  transport  > nic0 forward segment
    2ms  transport  > nic0 forward segment
    2ms  app        c1 received 50
    2ms  app        c1 received 10
    5ms  c1         < P. 61:161(100) ack 1
    5ms  app        c1 received 100
   42ms  nic0       > c1 . 1:1(0) ack 161
   50ms  check      nic0 buffers=0 fault=
`,
  );

  machineLadder(
    'a segment that was held and comes again from the peer is acknowledged and not shown twice (B04)',
    { ...ONE, quiet: true },
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1
    1ms  c1         < P. 1:51(50) ack 1
    2ms  c1         < P. 1:51(50) ack 1
    3ms  im         release
    3ms  blocks     nic0 initiate N+{P+{T}}
    3ms  blocks     nic0 initiate complete N+{P+{T}}
    3ms  app        c1 received 50
    3ms  nic0       > c1 . 1:1(0) ack 51
    4ms  c1         < P. 1:51(50) ack 1
    4ms  nic0       > c1 . 1:1(0) ack 51
   60ms  check      nic0 buffers=0
`,
  );

  machineLadder(
    'a newer segment reaches the device before an older one that is held: nothing is lost (B02, B03)',
    { ...ONE, quiet: true },
    `
    0ms  im         hold initiateOffloadComplete
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    1ms  c1         < P. 51:101(50) ack 1
    1ms  nic0       > c1 . 1:1(0) ack 1
    2ms  c1         < P. 1:51(50) ack 1
    2ms  nic0       > c1 . 1:1(0) ack 101
    2ms  app        c1 received 50
    2ms  app        c1 received 50
    3ms  im         release
    3ms  blocks     nic0 initiate complete N+{P+{T}}
   50ms  check      nic0 buffers=0 fault=
`,
  );

  machineLadder(
    'close in flight is deferred until the completion (B07)',
    ONE,
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections          // 330
    0ms  transport  > network initiate offload, 1 connections            // 332
    0ms  network    > framing initiate offload, 1 paths                  // 334
    0ms  framing    > ndis initiate offload, 3 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 3 blocks
    1ms  app        c1 send+close 100
    2ms  im         release
    2ms  blocks     nic0 initiate N+{P+{T}}
    2ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  nic0       > framing initiate complete                          // 308
    2ms  framing    > network initiate complete                          // 312
    2ms  network    > transport initiate complete                        // 316
    2ms  transport  > tli initiate complete                              // 320
    2ms  tli        > nic0 held calls                                    // 322
    2ms  nic0       > c1 FP. 1:101(100) ack 1
    3ms  c1         < . 1:1(0) ack 102
    3ms  app        c1 sent 100
`,
  );

  machineLadder(
    'abort in flight is deferred until the completion: one RST, one end (B07)',
    { ...ONE, quiet: true },
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1
    1ms  app        c1 abort
    2ms  im         release
    2ms  blocks     nic0 initiate N+{P+{T}}
    2ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  app        c1 closed Aborted
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  nic0       > c1 R. 1:1(0) ack 1
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  check      nic0 tcp=0 paths=0 neighbors=0
`,
  );

  machineLadder(
    'RST in flight is forwarded: the connection ends once and nothing stays behind (B09)',
    { ...ONE, quiet: true },
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1
    1ms  c1         < R 1:1(0)
    2ms  im         release
    2ms  blocks     nic0 initiate N+{P+{T}}
    2ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  app        c1 closed Reset
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  blocks     nic0 terminate complete N={P={T}}
   10ms  check      nic0 tcp=0 paths=0 neighbors=0
   10ms  check      host blocks=0 offloaded=0 connections=0
`,
  );

  machineLadder(
    'what the host had sent is retransmitted by the device, in time (R4, D17)',
    { ...ONE, quiet: true },
    `
    0ms  app        c1 send 100
    0ms  host       > c1 P. 1:101(100) ack 1
  100ms  tli        offload c1
  100ms  blocks     nic0 initiate N+{P+{T}}
  100ms  blocks     nic0 initiate complete N+{P+{T}}
  200ms  nic0       > c1 P. 1:101(100) ack 1
  300ms  c1         < . 1:1(0) ack 101
  300ms  app        c1 sent 100
`,
  );

  machineLadder(
    'an ACK that the host owes is sent before the state goes to the device (D08, digest 4.6)',
    { ...ONE, quiet: true },
    `
    0ms  c1         < P. 1:101(100) ack 1
    0ms  app        c1 received 100
   10ms  tli        offload c1
   10ms  blocks     nic0 initiate N+{P+{T}}
   10ms  host       > c1 . 1:1(0) ack 101
   10ms  blocks     nic0 initiate complete N+{P+{T}}
   90ms  check      nic0 tcp=1
`,
  );

  machineLadder(
    'a MAC address that changes in flight is updated after the completion (B05, R18)',
    ONE,
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections          // 330
    0ms  transport  > network initiate offload, 1 connections            // 332
    0ms  network    > framing initiate offload, 1 paths                  // 334
    0ms  framing    > ndis initiate offload, 3 blocks                    // 336
    0ms  ndis       > nic0 initiate offload, 3 blocks
    1ms  router     c1 moves
    2ms  im         release
    2ms  blocks     nic0 initiate N+{P+{T}}
    2ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  nic0       > framing initiate complete                          // 308
    2ms  framing    > network initiate complete                          // 312
    2ms  network    > transport initiate complete                        // 316
    2ms  transport  > tli initiate complete                              // 320
    2ms  framing    > ndis update neighbor                               // 630
    2ms  ndis       > nic0 update neighbor                               // 640
    2ms  blocks     nic0 update N
    2ms  blocks     nic0 update complete N
    2ms  nic0       > ndis update complete                               // 645
    2ms  ndis       > framing update complete                            // 635
    3ms  app        c1 send 10
    3ms  nic0       > c1 (new MAC) P. 1:11(10) ack 1
    3ms  check      host blocks=0
`,
  );

  machineLadder(
    'timestamps never go back over offload, upload and offload again (R28, D16)',
    { ...ONE, quiet: true, timestamps: true },
    `
    0ms  app        c1 send 100
    0ms  host       > c1 P. 1:101(100) ack 1
    5ms  c1         < . 1:1(0) ack 101
    5ms  app        c1 sent 100
   10ms  tli        offload c1
   10ms  blocks     nic0 initiate N+{P+{T}}
   10ms  blocks     nic0 initiate complete N+{P+{T}}
   20ms  app        c1 send 100
   20ms  nic0       > c1 P. 101:201(100) ack 1
   30ms  c1         < . 1:1(0) ack 201
   30ms  app        c1 sent 100
   40ms  tli        upload c1
   40ms  blocks     nic0 terminate N={P={T}}
   40ms  blocks     nic0 terminate complete N={P={T}}
   50ms  app        c1 send 100
   50ms  host       > c1 P. 201:301(100) ack 1
   60ms  c1         < . 1:1(0) ack 301
   60ms  app        c1 sent 100
   70ms  tli        offload c1
   70ms  blocks     nic0 initiate N+{P+{T}}
   70ms  blocks     nic0 initiate complete N+{P+{T}}
   80ms  app        c1 send 100
   80ms  nic0       > c1 P. 301:401(100) ack 1
   90ms  c1         < . 1:1(0) ack 401
   90ms  app        c1 sent 100
   91ms  check      nic0 fault=
`,
  );
});

describe('a tree of three connections on two paths that share a neighbor', () => {
  machineLadder(
    'goes in one call, block by block; each object is allocated once (Figure 5, Figure 8, R8, R11)',
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
    0ms  check      nic0 tcp=3 paths=2 neighbors=1
    1ms  app        c1 send 10
    1ms  nic0       > c1 P. 1:11(10) ack 1
    1ms  app        c2 send 20
    1ms  nic0       > c2 P. 1:21(20) ack 1
    1ms  app        c3 send 30
    1ms  nic0       > c3 P. 1:31(30) ack 1
    2ms  c1         < P. 1:6(5) ack 11
    2ms  app        c1 sent 10
    2ms  app        c1 received 5
    2ms  c3         < P. 1:8(7) ack 31
    2ms  app        c3 sent 30
    2ms  app        c3 received 7
    2ms  c2         < . 1:1(0) ack 21
    2ms  app        c2 sent 20
   42ms  nic0       > c1 . 11:11(0) ack 6
   42ms  nic0       > c3 . 31:31(0) ack 8
   60ms  check      host blocks=0 pending=0
`,
  );

  machineLadder(
    'a second offload links to what is there and allocates only what is new (R7)',
    { ...TREE, peers: { ...TREE.peers, c4: '10.1.0.2:5004 via 10.0.0.251', c5: '10.1.0.3:5005 via 10.0.0.251' } },
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
    5ms  tli        offload c4
    5ms  tli        > transport initiate offload, 1 connections          // 330
    5ms  transport  > network initiate offload, 1 connections            // 332
    5ms  network    > framing initiate offload, 1 paths                  // 334
    5ms  framing    > ndis initiate offload, 3 blocks                    // 336
    5ms  ndis       > nic0 initiate offload, 3 blocks
    5ms  blocks     nic0 initiate N={P={T}}
    5ms  blocks     nic0 initiate complete N={P={T}}
    5ms  nic0       > framing initiate complete                          // 308
    5ms  framing    > network initiate complete                          // 312
    5ms  network    > transport initiate complete                        // 316
    5ms  transport  > tli initiate complete                              // 320
    5ms  check      nic0 tcp=4 paths=2 neighbors=1
   10ms  tli        offload c5
   10ms  tli        > transport initiate offload, 1 connections          // 330
   10ms  transport  > network initiate offload, 1 connections            // 332
   10ms  network    > framing initiate offload, 1 paths                  // 334
   10ms  framing    > ndis initiate offload, 3 blocks                    // 336
   10ms  ndis       > nic0 initiate offload, 3 blocks
   10ms  blocks     nic0 initiate N={P+{T}}
   10ms  blocks     nic0 initiate complete N={P+{T}}
   10ms  nic0       > framing initiate complete                          // 308
   10ms  framing    > network initiate complete                          // 312
   10ms  network    > transport initiate complete                        // 316
   10ms  transport  > tli initiate complete                              // 320
   10ms  check      nic0 tcp=5 paths=3 neighbors=1
`,
  );

  machineLadder(
    'a second request waits while path and neighbor are in transition (R17)',
    { ...TREE, quiet: true },
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1
    1ms  tli        offload c2
    2ms  tli        offload c3
    2ms  check      c2 offload=InHost
    3ms  im         release
    3ms  blocks     nic0 initiate N+{P+{T}}
    3ms  blocks     nic0 initiate complete N+{P+{T}}
    3ms  blocks     nic0 initiate N={P={T} P+{T}}
    3ms  blocks     nic0 initiate complete N={P={T} P+{T}}
    3ms  check      nic0 tcp=3 paths=2 neighbors=1
`,
  );

  machineLadder(
    'one update of the neighbor reaches every connection: frames carry the new MAC (R8, C01)',
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
    1ms  router     c1 moves
    1ms  framing    > ndis update neighbor                               // 630
    1ms  ndis       > nic0 update neighbor                               // 640
    1ms  blocks     nic0 update N
    1ms  blocks     nic0 update complete N
    1ms  nic0       > ndis update complete                               // 645
    1ms  ndis       > framing update complete                            // 635
    2ms  app        c1 send 10
    2ms  nic0       > c1 (new MAC) P. 1:11(10) ack 1
    2ms  app        c2 send 10
    2ms  nic0       > c2 (new MAC) P. 1:11(10) ack 1
    2ms  app        c3 send 10
    2ms  nic0       > c3 (new MAC) P. 1:11(10) ack 1
    2ms  check      host blocks=0
`,
  );
});

describe('refusal', () => {
  machineLadder(
    'connections beyond the last TCP entry stay in the host and go on there; each block has its own status (A02, R11)',
    { ...TREE, nics: [{ name: 'nic0', tcpEntries: 2 }], advertised: 64 },
    `
    0ms  app        c3 send 10
    0ms  host       > c3 P. 1:11(10) ack 1
    1ms  tli        offload c1 c2 c3
    1ms  tli        > transport initiate offload, 3 connections          // 330
    1ms  transport  > network initiate offload, 3 connections            // 332
    1ms  network    > framing initiate offload, 2 paths                  // 334
    1ms  framing    > ndis initiate offload, 6 blocks                    // 336
    1ms  ndis       > nic0 initiate offload, 6 blocks
    1ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    1ms  blocks     nic0 initiate complete N+{P+{T T} P+:OffloadPartialSuccess{T:OffloadTcpEntries}}
    1ms  nic0       > framing initiate complete                          // 308
    1ms  framing    > network initiate complete                          // 312
    1ms  network    > transport initiate complete                        // 316
    1ms  transport  > tli initiate complete                              // 320
    1ms  log        offload-refused nic0 1 of 3 connections
    1ms  tli        > transport terminate offload, 0 connections
    1ms  transport  > network terminate offload, 0 connections           // 728
    1ms  network    > framing terminate offload, 1 paths                 // 726
    1ms  framing    > ndis terminate offload, 2 blocks                   // 724
    1ms  ndis       > nic0 terminate offload, 2 blocks                   // 722
    1ms  blocks     nic0 terminate N.{P=}
    1ms  blocks     nic0 terminate complete N.{P=}
    1ms  nic0       > framing terminate complete                         // 742, 744
    1ms  framing    > network terminate complete                         // 746
    1ms  network    > transport terminate complete                       // 748
    1ms  transport  > tli terminate complete
    1ms  check      c3 offload=InHost sndUna=1 sndNxt=11
    1ms  check      nic0 tcp=2 paths=1 neighbors=1 refused=1
    2ms  c3         < P. 1:51(50) ack 11
    2ms  app        c3 sent 10
    2ms  app        c3 received 50
    3ms  app        c1 send 10
    3ms  nic0       > c1 P. 1:11(10) ack 1
    3ms  app        c3 send 20
    3ms  host       > c3 P. 11:31(20) ack 51
   60ms  check      host blocks=0 pending=0 offloaded=2
`,
  );

  machineLadder(
    'a tree without a connection taken leaves no path and no neighbor behind (A16)',
    { ...TREE, nics: [{ name: 'nic0', tcpEntries: 1, pathEntries: 8 }], advertised: 64, quiet: true },
    `
    0ms  tli        offload c3
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  tli        offload c1 c2
    1ms  blocks     nic0 initiate N={P+{T T}}
    1ms  blocks     nic0 initiate complete N={P+:OffloadPartialSuccess{T:OffloadTcpEntries T:OffloadTcpEntries}}
    1ms  log        offload-refused nic0 2 of 2 connections
    1ms  blocks     nic0 terminate N.{P=}
    1ms  blocks     nic0 terminate complete N.{P=}
    1ms  check      nic0 tcp=1 paths=1 neighbors=1
    2ms  tli        upload c3
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  check      nic0 tcp=0 paths=0 neighbors=0
    2ms  check      host blocks=0 offloaded=0 pending=0
`,
  );

  machineLadder(
    'the path table is full: the connections of that path are not attempted (A04)',
    { ...TREE, nics: [{ name: 'nic0', pathEntries: 1 }], quiet: true },
    `
    0ms  app        c3 send 10
    0ms  host       > c3 P. 1:11(10) ack 1
    0ms  tli        offload c1 c2 c3
    0ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+:OffloadPartialSuccess{P+{T T} P+:OffloadPathEntries{T:Failure}}
    0ms  log        offload-refused nic0 1 of 3 connections
    0ms  check      c3 offload=InHost handle=none
    0ms  check      nic0 tcp=2 paths=1 neighbors=1
  200ms  host       > c3 P. 1:11(10) ack 1
  250ms  c3         < . 1:1(0) ack 11
  250ms  app        c3 sent 10
`,
  );

  machineLadder(
    'the neighbor table is full: nothing below is attempted, no slot is lost (A05)',
    {
      ...TREE,
      peers: { c4: '10.0.0.16:5004', ...TREE.peers },
      nics: [{ name: 'nic0', neighborEntries: 1 }],
      quiet: true,
    },
    `
    0ms  tli        offload c4 c1 c2 c3
    0ms  blocks     nic0 initiate N+{P+{T}} N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}} N+:OffloadNeighborEntries{P+:Failure{T:Failure T:Failure} P+:Failure{T:Failure}}
    0ms  log        offload-refused nic0 3 of 4 connections
    0ms  check      nic0 tcp=1 paths=1 neighbors=1
    1ms  tli        upload c4
    1ms  blocks     nic0 terminate N={P={T}}
    1ms  blocks     nic0 terminate complete N={P={T}}
    2ms  tli        offload c1 c2
    2ms  blocks     nic0 initiate N+{P+{T T}}
    2ms  blocks     nic0 initiate complete N+{P+{T T}}
    2ms  check      nic0 tcp=2 paths=1 neighbors=1
`,
  );

  machineLadder(
    'a refused connection still has what it held: sends, segments, close (A06, B11)',
    { ...ONE, nics: [{ name: 'nic0', neighborEntries: 0 }] },
    `
    0ms  app        c1 send 100
    0ms  host       > c1 P. 1:101(100) ack 1
    1ms  im         hold initiateOffload
    1ms  tli        offload c1
    1ms  tli        > transport initiate offload, 1 connections          // 330
    1ms  transport  > network initiate offload, 1 connections            // 332
    1ms  network    > framing initiate offload, 1 paths                  // 334
    1ms  framing    > ndis initiate offload, 3 blocks                    // 336
    1ms  ndis       > nic0 initiate offload, 3 blocks
    2ms  c1         < P. 1:51(50) ack 1
    2ms  transport  hold segment
    2ms  app        c1 send+close 200
    3ms  im         release
    3ms  blocks     nic0 initiate N+{P+{T}}
    3ms  blocks     nic0 initiate complete N+:OffloadNeighborEntries{P+:Failure{T:Failure}}
    3ms  nic0       > framing initiate complete                          // 308
    3ms  framing    > network initiate complete                          // 312
    3ms  network    > transport initiate complete                        // 316
    3ms  transport  > tli initiate complete                              // 320
    3ms  tli        > transport held calls
    3ms  transport  process held segment
    3ms  log        offload-refused nic0 1 of 1 connections
    3ms  app        c1 received 50
    3ms  host       > c1 FP. 101:301(200) ack 1
    4ms  c1         < . 51:51(0) ack 302
    4ms  app        c1 sent 100
    4ms  app        c1 sent 200
    5ms  check      c1 state=FIN-WAIT-2
`,
  );

  machineLadder(
    'connections that are not offloaded share path and device with those that are (R19)',
    { ...TREE, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 send 10
    1ms  nic0       > c1 P. 1:11(10) ack 1
    1ms  app        c2 send 10
    1ms  host       > c2 P. 1:11(10) ack 1
    2ms  c1         < P. 1:11(10) ack 11
    2ms  app        c1 sent 10
    2ms  app        c1 received 10
    2ms  c2         < P. 1:21(20) ack 11
    2ms  app        c2 sent 10
    2ms  app        c2 received 20
   42ms  host       > c2 . 11:11(0) ack 21
   42ms  nic0       > c1 . 11:11(0) ack 11
   60ms  check      c2 offload=InHost
`,
  );
});

describe('states in which a connection may be offloaded', () => {
  machineLadder(
    'FIN-WAIT-1: the device sends the FIN again though no byte stands for it, and reports its ACK (B15)',
    { ...ONE, quiet: true },
    `
    0ms  app        c1 send+close 100
    0ms  host       > c1 FP. 1:101(100) ack 1
    1ms  c1         < . 1:1(0) ack 101
    1ms  app        c1 sent 100
   10ms  tli        offload c1
   10ms  blocks     nic0 initiate N+{P+{T}}
   10ms  blocks     nic0 initiate complete N+{P+{T}}
  201ms  nic0       > c1 F. 101:101(0) ack 1
  250ms  c1         < . 1:1(0) ack 102
  300ms  c1         < F. 1:1(0) ack 102
  300ms  nic0       > c1 . 102:102(0) ack 2
  300ms  app        c1 ended
  300ms  app        c1 closed Normal
  300ms  blocks     nic0 terminate N={P={T}}
  300ms  blocks     nic0 terminate complete N={P={T}}
  300ms  check      nic0 tcp=0
`,
  );

  machineLadder(
    'FIN-WAIT-2: the rest of its time goes with it (B16, D17)',
    { ...ONE, quiet: true, tcp: { finWait2Ticks: 5000 } },
    `
    0ms  app        c1 close
    0ms  host       > c1 F. 1:1(0) ack 1
    1ms  c1         < . 1:1(0) ack 2
 1001ms  tli        offload c1
 1001ms  blocks     nic0 initiate N+{P+{T}}
 1001ms  blocks     nic0 initiate complete N+{P+{T}}
 2001ms  tli        upload c1
 2001ms  blocks     nic0 terminate N={P={T}}
 2001ms  blocks     nic0 terminate complete N={P={T}}
 2001ms  check      c1 state=FIN-WAIT-2 offload=InHost
 3001ms  tli        offload c1
 3001ms  blocks     nic0 initiate N+{P+{T}}
 3001ms  blocks     nic0 initiate complete N+{P+{T}}
 4999ms  check      nic0 tcp=1
 5001ms  blocks     nic0 terminate N={P={T}}
 5001ms  blocks     nic0 terminate complete N={P={T}}
 5001ms  app        c1 closed Normal
 5001ms  check      nic0 tcp=0
`,
  );

  machineLadder(
    'CLOSE-WAIT: the FIN of the peer is not indicated again (B14)',
    { ...ONE, quiet: true },
    `
    0ms  c1         < F. 1:1(0) ack 1
    0ms  app        c1 ended
    0ms  host       > c1 . 1:1(0) ack 2
    1ms  tli        offload c1
    1ms  blocks     nic0 initiate N+{P+{T}}
    1ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  app        c1 send 100
    2ms  nic0       > c1 P. 1:101(100) ack 2
    3ms  c1         < . 2:2(0) ack 101
    3ms  app        c1 sent 100
    4ms  app        c1 close
    4ms  nic0       > c1 F. 101:101(0) ack 2
    5ms  c1         < . 2:2(0) ack 102
    5ms  app        c1 closed Normal
    5ms  blocks     nic0 terminate N={P={T}}
    5ms  blocks     nic0 terminate complete N={P={T}}
    5ms  check      nic0 tcp=0 paths=0 neighbors=0
`,
  );

  machineLadder(
    'TIME-WAIT and CLOSED are not offloaded (A20)',
    { ...ONE, quiet: true },
    `
    0ms  app        c1 close
    0ms  host       > c1 F. 1:1(0) ack 1
    1ms  c1         < F. 1:1(0) ack 2
    1ms  app        c1 ended
    1ms  app        c1 closed Normal
    1ms  host       > c1 . 2:2(0) ack 2
    2ms  tli        offload c1
    2ms  check      nic0 tcp=0 paths=0 neighbors=0
`,
  );
});
