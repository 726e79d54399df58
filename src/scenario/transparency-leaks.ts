/**
 * What is left in a machine of several hosts when all connections are over: nothing, or it is named here.
 *
 * Each host must have its buffers, descriptors and blocks back, each NIC its tree empty and its receive buffers free.
 */
import type { AssembledHost } from '../assemble-host.ts';
import type { Nic } from '../device/nic.ts';
import type { Simulation } from '../simulation.ts';

export function leftBehind(sim: Simulation): string {
  const left = [...sim.hosts.flatMap(leftOnHost), ...sim.nics.flatMap(leftOnNic)];
  return left.join(', ');
}

function leftOnHost(assembled: AssembledHost, index: number): string[] {
  const { host, team, vlans } = assembled;
  const counts: Record<string, number> = {
    'connections on the switch': host.tli.active,
    TCBs: host.transport.table.inUse,
    'transmit buffers': host.tx.inUse,
    'send descriptors': host.sendDescriptors.inUse,
    'copy buffers': host.copies.inUse,
    blocks: host.blocks.inUse,
    'connections in the chimney': host.chimney.offloaded,
    'requests unanswered': host.chimney.requestsPending,
    'connections lost': host.chimney.stats.connectionsLost,
    'frames waiting for an address': host.framing.neighbors.unresolvedCount,
    'calls unanswered in the team': team?.callsPending ?? 0,
    'calls unanswered in the VLAN driver': vlans?.callsPending ?? 0,
  };
  return named(`host ${'ab'[index]!}`, counts);
}

function leftOnNic(nic: Nic): string[] {
  const { connections, paths, neighbors } = nic.tree;
  const { name } = nic.boot.config;
  if (nic.faultReason !== '') return [`${name} stopped: ${nic.faultReason}`];
  return named(name, { connections, paths, neighbors, 'receive buffers': nic.firmware.pool.inUse });
}

function named(where: string, counts: Record<string, number>): string[] {
  return Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${where}: ${count} ${what}`]));
}
