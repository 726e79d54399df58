/** The receiving half of TCP in the host and on a device: the same segments lead to the same ACKs (RFC 9293 3.8.6.3). */
import { machineLadder } from '../support/machine-ladder.ts';

const QUICK = { peers: { c1: '10.0.0.16:5001' }, quiet: true, sack: true, tcp: { quickAcksMax: 3 } } as const;
const OFFLOAD = `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}`;

for (const [actor, before] of [
  ['host', ''],
  ['nic0', OFFLOAD],
] as const) {
  const who = actor.padEnd(10);

  machineLadder(
    `${actor}: quick ACKs, then small segments when they are read, until the application answers`,
    QUICK,
    `${before}
    1ms  c1         < . 1:1001(1000) ack 1
    1ms  ${who} > c1 . 1:1(0) ack 1001
    1ms  app        c1 received 1000
    2ms  c1         < . 1001:2001(1000) ack 1
    2ms  ${who} > c1 . 1:1(0) ack 2001
    2ms  app        c1 received 1000
    3ms  c1         < . 2001:3001(1000) ack 1
    3ms  ${who} > c1 . 1:1(0) ack 3001
    3ms  app        c1 received 1000
    4ms  c1         < . 3001:4001(1000) ack 1
    4ms  app        c1 received 1000
    5ms  c1         < P. 4001:4011(10) ack 1
    5ms  app        c1 received 10
    5ms  ${who} > c1 . 1:1(0) ack 4011
    6ms  c1         < P. 4011:4021(10) ack 1
    6ms  app        c1 received 10
    6ms  ${who} > c1 . 1:1(0) ack 4021
    7ms  app        c1 send 50
    7ms  ${who} > c1 P. 1:51(50) ack 4021
    8ms  c1         < P. 4021:4031(10) ack 51
    8ms  app        c1 sent 50
    8ms  app        c1 received 10
    9ms  app        c1 send 50
    9ms  ${who} > c1 P. 51:101(50) ack 4031
   10ms  c1         < P. 4031:4041(10) ack 101
   10ms  app        c1 sent 50
   10ms  app        c1 received 10
   50ms  ${who} > c1 . 101:101(0) ack 4041
`,
  );

  machineLadder(
    `${actor}: TCP_QUICKACK off counts on answers, on acknowledges what is owed`,
    QUICK,
    `${before}
    1ms  app        c1 quickack 0
    1ms  c1         < P. 1:11(10) ack 1
    1ms  app        c1 received 10
    5ms  app        c1 quickack 1
    5ms  ${who} > c1 . 1:1(0) ack 11
    6ms  c1         < P. 11:21(10) ack 1
    6ms  ${who} > c1 . 1:1(0) ack 21
    6ms  app        c1 received 10
`.replaceAll(
      / {4}(1|5)ms {2}app {8}c1 quickack \d/g,
      // On a device it is an update of cached state.
      (line, ms) =>
        actor === 'host'
          ? line
          : `${line}\n    ${ms}ms  blocks     nic0 update T\n    ${ms}ms  blocks     nic0 update complete T`,
    ),
  );
}

machineLadder(
  'quick ACKs that are left go along with a connection, and so does its habit of answering',
  QUICK,
  `
    0ms  c1         < . 1:1001(1000) ack 1
    0ms  host       > c1 . 1:1(0) ack 1001
    0ms  app        c1 received 1000
${OFFLOAD.replaceAll('0ms', '1ms')}
    2ms  c1         < . 1001:2001(1000) ack 1
    2ms  nic0       > c1 . 1:1(0) ack 2001
    2ms  app        c1 received 1000
    3ms  c1         < . 2001:3001(1000) ack 1
    3ms  nic0       > c1 . 1:1(0) ack 3001
    3ms  app        c1 received 1000
    4ms  app        c1 send 50
    4ms  nic0       > c1 P. 1:51(50) ack 3001
    5ms  c1         < . 3001:3001(0) ack 51
    5ms  app        c1 sent 50
    6ms  tli        upload c1
    6ms  blocks     nic0 terminate N={P={T}}
    6ms  blocks     nic0 terminate complete N={P={T}}
    7ms  c1         < P. 3001:3011(10) ack 51
    7ms  app        c1 received 10
   47ms  host       > c1 . 51:51(0) ack 3011
`,
);

