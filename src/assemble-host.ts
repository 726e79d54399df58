/**
 * Puts a host's drivers and interfaces together: miniports, then a team over them, then VLANs over that, then IP
 * interfaces on whatever is on top. The stack binds to adapters and cannot tell which kind they are (R36).
 */
import type { Clock } from './base/clock.ts';
import type { Prng } from './base/prng.ts';
import { Host } from './host/host.ts';
import { Miniport } from './host/miniport.ts';
import type { Interface } from './host/interface.ts';
import type { Ipv6Options } from './host/ipv6.ts';
import type { Adapter } from './host/ndis.ts';
import type { RouteMetrics } from './host/route-metrics.ts';
import type { OffloadPolicy } from './host/policy/offload-policy.ts';
import { ActiveBackupTeam, type MemberHealth } from './intermediate-driver/active-backup-team.ts';
import { VlanDriver } from './intermediate-driver/vlan.ts';
import type { HostBoot } from './machine-layout.ts';
import type { Memory } from './memory/memory.ts';
import { NicStatus } from './ring/nic-layout.ts';
import { HeaderFormat } from './offload/state-objects.ts';
import type { Ipv6Prefix } from './wire/ipv6-text.ts';

export interface InterfacePlan {
  /** IPv4; 0 = none. */
  readonly address: number;
  readonly prefixLength: number;
  /** 0 = on the adapter itself. */
  readonly vid: number;
  /** Further addresses of IPv4. */
  readonly more?: readonly { readonly address: number; readonly prefixLength: number }[];
  /** RFC 5227: addresses of IPv4 are used only when nobody is found to have them. */
  readonly probesAddresses?: boolean;
  /** RFC 1042: datagrams of IPv4 leave in LLC/SNAP frames. */
  readonly snap?: boolean;
  /** Absent: it does not speak IPv6. */
  readonly ipv6?: Ipv6Plan | undefined;
}

export interface Ipv6Plan extends Ipv6Options {
  /** Besides the link-local one. */
  readonly addresses: readonly Ipv6Prefix[];
}

export interface RoutePlan {
  readonly prefix: number;
  readonly prefixLength: number;
  readonly gateway: number;
  /** Index of the interface. */
  readonly iface: number;
  readonly metrics?: RouteMetrics;
}

export interface Ipv6RoutePlan {
  readonly prefix: Readonly<Int32Array>;
  readonly prefixLength: number;
  readonly gateway: Readonly<Int32Array>;
  readonly iface: number;
  readonly metrics?: RouteMetrics;
}

export interface HostWiring {
  readonly interfaces: readonly InterfacePlan[];
  readonly routes: readonly RoutePlan[];
  readonly ipv6Routes?: readonly Ipv6RoutePlan[];
  readonly team: boolean;
  readonly policy: OffloadPolicy;
}

export interface AssembledHost {
  readonly host: Host;
  readonly team: ActiveBackupTeam | null;
  readonly vlans: VlanDriver | null;
}

export function assembleHost(
  memory: Memory,
  boot: HostBoot,
  wiring: HostWiring,
  clock: Clock,
  prng: Prng,
): AssembledHost {
  const host = new Host(memory, boot.regions, boot.config, clock, prng, wiring.policy);
  for (const nic of boot.nics) host.miniports.push(new Miniport(memory, nic));
  // What waits for something must leave a device the buffers that what it waits for comes in.
  const receiveBuffers = Math.min(...boot.nics.map(nic => nic.config.receiveBuffers));
  host.transport.outOfOrderMax = receiveBuffers >> 2;
  host.transport.keptMax = receiveBuffers >> 1;
  host.network.ipv4Input.reassembler.buffersMax = receiveBuffers >> 3;
  host.network.ipv6.input.reassembler.buffersMax = receiveBuffers >> 3;
  const adapters = host.miniports.map(miniport => miniport.adapter);
  let top: Adapter = adapters[0]!;
  let team: ActiveBackupTeam | null = null;
  const blocks = boot.regions.blocks;
  if (wiring.team) {
    const health = host.miniports.map(miniport => healthOf(memory, miniport));
    team = new ActiveBackupTeam(memory, blocks, adapters, health, 'team0', clock, host.log);
    host.drivers.push(team);
    top = team.adapter;
  }
  const vids = wiring.interfaces.map(iface => iface.vid).filter(vid => vid !== 0);
  const vlans = vids.length > 0 ? new VlanDriver(memory, blocks, top, vids) : null;
  const interfaces = wiring.interfaces.map(plan => {
    const { address, prefixLength, vid, ipv6 } = plan;
    const adapter = vid === 0 ? top : vlans!.virtuals[vids.indexOf(vid)]!;
    const iface = host.addInterface(adapter, address, prefixLength);
    if (plan.snap === true) iface.headerFormat = HeaderFormat.Snap;
    for (const further of plan.more ?? []) host.addAddress(iface, further.address, further.prefixLength);
    if (plan.probesAddresses === true) host.probeAddresses(iface);
    if (ipv6 !== undefined) enableIpv6(host, iface, ipv6);
    return iface;
  });
  for (const { prefix, prefixLength, gateway, iface, metrics } of wiring.routes) {
    host.network.paths.routes.add(prefix, prefixLength, gateway, interfaces[iface]!, metrics);
  }
  for (const { prefix, prefixLength, gateway, iface, metrics } of wiring.ipv6Routes ?? []) {
    host.network.ipv6.addRoute(prefix, prefixLength, gateway, interfaces[iface]!, metrics);
  }
  return { host, team, vlans };
}

function enableIpv6({ network }: Host, iface: Interface, plan: Ipv6Plan): void {
  const on = network.ipv6.enable(iface, plan);
  for (const { address, prefixLength } of plan.addresses) network.ipv6.addAddress(on, address, prefixLength);
}

function healthOf(memory: Memory, miniport: Miniport): MemberHealth {
  const { offset } = miniport.boot.regions.status;
  const changed = (offset + NicStatus.offset.carrierChangedUs) >> 2;
  const fenced = (offset + NicStatus.offset.fenced) >> 2;
  return {
    heartbeat: () => miniport.heartbeat,
    fault: () => miniport.fault,
    carrierChangedUs: () => Atomics.load(memory.i32, changed),
    fence: () => {
      miniport.dead = true;
      Atomics.store(memory.i32, fenced, 1);
    },
  };
}
