/** TCP over IPv6 through whole machines: on the host path, offloaded, moved between, failed over; nobody can tell. */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { hostStatistics } from '../../src/host/statistics.ts';
import { everything } from '../../src/host/policy/everything.ts';
import { NOTHING } from '../../src/host/policy/nothing.ts';
import { AddressState } from '../../src/host/ipv6-interface.ts';
import { OffloadState } from '../../src/offload/offload-state.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { CloseReason } from '../../src/tcp/effects.ts';
import { CLIENT6, Ipv6Machine, SERVER6 } from '../support/ipv6-machine.ts';

const KB = 1024;

test('on the host path both ways, every byte, and an end in order', () => {
  const machine = new Ipv6Machine();
  const ends = machine.transfer(300 * KB, 200 * KB);
  expect(machine.finish(ends)).toBe(true);
  expect([ends.server.received_, ends.client.received_]).toEqual([300 * KB, 200 * KB]);
  expect(ends.server.closeReason).toBe(CloseReason.Normal);
  expect(machine.server.chimney.stats.connectionsOffloaded).toBe(0);
});

describe('offloaded', () => {
  test('at both ends, by lists whose paths are of IPv6', () => {
    const machine = new Ipv6Machine({ policy: everything(0), clientPolicy: everything(0) });
    const ends = machine.transfer(300 * KB, 200 * KB);
    expect(machine.finish(ends)).toBe(true);
    expect([ends.server.received_, ends.client.received_]).toEqual([300 * KB, 200 * KB]);
    for (const host of [machine.server, machine.client]) {
      expect(host.chimney.stats.connectionsOffloaded).toBe(1);
    }
    // The data went by the NICs' own TCP; the host's totals hold it under IPv6.
    const [nic] = machine.sim.nics;
    expect(nic!.stats.ipv6.inOctets).toBeGreaterThan(250 * KB);
    const totals = hostStatistics(machine.server);
    expect(totals.ip6InReceives).toBe(machine.server.network.ipv6.input.received + nic!.stats.ipv6.inDatagrams);
    expect(totals.tcpInSegs).toBe(machine.server.transport.segmentsIn + nic!.stats.ipv6.inSegments);
    expect([totals.ipInReceives, totals.ipOutRequests]).toEqual([0, 0]);
  });

  test.each(['with-request', 'at-completion'] as const)('state %s', state => {
    const machine = new Ipv6Machine({ policy: everything(0), offload: { state } });
    const ends = machine.transfer(50 * KB, 50 * KB);
    expect(machine.finish(ends)).toBe(true);
    expect(machine.server.chimney.stats.connectionsOffloaded).toBe(1);
  });

  test('not to a NIC that lacks IPv6: it is not asked (A21)', () => {
    const nics = [{ name: 'nic0', target: { supportsIpv6: false } }];
    const machine = new Ipv6Machine({ policy: everything(0), nics });
    const ends = machine.transfer(50 * KB, 50 * KB);
    expect(machine.finish(ends)).toBe(true);
    expect(machine.server.chimney.stats.connectionsOffloaded).toBe(0);
    expect(machine.server.offload.eligibility.network.ipv6).toBeGreaterThan(0);
    expect(machine.sim.nics[0]!.stats.initiateCalls).toBe(0);
  });

  test('a failover in the middle: the addresses move, the streams go on', () => {
    const machine = new Ipv6Machine({ policy: everything(0) });
    const ends = machine.transfer(2000 * KB, 2000 * KB);
    machine.sim.run(() => ends.server.received_ > 500 * KB);
    expect(machine.server.chimney.offloaded).toBe(1);
    machine.sim.host.team!.failOver('nic0');
    expect(machine.finish(ends)).toBe(true);
    expect([ends.server.received_, ends.client.received_]).toEqual([2000 * KB, 2000 * KB]);
    expect(machine.sim.host.team!.failovers).toMatchObject([
      { nic: 'nic0', to: 'nic1', connectionsMoved: 1, bytesLost: 0 },
    ]);
    expect(machine.server.chimney.stats.connectionsOffloaded).toBe(2);
  });
});

