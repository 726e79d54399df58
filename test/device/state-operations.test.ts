/** Updates, invalidations and queries of objects in a device that is stepped by hand (digest 1.5, 3.4, 3.5, 3.9). */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { NdisStatus } from '../../src/base/status.ts';
import { BLOCK_HEADER_BYTES, OffloadStateType } from '../../src/offload/block-list.ts';
import { Completion, Submission } from '../../src/offload/descriptors.ts';
import { OffloadEventCode, TcpOffloadEvent, TcpUploadReason } from '../../src/offload/events.ts';
import { NeighborState, PathState } from '../../src/offload/state-objects.ts';
import { DEFAULT_TARGET_OPTIONS, type TargetOptions } from '../../src/offload/target-options.ts';
import { TcbLayout, TcpCachedFlag, TcpTimer } from '../../src/tcp/tcb.ts';
import { IPV4, Ipv4Fragment } from '../../src/wire/ipv4.ts';
import { type Answer, Bench, type BenchOptions } from './bench.ts';

const { Success, Failure } = NdisStatus;
const { NeighborCached, Ip4Cached, TcpCached, Neighbor, Ip4, Tcp } = OffloadStateType;
const { KeepAliveEnabled, KeepAliveRestart, MaxRtRestart, MayFragment, UpdateRcvWnd } = TcpCachedFlag;
const PEER = 101;
const PORT = 5001;

function target(options: Partial<TargetOptions>): BenchOptions {
  return { config: { target: { ...DEFAULT_TARGET_OPTIONS, ...options } } };
}

/** One connection, its path, its neighbor; the handles by which they are named from now on. */
class Single {
  readonly bench: Bench;
  readonly t: number;
  readonly p: number;
  readonly n: number;

  constructor(change: Partial<Record<string, number>> = {}, options: BenchOptions = {}, mtu = 1500) {
    this.bench = new Bench(options);
    const { bench } = this;
    const tcp = bench.tcp(PORT, 1, change);
    const path = bench.path(PEER, [tcp], 0, 0, mtu);
    const neighbor = bench.neighbor(11, [path]);
    bench.submit(Submission.InitiateOffload, neighbor);
    bench.step();
    [this.t, this.p, this.n] = [tcp, path, neighbor].map(at => bench.handleOf(at)) as [number, number, number];
  }

  get tcb() {
    const { table } = this.bench.nic.firmware;
    return TcbLayout.view(this.bench.memory).at(table.addressOf(table.slotOfHandle(this.t)));
  }

  /** Updates cached fields; the others stay as they are. Returns the block's status. */
  update(change: Partial<Record<string, number>>): number {
    const { bench, tcb } = this;
    const block = bench.named(TcpCached, this.t);
    const { start, end } = TcbLayout.range('cached');
    bench.memory.u8.copyWithin(block + BLOCK_HEADER_BYTES + start, tcb.base + start, tcb.base + end);
    Object.assign(TcbLayout.view(bench.memory).at(block + BLOCK_HEADER_BYTES), change);
    bench.submit(Submission.UpdateOffload, block);
    bench.step();
    return bench.statusOf(block);
  }

  pathMtu(mtu: number): number {
    const block = this.bench.named(Ip4Cached, this.p);
    PathState.view(this.bench.memory).at(block + BLOCK_HEADER_BYTES).pathMtu = mtu;
    this.bench.submit(Submission.UpdateOffload, block);
    this.bench.step();
    return this.bench.statusOf(block);
  }

  query() {
    const block = this.bench.named(Tcp, this.t);
    this.bench.submit(Submission.QueryOffload, block);
    this.bench.step();
    expect(this.bench.statusOf(block)).toBe(Success);
    return TcbLayout.view(this.bench.memory).at(block + BLOCK_HEADER_BYTES);
  }

  send(text: string): void {
    this.bench.submit(Submission.TcpSend, this.t, this.bench.buffer(text));
    this.bench.step();
  }
}

