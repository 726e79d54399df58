/**
 * Trees of different shape for the cost meter: how many paths and neighbors stand between connections and the device.
 *
 *   one path     all connections to one address: one neighbor, one path
 *   path each    (nearly) every connection has a path of its own behind one router: one neighbor, many paths
 *   mixed        four connections a path on average, behind four routers and on the own network
 */
import type { InterfacePlan, RoutePlan } from '../assemble-host.ts';
import type { PopulationPlan } from '../fabric/fabric.ts';
import type { StationGroupOptions } from '../fabric/stations/station-group.ts';
import { parseIpv4Address } from '../wire/ipv4-text.ts';
import { SERVER_PORT, stormNetwork } from './network.ts';

export const SHAPES = ['one path', 'path each', 'mixed'] as const;
export type Shape = (typeof SHAPES)[number];

export interface ShapeNetwork {
  readonly interfaces: readonly InterfacePlan[];
  readonly routes: readonly RoutePlan[];
  readonly populations: readonly PopulationPlan[];
}

const SERVER = parseIpv4Address('10.0.0.1')!;
const ROUTER = parseIpv4Address('10.0.0.251')!;
const BEHIND = parseIpv4Address('10.1.0.0')!;
/** Stations that the clients are spread over: so many more than connections that few meet. */
const SPREAD = 12;
const STATIONS_MAX = 60_000;
const CONNECTIONS_PER_PATH = 4;
const CATALOG = [{ path: '/', size: 0, sha256: '' }];
const SEED = 1;

export function shapeNetwork(shape: Shape, connections: number): ShapeNetwork {
  if (shape === 'mixed') {
    return stormNetwork({
      vids: [],
      connections,
      concurrency: connections,
      catalog: CATALOG,
      seed: SEED,
      timeWaitTicks: 1000,
      stations: Math.max(8, Math.floor(connections / CONNECTIONS_PER_PATH)),
    });
  }
  const common = { vid: 0, serverAddress: SERVER, serverPort: SERVER_PORT };
  const group: StationGroupOptions =
    shape === 'one path'
      ? { ...common, name: 'one', kind: 'local', firstAddress: SERVER + 15, count: 1, prefixLength: 24 }
      : {
          ...common,
          name: 'behind the router',
          kind: 'router',
          firstAddress: BEHIND + 1,
          count: Math.min(STATIONS_MAX, connections * SPREAD),
          prefixLength: 16,
          routerAddress: ROUTER,
        };
  const load = { connections, concurrency: connections, catalog: CATALOG, seed: SEED };
  return {
    interfaces: [{ address: SERVER, prefixLength: 24, vid: 0 }],
    routes: [{ prefix: BEHIND, prefixLength: 16, gateway: ROUTER, iface: 0 }],
    populations: [{ vid: 0, options: { name: 'clients', groups: [group], seed: SEED, load } }],
  };
}
