/** The device's data path and its defences, stepped by hand: receives, pools, windows, faults (R30, architecture 2.8). */
import { describe, expect, test } from 'vitest';
import { NdisStatus } from '../../src/base/status.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';
import { OffloadStateType } from '../../src/offload/block-list.ts';
import { Completion, DisconnectFlag, Submission } from '../../src/offload/descriptors.ts';
import { TcpOffloadEvent, TcpUploadReason } from '../../src/offload/events.ts';
import { DEFAULT_TCP_PARAMS } from '../../src/tcp/params.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { type Answer, Bench, type BenchOptions } from './bench.ts';

const REMOTE = 101;
const PORT = 5001;

function one(options: BenchOptions = {}, change: Partial<Record<string, number>> = {}) {
  const bench = new Bench(options);
  const tcp = bench.tcp(PORT, 42, change);
  bench.submit(Submission.InitiateOffload, bench.neighbor(1, [bench.path(REMOTE, [tcp])]));
  bench.step();
  bench.frames();
  return { bench, handle: bench.handleOf(tcp) };
}

function of(answers: readonly Answer[], opcode: number): Answer[] {
  return answers.filter(answer => answer.opcode === opcode);
}

/** The bytes that went up, with their receive buffers. */
function indicated(bench: Bench, answers: readonly Answer[]): string[] {
  return of(answers, Completion.TcpIndicateReceive).map(({ a0, a1 }) => {
    expect(a0).toBe(42);
    return bench.textOf(a1);
  });
}