function retrieves(answers: readonly Answer[], reason: number): number[] {
  return answers
    .filter(({ opcode, a1, a2 }) => {
      return opcode === Completion.TcpIndicateEvent && a1 === TcpOffloadEvent.IndicateRetrieve && a2 === reason;
    })
    .map(({ a0 }) => a0);
}

function reachabilityQueries(answers: readonly Answer[]): Answer[] {
  return answers.filter(({ opcode }) => opcode === Completion.IndicateOffloadEvent);
}

describe('an update of a neighbor', () => {
  test('costs the same with one dependent and with very many (C01)', () => {
    const costs = [1, 14].map(count => {
      const bench = new Bench();
      const tcps = Array.from({ length: count }, (_, i) => bench.tcp(PORT + i, i + 1));
      const n = bench.neighbor(11, [bench.path(PEER, tcps)]);
      bench.submit(Submission.InitiateOffload, n);
      bench.step();
      let copies = 0;
      const { kernels } = bench.memory;
      const copy = kernels.copy.bind(kernels);
      kernels.copy = (to, from, length) => {
        copies++;
        copy(to, from, length);
      };
      let looks = 0;
      const { table } = bench.nic.firmware;
      const addressOf = table.addressOf.bind(table);
      table.addressOf = slot => {
        looks++;
        return addressOf(slot);
      };
      bench.submit(Submission.UpdateOffload, bench.named(NeighborCached, bench.handleOf(n)));
      bench.step();
      kernels.copy = copy;
      return [copies, looks];
    });
    expect(costs[0]).toEqual(costs[1]);
    expect(costs[0]![1]).toBe(0);
  });
});

describe('an update of a path', () => {
  test('shrinks the segments of its connections; what is outstanding goes again at the new size (B06)', () => {
    const single = new Single();
    single.send('x'.repeat(1460));
    single.bench.frames();
    expect(single.pathMtu(540)).toBe(Success);
    expect(single.bench.frames().map(({ seq, text }) => [seq, text.length])).toEqual([
      [1000, 500],
      [1500, 500],
      [2000, 460],
    ]);
  });

  test('to the least that is believed lets routers cut, as an option of the connection does (RFC 1191 5, IP_PMTUDISC_DONT)', () => {
    const single = new Single();
    const keptWhole = (): boolean[] => {
      single.send('x'.repeat(100));
      return single.bench.rawFrames().map(({ view }) => (view.getUint16(14 + IPV4.fragment) & Ipv4Fragment.Df) !== 0);
    };
    expect(keptWhole()).toEqual([true]);
    single.pathMtu(552);
    expect(keptWhole()).toEqual([false]);
    single.pathMtu(1500);
    expect(keptWhole()).toEqual([true]);
    single.update({ cachedFlags: MayFragment });
    expect(keptWhole()).toEqual([false]);
    // A path that takes less is none of its business then.
    single.pathMtu(1000);
    expect(single.tcb.effectiveMss).toBe(1460);
  });

  test('leaves alone what fits (B06)', () => {
    const single = new Single();
    single.send('x'.repeat(400));
    single.bench.frames();
    single.pathMtu(540);
    expect(single.bench.frames()).toEqual([]);
  });

  test('counts the timestamp option (digest 1.3)', () => {
    const single = new Single({ constFlags: 1 });
    single.pathMtu(540);
    single.send('x'.repeat(600));
    expect(single.bench.frames().map(({ text }) => text.length)).toEqual([488, 112]);
  });

  test('to more than the device can send is FAILURE; the old value stays (C11)', () => {
    const single = new Single({}, {}, 540);
    expect(single.pathMtu(9000)).toBe(Failure);
    single.send('x'.repeat(1000));
    expect(single.bench.frames()[0]!.text.length).toBe(500);
  });

  test('of 9000 bytes makes no segment larger than the peer’s MSS of 536 (E30)', () => {
    const options: BenchOptions = { config: { mtu: 9000 } };
    const single = new Single({ remoteMss: 536, effectiveMss: 8960 }, options, 9000);
    single.send('x'.repeat(1200));
    single.pathMtu(8000);
    single.send('x'.repeat(1200));
    const lengths = single.bench.frames().map(({ text }) => text.length);
    expect(Math.max(...lengths)).toBe(536);
  });
});

