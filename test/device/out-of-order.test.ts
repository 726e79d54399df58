/** Out-of-order text that comes along with a connection is copied, or the connection is refused (D09, RFC 2018 8). */
import { describe, expect, test } from 'vitest';
import { NdisStatus } from '../../src/base/status.ts';
import { NetBuffer, NetBufferFlag } from '../../src/memory/net-buffer.ts';
import { BLOCK_HEADER_BYTES, OffloadStateType } from '../../src/offload/block-list.ts';
import { Completion, Submission } from '../../src/offload/descriptors.ts';
import { TCP_TRANSFER_OFFSET, TcpTransfer } from '../../src/offload/tcp-transfer.ts';
import { TcbLayout, TcpConstFlag } from '../../src/tcp/tcb.ts';
import { Bench, type BenchOptions } from './bench.ts';
import { of } from './one-connection.ts';

const REMOTE = 101;
const PORT = 5001;
const CONTEXT = 42;

interface Piece {
  readonly segSeq: number;
  readonly text: string;
  readonly stamp: number;
  readonly flags?: number;
  readonly dataAddress?: number;
}

/** A connection that is offered with these buffers, in order. */
function offer(
  pieces: readonly Piece[],
  constFlags: number,
  options: BenchOptions = {},
  before: (bench: Bench) => void = () => {},
) {
  const bench = new Bench(options);
  before(bench);
  const free = bench.nic.firmware.pool.available;
  const chain = pieces.map(({ segSeq, text, stamp, flags = 0, dataAddress = 0 }) => {
    const at = bench.buffer(text, dataAddress);
    Object.assign(NetBuffer.view(bench.memory).at(at), { segSeq, stamp, flags });
    return at;
  });
  chain.forEach((at, index) => (NetBuffer.view(bench.memory).at(at).next = chain[index + 1] ?? 0));
  const tcp = bench.tcp(PORT, CONTEXT, { constFlags });
  TcpTransfer.view(bench.memory).at(tcp + TCP_TRANSFER_OFFSET).outOfOrder = chain[0] ?? 0;
  const path = bench.path(REMOTE, [tcp]);
  const neighbor = bench.neighbor(1, [path]);
  bench.submit(Submission.InitiateOffload, neighbor);
  bench.step();
  const taken = free - bench.nic.firmware.pool.available;
  return { bench, status: bench.statusOf(tcp), taken, handles: [neighbor, path, tcp].map(at => bench.handleOf(at)) };
}

/** Takes the pool's buffers until so many are left. */
function leave(count: number): (bench: Bench) => void {
  return bench => {
    const { pool } = bench.nic.firmware;
    while (pool.available > count) pool.allocate();
  };
}

const TWO = [
  { segSeq: 5004, text: 'efgh', stamp: 2 },
  { segSeq: 5012, text: 'mnop', stamp: 7, flags: NetBufferFlag.Push },
];

