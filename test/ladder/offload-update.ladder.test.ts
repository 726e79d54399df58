/** What happens to objects while they are offloaded: updates (Figure 6), next hops, path MTU, invalidation, reachability. */
import { describe, expect } from 'vitest';
import { Reachability } from '../../src/host/neighbor.ts';
import { machineLadder } from '../support/machine-ladder.ts';

const ONE = { peers: { c1: '10.0.0.16:5001' } };
const QUIET = { ...ONE, quiet: true };
/** Two paths, three connections, one router. */
const TREE = {
  peers: {
    c1: '10.1.0.1:5001 via 10.0.0.251',
    c2: '10.1.0.1:5002 via 10.0.0.251',
    c3: '10.1.0.2:5003 via 10.0.0.251',
  },
  quiet: true,
};

describe('an update', () => {
  machineLadder(
    'of a connection descends through the layers below, and its completion climbs back (Figure 6, R21)',
    ONE,
    `
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections
    0ms  transport  > network initiate offload, 1 connections
    0ms  network    > framing initiate offload, 1 paths
    0ms  framing    > ndis initiate offload, 3 blocks
    0ms  ndis       > nic0 initiate offload, 3 blocks
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  nic0       > framing initiate complete
    0ms  framing    > network initiate complete
    0ms  network    > transport initiate complete
    0ms  transport  > tli initiate complete
    5ms  app        c1 nodelay 1
    5ms  transport  > network update connection                          // 610
    5ms  network    > framing update connection                          // 620
    5ms  framing    > ndis update connection                             // 630
    5ms  ndis       > nic0 update connection                             // 640
    5ms  blocks     nic0 update T
    5ms  blocks     nic0 update complete T
    5ms  nic0       > ndis update complete                               // 645
    5ms  ndis       > framing update complete                            // 635
    5ms  framing    > network update complete                            // 625
    5ms  network    > transport update complete                          // 615
         // Nagle's algorithm is off in the device: the second send does not wait.
    6ms  app        c1 send 10
    6ms  nic0       > c1 P. 1:11(10) ack 1
    7ms  app        c1 send 10
    7ms  nic0       > c1 P. 11:21(10) ack 1
    9ms  check      host blocks=0
`,
  );

  machineLadder(
    'goes from the layer to the miniport where that form is chosen (¶100)',
    { ...ONE, offload: { updates: 'direct' } },
    `
    0ms  tli        offload c1
    0ms  tli        > transport initiate offload, 1 connections
    0ms  transport  > network initiate offload, 1 connections
    0ms  network    > framing initiate offload, 1 paths
    0ms  framing    > ndis initiate offload, 3 blocks
    0ms  ndis       > nic0 initiate offload, 3 blocks
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    0ms  nic0       > framing initiate complete
    0ms  framing    > network initiate complete
    0ms  network    > transport initiate complete
    0ms  transport  > tli initiate complete
    5ms  router     c1 moves
    5ms  framing    > nic0 update neighbor
    5ms  blocks     nic0 update N
    5ms  blocks     nic0 update complete N
    5ms  nic0       > framing update complete
    6ms  app        c1 nodelay 1
    6ms  transport  > nic0 update connection
    6ms  blocks     nic0 update T
    6ms  blocks     nic0 update complete T
    6ms  nic0       > transport update complete
`,
  );

  machineLadder(
    'is out once per object: what changes meanwhile follows in one more, with the last value (C10, R18)',
    { ...QUIET, seeds: [1, 2, 3, 4, 5, 6, 7, 8] },
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    5ms  im         hold updateOffloadComplete
    5ms  router     c1 moves
    5ms  blocks     nic0 update N
    6ms  router     c1 moves
    7ms  router     c1 moves
    8ms  app        c1 send 10
    8ms  nic0       > c1 (new MAC) P. 1:11(10) ack 1
    9ms  im         release
    9ms  blocks     nic0 update complete N
    9ms  blocks     nic0 update N
    9ms  blocks     nic0 update complete N
   10ms  c1         < . 1:1(0) ack 11
   10ms  app        c1 sent 10
   11ms  check      host blocks=0
`,
    ({ sim, peers }) => {
      const [nic] = sim.nics;
      nic!.objects.placeNeighbor(0);
      // Three moves of 0x100000 each.
      expect(nic!.objects.neighborState.dlDestinationLo).toBe(peers[0]!.hop + 0x30_0000);
    },
  );

  machineLadder(
    'of several objects of a layer is one call (R21)',
    TREE,
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1 c2 c3
    1ms  app        c1 nodelay 1
    2ms  app        c2 nodelay 1
    3ms  app        c2 keepalive 1000
    4ms  im         release
    4ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    4ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    4ms  blocks     nic0 update T T
    4ms  blocks     nic0 update complete T T
    5ms  check      host blocks=0
`,
  );

  machineLadder(
    'that the device refuses leaves it with the old values, and the host takes the connection back (C11)',
    QUIET,
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
         // More than the device can offer.
    5ms  app        c1 rcvbuf 2000000000
    5ms  blocks     nic0 update T
    5ms  blocks     nic0 update complete T:Failure
    5ms  blocks     nic0 terminate N={P={T}}
    5ms  blocks     nic0 terminate complete N={P={T}}
    5ms  check      c1 offload=InHost state=ESTABLISHED
    6ms  app        c1 send 10
    6ms  host       > c1 P. 1:11(10) ack 1
    7ms  check      host blocks=0
`,
  );

  machineLadder(
    'comes before the terminate: that waits for its completion (digest 3.6)',
    QUIET,
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    5ms  im         hold updateOffloadComplete
    5ms  router     c1 moves
    5ms  blocks     nic0 update N
    6ms  tli        upload c1
    8ms  im         release
    8ms  blocks     nic0 update complete N
    8ms  blocks     nic0 terminate N={P={T}}
    8ms  blocks     nic0 terminate complete N={P={T}}
    9ms  check      nic0 tcp=0 paths=0 neighbors=0
`,
  );
});

