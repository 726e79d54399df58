/** ARP of the host (RFC 826, RFC 1122 2.3.2, RFC 5227) and its ICMP, over an adapter that only remembers. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Reachability } from '../../src/host/neighbor.ts';
import { ARP, ArpOperation, emitArpProbe } from '../../src/wire/arp.ts';
import { EtherType } from '../../src/wire/ethernet.ts';
import { emitIcmpEcho, IcmpType } from '../../src/wire/icmp.ts';
import { emitIpv4, IPV4, IpProtocol } from '../../src/wire/ipv4.ts';
import { emitUdp } from '../../src/wire/udp.ts';
import { HostFixture, ip, PEER, SERVER } from '../support/host-fixture.ts';

/** A datagram of UDP to the peer, told apart by its length. */
function send(length: number, to = PEER): void {
  const { network } = fixture.host;
  const path = network.acquire(to, null)!;
  const buffer = network.begin();
  emitUdp(fixture.memory.view, network.payloadAt(buffer, path), 1, 2, length, SERVER, to);
  network.finish(path, buffer, IpProtocol.Udp, 0, 64, 8 + length);
  network.release(path);
}

let fixture: HostFixture;
beforeEach(() => {
  fixture = new HostFixture();
});

describe('a datagram for a neighbor whose address is not known', () => {
  const request = 'arp who-has 10.0.0.16 tell 10.0.0.1 (02:43:4e:00:00:01)';

  test('waits; one request goes out for any number of them; the reply sends them, in order', () => {
    for (const length of [1, 2, 3]) send(length);
    expect(fixture.take()).toEqual([request]);
    fixture.arp(ArpOperation.Reply, PEER, 9, SERVER);
    expect(fixture.take().map(text => /udp \((\d)\)/.exec(text)![1])).toEqual(['1', '2', '3']);
    send(4);
    expect(fixture.take()).toHaveLength(1);
    expect(fixture.host.tx.inUse).toBe(0);
  });

  test('at most 32 wait: the oldest are dropped, the latest kept (RFC 1122 2.3.2.2)', () => {
    for (let length = 1; length <= 40; length++) send(length);
    fixture.take();
    expect(fixture.framing.neighbors.waitingDropped).toBe(8);
    fixture.arp(ArpOperation.Reply, PEER, 9, SERVER);
    const lengths = fixture.take().map(text => Number(/udp \((\d+)\)/.exec(text)![1]));
    expect(lengths).toEqual(Array.from({ length: 32 }, (_, i) => i + 9));
  });

  test('is asked for once a second, five times, then given up; buffers come back', () => {
    send(1);
    let requests = fixture.take().length;
    for (let second = 0; second < 10; second++) {
      fixture.step(999);
      expect(fixture.take()).toEqual([]);
      fixture.step(1);
      requests += fixture.take().length;
    }
    expect(requests).toBe(5);
    const neighbor = fixture.framing.neighbors.for(fixture.host.interfaces[0]!, PEER);
    expect(neighbor.reachability).toBe(Reachability.Failed);
    expect(fixture.host.tx.inUse).toBe(0);
    expect(fixture.framing.neighbors.ticksUntilNext()).toBe(-1);
    // The next datagram asks anew.
    send(1);
    expect(fixture.take()).toEqual([request]);
  });
});