describe('receive', () => {
  test('with nothing posted bytes go up in pool buffers, which come back (R30)', () => {
    const { bench } = one();
    bench.arrive(REMOTE, PORT, 5000, 1000, 'hello ', TcpFlag.Psh);
    bench.arrive(REMOTE, PORT, 5006, 1000, 'world', TcpFlag.Psh);
    const answers = bench.step();
    expect(indicated(bench, answers)).toEqual(['hello ', 'world']);
    expect(bench.nic.firmware.pool.inUse).toBe(2);
    for (const { a1 } of of(answers, Completion.TcpIndicateReceive)) bench.submitAddress(Submission.ReturnBuffers, a1);
    bench.step(40);
    expect(bench.nic.firmware.pool.inUse).toBe(0);
    expect(bench.frames().map(({ ack }) => ack)).toEqual([5011]);
  });

  test('posted buffers are filled first, in order; what is left over is indicated', () => {
    const { bench, handle } = one();
    const [first, second] = [bench.buffer('....'), bench.buffer('...')];
    const descriptor = NetBuffer.view(bench.memory);
    descriptor.at(first).next = second;
    bench.submit(Submission.TcpReceive, handle, first);
    bench.step();
    bench.arrive(REMOTE, PORT, 5000, 1000, 'abcdefghij');
    const answers = bench.step();
    const completed = of(answers, Completion.TcpReceiveComplete).map(({ a1 }) => a1);
    expect(completed).toEqual([first, second]);
    expect([first, second].map(at => descriptor.at(at).bytesTransferred)).toEqual([4, 3]);
    expect([bench.textOf(first), bench.textOf(second)]).toEqual(['abcd', 'efg']);
    expect(indicated(bench, answers)).toEqual(['hij']);
  });

  test('the push timer completes the buffer that a short segment is in (E08)', () => {
    const { bench, handle } = one();
    const posted = bench.buffer('..........');
    bench.submit(Submission.TcpReceive, handle, posted);
    bench.step();
    bench.arrive(REMOTE, PORT, 5000, 1000, 'abc');
    expect(of([...bench.step(), ...bench.step(499)], Completion.TcpReceiveComplete)).toEqual([]);
    expect(of(bench.step(1), Completion.TcpReceiveComplete)).toMatchObject([{ a1: posted, a2: NdisStatus.Success }]);
    expect(NetBuffer.view(bench.memory).at(posted).bytesTransferred).toBe(3);
    expect(bench.nic.firmware.pool.inUse).toBe(0);
  });

  test('a receive of no bytes is answered at once (E02)', () => {
    const { bench, handle } = one();
    bench.submit(Submission.TcpReceive, handle, bench.buffer(''));
    expect(of(bench.step(), Completion.TcpReceiveComplete)).toHaveLength(1);
  });

  test('out of order text waits in the pool and goes up in order', () => {
    const { bench } = one();
    bench.arrive(REMOTE, PORT, 5003, 1000, 'def');
    expect(indicated(bench, bench.step())).toEqual([]);
    bench.arrive(REMOTE, PORT, 5000, 1000, 'abc');
    expect(indicated(bench, bench.step()).join('')).toBe('abcdef');
  });

  test('FIN: every byte first, then Disconnect (E11)', () => {
    const { bench } = one();
    bench.arrive(REMOTE, PORT, 5000, 1000, 'last', TcpFlag.Fin);
    const answers = bench.step();
    expect(answers.map(({ opcode }) => opcode)).toEqual([Completion.TcpIndicateReceive, Completion.TcpIndicateEvent]);
    expect(answers[1]!.a1).toBe(TcpOffloadEvent.IndicateDisconnect);
  });

  test('RST: Abort once, every request REQUEST_ABORTED (E13, E15)', () => {
    const { bench, handle } = one();
    const [sent, posted] = [bench.buffer('x'), bench.buffer('....')];
    bench.submit(Submission.TcpSend, handle, sent);
    bench.submit(Submission.TcpReceive, handle, posted);
    bench.step();
    bench.arrive(REMOTE, PORT, 5000, 1001, '', TcpFlag.Rst);
    bench.arrive(REMOTE, PORT, 5000, 1001, '', TcpFlag.Rst);
    const answers = bench.step();
    expect(of(answers, Completion.TcpIndicateEvent)).toMatchObject([{ a0: 42, a1: TcpOffloadEvent.IndicateAbort }]);
    const aborted = NdisStatus.RequestAborted;
    expect(of(answers, Completion.TcpSendComplete)).toMatchObject([{ a1: sent, a2: aborted }]);
    expect(of(answers, Completion.TcpReceiveComplete)).toMatchObject([{ a1: posted, a2: aborted }]);
  });

  test('a segment with a wrong checksum is counted and dropped', () => {
    const { bench } = one();
    bench.arrive(REMOTE, PORT, 5000, 1000, 'hello');
    const { fromFabric } = bench.nic.boot.regions;
    const { u8 } = bench.memory;
    // The text is in the ring: one bit of it flips.
    for (let at = fromFabric.offset; at < fromFabric.offset + fromFabric.byteLength; at++) {
      if (u8[at] === 0x68 && u8[at + 1] === 0x65 && u8[at + 2] === 0x6c) u8[at]! ^= 1;
    }
    expect(bench.step()).toEqual([]);
    expect(bench.nic.stats.ipv4.inErrors).toBe(1);
  });

  test('frames for nobody here go to the host, whole; a foreign VID is another connection (E21, F15)', () => {
    const { bench } = one();
    bench.arrive(REMOTE, PORT + 1, 5000, 1000, 'other port');
    bench.arrive(REMOTE, PORT, 5000, 1000, 'other VLAN', 0, 9);
    const [batch] = of(bench.step(), Completion.FramesReceived);
    expect(batch!.addresses).toHaveLength(2);
    expect(bench.nic.stats.ipv4.inSegments).toBe(0);
    for (const address of batch!.addresses) bench.submitAddress(Submission.ReturnBuffers, address);
    bench.step();
    expect(bench.nic.firmware.pool.inUse).toBe(0);
  });

  test('a connection with a VlanId sends and takes only that tag', () => {
    const bench = new Bench();
    const tcp = bench.tcp(PORT, 42);
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [bench.path(REMOTE, [tcp])], 0, 9));
    bench.step();
    bench.arrive(REMOTE, PORT, 5000, 1000, 'untagged');
    bench.arrive(REMOTE, PORT, 5000, 1000, 'foreign', 0, 8);
    bench.arrive(REMOTE, PORT, 5000, 1000, 'mine', 0, 9);
    expect(indicated(bench, bench.step())).toEqual(['mine']);
    bench.step(100);
    expect(bench.frames()).toMatchObject([{ vid: 9, ack: 5004 }]);
  });
});

