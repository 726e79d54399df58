/** Delegated state changes hands: clocks, timers, debts (R4, R28; digest 4.6, 4.7). */
import { describe, expect, test } from 'vitest';
import { createMemory } from '../../src/memory/memory.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';
import { exportDelegated, importDelegated } from '../../src/offload/handover.ts';
import type { Effects } from '../../src/tcp/effects.ts';
import { DEFAULT_TCP_PARAMS } from '../../src/tcp/params.ts';
import { adoptOutOfOrder } from '../../src/tcp/reassembly.ts';
import {
  type Tcb,
  TcbLayout,
  TcpDelegatedFlag,
  TcpPrivateFlag,
  TcpState,
  TcpTimer,
  TcpTimerBit,
} from '../../src/tcp/tcb.ts';

const memory = createMemory(1 << 17);
const BASE = 1 << 16;

class Owner {
  readonly armed: number[] = [];
  readonly freed: number[] = [];
  readonly fx = {
    params: DEFAULT_TCP_PARAMS,
    armTimer: (_tcb: Tcb, deadline: number) => this.armed.push(deadline),
    freeBuffer: (buffer: number) => this.freed.push(buffer),
  } as unknown as Effects;
}

function fresh(): Tcb {
  memory.u8.fill(0, BASE, BASE + 4096);
  const tcb = TcbLayout.view(memory).at(BASE);
  tcb.state = TcpState.Established;
  return tcb;
}

/** From one owner to another whose clock is elsewhere. */
function hand(tcb: Tcb, from: number, to: number, owner = new Owner()): Owner {
  exportDelegated(tcb, from);
  importDelegated(tcb, to, owner.fx);
  return owner;
}

describe('timestamps (digest 4.7, known answers)', () => {
  /** Our timestamp at a tick of the present owner. */
  const stamp = (tcb: Tcb, now: number): number => (now + tcb.tsOffset) | 0;

  test('offload with TsTime 100 at NicTime 200: delta -100, stamps and samples follow, upload gives 150', () => {
    const tcb = fresh();
    hand(tcb, 100, 200);
    expect(tcb.tsTime).toBe(100);
    expect(tcb.tsOffset).toBe(-100);
    expect(stamp(tcb, 205) - 100).toBe(5);
    expect(stamp(tcb, 210)).toBe(110);
    exportDelegated(tcb, 250);
    expect(tcb.tsTime).toBe(150);
    importDelegated(tcb, 150, new Owner().fx);
    expect(tcb.tsOffset).toBe(0);
  });

  test('with a host clock that drifted to 200 meanwhile: -50, and the next offload +30', () => {
    const tcb = fresh();
    hand(tcb, 100, 200);
    hand(tcb, 250, 200);
    expect(tcb.tsOffset).toBe(-50);
    expect(stamp(tcb, 205) - 150).toBe(5);
    // TsTime 350 at NicTime 320.
    hand(tcb, 400, 320);
    expect(tcb.tsTime).toBe(350);
    expect(tcb.tsOffset).toBe(30);
    expect(stamp(tcb, 325) - 350).toBe(5);
  });

  test('the clock goes on over any number of moves, over 2^31 too', () => {
    const tcb = fresh();
    let now = 0x7fffff00;
    let other = -5000;
    let last = stamp(tcb, now);
    for (let move = 0; move < 20; move++) {
      hand(tcb, now, other);
      [now, other] = [(other + 100) | 0, (now + 100) | 0];
      const next = stamp(tcb, now);
      expect((next - last) | 0).toBe(100);
      last = next;
    }
  });

  test('the age of TS.Recent goes on (E29)', () => {
    const tcb = fresh();
    tcb.tsRecentAge = 1000;
    hand(tcb, 1700, 50_000);
    expect(50_000 - tcb.tsRecentAge).toBe(700);
  });
});

