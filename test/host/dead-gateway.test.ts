/** A gateway that dies under connections on a device: they go through the next one, where they are (RFC 1122 3.3.1.4, R8, R9). */
import { describe, expect, test } from 'vitest';
import { ETHERNET, EtherType } from '../../src/wire/ethernet.ts';
import { parseIpv4Address } from '../../src/wire/ipv4-text.ts';
import { LadderMachine } from '../support/machine-ladder.ts';

const SECOND = parseIpv4Address('10.0.0.252')!;

describe.each([
  ['in the host', false],
  ['on a device', true],
])('a gateway dies under a connection %s', (_where, isOffloaded) => {
  test.each([1, 2, 3])('and the next one takes over; every byte arrives [seed %i]', seed => {
    const machine = new LadderMachine({ peers: { c1: '10.1.0.1:5001 via 10.0.0.251' }, quiet: true }, seed);
    const { host, port } = machine;
    const peer = machine.peer('c1');
    host.network.paths.routes.add(peer.address & -65536, 16, SECOND, host.interfaces[0]!);
    if (isOffloaded) machine.call(() => machine.offload(['c1']));
    machine.settle();
    port.silence(peer.hop);
    port.answerAs(SECOND);
    // By which router frames go: the low word of its MAC address is its IPv4 address here.
    const hops = new Set<number>();
    machine.sim.fabric.addTap({
      frame: (_id, _us, at, _length, outbound) => {
        const { view } = machine.sim.memory;
        if (outbound && view.getUint16(at + ETHERNET.etherType) === EtherType.Ipv4) hops.add(view.getInt32(at + 2));
      },
    });
    machine.call(() => machine.application(peer, 'send', 100));
    machine.advanceTo(150_000_000);
    expect([...hops]).toEqual([peer.hop, SECOND]);
    machine.inject(peer, '. 1:1(0) ack 101');
    machine.settle();
    expect(machine.events.at(-1)).toMatchObject({ actor: 'app', text: 'c1 sent 100' });
    expect(machine.fieldsOf('c1')['offload']).toBe(isOffloaded ? 'Offloaded' : 'InHost');
    if (!isOffloaded) return;
    const [nic] = machine.sim.nics;
    // The old neighbor has left the device (C03).
    expect(nic!.tree).toEqual({ connections: 1, paths: 1, neighbors: 1 });
  });
});
