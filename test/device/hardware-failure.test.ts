/** Damaged state in the hardware: who is told what, in which order (digest 3.2; C15, D23, D26). */
import { describe, expect, test } from 'vitest';
import { NdisStatus } from '../../src/base/status.ts';
import { Completion, DisconnectFlag, Submission } from '../../src/offload/descriptors.ts';
import { TcpOffloadEvent, TcpUploadReason } from '../../src/offload/events.ts';
import { CONTEXT, eventsOf, of, OneConnection } from './one-connection.ts';

const { Failure, RequestAborted } = NdisStatus;
const TOLD = [
  [TcpOffloadEvent.IndicateRetrieve, TcpUploadReason.HardwareFailure],
  [TcpOffloadEvent.IndicateAbort, 0],
];
const { QueryOffloadComplete, TerminateOffloadComplete, TcpIndicateEvent } = Completion;
const { TcpSendComplete, TcpReceiveComplete, TcpDisconnectComplete } = Completion;

function damaged(): OneConnection & { sends: number[]; receives: number[] } {
  const one = new OneConnection();
  const receives = [one.post(8), one.post(8)];
  const sends = [one.send('one'), one.send('two')];
  one.bench.step();
  one.bench.frames();
  one.bench.nic.corrupt(one.slot);
  return Object.assign(one, { sends, receives });
}

describe('damaged state', () => {
  test('found by a query: FAILURE, Retrieve, Abort; the terminate aborts everything in order, then is complete (C15)', () => {
    const one = damaged();
    const { answers, status } = one.query();
    expect(status).toBe(Failure);
    expect(answers.map(({ opcode }) => opcode)).toEqual([QueryOffloadComplete, TcpIndicateEvent, TcpIndicateEvent]);
    expect(eventsOf(answers)).toEqual(TOLD);
    const end = one.terminate();
    expect([end.status, end.chain]).toEqual([Failure, []]);
    expect(end.answers.map(({ opcode, a1 }) => [opcode, opcode === TerminateOffloadComplete ? 0 : a1])).toEqual([
      ...one.sends.map(at => [TcpSendComplete, at]),
      ...one.receives.map(at => [TcpReceiveComplete, at]),
      [TerminateOffloadComplete, 0],
    ]);
    for (const { a0, a2 } of end.answers.slice(0, -1)) expect([a0, a2]).toEqual([CONTEXT, RequestAborted]);
    expect(one.bench.nic.tree).toEqual({ connections: 0, paths: 0, neighbors: 0 });
  });

  test('found by the terminate itself: told before the requests are aborted, complete with FAILURE (D23)', () => {
    const one = damaged();
    one.bench.submit(Submission.TcpDisconnect, one.handle, 0, 0, DisconnectFlag.Graceful);
    const end = one.terminate();
    const { answers } = end;
    expect(end.status).toBe(Failure);
    expect(eventsOf(answers)).toEqual(TOLD);
    expect(answers.map(({ opcode }) => opcode)).toEqual([
      TcpIndicateEvent,
      TcpIndicateEvent,
      TcpSendComplete,
      TcpSendComplete,
      TcpReceiveComplete,
      TcpReceiveComplete,
      TcpDisconnectComplete,
      TerminateOffloadComplete,
    ]);
    expect(of(answers, TcpDisconnectComplete)).toMatchObject([{ a2: RequestAborted }]);
  });

  test('is asked about twice and told of once', () => {
    const one = damaged();
    expect(eventsOf(one.query().answers)).toEqual(TOLD);
    const again = one.query();
    expect([again.status, eventsOf(again.answers)]).toEqual([Failure, []]);
    expect(eventsOf(one.terminate().answers)).toEqual([]);
  });

  test('does nothing by itself: no frame, no timer; its segments go up, forwarded ones are aborted', () => {
    const one = damaged();
    one.arrive(5000, 1003, 'text');
    const answers = one.bench.step(100_000);
    expect(answers.map(({ opcode }) => opcode)).toEqual([Completion.FramesReceived]);
    expect(one.bench.frames()).toEqual([]);
    one.bench.submit(Submission.TcpForward, one.handle, one.forwardable(answers[0]!.addresses[0]!));
    const [forwarded] = of(one.bench.step(), Completion.TcpForwardComplete);
    expect(forwarded!.a2).toBe(RequestAborted);
  });

  test('a reset of the function loses every connection, and what comes after it is sound again (D26)', () => {
    const one = new OneConnection();
    one.bench.nic.corrupt('all');
    expect(one.terminate().status).toBe(Failure);
    const { bench } = one;
    const tcp = bench.tcp(6000, 7);
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [bench.path(101, [tcp])]));
    bench.step();
    const handle = bench.handleOf(tcp);
    bench.submit(Submission.TcpSend, handle, bench.buffer('alive'));
    bench.step();
    expect(bench.frames().map(({ text }) => text)).toEqual(['alive']);
    expect(bench.fault).toBe(0);
  });
});
