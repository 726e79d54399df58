/** Neighbor discovery on the host: RFC 4861 7 (address resolution, unreachability detection) and 8 (redirects). */
import { describe, expect, test } from 'vitest';
import { Reachability } from '../../src/host/neighbor.ts';
import { NextHeader } from '../../src/wire/ipv6.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { NaFlag } from '../../src/wire/nd.ts';
import { Ipv6Host, MAC_HI, OWN, OWN_LINK_LOCAL, PEER6, ROUTER6 } from '../support/ipv6-host.ts';

const SOLICITATION = `${OWN} > ff02::1:ff00:2 icmpv6 neighbor solicitation ${PEER6} (02:43:4e:00:00:01)`;
const OUTSIDE = '2001:db8::9';

/** Something for a destination, told apart by its length. */
function send(host: Ipv6Host, destination: string, length = 0): boolean {
  const number = host.host.addresses.internWords(parseIpv6Address(destination)!);
  const path = host.network.acquire(number, null);
  host.host.addresses.release(number);
  if (path === null) return false;
  const buffer = host.network.begin();
  host.memory.u8.fill(0, host.network.payloadAt(buffer, path), host.network.payloadAt(buffer, path) + length);
  host.network.finish(path, buffer, NextHeader.None, 0, 64, length);
  host.network.release(path);
  return true;
}

const lengths = (sent: readonly string[]): number[] =>
  sent.filter(text => text.includes('protocol 59')).map(text => Number(/length (\d+)/.exec(text)![1]));

function stateOf(host: Ipv6Host, address = PEER6): string {
  const neighbor = host.framing.neighbors.find(host.iface, host.numberOf(address));
  if (neighbor === undefined) return 'none';
  return Object.entries(Reachability).find(([, state]) => state === neighbor.reachability)![0];
}

function macOf(host: Ipv6Host, address = PEER6): number {
  return host.framing.neighbors.find(host.iface, host.numberOf(address))!.macLo;
}

describe('address resolution (RFC 4861 7.2)', () => {
  test('packets wait; one solicitation goes to the group; the answer sends them, in order', () => {
    const host = new Ipv6Host();
    for (const length of [1, 2, 3]) send(host, PEER6, length);
    expect(host.take()).toEqual([SOLICITATION]);
    host.advertises(PEER6);
    expect(lengths(host.take())).toEqual([1, 2, 3]);
    expect(stateOf(host)).toBe('Reachable');
    expect(host.frames.length).toBe(0);
    expect(host.host.tx.inUse).toBe(0);
  });

  test('three solicitations, a second apart; then the packets are lost (RFC 4861 7.2.2)', () => {
    const host = new Ipv6Host();
    send(host, PEER6);
    host.pass(2900);
    expect(host.take()).toEqual([SOLICITATION, SOLICITATION, SOLICITATION]);
    host.pass(200);
    expect(stateOf(host)).toBe('Failed');
    expect(host.host.tx.inUse).toBe(0);
    // What comes next asks again.
    send(host, PEER6);
    expect(host.take()).toEqual([SOLICITATION]);
  });

  test('the link’s routers say how long to wait for an answer (RFC 4861 6.3.2)', () => {
    const host = new Ipv6Host({ autoconfigure: true });
    host.router({ lifetime: 0, retransTimer: 200 });
    send(host, PEER6);
    host.pass(450);
    expect(host.take().filter(text => text === SOLICITATION)).toHaveLength(3);
  });

  test('an answer without a MAC address resolves nothing; nobody’s answer makes no entry (RFC 4861 7.2.5)', () => {
    const host = new Ipv6Host();
    send(host, PEER6);
    host.advertises(PEER6, { mac: null });
    expect(stateOf(host)).toBe('Incomplete');
    host.advertises('fd00::77');
    expect(stateOf(host, 'fd00::77')).toBe('none');
    expect(host.numberOf('fd00::77')).toBe(0);
  });

  test('an unsolicited answer resolves, but proves nothing', () => {
    const host = new Ipv6Host();
    send(host, PEER6);
    host.advertises(PEER6, { flags: NaFlag.Override, destination: 'ff02::1' });
    expect(stateOf(host)).toBe('Stale');
  });

  test('a solicited answer to a group is a forgery (RFC 4861 7.1.2)', () => {
    const host = new Ipv6Host();
    send(host, PEER6);
    host.advertises(PEER6, { destination: 'ff02::1' });
    expect(stateOf(host)).toBe('Incomplete');
    expect(host.network.ipv6.neighbors.invalid).toBe(1);
  });
});

