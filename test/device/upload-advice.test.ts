/** What a device asks for, and what it does then: the eleven reasons, and the standstill of the mandatory ones (R23, R27). */
import { describe, expect, test } from 'vitest';
import { NdisStatus } from '../../src/base/status.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';
import { Completion, DisconnectFlag, Submission } from '../../src/offload/descriptors.ts';
import { TcpOffloadEvent, TcpUploadReason } from '../../src/offload/events.ts';
import { NO_ADVICE, type UploadAdvice } from '../../src/offload/target-options.ts';
import { TCP_TRANSFER_OFFSET, TcpTransfer } from '../../src/offload/tcp-transfer.ts';
import { TcpDelegatedFlag, TcpState, TcpTimer } from '../../src/tcp/tcb.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { CONTEXT, eventsOf, of, OneConnection, PORT, reasonsOf, REMOTE } from './one-connection.ts';

const { UploadInProgress } = NdisStatus;

function advised(advice: Partial<UploadAdvice>, change: Partial<Record<string, number>> = {}): OneConnection {
  return new OneConnection({ target: { advice: { ...NO_ADVICE, ...advice } } }, change);
}

describe('a mandatory reason', () => {
  test('is told once, however often it comes up (D02, D30)', () => {
    const { bench, slot } = new OneConnection();
    for (let i = 0; i < 3; i++) bench.nic.requestUpload(slot, TcpUploadReason.UploadRequested);
    bench.nic.requestUpload('all', TcpUploadReason.InvalidState);
    expect(reasonsOf(bench.step())).toEqual([TcpUploadReason.UploadRequested]);
  });

  test('stops transmission; sends stay in the queue and go back in the chain, in order, each once (D04, D06, D30, R27)', () => {
    const one = new OneConnection();
    const before = one.send('before');
    one.bench.step();
    one.bench.nic.requestUpload(one.slot, TcpUploadReason.UploadRequested);
    one.bench.frames();
    const after = [one.send('after'), one.send('later')];
    const answers = one.bench.step(5000);
    expect(of(answers, Completion.TcpSendComplete)).toEqual([]);
    expect(one.bench.frames()).toEqual([]);
    const { status, chain, tcb } = one.terminate();
    expect([status, chain]).toEqual([NdisStatus.Success, [before, ...after]]);
    expect([tcb.sndUna, tcb.sndNxt, tcb.sendDataBytes]).toEqual([1000, 1006, 16]);
    expect(one.bench.frames()).toEqual([]);
  });

  test('answers receives, outstanding and later ones, UPLOAD_IN_PROGRESS, behind the event (R27)', () => {
    const one = new OneConnection();
    const [first, second] = [one.post(8), one.post(8)];
    one.bench.step();
    one.bench.nic.requestUpload(one.slot, TcpUploadReason.UploadRequested);
    const answers = one.bench.step();
    expect(answers[0]!.a1).toBe(TcpOffloadEvent.IndicateRetrieve);
    const third = one.post(8);
    answers.push(...one.bench.step());
    const expected = [first, second, third].map(a1 => ({ a0: CONTEXT, a1, a2: UploadInProgress }));
    expect(of(answers, Completion.TcpReceiveComplete)).toMatchObject(expected);
  });

  test('timers keep what is left of them while the connection stands still (D17)', () => {
    const one = new OneConnection();
    one.send('x');
    one.bench.step();
    one.bench.step(300);
    one.bench.nic.requestUpload(one.slot, TcpUploadReason.UploadRequested);
    one.bench.step(60_000);
    const { tcb } = one.terminate();
    expect([tcb.rtxKind, tcb.rtxTimeoutDelta, tcb.rtxCount]).toEqual([TcpTimer.Retransmit, 700, 0]);
  });

  test('an ACK that is owed leaves before; later text is not acknowledged but goes up as frames (D08, R26)', () => {
    const one = new OneConnection();
    one.arrive(5000, 1000, 'in order');
    one.bench.step();
    expect(one.bench.frames()).toEqual([]);
    one.bench.nic.requestUpload(one.slot, TcpUploadReason.UploadRequested);
    expect(one.bench.frames()).toMatchObject([{ ack: 5008 }]);
    one.arrive(5008, 1000, 'later');
    expect(of(one.bench.step(500), Completion.FramesReceived)[0]!.addresses).toHaveLength(1);
    expect(one.bench.frames()).toEqual([]);
    expect(one.terminate().tcb.rcvNxt).toBe(5008);
  });

  test('an abort meanwhile is the host’s to do again; a close is in the state that goes back (D22)', () => {
    const one = new OneConnection();
    one.bench.nic.requestUpload(one.slot, TcpUploadReason.UploadRequested);
    one.bench.submit(Submission.TcpDisconnect, one.handle, 0, 0, DisconnectFlag.Abortive);
    expect(of(one.bench.step(), Completion.TcpDisconnectComplete)).toMatchObject([{ a1: 0, a2: UploadInProgress }]);
    const last = one.bench.buffer('bye');
    one.bench.submit(Submission.TcpDisconnect, one.handle, last, 0, DisconnectFlag.Graceful);
    one.bench.step();
    expect(one.bench.frames()).toEqual([]);
    const { answers, chain, tcb } = one.terminate();
    expect([tcb.state, chain]).toEqual([TcpState.FinWait1, [last]]);
    expect(of(answers, Completion.TcpDisconnectComplete)).toMatchObject([{ a1: 0, a2: UploadInProgress }]);
  });
});

