/** Several IPv4 addresses of an interface, conflicts about them (RFC 5227), and gateways that die (RFC 1122 3.3.1). */
import { beforeEach, describe, expect, test } from 'vitest';
import { AddressState } from '../../src/host/ipv4-address.ts';
import { emitArp, emitArpProbe, ARP, ArpOperation } from '../../src/wire/arp.ts';
import { EtherType } from '../../src/wire/ethernet.ts';
import { emitIcmpEcho, ICMP, IcmpType } from '../../src/wire/icmp.ts';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import { HostFixture, ip, PEER, PEER_MAC_HI, SERVER } from '../support/host-fixture.ts';

const SECOND = ip('10.0.0.2');
const OTHER_NET = ip('172.16.0.1');
const MAC = '02:43:4e:00:00:01';

let fixture: HostFixture;
beforeEach(() => {
  fixture = new HostFixture();
});

function events(): string[] {
  return fixture.host.log.events.map(({ kind, text }) => `${kind} ${text}`);
}

/** Sends so many bytes of UDP to an address by the path that the host has to it, from `source` if one is given. */
function send(to: number, source = 0): boolean {
  const { network } = fixture;
  const path = network.acquire(to, null, source);
  if (path === null) return false;
  const buffer = network.begin();
  network.finish(path, buffer, IpProtocol.Udp, 0, 64, 8);
  network.release(path);
  return true;
}

function echo(source: number, destination: number): void {
  const payload = new DataView(new ArrayBuffer(ICMP.headerLength));
  emitIcmpEcho(payload, 0, IcmpType.Echo, 1, 1, 0);
  fixture.receiveIpv4({
    payload: new Uint8Array(payload.buffer),
    protocol: IpProtocol.Icmp,
    source,
    destination,
  });
}

describe('several addresses', () => {
  beforeEach(() => {
    fixture.host.addAddress(fixture.iface, SECOND, 24);
    fixture.host.addAddress(fixture.iface, OTHER_NET, 16);
  });

  test('ARP is answered for each of them, by its own name, and for no other', () => {
    for (const target of [SERVER, SECOND, OTHER_NET, ip('10.0.0.3')]) {
      fixture.arp(ArpOperation.Request, PEER, 9, target);
    }
    expect(fixture.take()).toEqual(['10.0.0.1', '10.0.0.2', '172.16.0.1'].map(own => `arp reply ${own} (${MAC})`));
  });

  test('what comes to one of them is answered from it', () => {
    fixture.introduce();
    echo(PEER, SECOND);
    echo(PEER, SERVER);
    expect(fixture.take().map(text => text.split(' ')[0])).toEqual(['10.0.0.2', '10.0.0.1']);
  });

  test('to a subnet it goes from the address there, through a gateway from the one beside it (RFC 1122 3.3.4.3)', () => {
    const { routes } = fixture.network.paths;
    routes.add(ip('192.168.0.0'), 16, ip('172.16.0.254'), fixture.iface);
    routes.add(0, 0, ip('10.0.0.254'), fixture.iface);
    const sourceTo = (to: string): number | undefined => fixture.network.acquire(ip(to), null)?.source;
    expect(sourceTo('172.16.9.9')).toBe(OTHER_NET);
    expect(sourceTo('10.0.0.77')).toBe(SERVER);
    expect(sourceTo('192.168.1.1')).toBe(OTHER_NET);
    expect(sourceTo('8.8.8.8')).toBe(SERVER);
    // ARP asks with the address that the neighbor can answer.
    send(ip('172.16.9.9'));
    expect(fixture.take()).toContain(`arp who-has 172.16.9.9 tell 172.16.0.1 (${MAC})`);
  });

  test('paths from two of them to one destination are two; nothing goes from an address that is not ours', () => {
    const { network } = fixture;
    const [first, second] = [network.acquire(PEER, null)!, network.acquire(PEER, null, SECOND)!];
    expect([first.source, second.source]).toEqual([SERVER, SECOND]);
    expect(first.neighbor).toBe(second.neighbor);
    expect(network.acquire(PEER, null, ip('10.0.0.3'))).toBeNull();
  });

  test('broadcasts of each subnet are for us, and not answered', () => {
    fixture.introduce();
    echo(PEER, ip('172.16.255.255'));
    echo(ip('172.16.255.255'), SERVER);
    expect(fixture.take()).toEqual([]);
    expect([fixture.network.ipv4Input.delivered, fixture.network.ipv4Input.addressErrors]).toEqual([1, 1]);
  });
});

