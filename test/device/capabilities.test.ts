/** What a device cannot do it refuses with a status of its own, on the block that says it (A14, A19–A21, digest 4.8). */
import { describe, expect, test } from 'vitest';
import { NdisStatus } from '../../src/base/status.ts';
import { BLOCK_HEADER_BYTES, OffloadStateType } from '../../src/offload/block-list.ts';
import { Completion, Submission } from '../../src/offload/descriptors.ts';
import { NeighborState } from '../../src/offload/state-objects.ts';
import { TcpConstFlag } from '../../src/tcp/tcb.ts';
import { Bench, type BenchOptions } from './bench.ts';
import { of, OneConnection, PORT, REMOTE } from './one-connection.ts';

const { Success, Failure, NotSupported, OffloadHwAddressEntries, OffloadVlanMismatch } = NdisStatus;

interface Offer {
  readonly vid?: number;
  readonly source?: readonly [number, number];
  readonly mtu?: number;
  readonly tcp?: Partial<Record<string, number>>;
}

/** Offers one connection; the statuses of neighbor, path and TCP block. */
function offer(bench: Bench, { vid = 0, source = [0, 0], mtu = 1500, tcp = {} }: Offer, port = PORT) {
  const blocks = [bench.tcp(port, 1, tcp)];
  blocks.unshift(bench.path(REMOTE, [blocks[0]!], 0, 0, mtu));
  blocks.unshift(bench.neighbor(1, [blocks[0]!], 0, vid));
  const state = NeighborState.view(bench.memory).at(blocks[0]! + BLOCK_HEADER_BYTES);
  [state.dlSourceHi, state.dlSourceLo] = source;
  bench.submit(Submission.InitiateOffload, blocks[0]!);
  bench.step();
  return { blocks, statuses: blocks.map(at => bench.statusOf(at)) };
}

describe('each has its own code on the right block (A19)', () => {
  const cases: [string, BenchOptions, Offer, number[]][] = [
    ['a VID that is none of the interface’s', { target: { vlanIds: [7] } }, { vid: 8 }, [OffloadVlanMismatch, Failure]],
    ['a source address without an entry', {}, { source: [0x0299, 5] }, [OffloadHwAddressEntries, Failure]],
    ['an MTU that is too big', {}, { mtu: 9000 }, [NdisStatus.OffloadPartialSuccess, NdisStatus.OffloadPathMtu]],
  ];
  for (const [what, options, what2, expected] of cases) {
    test(what, () => {
      const bench = new Bench(options);
      const { statuses } = offer(bench, what2);
      expect(statuses).toEqual([...expected, Failure]);
      expect(bench.nic.tree.connections + bench.nic.tree.paths).toBe(0);
      // Nothing is kept of it: the next one is taken.
      expect(offer(bench, {}).statuses).toEqual([Success, Success, Success]);
    });
  }

  test('a window that is too wide', () => {
    const bench = new Bench({ config: { rcvWindowMax: 65_535 } });
    expect(offer(bench, { tcp: { initialRcvWnd: 65_536 } }).statuses[2]).toBe(NdisStatus.OffloadTcpRcvWindow);
  });

  test('an extension that it does not have (A21)', () => {
    const bench = new Bench({ target: { supportsTimestamps: false, supportsSack: false, supportsEcn: false } });
    for (const constFlags of [TcpConstFlag.Timestamp, TcpConstFlag.Sack, TcpConstFlag.Ecn]) {
      expect(offer(bench, { tcp: { constFlags } }).statuses[2]).toBe(NotSupported);
    }
    const able = new Bench();
    const constFlags = TcpConstFlag.Timestamp | TcpConstFlag.Sack | TcpConstFlag.Ecn;
    expect(offer(able, { tcp: { constFlags } }).statuses[2]).toBe(Success);
  });

  test('a kind of object that it does not know (A21)', () => {
    const bench = new Bench();
    const tcp = bench.tcp(PORT, 1);
    const path = bench.named(9 as OffloadStateType, 0, [tcp]);
    bench.submit(Submission.InitiateOffload, bench.neighbor(1, [path]));
    bench.step();
    expect([path, tcp].map(at => bench.statusOf(at))).toEqual([NotSupported, Failure]);
    expect([bench.fault, bench.nic.tree.connections]).toEqual([0, 0]);
  });

  test('two initiates and one slot: exactly one is taken (A14)', () => {
    const bench = new Bench({ tcpEntries: 1 });
    const trees = [1, 2].map(n => {
      const tcp = bench.tcp(PORT + n, n);
      return { tcp, root: bench.neighbor(n, [bench.path(REMOTE + n, [tcp])]) };
    });
    for (const { root } of trees) bench.submit(Submission.InitiateOffload, root);
    expect(of(bench.step(), Completion.InitiateOffloadComplete)).toHaveLength(2);
    expect(trees.map(({ tcp }) => bench.statusOf(tcp))).toEqual([Success, NdisStatus.OffloadTcpEntries]);
  });
});