describe('a path MTU that shrinks', () => {
  machineLadder(
    'reaches every connection of the path by one update; what is outstanding is sent again in smaller segments (R3, B06)',
    { ...TREE, tcp: { timestamps: false } },
    `
    0ms  tli        offload c1 c2 c3
    0ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    5ms  app        c1 send 2000
    5ms  nic0       > c1 . 1:1461(1460) ack 1
    5ms  nic0       > c1 P. 1461:2001(540) ack 1
    6ms  router     c1 too-big 1040
    6ms  blocks     nic0 update P
    6ms  nic0       > c1 . 1:1001(1000) ack 1
    6ms  nic0       > c1 P. 1001:2001(1000) ack 1
    6ms  blocks     nic0 update complete P
         // The other connection of the path, and one of another path.
    7ms  app        c2 send 1460
    7ms  nic0       > c2 . 1:1001(1000) ack 1
    7ms  nic0       > c2 P. 1001:1461(460) ack 1
    7ms  app        c3 send 1460
    7ms  nic0       > c3 P. 1:1461(1460) ack 1
    8ms  check      host blocks=0
`,
  );

  machineLadder(
    'in flight is sent after the completion, and oversize segments again (B06)',
    { ...QUIET, seeds: [1, 2, 3, 4, 5, 6, 7, 8] },
    `
    0ms  app        c1 send 1460
    0ms  host       > c1 P. 1:1461(1460) ack 1
    1ms  im         hold initiateOffload
    1ms  tli        offload c1
    2ms  router     c1 too-big 1040
    3ms  im         release
    3ms  blocks     nic0 initiate N+{P+{T}}
    3ms  blocks     nic0 initiate complete N+{P+{T}}
    3ms  blocks     nic0 update P
    3ms  nic0       > c1 . 1:1001(1000) ack 1
    3ms  nic0       > c1 P. 1001:1461(460) ack 1
    3ms  blocks     nic0 update complete P
    9ms  c1         < . 1:1(0) ack 1461
    9ms  app        c1 sent 1460
`,
  );
});

