/** The five state operations in a device that is stepped by hand (digest 2, 3). */
import { describe, expect, test } from 'vitest';
import { NdisStatus } from '../../src/base/status.ts';
import { BLOCK_HEADER_BYTES, BlockRole, OffloadStateType } from '../../src/offload/block-list.ts';
import { Completion, Submission } from '../../src/offload/descriptors.ts';
import { TcpOffloadEvent, TcpUploadReason } from '../../src/offload/events.ts';
import { NeighborState, PathState } from '../../src/offload/state-objects.ts';
import { TcbLayout } from '../../src/tcp/tcb.ts';
import { Bench, type BenchOptions } from './bench.ts';

const { Success, Failure, OffloadPartialSuccess, OffloadTcpEntries, OffloadPathEntries } = NdisStatus;

/** The tree of A01: N1{P1{T1,T2},P2{T3}}, N2{P3{T4,T5}}. */
function a01(bench: Bench) {
  const t = [1, 2, 3, 4, 5].map(n => bench.tcp(5000 + n, n)) as [number, number, number, number, number];
  const p = [bench.path(101, [t[0], t[1]]), bench.path(102, [t[2]]), bench.path(103, [t[3], t[4]])] as const;
  const n = [bench.neighbor(11, [p[0], p[1]]), bench.neighbor(12, [p[2]])] as const;
  return { t, p, n, root: bench.chain([...n]) };
}

function offloaded(options: BenchOptions = {}) {
  const bench = new Bench(options);
  const tree = a01(bench);
  bench.submit(Submission.InitiateOffload, tree.root);
  const answers = bench.step();
  return { bench, ...tree, answers };
}

/** Sends a byte on each connection; where the frames go by remote port. */
function destinations(bench: Bench, handles: readonly number[]): Record<number, number> {
  for (const handle of handles) bench.submit(Submission.TcpSend, handle, bench.buffer('x'));
  bench.step();
  return Object.fromEntries(bench.frames().map(frame => [frame.remotePort, frame.destinationLo]));
}

