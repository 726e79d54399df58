/**
 * What happens to the two hosts on the way: connections are handed over and taken back, singly and in lists, queried and
 * updated; cables are pulled, teams fail over, firmware hangs.
 *
 * Both runs of a seed perform the same actions. In the run without offload nothing is on a device, so those that hand
 * over find nothing to do. An action waits for a time, a round of the scheduler, or so many bytes received by all
 * applications together: the last finds the same place in the streams, however fast the machine is.
 */
import type { AssembledHost } from '../assemble-host.ts';
import type { Prng } from '../base/prng.ts';
import type { Host } from '../host/host.ts';
import type { TliConnection } from '../host/connection.ts';
import type { Interface } from '../host/interface.ts';
import type { Simulation } from '../simulation.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { announce } from './announcement.ts';
import { pick } from './simulate-plan.ts';
import type { ConnectionScript } from './transparency-script.ts';

const HAND_OVER_KINDS = [
  'offload',
  'offload',
  'upload',
  'upload',
  'flap',
  'flap',
  'query',
  'refresh',
  'upload-all',
] as const;
const FAULT_KINDS = ['outage', 'stall', 'move'] as const;
type DrawnKind = (typeof HAND_OVER_KINDS)[number] | (typeof FAULT_KINDS)[number] | 'fail-over';
/** A flap is a sequence of others. */
export type ActionKind = Exclude<DrawnKind, 'flap'>;

export interface ActionPlan {
  readonly kind: ActionKind;
  readonly trigger: 'us' | 'round' | 'bytes';
  readonly at: number;
  readonly host: number;
  readonly nic: number;
  /** Connections by index. */
  readonly targets: readonly number[];
  /** How long it lasts. */
  readonly forUs: number;
}

const ACTIONS_MAX = 14;
const ROUNDS_LOG = 2.7;
const OUTAGE_US_MAX = 1_000_000;
/** Shorter than what a team takes for death. */
const STALL_US_MAX = 150_000;
const ANNOUNCE_EVERY_US = 20_000;
/** An announcement on its way when the first of them is heard must not have the last word. */
const ANNOUNCEMENTS_MIN = 3;
/** For a VLAN tag. */
const ANNOUNCE_ROOM = 32;

export function drawActions(
  prng: Prng,
  facts: {
    readonly connections: readonly ConnectionScript[];
    readonly teams: readonly boolean[];
    readonly nics: number;
    readonly isFaulty: boolean;
  },
): ActionPlan[] {
  const { connections, teams, isFaulty } = facts;
  const bytes = connections.flatMap(({ ends }) => ends.flatMap(({ steps }) => steps.map(({ amount }) => amount)));
  const total = bytes.reduce((sum, amount) => sum + amount, 0);
  const kinds: readonly DrawnKind[] = isFaulty ? [...HAND_OVER_KINDS, ...FAULT_KINDS] : HAND_OVER_KINDS;
  return Array.from({ length: prng.between(1, ACTIONS_MAX) }, (): ActionPlan[] => {
    const host = prng.below(teams.length);
    const drawn = pick(prng, kinds);
    const kind = teams[host]! && prng.chance(0.1) ? 'fail-over' : drawn;
    const trigger = pick(prng, ['us', 'round', 'round', 'bytes', 'bytes'] as const);
    const longest = kind === 'stall' ? STALL_US_MAX : OUTAGE_US_MAX;
    const action = {
      trigger,
      at: drawAt(prng, trigger, total),
      host,
      nic: prng.below(facts.nics),
      targets: connections.filter(() => prng.chance(0.6)).map(({ index }) => index),
      forUs: Math.floor(10 ** (1 + prng.float() * Math.log10(longest / 10))),
    };
    return kind === 'flap' ? drawFlap(prng, action, total) : [{ ...action, kind }];
  }).flat();
}

/** There and back again, in quick succession. */
function drawFlap(prng: Prng, action: Omit<ActionPlan, 'kind'>, total: number): ActionPlan[] {
  const step = { us: 500, round: 20, bytes: 1 + (total >> 3) }[action.trigger];
  let { at } = action;
  return Array.from({ length: prng.between(2, 10) }, (_, index) => {
    at += prng.below(step);
    return { ...action, kind: index % 2 === 0 ? 'offload' : 'upload', at };
  });
}

