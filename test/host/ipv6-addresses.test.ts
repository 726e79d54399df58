/** Addresses of a host: duplicate detection (RFC 4862 5.4), from routers (5.5), and which is the source (RFC 6724 5). */
import { describe, expect, test } from 'vitest';
import { OWN_ADDRESSES_MAX } from '../../src/host/ipv6-interface.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { PrefixFlag } from '../../src/wire/nd.ts';
import { Ipv6Host, OWN, OWN_LINK_LOCAL, PEER6, ROUTER6 } from '../support/ipv6-host.ts';

const DAD = (address: string, group: string): string =>
  `:: > ff02::1:ff${group} icmpv6 neighbor solicitation ${address}`;

describe('duplicate address detection (RFC 4862 5.4)', () => {
  const tentative = (): Ipv6Host => new Ipv6Host({ duplicateProbes: 1 });

  test('one probe for each address, after a random delay; a second of silence makes it ours', () => {
    const host = tentative();
    expect([host.stateOf(OWN), host.stateOf(OWN_LINK_LOCAL)]).toEqual(['Tentative', 'Tentative']);
    expect(host.network.ipv6.isSettled).toBe(false);
    host.pass(1000);
    expect(host.take().sort()).toEqual([DAD(OWN, '00:1'), DAD(OWN_LINK_LOCAL, '00:1')].sort());
    expect(host.stateOf(OWN)).toBe('Tentative');
    host.pass(1000);
    expect([host.stateOf(OWN), host.stateOf(OWN_LINK_LOCAL)]).toEqual(['Preferred', 'Preferred']);
    expect(host.network.ipv6.isSettled).toBe(true);
    expect(host.take()).toEqual([]);
  });

  test('an address that is being checked is no source, no destination, and answers nobody (RFC 4862 2, 5.4.2)', () => {
    const host = tentative();
    expect(host.network.acquire(host.host.addresses.internWords(Int32Array.of(0xfd000000, 0, 0, 2)), null)).toBeNull();
    host.solicits(OWN);
    expect(host.take().filter(text => text.includes('advertisement'))).toEqual([]);
  });

  test.each([
    ['somebody who has it', (host: Ipv6Host) => host.advertises(OWN, { flags: 0, destination: 'ff02::1' })],
    [
      'somebody who wants it too',
      (host: Ipv6Host) => host.solicits(OWN, { source: '::', destination: 'ff02::1:ff00:1' }),
    ],
  ])('%s makes it a duplicate, which the administrator hears of (RFC 4862 5.4.3, 5.4.4)', (_who, speak) => {
    const host = tentative();
    speak(host);
    expect(host.stateOf(OWN)).toBe('Duplicate');
    expect(host.host.log.events.filter(({ kind }) => kind === 'address-conflict').map(({ text }) => text)).toEqual([
      OWN,
    ]);
    host.pass(3000);
    expect([host.stateOf(OWN), host.stateOf(OWN_LINK_LOCAL)]).toEqual(['Duplicate', 'Preferred']);
    host.take();
    host.solicits(OWN);
    expect(host.take()).toEqual([]);
  });

  test('afterwards nobody takes it from us: a probe is answered to all, a claim is counted', () => {
    const host = new Ipv6Host();
    host.solicits(OWN, { source: '::', destination: 'ff02::1:ff00:1' });
    expect(host.take()).toEqual([
      'fd00::1 > ff02::1 icmpv6 neighbor advertisement fd00::1 (02:43:4e:00:00:01) override',
    ]);
    host.advertises(OWN, { flags: 0, destination: 'ff02::1' });
    expect(host.stateOf(OWN)).toBe('Preferred');
    expect(host.network.ipv6.neighbors.conflicts).toBe(1);
  });

  test('a probe that is none is ignored: with a MAC address, or to one node (RFC 4861 7.1.1)', () => {
    const host = tentative();
    host.solicits(OWN, { source: '::', destination: 'ff02::1:ff00:1', mac: true });
    host.solicits(OWN, { source: '::', destination: OWN });
    expect(host.stateOf(OWN)).toBe('Tentative');
  });
});

