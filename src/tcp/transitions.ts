/**
 * The state machine of RFC 9293 Figure 5 as a table; the only writer of `tcb.state`.
 *
 *                              +---------+ ---------\      active OPEN
 *                              |  CLOSED |            \    -----------
 *                              +---------+<---------\   \   create TCB
 *     SYN-RECEIVED, SYN-SENT → ESTABLISHED → FIN-WAIT-1 → FIN-WAIT-2 | CLOSING → TIME-WAIT → CLOSED
 *                                          → CLOSE-WAIT → LAST-ACK → CLOSED
 *
 * What to do in a state is the switch in segment-arrives.ts; which state may follow is here, and nowhere else.
 */
import { assert, broken } from '../base/assert.ts';
import { TCP_STATE_NAMES, type Tcb, TcpState } from './tcb.ts';

const S = TcpState;

/** Events named after what happened, in the words of 3.10. */
export const TcpEvent = {
  ActiveOpen: 0,
  SynArrives: 1,
  SynAckArrives: 2,
  HandshakeAcked: 3,
  Close: 4,
  FinArrives: 5,
  FinAcked: 6,
  /** FIN of the peer and ACK of ours in one segment, in FIN-WAIT-1. */
  FinArrivesAndAcked: 7,
  TimeWaitOver: 8,
  /** RST, abort, time-out: whatever ends the connection at once. */
  Abort: 9,
} as const;
export type TcpEvent = (typeof TcpEvent)[keyof typeof TcpEvent];

/** [from states, event, to]; rows in the order of the figure. */
export const TCP_TRANSITIONS: readonly [readonly number[], TcpEvent, number][] = [
  [[S.Closed], TcpEvent.ActiveOpen, S.SynSent],
  [[S.Closed, S.Listen, S.SynSent], TcpEvent.SynArrives, S.SynReceived],
  [[S.SynSent], TcpEvent.SynAckArrives, S.Established],
  [[S.SynReceived], TcpEvent.HandshakeAcked, S.Established],
  [[S.SynReceived, S.Established], TcpEvent.Close, S.FinWait1],
  [[S.CloseWait], TcpEvent.Close, S.LastAck],
  [[S.SynReceived, S.Established], TcpEvent.FinArrives, S.CloseWait],
  [[S.FinWait1], TcpEvent.FinArrives, S.Closing],
  [[S.FinWait1], TcpEvent.FinAcked, S.FinWait2],
  [[S.FinWait1], TcpEvent.FinArrivesAndAcked, S.TimeWait],
  [[S.FinWait2], TcpEvent.FinArrives, S.TimeWait],
  [[S.Closing], TcpEvent.FinAcked, S.TimeWait],
  [[S.LastAck], TcpEvent.FinAcked, S.Closed],
  [[S.TimeWait], TcpEvent.TimeWaitOver, S.Closed],
  [
    [
      S.Listen,
      S.SynSent,
      S.SynReceived,
      S.Established,
      S.FinWait1,
      S.FinWait2,
      S.CloseWait,
      S.Closing,
      S.LastAck,
      S.TimeWait,
    ],
    TcpEvent.Abort,
    S.Closed,
  ],
];

const EVENTS = 10;
const FORBIDDEN = 0xff;

function compile(): Uint8Array {
  const table = new Uint8Array(TCP_STATE_NAMES.length * EVENTS).fill(FORBIDDEN);
  for (const [from, event, to] of TCP_TRANSITIONS) {
    for (const state of from) {
      assert(table[state * EVENTS + event] === FORBIDDEN, `one successor for ${TCP_STATE_NAMES[state]} × ${event}`);
      table[state * EVENTS + event] = to;
    }
  }
  return table;
}

const table = compile();

/** The successor, or -1 when the event cannot happen in that state. */
export function nextState(state: number, event: TcpEvent): number {
  const next = table[state * EVENTS + event]!;
  return next === FORBIDDEN ? -1 : next;
}

export function setState(tcb: Tcb, event: TcpEvent): void {
  const next = table[tcb.state * EVENTS + event]!;
  if (next === FORBIDDEN) broken(`TCP event ${event} in state ${TCP_STATE_NAMES[tcb.state]}`);
  tcb.state = next;
}