describe('an update of a connection', () => {
  test('that lowers the receive buffer retracts nothing that was offered; then the window follows it (C05)', () => {
    const single = new Single();
    const { bench } = single;
    let edge = 5000 + 65_535;
    expect(single.update({ initialRcvWnd: 4000, cachedFlags: UpdateRcvWnd })).toBe(Success);
    for (let seq = 5000; seq < 5000 + 80_000; seq += 1000) {
      bench.arrive(PEER, PORT, seq, 1000, 'y'.repeat(1000), 8);
      for (const { opcode, a1 } of bench.step(50)) {
        if (opcode !== Completion.TcpIndicateReceive) continue;
        bench.submitAddress(Submission.ReturnBuffers, a1);
        bench.submit(Submission.TcpReceiveReturn, single.t, 1000);
      }
      bench.step();
      for (const { ack, window } of bench.frames()) {
        expect(ack + window).toBeGreaterThanOrEqual(edge);
        edge = ack + window;
        // What was offered before runs out; after that no more than the buffer is offered.
        if (ack > 5000 + 65_535) expect(window).toBeLessThanOrEqual(4000);
      }
    }
    expect(edge).toBeGreaterThan(5000 + 70_000);
  });

  test('that raises it is told to the peer; one that changes nothing is not (C06)', () => {
    const single = new Single({ initialRcvWnd: 20_000, rcvWnd: 20_000 });
    single.update({ initialRcvWnd: 20_000, cachedFlags: UpdateRcvWnd });
    expect(single.bench.frames()).toEqual([]);
    single.update({ initialRcvWnd: 60_000, cachedFlags: UpdateRcvWnd });
    // Unscaled, so in full segments.
    expect(single.bench.frames()).toMatchObject([{ window: 41 * 1460, text: '', seq: 1000 }]);
    expect(single.tcb.cachedFlags & UpdateRcvWnd).toBe(0);
  });

  test('beyond what the device can offer is FAILURE, and nothing of it applies (C11)', () => {
    const single = new Single({}, { config: { rcvWindowMax: 100_000 } });
    expect(single.update({ initialRcvWnd: 100_001, ttl: 7 })).toBe(Failure);
    expect([single.tcb.initialRcvWnd, single.tcb.ttl]).toEqual([65_535, 64]);
  });

  test('that disables keep-alive while a probe is unanswered stops the timer: -1 (C07, C13)', () => {
    const single = new Single();
    const { bench } = single;
    const keepAlive = { kaTimeout: 1000, kaInterval: 500, kaProbeMax: 5 };
    single.update({ ...keepAlive, cachedFlags: KeepAliveEnabled });
    expect(single.query().kaTimeoutDelta).toBe(1000);
    bench.step(1000);
    expect(bench.frames()).toMatchObject([{ seq: 999, text: '' }]);
    expect([single.query().kaTimeoutDelta, single.query().kaProbeCount]).toEqual([500, 1]);
    single.update({ ...keepAlive, cachedFlags: 0 });
    expect([single.query().kaTimeoutDelta, single.query().kaProbeCount]).toEqual([-1, 0]);
    bench.step(5000);
    expect(bench.frames()).toEqual([]);
  });

  test('leaves a running keep-alive timer alone unless it says KEEP_ALIVE_RESTART, once (C08)', () => {
    const single = new Single();
    const keepAlive = { kaTimeout: 1000, kaInterval: 500, kaProbeMax: 5 };
    single.update({ ...keepAlive, cachedFlags: KeepAliveEnabled });
    single.bench.step(400);
    single.update({ ...keepAlive, cachedFlags: KeepAliveEnabled });
    expect(single.query().kaTimeoutDelta).toBe(600);
    single.update({ ...keepAlive, cachedFlags: KeepAliveEnabled | KeepAliveRestart });
    expect(single.query().kaTimeoutDelta).toBe(1000);
    expect(single.tcb.cachedFlags).toBe(KeepAliveEnabled);
  });

  test.each(['as-meant', 'as-written'] as const)('MAX_RT_RESTART and keep-alive, %s (C08)', restartFlags => {
    const single = new Single({}, target({ restartFlags }));
    const { bench } = single;
    single.update({ kaTimeout: 1000, kaInterval: 500, kaProbeMax: 5, cachedFlags: KeepAliveEnabled });
    bench.step(1000);
    bench.step(200);
    const flags = KeepAliveEnabled | MaxRtRestart;
    single.update({ kaTimeout: 3000, kaInterval: 500, kaProbeMax: 6, cachedFlags: flags });
    const { kaTimeoutDelta, kaProbeCount } = single.query();
    expect([kaTimeoutDelta, kaProbeCount]).toEqual(restartFlags === 'as-written' ? [3000, 0] : [300, 1]);
  });

  describe('of MaxRT (C09)', () => {
    /** Sends, and lets it be retransmitted for so long; the ends that were asked for. */
    function retransmitting(maxRt: number, ms: number) {
      const single = new Single({ maxRt });
      single.send('x');
      const ends: number[] = [];
      for (let at = 0; at < ms; at += 500) ends.push(...retrieves(single.bench.step(500), TimeoutExpiration));
      return { single, ends, sent: single.bench.frames().length };
    }
    const { TimeoutExpiration } = TcpUploadReason;

    test('0 gives up by count', () => {
      const { ends, sent } = retransmitting(0, 1_000_000);
      expect([ends, sent]).toEqual([[1], 16]);
    });

    test('-1 never gives up', () => {
      const { ends, sent } = retransmitting(-1, 3_000_000);
      expect(ends).toEqual([]);
      expect(sent).toBeGreaterThan(40);
    });

    test('a time gives up when it is spent', () => {
      const { ends, sent } = retransmitting(10_000, 60_000);
      // Time-outs after 1, 3 and 7 s: six are spent then, and the fourth is cut to the four that are left.
      expect([ends, sent]).toEqual([[1], 4]);
    });

    test('reduced below TotalRT it ends the connection at the next time-out', () => {
      const { single } = retransmitting(0, 20_000);
      single.update({ maxRt: 5000 });
      expect(retrieves(single.bench.step(), TimeoutExpiration)).toEqual([]);
      expect(retrieves(single.bench.step(16_000), TimeoutExpiration)).toEqual([1]);
    });

    test('with MAX_RT_RESTART it begins to count anew', () => {
      const { single } = retransmitting(0, 20_000);
      expect(single.query().totalRt).toBeGreaterThan(5000);
      single.update({ maxRt: 5000, cachedFlags: MaxRtRestart });
      expect(single.query().totalRt).toBe(0);
      expect(retrieves(single.bench.step(16_000), TimeoutExpiration)).toEqual([]);
      expect(retrieves(single.bench.step(60_000), TimeoutExpiration)).toEqual([1]);
    });
  });
});

