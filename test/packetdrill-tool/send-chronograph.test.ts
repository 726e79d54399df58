/** What a sender waits for, where scripts do not reach: several looks at one instant, and the order of the reasons. */
import { expect, test } from 'vitest';
import { SendChronograph } from '../../src/packetdrill/send-chronograph.ts';
import { type Tcb, TcpState } from '../../src/tcp/tcb.ts';
import { established } from '../support/ladder-engine.ts';

const MSS = 1000;

/** `queued` bytes, of which `sent` are in flight; both windows are wide. */
function sending(queued: number, sent: number): Tcb {
  const { tcb } = established();
  tcb.effectiveMss = MSS;
  tcb.cwnd = 100 * MSS;
  tcb.ssthresh = 10 * MSS;
  tcb.sndWnd = 50 * MSS;
  put(tcb, queued, sent);
  return tcb;
}

function put(tcb: Tcb, queued: number, sent: number): void {
  tcb.sendDataBytes = queued;
  tcb.sndNxt = tcb.sndMax = (tcb.sndUna + sent) | 0;
}

const times = (chronograph: SendChronograph, us: number): number[] => {
  const { tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited } = chronograph.info(us);
  return [tcpi_busy_time!, tcpi_rwnd_limited!, tcpi_sndbuf_limited!];
};

test('nothing queued is idle; a FIN that waits for its ACK is not', () => {
  const chronograph = new SendChronograph();
  const tcb = sending(0, 0);
  chronograph.look(tcb, false, 1000);
  expect(times(chronograph, 2000)).toEqual([0, 0, 0]);
  tcb.state = TcpState.FinWait1;
  chronograph.look(tcb, false, 2000);
  expect(times(chronograph, 2500)).toEqual([500, 0, 0]);
  tcb.state = TcpState.FinWait2;
  chronograph.look(tcb, false, 3000);
  expect(times(chronograph, 9000)).toEqual([1000, 0, 0]);
});

test('the window limits only what the congestion window would let out', () => {
  const chronograph = new SendChronograph();
  const tcb = sending(20 * MSS, 10 * MSS);
  tcb.sndWnd = 10 * MSS;
  chronograph.look(tcb, false, 0);
  expect(times(chronograph, 100)).toEqual([100, 100, 0]);
  tcb.cwnd = 10 * MSS;
  chronograph.look(tcb, false, 100);
  expect(times(chronograph, 300)).toEqual([300, 100, 0]);
});

test('only the last look at an instant counts: what was on its way has arrived by then', () => {
  const chronograph = new SendChronograph();
  const tcb = sending(8 * MSS, 8 * MSS);
  chronograph.look(tcb, true, 500);
  put(tcb, 16 * MSS, 8 * MSS);
  tcb.cwnd = 8 * MSS;
  chronograph.look(tcb, true, 500);
  expect(times(chronograph, 900)).toEqual([400, 0, 0]);
});

test('a writer that waits limits from when all is sent until it writes, or until there is room', () => {
  const chronograph = new SendChronograph();
  const tcb = sending(8 * MSS, 8 * MSS);
  chronograph.look(tcb, true, 0);
  chronograph.look(tcb, true, 100);
  // Acknowledged in part; no room yet.
  tcb.sndUna = (tcb.sndUna + MSS) | 0;
  tcb.sendDataBytes -= MSS;
  chronograph.look(tcb, true, 200);
  expect(times(chronograph, 300)).toEqual([300, 0, 300]);
  chronograph.look(tcb, false, 300);
  expect(times(chronograph, 400)).toEqual([400, 0, 300]);
  // It finds none again, but nothing more was sent.
  chronograph.look(tcb, true, 400);
  expect(times(chronograph, 500)).toEqual([500, 0, 300]);
});

test('a congestion window that is used up is not the buffer’s fault', () => {
  const chronograph = new SendChronograph();
  const tcb = sending(8 * MSS, 8 * MSS);
  tcb.ssthresh = 1 << 30;
  tcb.cwnd = 15 * MSS;
  tcb.maxFlight = 8 * MSS;
  chronograph.look(tcb, true, 0);
  expect(times(chronograph, 100)).toEqual([100, 0, 0]);
});
