/** The state machine as a whole: every state with every event (RFC 9293 figure 5). */
import { expect, test } from 'vitest';
import { TCP_STATE_NAMES } from '../../src/tcp/tcb.ts';
import { TCP_TRANSITIONS, TcpEvent, nextState, setState } from '../../src/tcp/transitions.ts';
import {
  closeWait,
  closing,
  established,
  finWait1,
  finWait2,
  lastAck,
  synReceived,
  synSent,
  timeWait,
} from '../support/ladder-engine.ts';

test('every state × every event', () => {
  const events = Object.entries(TcpEvent);
  const rows = TCP_STATE_NAMES.map((name, state) => {
    const successors = events.flatMap(([event, number]) => {
      const next = nextState(state, number);
      return next < 0 ? [] : [`${event} → ${TCP_STATE_NAMES[next]}`];
    });
    return `${name}: ${successors.join(', ')}`;
  });
  expect(rows.join('\n')).toMatchInlineSnapshot(`
    "CLOSED: ActiveOpen → SYN-SENT, SynArrives → SYN-RECEIVED
    LISTEN: SynArrives → SYN-RECEIVED, Abort → CLOSED
    SYN-SENT: SynArrives → SYN-RECEIVED, SynAckArrives → ESTABLISHED, Abort → CLOSED
    SYN-RECEIVED: HandshakeAcked → ESTABLISHED, Close → FIN-WAIT-1, FinArrives → CLOSE-WAIT, Abort → CLOSED
    ESTABLISHED: Close → FIN-WAIT-1, FinArrives → CLOSE-WAIT, Abort → CLOSED
    FIN-WAIT-1: FinArrives → CLOSING, FinAcked → FIN-WAIT-2, FinArrivesAndAcked → TIME-WAIT, Abort → CLOSED
    FIN-WAIT-2: FinArrives → TIME-WAIT, Abort → CLOSED
    CLOSE-WAIT: Close → LAST-ACK, Abort → CLOSED
    CLOSING: FinAcked → TIME-WAIT, Abort → CLOSED
    LAST-ACK: FinAcked → CLOSED, Abort → CLOSED
    TIME-WAIT: TimeWaitOver → CLOSED, Abort → CLOSED"
  `);
});

test('the table has each pair once and no state that is none', () => {
  const pairs = TCP_TRANSITIONS.flatMap(([from, event]) => from.map(state => `${state}×${event}`));
  expect(new Set(pairs).size).toBe(pairs.length);
  for (const [from, event, to] of TCP_TRANSITIONS) {
    for (const state of [...from, to]) expect(TCP_STATE_NAMES[state]).toBeDefined();
    for (const state of from) expect(nextState(state, event)).toBe(to);
  }
});

test('an event that cannot happen in a state is a defect', () => {
  const { tcb } = established();
  expect(() => setState(tcb, TcpEvent.TimeWaitOver)).toThrow('ESTABLISHED');
  expect(() => setState(tcb, TcpEvent.ActiveOpen)).toThrow('ESTABLISHED');
});

test.each([synSent, synReceived, established, finWait1, finWait2, closeWait, closing, lastAck, timeWait])(
  'ABORT ends state %# and leaves nothing behind',
  fixture => {
    const endpoint = fixture();
    const sends = endpoint.send(10, 20);
    expect(endpoint.txPool.inUse).toBe(sends ? 2 : 0);
    endpoint.abort();
    expect(endpoint.stateName).toBe('CLOSED');
    expect(endpoint.tcb.privateFlags).toBe(0);
    endpoint.checkEmpty();
  },
);
