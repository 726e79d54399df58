/** ICMP errors about TCP segments: which are believed (RFC 5927), and what becomes of the connection (RFC 1122 4.2.3.9, RFC 1191). */
import { describe, expect } from 'vitest';
import { machineLadder } from '../support/machine-ladder.ts';

const ONE = {
  peers: { c1: '10.1.0.1:5001 via 10.0.0.251' },
  quiet: true,
  tcp: { timestamps: false, lossProbe: false },
};
const OFFLOADED = `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
`;

describe('"fragmentation needed"', () => {
  machineLadder(
    'is believed if it quotes something in flight: what is too big is sent again in segments that fit (RFC 1191 6.4)',
    ONE,
    `
    5ms  app        c1 send 2920
    5ms  host       > c1 . 1:1461(1460) ack 1
    5ms  host       > c1 P. 1461:2921(1460) ack 1
    6ms  router     c1 too-big 1040 about 0          // SND.UNA - 1
    6ms  router     c1 too-big 1040 about 2922       // beyond SND.NXT
    6ms  router     c1 too-big 1040 about 1
    6ms  host       > c1 . 1:1001(1000) ack 1
    6ms  host       > c1 . 1001:2001(1000) ack 1
    6ms  host       > c1 P. 2001:2921(920) ack 1
    9ms  c1         < . 1:1(0) ack 2921
    9ms  app        c1 sent 2920
    9ms  router     c1 too-big 640 about 1           // it is acknowledged meanwhile
   10ms  app        c1 send 1000
   10ms  host       > c1 P. 2921:3921(1000) ack 1
   11ms  c1         < . 1:1(0) ack 3921
   11ms  app        c1 sent 1000
`,
    ({ host }) => expect(host.transport.errors!.outOfWindow).toBe(3),
  );

  machineLadder(
    'about a connection on a device is judged by the device, which knows its numbers (RFC 5927 4.1)',
    ONE,
    `${OFFLOADED}
    5ms  app        c1 send 2920
    5ms  nic0       > c1 . 1:1461(1460) ack 1
    5ms  nic0       > c1 P. 1461:2921(1460) ack 1
    6ms  router     c1 too-big 1040 about 0
    6ms  router     c1 too-big 1040 about 2922
    6ms  router     c1 too-big 1040 about 1461
    6ms  blocks     nic0 update P
    6ms  nic0       > c1 . 1:1001(1000) ack 1
    6ms  nic0       > c1 . 1001:2001(1000) ack 1
    6ms  nic0       > c1 P. 2001:2921(920) ack 1
    6ms  blocks     nic0 update complete P
    9ms  c1         < . 1:1(0) ack 2921
    9ms  app        c1 sent 2920
`,
    ({ sim }) => expect(sim.nics[0]!.stats.dropForgedIcmp).toBe(2),
  );

  machineLadder(
    'with a next-hop MTU that nobody has, or none (RFC 1191 5), leaves 552, and routers may cut, whoever sends',
    ONE,
    `${OFFLOADED}
    5ms  app        c1 send 1000
    5ms  nic0       > c1 P. 1:1001(1000) ack 1
    6ms  router     c1 too-big 0
    6ms  blocks     nic0 update P
    6ms  blocks     nic0 update complete P
    6ms  nic0       > c1 . 1:513(512) ack 1
    6ms  nic0       > c1 P. 513:1001(488) ack 1
    9ms  c1         < . 1:1(0) ack 1001
    9ms  app        c1 sent 1000
   11ms  check      c1 offload=Offloaded
`,
  );

  machineLadder(
    'is forgotten after ten minutes, also by the device: the path is tried again (RFC 1191 6.3)',
    ONE,
    `${OFFLOADED}
    5ms  app        c1 send 1460
    5ms  nic0       > c1 P. 1:1461(1460) ack 1
    6ms  router     c1 too-big 1040
    6ms  blocks     nic0 update P
    6ms  nic0       > c1 . 1:1001(1000) ack 1
    6ms  nic0       > c1 P. 1001:1461(460) ack 1
    6ms  blocks     nic0 update complete P
    9ms  c1         < . 1:1(0) ack 1461
    9ms  app        c1 sent 1460
  599s   app        c1 send 2000
  599s   blocks     nic0 update N
  599s   blocks     nic0 update complete N
  599s   nic0       > c1 . 1461:2461(1000) ack 1
  599s   nic0       > c1 P. 2461:3461(1000) ack 1
  599s   c1         < . 1:1(0) ack 3461
  599s   app        c1 sent 2000
 600006ms blocks    nic0 update P
 600006ms blocks    nic0 update complete P
  601s   app        c1 send 1460
  601s   nic0       > c1 P. 3461:4921(1460) ack 1
  601s   c1         < . 1:1(0) ack 4921
  601s   app        c1 sent 1460
`,
  );
});

describe('"unreachable"', () => {
  machineLadder(
    'is soft for a connection that is established: it goes on, and the error is forgotten when something gets through (RFC 1122 4.2.3.9)',
    ONE,
    `
    5ms  app        c1 send 100
    5ms  host       > c1 P. 1:101(100) ack 1
    6ms  router     c1 unreachable 1
    6ms  check      c1 error=EHOSTUNREACH state=ESTABLISHED
    7ms  router     c1 unreachable 3 about 5000
    7ms  check      c1 error=EHOSTUNREACH
    8ms  router     c1 unreachable 3
    8ms  check      c1 error=ECONNREFUSED state=ESTABLISHED
    9ms  c1         < . 1:1(0) ack 101
    9ms  app        c1 sent 100
    9ms  check      c1 error= state=ESTABLISHED
`,
  );

  machineLadder(
    'of a connection on a device is the host’s to know, and the reason if it times out there',
    { ...ONE, tcp: { ...ONE.tcp, retransmissionsMax: 1 } },
    `${OFFLOADED}
    5ms  app        c1 send 100
    5ms  nic0       > c1 P. 1:101(100) ack 1
    6ms  router     c1 unreachable 0
    6ms  check      c1 error=ENETUNREACH
`,
  );
});
