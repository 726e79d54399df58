/** Receive buffers for each connection (R30, ¶88): set aside, never exceeded, given back whoever returns them when. */
import { describe, expect, test } from 'vitest';
import { NdisStatus } from '../../src/base/status.ts';
import { Prng } from '../../src/base/prng.ts';
import { Completion, Submission } from '../../src/offload/descriptors.ts';
import { TcpUploadReason } from '../../src/offload/events.ts';
import { Bench } from './bench.ts';
import { of, OneConnection, PORT, reasonsOf, REMOTE } from './one-connection.ts';

const target = { receivePool: 'per-connection', buffersPerConnection: 4 } as const;

function indicated(answers: Parameters<typeof of>[0]): number[] {
  return of(answers, Completion.TcpIndicateReceive).map(({ a1 }) => a1);
}

describe('a pool for each connection (R30)', () => {
  test('a connection for which nothing can be set aside is refused: OFFLOAD_TCP_RCV_BUFFER (A19)', () => {
    const bench = new Bench({ target, config: { receiveBuffers: 10 } });
    const connections = [1, 2, 3].map(n => bench.tcp(PORT + n, n));
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [bench.path(REMOTE, connections)]));
    bench.step();
    const { Success, OffloadTcpRcvBuffer } = NdisStatus;
    expect(connections.map(at => bench.statusOf(at))).toEqual([Success, Success, OffloadTcpRcvBuffer]);
    expect(bench.nic.firmware.pool.unreserved).toBe(2);
  });

  test('frames for the host always find some: a part of the pool is never set aside', () => {
    const bench = new Bench({ target, config: { receiveBuffers: 32 }, tcpEntries: 16 });
    const connections = Array.from({ length: 16 }, (_, n) => bench.tcp(PORT + n, n + 1));
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [bench.path(REMOTE, connections)]));
    bench.step();
    expect(bench.nic.tree.connections).toBe(6);
    for (let i = 0; i < 5; i++) bench.arrive(REMOTE, 9, 0, 0);
    expect(of(bench.step(), Completion.FramesReceived).flatMap(({ addresses }) => addresses)).toHaveLength(5);
  });

  test('it never has more than its own out, indications included; returned ones are its own again', () => {
    const one = new OneConnection({ target, config: { receiveBuffers: 64 } });
    const { bench } = one;
    for (let i = 0; i < 6; i++) one.arrive(5000 + i, 1000, 'abcdef'[i]);
    const first = indicated(bench.step());
    expect(first.map(at => bench.textOf(at)).join('')).toBe('abcd');
    expect(bench.nic.firmware.pool.inUse).toBe(4);
    bench.submitAddress(Submission.ReturnBuffers, first[0]!);
    bench.step();
    for (let i = 4; i < 6; i++) one.arrive(5000 + i, 1000, 'abcdef'[i]);
    expect(indicated(bench.step()).map(at => bench.textOf(at))).toEqual(['e']);
  });

  test('others are not starved: a greedy connection leaves the rest of the pool alone', () => {
    const bench = new Bench({ target, config: { receiveBuffers: 16 } });
    const connections = [1, 2].map(n => bench.tcp(PORT + n, n));
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [bench.path(REMOTE, connections)]));
    bench.step();
    for (let i = 0; i < 16; i++) bench.arrive(REMOTE, PORT + 1, 5000 + i, 1000, 'x');
    // And as many frames for the host.
    for (let i = 0; i < 16; i++) bench.arrive(REMOTE, 9, 0, 0);
    bench.step();
    for (let i = 0; i < 4; i++) bench.arrive(REMOTE, PORT + 2, 5000 + i, 1000, 'y');
    expect(indicated(bench.step())).toHaveLength(4);
  });

  test('out-of-order text leaves a buffer for what fills the gap', () => {
    const one = new OneConnection({ target });
    for (let i = 1; i < 10; i++) one.arrive(5000 + i, 1000, 'x');
    one.bench.step();
    one.arrive(5000, 1000, 'x');
    expect(indicated(one.bench.step())).toHaveLength(4);
  });

  test('a connection whose buffers stay away is asked for (D30)', () => {
    const one = new OneConnection({ target });
    const reasons: number[] = [];
    for (let i = 0; i < 4; i++) one.arrive(5000 + i, 1000, 'x');
    one.bench.step();
    for (let i = 0; i < 20; i++) {
      one.arrive(5004, 1000, 'x');
      reasons.push(...reasonsOf(one.bench.step(10)));
    }
    expect(reasons).toEqual([TcpUploadReason.UploadRequested]);
  });

  test('at terminate the rest is free at once; late returns are nobody’s but the pool’s (D13)', () => {
    const one = new OneConnection({ target, config: { receiveBuffers: 12 } });
    const { bench } = one;
    const { pool } = bench.nic.firmware;
    for (let i = 0; i < 3; i++) one.arrive(5000 + i, 1000, 'x');
    const out = indicated(bench.step());
    one.terminate();
    expect([pool.inUse, pool.unreserved]).toEqual([3, 9]);
    // The slot's next connection has a full set of its own.
    const next = bench.tcp(PORT, 7, { rcvNxt: 5000 });
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [bench.path(REMOTE, [next])]));
    bench.step();
    expect(pool.unreserved).toBe(5);
    for (const at of out) bench.submitAddress(Submission.ReturnBuffers, at);
    bench.step();
    expect([pool.inUse, pool.unreserved]).toEqual([0, 8]);
    for (let i = 0; i < 6; i++) one.arrive(5000 + i, 1000, 'x');
    expect(indicated(bench.step())).toHaveLength(4);
  });

  for (const seed of [1, 2, 3, 4]) {
    test(`any order of arrivals, returns, offloads and ends keeps the account (seed ${seed})`, () => {
      const random = new Prng(seed);
      const config = { receiveBuffers: 24 };
      const bench = new Bench({ target, config, tcpEntries: 8 });
      const { pool } = bench.nic.firmware;
      const out: number[] = [];
      const live: { port: number; tcp: number; tree: number[]; next: number }[] = [];
      for (let turn = 0, port = 6000; turn < 300; turn++) {
        const dice = random.below(10);
        if (dice === 0) {
          const tcp = bench.tcp(++port, port);
          const path = bench.path(REMOTE, [tcp]);
          const neighbor = bench.neighbor(1, [path]);
          bench.submit(Submission.InitiateOffload, neighbor);
          bench.step();
          if (bench.statusOf(tcp) === NdisStatus.Success) {
            const tree = [neighbor, path, tcp].map(at => bench.handleOf(at));
            live.push({ port, tcp, tree, next: 5000 });
          }
        } else if (dice === 1 && live.length > 0) {
          const [gone] = live.splice(random.below(live.length), 1);
          const [, , tcp] = gone!.tree;
          bench.submit(Submission.TerminateOffload, bench.named(17, tcp!));
          bench.step();
        } else if (dice < 4 && out.length > 0) {
          bench.submitAddress(Submission.ReturnBuffers, out.splice(random.below(out.length), 1)[0]!);
          bench.step();
        } else if (live.length > 0) {
          const connection = live[random.below(live.length)]!;
          bench.arrive(REMOTE, connection.port, connection.next, 1000, 'x');
          const answers = bench.step();
          const got = indicated(answers);
          connection.next += got.length;
          // One that was starved for long has been asked for, and its frames go up whole.
          out.push(...got, ...of(answers, Completion.FramesReceived).flatMap(({ addresses }) => addresses));
        }
        bench.frames();
        expect(pool.inUse).toBe(out.length);
        expect(pool.unreserved).toBeGreaterThanOrEqual(0);
      }
      while (live.length > 0) {
        bench.submit(Submission.TerminateOffload, bench.named(17, live.pop()!.tree[2]!));
        bench.step();
      }
      for (const at of out) bench.submitAddress(Submission.ReturnBuffers, at);
      bench.step();
      expect([pool.inUse, pool.unreserved, bench.fault]).toEqual([0, config.receiveBuffers, 0]);
    });
  }
});