describe('source addresses (digest 1.2)', () => {
  test('as many as there are entries, shared by neighbors, free again with the last of them', () => {
    const bench = new Bench({ target: { sourceMacEntries: 1 } });
    const own = [0x0299, 5] as const;
    const first = offer(bench, { source: own });
    const second = offer(bench, { source: own }, PORT + 1);
    expect([first, second].map(({ statuses }) => statuses[0])).toEqual([Success, Success]);
    expect(offer(bench, { source: [0x0299, 6] }, PORT + 2).statuses[0]).toBe(OffloadHwAddressEntries);
    for (const { blocks } of [first, second]) {
      const [neighbor, path, tcp] = blocks.map(at => bench.handleOf(at)) as [number, number, number];
      const tree = bench.named(OffloadStateType.Ip4, path, [bench.named(OffloadStateType.Tcp, tcp)]);
      bench.submit(Submission.TerminateOffload, bench.named(OffloadStateType.Neighbor, neighbor, [tree]));
    }
    bench.step();
    expect(bench.nic.tree.neighbors).toBe(0);
    expect(offer(bench, { source: [0x0299, 6] }, PORT + 3).statuses[0]).toBe(Success);
  });
});

describe('VLANs at initiate (digest 4.8)', () => {
  test('a device that knows no VIDs takes any', () => {
    const bench = new Bench();
    expect([0, 1, 4094].map((vid, i) => offer(bench, { vid }, PORT + i).statuses[0])).toEqual([0, 0, 0]);
  });

  test('one that does takes its own, and none at all', () => {
    const bench = new Bench({ target: { vlanIds: [7, 9] } });
    expect([0, 7, 9].map((vid, i) => offer(bench, { vid }, PORT + i).statuses[0])).toEqual([0, 0, 0]);
    expect(offer(bench, { vid: 8 }, PORT + 3).statuses[0]).toBe(OffloadVlanMismatch);
  });
});

describe('VLANs of received frames (E21)', () => {
  const target = { vlanIds: [7, 9] };
  const went = (one: OneConnection, vid: number): string => {
    const { rcvNxt } = one.tcb;
    const drops = one.bench.nic.stats.dropVlan;
    one.arrive(rcvNxt, 1000, 'x', 0, vid);
    const answers = one.bench.step();
    if (of(answers, Completion.TcpIndicateReceive).length > 0) return 'device';
    if (of(answers, Completion.FramesReceived).length > 0) return 'host';
    return one.bench.nic.stats.dropVlan > drops ? 'dropped' : 'lost';
  };

  test('VlanId v: only its tag; untagged or another is dropped, a VID of another virtual adapter is not (F15)', () => {
    const one = new OneConnection({ target }, {}, 7);
    expect([7, 0, 8, 9].map(vid => went(one, vid))).toEqual(['device', 'dropped', 'dropped', 'host']);
  });

  test('VlanId 0: tagged or not, any VID that is not a VLAN of the interface’s', () => {
    const one = new OneConnection({ target });
    expect([0, 8, 4000, 7].map(vid => went(one, vid))).toEqual(['device', 'device', 'device', 'host']);
  });

  test('a device that knows no VIDs takes the exact tag only, and drops nothing', () => {
    const one = new OneConnection({}, {}, 7);
    expect([7, 0, 8].map(vid => went(one, vid))).toEqual(['device', 'host', 'host']);
  });
});