describe('a MAC address that changes while the offload is under way', () => {
  machineLadder(
    'several times is sent once, afterwards; no frame after that carries an old one (B05, R18)',
    { ...QUIET, seeds: [1, 2, 3, 4, 5, 6, 7, 8] },
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1
    1ms  router     c1 moves
    2ms  router     c1 moves
    3ms  im         release
    3ms  blocks     nic0 initiate N+{P+{T}}
    3ms  blocks     nic0 initiate complete N+{P+{T}}
    3ms  blocks     nic0 update N
    3ms  blocks     nic0 update complete N
    4ms  app        c1 send 10
    4ms  nic0       > c1 (new MAC) P. 1:11(10) ack 1
`,
  );
});

describe('a redirect', () => {
  machineLadder(
    'moves the path: the new neighbor is initiated alone, the path relinked, others stay on the old one (C02, R8, R9)',
    TREE,
    `
    0ms  tli        offload c1 c2 c3
    0ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    5ms  router     c1 redirects to 10.0.0.252
    5ms  host       > arp who-has 10.0.0.252 tell 10.0.0.1 (02:43:4e:00:00:01)
    5ms  blocks     nic0 initiate N+
    5ms  blocks     nic0 initiate complete N+
    5ms  blocks     nic0 update N={P=}
    5ms  blocks     nic0 update complete N={P=}
    6ms  app        c1 send 10
    6ms  nic0       > c1 (new MAC) P. 1:11(10) ack 1
    6ms  app        c2 send 10
    6ms  nic0       > c2 (new MAC) P. 1:11(10) ack 1
    6ms  app        c3 send 10
    6ms  nic0       > c3 P. 1:11(10) ack 1
    7ms  check      nic0 tcp=3 paths=2 neighbors=2
    8ms  check      host blocks=0
`,
  );

  machineLadder(
    'from a peer on the link, which is its own first hop, is not believed (RFC 1122 3.2.2.2)',
    QUIET,
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    5ms  router     c1 redirects to 10.0.0.252
    6ms  app        c1 send 10
    6ms  nic0       > c1 P. 1:11(10) ack 1
`,
    ({ host }) => expect([host.network.icmp.errorsReceived, host.network.paths.redirects]).toEqual([1, 0]),
  );

  machineLadder(
    'from the router that was left is not believed either (RFC 1122 3.2.2.2)',
    TREE,
    `
    5ms  router     c3 redirects to 10.0.0.252
    5ms  host       > arp who-has 10.0.0.252 tell 10.0.0.1 (02:43:4e:00:00:01)
    6ms  router     c3 redirects to 10.0.0.253
    7ms  app        c3 send 10
    7ms  host       > c3 (new MAC) P. 1:11(10) ack 1
`,
    ({ host }) => expect([host.network.icmp.errorsReceived, host.network.paths.redirects]).toEqual([2, 1]),
  );

  machineLadder(
    'of both paths: one neighbor goes, one comes, none is without paths in between (C03)',
    TREE,
    `
    0ms  tli        offload c1 c2 c3
    0ms  blocks     nic0 initiate N+{P+{T T} P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T T} P+{T}}
    5ms  router     c1 redirects to 10.0.0.252
    5ms  host       > arp who-has 10.0.0.252 tell 10.0.0.1 (02:43:4e:00:00:01)
    5ms  blocks     nic0 initiate N+
    5ms  blocks     nic0 initiate complete N+
    5ms  blocks     nic0 update N={P=}
    5ms  blocks     nic0 update complete N={P=}
    6ms  router     c3 redirects to 10.0.0.252
    6ms  blocks     nic0 update N={P=}
    6ms  blocks     nic0 update complete N={P=}
    6ms  blocks     nic0 terminate N=
    6ms  blocks     nic0 terminate complete N=
    7ms  check      nic0 tcp=3 paths=2 neighbors=1
    8ms  tli        upload c1 c2 c3
    8ms  blocks     nic0 terminate N={P={T T} P={T}}
    8ms  blocks     nic0 terminate complete N={P={T T} P={T}}
    9ms  check      nic0 tcp=0 paths=0 neighbors=0
    9ms  check      host blocks=0
`,
  );

  machineLadder(
    'to a gateway that is not on the link is not believed (RFC 1122 3.2.2.2)',
    TREE,
    `
    0ms  tli        offload c3
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    5ms  router     c3 redirects to 10.0.1.252
    6ms  app        c3 send 10
    6ms  nic0       > c3 P. 1:11(10) ack 1
    7ms  check      nic0 neighbors=1
`,
  );

  machineLadder(
    'to a router that does not answer: the device goes on the old way, to which the host returns when it gives up',
    { ...TREE, tcp: { rtoInitialTicks: 10_000 } },
    `
    0s   tli        offload c3
    0s   blocks     nic0 initiate N+{P+{T}}
    0s   blocks     nic0 initiate complete N+{P+{T}}
    1s   router     c3 misdirects to 10.0.0.252
    1s   host       > arp who-has 10.0.0.252 tell 10.0.0.1 (02:43:4e:00:00:01)
    2s   host       > arp who-has 10.0.0.252 tell 10.0.0.1 (02:43:4e:00:00:01)
 2100ms  c3         < P. 1:11(10) ack 1
 2100ms  app        c3 received 10
 2140ms  nic0       > c3 . 1:1(0) ack 11
    3s   host       > arp who-has 10.0.0.252 tell 10.0.0.1 (02:43:4e:00:00:01)
    4s   host       > arp who-has 10.0.0.252 tell 10.0.0.1 (02:43:4e:00:00:01)
    5s   host       > arp who-has 10.0.0.252 tell 10.0.0.1 (02:43:4e:00:00:01)
    7s   check      c3 offload=Offloaded
    8s   app        c3 send 10
    8s   nic0       > c3 P. 1:11(10) ack 11
    8s   c3         < . 11:11(0) ack 11
    8s   app        c3 sent 10
    9s   check      host blocks=0
`,
    machine => {
      const { host } = machine;
      const { hop, connection } = machine.peer('c3');
      const { neighbor, linked } = host.network.path(host.transport.at(connection!.slot).path);
      expect([neighbor.address === hop, linked === neighbor]).toEqual([true, true]);
    },
  );

  machineLadder(
    'to a neighbor that the device has no room for: the connections come back, and go the new way',
    { ...TREE, nics: [{ name: 'nic0', neighborEntries: 1 }] },
    `
    0ms  tli        offload c3
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    5ms  router     c3 redirects to 10.0.0.252
    5ms  host       > arp who-has 10.0.0.252 tell 10.0.0.1 (02:43:4e:00:00:01)
    5ms  blocks     nic0 initiate N+
    5ms  blocks     nic0 initiate complete N+:OffloadNeighborEntries
    5ms  blocks     nic0 terminate N={P={T}}
    5ms  blocks     nic0 terminate complete N={P={T}}
    6ms  app        c3 send 10
    6ms  host       > c3 (new MAC) P. 1:11(10) ack 1
    7ms  check      host blocks=0
`,
  );
});