describe('timers (digest 4.6)', () => {
  for (const [name, kind] of [
    ['retransmit', TcpTimer.Retransmit],
    ['persist', TcpTimer.Persist],
    ['FIN-WAIT-2', TcpTimer.FinWait2],
  ] as const) {
    test(`${name}: what is left of it goes along, and the wheel is armed for it (D17)`, () => {
      const tcb = fresh();
      tcb.timers = TcpTimerBit.Retransmit;
      tcb.rtxKind = kind;
      tcb.rtxAt = 1300;
      const owner = hand(tcb, 1000, 7000);
      expect(tcb.rtxTimeoutDelta).toBe(300);
      expect([tcb.timers, tcb.rtxKind, tcb.rtxAt]).toEqual([TcpTimerBit.Retransmit, kind, 7300]);
      expect(owner.armed).toEqual([7300]);
    });
  }

  test('overdue is 0: it fires at once; not running is -1 (D18, C13)', () => {
    const tcb = fresh();
    tcb.timers = TcpTimerBit.Retransmit;
    tcb.rtxKind = TcpTimer.Retransmit;
    tcb.rtxAt = 900;
    hand(tcb, 1000, 7000);
    expect([tcb.rtxTimeoutDelta, tcb.rtxAt, tcb.kaTimeoutDelta]).toEqual([0, 7000, -1]);
    const idle = fresh();
    const owner = hand(idle, 1000, 7000);
    expect([idle.rtxTimeoutDelta, idle.kaTimeoutDelta, idle.timers, idle.rtxKind]).toEqual([-1, -1, 0, TcpTimer.None]);
    expect(owner.armed).toEqual([]);
  });

  test('keep-alive goes along beside another', () => {
    const tcb = fresh();
    tcb.timers = TcpTimerBit.Retransmit | TcpTimerBit.KeepAlive;
    tcb.rtxKind = TcpTimer.Retransmit;
    tcb.rtxAt = 5000;
    tcb.kaAt = 1100;
    const owner = hand(tcb, 1000, 20_000);
    expect([tcb.rtxAt, tcb.kaAt]).toEqual([24_000, 20_100]);
    expect(owner.armed).toEqual([20_100]);
  });

  test('over the wrap of both clocks', () => {
    const tcb = fresh();
    tcb.timers = TcpTimerBit.Retransmit;
    tcb.rtxKind = TcpTimer.Retransmit;
    tcb.rtxAt = (0x7ffffff0 + 100) | 0;
    hand(tcb, 0x7ffffff0, -10);
    expect(tcb.rtxAt).toBe(90);
  });

  test('CLOSED arms nothing', () => {
    const tcb = fresh();
    tcb.state = TcpState.Closed;
    tcb.timers = TcpTimerBit.KeepAlive;
    tcb.kaAt = 2000;
    expect(hand(tcb, 1000, 1000).armed).toEqual([]);
  });
});

describe('debts', () => {
  test('a delayed ACK does not travel as a timer: the new owner owes it at once (D08)', () => {
    const tcb = fresh();
    tcb.timers = TcpTimerBit.DelayedAck;
    tcb.ackAt = 1040;
    tcb.unackedBytes = 1000;
    const owner = hand(tcb, 1000, 1000);
    expect(tcb.privateFlags & TcpPrivateFlag.AckNow).not.toBe(0);
    expect([tcb.timers, tcb.unackedBytes]).toEqual([0, 0]);
    // Said once: the next hand-over does not owe it again.
    expect(tcb.delegatedFlags & TcpDelegatedFlag.AckOwed).toBe(0);
    expect(owner.armed).toEqual([]);
  });

  test('FIN received, recovery and counters stay as they are', () => {
    const tcb = fresh();
    tcb.delegatedFlags = TcpDelegatedFlag.FinReceived;
    Object.assign(tcb, { dupAckCount: 2, rtxCount: 3, totalRt: 900, sndWndProbeCount: 4, cwnd: 12_345, recover: -7 });
    hand(tcb, 10, 90_000);
    expect(tcb.delegatedFlags).toBe(TcpDelegatedFlag.FinReceived);
    expect([tcb.dupAckCount, tcb.rtxCount, tcb.totalRt, tcb.sndWndProbeCount, tcb.cwnd, tcb.recover]).toEqual([
      2, 3, 900, 4, 12_345, -7,
    ]);
  });

  test('out-of-order text stays whole: it travels beside the state, with the order in which it came (D09, RFC 2018 8)', () => {
    const tcb = fresh();
    const buffers = NetBuffer.view(memory);
    const [first, second, third] = [BASE + 1024, BASE + 2048, BASE + 3072];
    for (const [at, next, segSeq, stamp] of [
      [first, second, 100, 2],
      [second, third, 110, 1],
      [third, 0, 200, 3],
    ] as const) {
      buffers.at(at);
      Object.assign(buffers, { next, segSeq, dataLength: 10, stamp });
    }
    tcb.dsackLength = 7;
    adoptOutOfOrder(tcb, first, buffers);
    expect([tcb.oooHead, tcb.oooCount, tcb.sackBlocks]).toEqual([first, 3, 2]);
    const owner = hand(tcb, 0, 0);
    expect(owner.freed).toEqual([]);
    // What came twice has been told of, or never will be.
    expect([tcb.oooHead, tcb.oooCount, tcb.sackBlocks, tcb.dsackLength]).toEqual([first, 3, 2, 0]);
    expect([first, second, third].map(at => buffers.at(at).stamp)).toEqual([2, 1, 3]);
  });
});