const ECN = { peers: { c1: '10.0.0.16:5001' }, quiet: true, sack: true, ecn: true } as const;

machineLadder(
  'ECN: a mark is echoed and the CWR owed by whoever has the connection, also on segments that wait or are forwarded (RFC 3168)',
  ECN,
  `
    0ms  app        c1 send 10
    0ms  host       > c1 [ect0] P. 1:11(10) ack 1
    1ms  c1         < [ce] P. 1:11(10) ack 11
    1ms  app        c1 sent 10
    1ms  app        c1 received 10
    2ms  im         hold initiateOffload
    2ms  tli        offload c1
    2ms  host       > c1 E. 11:11(0) ack 11
    3ms  c1         < W. 11:11(0) ack 11
    3ms  c1         < W. 11:21(10) ack 11
    3ms  c1         < [ce] . 21:31(10) ack 11
    4ms  im         release
    4ms  blocks     nic0 initiate N+{P+{T}}
    4ms  blocks     nic0 initiate complete N+{P+{T}}
    4ms  app        c1 received 10
    4ms  app        c1 received 10
    4ms  nic0       > c1 . 11:11(0) ack 21
    5ms  app        c1 send 10
    5ms  nic0       > c1 [ect0] PE. 11:21(10) ack 31
    6ms  c1         < E. 31:31(0) ack 21
    6ms  app        c1 sent 10
    7ms  tli        upload c1
    7ms  blocks     nic0 terminate N={P={T}}
    7ms  blocks     nic0 terminate complete N={P={T}}
    8ms  app        c1 send 10
    8ms  host       > c1 [ect0] PEW. 21:31(10) ack 31
    9ms  c1         < W. 31:41(10) ack 31
    9ms  app        c1 sent 10
    9ms  app        c1 received 10
    9ms  host       > c1 . 31:31(0) ack 41
`,
);

machineLadder(
  'ECN: a connection that uses it is not offered to a device that does not know it (A21)',
  { ...ECN, nics: [{ name: 'nic0', target: { supportsEcn: false } }] },
  `
    0ms  tli        offload c1
    0ms  check      c1 offload=InHost
    1ms  app        c1 send 10
    1ms  host       > c1 [ect0] P. 1:11(10) ack 1
    2ms  c1         < . 1:1(0) ack 11
    2ms  app        c1 sent 10
`,
);

machineLadder(
  'a failover takes what waits out of order along, from the old device over the host to the new one (R36, RFC 2018 8)',
  {
    peers: { c1: '10.0.0.16:5001' },
    nics: [{ name: 'nic0' }, { name: 'nic1' }],
    team: true,
    quiet: true,
    sack: true,
  },
  `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  c1         < P. 11:21(10) ack 1
    1ms  nic0       > c1 . 1:1(0) ack 1 <sack 11:21>
    1ms  c1         < P. 31:41(10) ack 1
    1ms  nic0       > c1 . 1:1(0) ack 1 <sack 31:41 11:21>
    2ms  policy     everything
    2ms  cable      nic0 pull
    2ms  log        link-down nic0
    2ms  log        failover nic0 to nic1: link, 1 connections
    2ms  log        offload-pause team0
    2ms  log        upload-all team0 1 connections
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  host@nic1  > arp announce 10.0.0.1 (02:43:4e:00:00:01)
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  log        offload-resume team0 64 connections
    2ms  blocks     nic1 initiate N+{P+{T}}
    2ms  host@nic1  > c1 . 1:1(0) ack 1 <sack 31:41 11:21>
    2ms  blocks     nic1 initiate complete N+{P+{T}}
    2ms  check      nic0 tcp=0 buffers=0
    2ms  check      nic1 tcp=1 buffers=2
    3ms  c1         < P. 1:11(10) ack 1
    3ms  app        c1 received 10
    3ms  app        c1 received 10
    3ms  nic1       > c1 . 1:1(0) ack 21 <sack 31:41>
    4ms  c1         < P. 21:31(10) ack 1
    4ms  app        c1 received 10
    4ms  app        c1 received 10
    4ms  nic1       > c1 . 1:1(0) ack 41
    9ms  check      nic1 buffers=0
`,
);
