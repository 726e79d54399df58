/**
 * Calls about offloaded objects on a whole machine that is shaken: addresses move, routers redirect, MTUs shrink, options
 * change, connections are offloaded and taken back, in any order (R3, R8, R18; digest 3.10).
 */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { NdisStatus } from '../../src/base/status.ts';
import { patch } from '../../src/host/ndis.ts';
import { NetworkError } from '../../src/host/network-error.ts';
import { Block, BlockRole, BlockWalk, layerOf } from '../../src/offload/block-list.ts';
import { OffloadState } from '../../src/offload/offload-state.ts';
import { NeighborState } from '../../src/offload/state-objects.ts';
import { TcbLayout } from '../../src/tcp/tcb.ts';
import { LadderMachine } from '../support/machine-ladder.ts';

const PEERS = {
  c1: '10.1.0.1:5001 via 10.0.0.251',
  c2: '10.1.0.1:5002 via 10.0.0.251',
  c3: '10.1.0.2:5003 via 10.0.0.251',
  c4: '10.0.0.16:5004',
};
const GATEWAYS = ['251', '252', '253'].map(last => 0x0a00_0000 + Number(last));

/** Watches the edge of the device and keeps the table of digest 3.10: who may be called about while a call is out. */
class Referee {
  readonly broken: string[] = [];
  readonly #machine: LadderMachine;
  readonly #walk: BlockWalk;
  /** Updates, and calls of any kind, that are out, by layer and handle. */
  readonly #updates = new Map<string, number>();
  readonly #calls = new Map<string, number>();
  readonly #invalid = new Set<string>();
  updates = 0;

