/** Socket options whose work TCP does, on a device as on the host: cork, MSG_MORE, MSG_EOR, user timeout, shutdown and close. */
import { describe } from 'vitest';
import { machineLadder } from '../support/machine-ladder.ts';

const ONE = { peers: { c1: '10.0.0.101:5001' }, quiet: true } as const;
const OFFLOADED = `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}`;

describe('what holds a short segment back', () => {
  machineLadder(
    'a cork is the device’s as well, and so is its end (R3)',
    ONE,
    `${OFFLOADED}
    1ms  app        c1 cork 1
    1ms  blocks     nic0 update T
    1ms  blocks     nic0 update complete T
    2ms  app        c1 send 40
    3ms  app        c1 send 40
    9ms  app        c1 cork 0
    9ms  blocks     nic0 update T
    9ms  blocks     nic0 update complete T
    9ms  nic0       > c1 P. 1:81(80) ack 1
   10ms  c1         < . 1:1(0) ack 81
   10ms  app        c1 sent 40
   10ms  app        c1 sent 40
    `,
  );
  machineLadder(
    'MSG_MORE goes along with its bytes; TCP_NODELAY lets go what waits, each time it is set',
    ONE,
    `${OFFLOADED}
    1ms  app        c1 send+more 40
    2ms  app        c1 nodelay 1
    2ms  blocks     nic0 update T
    2ms  blocks     nic0 update complete T
    2ms  nic0       > c1 . 1:41(40) ack 1
    3ms  app        c1 send+more 40
    4ms  app        c1 nodelay 1
    4ms  blocks     nic0 update T
    4ms  blocks     nic0 update complete T
    4ms  nic0       > c1 . 41:81(40) ack 1
    5ms  app        c1 send+more 10
    6ms  app        c1 send 10
    6ms  nic0       > c1 P. 81:101(20) ack 1
   10ms  c1         < . 1:1(0) ack 101
   10ms  app        c1 sent 40
   10ms  app        c1 sent 40
   10ms  app        c1 sent 10
   10ms  app        c1 sent 10
    `,
  );
  machineLadder(
    'a short segment that the host has sent holds back the device’s (Minshall), and the other way round',
    ONE,
    `
    0ms  app        c1 send 100
    0ms  host       > c1 P. 1:101(100) ack 1
    1ms  tli        offload c1
    1ms  blocks     nic0 initiate N+{P+{T}}
    1ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  app        c1 send 50
    3ms  tli        upload c1
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    9ms  c1         < . 1:1(0) ack 101
    9ms  app        c1 sent 100
    9ms  host       > c1 P. 101:151(50) ack 1
   10ms  c1         < . 1:1(0) ack 151
   10ms  app        c1 sent 50
    `,
  );
});

describe('ends of records (MSG_EOR)', () => {
  machineLadder(
    'what the host has sent the device sends again record by record, and the host what the device has sent (R4)',
    { ...ONE, tcp: { lossProbe: false } },
    `
    0ms  app        c1 nodelay 1
    0ms  app        c1 send+eor 100
    0ms  host       > c1 P. 1:101(100) ack 1
    0ms  app        c1 send 50
    0ms  host       > c1 P. 101:151(50) ack 1
    1ms  tli        offload c1
    1ms  blocks     nic0 initiate N+{P+{T}}
    1ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  app        c1 send+eor 60
    2ms  nic0       > c1 P. 151:211(60) ack 1
    3ms  app        c1 send 70
    3ms  nic0       > c1 P. 211:281(70) ack 1
  200ms  nic0       > c1 P. 1:101(100) ack 1
  200ms  nic0       > c1 P. 101:211(110) ack 1
  200ms  nic0       > c1 P. 211:281(70) ack 1
  201ms  tli        upload c1
  201ms  blocks     nic0 terminate N={P={T}}
  201ms  blocks     nic0 terminate complete N={P={T}}
  600ms  host       > c1 P. 1:101(100) ack 1
  600ms  host       > c1 P. 101:211(110) ack 1
  600ms  host       > c1 P. 211:281(70) ack 1
  610ms  c1         < . 1:1(0) ack 281
  610ms  app        c1 sent 100
  610ms  app        c1 sent 50
  610ms  app        c1 sent 60
  610ms  app        c1 sent 70
    `,
  );
  machineLadder(
    'go along with what has not left: a device keeps apart what a cork held on the host, the host what it holds on the device',
    ONE,
    `
    0ms  app        c1 cork 1
    0ms  app        c1 send+eor 40
    1ms  tli        offload c1
    1ms  blocks     nic0 initiate N+{P+{T}}
    1ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  app        c1 send+eor 50
    2ms  nic0       > c1 P. 1:41(40) ack 1
    3ms  tli        upload c1
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    4ms  app        c1 send 60
    4ms  host       > c1 P. 41:91(50) ack 1
    5ms  app        c1 cork 0
   10ms  c1         < . 1:1(0) ack 91
   10ms  app        c1 sent 40
   10ms  app        c1 sent 50
   10ms  host       > c1 P. 91:151(60) ack 1
   20ms  c1         < . 1:1(0) ack 151
   20ms  app        c1 sent 60
    `,
  );
});

describe('the user timeout (RFC 5482)', () => {
  machineLadder(
    'ends a connection on the device, which says so',
    { ...ONE, tcp: { lossProbe: false } },
    `${OFFLOADED}
    1ms  app        c1 maxrt 1000
    1ms  blocks     nic0 update T
    1ms  blocks     nic0 update complete T
    2ms  app        c1 send 100
    2ms  nic0       > c1 P. 1:101(100) ack 1
  202ms  nic0       > c1 P. 1:101(100) ack 1
  602ms  nic0       > c1 P. 1:101(100) ack 1
 1202ms  blocks     nic0 terminate N={P={T}}
 1202ms  blocks     nic0 terminate complete N={P={T}}
 1202ms  app        c1 closed TimedOut
    `,
  );
});

describe('the end', () => {
  machineLadder(
    'close(2) on a device: text that comes later is answered with RST from there (RFC 1122 4.2.2.13)',
    ONE,
    `${OFFLOADED}
    1ms  app        c1 leave
    1ms  nic0       > c1 F. 1:1(0) ack 1
    1ms  blocks     nic0 update T
    1ms  blocks     nic0 update complete T
   10ms  c1         < . 1:1(0) ack 2
   20ms  c1         < P. 1:101(100) ack 2
   20ms  nic0       > c1 R 2:2(0)
   20ms  app        c1 closed Reset
   20ms  blocks     nic0 terminate N={P={T}}
   20ms  blocks     nic0 terminate complete N={P={T}}
    `,
  );
  machineLadder(
    'shutdown(2) on a device: the application reads on, and FIN-WAIT-2 has no end',
    { ...ONE, tcp: { finWait2Ticks: 5000 }, nics: [{ name: 'nic0', target: { nceStaleTicks: 1_000_000 } }] },
    `${OFFLOADED}
    1ms  app        c1 shutdown
    1ms  nic0       > c1 F. 1:1(0) ack 1
    1ms  blocks     nic0 update T
    1ms  blocks     nic0 update complete T
   10ms  c1         < . 1:1(0) ack 2
20000ms  c1         < F. 1:101(100) ack 2
20000ms  app        c1 received 100
20000ms  nic0       > c1 . 2:2(0) ack 102
20000ms  app        c1 ended
20000ms  app        c1 closed Normal
20000ms  blocks     nic0 terminate N={P={T}}
20000ms  blocks     nic0 terminate complete N={P={T}}
    `,
  );
});
