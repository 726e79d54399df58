/** Path MTU discovery without the network's help: black holes and the search for what passes (RFC 4821, RFC 2923 2.1). */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

const BLACK_HOLE = { from: 'ESTABLISHED', params: { mtuProbing: 'black-hole' } } as const;
const ALWAYS = { params: { sack: true, mtuProbing: 'always', mtuProbeBase: 512, initialWindowSegments: 12 } } as const;
const OPEN = `
      0ms  app   connect
      0ms  host  > S 0:0(0)
     50ms  peer  < S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK>
     50ms  app   established
     50ms  host  > . 1:1(0) ack 1
    100ms  app   send 5594
    100ms  host  > . 1:987(986) ack 1                // (512 + 1460) / 2
    100ms  host  > . 987:1499(512) ack 1
    100ms  host  > . 1499:2011(512) ack 1
    100ms  host  > . 2011:2523(512) ack 1
    100ms  host  > . 2523:3035(512) ack 1
    100ms  host  > . 3035:3547(512) ack 1
    100ms  host  > . 3547:4059(512) ack 1
    100ms  host  > . 4059:4571(512) ack 1
    100ms  host  > . 4571:5083(512) ack 1
    100ms  host  > P. 5083:5595(512) ack 1
`;

describe('a path that drops full segments in silence', () => {
  ladder(
    'is suspected after three retransmissions: segments of 1024 bytes, then half of that each time (RFC 4821 7.7)',
    `
      0ms  app   send 4380
      0ms  host  > . 1:1461(1460) ack 1
      0ms  host  > . 1461:2921(1460) ack 1
      0ms  host  > P. 2921:4381(1460) ack 1
    200ms  host  > . 1:1461(1460) ack 1
    600ms  host  > . 1:1461(1460) ack 1
   1400ms  host  > . 1:1461(1460) ack 1
   1400ms  tcb   effectiveMss=1460 probeLow=0
   3000ms  host  > . 1:1025(1024) ack 1
   3000ms  tcb   effectiveMss=1024 probeLow=1024 probeHigh=1460
   6200ms  host  > . 1:513(512) ack 1
   6200ms  tcb   effectiveMss=512 probeLow=512 probeHigh=1460
    `,
    BLACK_HOLE,
  );
});

describe('the search upward (RFC 4821 7.3)', () => {
  ladder(
    'a probe that is acknowledged is the size of all segments from then on',
    `${OPEN}
    100ms  tcb   probeSize=986
    150ms  peer  < . 1:1(0) ack 987
    150ms  tcb   probeSize=0 probeLow=986 effectiveMss=986
    150ms  peer  < . 1:1(0) ack 5595
    150ms  app   sent 5594
    160ms  app   send 2958
    160ms  host  > . 5595:6581(986) ack 1            // too little would follow a probe
    160ms  host  > . 6581:7567(986) ack 1
    160ms  host  > P. 7567:8553(986) ack 1
    `,
    ALWAYS,
  );
  ladder(
    'a probe that alone is lost costs no window; its bytes are sent again in segments that pass; lost twice, its size is too large',
    `${OPEN}
    150ms  peer  < . 1:1(0) ack 1 <sack 987:1499>
    150ms  peer  < . 1:1(0) ack 1 <sack 987:2011>
    150ms  peer  < . 1:1(0) ack 1 <sack 987:2523>
    150ms  host  > . 1:513(512) ack 1
    150ms  host  > . 513:987(474) ack 1
    150ms  tcb   cwnd=6144 ssthresh=1073741823 probeCount=1 probeHigh=1460
    200ms  peer  < . 1:1(0) ack 5595
    200ms  app   sent 5594
    300ms  app   send 3034
    300ms  host  > . 5595:6581(986) ack 1
    300ms  host  > . 6581:7093(512) ack 1
    300ms  host  > . 7093:7605(512) ack 1
    300ms  host  > . 7605:8117(512) ack 1
    300ms  host  > P. 8117:8629(512) ack 1
    350ms  peer  < . 1:1(0) ack 5595 <sack 6581:8117>
    350ms  host  > . 5595:6107(512) ack 1
    350ms  host  > . 6107:6581(474) ack 1
    350ms  tcb   probeCount=0 probeLow=512 probeHigh=985 effectiveMss=512
    400ms  peer  < . 1:1(0) ack 8629
    400ms  app   sent 3034
    410ms  app   send 2796
    410ms  host  > . 8629:9377(748) ack 1            // (512 + 985) / 2
    410ms  host  > . 9377:9889(512) ack 1
    410ms  host  > . 9889:10401(512) ack 1
    410ms  host  > . 10401:10913(512) ack 1
    410ms  host  > P. 10913:11425(512) ack 1
    `,
    ALWAYS,
  );
  ladder(
    'a time-out says nothing about a probe that is in flight',
    `${OPEN}
    350ms  host  > . 1:513(512) ack 1
    350ms  tcb   probeSize=0 probeCount=0 probeHigh=1460
    `,
    { params: { ...ALWAYS.params, lossProbe: false } },
  );
  ladder(
    'what is lost beside the probe is lost to congestion: the window goes down (RFC 4821 7.6.3)',
    `${OPEN}
    150ms  peer  < . 1:1(0) ack 1 <sack 1499:3547>
    150ms  host  > . 1:513(512) ack 1
    150ms  host  > . 513:1025(512) ack 1
    150ms  host  > . 1025:1499(474) ack 1
    150ms  tcb   probeSize=0 probeCount=0 probeHigh=1460 caState=3
    `,
    ALWAYS,
  );
});