  constructor(machine: LadderMachine) {
    this.#machine = machine;
    const { memory, layout } = machine.sim;
    this.#walk = new BlockWalk(memory, layout.hosts[0]!.regions.blocks);
    const { adapter } = machine.host.interfaces[0]!;
    for (const name of ['update', 'query', 'invalidate', 'terminate'] as const) {
      patch(adapter.down, `${name}Offload`, next => root => {
        for (const key of this.#keys(root)) this.#begins(name, key);
        next(root);
      });
      patch(adapter.up, `${name}OffloadComplete`, next => root => {
        for (const key of this.#keys(root)) this.#ends(name, key);
        next(root);
      });
    }
  }

  #keys(root: number): string[] {
    const keys: string[] = [];
    const block = Block.view(this.#machine.sim.memory);
    for (let at = this.#walk.start(root); at !== 0; at = this.#walk.next()) {
      block.at(at);
      if (block.role !== BlockRole.Placeholder) keys.push(`${layerOf(block.type)}:${block.offloadHandle}`);
    }
    return keys;
  }

  #begins(name: string, key: string): void {
    if (name === 'terminate') {
      if ((this.#calls.get(key) ?? 0) > 0) this.broken.push(`terminate of ${key} while a call is out`);
      this.#invalid.delete(key);
      return;
    }
    this.#calls.set(key, (this.#calls.get(key) ?? 0) + 1);
    if (name === 'invalidate') this.#invalid.add(key);
    if (name !== 'update') return;
    this.updates++;
    if (this.#invalid.has(key)) this.broken.push(`update of ${key}, which is invalid (C12)`);
    this.#updates.set(key, (this.#updates.get(key) ?? 0) + 1);
    if (this.#updates.get(key)! > 1) this.broken.push(`second update of ${key} (C10)`);
  }

  #ends(name: string, key: string): void {
    if (name === 'terminate') return;
    this.#calls.set(key, this.#calls.get(key)! - 1);
    if (name === 'update') this.#updates.set(key, this.#updates.get(key)! - 1);
  }
}

/** Every cached value on the device is the host's (R3), and every path hangs on its neighbor (R8). */
function expectInSync(machine: LadderMachine, where: string): void {
  const { sim, host } = machine;
  const { objects, firmware } = sim.nics[0]!;
  const { memory } = sim;
  for (const neighbor of host.framing.neighbors) {
    if (neighbor.offloadState !== OffloadState.Offloaded) continue;
    const slot = objects.neighbors.slotOfHandle(neighbor.offloadHandle);
    const { dlDestinationHi, dlDestinationLo } = NeighborState.view(memory).at(objects.neighbors.addressOf(slot));
    expect([dlDestinationHi, dlDestinationLo], where).toEqual([neighbor.macHi, neighbor.macLo]);
  }
  for (const path of host.network.paths) {
    if (path.offloadState !== OffloadState.Offloaded) continue;
    const slot = objects.paths.slotOfHandle(path.offloadHandle);
    objects.placePath(slot);
    expect(objects.pathState.pathMtu, where).toBe(path.mtu);
    expect(path.linked, where).toBe(path.neighbor);
    expect(objects.path.neighbor, where).toBe(objects.neighbors.slotOfHandle(path.neighbor.offloadHandle));
  }
  const nic = TcbLayout.view(memory);
  for (const { connection } of machine.peers) {
    const tcb = host.transport.at(connection!.slot);
    if (tcb.offloadState !== OffloadState.Offloaded) continue;
    nic.at(firmware.table.addressOf(firmware.table.slotOfHandle(tcb.offloadHandle)));
    const fields = ['ttl', 'tos', 'maxRt', 'initialRcvWnd', 'cachedFlags', 'effectiveMss'] as const;
    for (const field of fields) expect(nic[field], `${where}: ${field}`).toBe(tcb[field]);
  }
}

class Shaker {
  readonly #machine: LadderMachine;
  readonly #prng: Prng;
  /** Calls that the interposed layer keeps back for a while. */
  readonly #held: (() => void)[] = [];

  constructor(machine: LadderMachine, prng: Prng) {
    this.#machine = machine;
    this.#prng = prng;
    const { adapter } = machine.host.interfaces[0]!;
    for (const name of ['initiateOffload', 'updateOffload', 'invalidateOffload'] as const) {
      patch(adapter.down, name, next => root => this.#later(() => next(root)));
    }
    for (const name of ['initiateOffloadComplete', 'updateOffloadComplete', 'queryOffloadComplete'] as const) {
      patch(adapter.up, name, next => root => this.#later(() => next(root)));
    }
    patch(
      adapter.up,
      'indicateEvent',
      next =>
        (...event) =>
          this.#later(() => next(...event)),
    );
  }

  /** In order: a ring does not overtake itself. */
  #later(call: () => void): void {
    if (this.#held.length > 0 || this.#prng.chance(0.3)) this.#held.push(call);
    else call();
  }

  release(): void {
    this.#machine.call(() => {
      // What a call causes comes after those that waited.
      while (this.#held.length > 0) {
        this.#held[0]!();
        this.#held.shift();
      }
    });
  }

  act(): void {
    const { host, peers, port } = this.#machine;
    const prng = this.#prng;
    const peer = peers[prng.below(peers.length)]!;
    const connection = peer.connection!;
    const routed = peers[prng.below(3)]!;
    const gateway = GATEWAYS[prng.below(GATEWAYS.length)]!;
    const path = host.network.path(host.transport.at(routed.connection!.slot).path);
    const actions: (() => unknown)[] = [
      () => this.#machine.offload([peer.name]),
      () => this.#machine.offload(peers.map(({ name }) => name)),
      () => this.#machine.upload([peer.name]),
      () => port.move(peer.hop),
      () => host.network.paths.changeNextHop(path, gateway),
      () => host.transport.errors!.reported(...tooBig(this.#machine, peer.index, 1400 - prng.below(600))),
      () => connection.setIpOptions(1 + prng.below(255), prng.below(64)),
      () => connection.setMaxRetransmissionTime(100_000 + prng.below(1000)),
      () => connection.setReceiveBuffer(20_000 + prng.below(100_000)),
      () => connection.setNoDelay(prng.chance(0.5)),
      () => host.control.queryConnection(connection.slot, () => {}),
      () => this.release(),
      () => prng.chance(0.3) && host.control.invalidate(prng.chance(0.5) ? path : path.neighbor),
    ];
    this.#machine.call(actions[prng.below(actions.length)]!);
  }
}

function tooBig(machine: LadderMachine, index: number, mtu: number) {
  const { address, port, connection } = machine.peers[index]!;
  const { host } = machine;
  const iface = host.interfaces[0]!;
  const { sndUna } = host.transport.at(connection!.slot);
  return [iface, iface.address, address, (80 << 16) | port, sndUna, NetworkError.MessageTooBig, mtu, true] as const;
}

/** Interleavings; EXPLORE_COUNT takes more. */
const COUNT = Number(process.env.EXPLORE_COUNT ?? 80);
/** Beginnings of groups in which a neighbor got a new address and was terminated in one step of the NIC (invariant 6). */
const FOUND = [201, 301, 331, 481];
const GROUPS = new Set([...Array.from({ length: Math.ceil(COUNT / 10) }, (_, i) => 1 + i * 10), ...FOUND]);

describe('whatever happens, in whatever order', () => {
  test.each([...GROUPS])(
    'one update at a time, none of what is invalid, no terminate before an answer; and host and device agree afterwards (C10, C12, R18, 10 seeds from %i)',
    first => {
      let updates = 0;
      for (let seed = first; seed < first + 10; seed++) {
        const machine = new LadderMachine({ peers: PEERS, quiet: true, checker: false }, seed);
        for (const gateway of GATEWAYS) machine.port.answerAs(gateway);
        const prng = new Prng(seed);
        const referee = new Referee(machine);
        const shaker = new Shaker(machine, prng);
        machine.call(() => machine.offload(machine.peers.map(({ name }) => name)));
        for (let step = 0; step < 60; step++) {
          shaker.act();
          if (prng.chance(0.4)) machine.settle();
          if (prng.chance(0.1)) machine.sim.runFor(prng.below(20_000));
        }
        for (let i = 0; i < 20; i++) {
          machine.settle();
          shaker.release();
        }
        machine.settle();
        expect(referee.broken, `seed ${seed}`).toEqual([]);
        expectInSync(machine, `seed ${seed}`);
        expect(machine.host.blocks.inUse, `seed ${seed}: blocks`).toBe(0);
        updates += referee.updates;
      }
      expect(updates).toBeGreaterThan(50);
    },
  );

  test('with few blocks free updates wait, and none is lost (R18)', () => {
    const machine = new LadderMachine({ peers: PEERS, quiet: true }, 1);
    const { host } = machine;
    machine.call(() => machine.offload(machine.peers.map(({ name }) => name)));
    machine.settle();
    const taken: number[] = [];
    while (host.blocks.available > 0) taken.push(host.blocks.allocate(2));
    machine.call(() => machine.peers.forEach(({ connection }) => connection!.setIpOptions(9, 4)));
    machine.port.move(machine.peers[3]!.hop);
    machine.settle();
    host.blocks.free(taken.pop()!);
    machine.settle();
    expectInSync(machine, 'with one block');
    for (const block of taken) host.blocks.free(block);
    expect(host.blocks.inUse).toBe(0);
  });
});

describe('a query by the host', () => {
  test('shows delegated state while it is the device’s; two may overlap (R22, C14)', () => {
    const machine = new LadderMachine({ peers: PEERS, quiet: true }, 1);
    const { host, peers } = machine;
    const [c1] = peers;
    machine.call(() => machine.offload(['c1']));
    machine.settle();
    const answers: number[][] = [];
    const ask = (): void => {
      const asked = host.control.queryConnection(c1!.connection!.slot, (status, tcb) =>
        answers.push([status, (tcb.sndNxt - c1!.irs) | 0, tcb.kaTimeoutDelta]),
      );
      expect(asked).toBe(true);
    };
    machine.call(() => {
      ask();
      machine.application(c1!, 'send', 100);
      ask();
    });
    machine.settle();
    expect(answers).toEqual([
      [NdisStatus.Success, 1, -1],
      [NdisStatus.Success, 101, -1],
    ]);
    const path = host.network.path(host.transport.at(c1!.connection!.slot).path);
    const seen: number[] = [];
    machine.call(() => {
      host.control.queries.path(path, (_, { ipIdStart }) => seen.push(ipIdStart));
      host.control.queries.neighbor(path.neighbor, (_, { dlDestinationLo }) => seen.push(dlDestinationLo));
    });
    machine.settle();
    expect(seen).toEqual([1, c1!.hop]);
    expect(host.blocks.inUse).toBe(0);
  });

  test('of what is on no device is not asked', () => {
    const machine = new LadderMachine({ peers: PEERS, quiet: true }, 1);
    expect(machine.host.control.queryConnection(machine.peers[0]!.connection!.slot, () => {})).toBe(false);
  });
});

describe('a query that finds a damaged entry', () => {
  test('ends the connection on the host, and nothing is left of it (C15)', () => {
    const machine = new LadderMachine({ peers: PEERS, quiet: true }, 1);
    const { host, peers, sim } = machine;
    machine.call(() => machine.offload(['c1', 'c2']));
    machine.settle();
    const slot = peers[0]!.connection!.slot;
    const nic = sim.nics[0]!;
    nic.corrupt(nic.firmware.table.slotOfHandle(host.transport.at(slot).offloadHandle));
    const statuses: number[] = [];
    machine.call(() => {
      machine.application(peers[0]!, 'send', 100);
      host.control.queryConnection(slot, status => statuses.push(status));
    });
    machine.settle();
    expect(statuses).toEqual([NdisStatus.Failure]);
    const upcalls = machine.events.filter(({ actor }) => actor === 'app').map(({ text }) => text);
    expect(upcalls).toEqual(['c1 closed Reset']);
    expect(treeOf(machine)).toEqual({ paths: 1, neighbors: 1, connections: 1 });
    expect([host.blocks.inUse, host.sendDescriptors.inUse]).toEqual([0, 0]);
  });
});

describe('an invalidation by the host', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'of a path whose route goes away takes its connections back, and what was posted meanwhile is sent by the host (C16, C17, R23) [seed %i]',
    seed => {
      const machine = new LadderMachine({ peers: PEERS, quiet: true, checker: false }, seed);
      const { host, peers } = machine;
      machine.call(() => machine.offload(peers.map(({ name }) => name)));
      machine.settle();
      const slot = peers[0]!.connection!.slot;
      const path = host.network.path(host.transport.at(slot).path);
      machine.events.length = 0;
      machine.call(() => {
        host.control.invalidate(path);
        machine.application(peers[0]!, 'send', 50);
      });
      expect(path.invalidated).toBe(true);
      machine.settle();
      expect(path.invalidated).toBe(false);
      const states = peers.map(({ connection }) => host.transport.at(connection!.slot).offloadState);
      const { InHost, Offloaded } = OffloadState;
      expect(states).toEqual([InHost, InHost, Offloaded, Offloaded]);
      const frames = machine.events.filter(({ text }) => text.startsWith('> c1'));
      expect(frames.map(({ actor }) => actor)).toEqual(['host']);
      expect(treeOf(machine)).toEqual({ paths: 2, neighbors: 2, connections: 2 });
      expect(host.blocks.inUse).toBe(0);
    },
  );
});

describe('a route that gets another gateway', () => {
  test('takes its paths along, and with them the connections on the device (R8, C02)', () => {
    const machine = new LadderMachine({ peers: PEERS, quiet: true }, 1);
    const { host, peers, port } = machine;
    machine.call(() => machine.offload(peers.map(({ name }) => name)));
    machine.settle();
    port.answerAs(GATEWAYS[1]!);
    machine.call(() => {
      const changed = host.network.paths.changeRoute(0x0a01_0000, 16, host.interfaces[0]!, GATEWAYS[1]!);
      expect(changed).toBe(true);
    });
    machine.settle();
    expectInSync(machine, 'after the change');
    const hops = [...host.network.paths].map(({ linked }) => linked!.address);
    expect(hops).toEqual([GATEWAYS[1], GATEWAYS[1], peers[3]!.address]);
    // Both paths in one transaction; the old neighbor is gone.
    expect(machine.events.filter(({ text }) => text === 'nic0 update N={P= P=}')).toHaveLength(1);
    expect(treeOf(machine)).toEqual({ paths: 3, neighbors: 2, connections: 4 });
  });

  test('and one that goes away takes them back (R23)', () => {
    const machine = new LadderMachine({ peers: PEERS, quiet: true }, 1);
    const { host, peers } = machine;
    machine.call(() => machine.offload(peers.map(({ name }) => name)));
    machine.settle();
    machine.call(() => host.network.paths.removeRoute(0x0a01_0000, 16, host.interfaces[0]!));
    machine.settle();
    expect(treeOf(machine)).toEqual({ paths: 1, neighbors: 1, connections: 1 });
  });
});

function treeOf(machine: LadderMachine) {
  return machine.sim.nics[0]!.tree;
}
