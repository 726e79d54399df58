/**
 * The layout of a machine: from its configuration to regions of one memory and the boot data of every part, before
 * anything runs. Both composition roots (threads and one thread) start from it, so they run the same machine.
 */
import type { FaultPlan } from './fabric/faults.ts';
import { type FabricBoot, type FabricConfig, planFabric, type PopulationPlan } from './fabric/fabric.ts';
import { type HostConfig, type HostRegions, planHost } from './host/host.ts';
import { type Memory, type Region, RegionPlan } from './memory/memory.ts';
import { DoorbellLayout } from './ring/doorbell.ts';
import { initializeRing } from './ring/spsc-ring.ts';
import { cableShape, descriptorShape, type NicBoot, type NicConfig, NicStatus, planNic } from './ring/nic-layout.ts';
import { Block } from './offload/block-list.ts';
import { IpOffloadStats, TcpOffloadStats } from './offload/offload-statistics.ts';
import { Descriptor } from './offload/descriptors.ts';
import { TcbLayout } from './tcp/tcb.ts';
import { NetBuffer } from './memory/net-buffer.ts';

export interface HostPlan {
  readonly name: string;
  readonly config: HostConfig;
  readonly nics: readonly NicConfig[];
}

export interface MachinePlan {
  readonly hosts: readonly HostPlan[];
  readonly populations: readonly PopulationPlan[];
  readonly faults: Partial<FaultPlan>;
  readonly seed: number;
  readonly lineFrames: number;
}

export interface HostBoot {
  readonly name: string;
  readonly config: HostConfig;
  readonly regions: HostRegions;
  readonly nics: readonly NicBoot[];
}

export interface MachineLayout {
  readonly byteLength: number;
  /** The doorbell of the thread that hosts run in. */
  readonly hostDoorbell: Region;
  readonly hosts: readonly HostBoot[];
  readonly fabric: FabricBoot;
  readonly regions: readonly Region[];
}

/** Changes when any shared layout does: threads of different builds refuse each other. */
export const LAYOUT_FINGERPRINT = [
  TcbLayout,
  Block,
  Descriptor,
  NetBuffer,
  NicStatus,
  DoorbellLayout,
  TcpOffloadStats,
  IpOffloadStats,
].reduce((hash, layout) => Math.imul(hash, 31) ^ layout.fingerprint, 17);

export function layOut(machine: MachinePlan): MachineLayout {
  const plan = new RegionPlan();
  const hostDoorbell = plan.add('host.doorbell', DoorbellLayout.byteLength);
  const fabricConfig: FabricConfig = {
    populations: machine.populations,
    faults: machine.faults,
    seed: machine.seed,
    lineFrames: machine.lineFrames,
  };
  const slotBytes = Math.max(...machine.hosts.flatMap(({ nics }) => nics.map(nic => cableShape(nic).slotBytes)));
  const fabricRegions = planFabric(plan, fabricConfig, slotBytes);
  let index = 0;
  const hosts = machine.hosts.map(host => {
    const regions = planHost(plan, host.config);
    const planned = host.nics.map(config => ({ config, index: index++, regions: planNic(plan, config) }));
    // Receive buffers are host memory that a device fills: every NIC of the host may be handed any of them (R29).
    const grants = [
      regions.tx,
      regions.sendDescriptors,
      regions.copies,
      regions.application,
      ...planned.map(nic => nic.regions.receivePool),
    ];
    const nics = planned.map((nic): NicBoot => ({
      ...nic,
      hostDoorbell,
      fabricDoorbell: fabricRegions.doorbell,
      grants,
      blocks: regions.blocks,
      layoutFingerprint: LAYOUT_FINGERPRINT,
    }));
    return { name: host.name, config: host.config, regions, nics };
  });
  const fabric = { config: fabricConfig, regions: fabricRegions, nics: hosts.flatMap(({ nics }) => nics) };
  return { byteLength: plan.byteLength, hostDoorbell, hosts, fabric, regions: plan.regions };
}

/** Writes the headers that must be there before any side attaches. */
export function initializeLayout(memory: Memory, layout: MachineLayout): void {
  for (const nic of layout.fabric.nics) {
    const descriptors = descriptorShape(nic.config);
    initializeRing(memory, nic.regions.submissions, descriptors);
    initializeRing(memory, nic.regions.completions, descriptors);
    initializeRing(memory, nic.regions.toFabric, cableShape(nic.config));
    initializeRing(memory, nic.regions.fromFabric, cableShape(nic.config));
    // Cables are plugged in before anything runs; from then on the word is the fabric's.
    NicStatus.view(memory).at(nic.regions.status.offset).carrier = 1;
  }
}