describe('a neighbor of which nobody has proof any more', () => {
  const STALE = { ...TREE, nics: [{ name: 'nic0', target: { nceStaleTicks: 40_000 } }], seeds: [1, 2, 3, 4, 5, 6] };

  machineLadder(
    'is asked for; the device has progress meanwhile, so nobody is probed (C19)',
    STALE,
    `
      0s  tli        offload c3
      0s  blocks     nic0 initiate N+{P+{T}}
      0s  blocks     nic0 initiate complete N+{P+{T}}
     45s  app        c3 send 10
     45s  nic0       > c3 P. 1:11(10) ack 1
          // HostReachabilityDelta 0: the host has no proof either.
     45s  blocks     nic0 update N
     45s  blocks     nic0 update complete N
  45100ms c3         < . 1:1(0) ack 11
  45100ms app        c3 sent 10
     60s  app        c3 send 10
     60s  nic0       > c3 P. 11:21(10) ack 1
  60100ms c3         < . 1:1(0) ack 21
  60100ms app        c3 sent 10
     70s  check      host blocks=0
`,
    ({ host, peers }) => {
      const { neighbor } = host.network.path(host.transport.at(peers[2]!.connection!.slot).path);
      expect(neighbor.reachability).toBe(Reachability.Reachable);
      expect(host.control.reachability.probesSent).toBe(0);
    },
  );

  machineLadder(
    'and answers a probe is reachable; the device is not muted for ever (C19)',
    STALE,
    `
      0s  tli        offload c3
      0s  blocks     nic0 initiate N+{P+{T}}
      0s  blocks     nic0 initiate complete N+{P+{T}}
     45s  c3         < P. 1:11(10) ack 1
     45s  app        c3 received 10
  45040ms nic0       > c3 . 1:1(0) ack 11
  45040ms blocks     nic0 update N
  45040ms blocks     nic0 update complete N
          // The device has had no acknowledgment: the neighbor is asked, by unicast.
  50040ms host       > arp who-has 10.0.0.251 tell 10.0.0.1 (02:43:4e:00:00:01)
     60s  c3         < P. 11:21(10) ack 1
     60s  app        c3 received 10
  60040ms nic0       > c3 . 1:1(0) ack 21
          // 40 s after the answer the device asks again; the host's proof is 36 s old, which is too old for it.
     86s  c3         < P. 21:31(10) ack 1
     86s  app        c3 received 10
  86040ms nic0       > c3 . 1:1(0) ack 31
  86040ms blocks     nic0 update N
  86040ms blocks     nic0 update complete N
  91040ms host       > arp who-has 10.0.0.251 tell 10.0.0.1 (02:43:4e:00:00:01)
     95s  check      host blocks=0
`,
  );

  machineLadder(
    'while the host has recent proof of its own gets the true age of it, not 0 (C19)',
    { ...TREE, nics: [{ name: 'nic0', target: { nceStaleTicks: 5000 } }] },
    `
      0s  tli        offload c3
      0s  blocks     nic0 initiate N+{P+{T}}
      0s  blocks     nic0 initiate complete N+{P+{T}}
      7s  app        c1 send 10
      7s  host       > c1 P. 1:11(10) ack 1
   7100ms c1         < . 1:1(0) ack 11
   7100ms app        c1 sent 10
     10s  c3         < P. 1:11(10) ack 1
     10s  app        c3 received 10
  10040ms nic0       > c3 . 1:1(0) ack 11
  10040ms blocks     nic0 update N
  10040ms blocks     nic0 update complete N
     20s  check      host blocks=0
`,
    ({ sim }) => {
      const { objects } = sim.nics[0]!;
      objects.placeNeighbor(0);
      expect(objects.neighborState.hostReachabilityDelta).toBe(2940);
    },
  );

  machineLadder(
    'and does not answer is invalidated; its connections come back (C19, C16, R23)',
    STALE,
    `
      0s  tli        offload c1 c3
      0s  blocks     nic0 initiate N+{P+{T} P+{T}}
      0s  blocks     nic0 initiate complete N+{P+{T} P+{T}}
      1s  router     c1 dies
     45s  app        c3 send 10
     45s  nic0       > c3 P. 1:11(10) ack 1
     45s  blocks     nic0 update N
     45s  blocks     nic0 update complete N
  45200ms nic0       > c3 P. 1:11(10) ack 1
  45600ms nic0       > c3 P. 1:11(10) ack 1
  46400ms nic0       > c3 P. 1:11(10) ack 1
     48s  nic0       > c3 P. 1:11(10) ack 1
     50s  host       > arp who-has 10.0.0.251 tell 10.0.0.1 (02:43:4e:00:00:01)
     51s  host       > arp who-has 10.0.0.251 tell 10.0.0.1 (02:43:4e:00:00:01)
  51200ms nic0       > c3 P. 1:11(10) ack 1
     52s  host       > arp who-has 10.0.0.251 tell 10.0.0.1 (02:43:4e:00:00:01)
     53s  blocks     nic0 invalidate N=
     53s  blocks     nic0 invalidate complete N=
     53s  blocks     nic0 terminate N={P={T} P={T}}
     53s  blocks     nic0 terminate complete N={P={T} P={T}}
     54s  check      c1 offload=InHost state=ESTABLISHED
     54s  check      c3 offload=InHost state=ESTABLISHED
     54s  check      nic0 tcp=0 paths=0 neighbors=0
     54s  check      host blocks=0
`,
  );

  machineLadder(
    'the question passes through a team, and so does the answer (F06)',
    { ...STALE, nics: ['nic0', 'nic1'].map(name => ({ name, target: { nceStaleTicks: 40_000 } })), team: true },
    `
      0s  tli        offload c3
      0s  blocks     nic0 initiate N+{P+{T}}
      0s  blocks     nic0 initiate complete N+{P+{T}}
     45s  c3         < P. 1:11(10) ack 1
     45s  app        c3 received 10
  45040ms nic0       > c3 . 1:1(0) ack 11
  45040ms blocks     nic0 update N
  45040ms blocks     nic0 update complete N
  50040ms host@nic0  > arp who-has 10.0.0.251 tell 10.0.0.1 (02:43:4e:00:00:01)
     60s  check      host blocks=0
`,
    ({ host }) => {
      expect([host.control.reachability.questions, host.control.reachability.probesSent]).toEqual([1, 1]);
    },
  );
});