describe('the receive pool', () => {
  test('exhausted: text is not acknowledged, nothing breaks; the peer sends it again', () => {
    const { bench } = one({ config: { receiveBuffers: 4 } });
    const text = 'abcdefgh';
    const step = (): Answer[] => {
      for (let i = 0; i < text.length; i++) bench.arrive(REMOTE, PORT, 5000 + i, 1000, text[i]);
      return bench.step(50);
    };
    const first = step();
    expect(indicated(bench, first).join('')).toBe('abcd');
    expect(bench.nic.stats.dropNoBuffer).toBeGreaterThan(0);
    expect(bench.nic.firmware.pool.available).toBe(0);
    expect(bench.frames().at(-1)!.ack).toBe(5004);
    for (const { a1 } of of(first, Completion.TcpIndicateReceive)) bench.submitAddress(Submission.ReturnBuffers, a1);
    bench.step();
    expect(indicated(bench, step()).join('')).toBe('efgh');
    expect(bench.fault).toBe(0);
  });

  test('out-of-order text leaves a part of it for what fills the gap', () => {
    const { bench } = one({ config: { receiveBuffers: 8 } });
    for (let i = 1; i < 20; i++) bench.arrive(REMOTE, PORT, 5000 + i, 1000, 'x');
    bench.step();
    expect(bench.nic.firmware.pool.available).toBeGreaterThanOrEqual(2);
    bench.arrive(REMOTE, PORT, 5000, 1000, 'x');
    expect(indicated(bench, bench.step()).join('').length).toBeGreaterThan(1);
  });

  test('exhausted: frames for the host are dropped and counted', () => {
    const bench = new Bench({ config: { receiveBuffers: 4 } });
    for (let i = 0; i < 10; i++) bench.arrive(REMOTE, 1 + i, 0, 0);
    const received = of(bench.step(), Completion.FramesReceived).flatMap(({ addresses }) => addresses);
    expect(received.length + bench.nic.stats.dropNoBuffer).toBe(10);
    expect(received.length).toBeGreaterThan(0);
  });
});

describe('the length of a frame', () => {
  /** An MTU whose frames fill neither a slot of the cable nor a receive buffer to its end. */
  const MTU = 600;
  const LONGEST = 'x'.repeat(MTU + 8 - 40);

  test('a giant that a slot has room for is dropped and counted: no receive buffer would hold it', () => {
    const { bench } = one({ config: { mtu: MTU } }, { effectiveMss: 536 });
    for (const port of [1, 2]) bench.arrive(REMOTE, port, 1, 1, `${LONGEST}xx`);
    expect(of(bench.step(), Completion.FramesReceived)).toEqual([]);
    expect(bench.nic.stats.dropLength).toBe(2);
  });

  test('the longest that the MTU and two tags allow is taken', () => {
    const { bench } = one({ config: { mtu: MTU } }, { effectiveMss: 536 });
    bench.arrive(REMOTE, 1, 1, 1, LONGEST);
    expect(of(bench.step(), Completion.FramesReceived)).toHaveLength(1);
    expect(bench.nic.stats.dropLength).toBe(0);
  });
});