describe('initiate', () => {
  test('loads the whole tree, a handle for each block, and completes with the same root (A01, R11)', () => {
    const { bench, t, p, n, root, answers } = offloaded();
    expect(answers).toMatchObject([{ opcode: Completion.InitiateOffloadComplete, a0: root }]);
    for (const at of [...t, ...p, ...n]) {
      expect(bench.statusOf(at)).toBe(Success);
      expect(bench.handleOf(at)).toBeGreaterThan(0);
    }
    expect(bench.nic.tree).toEqual({ paths: 3, neighbors: 2, connections: 5 });
  });

  test('with two TCP slots takes T1 and T2; the others say why, their paths are PARTIAL, neighbors are not (A02, A15)', () => {
    const { bench, t, p, n } = offloaded({ tcpEntries: 2, pathEntries: 8 });
    const full = OffloadTcpEntries;
    expect(t.map(at => bench.statusOf(at))).toEqual([Success, Success, full, full, full]);
    expect(p.map(at => bench.statusOf(at))).toEqual([Success, OffloadPartialSuccess, OffloadPartialSuccess]);
    expect(n.map(at => bench.statusOf(at))).toEqual([Success, Success]);
    expect(t.map(at => bench.handleOf(at) > 0)).toEqual([true, true, false, false, false]);
    expect(bench.nic.tree).toEqual({ paths: 3, neighbors: 2, connections: 2 });
  });

  test('a linker that carries nothing through has failed for the linker above it, too (A07, A08)', () => {
    const { bench, p, n } = offloaded({ tcpEntries: 5 });
    const t = bench.tcp(6001, 6);
    const path = bench.path(101, [t], bench.handleOf(p[0]));
    const root = bench.neighbor(11, [path], bench.handleOf(n[0]));
    bench.submit(Submission.InitiateOffload, root);
    bench.step();
    expect([t, path, root].map(at => bench.statusOf(at))).toEqual([OffloadTcpEntries, Failure, Failure]);
    expect(bench.nic.tree).toEqual({ paths: 3, neighbors: 2, connections: 5 });
  });

  test('with one path slot never touches the connections of the others (A03, A04)', () => {
    const { bench, t, p, n } = offloaded({ pathEntries: 1 });
    expect(p.map(at => bench.statusOf(at))).toEqual([Success, OffloadPathEntries, OffloadPathEntries]);
    expect(t.map(at => bench.statusOf(at))).toEqual([Success, Success, Failure, Failure, Failure]);
    expect(n.map(at => bench.statusOf(at))).toEqual([OffloadPartialSuccess, OffloadPartialSuccess]);
    expect(t.slice(2).map(at => bench.handleOf(at))).toEqual([0, 0, 0]);
  });

  test('with no neighbor slot attempts nothing and leaks nothing (A05)', () => {
    const { bench, t, p, n } = offloaded({ neighborEntries: 0 });
    expect(n.map(at => bench.statusOf(at))).toEqual([
      NdisStatus.OffloadNeighborEntries,
      NdisStatus.OffloadNeighborEntries,
    ]);
    for (const at of [...p, ...t]) expect(bench.statusOf(at)).toBe(Failure);
    expect(bench.nic.tree).toEqual({ paths: 0, neighbors: 0, connections: 0 });
  });

  test('links new dependents to what it has (R7); a linker is FAILURE when all fail, PARTIAL when some do (A07, A08)', () => {
    const { bench, n, p } = offloaded({ tcpEntries: 6 });
    const more = [bench.tcp(6001, 61), bench.tcp(6002, 62)];
    const path = bench.path(101, more, bench.handleOf(p[0]));
    const root = bench.neighbor(0, [path], bench.handleOf(n[0]));
    bench.submit(Submission.InitiateOffload, root);
    bench.step();
    expect(more.map(at => bench.statusOf(at))).toEqual([Success, OffloadTcpEntries]);
    expect(bench.statusOf(path)).toBe(OffloadPartialSuccess);
    expect(bench.nic.tree).toEqual({ paths: 3, neighbors: 2, connections: 6 });
    const again = bench.path(101, [bench.tcp(6003, 63)], bench.handleOf(p[0]));
    bench.submit(Submission.InitiateOffload, bench.neighbor(0, [again], bench.handleOf(n[0])));
    bench.step();
    expect(bench.statusOf(again)).toBe(Failure);
    // The object itself stays and works.
    expect(bench.nic.tree).toEqual({ paths: 3, neighbors: 2, connections: 6 });
  });

  test('a placeholder is SUCCESS whatever becomes of its dependents (A09, A10)', () => {
    const bench = new Bench();
    const lonely = bench.neighbor(1);
    bench.block(lonely).role = BlockRole.Placeholder;
    const path = bench.path(101);
    const holder = bench.neighbor(2, [path]);
    bench.block(holder).role = BlockRole.Placeholder;
    bench.submit(Submission.InitiateOffload, bench.chain([lonely, holder]));
    bench.step();
    expect([lonely, holder].map(at => bench.statusOf(at))).toEqual([Success, Success]);
    // A path needs a neighbor that is there.
    expect(bench.statusOf(path)).toBe(Failure);
    expect(bench.nic.tree.neighbors).toBe(0);
  });

  test('a linker with a stale handle is detected, not followed (A11)', () => {
    const { bench, n, p, t } = offloaded();
    const stale = bench.handleOf(n[1]);
    const tree = [p[2], t[3], t[4]].map((at, index) =>
      bench.named(index === 0 ? OffloadStateType.Ip4 : OffloadStateType.Tcp, bench.handleOf(at)),
    ) as [number, number, number];
    bench.block(tree[0]).dependentBlockList = bench.chain(tree.slice(1));
    bench.submit(Submission.TerminateOffload, bench.named(OffloadStateType.Neighbor, stale, [tree[0]]));
    bench.step();
    const tcp = bench.tcp(7000, 70);
    const root = bench.neighbor(0, [bench.path(104, [tcp])], stale);
    bench.submit(Submission.InitiateOffload, root);
    bench.step();
    expect(bench.statusOf(root)).toBe(Failure);
    expect(bench.statusOf(tcp)).toBe(Failure);
    expect(bench.nic.stats.staleHandles).toBe(1);
    expect(bench.fault).toBe(0);
  });

  test('equal neighbors offered as new are two objects (A12)', () => {
    const bench = new Bench();
    bench.submit(
      Submission.InitiateOffload,
      bench.chain([bench.neighbor(9), bench.neighbor(9), bench.neighbor(9, [], 0, 7)]),
    );
    bench.step();
    expect(bench.nic.tree.neighbors).toBe(3);
  });

  test('refuses states that are not to be offloaded, a window that is too wide, an MTU that is too big (A19, A20)', () => {
    const bench = new Bench({ config: { rcvWindowMax: 100_000 } });
    const states = [0, 1, 2, 3, 10].map(state => bench.tcp(5000 + state, 1, { state }));
    const wide = bench.tcp(5100, 2, { initialRcvWnd: 100_001 });
    const jumbo = bench.path(102, [], 0, 0, 9000);
    const path = bench.path(101, [...states, wide]);
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [path, jumbo]));
    bench.step();
    expect(states.map(at => bench.statusOf(at))).toEqual(states.map(() => Failure));
    expect(bench.statusOf(wide)).toBe(NdisStatus.OffloadTcpRcvWindow);
    expect(bench.statusOf(jumbo)).toBe(NdisStatus.OffloadPathMtu);
    expect(bench.nic.tree).toEqual({ paths: 1, neighbors: 1, connections: 0 });
  });

  test('a failed connection keeps its send chain: the device completes none of it (A06)', () => {
    const bench = new Bench({ tcpEntries: 1 });
    const chain = bench.buffer('unsent');
    const change = { sendDataHead: chain, sendDataTail: chain, sendDataBytes: 6 };
    const t = [bench.tcp(1, 1), bench.tcp(2, 2, change)];
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [bench.path(101, t)]));
    expect(bench.step()).toHaveLength(1);
    expect(bench.frames()).toEqual([]);
    expect(bench.textOf(chain)).toBe('unsent');
  });
});

