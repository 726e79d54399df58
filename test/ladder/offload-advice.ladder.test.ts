/** A device asks for a connection back, or has lost it: what host, application and peer see of it (R23, R25, R27). */
import { describe } from 'vitest';
import { machineLadder } from '../support/machine-ladder.ts';

const ONE = { peers: { c1: '10.0.0.101:5001' }, quiet: true };
const KEEPS = { ...ONE, nics: [{ name: 'nic0', target: { forwardWhileUploading: 'buffer' as const } }] };

describe('the device wants to be rid of a connection in mid-life (D30)', () => {
  machineLadder(
    'what was sent is acknowledged to the host, what is to be sent it sends; nobody else notices (D04, D30)',
    ONE,
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 send 100
    1ms  nic0       > c1 P. 1:101(100) ack 1
    2ms  im         hold terminateOffload
    2ms  nic        nic0 ask
    3ms  app        c1 send 50
    4ms  c1         < P. 1:11(10) ack 101
   10ms  im         release
   10ms  blocks     nic0 terminate N={P={T}}
   10ms  blocks     nic0 terminate complete N={P={T}}
   10ms  app        c1 sent 100
   10ms  app        c1 received 10
   10ms  host       > c1 P. 101:151(50) ack 11
   11ms  c1         < . 11:11(0) ack 151
   11ms  app        c1 sent 50
   11ms  check      host sends=0 blocks=0 offloaded=0
   60ms  check      nic0 buffers=0 tcp=0 fault=
`,
  );

  machineLadder(
    'segments that come before the terminate: the device keeps them, and the host runs them first (¶57, R29)',
    KEEPS,
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  im         hold terminateOffload
    1ms  nic        nic0 ask
    2ms  c1         < P. 1:11(10) ack 1
    3ms  c1         < P. 11:31(20) ack 1
    4ms  check      nic0 buffers=2
    5ms  im         release
    5ms  blocks     nic0 terminate N={P={T}}
    5ms  blocks     nic0 terminate complete N={P={T}}
    5ms  app        c1 received 10
    5ms  app        c1 received 20
   45ms  host       > c1 . 1:1(0) ack 31
   60ms  check      nic0 buffers=0 tcp=0 fault=
   60ms  check      c1 rcvNxt=31
`,
  );

  machineLadder(
    'an abort of the application that crosses it is done by the host (E15)',
    ONE,
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  im         hold terminateOffload
    1ms  nic        nic0 ask
    2ms  app        c1 abort
    3ms  im         release
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
    3ms  host       > c1 R. 1:1(0) ack 1
    3ms  app        c1 closed Aborted
    4ms  check      host connections=0 sends=0
`,
  );
});

describe('urgent data (E18)', () => {
  machineLadder(
    'the host processes it, and all that follows',
    ONE,
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  c1         < P. 1:11(10) ack 1
    1ms  app        c1 received 10
    2ms  c1         < PU. 11:21(10) ack 1
    2ms  nic0       > c1 . 1:1(0) ack 11
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  app        c1 received 10
    3ms  c1         < P. 21:31(10) ack 1
    3ms  app        c1 received 10
   42ms  host       > c1 . 1:1(0) ack 31
   60ms  check      nic0 buffers=0 tcp=0
`,
  );
});

describe('damaged state in the hardware (D23, D26)', () => {
  machineLadder(
    'the connection is lost: a reset to the application, an event in the log, and nothing leaks',
    ONE,
    `
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 send 100
    1ms  nic0       > c1 P. 1:101(100) ack 1
    2ms  nic        nic0 corrupt
    3ms  app        c1 send 50
    4ms  tli        upload c1
    4ms  blocks     nic0 terminate N={P={T}}
    4ms  log        hardware-failure nic0 a connection on port 80 is lost
    4ms  app        c1 closed Reset
    4ms  blocks     nic0 terminate complete N={P={T:Failure}}
   60ms  check      host connections=0 sends=0 blocks=0 offloaded=0
   60ms  check      nic0 tcp=0 paths=0 neighbors=0 buffers=0 fault=
`,
  );
});