describe('router solicitation (RFC 4861 6.3.7, RFC 7559)', () => {
  const solicitation = `${OWN_LINK_LOCAL} > ff02::2 icmpv6 router solicitation (02:43:4e:00:00:01)`;

  test('begins with the link-local address (RFC 4862 5.3), backs off (RFC 7559 2.1), ends with the first default router', () => {
    const host = new Ipv6Host({ addresses: [], autoconfigure: true });
    host.pass(1000);
    expect(host.take()).toEqual([solicitation]);
    host.pass(3000);
    expect(host.take()).toEqual([]);
    host.pass(2000);
    expect(host.take()).toEqual([solicitation]);
    host.pass(60_000);
    expect(host.take().length).toBeLessThanOrEqual(4);
    host.router({ lifetime: 0 });
    host.pass(200_000);
    expect(host.take().length).toBeGreaterThan(0);
    host.router();
    host.pass(200_000);
    expect(host.take()).toEqual([]);
  });

  test('a host that takes nothing from routers does not ask', () => {
    const host = new Ipv6Host();
    host.pass(10_000);
    expect(host.take()).toEqual([]);
    host.router({ prefixes: [{ text: 'fd77::/64' }] });
    expect(host.on.addresses).toHaveLength(2);
  });
});

describe('stateless autoconfiguration (RFC 4862 5.5)', () => {
  const FORMED = 'fd77::43:4eff:fe00:1';
  const auto = (duplicateProbes = 0): Ipv6Host => {
    const host = new Ipv6Host({ addresses: [], autoconfigure: true, duplicateProbes });
    host.pass(2500);
    host.take();
    return host;
  };

  test('an address of the prefix and our identifier, checked, then used, to the end of its lifetimes', () => {
    const host = auto(1);
    host.router({ prefixes: [{ text: 'fd77::/64', valid: 7300, preferred: 20 }] });
    expect(host.stateOf(FORMED)).toBe('Tentative');
    host.pass(2000);
    expect(host.stateOf(FORMED)).toBe('Preferred');
    host.step(17_500);
    expect(host.stateOf(FORMED)).toBe('Preferred');
    host.step(1000);
    expect(host.stateOf(FORMED)).toBe('Deprecated');
    host.step(7_279_000);
    expect(host.stateOf(FORMED)).toBe('Deprecated');
    host.step(2000);
    expect(host.stateOf(FORMED)).toBe('none');
    expect(host.numberOf(FORMED)).toBe(0);
  });

  test.each([
    ['of another length than 64', { text: 'fd77::/48' }],
    ['without the autonomous flag', { text: 'fd77::/64', flags: PrefixFlag.OnLink }],
    ['preferred for longer than it is valid', { text: 'fd77::/64', valid: 100, preferred: 101 }],
    ['that is not valid', { text: 'fd77::/64', valid: 0, preferred: 0 }],
    ['of link-local scope', { text: 'fe80::/64' }],
    ['of groups', { text: 'ff05::/64' }],
  ])('no address is formed of a prefix %s (RFC 4862 5.5.3)', (_what, prefix) => {
    const host = auto();
    host.router({ prefixes: [prefix] });
    expect(host.on.addresses).toHaveLength(1);
  });

  test('nobody ends an address by a forged lifetime: what is left is two hours at least (RFC 4862 5.5.3 (e))', () => {
    const host = auto();
    host.router({ prefixes: [{ text: 'fd77::/64', valid: 86_400, preferred: 14_400 }] });
    host.router({ prefixes: [{ text: 'fd77::/64', valid: 1, preferred: 0 }] });
    expect(host.stateOf(FORMED)).toBe('Deprecated');
    host.step(7_199_000);
    expect(host.stateOf(FORMED)).toBe('Deprecated');
    // Less than two hours are left, and it says less still: nothing changes.
    host.router({ prefixes: [{ text: 'fd77::/64', valid: 0, preferred: 0 }] });
    host.step(2000);
    expect(host.stateOf(FORMED)).toBe('none');
  });

  test('a longer lifetime counts at once, and one of more than two hours (RFC 4862 5.5.3 (e))', () => {
    const host = auto();
    host.router({ prefixes: [{ text: 'fd77::/64', valid: 100, preferred: 100 }] });
    host.router({ prefixes: [{ text: 'fd77::/64', valid: 7201, preferred: 7201 }] });
    host.step(7_200_000);
    expect(host.stateOf(FORMED)).toBe('Preferred');
    host.step(2000);
    expect(host.stateOf(FORMED)).toBe('none');
  });

  test('lifetimes without end, and longer than 32 bits of milliseconds', () => {
    const host = auto();
    host.router({ prefixes: [{ text: 'fd77::/64', valid: 0xffffffff, preferred: 30 * 86_400 }] });
    for (let day = 0; day < 29; day++) host.step(86_400_000);
    expect(host.stateOf(FORMED)).toBe('Preferred');
    for (let day = 0; day < 60; day++) host.step(86_400_000);
    expect(host.stateOf(FORMED)).toBe('Deprecated');
  });

  test('as many as an interface has room for', () => {
    const host = auto();
    for (let i = 0; i < 20; i++) host.router({ prefixes: [{ text: `fd${10 + i}::/64` }] });
    expect(host.on.addresses).toHaveLength(OWN_ADDRESSES_MAX);
  });

  test('an advertisement that is not from a router on the link counts for nothing (RFC 4861 6.1.2)', () => {
    const host = auto();
    host.router({ prefixes: [{ text: 'fd77::/64' }], source: PEER6 });
    host.router({ prefixes: [{ text: 'fd77::/64' }] }, 254);
    expect(host.on.addresses).toHaveLength(1);
    expect(host.network.ipv6.icmp.invalid).toBe(1);
  });
});

