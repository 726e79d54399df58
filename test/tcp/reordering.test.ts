/** The degree of reordering, where scripts do not reach: its limits, what does not count, and what an owner is not told. */
import { describe, expect, test } from 'vitest';
import { importDelegated } from '../../src/offload/handover.ts';
import {
  doubtReordering,
  isReordered,
  noteExcessDuplicates,
  noteLateOriginal,
  noteReordering,
} from '../../src/tcp/reordering.ts';
import { CaState, type Tcb, TcpLossFlag } from '../../src/tcp/tcb.ts';
import { established } from '../support/ladder-engine.ts';

const MSS = 1000;

/** Nothing but SND.UNA, at `una`; an ACK whose newly SACKed segment begins at `low`, below what is SACKed up to `fack`. */
function late(tcb: Tcb, report: ReturnType<typeof established>['sent']['report'], low: number, fack: number): void {
  report.begin(tcb, false, 0, 0);
  report.fack = fack;
  report.hasSackOrder = true;
  report.sackLowest = low;
  noteReordering(tcb, report, fack);
}

function fresh() {
  const endpoint = established();
  const { tcb } = endpoint;
  tcb.effectiveMss = MSS;
  return { endpoint, tcb, report: endpoint.sent.report, una: tcb.sndUna };
}

describe('the degree of reordering', () => {
  test('is counted in segments, the last of them whole, and only grows (RFC 8985 6.2 step 3)', () => {
    const { tcb, report, una } = fresh();
    expect([tcb.reordering, tcb.reorderingSeen]).toEqual([3, 0]);
    late(tcb, report, una, (una + 3 * MSS) | 0);
    expect([tcb.reordering, tcb.reorderingSeen]).toEqual([3, 1]);
    late(tcb, report, una, (una + 3 * MSS + 1) | 0);
    expect([tcb.reordering, tcb.reorderingSeen]).toEqual([4, 2]);
    late(tcb, report, una, (una + MSS) | 0);
    expect([tcb.reordering, tcb.reorderingSeen]).toEqual([4, 3]);
    // In order: nothing of the kind.
    late(tcb, report, (una + MSS) | 0, (una + MSS) | 0);
    expect(tcb.reorderingSeen).toBe(3);
  });

  test('ends at 300 segments, and its count at what a byte holds', () => {
    const { tcb, report, una } = fresh();
    for (let i = 0; i < 300; i++) late(tcb, report, una, (una + 4000 * MSS) | 0);
    expect([tcb.reordering, tcb.reorderingSeen]).toEqual([300, 255]);
    noteExcessDuplicates(tcb, 9);
    expect([tcb.reordering, tcb.reorderingSeen]).toEqual([300, 255]);
  });

  test('grows by the D-SACK of what had been SACKed, which RACK does not take for reordering (RFC 8985 6.2 step 3)', () => {
    const { tcb, report, una } = fresh();
    report.begin(tcb, false, 0, 0);
    report.fack = (una + 6 * MSS) | 0;
    report.hasLateDuplicate = true;
    report.lateDuplicate = una;
    noteReordering(tcb, report, report.fack);
    expect([tcb.reordering, tcb.reorderingSeen, tcb.lossFlags & TcpLossFlag.ReorderingSeen]).toEqual([6, 1, 0]);
    late(tcb, report, una, (una + MSS) | 0);
    expect(tcb.lossFlags & TcpLossFlag.ReorderingSeen).toBe(TcpLossFlag.ReorderingSeen);
  });

  test('does not grow after a time-out that nobody would undo, but it has been seen', () => {
    const { tcb, report, una } = fresh();
    tcb.caState = CaState.Loss;
    late(tcb, report, una, (una + 9 * MSS) | 0);
    expect([tcb.reordering, tcb.reorderingSeen]).toEqual([3, 1]);
    tcb.lossFlags |= TcpLossFlag.Undo;
    late(tcb, report, una, (una + 9 * MSS) | 0);
    expect([tcb.reordering, tcb.reorderingSeen]).toEqual([9, 2]);
  });

  test('of a late original is as far as what is SACKed, or as what it acknowledges (RFC 3522)', () => {
    const { tcb, report, una } = fresh();
    report.begin(tcb, true, 1, 0);
    report.acked = 2 * MSS;
    report.fack = (una + 7 * MSS) | 0;
    tcb.sndUna = (una + 2 * MSS) | 0;
    noteLateOriginal(tcb, report);
    expect(tcb.reordering).toBe(3);
    tcb.sackedBytes = MSS;
    noteLateOriginal(tcb, report);
    expect(tcb.reordering).toBe(7);
  });

  test('is doubted by a time-out in Disorder with as many SACKed as would have shown the loss', () => {
    const { endpoint, tcb } = fresh();
    tcb.reordering = 8;
    expect(isReordered(tcb, endpoint)).toBe(true);
    tcb.sackedSegments = 2;
    doubtReordering(tcb, 3);
    expect(tcb.reordering).toBe(8);
    tcb.sackedSegments = 3;
    tcb.caState = CaState.Recovery;
    doubtReordering(tcb, 3);
    expect(tcb.reordering).toBe(8);
    tcb.caState = CaState.Disorder;
    doubtReordering(tcb, 3);
    expect(tcb.reordering).toBe(3);
    expect(isReordered(tcb, endpoint)).toBe(false);
  });

  test('goes along; a giver that knows nothing of it leaves the threshold of the interface', () => {
    const { endpoint, tcb } = fresh();
    tcb.reordering = 17;
    importDelegated(tcb, 0, endpoint);
    expect(tcb.reordering).toBe(17);
    tcb.reordering = 0;
    importDelegated(tcb, 0, endpoint);
    expect(tcb.reordering).toBe(3);
  });
});
