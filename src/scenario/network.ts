/**
 * The network of a storm: where the server stands, and the clients around it. A few stations on the server's own network,
 * most behind routers, so that there are many paths and few neighbors (Figure 4C).
 *
 *   10.0.0.1 server   10.0.0.16… local stations   10.0.0.251–254 routers, each with 10.k.0.0/16 behind it
 *   with VLANs: 10.V… instead of 10.0…, one such network a VLAN
 */
import type { InterfacePlan, RoutePlan } from '../assemble-host.ts';
import type { PopulationPlan } from '../fabric/fabric.ts';
import type { CatalogFile } from '../fabric/stations/client-load-options.ts';
import type { StationGroupOptions } from '../fabric/stations/station-group.ts';

export interface StormNetworkOptions {
  /** 0 for the untagged network. */
  readonly vids: readonly number[];
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
  readonly populations: PopulationPlan[];
}

export const SERVER_PORT = 80;
const ROUTERS = 4;
const LOCAL_STATIONS = 32;

function ip(a: number, b: number, c: number, d: number): number {
  return (a << 24) | (b << 16) | (c << 8) | d;
}

export function stormNetwork(options: StormNetworkOptions): StormNetwork {
  const vids = options.vids.length === 0 ? [0] : options.vids;
  const interfaces: InterfacePlan[] = [];
  const routes: RoutePlan[] = [];
  const populations = vids.map((vid, index): PopulationPlan => {
    const net = index * 16;
    const serverAddress = ip(10, net, 0, 1);
    interfaces.push({ address: serverAddress, prefixLength: 24, vid });
    for (let router = 0; router < ROUTERS; router++) {
      const prefix = ip(10, net + router + 1, 0, 0);
      routes.push({ prefix, prefixLength: 16, gateway: ip(10, net, 0, 251 + router), iface: index });
    }
    const share = shareOf(options.connections, vids.length, index);
    return {
      vid,
      options: {
        name: vid === 0 ? 'clients' : `clients of VLAN ${vid}`,
        groups: groupsOf(options, serverAddress, net, vid),
        seed: options.seed + index,
        load: {
          connections: share,
          concurrency: Math.max(1, Math.min(share, Math.floor(options.concurrency / vids.length))),
          catalog: options.catalog,
          seed: options.seed * 31 + index,
          timeWaitTicks: options.timeWaitTicks,
        },
      },
    };
  });
  return { interfaces, routes, populations };
}

function shareOf(total: number, parts: number, index: number): number {
  return Math.floor(total / parts) + (index < total % parts ? 1 : 0);
}

function groupsOf(
  options: StormNetworkOptions,
  serverAddress: number,
  net: number,
  vid: number,
): StationGroupOptions[] {
  const local = Math.min(LOCAL_STATIONS, Math.max(1, options.stations >> 5));
  const behind = Math.max(1, Math.floor((options.stations - local) / ROUTERS));
  const groups: StationGroupOptions[] = [
    {
      name: 'local',
      kind: 'local',
      vid,
      firstAddress: ip(10, net, 0, 16),
      count: local,
      prefixLength: 24,
      serverAddress,
      serverPort: SERVER_PORT,
    },
  ];
  for (let router = 0; router < ROUTERS; router++) {
    groups.push({
      name: `behind router ${router}`,
      kind: 'router',
      vid,
      firstAddress: ip(10, net + router + 1, 0, 1),
      count: behind,
      prefixLength: 16,
      routerAddress: ip(10, net, 0, 251 + router),
      serverAddress,
      serverPort: SERVER_PORT,
    });
  }
  return groups;
}
