/** The routing table: the longest prefix decides (RFC 1812 5.2.4.3). */
import { describe, expect, test } from 'vitest';
import { Interface } from '../../src/host/interface.ts';
import { Adapter, type ProviderTable } from '../../src/host/ndis.ts';
import { mtuThrough, NO_METRICS } from '../../src/host/route-metrics.ts';
import { RoutingTable } from '../../src/host/routes.ts';
import { parseIpv4Address } from '../../src/wire/ipv4-text.ts';

const ip = (text: string): number => parseIpv4Address(text)!;
const adapter = new Adapter('nic0', 0, 1, 1500, {} as ProviderTable);
const eth0 = new Interface(0, adapter, ip('10.0.0.1'), 24);
const eth1 = new Interface(1, adapter, ip('192.168.1.1'), 16);

describe('find', () => {
  const routes = new RoutingTable();
  routes.add(0, 0, ip('10.0.0.254'), eth0);
  routes.add(ip('10.1.0.0'), 16, ip('10.0.0.251'), eth0);
  routes.add(ip('10.1.2.0'), 24, ip('10.0.0.252'), eth0);
  routes.add(ip('10.1.2.3'), 32, ip('10.0.0.253'), eth0);
  routes.add(ip('10.0.0.1'), 24, 0, eth0);
  routes.add(ip('10.1.0.0'), 16, ip('192.168.0.9'), eth1);

  test.each([
    ['10.1.2.3', '10.0.0.253'],
    ['10.1.2.4', '10.0.0.252'],
    ['10.1.3.4', '10.0.0.251'],
    ['8.8.8.8', '10.0.0.254'],
    ['255.255.255.255', '10.0.0.254'],
  ])('%s goes by %s', (destination, gateway) => {
    expect(routes.find(ip(destination), eth0)!.gateway).toBe(ip(gateway));
  });

  test('a destination on the link has no gateway', () => {
    expect(routes.find(ip('10.0.0.77'), null)).toMatchObject({ gateway: 0, iface: eth0 });
  });

  test('only routes of the interface that was asked for', () => {
    expect(routes.find(ip('10.1.2.3'), eth1)!.gateway).toBe(ip('192.168.0.9'));
    expect(routes.find(ip('8.8.8.8'), eth1)).toBeUndefined();
  });

  test('no route: network unreachable', () => {
    expect(new RoutingTable().find(ip('8.8.8.8'), null)).toBeUndefined();
  });

  test('of two equally long prefixes the first added', () => {
    expect(routes.find(ip('10.1.9.9'), null)!.iface).toBe(eth0);
  });
});

describe('change and remove', () => {
  test('metrics stay with the route until others are given', () => {
    const routes = new RoutingTable();
    const metrics = { ...NO_METRICS, mtu: 1300 };
    routes.add(ip('10.1.0.0'), 16, ip('10.0.0.251'), eth0, metrics);
    routes.change(ip('10.1.0.0'), 16, eth0, ip('10.0.0.252'));
    expect(routes.find(ip('10.1.2.3'), null)).toMatchObject({ gateway: ip('10.0.0.252'), metrics });
    routes.change(ip('10.1.0.0'), 16, eth0, ip('10.0.0.252'), NO_METRICS);
    expect(routes.find(ip('10.1.2.3'), null)!.metrics).toBe(NO_METRICS);
    expect([routes.has(ip('10.1.0.0'), 16, eth0), routes.has(ip('10.1.0.0'), 16, eth1)]).toEqual([true, false]);
  });

  test('an MTU is never more than the link carries', () => {
    expect([0, 1300, 9000].map(mtu => mtuThrough({ ...NO_METRICS, mtu }, 1500))).toEqual([1500, 1300, 1500]);
  });

  test('are of one route of one interface, named as it was added', () => {
    const routes = new RoutingTable();
    routes.add(ip('10.1.0.0'), 16, ip('10.0.0.251'), eth0);
    routes.add(ip('10.1.2.0'), 24, ip('10.0.0.252'), eth0);
    expect(routes.change(ip('10.1.2.0'), 24, eth0, ip('10.0.0.253'))).toBe(true);
    expect(routes.find(ip('10.1.2.3'), null)!.gateway).toBe(ip('10.0.0.253'));
    expect(routes.change(ip('10.1.2.0'), 24, eth1, ip('10.0.0.9'))).toBe(false);
    expect(routes.remove(ip('10.1.2.0'), 24, eth0)).toBe(true);
    expect(routes.remove(ip('10.1.2.0'), 24, eth0)).toBe(false);
    expect(routes.find(ip('10.1.2.3'), null)!.gateway).toBe(ip('10.0.0.251'));
  });
});