describe('a query', () => {
  test('gives -1 for timers that do not run, remainders for those that do, and backlogs in place of chains (C13)', () => {
    const single = new Single({ srtt: 80, rttvar: 40, cwnd: 14_600, sndWnd: 9000 });
    const idle = single.query();
    expect([idle.rtxTimeoutDelta, idle.kaTimeoutDelta, idle.rtxKind]).toEqual([-1, -1, TcpTimer.None]);
    expect([idle.sendDataHead, idle.bufferedData]).toEqual([9000, 0]);
    single.send('12345');
    single.bench.step(50);
    const busy = single.query();
    expect([busy.rtxTimeoutDelta, busy.rtxKind]).toEqual([160, TcpTimer.Retransmit]);
    expect([busy.sndUna, busy.sndNxt, busy.sendDataHead]).toEqual([1000, 1005, 9000]);
  });

  test('knows no preferred backlog before it has measured the path: 0xFFFFFFFF (C13)', () => {
    expect(new Single({ srtt: 0 }).query().sendDataHead >>> 0).toBe(0xffff_ffff);
  });

  test('changes nothing: the connection runs on as if it had not been asked (R4, C14)', () => {
    const run = (asks: boolean): unknown => {
      const single = new Single({ srtt: 80, rttvar: 40 });
      const { bench } = single;
      const frames = [];
      for (let step = 0; step < 30; step++) {
        if (step % 5 === 0) single.send('x'.repeat(700));
        if (step % 7 === 0) bench.arrive(PEER, PORT, 5000 + step, 1000 + step * 10, 'z');
        bench.step();
        if (asks) single.query();
        bench.step(37);
        frames.push(...bench.frames().map(({ seq, ack, text }) => [step, seq, ack, text.length]));
      }
      return frames;
    };
    expect(run(true)).toEqual(run(false));
  });

  test('overlaps another: both are answered, each with values of its time, which never go back (C14)', () => {
    const single = new Single();
    const { bench } = single;
    single.send('12345');
    const blocks = [1, 2].map(() => bench.named(Tcp, single.t));
    bench.submit(Submission.QueryOffload, blocks[0]!);
    bench.arrive(PEER, PORT, 5000, 1003);
    bench.submit(Submission.QueryOffload, blocks[1]!);
    const done = bench.step().filter(({ opcode }) => opcode === Completion.QueryOffloadComplete);
    expect(done.map(({ a0 }) => a0)).toEqual(blocks);
    const una = blocks.map(block => TcbLayout.view(bench.memory).at(block + BLOCK_HEADER_BYTES).sndUna);
    expect(una[1]).toBeGreaterThanOrEqual(una[0]!);
  });

  test('of a path gives the next identification, of a neighbor its NicReachabilityDelta now (R31, digest 3.9)', () => {
    const single = new Single();
    const { bench } = single;
    single.send('1');
    bench.step(100);
    const path = bench.named(Ip4, single.p);
    const neighbor = bench.named(Neighbor, single.n, [path]);
    bench.submit(Submission.QueryOffload, neighbor);
    bench.step(0);
    expect(PathState.view(bench.memory).at(path + BLOCK_HEADER_BYTES).ipIdStart).toBe(1);
    expect(NeighborState.view(bench.memory).at(neighbor + BLOCK_HEADER_BYTES).nicReachabilityDelta).toBe(100);
  });
});

