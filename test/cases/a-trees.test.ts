/** Block lists on the whole machine (digest §8 A): order, scarcity, statuses, and who keeps what afterwards. */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { NdisStatus } from '../../src/base/status.ts';
import type { TliConnection } from '../../src/host/connection.ts';
import { patch } from '../../src/host/ndis.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  BLOCK_SLOT_BYTES,
  BlockRole,
  BlockWalk,
  layerOf,
  OffloadStateType,
} from '../../src/offload/block-list.ts';
import { NeighborState } from '../../src/offload/state-objects.ts';
import { explore, Race } from '../support/explore.ts';
import { LadderMachine, type MachineLadderOptions } from '../support/machine-ladder.ts';

/** N1{P1{T1,T2},P2{T3}},N2{P3{T4,T5}}. */
const A01 = {
  peers: {
    t1: '10.1.0.1:5001 via 10.0.0.251',
    t2: '10.1.0.1:5002 via 10.0.0.251',
    t3: '10.1.0.2:5003 via 10.0.0.251',
    t4: '10.2.0.1:5004 via 10.0.0.252',
    t5: '10.2.0.1:5005 via 10.0.0.252',
  },
};
const ALL = Object.keys(A01.peers);
const { Success, Failure, OffloadTcpEntries, OffloadPathEntries, OffloadPartialSuccess } = NdisStatus;

function start(options: Partial<MachineLadderOptions> = {}, seed = 1): { machine: LadderMachine; race: Race } {
  const machine = new LadderMachine({ ...A01, tcp: { timeWaitTicks: 500 }, advertised: 64, ...options }, seed);
  return { machine, race: new Race(machine, new Prng(seed)) };
}

function adapterOf(machine: LadderMachine) {
  return machine.host.interfaces[0]!.adapter;
}

function offloadedOf(race: Race): string[] {
  return ALL.filter(name => race.field(name, 'offload') === 'Offloaded');
}

/** Blocks of a list, depth first, while they are still the list's. */
function blocksOf(machine: LadderMachine, root: number): number[] {
  const walk = new BlockWalk(machine.sim.memory, machine.sim.layout.hosts[0]!.regions.blocks);
  const blocks: number[] = [];
  for (let at = walk.start(root); at !== 0; at = walk.next()) blocks.push(at);
  return blocks;
}

/** A list that the host itself would not send, straight to the driver; freed by `free`. */
class Handmade {
  readonly #machine: LadderMachine;
  readonly #blocks: number[] = [];

  constructor(machine: LadderMachine) {
    this.#machine = machine;
  }

