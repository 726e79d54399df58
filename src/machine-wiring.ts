/**
 * From the options of `createMachine` to what its hosts are wired with: interfaces, addresses of both IP versions, routes.
 * The options have been checked (machine-options.ts), so nothing here can go wrong.
 */
import type { HostWiring, InterfacePlan, Ipv6RoutePlan, RoutePlan } from './assemble-host.ts';
import { DUPLICATE_PROBES } from './host/ipv6.ts';
import { NOTHING } from './host/policy/nothing.ts';
import type { RouteMetrics } from './host/route-metrics.ts';
import { policyOf } from './machine-offload.ts';
import type { checkMachineOptions } from './machine-options.ts';
import { prefixMask } from './wire/ipv4.ts';
import { parseCidr, parseIpv4Address } from './wire/ipv4-text.ts';
import { commonPrefixLength, isLinkLocalWord } from './wire/ipv6-address.ts';
import { type Ipv6Prefix, parseIpv6Address, parseIpv6Cidr } from './wire/ipv6-text.ts';

type Checked = ReturnType<typeof checkMachineOptions>;
type RouteOptions = NonNullable<Checked['routes']>[number];
/** What options say of all interfaces. */
type Common = Pick<Checked, 'ipv4' | 'ipv6'>;

export function wiringOf(options: Checked): HostWiring {
  const { vlans = [], routes = [] } = options;
  const interfaces: InterfacePlan[] = [];
  const isUntagged = options.address !== undefined || vlans.length === 0;
  if (isUntagged) interfaces.push(interfaceOf(options.address ?? [], 0, options));
  for (const { id, address } of vlans) interfaces.push(interfaceOf(address, id, options));
  return {
    interfaces,
    routes: routes.flatMap(route => ipv4Route(interfaces, route) ?? []),
    ipv6Routes: routes.flatMap(route => ipv6Route(interfaces, route) ?? []),
    team: options.team !== undefined,
    policy: policyOf(options.offload),
  };
}

export function peerWiring(address: string | readonly string[], options: Common): HostWiring {
  return { interfaces: [interfaceOf(address, 0, options)], routes: [], team: false, policy: NOTHING };
}

function interfaceOf(given: string | readonly string[], vid: number, { ipv4, ipv6 }: Common): InterfacePlan {
  const texts = typeof given === 'string' ? [given] : given;
  const [first, ...more] = texts.map(parseCidr).filter(prefix => prefix !== undefined);
  const addresses = texts.map(parseIpv6Cidr).filter(prefix => prefix !== undefined);
  const { autoconfigure = false, duplicateProbes = DUPLICATE_PROBES } = ipv6 ?? {};
  const speaksIpv6 = addresses.length > 0 || autoconfigure;
  return {
    address: first?.address ?? 0,
    prefixLength: first?.prefixLength ?? 0,
    more,
    probesAddresses: ipv4?.probe ?? false,
    snap: ipv4?.snap ?? false,
    vid,
    ipv6: speaksIpv6 ? { addresses, autoconfigure, duplicateProbes } : undefined,
  };
}

function metricsOf({ mtu, lockMtu, advertisedMss, initialWindow }: RouteOptions): RouteMetrics {
  return {
    mtu: mtu ?? 0,
    isMtuLocked: mtu !== undefined && lockMtu === true,
    advertisedMss: advertisedMss ?? 0,
    initialWindow: initialWindow ?? 0,
  };
}

function ipv4Route(interfaces: readonly InterfacePlan[], route: RouteOptions): RoutePlan | undefined {
  const { to, via } = route;
  const prefix = parseCidr(to);
  const gateway = parseIpv4Address(via);
  if (prefix === undefined || gateway === undefined) return undefined;
  const isOn = ({ address, prefixLength }: { address: number; prefixLength: number }): boolean =>
    address !== 0 && ((address ^ gateway) & prefixMask(prefixLength)) === 0;
  const iface = interfaces.findIndex(plan => isOn(plan) || (plan.more ?? []).some(isOn));
  const { address, prefixLength } = prefix;
  return { prefix: address, prefixLength, gateway, iface: Math.max(0, iface), metrics: metricsOf(route) };
}

/** A link-local gateway is one of the first link that speaks IPv6. */
function ipv6Route(interfaces: readonly InterfacePlan[], route: RouteOptions): Ipv6RoutePlan | undefined {
  const { to, via } = route;
  const prefix = parseIpv6Cidr(to);
  const gateway = parseIpv6Address(via);
  if (prefix === undefined || gateway === undefined) return undefined;
  const isOn = ({ address, prefixLength }: Ipv6Prefix): boolean =>
    commonPrefixLength(address, 0, gateway, 0) >= prefixLength;
  const isLinkLocal = isLinkLocalWord(gateway[0]!);
  const iface = interfaces.findIndex(({ ipv6 }) => ipv6 !== undefined && (isLinkLocal || ipv6.addresses.some(isOn)));
  if (iface < 0) return undefined;
  return { prefix: prefix.address, prefixLength: prefix.prefixLength, gateway, iface, metrics: metricsOf(route) };
}