describe('send', () => {
  test('is complete when the peer has acknowledged the last byte (E17)', () => {
    const { bench, handle } = one();
    const [first, second] = [bench.buffer('one'), bench.buffer('three')];
    bench.submit(Submission.TcpSend, handle, first);
    bench.step();
    bench.submit(Submission.TcpSend, handle, second);
    expect(of(bench.step(), Completion.TcpSendComplete)).toEqual([]);
    bench.arrive(REMOTE, PORT, 5000, 1003);
    expect(of(bench.step(), Completion.TcpSendComplete).map(({ a1 }) => a1)).toEqual([first]);
    bench.arrive(REMOTE, PORT, 5000, 1005);
    expect(of(bench.step(), Completion.TcpSendComplete)).toEqual([]);
    bench.arrive(REMOTE, PORT, 5000, 1008);
    expect(of(bench.step(), Completion.TcpSendComplete).map(({ a1 }) => a1)).toEqual([second]);
    expect(bench.frames().map(({ text }) => text)).toEqual(['one', 'three']);
  });

  test('disconnect with a buffer: FIN on the last byte, complete with the FIN (digest 4.9)', () => {
    const { bench, handle } = one();
    const last = bench.buffer('bye');
    bench.submit(Submission.TcpDisconnect, handle, last, 0, DisconnectFlag.Graceful);
    bench.step();
    expect(bench.frames()).toMatchObject([{ text: 'bye', flags: TcpFlag.Fin | TcpFlag.Psh | TcpFlag.Ack }]);
    bench.arrive(REMOTE, PORT, 5000, 1003);
    expect(bench.step()).toEqual([]);
    bench.arrive(REMOTE, PORT, 5000, 1004);
    expect(bench.step()).toMatchObject([{ opcode: Completion.TcpDisconnectComplete, a1: last, a2: 0 }]);
  });

  test('TIME-WAIT is not its business: it asks to be rid of the connection (digest 4.6)', () => {
    const { bench, handle } = one();
    bench.submit(Submission.TcpDisconnect, handle, 0, 0, DisconnectFlag.Graceful);
    bench.step();
    bench.arrive(REMOTE, PORT, 5000, 1001, '', TcpFlag.Fin);
    const events = of(bench.step(), Completion.TcpIndicateEvent).map(({ a1, a2 }) => [a1, a2]);
    expect(events).toEqual([
      [TcpOffloadEvent.IndicateDisconnect, 0],
      [TcpOffloadEvent.IndicateRetrieve, TcpUploadReason.UploadRequested],
    ]);
  });

  test('abort behind a disconnect, once it stands still: both are to be done where the state will be (D22)', () => {
    const { bench, handle } = one();
    bench.submit(Submission.TcpDisconnect, handle, 0, 0, DisconnectFlag.Graceful);
    bench.step();
    const slot = bench.nic.firmware.table.slotOfHandle(handle);
    // TIME-WAIT, or anything else that a device has to be rid of: it asks, and the host has not heard yet.
    bench.nic.firmware.retrieve(
      bench.nic.firmware.tcb.at(bench.nic.firmware.table.addressOf(slot)),
      TcpUploadReason.InvalidState,
    );
    bench.submit(Submission.TcpDisconnect, handle, 0, 0, DisconnectFlag.Abortive);
    const { UploadInProgress } = NdisStatus;
    expect(of(bench.step(), Completion.TcpDisconnectComplete).map(({ a2 }) => a2)).toEqual([
      UploadInProgress,
      UploadInProgress,
    ]);
  });

  test('abort behind a disconnect, when the peer has given no answer: both are answered, once (D22)', () => {
    const { bench, handle } = one({ config: { tcp: { ...DEFAULT_TCP_PARAMS, retransmissionsMax: 1 } } });
    bench.submit(Submission.TcpDisconnect, handle, 0, 0, DisconnectFlag.Graceful);
    for (let i = 0; i < 20; i++) bench.step(1000);
    bench.submit(Submission.TcpDisconnect, handle, 0, 0, DisconnectFlag.Abortive);
    const { RequestAborted, Success } = NdisStatus;
    expect(of(bench.step(), Completion.TcpDisconnectComplete).map(({ a2 }) => a2)).toEqual([RequestAborted, Success]);
  });

  test('abort, when the peer has not acknowledged what was sent: no success before the sends (digest 3.7)', () => {
    const { bench, handle } = one({ config: { tcp: { ...DEFAULT_TCP_PARAMS, retransmissionsMax: 1 } } });
    bench.submit(Submission.TcpSend, handle, bench.buffer('lost'));
    for (let i = 0; i < 20; i++) bench.step(1000);
    bench.submit(Submission.TcpDisconnect, handle, 0, 0, DisconnectFlag.Abortive);
    expect(of(bench.step(), Completion.TcpDisconnectComplete)).toMatchObject([{ a2: NdisStatus.RequestAborted }]);
  });

  test('sends and a disconnect after that go back behind the others, in the chain of the terminate (D04, D22)', () => {
    const { bench, handle } = one({ config: { tcp: { ...DEFAULT_TCP_PARAMS, retransmissionsMax: 1 } } });
    const sends = ['lost', 'late', 'last'].map(text => bench.buffer(text));
    bench.submit(Submission.TcpSend, handle, sends[0]!);
    for (let i = 0; i < 20; i++) bench.step(1000);
    bench.submit(Submission.TcpSend, handle, sends[1]!);
    bench.submit(Submission.TcpDisconnect, handle, sends[2]!, 0, DisconnectFlag.Graceful);
    expect(of(bench.step(), Completion.TcpSendComplete)).toEqual([]);
    const terminated = bench.named(OffloadStateType.Tcp, handle);
    bench.submit(Submission.TerminateOffload, terminated);
    const answers = bench.step();
    expect(of(answers, Completion.TcpDisconnectComplete)).toMatchObject([{ a1: 0, a2: NdisStatus.UploadInProgress }]);
    const chain: number[] = [];
    const buffers = NetBuffer.view(bench.memory);
    for (let at = bench.block(terminated).netBufferListChain; at !== 0; at = buffers.at(at).next) chain.push(at);
    expect(chain).toEqual(sends);
  });

  test('a forwarded segment is taken as if it had come by the wire, then answered (R29)', () => {
    const { bench, handle } = one();
    bench.arrive(REMOTE, PORT + 1, 5000, 1000, 'forwarded');
    const [batch] = of(bench.step(), Completion.FramesReceived);
    const address = batch!.addresses[0]!;
    const buffer = NetBuffer.view(bench.memory).at(address);
    // As the host would: the TCP segment alone, here with the port put right.
    buffer.dataAddress += 34;
    buffer.dataLength -= 34;
    bench.memory.view.setUint16(buffer.dataAddress, PORT);
    bench.submit(Submission.TcpForward, handle, address);
    const answers = bench.step();
    expect(indicated(bench, answers)).toEqual(['forwarded']);
    expect(of(answers, Completion.TcpForwardComplete)).toMatchObject([{ a0: 42, a1: address, a2: NdisStatus.Success }]);
  });
});