describe('questions of others (RFC 4861 7.2.3, 7.2.4)', () => {
  test('are answered to who asks, whose MAC address is remembered', () => {
    const host = new Ipv6Host();
    host.solicits(OWN, { destination: 'ff02::1:ff00:1' });
    expect(host.take()).toEqual([
      `${OWN} > ${PEER6} icmpv6 neighbor advertisement ${OWN} (02:43:4e:00:00:01) solicited override`,
    ]);
    expect([stateOf(host), macOf(host)]).toEqual(['Stale', 2]);
  });

  test('without a MAC address in it, the asker’s is found out first', () => {
    const host = new Ipv6Host();
    host.solicits(OWN, { mac: false });
    expect(host.take()).toEqual([SOLICITATION]);
    host.advertises(PEER6);
    expect(host.take()).toEqual([
      `${OWN} > ${PEER6} icmpv6 neighbor advertisement ${OWN} (02:43:4e:00:00:01) solicited override`,
    ]);
  });

  test('for an address that is not ours, or from further away than the link, are not (RFC 4861 7.1.1)', () => {
    const host = new Ipv6Host();
    host.solicits('fd00::99', { destination: 'ff02::1:ff00:1' });
    host.solicits(OWN, { hopLimit: 254 });
    expect(host.take()).toEqual([]);
    expect(stateOf(host)).toBe('none');
  });

  test('after a failover all nodes hear of every address (RFC 4861 7.2.6)', () => {
    const host = new Ipv6Host();
    host.framing.announce(host.iface);
    expect(host.take()).toEqual([
      'arp announce 10.0.0.1 (02:43:4e:00:00:01)',
      `${OWN_LINK_LOCAL} > ff02::1 icmpv6 neighbor advertisement ${OWN_LINK_LOCAL} (02:43:4e:00:00:01) override`,
      `${OWN} > ff02::1 icmpv6 neighbor advertisement ${OWN} (02:43:4e:00:00:01) override`,
    ]);
  });
});

describe('changes of a MAC address (RFC 4861 7.2.5)', () => {
  const OTHER = [MAC_HI, 77] as const;
  const reachable = (): Ipv6Host => {
    const host = new Ipv6Host();
    send(host, PEER6);
    host.advertises(PEER6);
    host.take();
    return host;
  };

  test('with the override flag it counts', () => {
    const host = reachable();
    host.advertises(PEER6, { flags: NaFlag.Override, mac: OTHER, destination: 'ff02::1' });
    expect([stateOf(host), macOf(host)]).toEqual(['Stale', 77]);
    host.advertises(PEER6, { mac: [MAC_HI, 78] });
    expect([stateOf(host), macOf(host)]).toEqual(['Reachable', 78]);
  });

  test('without, the known one is in doubt, and stays', () => {
    const host = reachable();
    host.advertises(PEER6, { flags: NaFlag.Solicited, mac: OTHER });
    expect([stateOf(host), macOf(host)]).toEqual(['Stale', 2]);
    host.advertises(PEER6, { flags: NaFlag.Solicited, mac: OTHER });
    expect([stateOf(host), macOf(host)]).toEqual(['Stale', 2]);
    host.advertises(PEER6, { flags: NaFlag.Solicited, mac: null });
    expect([stateOf(host), macOf(host)]).toEqual(['Reachable', 2]);
  });
});

describe('unreachability detection (RFC 4861 7.3, 7.3.2, 7.3.3)', () => {
  const walk = (host: Ipv6Host, ms: number): string => {
    host.pass(ms);
    return stateOf(host);
  };

  test('Reachable, Stale, Delay, Probe, and what an answer makes of it', () => {
    const host = new Ipv6Host();
    send(host, PEER6);
    host.advertises(PEER6);
    expect(stateOf(host)).toBe('Reachable');
    host.step(29_000);
    send(host, PEER6);
    expect(stateOf(host)).toBe('Reachable');
    host.step(1500);
    host.take();
    send(host, PEER6, 5);
    // It goes out all the same.
    expect([stateOf(host), lengths(host.take())]).toEqual(['Delay', [5]]);
    expect(walk(host, 4900)).toBe('Delay');
    expect(walk(host, 200)).toBe('Probe');
    expect(host.take()).toEqual([`${OWN} > ${PEER6} icmpv6 neighbor solicitation ${PEER6} (02:43:4e:00:00:01)`]);
    host.advertises(PEER6, { mac: null, flags: NaFlag.Solicited });
    expect(walk(host, 2000)).toBe('Reachable');
    expect(host.take()).toEqual([]);
  });

  test('three probes, a second apart, without an answer: it is gone', () => {
    const host = new Ipv6Host();
    host.introduce6();
    send(host, PEER6);
    expect(stateOf(host)).toBe('Delay');
    expect(walk(host, 7900)).toBe('Probe');
    expect(host.take().filter(text => text.includes('solicitation'))).toHaveLength(3);
    expect(walk(host, 300)).toBe('Failed');
  });

  test('proof from above keeps it from being asked (RFC 4861 7.3.1)', () => {
    const host = new Ipv6Host();
    host.introduce6();
    send(host, PEER6);
    host.pass(3000);
    const neighbor = host.framing.neighbors.find(host.iface, host.numberOf(PEER6))!;
    neighbor.reachability = Reachability.Reachable;
    neighbor.confirmedAt = host.host.transport.now;
    host.take();
    expect(walk(host, 5000)).toBe('Reachable');
    expect(host.take()).toEqual([]);
  });
});