describe('terminate', () => {
  test('connections, then paths, then neighbors, in one call: everything is free again (R28, D20)', () => {
    const { bench, t, p, n, root } = offloaded();
    for (const at of [...n, ...p]) bench.block(at).role = BlockRole.Linker;
    bench.submit(Submission.TerminateOffload, root);
    expect(bench.step()).toMatchObject([{ opcode: Completion.TerminateOffloadComplete, a0: root }]);
    for (const at of [...t, ...p, ...n]) expect(bench.statusOf(at)).toBe(Success);
    expect(bench.nic.tree).toEqual({ paths: 0, neighbors: 0, connections: 0 });
  });

  test('a path or neighbor that still has dependents stays (D21)', () => {
    const { bench, p, n } = offloaded();
    const path = bench.named(OffloadStateType.Ip4, bench.handleOf(p[0]));
    const root = bench.named(OffloadStateType.Neighbor, bench.handleOf(n[0]), [path]);
    bench.submit(Submission.TerminateOffload, root);
    bench.step();
    expect([path, root].map(at => bench.statusOf(at))).toEqual([Failure, Failure]);
    expect(bench.nic.tree).toEqual({ paths: 3, neighbors: 2, connections: 5 });
  });

  test('answers outstanding receives and disconnects UPLOAD_IN_PROGRESS before it completes (R27, D22)', () => {
    const { bench, t } = offloaded();
    const handle = bench.handleOf(t[0]);
    const posted = bench.buffer('..........');
    const last = bench.buffer('bye');
    bench.submit(Submission.TcpReceive, handle, posted);
    bench.submit(Submission.TcpDisconnect, handle, last, 0, 1);
    bench.step();
    const block = bench.named(OffloadStateType.Tcp, handle);
    bench.submit(Submission.TerminateOffload, block);
    expect(bench.step().map(({ opcode, a0, a2 }) => [opcode, a0, a2])).toEqual([
      [Completion.TcpReceiveComplete, 1, NdisStatus.UploadInProgress],
      [Completion.TcpDisconnectComplete, 1, NdisStatus.UploadInProgress],
      [Completion.TerminateOffloadComplete, block, 0],
    ]);
    // The bytes themselves come back in the queue, with SND.UNA at their front (digest 4.2).
    const tcb = TcbLayout.view(bench.memory).at(block + BLOCK_HEADER_BYTES);
    expect([tcb.sendDataHead, tcb.sndUna, tcb.sndMax]).toEqual([last, 1000, 1004]);
    expect(bench.block(block).netBufferListChain).toBe(last);
  });

  test('calls on the handle afterwards go back, UPLOAD_IN_PROGRESS, whoever crosses it (D04, D25, R29)', () => {
    const { bench, t } = offloaded();
    const handle = bench.handleOf(t[0]);
    bench.submit(Submission.TerminateOffload, bench.named(OffloadStateType.Tcp, handle));
    const [sent, received, forwarded] = [bench.buffer('a'), bench.buffer('b'), bench.buffer('c')];
    bench.submit(Submission.TcpSend, handle, sent);
    bench.submit(Submission.TcpReceive, handle, received);
    bench.submit(Submission.TcpForward, handle, forwarded);
    bench.submit(Submission.TcpReceiveReturn, handle, 100);
    bench.submit(Submission.TcpDisconnect, handle, 0, 0, 2);
    const upload = NdisStatus.UploadInProgress;
    expect(bench.step().slice(1)).toMatchObject([
      { opcode: Completion.TcpSendComplete, a1: sent, a2: upload },
      { opcode: Completion.TcpReceiveComplete, a1: received, a2: upload },
      { opcode: Completion.TcpForwardComplete, a1: forwarded, a2: upload },
    ]);
    expect(bench.fault).toBe(0);
    expect(bench.nic.stats.staleHandles).toBe(5);
  });

  test('a second one of the same handle is FAILURE, and hits nobody who has the slot since (D15)', () => {
    const { bench, t, p, n } = offloaded();
    const handle = bench.handleOf(t[0]);
    bench.submit(Submission.TerminateOffload, bench.named(OffloadStateType.Tcp, handle));
    const fresh = bench.tcp(9000, 90);
    const path = bench.path(101, [fresh], bench.handleOf(p[0]));
    bench.submit(Submission.InitiateOffload, bench.neighbor(0, [path], bench.handleOf(n[0])));
    bench.step();
    expect(bench.handleOf(fresh)).not.toBe(handle);
    const again = bench.named(OffloadStateType.Tcp, handle);
    bench.submit(Submission.TerminateOffload, again);
    bench.step();
    expect(bench.statusOf(again)).toBe(Failure);
    expect(bench.nic.tree.connections).toBe(5);
  });

  test('returns the next IP identification; offloaded again it goes on there (R31, E22, E23)', () => {
    const bench = new Bench();
    const ids: number[] = [];
    let ipIdStart = 0x7ffe;
    for (let round = 0; round < 2; round++) {
      const t = bench.tcp(5000, 1);
      const p = bench.path(101, [t], 0, ipIdStart);
      const n = bench.neighbor(1, [p]);
      bench.submit(Submission.InitiateOffload, n);
      bench.step();
      const handle = bench.handleOf(t);
      for (let i = 0; i < 3; i++) {
        bench.submit(Submission.TcpSend, handle, bench.buffer('x'));
        bench.step();
      }
      ids.push(...bench.frames().map(({ id }) => id));
      for (const at of [n, p]) bench.block(at).role = BlockRole.Linker;
      bench.submit(Submission.TerminateOffload, n);
      bench.step();
      ipIdStart = PathState.view(bench.memory).at(p + BLOCK_HEADER_BYTES).ipIdStart;
    }
    // The counter wraps within the device's half.
    expect(ids).toEqual([0xfffe, 0xffff, 0x8000, 0x8001, 0x8002, 0x8003]);
    expect(ids.every(id => id >= 0x8000)).toBe(true);
  });
});

