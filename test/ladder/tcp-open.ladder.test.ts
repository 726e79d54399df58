/** Opening: RFC 9293 3.5, 3.10.1 and 3.10.7.2–3.10.7.4 up to ESTABLISHED; options of RFC 7323. */
import { describe } from 'vitest';
import { ladder } from '../support/ladder-engine.ts';

describe('active OPEN', () => {
  ladder(
    'the three-way handshake (RFC 9293 3.5 figure 6)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) win 65535 <mss 1460,wscale 2>
     10ms  peer  < S. 0:0(0) ack 1 win 29200 <mss 1400,wscale 7>
     10ms  app   established
     10ms  host  > . 1:1(0) ack 1 win 16384
     10ms  tcb   state=ESTABLISHED sndUna=1 sndNxt=1 rcvNxt=1 sndWnd=29200 effectiveMss=1400 cwnd=14000
     10ms  tcb   sndWindScale=7 rcvWindScale=2 rcvWnd=65536
    `,
  );

  ladder(
    'a peer without options gets an MSS of 536 and no scaling (RFC 9293 MUST-15, RFC 7323 2.2)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) win 65535 <mss 1460,TS val 0 ecr 0,wscale 2>
     10ms  peer  < S. 0:0(0) ack 1 win 29200
     10ms  host  > . 1:1(0) ack 1 win 65535 <>
     10ms  tcb   effectiveMss=536 rcvWindScale=0 initialRcvWnd=65535 constFlags=0
    `,
    { params: { timestamps: true } },
  );

  ladder(
    'timestamps of both sides are used and cost twelve bytes of each segment (RFC 7323 3.2, RFC 9293 MUST-16)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) <mss 1460,TS val 0 ecr 0>
     10ms  peer  < S. 0:0(0) ack 1 win 29200 <mss 1460,TS val 700 ecr 0>
     10ms  host  > . 1:1(0) ack 1 <TS val 10 ecr 700>
     10ms  tcb   effectiveMss=1448 tsRecent=700 srtt=80
    `,
    { params: { timestamps: true, windowScaling: false } },
  );

  ladder(
    'the smaller MSS of both sides counts (RFC 9293 MUST-16)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) <mss 1000>
     10ms  peer  < S. 0:0(0) ack 1 <mss 1460>
     10ms  host  > . 1:1(0) ack 1
     10ms  tcb   effectiveMss=1000
    `,
    { params: { mss: 1000, windowScaling: false } },
  );

  ladder(
    'the window of a SYN is never scaled, that of the next segment is (RFC 7323 2.2)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0) win 65535 <mss 1460,wscale 4>
     10ms  peer  < S. 0:0(0) ack 1 win 1000 <mss 1460,wscale 3>
     10ms  host  > . 1:1(0) ack 1 win 4096
     10ms  tcb   sndWnd=1000
     20ms  peer  < . 1:1(0) ack 1 win 1000
     20ms  tcb   sndWnd=8000
    `,
    { params: { rcvBuffer: 1_000_000 } },
  );

  ladder(
    'SYN is sent again with back-off until the limit (RFC 9293 MUST-22, MUST-23: three minutes and more)',
    `
       0ms  app   connect
       0ms  host  > S 0:0(0)
       1s   host  > S 0:0(0)
       3s   host  > S 0:0(0)
       7s   host  > S 0:0(0)
      15s   host  > S 0:0(0)
      31s   host  > S 0:0(0)
      63s   host  > S 0:0(0)
     123s   host  > S 0:0(0)
     183s   app   closed TimedOut
    `,
  );

  ladder(
    'after a lost SYN the window starts with one segment and RTO at 3 s (RFC 5681 3.1, RFC 6298 5.7)',
    `
       0ms  app   connect
       0ms  host  > S 0:0(0)
       1s   host  > S 0:0(0)
     1010ms peer  < S. 0:0(0) ack 1 <mss 1000>
     1010ms host  > . 1:1(0) ack 1
     1010ms tcb   cwnd=1000 srtt=0
     1010ms app   send 3000
     1010ms host  > . 1:1001(1000) ack 1
     4010ms host  > . 1:1001(1000) ack 1
    `,
  );

  ladder(
    'what was sent before ESTABLISHED goes out with the handshake (RFC 9293 3.10.2)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      5ms  app   send 100 200
     10ms  peer  < S. 0:0(0) ack 1 <mss 1460>
     10ms  host  > P. 1:301(300) ack 1
    `,
  );

  ladder(
    'text on SYN,ACK is delivered whole (RFC 9293 3.10.7.3)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
     10ms  peer  < S. 0:50(50) ack 1 <mss 1460>
     10ms  app   established
     10ms  app   received 50
     10ms  host  > . 1:1(0) ack 51
    `,
  );

  ladder(
    'text and FIN on SYN,ACK: CLOSE-WAIT at once (RFC 9293 3.10.7.3)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
     10ms  peer  < SF. 0:50(50) ack 1 <mss 1460>
     10ms  app   received 50
     10ms  app   peer closed
     10ms  host  > . 1:1(0) ack 52
     10ms  tcb   state=CLOSE-WAIT
    `,
  );

  ladder(
    'CLOSE in SYN-SENT waits for ESTABLISHED, behind what was sent',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      1ms  app   send 100
      1ms  app   close
      1ms  app   refused send 5
      1ms  app   refused close
     10ms  peer  < S. 0:0(0) ack 1 <mss 1460>
     10ms  host  > FP. 1:101(100) ack 1
     10ms  tcb   state=FIN-WAIT-1
    `,
  );

  ladder(
    'no room for the SYN: it goes out when there is some',
    `
      0ms  link  room 0
      0ms  app   connect
     50ms  link  room
     50ms  host  > S 0:0(0)
     60ms  peer  < S. 0:0(0) ack 1 <mss 1460>
     60ms  host  > . 1:1(0) ack 1
     60ms  tcb   srtt=80
    `,
  );

  ladder(
    'no room for the ACK of SYN,ACK: it goes out when there is some',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      0ms  link  room 0
     10ms  peer  < S. 0:0(0) ack 1 <mss 1460>
     20ms  link  room
     20ms  host  > . 1:1(0) ack 1
    `,
  );
});

