/**
 * The network of a storm: where the server stands, and the clients around it. A few stations on the server's own network,
 * most behind routers, so that there are many paths and few neighbors (Figure 4C).
 *
 *   10.0.0.1 server   10.0.0.16… local stations   10.0.0.251–254 routers, each with 10.k.0.0/16 behind it
 *   fd00::1  server   fd00::16…  local stations   fd00::251–254  routers, each with fd00:0:0:k::/64 behind it
 *   with VLANs: 10.V… instead of 10.0…, fd00:0:0:V… instead of fd00:…, one such network a VLAN
 */
import type { InterfacePlan, Ipv6RoutePlan, RoutePlan } from '../assemble-host.ts';
import type { PopulationPlan } from '../fabric/fabric.ts';
import type { CatalogFile } from '../fabric/stations/client-load-options.ts';
import type { StationAddress, StationGroupOptions } from '../fabric/stations/station-group.ts';
import { parseIpv6Address } from '../wire/ipv6-text.ts';

/** What the clients speak: with `both`, one half of them either. */
export const FAMILIES = ['ipv4', 'ipv6', 'both'] as const;
export type Family = (typeof FAMILIES)[number];

export interface StormNetworkOptions {
  /** 0 for the untagged network. */
  readonly vids: readonly number[];
  readonly family?: Family;
  readonly connections: number;
  readonly concurrency: number;
  readonly catalog: readonly CatalogFile[];
  readonly seed: number;
  readonly timeWaitTicks: number;
  readonly stations: number;
}

export interface StormNetwork {
  readonly interfaces: InterfacePlan[];
  readonly routes: RoutePlan[];
  readonly ipv6Routes: Ipv6RoutePlan[];
  readonly populations: PopulationPlan[];
}

export const SERVER_PORT = 80;
const ROUTERS = 4;
const LOCAL_STATIONS = 32;
/** Numbers of hosts in a network. */
const SERVER = 1;
const FIRST_LOCAL = 16;
const FIRST_ROUTER = 251;
const IPV6_PREFIX_LENGTH = 64;

function ip(net: number, host: number): number {
  return (10 << 24) | (net << 16) | host;
}

/** Host numbers are written as they are, so that both versions look alike. */
function ip6(net: number, host: number): string {
  return net === 0 ? `fd00::${host}` : `fd00:0:0:${net}::${host}`;
}

export function stormNetwork(options: StormNetworkOptions): StormNetwork {
  const { family = 'ipv4' } = options;
  const vids = options.vids.length === 0 ? [0] : options.vids;
  const network: StormNetwork = { interfaces: [], routes: [], ipv6Routes: [], populations: [] };
  vids.forEach((vid, index) => {
    const net = index * 16;
    network.interfaces.push(interfaceOf(family, net, vid));
    if (family !== 'ipv6') network.routes.push(...routesOf(net, index));
    if (family !== 'ipv4') network.ipv6Routes.push(...ipv6RoutesOf(net, index));
    network.populations.push(populationOf(options, family, vids.length, index, vid));
  });
  return network;
}

function interfaceOf(family: Family, net: number, vid: number): InterfacePlan {
  const ipv6 = {
    addresses: [{ address: parseIpv6Address(ip6(net, SERVER))!, prefixLength: IPV6_PREFIX_LENGTH }],
    duplicateProbes: 0,
    autoconfigure: false,
  };
  return {
    ...(family === 'ipv6' ? { address: 0, prefixLength: 0 } : { address: ip(net, SERVER), prefixLength: 24 }),
    ...(family === 'ipv4' ? {} : { ipv6 }),
    vid,
  };
}

function routesOf(net: number, iface: number): RoutePlan[] {
  return Array.from({ length: ROUTERS }, (_, router) => ({
    prefix: ip(net + router + 1, 0),
    prefixLength: 16,
    gateway: ip(net, FIRST_ROUTER + router),
    iface,
  }));
}

function ipv6RoutesOf(net: number, iface: number): Ipv6RoutePlan[] {
  return Array.from({ length: ROUTERS }, (_, router) => ({
    prefix: parseIpv6Address(ip6(net + router + 1, 0))!,
    prefixLength: IPV6_PREFIX_LENGTH,
    gateway: parseIpv6Address(ip6(net, FIRST_ROUTER + router))!,
    iface,
  }));
}

function populationOf(
  options: StormNetworkOptions,
  family: Family,
  populations: number,
  index: number,
  vid: number,
): PopulationPlan {
  const net = index * 16;
  const stations = family === 'both' ? options.stations >> 1 : options.stations;
  const groups = [
    ...(family === 'ipv6' ? [] : groupsOf(stations, net, vid, ip, { near: 24, far: 16 })),
    ...(family === 'ipv4'
      ? []
      : groupsOf(stations, net, vid, ip6, { near: IPV6_PREFIX_LENGTH, far: IPV6_PREFIX_LENGTH })),
  ];
  const share = shareOf(options.connections, populations, index);
  return {
    vid,
    options: {
      name: vid === 0 ? 'clients' : `clients of VLAN ${vid}`,
      groups,
      seed: options.seed + index,
      load: {
        connections: share,
        concurrency: Math.max(1, Math.min(share, Math.floor(options.concurrency / populations))),
        catalog: options.catalog,
        seed: options.seed * 31 + index,
        timeWaitTicks: options.timeWaitTicks,
      },
    },
  };
}

function shareOf(total: number, parts: number, index: number): number {
  return Math.floor(total / parts) + (index < total % parts ? 1 : 0);
}

function groupsOf(
  stations: number,
  net: number,
  vid: number,
  addressOf: (net: number, host: number) => StationAddress,
  prefixLengths: { readonly near: number; readonly far: number },
): StationGroupOptions[] {
  const local = Math.min(LOCAL_STATIONS, Math.max(1, stations >> 5));
  const behind = Math.max(1, Math.floor((stations - local) / ROUTERS));
  const common = { vid, serverAddress: addressOf(net, SERVER), serverPort: SERVER_PORT };
  const groups: StationGroupOptions[] = [
    {
      ...common,
      name: 'local',
      kind: 'local',
      firstAddress: addressOf(net, FIRST_LOCAL),
      count: local,
      prefixLength: prefixLengths.near,
    },
  ];
  for (let router = 0; router < ROUTERS; router++) {
    groups.push({
      ...common,
      name: `behind router ${router}`,
      kind: 'router',
      firstAddress: addressOf(net + router + 1, 1),
      count: behind,
      prefixLength: prefixLengths.far,
      routerAddress: addressOf(net, FIRST_ROUTER + router),
    });
  }
  return groups;
}