describe('a connection whose entry is damaged', () => {
  test('fails the query, is asked for, aborted, and at the terminate its requests are: in this order (C15)', () => {
    const single = new Single();
    const { bench } = single;
    const sends = [bench.buffer('12345'), bench.buffer('67890')];
    for (const send of sends) bench.submit(Submission.TcpSend, single.t, send);
    bench.submit(Submission.TcpReceive, single.t, bench.buffer('.'.repeat(64)));
    bench.step();
    bench.nic.corrupt(bench.nic.firmware.table.slotOfHandle(single.t));
    const query = bench.named(Tcp, single.t);
    bench.submit(Submission.QueryOffload, query);
    const answers = bench.step();
    expect(bench.statusOf(query)).toBe(Failure);
    const { TcpIndicateEvent, TcpSendComplete, TcpReceiveComplete } = Completion;
    expect(answers).toMatchObject([
      { opcode: Completion.QueryOffloadComplete, a0: query },
      { opcode: TcpIndicateEvent, a1: TcpOffloadEvent.IndicateRetrieve, a2: TcpUploadReason.HardwareFailure },
      { opcode: TcpIndicateEvent, a1: TcpOffloadEvent.IndicateAbort },
    ]);
    bench.frames();
    bench.step(60_000);
    expect(bench.frames()).toEqual([]);
    const terminate = bench.named(Tcp, single.t);
    bench.submit(Submission.TerminateOffload, terminate);
    const { RequestAborted } = NdisStatus;
    expect(bench.step()).toMatchObject([
      { opcode: TcpSendComplete, a1: sends[0], a2: RequestAborted },
      { opcode: TcpSendComplete, a1: sends[1], a2: RequestAborted },
      { opcode: TcpReceiveComplete, a2: RequestAborted },
      { opcode: Completion.TerminateOffloadComplete, a0: terminate },
    ]);
    expect(bench.statusOf(terminate)).toBe(Failure);
    expect(bench.nic.tree.connections).toBe(0);
  });
});