describe('passive OPEN', () => {
  ladder(
    'SYN is answered with SYN,ACK (RFC 9293 3.10.7.2)',
    `
      0ms  app   listen
     10ms  peer  < S 0:0(0) win 1000 <mss 1400,wscale 3>
     10ms  host  > S. 0:0(0) ack 1 win 65535 <mss 1460,wscale 2>
     10ms  tcb   state=SYN-RECEIVED sndWnd=1000
     20ms  peer  < . 1:1(0) ack 1 win 1000
     20ms  app   established
     20ms  tcb   state=ESTABLISHED sndWnd=8000 srtt=80 cwnd=14000
    `,
  );

  ladder(
    'ACK to a listener is answered with RST (RFC 9293 3.10.7.2), RST with nothing',
    `
      0ms  app   listen
      0ms  peer  < . 1:1(0) ack 77
      0ms  host  > R 77:77(0)
      1ms  peer  < R 1:1(0)
    `,
  );

  ladder(
    'the ACK of SYN,ACK may carry text and FIN',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1460>
      0ms  host  > S. 0:0(0) ack 1
     10ms  peer  < F. 1:101(100) ack 1
     10ms  app   established
     10ms  app   received 100
     10ms  app   peer closed
     10ms  host  > . 1:1(0) ack 102
     10ms  tcb   state=CLOSE-WAIT
    `,
  );

  ladder(
    'a SYN that comes again gets SYN,ACK again, and no sample of the round trip (Karn, RFC 9293 MUST-18)',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1460>
      0ms  host  > S. 0:0(0) ack 1
    500ms  peer  < S 0:0(0) <mss 1460>
    500ms  host  > S. 0:0(0) ack 1
    600ms  peer  < . 1:1(0) ack 1
    600ms  tcb   state=ESTABLISHED srtt=0
    `,
  );

  ladder(
    'a SYN that comes again with text gets SYN,ACK again',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1460>
      0ms  host  > S. 0:0(0) ack 1
     50ms  peer  < S 0:10(10) <mss 1460>
     50ms  host  > S. 0:0(0) ack 1
    `,
  );

  ladder(
    'SYN,ACK is sent again with back-off; then one segment of window (RFC 9293 MUST-22, RFC 5681 3.1)',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1000>
      0ms  host  > S. 0:0(0) ack 1
      1s   host  > S. 0:0(0) ack 1
      3s   host  > S. 0:0(0) ack 1
   3100ms  peer  < . 1:1(0) ack 1
   3100ms  tcb   state=ESTABLISHED cwnd=1000 rtxCount=0 totalRt=0
    `,
  );

  ladder(
    'SYN-RECEIVED: an ACK of something else is answered with RST (RFC 9293 3.10.7.4 fifth)',
    `
      0ms  peer  < . 1:1(0) ack 2
      0ms  host  > R 2:2(0)
      0ms  tcb   state=SYN-RECEIVED
      1ms  peer  < . 1:1(0) ack 0
      1ms  host  > R 0:0(0)
      2ms  peer  < . 1:1(0) ack 1
      2ms  tcb   state=ESTABLISHED
    `,
    { from: 'SYN-RECEIVED' },
  );

  ladder(
    'SYN-RECEIVED: a segment without ACK is dropped',
    `
      0ms  peer  < - 1:11(10)
      0ms  tcb   state=SYN-RECEIVED rcvNxt=1
    `,
    { from: 'SYN-RECEIVED' },
  );

  ladder(
    'SYN-RECEIVED: another SYN in the window ends a passive open (RFC 9293 3.10.7.4 fourth)',
    `
      0ms  peer  < S 100:100(0)
      0ms  app   closed Reset
    `,
    { from: 'SYN-RECEIVED' },
  );

  ladder(
    'CLOSE in SYN-RECEIVED waits for ESTABLISHED (RFC 9293 3.10.4)',
    `
      0ms  app   close
     10ms  peer  < . 1:1(0) ack 1
     10ms  host  > F. 1:1(0) ack 1
     10ms  tcb   state=FIN-WAIT-1
    `,
    { from: 'SYN-RECEIVED' },
  );

  ladder(
    'no room for SYN,ACK: it goes out when there is some, also again after a time-out',
    `
      0ms  link  room 0
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1460>
     50ms  link  room 1
     50ms  host  > S. 0:0(0) ack 1
   1050ms  tcb   rtxCount=1
   1060ms  link  room
   1060ms  host  > S. 0:0(0) ack 1
    `,
  );

  ladder(
    'a challenge in SYN-RECEIVED has a scaled window, the SYN has not (RFC 7323 2.2)',
    `
      0ms  app   listen
      0ms  peer  < S 0:0(0) <mss 1460,wscale 0>
      0ms  host  > S. 0:0(0) ack 1 win 50000
      0ms  peer  < R 9:9(0)
      0ms  host  > . 1:1(0) ack 1 win 50000
    `,
    { params: { rcvBuffer: 50_000 } },
  );
});