describe('update', () => {
  test('one MAC address reaches every dependent connection, and no other (C01, R8)', () => {
    const { bench, t, n } = offloaded();
    const block = bench.named(OffloadStateType.NeighborCached, bench.handleOf(n[0]));
    const state = NeighborState.view(bench.memory).at(block + BLOCK_HEADER_BYTES);
    state.dlDestinationHi = 0x0250;
    state.dlDestinationLo = 77;
    // CONST and DELEGATED do not travel with an update (R2, R4).
    state.vlanId = 99;
    bench.submit(Submission.UpdateOffload, block);
    expect(bench.step()).toMatchObject([{ opcode: Completion.UpdateOffloadComplete, a0: block }]);
    const handles = t.map(at => bench.handleOf(at));
    for (const handle of handles) bench.submit(Submission.TcpSend, handle, bench.buffer('x'));
    bench.step();
    const sent = bench.frames().map(({ remotePort, destinationLo, vid }) => [remotePort, destinationLo, vid]);
    expect(sent).toEqual([
      [5001, 77, -1],
      [5002, 77, -1],
      [5003, 77, -1],
      [5004, 12, -1],
      [5005, 12, -1],
    ]);
  });

  test('relink moves a path to another neighbor: its connections follow, the others stay, counts agree (C02, C03)', () => {
    const { bench, t, p, n } = offloaded();
    const moved = bench.named(OffloadStateType.Ip4, bench.handleOf(p[1]));
    bench.submit(Submission.UpdateOffload, bench.named(OffloadStateType.Neighbor, bench.handleOf(n[1]), [moved]));
    bench.step();
    expect(bench.statusOf(moved)).toBe(Success);
    const handles = t.map(at => bench.handleOf(at));
    expect(destinations(bench, handles)).toEqual({ 5001: 11, 5002: 11, 5003: 12, 5004: 12, 5005: 12 });
    // N1 has one path left: with it gone N1 may go.
    const { objects } = bench.nic;
    const dependents = n.map(at => {
      objects.placeNeighbor(objects.neighbors.slotOfHandle(bench.handleOf(at)));
      return objects.neighbor.dependents;
    });
    expect(dependents).toEqual([1, 2]);
  });

  test('of a connection copies CACHED only (R3)', () => {
    const { bench, t } = offloaded();
    const block = bench.blocks.allocate(OffloadStateType.TcpCached);
    bench.block(block).offloadHandle = bench.handleOf(t[0]);
    const given = TcbLayout.view(bench.memory).at(block + BLOCK_HEADER_BYTES);
    Object.assign(given, { ttl: 7, effectiveMss: 500, initialRcvWnd: 65_535, localPort: 99, sndNxt: 123 });
    bench.submit(Submission.UpdateOffload, block);
    bench.step();
    const { table, tcb } = bench.nic.firmware;
    tcb.at(table.addressOf(table.slotOfHandle(bench.handleOf(t[0]))));
    expect([tcb.ttl, tcb.effectiveMss, tcb.localPort, tcb.sndNxt]).toEqual([7, 500, 80, 1000]);
  });

  test('of a stale handle is FAILURE', () => {
    const bench = new Bench();
    const blocks = [OffloadStateType.NeighborCached, OffloadStateType.Ip4Cached, OffloadStateType.TcpCached].map(type =>
      bench.named(type, 0x0010_0003),
    );
    for (const block of blocks) bench.submit(Submission.UpdateOffload, block);
    bench.step();
    expect(blocks.map(block => bench.statusOf(block))).toEqual([Failure, Failure, Failure]);
    expect(bench.fault).toBe(0);
  });
});