describe('segments forwarded while the upload is due', () => {
  test('are refused: the layer keeps them (R29, D25)', () => {
    const one = new OneConnection();
    one.bench.nic.requestUpload(one.slot, TcpUploadReason.UploadRequested);
    one.arrive(5000, 1000, 'text');
    const [batch] = of(one.bench.step(), Completion.FramesReceived);
    const segment = one.forwardable(batch!.addresses[0]!);
    one.bench.submit(Submission.TcpForward, one.handle, segment);
    expect(of(one.bench.step(), Completion.TcpForwardComplete)).toMatchObject([{ a1: segment, a2: UploadInProgress }]);
  });

  test('are kept, with those off the wire, and go back with the upload in order (R29, ¶57)', () => {
    const one = new OneConnection({ target: { forwardWhileUploading: 'buffer' } });
    // A frame that the host got some other way.
    one.bench.arrive(REMOTE, PORT + 1, 5004, 1000, 'forwarded');
    const [batch] = of(one.bench.step(), Completion.FramesReceived);
    const forwarded = one.forwardable(batch!.addresses[0]!);
    one.bench.nic.requestUpload(one.slot, TcpUploadReason.UploadRequested);
    one.arrive(5000, 1000, 'wire');
    expect(of(one.bench.step(), Completion.FramesReceived)).toEqual([]);
    one.bench.submit(Submission.TcpForward, one.handle, forwarded);
    expect(of(one.bench.step(), Completion.TcpForwardComplete)).toEqual([]);
    const { block, tcb } = one.terminate();
    expect(tcb.rcvNxt).toBe(5000);
    let at = TcpTransfer.view(one.bench.memory).at(block + TCP_TRANSFER_OFFSET).forwardedSegments;
    const texts: string[] = [];
    for (const buffer = NetBuffer.view(one.bench.memory); at !== 0; at = buffer.at(at).next) {
      texts.push(one.bench.textOf(at).slice(20));
      one.bench.submitAddress(Submission.ReturnBuffers, at);
    }
    expect(texts).toEqual(['wire', 'forwarded']);
    one.bench.step();
    expect([one.bench.nic.firmware.pool.inUse, one.bench.fault]).toEqual([0, 0]);
  });
});