describe('an address that is to be probed (RFC 5227 2.1)', () => {
  beforeEach(() => {
    fixture.host.probeAddresses(fixture.iface);
  });

  const run = (ms: number): void => {
    for (let i = 0; i < ms; i += 10) fixture.step(10);
  };

  test('is asked for three times, announced twice, and used in between', () => {
    run(1000);
    const probe = `arp who-has 10.0.0.1 tell 0.0.0.0 (${MAC})`;
    const announce = `arp announce 10.0.0.1 (${MAC})`;
    expect(fixture.take()[0]).toBe(probe);
    expect(send(PEER)).toBe(false);
    echo(PEER, SERVER);
    expect(fixture.host.ownAddresses).toEqual([]);
    run(9000);
    expect(fixture.take()).toEqual([probe, probe, announce, announce]);
    expect(fixture.host.ownAddresses).toEqual([SERVER]);
    expect(send(PEER)).toBe(true);
    expect([fixture.host.conflicts.ticksUntilNext(), events()]).toEqual([-1, []]);
  });

  test.each([
    ['somebody who has it', (at: number) => emitArp(fixture.memory.view, at, 2, PEER_MAC_HI, 9, SERVER, 0, 0, SERVER)],
    ['another who probes it', (at: number) => emitArpProbe(fixture.memory.view, at, PEER_MAC_HI, 9, SERVER)],
  ])(
    'is not used if there is %s; the administrator hears of it, and a minute later it is tried again',
    (_who, write) => {
      run(1500);
      fixture.receive(EtherType.Arp, at => at + write(at), true);
      expect(events()).toEqual(['address-conflict 10.0.0.1 is claimed by 02:50:00:00:00:09; not used']);
      run(10_000);
      expect([fixture.iface.ipv4[0]!.state, send(PEER)]).toEqual([AddressState.Taken, false]);
      run(60_000);
      expect([fixture.iface.ipv4[0]!.state, send(PEER)]).toEqual([AddressState.Assigned, true]);
    },
  );
});

describe('an address that somebody else claims (RFC 5227 2.4)', () => {
  const claim = (operation: number = ArpOperation.Reply): void => fixture.arp(operation, SERVER, 9, SERVER);

  test('is defended with an announcement, once in ten seconds, and kept', () => {
    const announce = `arp announce 10.0.0.1 (${MAC})`;
    claim();
    expect(fixture.take()).toEqual([announce]);
    for (let i = 0; i < 20; i++) claim(ArpOperation.Request);
    fixture.step(9999);
    claim();
    expect(fixture.take()).toEqual([]);
    fixture.step(1);
    claim();
    expect(fixture.take()).toEqual([announce]);
    expect(fixture.host.conflicts.conflicts).toBe(23);
    expect(events()).toEqual(Array(2).fill('address-conflict 10.0.0.1 is claimed by 02:50:00:00:00:09; defended'));
    expect(fixture.host.ownAddresses).toEqual([SERVER]);
    // Nothing is learned of ourselves.
    expect([...fixture.framing.neighbors]).toEqual([]);
  });

  test('an announcement of our own that comes back, and a probe for it by others, is no conflict; the latter is answered', () => {
    fixture.receive(EtherType.Arp, at => {
      const { macHi, macLo } = fixture.adapter;
      return at + emitArp(fixture.memory.view, at, ArpOperation.Request, macHi, macLo, SERVER, 0, 0, SERVER);
    });
    expect([fixture.take(), events()]).toEqual([[], []]);
    fixture.receive(EtherType.Arp, at => {
      emitArpProbe(fixture.memory.view, at, PEER_MAC_HI, 9, SERVER);
      return at + ARP.length;
    });
    expect([fixture.take(), events()]).toEqual([[`arp reply 10.0.0.1 (${MAC})`], []]);
  });
});

describe('gateways', () => {
  const GATEWAYS = ['10.0.0.251', '10.0.0.252', '10.0.0.253'].map(ip);
  const FAR = ip('8.8.8.8');

  beforeEach(() => {
    for (const gateway of GATEWAYS) fixture.network.paths.routes.add(0, 0, gateway, fixture.iface);
  });

  const hopTo = (to: number): number => fixture.network.acquire(to, null)!.neighbor.address;
  const wait = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) fixture.step(1000);
  };

  test('the first that is given is preferred; one that does not answer is left for the next (RFC 1122 3.3.1.4, 3.3.1.5)', () => {
    const path = fixture.network.acquire(FAR, null)!;
    send(FAR);
    expect(path.neighbor.address).toBe(GATEWAYS[0]);
    wait(5);
    expect(path.neighbor.address).toBe(GATEWAYS[1]);
    expect(hopTo(ip('9.9.9.9'))).toBe(GATEWAYS[1]);
    // It is asked for at once, so that what comes next need not wait for it.
    expect(fixture.take()).toContain(`arp who-has 10.0.0.252 tell 10.0.0.1 (${MAC})`);
    fixture.introduce(GATEWAYS[1]);
    wait(10);
    expect(path.neighbor.address).toBe(GATEWAYS[1]);
  });

  test('a minute later the preferred one is worth a try, for what begins then', () => {
    send(FAR);
    wait(5);
    fixture.introduce(GATEWAYS[1]);
    wait(59);
    expect(hopTo(ip('9.9.9.9'))).toBe(GATEWAYS[1]);
    wait(1);
    expect(hopTo(ip('9.9.9.10'))).toBe(GATEWAYS[0]);
    expect(hopTo(FAR)).toBe(GATEWAYS[1]);
  });

  test('with none that answers it is the first, and whoever wanted to go there hears of it', () => {
    send(FAR);
    wait(16);
    const [path] = [...fixture.network.paths];
    expect(path!.neighbor.address).toBe(GATEWAYS[0]);
    expect(fixture.host.tx.inUse).toBe(0);
  });

  test('a longer prefix is never left for a default route', () => {
    fixture.network.paths.routes.add(ip('8.0.0.0'), 8, ip('10.0.0.250'), fixture.iface);
    send(FAR);
    wait(6);
    expect(hopTo(FAR)).toBe(ip('10.0.0.250'));
  });
});