describe('ARP from others', () => {
  test('a request for us is answered, and the asker learned (RFC 826)', () => {
    fixture.arp(ArpOperation.Request, PEER, 9, SERVER);
    expect(fixture.take()).toEqual(['arp reply 10.0.0.1 (02:43:4e:00:00:01)']);
    send(1);
    expect(fixture.take()).toHaveLength(1);
  });

  test('a request for somebody else is not, and teaches nothing new', () => {
    fixture.arp(ArpOperation.Request, PEER, 9, ip('10.0.0.99'));
    fixture.arp(ArpOperation.Reply, PEER, 9, ip('10.0.0.99'));
    expect(fixture.take()).toEqual([]);
    send(1);
    expect(fixture.take()[0]).toContain('who-has');
  });

  test('a probe, without a sender, is not learned from', () => {
    fixture.receive(EtherType.Arp, at => {
      emitArpProbe(fixture.memory.view, at, 0x0250, 9, ip('10.0.0.99'));
      return at + ARP.length;
    });
    expect([...fixture.framing.neighbors]).toEqual([]);
  });

  test('a known neighbor that moved is followed at once', () => {
    fixture.arp(ArpOperation.Request, PEER, 9, SERVER);
    fixture.arp(ArpOperation.Reply, PEER, 77, ip('10.0.0.99'));
    expect(fixture.framing.neighbors.for(fixture.host.interfaces[0]!, PEER).macLo).toBe(77);
  });

  test('only an answer to us is proof that it is reachable (RFC 4861 7.2.5)', () => {
    const neighbor = fixture.framing.neighbors.for(fixture.host.interfaces[0]!, PEER);
    send(1);
    fixture.arp(ArpOperation.Reply, PEER, 9, SERVER);
    const { confirmedAt } = neighbor;
    expect(neighbor.reachability).toBe(Reachability.Reachable);
    fixture.step(5000);
    fixture.arp(ArpOperation.Request, PEER, 9, SERVER);
    expect(neighbor.confirmedAt).toBe(confirmedAt);
    fixture.arp(ArpOperation.Reply, PEER, 9, SERVER);
    expect(neighbor.confirmedAt).toBe(confirmedAt + 5000);
    // Another address: whether it is reachable there nobody knows yet.
    fixture.arp(ArpOperation.Request, PEER, 10, ip('10.0.0.99'));
    expect(neighbor.reachability).toBe(Reachability.Stale);
  });

  test('announce tells everybody where the address is (RFC 5227 2.3)', () => {
    fixture.framing.announce(fixture.host.interfaces[0]!);
    expect(fixture.take()).toEqual(['arp announce 10.0.0.1 (02:43:4e:00:00:01)']);
  });

  test('what is cut off, and unknown EtherTypes, go back to the device unread', () => {
    fixture.receive(EtherType.Arp, at => at + 10);
    fixture.receive(0x88cc as EtherType, at => at + 50);
    expect(fixture.returned).toBe(2);
    expect(fixture.framing.dropped).toBe(1);
    expect(fixture.take()).toEqual([]);
  });
});

describe('ICMP of the host (RFC 1122 3.2.2)', () => {
  function echo(destination: number, length: number, spoil = false): void {
    const { view } = fixture.memory;
    fixture.receive(EtherType.Ipv4, at => {
      const icmpAt = at + IPV4.headerLength;
      for (let i = 0; i < length; i++) view.setUint8(icmpAt + 8 + i, i);
      const total = emitIcmpEcho(view, icmpAt, IcmpType.Echo, 7, 3, length);
      if (spoil) view.setUint8(icmpAt + 9, 99);
      emitIpv4(view, at, 0, 20 + total, 1, 0, 64, IpProtocol.Icmp, PEER, destination);
      return icmpAt + total;
    });
  }

  beforeEach(() => {
    fixture.arp(ArpOperation.Request, PEER, 9, SERVER);
    fixture.take();
  });

  test('an echo request is answered with its own bytes', () => {
    echo(SERVER, 56);
    expect(fixture.take()).toEqual(['10.0.0.1 > 10.0.0.16 icmp echo-reply id 7 seq 3 (56)']);
    expect(fixture.host.network.icmp.echoRequests).toBe(1);
  });

  test('an empty one too; a broadcast is not answered; a wrong checksum is counted', () => {
    echo(SERVER, 0);
    echo(ip('10.0.0.255'), 8);
    echo(SERVER, 8, true);
    expect(fixture.take()).toEqual(['10.0.0.1 > 10.0.0.16 icmp echo-reply id 7 seq 3 (0)']);
    expect(fixture.host.network.icmp.checksumErrors).toBe(1);
    expect(fixture.returned).toBe(4);
  });

  test('a protocol that it does not speak is reported unreachable', () => {
    const { view } = fixture.memory;
    fixture.receive(EtherType.Ipv4, at => {
      emitIpv4(view, at, 0, 28, 1, 0, 64, IpProtocol.Igmp, PEER, SERVER);
      return at + 28;
    });
    expect(fixture.take()[0]).toContain('icmp unreachable protocol');
  });

  test('a datagram for another host is dropped and counted', () => {
    echo(ip('10.0.0.2'), 8);
    expect(fixture.take()).toEqual([]);
    expect(fixture.host.network.ipv4Input.addressErrors).toBe(1);
  });
});