describe('urgent data (E18)', () => {
  test('ends the offload: not acknowledged, it and what follows go up the normal path', () => {
    const one = new OneConnection();
    one.arrive(5000, 1000, '!', TcpFlag.Urg);
    one.arrive(5001, 1000, 'rest');
    const answers = one.bench.step(500);
    expect(answers[0]).toMatchObject({ opcode: Completion.TcpIndicateEvent, a2: TcpUploadReason.ReceivedUrgentData });
    expect(of(answers, Completion.FramesReceived).flatMap(({ addresses }) => addresses)).toHaveLength(2);
    expect(one.bench.frames()).toEqual([]);
    const { tcb } = one.terminate();
    expect([tcb.rcvNxt, tcb.delegatedFlags & TcpDelegatedFlag.AckOwed]).toEqual([5000, 0]);
  });

  for (const [what, seq, ack] of [
    ['sequence number', 5000 + 70_000, 1000],
    ['sequence number', 4000, 1000],
    ['acknowledgment number', 5000, 1001],
  ] as const) {
    test(`with a wrong ${what} is dropped; the connection goes on (${seq}, ${ack})`, () => {
      const one = new OneConnection();
      one.arrive(seq, ack, '!', TcpFlag.Urg);
      expect(one.bench.step()).toEqual([]);
      one.arrive(5000, 1000, 'fine');
      expect(of(one.bench.step(), Completion.TcpIndicateReceive)).toHaveLength(1);
    });
  }
});

describe('half closed (D29)', () => {
  for (const state of [TcpState.FinWait1, TcpState.FinWait2, TcpState.CloseWait]) {
    test(`in state ${state} the device asks for nothing by its own choice`, () => {
      const one = advised({ lowActivityTicks: 100 }, { state, sndMax: state === TcpState.FinWait1 ? 1001 : 1000 });
      one.bench.nic.requestUpload(one.slot, TcpUploadReason.UploadRequested);
      one.bench.nic.requestUpload(one.slot, TcpUploadReason.SmallIo);
      expect(reasonsOf(one.bench.step(400))).toEqual([]);
      one.bench.nic.requestUpload(one.slot, TcpUploadReason.HardwareFailure);
      expect(reasonsOf(one.bench.step())).toEqual([TcpUploadReason.HardwareFailure]);
    });
  }

  test('FIN-WAIT-2 running out is told (digest 4.6)', () => {
    const change = { state: TcpState.FinWait2, rtxKind: TcpTimer.FinWait2, rtxTimeoutDelta: 1000 };
    const one = new OneConnection({}, change);
    expect(reasonsOf(one.bench.step(1100))).toEqual([TcpUploadReason.TimeoutExpiration]);
    expect(one.terminate().tcb.state).toBe(TcpState.Closed);
  });
});