describe('simultaneous OPEN', () => {
  ladder(
    'both SYNs cross, both SYN,ACKs cross (RFC 9293 MUST-10, figure 7)',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      5ms  peer  < S 0:0(0) win 2000 <mss 1460,wscale 1>
      5ms  host  > S. 0:0(0) ack 1
      5ms  tcb   state=SYN-RECEIVED
     15ms  peer  < S. 0:0(0) ack 1 win 3000 <mss 1460,wscale 1>
     15ms  app   established
     15ms  host  > . 1:1(0) ack 1
     15ms  tcb   state=ESTABLISHED sndWnd=3000 srtt=0
    `,
  );

  ladder(
    'the peer of it may send a plain ACK, or data, instead of SYN,ACK',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      5ms  peer  < S 0:0(0) <mss 1460>
      5ms  host  > S. 0:0(0) ack 1
     15ms  peer  < P. 1:11(10) ack 1
     15ms  app   established
     15ms  app   received 10
     55ms  host  > . 1:1(0) ack 11
    `,
  );

  ladder(
    'text on the SYN,ACK of it is not lost',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      5ms  peer  < S 0:0(0) <mss 1460,wscale 4>
      5ms  host  > S. 0:0(0) ack 1
     15ms  peer  < S. 0:10(10) ack 1 win 3000 <mss 1460,wscale 4>
     15ms  app   established
     15ms  app   received 10
     15ms  host  > . 1:1(0) ack 11
     15ms  tcb   sndWnd=3000
    `,
  );

  ladder(
    'SYN,ACK lost: ours is sent again, the CLOSE that waits goes with the end of the handshake',
    `
      0ms  app   connect
      0ms  host  > S 0:0(0)
      5ms  peer  < S 0:0(0) <mss 1460>
      5ms  host  > S. 0:0(0) ack 1
      6ms  app   close
   1005ms  host  > S. 0:0(0) ack 1
   1010ms  peer  < S. 0:0(0) ack 1 <mss 1460>
   1010ms  host  > F. 1:1(0) ack 1
   1010ms  tcb   state=FIN-WAIT-1
    `,
  );
});