describe('what is below an offloaded connection', () => {
  test('another next hop: the path is relinked to a neighbor of its own, and the old one goes (R8, R9)', () => {
    const machine = new Ipv6Machine({ policy: everything(0), nics: [{ name: 'nic0' }] });
    const { server, client, sim } = machine;
    client.network.ipv6.addAddress(client.network.ipv6.interfaces[0]!, parseIpv6Address('fd00::3')!, 64);
    const ends = machine.transfer(2000 * KB, 2000 * KB);
    sim.run(() => ends.server.received_ > 500 * KB);
    const [path] = [...server.network.paths].filter(
      ({ destination }) => server.addresses.format(destination) === CLIENT6,
    );
    const nextHop = (): string => server.addresses.format(path!.linked!.address);
    expect([path!.offloadState, nextHop()]).toEqual([OffloadState.Offloaded, CLIENT6]);
    machine.call(server, () => {
      const [iface] = server.interfaces;
      server.network.ipv6.addRoute(parseIpv6Address(CLIENT6)!, 128, parseIpv6Address('fd00::3')!, iface!);
    });
    sim.run(() => ends.server.received_ > 1500 * KB);
    expect([path!.offloadState, nextHop()]).toEqual([OffloadState.Offloaded, 'fd00::3']);
    expect(sim.nics[0]!.tree.neighbors).toBe(1);
    expect(machine.finish(ends)).toBe(true);
    expect([ends.server.received_, ends.client.received_]).toEqual([2000 * KB, 2000 * KB]);
    expect(server.chimney.stats).toMatchObject({ connectionsOffloaded: 1 });
  });

  test('the device asks how a neighbor is that does not answer, and the host asks the neighbor (RFC 4861 7.3, ¶86)', () => {
    const machine = new Ipv6Machine({ policy: everything(0), nics: [{ name: 'nic0' }] });
    const { server, sim } = machine;
    const ends = machine.transfer(1 * KB, 10 * KB);
    sim.run(() => server.chimney.offloaded === 1 && ends.client.received_ > 0);
    const { neighbors } = server.network.ipv6;
    // Nothing is heard for longer than REACHABLE_TIME; then the device has something to send, and nobody there to hear it.
    const asked = neighbors.solicitationsSent;
    const cable = sim.fabric.cables.find(({ name }) => name === 'far')!;
    cable.pull();
    sim.runFor(60_000_000);
    expect(neighbors.solicitationsSent - asked).toBeGreaterThanOrEqual(3);
    cable.plug();
    expect(machine.finish(ends)).toBe(true);
    expect([ends.server.received_, ends.client.received_]).toEqual([1 * KB, 10 * KB]);
  });
});

describe('whoever has the connection, and whenever it moves, with loss, duplicates and reordering', () => {
  test.each([1, 2, 3, 4, 5, 6])('the streams are the same (seed %i)', seed => {
    const prng = new Prng(seed).fork('moves');
    const machine = new Ipv6Machine({
      seed,
      policy: everything(0),
      clientPolicy: prng.chance(0.5) ? everything(0) : NOTHING,
      faults: { delayUs: 300, lossPercent: 1, duplicatePercent: 1, reorderPercent: 2, jitterUs: 200 },
      offload: {
        bufferedData: prng.chance(0.5) ? 'state' : 'switch',
        state: prng.chance(0.5) ? 'at-completion' : 'with-request',
      },
    });
    const ends = machine.transfer(400 * KB, 400 * KB);
    const { server, sim } = machine;
    let moves = 0;
    let nextUs = 2000;
    sim.onRound = nowUs => {
      if (nowUs < nextUs || ends.server.connection === null) return;
      nextUs = nowUs + 500 + prng.below(5000);
      moves++;
      const { connection } = ends.server;
      machine.call(server, () => {
        if (server.tli.isOffloaded(connection)) server.chimney.takeBack(connection);
        else server.chimney.candidate(connection);
        if (prng.chance(0.1)) sim.host.team!.failOver(sim.host.team!.active.name);
      });
    };
    expect(machine.finish(ends, 120_000), `seed ${seed}`).toBe(true);
    expect([ends.server.received_, ends.client.received_]).toEqual([400 * KB, 400 * KB]);
    expect(moves).toBeGreaterThan(2);
    expect(server.chimney.stats.connectionsOffloaded).toBeGreaterThan(1);
  });
});

test('what the connection held is given back: numbers, blocks, buffers', () => {
  const machine = new Ipv6Machine({ policy: everything(0) });
  const before = machine.server.addresses.inUse;
  const ends = machine.transfer(50 * KB, 50 * KB);
  expect(machine.finish(ends)).toBe(true);
  machine.sim.runFor(120_000_000);
  expect(machine.server.blocks.inUse).toBe(0);
  expect(machine.server.tx.inUse).toBe(0);
  // An idle path and its neighbor know the peer still.
  expect(machine.server.addresses.inUse - before).toBeLessThanOrEqual(2);
  const [nic] = machine.sim.nics;
  expect([nic!.tree.connections, nic!.tree.paths]).toEqual([0, 0]);
  expect(nic!.objects.addresses.inUse).toBe(0);
});

describe('addresses', () => {
  test('are checked before they are used; then connections come and go', () => {
    const machine = new Ipv6Machine({ duplicateProbes: 1 });
    expect(machine.server.network.ipv6.isSettled).toBe(false);
    machine.sim.runFor(2_500_000);
    expect(machine.server.network.ipv6.isSettled).toBe(true);
    const ends = machine.transfer(10 * KB, 10 * KB);
    expect(machine.finish(ends)).toBe(true);
    expect(machine.server.addresses.format(machine.server.interfaces[0]!.ipv6!.addresses[1]!.number)).toBe(SERVER6);
  });

  test('of two hosts that want the same one, at least one learns of it (RFC 4862 5.4)', () => {
    const machine = new Ipv6Machine({ duplicateProbes: 1 });
    const [on] = machine.client.network.ipv6.interfaces;
    machine.client.network.ipv6.addAddress(on!, Int32Array.of(0xfd000000, 0, 0, 1), 64);
    machine.sim.runFor(3_000_000);
    const states = [machine.server, machine.client].map(host => {
      const number = machine.numberOf(host, SERVER6);
      return host.interfaces[0]!.ipv6!.find(number)!.state;
    });
    expect(states).toContain(AddressState.Duplicate);
    expect(machine.numberOf(machine.client, CLIENT6)).not.toBe(0);
  });
});
