/** Failover through the host as Figure 9 has it: pause, traffic to the other member, upload all, resume. */
import { describe, expect } from 'vitest';
import { machineLadder } from '../support/machine-ladder.ts';

const NICS = [{ name: 'nic0' }, { name: 'nic1' }];
const TEAM = {
  team: true,
  nics: NICS,
  peers: {
    c1: '10.1.0.1:5001 via 10.0.0.251',
    c2: '10.1.0.1:5002 via 10.0.0.251',
    c3: '10.1.0.2:5003 via 10.0.0.251',
  },
};

describe('an active-backup team', () => {
  machineLadder(
    'sends again on the other member record by record, the host and then the NIC (MSG_EOR)',
    { ...TEAM, peers: { c1: '10.1.0.1:5001 via 10.0.0.251' }, quiet: true, tcp: { lossProbe: false } },
    `
    0ms  app        c1 nodelay 1
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 send+eor 100
    1ms  nic0       > c1 P. 1:101(100) ack 1
    1ms  app        c1 send+eor 50
    1ms  nic0       > c1 P. 101:151(50) ack 1
    1ms  app        c1 send 10
    1ms  nic0       > c1 P. 151:161(10) ack 1
    2ms  policy     everything
    2ms  team       fail nic0
    2ms  log        failover nic0 to nic1: administrator, 1 connections
    2ms  log        offload-pause team0
    2ms  log        upload-all team0 1 connections
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  log        offload-resume team0 64 connections
    2ms  blocks     nic1 initiate N+{P+{T}}
    2ms  host@nic1  > c1 P. 1:101(100) ack 1
    2ms  host@nic1  > c1 P. 101:151(50) ack 1
    2ms  host@nic1  > c1 P. 151:161(10) ack 1
    2ms  blocks     nic1 initiate complete N+{P+{T}}
    9ms  c1         < . 1:1(0) ack 101
    9ms  app        c1 sent 100
 1009ms  nic1       > c1 P. 101:151(50) ack 1
 1009ms  nic1       > c1 P. 151:161(10) ack 1
 1020ms  c1         < . 1:1(0) ack 161
 1020ms  app        c1 sent 50
 1020ms  app        c1 sent 10
    `,
  );
  machineLadder(
    'fails over in the steps of Figure 9; sequence numbers go on on the other NIC, the MAC stays (R36, R37, R38, acts 910 to 940)',
    TEAM,
    `
    0ms  tli        offload c1 c2 c3
    0ms  tli        > transport initiate offload, 3 connections          // 330
    0ms  transport  > network initiate offload, 3 connections            // 332
    0ms  network    > framing initiate offload, 2 paths                  // 334
    0ms  framing    > ndis initiate offload, 6 blocks                    // 336
    0ms  ndis       > team0 initiate offload, 6 blocks
    0ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    0ms  team0      > framing initiate complete                          // 308
    0ms  framing    > network initiate complete                          // 312
    0ms  network    > transport initiate complete                        // 316
    0ms  transport  > tli initiate complete                              // 320
    1ms  app        c1 send 100
    1ms  nic0       > c1 P. 1:101(100) ack 1
    1ms  c1         < . 1:1(0) ack 101
    1ms  app        c1 sent 100
    1ms  app        c2 send 10
    1ms  nic0       > c2 P. 1:11(10) ack 1
    2ms  policy     everything
    2ms  team       fail nic0
    2ms  log        failover nic0 to nic1: administrator, 3 connections
    2ms  log        offload-pause team0
    2ms  framing    > team0 gratuitous ARP
    2ms  log        upload-all team0 3 connections
    2ms  tli        > transport terminate offload, 3 connections
    2ms  transport  > network terminate offload, 3 connections           // 728
    2ms  network    > framing terminate offload, 2 paths                 // 726
    2ms  framing    > ndis terminate offload, 6 blocks                   // 724
    2ms  ndis       > team0 terminate offload, 6 blocks                  // 722
    2ms  blocks     nic0 terminate N={P={T T} P={T}}
    2ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    2ms  blocks     nic0 terminate complete N={P={T T} P={T}}
    2ms  team0      > framing terminate complete                         // 742, 744
    2ms  framing    > network terminate complete                         // 746
    2ms  network    > transport terminate complete                       // 748
    2ms  transport  > tli terminate complete
    2ms  log        offload-resume team0 64 connections
    2ms  tli        > transport initiate offload, 3 connections          // 330
    2ms  transport  > network initiate offload, 3 connections            // 332
    2ms  network    > framing initiate offload, 2 paths                  // 334
    2ms  framing    > ndis initiate offload, 6 blocks                    // 336
    2ms  ndis       > team0 initiate offload, 6 blocks
    2ms  blocks     nic1 initiate N+{P+{T T} P+{T}}
    2ms  host@nic1  > c1 . 101:101(0) ack 1
    2ms  host@nic1  > c2 P. 1:11(10) ack 1
    2ms  host@nic1  > c3 . 1:1(0) ack 1
    2ms  blocks     nic1 initiate complete N+{P+{T T} P+{T}}
    2ms  team0      > framing initiate complete                          // 308
    2ms  framing    > network initiate complete                          // 312
    2ms  network    > transport initiate complete                        // 316
    2ms  transport  > tli initiate complete                              // 320
    2ms  check      nic0 tcp=0 paths=0 neighbors=0
    2ms  check      nic1 tcp=3 paths=2 neighbors=1
    3ms  c2         < . 1:1(0) ack 11
    3ms  app        c2 sent 10
    4ms  app        c1 send 200
    4ms  nic1       > c1 P. 101:301(200) ack 1
    5ms  c1         < P. 1:51(50) ack 301
    5ms  app        c1 sent 200
    5ms  app        c1 received 50
    6ms  app        c3 send+close 10
    6ms  nic1       > c3 FP. 1:11(10) ack 1
    7ms  c3         < . 1:1(0) ack 12
    7ms  app        c3 sent 10
    8ms  c3         < F. 1:1(0) ack 12
    8ms  team0      > tli disconnect
    8ms  app        c3 ended
    8ms  app        c3 closed Normal
    8ms  team0      > ndis retrieve: UploadRequested                     // 702
    8ms  ndis       > transport retrieve: UploadRequested                // 704
    8ms  tli        > transport terminate offload, 1 connections
    8ms  transport  > network terminate offload, 1 connections           // 728
    8ms  network    > framing terminate offload, 1 paths                 // 726
    8ms  framing    > ndis terminate offload, 3 blocks                   // 724
    8ms  ndis       > team0 terminate offload, 3 blocks                  // 722
    8ms  blocks     nic1 terminate N.{P={T}}
    8ms  nic1       > c3 . 12:12(0) ack 2
    8ms  blocks     nic1 terminate complete N.{P={T}}
    8ms  team0      > framing terminate complete                         // 742, 744
    8ms  framing    > network terminate complete                         // 746
    8ms  network    > transport terminate complete                       // 748
    8ms  transport  > tli terminate complete
   45ms  nic1       > c1 . 301:301(0) ack 51
   60ms  check      host blocks=0 pending=0 sends=0
`,
  );

  machineLadder(
    'notices that the link is lost and moves; the dead wire carries no ACK and the upload completes (R25, F18)',
    { ...TEAM, quiet: true },
    `
    0ms  tli        offload c1 c2
    0ms  blocks     nic0 initiate N+{P+{T T}}
    0ms  blocks     nic0 initiate complete N+{P+{T T}}
    1ms  c1         < P. 1:11(10) ack 1
    1ms  app        c1 received 10
    1ms  app        c2 send 100
    1ms  nic0       > c2 P. 1:101(100) ack 1
    2ms  policy     everything
    2ms  cable      nic0 pull
    2ms  log        link-down nic0
    2ms  log        failover nic0 to nic1: link, 2 connections
    2ms  log        offload-pause team0
    2ms  log        upload-all team0 2 connections
    2ms  blocks     nic0 terminate N={P={T T}}
    2ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    2ms  host@nic1  > c3 . 1:1(0) ack 1
    2ms  blocks     nic0 terminate complete N={P={T T}}
    2ms  log        offload-resume team0 64 connections
    2ms  blocks     nic1 initiate N+{P+{T T} P+{T}}
    2ms  host@nic1  > c1 . 1:1(0) ack 11
    2ms  host@nic1  > c2 P. 1:101(100) ack 1
    2ms  blocks     nic1 initiate complete N+{P+{T T} P+{T}}
    2ms  check      nic0 tcp=0
    2ms  check      nic1 tcp=3
    3ms  c2         < . 1:1(0) ack 101
    3ms  app        c2 sent 100
    4ms  c1         < P. 11:21(10) ack 1
    4ms  app        c1 received 10
   44ms  nic1       > c1 . 1:1(0) ack 21
   60ms  check      nic0 fault=
`,
  );

  machineLadder(
    'offloads only what the survivor can take; the others go on in the host (R40, F09)',
    { ...TEAM, nics: [{ name: 'nic0' }, { name: 'nic1', tcpEntries: 2 }], quiet: true },
    `
    0ms  tli        offload c1 c2 c3
    0ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    1ms  policy     everything
    1ms  team       fail nic0
    1ms  log        failover nic0 to nic1: administrator, 3 connections
    1ms  log        offload-pause team0
    1ms  log        upload-all team0 3 connections
    1ms  blocks     nic0 terminate N={P={T T} P={T}}
    1ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    1ms  blocks     nic0 terminate complete N={P={T T} P={T}}
    1ms  log        offload-resume team0 2 connections
    1ms  blocks     nic1 initiate N+{P+{T T}}
    1ms  host@nic1  > c1 . 1:1(0) ack 1
    1ms  host@nic1  > c2 . 1:1(0) ack 1
    1ms  host@nic1  > c3 . 1:1(0) ack 1
    1ms  blocks     nic1 initiate complete N+{P+{T T}}
    1ms  check      nic1 tcp=2
    2ms  app        c1 send 10
    2ms  nic1       > c1 P. 1:11(10) ack 1
    2ms  app        c2 send 10
    2ms  nic1       > c2 P. 1:11(10) ack 1
    2ms  app        c3 send 10
    2ms  host@nic1  > c3 P. 1:11(10) ack 1
    3ms  check      host offloaded=2
`,
  );

  machineLadder(
    'goes on without a chimney when the survivor has none (R40, F09)',
    {
      ...TEAM,
      nics: [{ name: 'nic0' }, { name: 'nic1', tcpEntries: 0, pathEntries: 0, neighborEntries: 0 }],
      quiet: true,
    },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 send 100
    1ms  nic0       > c1 P. 1:101(100) ack 1
    2ms  policy     everything
    2ms  team       fail nic0
    2ms  log        failover nic0 to nic1: administrator, 1 connections
    2ms  log        offload-pause team0
    2ms  log        upload-all team0 1 connections
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    2ms  host@nic1  > c2 . 1:1(0) ack 1
    2ms  host@nic1  > c3 . 1:1(0) ack 1
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  log        offload-resume team0 0 connections
    2ms  host@nic1  > c1 P. 1:101(100) ack 1
    3ms  c1         < P. 1:11(10) ack 101
    3ms  app        c1 sent 100
    3ms  app        c1 received 10
    4ms  app        c1 send+close 100
    4ms  host@nic1  > c1 FP. 101:201(100) ack 11
    5ms  check      host offloaded=0
`,
  );

  machineLadder(
    'an initiate that is under way completes once and is taken back (F11)',
    { ...TEAM, quiet: true },
    `
    0ms  im         hold initiateOffloadComplete
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 send 10
    1ms  team       fail nic0
    1ms  log        failover nic0 to nic1: administrator, 1 connections
    1ms  log        offload-pause team0
    1ms  log        upload-all team0 1 connections
    1ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    1ms  host@nic1  > c2 . 1:1(0) ack 1
    1ms  host@nic1  > c3 . 1:1(0) ack 1
    2ms  c1         < P. 1:11(10) ack 1
    3ms  im         release
    3ms  nic0       > c1 P. 1:11(10) ack 1
    3ms  app        c1 received 10
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  nic0       > c1 . 11:11(0) ack 11
    3ms  blocks     nic0 terminate complete N={P={T}}
    3ms  log        offload-resume team0 64 connections
    3ms  host@nic1  > c1 P. 1:11(10) ack 11
    4ms  check      nic0 tcp=0 paths=0 neighbors=0
    4ms  check      host blocks=0 pending=0
`,
  );

  machineLadder(
    'moves back again when the other NIC fails in turn (F12, F13)',
    { ...TEAM, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  policy     everything
    1ms  cable      nic0 pull
    1ms  log        link-down nic0
    1ms  log        failover nic0 to nic1: link, 1 connections
    1ms  log        offload-pause team0
    1ms  log        upload-all team0 1 connections
    1ms  blocks     nic0 terminate N={P={T}}
    1ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    1ms  host@nic1  > c2 . 1:1(0) ack 1
    1ms  host@nic1  > c3 . 1:1(0) ack 1
    1ms  blocks     nic0 terminate complete N={P={T}}
    1ms  log        offload-resume team0 64 connections
    1ms  blocks     nic1 initiate N+{P+{T T} P+{T}}
    1ms  host@nic1  > c1 . 1:1(0) ack 1
    1ms  blocks     nic1 initiate complete N+{P+{T T} P+{T}}
    1ms  check      nic1 tcp=3
    2ms  cable      nic0 plug
    2ms  log        link-up nic0
    2ms  check      nic1 tcp=3
    3ms  cable      nic1 pull
    3ms  log        link-down nic1
    3ms  log        failover nic1 to nic0: link, 3 connections
    3ms  log        offload-pause team0
    3ms  log        upload-all team0 3 connections
    3ms  blocks     nic1 terminate N={P={T T} P={T}}
    3ms  blocks     nic1 terminate complete N={P={T T} P={T}}
    3ms  log        offload-resume team0 64 connections
    3ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    3ms  host@nic0  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    3ms  host@nic0  > c1 . 1:1(0) ack 1
    3ms  host@nic0  > c2 . 1:1(0) ack 1
    3ms  host@nic0  > c3 . 1:1(0) ack 1
    3ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    3ms  check      nic0 tcp=3
    3ms  check      nic1 tcp=0
    4ms  app        c1 send 10
    4ms  nic0       > c1 P. 1:11(10) ack 1
`,
  );

  machineLadder(
    'sends calls that were held during the move, in order, where the state is then (R15, F08)',
    { ...TEAM, quiet: true },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  im         hold terminateOffloadComplete
    1ms  team       fail nic0
    1ms  log        failover nic0 to nic1: administrator, 1 connections
    1ms  log        offload-pause team0
    1ms  log        upload-all team0 1 connections
    1ms  blocks     nic0 terminate N={P={T}}
    1ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    1ms  host@nic1  > c2 . 1:1(0) ack 1
    1ms  host@nic1  > c3 . 1:1(0) ack 1
    1ms  blocks     nic0 terminate complete N={P={T}}
    1ms  log        offload-resume team0 64 connections
    2ms  app        c1 send 1000
    2ms  app        c1 send 1000
    3ms  c1         < P. 1:11(10) ack 1
    4ms  im         release
    4ms  app        c1 received 10
    4ms  host@nic1  > c1 P. 1:1001(1000) ack 1
    5ms  c1         < . 11:11(0) ack 1001
    5ms  app        c1 sent 1000
    5ms  host@nic1  > c1 P. 1001:2001(1000) ack 11
    6ms  c1         < . 11:11(0) ack 2001
    6ms  app        c1 sent 1000
    6ms  check      host sends=0 blocks=0
`,
  );

  machineLadder(
    'of a NIC that hangs: what it was only asked to take goes on in the host, what it had is lost and counted (R37, B11)',
    // One seed: when it is noticed depends on how heartbeat and check fall together.
    { ...TEAM, quiet: true, seeds: [1] },
    `
    0ms  tli        offload c2
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  nic        nic0 stall
    1ms  tli        offload c1
    1ms  blocks     nic0 initiate N={P={T}}
    1ms  app        c1 send 10
    1ms  app        c2 send 10
 1000ms  log        device-dead nic0 heartbeat
 1000ms  log        failover nic0 to nic1: heartbeat, 2 connections
 1000ms  log        offload-pause team0
 1000ms  log        upload-all team0 2 connections
 1000ms  log        offload-refused team0 1 of 1 connections
 1000ms  app        c2 closed Reset
 1000ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
 1000ms  host@nic1  > c3 . 1:1(0) ack 1
 1000ms  host@nic1  > c1 P. 1:11(10) ack 1
 1000ms  log        offload-resume team0 64 connections
 1100ms  check      c1 offload=InHost
 1100ms  check      host blocks=0 pending=0 offloaded=0 connections=2
 1101ms  c1         < P. 1:11(10) ack 11
         // Nobody knows c2 any more.
 1101ms  app        c1 sent 10
 1101ms  app        c1 received 10
 1102ms  c2         < P. 1:11(10) ack 1
 1102ms  host@nic1  > c2 R 1:1(0)
`,
    machine => {
      const [failover] = machine.sim.host.team!.failovers;
      expect(failover).toMatchObject({ cause: 'heartbeat', connectionsLost: 1, connectionsMoved: 0 });
    },
  );
});