describe('out-of-order text in a request', () => {
  test('is copied, and delivered when the gap is filled; the host may use its own buffers again', () => {
    const { bench, status, taken } = offer(TWO, TcpConstFlag.Sack);
    expect([status, taken]).toEqual([NdisStatus.Success, 2]);
    bench.memory.u8.fill(0, bench.application, bench.application + 1024);
    bench.arrive(REMOTE, PORT, 5000, 1000, 'abcd');
    const indications = of(bench.step(), Completion.TcpIndicateReceive);
    expect(indications.map(({ a1 }) => bench.textOf(a1))).toEqual(['abcd', 'efgh']);
    expect(bench.frames().at(-1)!.ack).toBe(5008);
  });

  test('goes back at the terminate, lent, in order, with its stamps and flags', () => {
    const { bench, handles } = offer(TWO, TcpConstFlag.Sack);
    const tcp = bench.named(OffloadStateType.Tcp, handles[2]!);
    const path = bench.named(OffloadStateType.Ip4, handles[1]!, [tcp]);
    bench.submit(Submission.TerminateOffload, bench.named(OffloadStateType.Neighbor, handles[0]!, [path]));
    bench.step();
    const buffer = NetBuffer.view(bench.memory);
    const found: Piece[] = [];
    const addresses: number[] = [];
    let at = TcpTransfer.view(bench.memory).at(tcp + TCP_TRANSFER_OFFSET).outOfOrder;
    for (; at !== 0; at = buffer.at(at).next) {
      const { segSeq, stamp, flags } = buffer.at(at);
      found.push({ segSeq, text: bench.textOf(at), stamp, ...(flags === 0 ? {} : { flags }) });
      addresses.push(at);
    }
    expect(found).toEqual(TWO);
    const { pool } = bench.nic.firmware;
    expect(addresses.every(address => pool.isLent(address))).toBe(true);
    for (const address of addresses) bench.submitAddress(Submission.ReturnBuffers, address);
    bench.step();
    expect(pool.inUse).toBe(0);
    expect(TcbLayout.view(bench.memory).at(tcp + BLOCK_HEADER_BYTES).rcvNxt).toBe(5000);
  });

  test('a piece that is larger than a buffer becomes several; only the last says what follows its end', () => {
    const text = 'x'.repeat(4000);
    const flags = NetBufferFlag.Push | NetBufferFlag.Fin;
    const { bench, status, taken } = offer([{ segSeq: 5004, text, stamp: 3, flags }], TcpConstFlag.Sack);
    const { dataBytes } = bench.nic.firmware.pool;
    const count = Math.ceil(4000 / dataBytes);
    expect(count).toBeGreaterThan(1);
    expect([status, taken]).toEqual([NdisStatus.Success, count]);
    bench.arrive(REMOTE, PORT, 5000, 1000, 'abcd');
    const answers = bench.step();
    const texts = of(answers, Completion.TcpIndicateReceive).map(({ a1 }) => bench.textOf(a1));
    expect(texts.join('')).toBe(`abcd${text}`);
    expect(of(answers, Completion.TcpIndicateEvent).length).toBe(1);
    // The FIN counts.
    expect(bench.frames().at(-1)!.ack).toBe(5000 + 4 + 4000 + 1);
  });

  test('a FIN without text takes a buffer of its own', () => {
    const fin = [{ segSeq: 5004, text: '', stamp: 1, flags: NetBufferFlag.Fin }];
    const { bench, status, taken } = offer(fin, TcpConstFlag.Sack);
    expect([status, taken]).toEqual([NdisStatus.Success, 1]);
    bench.arrive(REMOTE, PORT, 5000, 1000, 'abcd');
    bench.step();
    expect(bench.frames().at(-1)!.ack).toBe(5005);
  });

  for (const [name, options, before] of [
    ['in the pool of all', {}, leave(0)],
    ['beside what is kept for text in order', {}, leave(128)],
    [
      'among the buffers of the connection',
      { target: { receivePool: 'per-connection', buffersPerConnection: 1 } },
      () => {},
    ],
  ] as const) {
    test(`no room ${name}: with SACK the connection is refused, nothing is kept`, () => {
      const { bench, status, taken } = offer(TWO, TcpConstFlag.Sack, options, before);
      expect([status, taken]).toEqual([NdisStatus.OffloadTcpRcvBuffer, 0]);
      expect(bench.nic.tree.connections).toBe(0);
    });

    test(`no room ${name}: without SACK it is dropped, and the peer sends it again`, () => {
      const { bench, status, taken } = offer(TWO, 0, options, before);
      expect([status, taken]).toEqual([NdisStatus.Success, 0]);
      expect(bench.nic.tree.connections).toBe(1);
    });
  }

  test('where the device may not read: refused', () => {
    const outside = [{ segSeq: 5004, text: 'efgh', stamp: 1, dataAddress: 64 }];
    const { bench, status, taken } = offer(outside, 0);
    expect([status, taken, bench.fault]).toEqual([NdisStatus.Failure, 0, 0]);
  });
});