describe('an invalidation', () => {
  const invalidate = (bench: Bench, type: OffloadStateType, handle: number) => {
    const block = bench.named(type, handle);
    bench.submit(Submission.InvalidateOffload, block);
    return { block, answers: bench.step() };
  };

  test('of path and neighbor both asks for each connection once; all stay until they are terminated (C16)', () => {
    const bench = new Bench();
    const tcps = [1, 2, 3].map(n => bench.tcp(5000 + n, n));
    const p = bench.path(PEER, tcps);
    const n = bench.neighbor(11, [p]);
    bench.submit(Submission.InitiateOffload, n);
    bench.step();
    const { InvalidState } = TcpUploadReason;
    expect(retrieves(invalidate(bench, Ip4, bench.handleOf(p)).answers, InvalidState)).toEqual([1, 2, 3]);
    expect(retrieves(invalidate(bench, Neighbor, bench.handleOf(n)).answers, InvalidState)).toEqual([]);
    expect(bench.nic.tree).toEqual({ paths: 1, neighbors: 1, connections: 3 });
  });

  test('what is posted afterwards waits, unsent, and comes back with the upload (C17)', () => {
    const single = new Single();
    const { bench } = single;
    invalidate(bench, Ip4, single.p);
    single.send('12345');
    bench.step(10_000);
    expect(bench.frames()).toEqual([]);
    const block = bench.named(Tcp, single.t);
    bench.submit(Submission.TerminateOffload, block);
    bench.step();
    const { sndUna, sndNxt, sndMax, sendDataBytes } = TcbLayout.view(bench.memory).at(block + BLOCK_HEADER_BYTES);
    expect([sndUna, sndNxt, sndMax, sendDataBytes]).toEqual([1000, 1000, 1000, 5]);
    expect(bench.block(block).netBufferListChain).not.toBe(0);
  });

  test('leaves no acknowledgment out, neither at once nor by timer (C18)', () => {
    const single = new Single();
    const { bench } = single;
    invalidate(bench, Neighbor, single.n);
    for (let i = 0; i < 4; i++) bench.arrive(PEER, PORT, 5000 + i, 1000, 'y');
    for (let i = 0; i < 10; i++) bench.step(100);
    expect(bench.frames()).toEqual([]);
  });

  test('is only a request where the option says lenient: traffic goes on until the terminate (digest 3.5)', () => {
    const single = new Single({}, target({ invalidate: 'lenient' }));
    const { bench } = single;
    expect(retrieves(invalidate(bench, Ip4, single.p).answers, TcpUploadReason.InvalidState)).toEqual([1]);
    expect(retrieves(invalidate(bench, Ip4, single.p).answers, TcpUploadReason.InvalidState)).toEqual([]);
    single.send('12345');
    expect(bench.frames()).toMatchObject([{ text: '12345' }]);
  });

  test('of a path gives its next identification (R31)', () => {
    const single = new Single();
    for (let i = 0; i < 3; i++) {
      single.send('x');
      single.bench.arrive(PEER, PORT, 5000, 1001 + i);
      single.bench.step();
    }
    const { block } = invalidate(single.bench, Ip4, single.p);
    expect(PathState.view(single.bench.memory).at(block + BLOCK_HEADER_BYTES).ipIdStart).toBe(3);
  });

  test('with a redirect: whatever comes in between, nothing leaves through the old neighbor afterwards (C04, R9)', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const prng = new Prng(seed);
      const bench = new Bench();
      const tcps = [1, 2, 3, 4].map(n => bench.tcp(5000 + n, n));
      const paths = [bench.path(101, tcps.slice(0, 2)), bench.path(102, tcps.slice(2))];
      const old = bench.neighbor(11, paths);
      bench.submit(Submission.InitiateOffload, old);
      bench.step();
      const traffic = (): void => {
        for (let i = prng.below(6); i > 0; i--) {
          const at = prng.below(4);
          const remote = at < 2 ? 101 : 102;
          if (prng.chance(0.5)) bench.submit(Submission.TcpSend, bench.handleOf(tcps[at]!), bench.buffer('x'));
          else bench.arrive(remote, 5001 + at, 5000, 1000, 'y');
          if (prng.chance(0.5)) bench.step(prng.below(300));
        }
      };
      traffic();
      bench.step();
      bench.frames();
      bench.submit(Submission.InvalidateOffload, bench.named(Neighbor, bench.handleOf(old)));
      bench.step();
      bench.frames();
      traffic();
      const fresh = bench.neighbor(12);
      bench.submit(Submission.InitiateOffload, fresh);
      traffic();
      bench.step();
      const moved = paths.map(at => bench.named(Ip4, bench.handleOf(at)));
      bench.submit(Submission.UpdateOffload, bench.named(Neighbor, bench.handleOf(fresh), moved));
      traffic();
      bench.step(1000);
      bench.submit(Submission.TerminateOffload, bench.named(Neighbor, bench.handleOf(old)));
      traffic();
      bench.step(1000);
      const left = bench.frames().filter(({ destinationLo }) => destinationLo === 11);
      expect(left, `seed ${seed}`).toEqual([]);
      expect(bench.nic.tree, `seed ${seed}`).toEqual({ paths: 2, neighbors: 1, connections: 4 });
    }
  });
});