describe('an optional reason leaves the connection as it is (D03)', () => {
  test('LowActivity', () => {
    const one = advised({ lowActivityTicks: 200 });
    const reasons: number[] = [];
    for (let i = 0; i < 10; i++) reasons.push(...reasonsOf(one.bench.step(60)));
    expect(reasons).toEqual([TcpUploadReason.LowActivity]);
    one.arrive(5000, 1000, 'still here');
    expect(of(one.bench.step(), Completion.TcpIndicateReceive)).toHaveLength(1);
    // Told again only after a while.
    for (let i = 0; i < 40; i++) reasons.push(...reasonsOf(one.bench.step(60)));
    expect(reasons.length).toBeGreaterThan(1);
    expect(reasons.length).toBeLessThanOrEqual(4);
  });

  test('HighOutOfOrderPackets; the gap is filled and everything goes up (E24)', () => {
    const one = advised({ outOfOrderBuffers: 3 });
    one.bench.step(1000);
    for (const seq of [5001, 5003, 5005, 5007]) one.arrive(seq, 1000, 'x');
    expect(reasonsOf(one.bench.step())).toEqual([TcpUploadReason.HighOutOfOrderPackets]);
    for (const seq of [5000, 5002, 5004, 5006]) one.arrive(seq, 1000, 'y');
    expect(of(one.bench.step(), Completion.TcpIndicateReceive)).toHaveLength(8);
  });

  test('HighFragmentation: segments that come forwarded, in a row', () => {
    const one = advised({ forwardedSegments: 3 });
    const forward = (seq: number): number[] => {
      one.bench.arrive(REMOTE, PORT + 1, seq, 1000, 'x');
      const [batch] = of(one.bench.step(), Completion.FramesReceived);
      one.bench.submit(Submission.TcpForward, one.handle, one.forwardable(batch!.addresses[0]!));
      return reasonsOf(one.bench.step());
    };
    const direct = (seq: number): void => {
      one.arrive(seq, 1000, 'x');
      one.bench.step();
    };
    expect([forward(5000), forward(5001)]).toEqual([[], []]);
    direct(5002);
    expect([forward(5003), forward(5004), forward(5005)]).toEqual([[], [], [TcpUploadReason.HighFragmentation]]);
  });

  test('SmallIO and NoBufferPreposting', () => {
    const small = advised({ smallIoBytes: 4 });
    for (let i = 0; i < 7; i++) small.post(3);
    expect(reasonsOf(small.bench.step())).toEqual([]);
    small.post(3);
    expect(reasonsOf(small.bench.step())).toEqual([TcpUploadReason.SmallIo]);
    const bare = advised({ indicationsWithoutPost: 4 });
    for (let i = 0; i < 4; i++) bare.arrive(5000 + i, 1000, 'x');
    expect(reasonsOf(bare.bench.step())).toEqual([TcpUploadReason.NoBufferPreposting]);
  });

  test('HighDropRate: of a hundred segments sent, so many were sent again', () => {
    const one = advised({ highDropPercent: 5 });
    const reasons: number[] = [];
    let acked = 1000;
    for (let i = 0; i < 120 && reasons.length === 0; i++) {
      one.send('x');
      reasons.push(...reasonsOf(one.bench.step(1)));
      // Every tenth is lost: its time-out sends it again.
      if (i % 10 === 9) reasons.push(...reasonsOf(one.bench.step(1500)));
      one.arrive(5000, ++acked);
      reasons.push(...reasonsOf(one.bench.step(1)));
    }
    expect(reasons).toEqual([TcpUploadReason.HighDropRate]);
  });

  test('without thresholds nothing is asked for', () => {
    const one = new OneConnection();
    for (let i = 0; i < 20; i++) one.post(1);
    for (let i = 0; i < 30; i++) one.arrive(5000 + i, 1000, 'x');
    expect(reasonsOf(one.bench.step(100_000))).toEqual([]);
  });
});

describe('SendBacklogChange (E26)', () => {
  const changes = (answers: Parameters<typeof eventsOf>[0]): number[] =>
    eventsOf(answers)
      .filter(([event]) => event === TcpOffloadEvent.IndicateSendBacklogChange)
      .map(([, bytes]) => bytes!);

  test('a window that oscillates is told of once a round trip, and only for a factor of two', () => {
    // SRTT 100 ms; the window field of the bench is 65535.
    const one = new OneConnection({}, { srtt: 800, cwnd: 4000 });
    const told: number[] = [];
    for (let i = 0; i < 50; i++) {
      one.tcb.cwnd = i % 2 === 0 ? 40_000 : 4000;
      one.arrive(5000, 1000);
      told.push(...changes(one.bench.step(10)));
    }
    expect(told.length).toBeGreaterThan(2);
    expect(told.length).toBeLessThanOrEqual(5);
    for (let i = 1; i < told.length; i++) {
      const [low, high] = [told[i - 1]!, told[i]!].toSorted((a, b) => a - b);
      expect(high!).toBeGreaterThanOrEqual(2 * low!);
    }
  });

  test('says nothing of a small change', () => {
    const one = new OneConnection({}, { srtt: 8, cwnd: 4000 });
    one.tcb.cwnd = 7000;
    one.arrive(5000, 1000);
    expect(changes(one.bench.step(100))).toEqual([]);
  });
});
