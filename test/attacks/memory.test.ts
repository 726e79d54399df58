/**
 * Attacks on memory: holes without end in a stream, fragments without the rest, neighbors without number. Each has a bound,
 * and what is beyond it is dropped, not kept.
 */
import { describe, expect, test } from 'vitest';
import { ArpOperation } from '../../src/wire/arp.ts';
import { emitIcmpEcho, IcmpType } from '../../src/wire/icmp.ts';
import { checksumOf, onesComplementSum } from '../../src/wire/checksum.ts';
import { linkLocalOf } from '../../src/wire/ipv6-address.ts';
import { emitIpv6, IPV6, NextHeader, pseudoHeaderSumAt } from '../../src/wire/ipv6.ts';
import { emitNeighborSolicitation, ND_HOP_LIMIT } from '../../src/wire/nd.ts';
import { IpProtocol, Ipv4Fragment } from '../../src/wire/ipv4.ts';
import { AttackMachine, SERVER } from '../support/attack-machine.ts';

const FROM = 0x0a000300;

describe.each([false, true])('connections offloaded: %s', offload => {
  test('every second segment of many connections, for ever: out-of-order text has a part of the buffers', () => {
    const machine = new AttackMachine({ offload });
    const opened = Array.from({ length: 16 }, (_, i) => machine.open(FROM + i, 5000));
    const { pool } = machine.sim.nics[0]!.firmware;
    let most = 0;
    machine.attack(1000, index => {
      for (const each of opened) each.say(100, 200 + (index % 300) * 200);
      most = Math.max(most, pool.inUse);
    });
    // The host keeps a quarter of the buffers for it; a device all but a quarter, and takes it out of what the host may have.
    expect(most).toBeLessThanOrEqual(offload ? pool.count * 0.75 : pool.count / 4 + 64);
    machine.end();
  });

  test('first fragments without a second one, from everywhere: a bounded number waits, for a bounded time (RFC 1122 3.3.2)', () => {
    const machine = new AttackMachine({ offload });
    const { prng, sim } = machine;
    const { pool } = sim.nics[0]!.firmware;
    let most = 0;
    machine.attack(1500, () => {
      for (let i = 0; i < 4; i++) {
        const from = 0x20000000 | prng.below(0x10000000);
        machine.datagram(from, IpProtocol.Udp, prng.below(65_536), Ipv4Fragment.Mf, at => fill(machine, at, 800));
      }
      most = Math.max(most, pool.inUse);
    });
    expect(most).toBeLessThanOrEqual(pool.count / 2);
    machine.rest(70_000);
    expect(pool.inUse).toBe(0);
    machine.end();
  });

  test('overlapping and tiny fragments of one datagram (RFC 5722, RFC 1858)', () => {
    const machine = new AttackMachine({ offload });
    const { prng, sim } = machine;
    const { pool } = sim.nics[0]!.firmware;
    let most = 0;
    machine.attack(1500, () => {
      for (let i = 0; i < 4; i++) {
        const fragment = Ipv4Fragment.Mf | prng.below(0x1fff);
        machine.datagram(FROM, IpProtocol.Tcp, 1 + prng.below(3), fragment, at =>
          fill(machine, at, 8 * prng.between(1, 3)),
        );
      }
      most = Math.max(most, pool.inUse);
    });
    expect(most).toBeLessThanOrEqual(pool.count / 2);
    machine.rest(70_000);
    expect(pool.inUse).toBe(0);
    machine.end();
  });

  test('ARP requests and replies for every address there is: the neighbors are bounded, those in use stay', () => {
    const machine = new AttackMachine({ offload });
    const { framing } = machine.server;
    const { prng } = machine;
    machine.attack(1500, () => {
      for (let i = 0; i < 8; i++) {
        const sender = 0x0a000100 + prng.below(0xfe00);
        machine.arp(prng.chance(0.5) ? ArpOperation.Request : ArpOperation.Reply, sender, SERVER);
      }
    });
    expect([...framing.neighbors].length).toBeLessThanOrEqual(1100);
    machine.end();
  });

  test('neighbor solicitations from every address there is (RFC 6583): the same for IPv6, and addresses are forgotten too', () => {
    const machine = new AttackMachine({ offload });
    const { framing, network, interfaces } = machine.server;
    const { prng } = machine;
    const own = linkLocalOf(interfaces[0]!.adapter.macHi, interfaces[0]!.adapter.macLo);
    machine.attack(1500, () => {
      for (let i = 0; i < 8; i++) {
        const from = Int32Array.of(0xfe800000, 0, prng.int32(), prng.int32());
        machine.packet(at => solicitation(machine, at, from, own));
      }
    });
    expect([...framing.neighbors].length).toBeLessThanOrEqual(1100);
    expect(network.addresses.inUse).toBeLessThanOrEqual(1100 + 2 * [...network.paths].length + 20);
    machine.end();
  });

  test('echo requests as fast as they come: answers at most one for one, and no buffer is kept', () => {
    const machine = new AttackMachine({ offload });
    const { tx } = machine.server;
    let most = 0;
    machine.attack(1000, index => {
      for (let i = 0; i < 8; i++) {
        machine.datagram(FROM, IpProtocol.Icmp, index, 0, at => echo(machine, at, 400));
      }
      most = Math.max(most, tx.inUse);
    });
    expect(most).toBeLessThanOrEqual(tx.count / 2);
    machine.end();
  });
});

function fill(machine: AttackMachine, at: number, length: number): number {
  machine.sim.memory.u8.fill(0x66, at, at + length);
  return length;
}

function solicitation(machine: AttackMachine, at: number, from: Int32Array, target: Int32Array): number {
  const { view } = machine.sim.memory;
  const bodyAt = at + IPV6.headerLength;
  const length = emitNeighborSolicitation(view, bodyAt, target, 0, 0x0266, from[3]!);
  emitIpv6(view, at, 0, 0, length, NextHeader.Icmpv6, ND_HOP_LIMIT, from, 0, target, 0);
  const sum = pseudoHeaderSumAt(view, at, NextHeader.Icmpv6, length);
  view.setUint16(bodyAt + 2, checksumOf(onesComplementSum(view, bodyAt, length, sum)));
  return IPV6.headerLength + length;
}

function echo(machine: AttackMachine, at: number, length: number): number {
  const { view } = machine.sim.memory;
  fill(machine, at, 8 + length);
  return emitIcmpEcho(view, at, IcmpType.Echo, 1, 1, length);
}