describe('what a router says of the link (RFC 4861 6.3.4)', () => {
  const auto = (): Ipv6Host => new Ipv6Host({ autoconfigure: true });

  test('hop limit, reachable time, retransmission time, MTU; 0 says nothing', () => {
    const host = auto();
    host.router({ hopLimit: 33, reachableTime: 10_000, retransTimer: 500, mtu: 1400 });
    const { on } = host;
    expect(on).toMatchObject({ hopLimit: 33, baseReachableTime: 10_000, retransTimer: 500, linkMtu: 1400 });
    expect(on.reachableTime).toBeGreaterThanOrEqual(5000);
    expect(on.reachableTime).toBeLessThanOrEqual(15_010);
    const before = on.reachableTime;
    host.router();
    expect(on).toMatchObject({ hopLimit: 33, reachableTime: before, retransTimer: 500, linkMtu: 1400 });
    // Whoever is asked for would be asked once an hour.
    host.router({ retransTimer: 3_600_000 });
    expect(on.retransTimer).toBe(10_000);
  });

  test.each([1279, 1501])('an MTU of %i is no MTU of this link', mtu => {
    const host = auto();
    host.router({ mtu });
    expect(host.on.linkMtu).toBe(1500);
  });

  test('a default route for its lifetime, and until it says 0', () => {
    const host = auto();
    const reaches = (): boolean => {
      const number = host.host.addresses.internWords(Int32Array.of(0x20010db8, 0, 0, 9));
      const path = host.network.acquire(number, null);
      if (path !== null) host.network.release(path);
      return path !== null;
    };
    expect(reaches()).toBe(false);
    host.router({ lifetime: 10 });
    expect(reaches()).toBe(true);
    host.step(9000);
    expect(reaches()).toBe(true);
    host.step(2000);
    expect(reaches()).toBe(false);
    host.router({ lifetime: 10 });
    expect(reaches()).toBe(true);
    host.router({ lifetime: 0 });
    expect(reaches()).toBe(false);
  });

  test('what the administrator has routed stays', () => {
    const host = auto();
    const router = Int32Array.of(0xfe800000, 0, 0, 0x99);
    host.network.ipv6.addRoute(new Int32Array(4), 0, router, host.iface);
    host.router({ lifetime: 0 });
    const number = host.host.addresses.internWords(Int32Array.of(0x20010db8, 0, 0, 9));
    expect(host.network.acquire(number, null)?.neighbor.address).toBe(host.numberOf(ROUTER6));
  });
});

