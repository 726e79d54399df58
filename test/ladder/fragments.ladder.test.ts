/** TCP segments that arrive in IP fragments: the host puts them together, for its own TCP and for a device's (R29). */
import { describe, expect } from 'vitest';
import { machineLadder } from '../support/machine-ladder.ts';

const ONE = { peers: { c1: '10.0.0.16:5001' }, quiet: true };

describe('IP fragments of TCP segments (RFC 791 3.2, RFC 1122 3.3.2)', () => {
  machineLadder(
    'on the host path they are one segment; buffers go back',
    ONE,
    `
    0ms  c1         <512 P. 1:1401(1400) ack 1
    0ms  app        c1 received 1400
    1ms  c1         <8 . 1401:1441(40) ack 1
    1ms  c1         <64 P. 1401:1501(100) ack 1
    1ms  app        c1 received 100
    1ms  host       > c1 . 1:1(0) ack 1501
    9ms  check      nic0 buffers=6 fault=
   31s   check      nic0 buffers=0 fault=
`,
    ({ host }) => {
      expect(host.network.ipv4Input.reassembler.completed).toBe(2);
      // RFC 1858 3: eight bytes of a TCP header do not come alone.
      expect(host.network.ipv4Input.tinyFragments).toBeGreaterThan(0);
    },
  );

  machineLadder(
    'a segment larger than our MSS, which its sender ignores, is cut like one that a device has coalesced',
    ONE,
    `
    0ms  c1         <1480 P. 1:8001(8000) ack 1
    0ms  app        c1 received 1520
    0ms  app        c1 received 1520
    0ms  app        c1 received 1520
    0ms  app        c1 received 1520
    0ms  app        c1 received 1520
    0ms  app        c1 received 400
    0ms  host       > c1 . 1:1(0) ack 1521
    0ms  host       > c1 . 1:1(0) ack 3041
    0ms  host       > c1 . 1:1(0) ack 4561
    0ms  host       > c1 . 1:1(0) ack 6081
    0ms  host       > c1 . 1:1(0) ack 7601
    1ms  c1         <1480 F. 8001:11001(3000) ack 1
    1ms  app        c1 received 1520
    1ms  app        c1 received 1480
    1ms  app        c1 ended
    1ms  host       > c1 . 1:1(0) ack 9521
    1ms  host       > c1 . 1:1(0) ack 11002
    9ms  check      nic0 buffers=0 fault=
`,
    ({ host }) => expect(host.network.ipv4Input.pieces.cut).toBe(2),
  );

  machineLadder(
    'of an offloaded connection they are forwarded to its device, whole or cut, and nothing is lost (R29)',
    ONE,
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  c1         <512 P. 1:1401(1400) ack 1
    1ms  app        c1 received 1400
    2ms  c1         < P. 1401:1501(100) ack 1
    2ms  app        c1 received 100
    2ms  nic0       > c1 . 1:1(0) ack 1501
    3ms  c1         <1480 F. 1501:6001(4500) ack 1
    3ms  app        c1 received 1520
    3ms  app        c1 received 1520
    3ms  app        c1 received 1460
    3ms  app        c1 ended
    3ms  nic0       > c1 . 1:1(0) ack 3021
    3ms  nic0       > c1 . 1:1(0) ack 4541
    3ms  nic0       > c1 . 1:1(0) ack 6002
    9ms  check      nic0 buffers=0 fault=
    9ms  check      c1 offload=Offloaded
`,
    ({ host }) => expect(host.offload.segmentsForwarded).toBe(4),
  );

  machineLadder(
    'of a connection that changes hands they wait like other segments (R16, R29)',
    ONE,
    `
    0ms  im         hold initiateOffload
    0ms  tli        offload c1
    1ms  c1         <512 P. 1:1401(1400) ack 1
    1ms  c1         <1480 P. 1401:4401(3000) ack 1
    2ms  im         release
    2ms  blocks     nic0 initiate N+{P+{T}}
    2ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  app        c1 received 1400
    2ms  app        c1 received 1520
    2ms  app        c1 received 1480
    2ms  nic0       > c1 . 1:1(0) ack 2921 win 62615
    2ms  nic0       > c1 . 1:1(0) ack 4401 win 61135
    2ms  nic0       > c1 . 1:1(0) ack 4401 win 64240
    9ms  check      nic0 buffers=0 fault=
`,
  );
});