  block(type: OffloadStateType, role: number, handle = 0, dependents = 0): number {
    const address = this.#machine.host.blocks.allocate(type);
    const block = Block.view(this.#machine.sim.memory).at(address);
    block.role = role;
    block.offloadHandle = handle;
    block.dependentBlockList = dependents;
    this.#blocks.push(address);
    return address;
  }

  at(address: number) {
    return Block.view(this.#machine.sim.memory).at(address);
  }

  initiate(root: number): void {
    this.#machine.call(() => adapterOf(this.#machine).down.initiateOffload(root));
    this.#machine.settle();
  }

  terminate(root: number): void {
    this.#machine.call(() => adapterOf(this.#machine).down.terminateOffload(root));
    this.#machine.settle();
  }

  free(): void {
    for (const address of this.#blocks.splice(0)) this.#machine.host.blocks.free(address);
  }
}

describe('the order in which a list is loaded', () => {
  test.each([0, 1, 2, 3, 4, 5])(
    'with %i connections to be had, the first of N1 P1 T1 T2 P2 T3 N2 P3 T4 T5 (A01)',
    count => {
      const { race } = start({ nics: [{ name: 'nic0', tcpEntries: count, pathEntries: 8 }] });
      race.offload(...ALL);
      race.settle();
      expect(offloadedOf(race)).toEqual(ALL.slice(0, count));
      race.end();
    },
  );

  test('the host hangs a connection under its path, whatever order they are decided in (A01)', () => {
    const { race } = start({ nics: [{ name: 'nic0', tcpEntries: 3, pathEntries: 8 }] });
    race.offload('t4', 't1', 't3', 't5', 't2');
    race.settle();
    // N2{P3{T4,T5}} N1{P1{T1,T2},P2{T3}}
    expect(offloadedOf(race)).toEqual(['t1', 't4', 't5']);
    race.end();
  });

  test('a walk breadth first makes fewer whole chains of the same entries (A03)', () => {
    const { machine, race } = start();
    const lists: number[][] = [];
    const breadths: number[][] = [];
    patch(adapterOf(machine).down, 'initiateOffload', next => root => {
      const block = Block.view(machine.sim.memory);
      lists.push(blocksOf(machine, root));
      // The mutant: all of a layer, then the next.
      const queue = [root];
      for (const head of queue) {
        for (let at = head; at !== 0; at = block.at(at).nextBlock) {
          if (at !== head) queue.push(at);
          const { dependentBlockList } = block.at(at);
          if (at === head && dependentBlockList !== 0) queue.push(dependentBlockList);
        }
      }
      breadths.push([...new Set(queue)].sort((a, b) => layerOf(block.at(a).type) - layerOf(block.at(b).type)));
      next(root);
    });
    race.offload(...ALL);
    race.settle();
    const [depth, breadth] = [lists[0]!, breadths[0]!];
    expect([...breadth].sort()).toEqual([...depth].sort());
    // A target whose entries are of one kind: each walk takes what comes first.
    const layers = [0, 1, 2, 2, 1, 2, 0, 1, 2, 2];
    const taken = (order: number[], entries: number): number =>
      order.slice(0, entries).filter(at => layers[depth.indexOf(at)] === 2).length;
    const counts = layers.map((_, index) => [taken(depth, index + 1), taken(breadth, index + 1)] as const);
    expect(counts.map(([deep]) => deep)).toEqual([0, 0, 1, 2, 2, 3, 3, 3, 4, 5]);
    expect(counts.map(([, broad]) => broad)).toEqual([0, 0, 0, 0, 0, 1, 2, 3, 4, 5]);
    race.end();
  });
});

describe('scarcity', () => {
  /** Statuses and handles when the list is back, depth first. */
  function answers(machine: LadderMachine): { statuses: number[]; handles: boolean[] } {
    const result = { statuses: [] as number[], handles: [] as boolean[] };
    patch(adapterOf(machine).up, 'initiateOffloadComplete', next => root => {
      const block = Block.view(machine.sim.memory);
      const blocks = blocksOf(machine, root);
      result.statuses = blocks.map(at => block.at(at).status);
      result.handles = blocks.map(at => block.at(at).offloadHandle !== 0);
      next(root);
    });
    return result;
  }

  test('two connections to be had: each block says what became of it, PARTIAL ends at the path (A02, A15)', () => {
    const { machine, race } = start({ nics: [{ name: 'nic0', tcpEntries: 2, pathEntries: 8 }] });
    const result = answers(machine);
    race.offload(...ALL);
    race.settle();
    const full = OffloadTcpEntries;
    const partial = OffloadPartialSuccess;
    // N1 P1 T1 T2 P2 T3 N2 P3 T4 T5
    expect(result.statuses).toEqual([Success, Success, Success, Success, partial, full, Success, partial, full, full]);
    expect(offloadedOf(race)).toEqual(['t1', 't2']);
    race.end();
  });

  test('a path that fails: its connections are not touched, nor their buffers (A04, A06)', () => {
    const { machine, race } = start({ nics: [{ name: 'nic0', pathEntries: 1 }] });
    const result = answers(machine);
    race.peer('t4').mute = true;
    race.send('t4', 900);
    race.settle();
    const tcb = machine.host.transport.at(machine.peer('t4').connection!.slot);
    const chain = tcb.sendDataHead;
    const before = [...machine.sim.memory.u8.subarray(chain, chain + NetBuffer.byteLength)];
    let completions = 0;
    patch(adapterOf(machine).up, 'tcpOffloadSendComplete', next => (context, buffer, status) => {
      completions++;
      next(context, buffer, status);
    });
    race.offload(...ALL);
    race.settle();
    const partial = OffloadPartialSuccess;
    const none = OffloadPathEntries;
    expect(result.statuses).toEqual([
      partial,
      Success,
      Success,
      Success,
      none,
      Failure,
      partial,
      none,
      Failure,
      Failure,
    ]);
    expect(result.handles).toEqual([true, true, true, true, false, false, true, false, false, false]);
    expect([...machine.sim.memory.u8.subarray(chain, chain + NetBuffer.byteLength)]).toEqual(before);
    expect(completions).toBe(0);
    // The neighbor without dependents that N2 has become was terminated (A16).
    expect(machine.fieldsOf('nic0')).toMatchObject({ tcp: 2, paths: 1, neighbors: 1 });
    race.peer('t4').mute = false;
    race.end();
  });

  test('a neighbor that fails: nothing below is attempted, no entry is lost (A05)', () => {
    const { machine, race } = start({ nics: [{ name: 'nic0', neighborEntries: 1 }] });
    const result = answers(machine);
    race.offload('t4', 't5', 't1', 't2', 't3');
    race.settle();
    expect(result.statuses.slice(4)).toEqual([NdisStatus.OffloadNeighborEntries, ...Array<number>(5).fill(Failure)]);
    expect(machine.fieldsOf('nic0')).toMatchObject({ tcp: 2, paths: 1, neighbors: 1 });
    race.upload('t4', 't5');
    race.settle();
    race.offload('t1', 't2', 't3');
    race.settle();
    expect(offloadedOf(race)).toEqual(['t1', 't2', 't3']);
    race.end();
  });

  test('objects that were there: FAILURE when all new dependents fail, and they go on (A07)', () => {
    const { machine, race } = start({ nics: [{ name: 'nic0', tcpEntries: 2, pathEntries: 8 }] });
    const result = answers(machine);
    race.offload('t4');
    race.settle();
    race.offload('t1', 't2', 't5');
    race.settle();
    // N1+ P1+ T1 T2, N2= P3= T5
    const full = OffloadTcpEntries;
    expect(result.statuses).toEqual([Success, OffloadPartialSuccess, Success, full, Failure, Failure, full]);
    race.send('t4', 500);
    race.settle();
    expect(race.count('t4 sent 500')).toBe(1);
    expect(race.field('t4', 'offload')).toBe('Offloaded');
    race.end();
  });

  test('a linker of which one dependent fails is PARTIAL (A08)', () => {
    const { machine, race } = start({ nics: [{ name: 'nic0', tcpEntries: 2, pathEntries: 8 }] });
    const result = answers(machine);
    race.offload('t1');
    race.settle();
    race.offload('t2', 't3');
    race.settle();
    // N1= P1= T2, P2+ T3
    expect(result.statuses).toEqual([Success, Success, Success, OffloadPartialSuccess, OffloadTcpEntries]);
    race.end();
  });

  explore(
    'two lists in flight compete for the last entry: exactly one wins (A14)',
    { ...A01, nics: [{ name: 'nic0', tcpEntries: 1, pathEntries: 8 }], advertised: 64 },
    (machine, race) => {
      const rivals = ['t1', 't4'] as const;
      for (const name of rivals) {
        race.event(`offload ${name}`, () => race.offload(name));
        race.event(`send ${name}`, () => race.send(name, 700));
      }
      race.run();
      expect(rivals.filter(name => race.field(name, 'offload') === 'Offloaded')).toHaveLength(1);
      expect(machine.fieldsOf('nic0')).toMatchObject({ tcp: 1, paths: 1, neighbors: 1, refused: 1 });
      race.end();
    },
  );

  explore(
    'what a device took for connections that it refused is terminated, and counts stay right (A16)',
    { ...A01, nics: [{ name: 'nic0', tcpEntries: 2, pathEntries: 2, neighborEntries: 1 }], advertised: 64 },
    (machine, race) => {
      for (const name of ALL) {
        race.event(`offload ${name}`, () => race.offload(name), 20);
        race.event(`upload ${name}`, () => race.upload(name), 30);
      }
      race.run();
      const { tcp, paths, neighbors } = machine.fieldsOf('nic0');
      expect(Number(paths)).toBeLessThanOrEqual(Number(tcp));
      expect(Number(neighbors)).toBeLessThanOrEqual(Number(paths));
      race.end();
    },
  );
});

describe('lists that no honest host sends', () => {
  test('a placeholder is SUCCESS, without dependents and when they all fail (A09, A10)', () => {
    const { machine, race } = start();
    const list = new Handmade(machine);
    const lonely = list.block(OffloadStateType.Neighbor, BlockRole.Placeholder);
    const path = list.block(OffloadStateType.Ip4, BlockRole.New);
    const holder = list.block(OffloadStateType.Neighbor, BlockRole.Placeholder, 0, path);
    list.at(lonely).nextBlock = holder;
    list.initiate(lonely);
    expect([lonely, holder].map(at => list.at(at).status)).toEqual([Success, Success]);
    // A path needs a neighbor that is there.
    expect(list.at(path).status).toBe(Failure);
    expect(machine.fieldsOf('nic0')).toMatchObject({ tcp: 0, paths: 0, neighbors: 0, fault: '' });
    list.free();
    race.end();
  });

  test('a linker whose object has been terminated is found out, and hits nobody who has its entry now (A11)', () => {
    const { machine, race } = start({ checker: false });
    race.offload('t1');
    race.settle();
    const [neighbor] = [...machine.host.framing.neighbors].filter(({ offloadHandle }) => offloadHandle !== 0);
    const stale = neighbor!.offloadHandle;
    race.upload('t1');
    race.settle();
    race.offload('t4');
    race.settle();
    const list = new Handmade(machine);
    const path = list.block(OffloadStateType.Ip4, BlockRole.New);
    const linker = list.block(OffloadStateType.Neighbor, BlockRole.Linker, stale, path);
    list.initiate(linker);
    expect([linker, path].map(at => list.at(at).status)).toEqual([Failure, Failure]);
    expect(machine.fieldsOf('nic0')).toMatchObject({ tcp: 1, paths: 1, neighbors: 1, stale: 1, fault: '' });
    list.free();
    race.end();
  });

  test('a neighbor equal to one that is offloaded is another object (A12)', () => {
    const { machine, race } = start();
    race.offload('t1');
    race.settle();
    const [neighbor] = [...machine.host.framing.neighbors].filter(({ offloadHandle }) => offloadHandle !== 0);
    const list = new Handmade(machine);
    const twin = list.block(OffloadStateType.Neighbor, BlockRole.New);
    const state = NeighborState.view(machine.sim.memory).at(twin + BLOCK_HEADER_BYTES);
    state.dlDestinationHi = neighbor!.macHi;
    state.dlDestinationLo = neighbor!.macLo;
    list.initiate(twin);
    expect(list.at(twin).status).toBe(Success);
    expect(list.at(twin).offloadHandle).not.toBe(neighbor!.offloadHandle);
    expect(race.field('nic0', 'neighbors')).toBe(2);
    // One goes, the other stays.
    list.at(twin).role = BlockRole.Linker;
    list.terminate(twin);
    expect(list.at(twin).status).toBe(Success);
    expect(race.field('nic0', 'neighbors')).toBe(1);
    race.send('t1', 100);
    race.settle();
    expect(race.count('t1 sent 100')).toBe(1);
    list.free();
    race.end();
  });
});

describe('who may be offloaded, and what is kept', () => {
  explore(
    'the list is scribbled over as soon as its completion returns: the device kept no pointer into it (A18)',
    A01,
    (machine, race) => {
      const { up } = adapterOf(machine);
      for (const entry of ['initiateOffloadComplete', 'terminateOffloadComplete', 'updateOffloadComplete'] as const) {
        patch(up, entry, next => root => {
          const blocks = blocksOf(machine, root);
          next(root);
          // Those that the host has taken for another list meanwhile have a type again.
          for (const at of blocks) {
            if (Block.view(machine.sim.memory).at(at).type !== 0) continue;
            machine.sim.memory.u8.fill(0xa5, at + 4, at + BLOCK_SLOT_BYTES);
          }
        });
      }
      race.offload(...ALL);
      race.settle();
      for (const name of ALL) {
        race.event(`send ${name}`, () => race.send(name, 1200), 20);
        race.event(`peer ${name}`, () => race.peerSends(name, 900), 20);
        race.event(`upload ${name}`, () => race.upload(name), 20);
        race.event(`offload ${name}`, () => race.offload(name), 30);
      }
      race.event('router moves', () => machine.call(() => machine.port.move(machine.peer('t1').hop)), 30);
      race.run();
      race.end();
    },
  );

  test('SYN-SENT, TIME-WAIT and CLOSED are not offered (A20)', () => {
    const { machine, race } = start({ tcp: { timeWaitTicks: 60_000 } });
    const opened: TliConnection[] = [];
    machine.call(() => {
      const { tli } = machine.host;
      opened.push(tli.connect(machine.peer('t1').address, 9, machine)!);
      machine.allowReoffload(true);
      machine.host.chimney.candidate(opened[0]!);
      machine.allowReoffload(false);
    });
    race.settle();
    expect(race.count('nic0 initiate')).toBe(0);
    const t2 = machine.peer('t2').connection!;
    race.call('t2', 'close');
    race.settle();
    race.peerCloses('t2');
    race.settle();
    expect(race.field('t2', 'state')).toBe('TIME-WAIT');
    race.offload('t2');
    race.call('t3', 'abort');
    race.settle();
    race.offload('t3');
    race.settle();
    expect(race.count('nic0 initiate')).toBe(0);
    expect(t2.handler).toBeNull();
  });
});