describe('invalidate', () => {
  test('of a path: each of its connections asks once to be taken back, resources stay until then (C16)', () => {
    const bench = new Bench();
    const t = [1, 2, 3].map(n => bench.tcp(5000 + n, n));
    const other = bench.tcp(5004, 4);
    const p = bench.path(101, t);
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [p, bench.path(102, [other])]));
    bench.step();
    const block = bench.named(OffloadStateType.Ip4, bench.handleOf(p));
    bench.submit(Submission.InvalidateOffload, block);
    const answers = bench.step();
    const retrieve = {
      opcode: Completion.TcpIndicateEvent,
      a1: TcpOffloadEvent.IndicateRetrieve,
      a2: TcpUploadReason.InvalidState,
    };
    const events = answers.filter(({ opcode }) => opcode === Completion.TcpIndicateEvent);
    expect(events).toMatchObject([1, 2, 3].map(a0 => ({ ...retrieve, a0 })));
    expect(answers.filter(({ opcode }) => opcode === Completion.InvalidateOffloadComplete)).toHaveLength(1);
    expect(bench.nic.tree).toEqual({ paths: 2, neighbors: 1, connections: 4 });
  });

  test('nothing leaves on it any more: neither data nor ACK; others go on (C04, C17, C18)', () => {
    const { bench, t, n } = offloaded();
    bench.submit(Submission.InvalidateOffload, bench.named(OffloadStateType.Neighbor, bench.handleOf(n[0])));
    bench.step();
    const handles = t.map(at => bench.handleOf(at));
    expect(destinations(bench, handles)).toEqual({ 5004: 12, 5005: 12 });
    bench.arrive(101, 5001, 5000, 1000, 'hello');
    bench.step(100);
    expect(bench.frames().filter(({ remotePort }) => remotePort <= 5003)).toEqual([]);
  });
});