describe('router preferences and more specific routes (RFC 4191 3)', () => {
  const [HIGH, RESERVED, LOW] = [0x08, 0x10, 0x18];
  const OTHER = 'fe80::98';
  const auto = (): Ipv6Host => new Ipv6Host({ addresses: ['2001:db8::1/64'], autoconfigure: true });
  /** The gateway to an address. */
  const gatewayTo = (host: Ipv6Host, text: string): string => {
    const { addresses } = host.host;
    const number = addresses.internWords(parse(text));
    const path = host.network.acquire(number, null);
    addresses.release(number);
    if (path === null) return 'none';
    const gateway = addresses.format(path.neighbor.address);
    host.network.release(path);
    return gateway;
  };

  test('the preferred router is the one, until it says otherwise; what is reserved is medium', () => {
    const host = auto();
    host.router();
    expect(gatewayTo(host, '2a00::1')).toBe(ROUTER6);
    host.router({ source: OTHER, preference: HIGH });
    expect(gatewayTo(host, '2a00::1')).toBe(OTHER);
    host.router({ source: OTHER, preference: LOW });
    expect(gatewayTo(host, '2a00::1')).toBe(ROUTER6);
    host.router({ source: OTHER, preference: RESERVED });
    host.router({ preference: LOW });
    expect(gatewayTo(host, '2a00::1')).toBe(OTHER);
  });

  test('a route of a router that is none by default, for its lifetime', () => {
    const host = auto();
    host.router();
    host.router({ source: OTHER, lifetime: 0, routes: [{ text: '2a00:0:5::/48', lifetime: 10 }] });
    expect(gatewayTo(host, '2a00:0:5::1')).toBe(OTHER);
    expect(gatewayTo(host, '2a00:0:6::1')).toBe(ROUTER6);
    host.step(11_000);
    expect(gatewayTo(host, '2a00:0:5::1')).toBe(ROUTER6);
  });

  test('of two routes of one length the preferred; an option with a reserved preference counts for nothing', () => {
    const host = auto();
    host.router({ routes: [{ text: '2a00::/16' }] });
    host.router({ source: OTHER, routes: [{ text: '2a00::/16', preference: HIGH }] });
    expect(gatewayTo(host, '2a00::1')).toBe(OTHER);
    host.router({
      source: OTHER,
      routes: [
        { text: '2a00::/32', preference: RESERVED },
        { text: '2a00::/16', lifetime: 0 },
      ],
    });
    expect(gatewayTo(host, '2a00::1')).toBe(ROUTER6);
  });

  test('an option for everything outweighs what is said of the router itself', () => {
    const host = auto();
    host.router({ routes: [{ text: '::/0', lifetime: 0 }] });
    expect(gatewayTo(host, '2a00::1')).toBe('none');
    host.router({ lifetime: 0, routes: [{ text: '::/0' }] });
    expect(gatewayTo(host, '2a00::1')).toBe(ROUTER6);
  });

  test('a router that answers comes before a longer prefix', () => {
    const host = auto();
    host.router();
    host.router({ source: OTHER, lifetime: 0, mac: false, routes: [{ text: '2a00::/16' }] });
    const { addresses, framing } = host.host;
    const other = framing.neighbors.for(host.iface, addresses.internWords(parse(OTHER)));
    framing.neighbors.failed(other);
    expect(gatewayTo(host, '2a00::1')).toBe(ROUTER6);
  });
});

describe('source address selection (RFC 6724 5)', () => {
  const host = new Ipv6Host({
    addresses: ['fd00::1/64', 'fd00:0:0:1::1/64', '2001:db8::1/64', '2001:db8:0:5::1/64'],
  });
  const sourceFor = (text: string): string => {
    const number = host.host.addresses.internWords(parse(text));
    return host.host.addresses.format(host.on.sourceFor(number));
  };

  test.each([
    ['the same address (rule 1)', '2001:db8::1', '2001:db8::1'],
    ['the smallest scope that reaches (rule 2)', 'fe80::5', OWN_LINK_LOCAL],
    ['for a group of the link', 'ff02::1', OWN_LINK_LOCAL],
    ['not a smaller one', '2a00::1', '2001:db8::1'],
    ['the same label (rule 6): of a private network', 'fd99::1', 'fd00::1'],
    ['the longest prefix (rule 8)', '2001:db8:0:5::77', '2001:db8:0:5::1'],
    ['the longest prefix (rule 8), private', 'fd00:0:0:1::77', 'fd00:0:0:1::1'],
  ])('%s: %s from %s', (_rule, destination, source) => {
    expect(sourceFor(destination)).toBe(source);
  });

  test('not one that is deprecated (RFC 6724 5, rule 3), while there is another', () => {
    const auto = new Ipv6Host({ addresses: ['fd00::1/64'], autoconfigure: true });
    auto.router({ prefixes: [{ text: 'fd77::/64', valid: 1000, preferred: 10 }] });
    const number = auto.host.addresses.internWords(parse('fd77::9'));
    expect(auto.host.addresses.format(auto.on.sourceFor(number))).toBe('fd77::43:4eff:fe00:1');
    auto.step(11_000);
    expect(auto.host.addresses.format(auto.on.sourceFor(number))).toBe('fd00::1');
  });
});

function parse(text: string): Int32Array {
  return parseIpv6Address(text)!;
}