describe('what lies outside of its window', () => {
  const outside = 0x20000;
  for (const [what, submit] of [
    ['a frame descriptor', bench => bench.submitAddress(Submission.SendFrames, outside)],
    ['the bytes of a frame', bench => bench.submitAddress(Submission.SendFrames, bench.buffer('frame', outside))],
    ['a returned buffer that it never lent', bench => bench.submitAddress(Submission.ReturnBuffers, outside)],
    [
      'the bytes of a forwarded segment',
      (bench, handle) => bench.submit(Submission.TcpForward, handle, bench.buffer('x', outside)),
    ],
    ['an unknown descriptor', (bench, handle) => bench.submit(99 as Submission, handle)],
  ] satisfies [string, (bench: Bench, handle: number) => void][]) {
    test(`faults the device, not the process: ${what}`, () => {
      const { bench, handle } = one();
      submit(bench, handle);
      expect(() => bench.step()).not.toThrow();
      expect(bench.fault).not.toBe(0);
      expect(bench.nic.faultReason).not.toBe('');
    });
  }

  test('a send chain offered with a connection: that connection is refused, the device goes on', () => {
    const bench = new Bench();
    const chain = bench.buffer('data', outside);
    const bad = bench.tcp(1, 1, { sendDataHead: chain, sendDataTail: chain, sendDataBytes: 4 });
    const good = bench.tcp(2, 2);
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [bench.path(REMOTE, [bad, good])]));
    bench.step();
    expect([bad, good].map(at => bench.statusOf(at))).toEqual([NdisStatus.Failure, NdisStatus.Success]);
    expect(bench.fault).toBe(0);
  });

  // What an application posts or sends once the connection is offloaded is checked like everything else.
  for (const [what, opcode] of [
    ['a send', Submission.TcpSend],
    ['a posted receive', Submission.TcpReceive],
    ['a disconnect', Submission.TcpDisconnect],
  ] as const) {
    test(`${what} with bytes elsewhere faults the device; nothing is read or written there`, () => {
      const { bench, handle } = one();
      bench.memory.u8.fill(0x5a, outside, outside + 64);
      bench.submit(opcode, handle, bench.buffer('0123456789', outside), 0, DisconnectFlag.Graceful);
      bench.step();
      bench.arrive(REMOTE, PORT, 5000, 1000, 'intruder');
      bench.step();
      expect(bench.fault).not.toBe(0);
      expect(
        bench
          .frames()
          .map(({ text }) => text)
          .join(''),
      ).toBe('');
      expect(bench.memory.u8.subarray(outside, outside + 64).every(byte => byte === 0x5a)).toBe(true);
    });

    test(`${what} with a descriptor elsewhere, or a chain that never ends, faults the device`, () => {
      for (const loop of [false, true]) {
        const { bench, handle } = one();
        let chain = outside;
        if (loop) {
          chain = bench.buffer('x');
          NetBuffer.view(bench.memory).at(chain).next = chain;
        }
        bench.submit(opcode, handle, chain, 0, DisconnectFlag.Graceful);
        bench.step();
        expect(bench.fault).not.toBe(0);
      }
    });
  }
});

describe('control', () => {
  test('the heart beats every 50 ms, stops while it is stalled, and goes on (R37)', () => {
    const bench = new Bench();
    bench.step();
    const start = bench.heartbeat;
    bench.step(50);
    expect(bench.heartbeat).toBe(start + 1);
    bench.nic.stall();
    bench.step(500);
    expect(bench.heartbeat).toBe(start + 1);
    bench.nic.resume();
    bench.step(50);
    expect(bench.heartbeat).toBe(start + 2);
  });

  test('its retransmission timer runs by the time it is stepped with', () => {
    const { bench, handle } = one();
    bench.submit(Submission.TcpSend, handle, bench.buffer('again'));
    bench.step();
    bench.step(1000);
    expect(bench.frames().map(({ text }) => text)).toEqual(['again', 'again']);
    expect(bench.nic.stats.ipv4.retransmittedSegments).toBe(1);
  });
});