describe('a neighbor that nobody has proof of', () => {
  const STALE = 1000;

  function pair() {
    const bench = new Bench(target({ nceStaleTicks: STALE }));
    const tcps = [1, 2].map(n => bench.tcp(5000 + n, n));
    const n = bench.neighbor(11, [bench.path(101, [tcps[0]!]), bench.path(102, [tcps[1]!])]);
    bench.block(n).ndisOffloadHandle = 77;
    bench.submit(Submission.InitiateOffload, n);
    bench.step();
    const [first, second] = tcps.map(at => bench.handleOf(at)) as [number, number];
    return { bench, first, second, neighbor: bench.handleOf(n) };
  }

  test('is asked for before a transmission, with the age of the device’s proof; once (C19)', () => {
    const { bench, first, second } = pair();
    bench.submit(Submission.TcpSend, first, bench.buffer('x'));
    expect(reachabilityQueries(bench.step(STALE))).toEqual([]);
    bench.submit(Submission.TcpSend, second, bench.buffer('x'));
    const asked = reachabilityQueries(bench.step(1));
    expect(asked).toMatchObject([{ a0: 77, a1: OffloadEventCode.NeighborReachabilityQuery, a2: STALE + 1 }]);
    bench.submit(Submission.TcpSend, second, bench.buffer('x'));
    expect(reachabilityQueries(bench.step(STALE))).toEqual([]);
  });

  test('progress of one connection is proof for all that share it (C20)', () => {
    const { bench, first, second } = pair();
    bench.submit(Submission.TcpSend, first, bench.buffer('x'));
    bench.step();
    bench.step(900);
    bench.arrive(101, 5001, 5000, 1001);
    bench.step();
    bench.submit(Submission.TcpSend, second, bench.buffer('x'));
    expect(reachabilityQueries(bench.step(STALE))).toEqual([]);
    // A segment that acknowledges nothing is none.
    bench.arrive(101, 5001, 5000, 1001, 'y');
    expect(reachabilityQueries(bench.step(1))).toEqual([]);
    bench.submit(Submission.TcpSend, first, bench.buffer('x'));
    expect(reachabilityQueries(bench.step(1))).toHaveLength(1);
  });

  test('a HostReachabilityDelta of 0 mutes the device for NceStaleTicks (C19)', () => {
    const { bench, first, neighbor } = pair();
    bench.submit(Submission.TcpSend, first, bench.buffer('x'));
    expect(reachabilityQueries(bench.step(5000))).toHaveLength(1);
    bench.submit(Submission.UpdateOffload, bench.named(NeighborCached, neighbor));
    bench.step();
    bench.submit(Submission.TcpSend, first, bench.buffer('x'));
    expect(reachabilityQueries(bench.step(STALE))).toEqual([]);
    expect(reachabilityQueries(bench.step(10_000))).toHaveLength(1);
  });
});