describe('routers', () => {
  const OTHER_ROUTER = 'fe80::98';
  const auto = (): Ipv6Host => {
    const host = new Ipv6Host({ autoconfigure: true });
    host.router();
    return host;
  };
  const hopOf = (host: Ipv6Host): string => {
    const number = host.host.addresses.internWords(parseIpv6Address(OUTSIDE)!);
    const path = host.network.acquire(number, null)!;
    host.network.release(path);
    host.host.addresses.release(number);
    return host.host.addresses.format(path.neighbor.address);
  };

  test('what is not on the link goes through one; on the link nothing does (RFC 4861 5.2)', () => {
    const host = auto();
    host.take();
    send(host, OUTSIDE);
    expect(host.take()).toEqual([`${OWN} > ${OUTSIDE} protocol 59 length 0`]);
    expect([hopOf(host), stateOf(host, ROUTER6)]).toEqual([ROUTER6, 'Delay']);
    send(host, PEER6);
    expect(host.take()).toEqual([SOLICITATION]);
  });

  test('one that does not answer is replaced by another (RFC 4861 6.3.6, 7.3.3)', () => {
    const host = auto();
    host.router({ source: OTHER_ROUTER });
    send(host, OUTSIDE);
    expect(hopOf(host)).toBe(ROUTER6);
    host.pass(8500);
    expect(hopOf(host)).toBe(OTHER_ROUTER);
    // Neither answers: some router is better than none.
    send(host, OUTSIDE);
    host.pass(8500);
    expect(hopOf(host)).toBe(ROUTER6);
  });

  test('one that says it is none any more is left (RFC 4861 7.2.5)', () => {
    const host = auto();
    host.router({ source: OTHER_ROUTER });
    send(host, OUTSIDE);
    host.advertises(ROUTER6, { flags: NaFlag.Override, destination: 'ff02::1', mac: [MAC_HI, 0x99] });
    expect(hopOf(host)).toBe(OTHER_ROUTER);
  });

  test('a redirect to a better one, or to the destination itself (RFC 4861 8.3)', () => {
    const host = auto();
    send(host, OUTSIDE);
    host.redirects(OUTSIDE, OTHER_ROUTER, [MAC_HI, 0x98]);
    expect([hopOf(host), macOf(host, OTHER_ROUTER)]).toEqual([OTHER_ROUTER, 0x98]);
    host.redirects(OUTSIDE, OUTSIDE, [MAC_HI, 9], OTHER_ROUTER);
    expect([hopOf(host), macOf(host, OUTSIDE)]).toEqual([OUTSIDE, 9]);
    // Routes that come and go leave it.
    host.router({ source: 'fe80::97' });
    expect(hopOf(host)).toBe(OUTSIDE);
  });

  test.each([
    ['from somebody who is not the hop in use', 'fe80::77', OTHER_ROUTER],
    ['to something that is no router on the link', ROUTER6, PEER6],
  ])('a redirect %s is none (RFC 4861 8.1)', (_what, source, target) => {
    const host = auto();
    send(host, OUTSIDE);
    host.redirects(OUTSIDE, target, null, source);
    expect(hopOf(host)).toBe(ROUTER6);
  });
});

test('neighbors that nothing is sent to are forgotten when there are too many (RFC 6583 7.1)', () => {
  const host = new Ipv6Host();
  host.introduce6();
  send(host, PEER6);
  for (let i = 0; i < 3000; i++) host.solicits(OWN, { source: `fd00::${(0x1000 + i).toString(16)}` });
  expect([...host.framing.neighbors].length).toBeLessThanOrEqual(1200);
  expect(stateOf(host)).not.toBe('none');
  expect(host.host.addresses.inUse).toBeLessThan(6000);
});