function drawAt(prng: Prng, trigger: ActionPlan['trigger'], total: number): number {
  if (trigger === 'bytes') return prng.below(total + 1);
  return Math.floor(10 ** (prng.float() * (trigger === 'us' ? 6 : ROUNDS_LOG)));
}

/** What actions need of the run. */
export interface ActionScene {
  readonly sim: Simulation;
  /** The policy of this host takes any candidate now. */
  readonly mayOffload: boolean[];
  /** A connection's end at a host, while it is open. */
  connectionAt(index: number, host: number): TliConnection | null;
  after(us: number, call: () => void): void;
  /** Some bytes for a frame. */
  readonly scratch: number;
  vidOf(iface: Interface): number;
}

export function perform(scene: ActionScene, action: ActionPlan): void {
  const { host, team } = scene.sim.hosts[action.host]!;
  switch (action.kind) {
    case 'offload':
      scene.mayOffload[action.host] = true;
      forTargets(scene, action, connection => host.chimney.candidate(connection));
      scene.mayOffload[action.host] = false;
      return;
    case 'upload':
      forTargets(scene, action, connection => host.chimney.takeBack(connection));
      return;
    case 'query':
      forTargets(scene, action, ({ slot }) => host.control.queryConnection(slot, () => {}));
      return;
    case 'refresh':
      for (const neighbor of host.framing.neighbors) {
        if (neighbor.offloadHandle !== 0) host.framing.updateNeighbor(neighbor);
      }
      return;
    case 'upload-all':
      uploadAll(scene, host, team, action.forUs);
      return;
    case 'fail-over':
      team?.failOver(team.active.name);
      return;
    case 'outage': {
      const cable = scene.sim.fabric.cables[action.nic]!;
      cable.pull();
      scene.after(action.forUs, () => cable.plug());
      return;
    }
    case 'stall': {
      const nic = scene.sim.nics[action.nic]!;
      nic.stall();
      scene.after(action.forUs, () => nic.resume());
      return;
    }
    case 'move':
      for (const iface of host.interfaces) move(scene, action, iface);
  }
}

function forTargets(scene: ActionScene, action: ActionPlan, act: (connection: TliConnection) => void): void {
  for (const index of action.targets) {
    const connection = scene.connectionAt(index, action.host);
    if (connection !== null) act(connection);
  }
}

/**
 * As a device does before a maintenance: it gives everything back, and may have it again later (R38). A team that is failing
 * over meanwhile says itself when offload goes on (seed 158204).
 */
function uploadAll(scene: ActionScene, host: Host, team: AssembledHost['team'], forUs: number): void {
  const { adapter } = host.interfaces[0]!;
  host.chimney.pause(adapter);
  host.chimney.uploadAll(adapter);
  scene.after(forUs, () => {
    if (team?.isFailingOver !== true) host.chimney.resume(adapter);
  });
}

/** The host seems to have another MAC address, which nobody answers to, and then, until it is heard, its own (¶85). */
function move(scene: ActionScene, action: ActionPlan, iface: Interface): void {
  const { macHi, macLo } = iface.adapter;
  const own = scene.sim.hosts[action.host]!.host.addresses;
  const texts = new Set(addressesOf(iface).map(address => own.format(address)));
  const others = scene.sim.hosts.filter((_, index) => index !== action.host);
  const isHeard = (): boolean =>
    others.every(({ host: { framing, addresses } }) =>
      [...framing.neighbors].every(each => !texts.has(addresses.format(each.address)) || each.macLo === macLo),
    );
  const back = (count: number): void => {
    if (count > ANNOUNCEMENTS_MIN && isHeard()) return;
    announceAll(scene, own, iface, macHi, macLo);
    scene.after(ANNOUNCE_EVERY_US, () => back(count + 1));
  };
  announceAll(scene, own, iface, macHi, macLo ^ 0xff);
  scene.after(action.forUs, () => back(0));
}

function addressesOf({ address, ipv6 }: Interface): number[] {
  const numbers = ipv6 === null ? [] : ipv6.addresses.map(({ number }) => number);
  return address === 0 ? numbers : [address, ...numbers];
}

function announceAll(
  scene: ActionScene,
  addresses: AddressTable,
  iface: Interface,
  macHi: number,
  macLo: number,
): void {
  for (const address of addressesOf(iface)) {
    const { memory, fabric } = scene.sim;
    const at = scene.scratch + ANNOUNCE_ROOM;
    announce(fabric, memory.view, at, addresses, address, macHi, macLo, scene.vidOf(iface));
  }
}