describe('query', () => {
  test('gives a snapshot of all classes and moves nothing (R22, C14)', () => {
    const { bench, t, p, n } = offloaded();
    bench.submit(Submission.TcpSend, bench.handleOf(t[0]), bench.buffer('12345'));
    bench.step();
    const tcp = bench.named(OffloadStateType.Tcp, bench.handleOf(t[0]));
    const path = bench.named(OffloadStateType.Ip4, bench.handleOf(p[0]), [tcp]);
    const root = bench.named(OffloadStateType.Neighbor, bench.handleOf(n[0]), [path]);
    for (let round = 0; round < 2; round++) {
      bench.submit(Submission.QueryOffload, root);
      bench.step();
      expect([tcp, path, root].map(at => bench.statusOf(at))).toEqual([Success, Success, Success]);
      const tcb = TcbLayout.view(bench.memory).at(tcp + BLOCK_HEADER_BYTES);
      expect([tcb.remotePort, tcb.sndUna, tcb.sndNxt, tcb.rcvNxt]).toEqual([5001, 1000, 1005, 5000]);
      expect(PathState.view(bench.memory).at(path + BLOCK_HEADER_BYTES).destinationAddress).toBe(101);
      expect(NeighborState.view(bench.memory).at(root + BLOCK_HEADER_BYTES).dlDestinationLo).toBe(11);
    }
    expect(bench.nic.tree).toEqual({ paths: 3, neighbors: 2, connections: 5 });
  });
});

describe('a block list that is none', () => {
  for (const operation of ['Initiate', 'Terminate', 'Update', 'Invalidate', 'Query'] as const) {
    test(`faults the device, not the process: ${operation} (architecture 2.8)`, () => {
      const bench = new Bench();
      bench.submit(Submission[`${operation}Offload`], 0x1234);
      expect(bench.step()).toEqual([]);
      expect(bench.fault).not.toBe(0);
      expect(bench.nic.faultReason).toContain('block list');
      // It does nothing any more, and its heart stands still.
      const { heartbeat } = bench;
      bench.submit(Submission.QueryOffload, bench.neighbor(1));
      expect(bench.step(200)).toEqual([]);
      expect(bench.heartbeat).toBe(heartbeat);
    });
  }
});
