/**
 * What happens to a simulated machine while it serves: cables are pulled and plugged, the administrator moves the team,
 * firmware hangs for a moment, state is queried and updated, a router moves to another MAC address and back.
 *
 * An action waits for a time, a round of the scheduler, or so many completed connections: the first finds slow machines
 * at work, the others fast ones. Outages end by themselves; when the script is over every cable carries again.
 */
import { assert } from '../base/assert.ts';
import type { Prng } from '../base/prng.ts';
import type { Neighbor } from '../host/neighbor.ts';
import { OffloadState } from '../offload/offload-state.ts';
import type { Simulation } from '../simulation.ts';
import { announce } from './announcement.ts';

const KINDS = ['outage', 'outage', 'flap', 'blackout', 'fail-over', 'stall', 'query', 'update', 'move'] as const;
export type ActionKind = (typeof KINDS)[number];

export interface Action {
  readonly kind: ActionKind;
  readonly nic: number;
  readonly trigger: 'us' | 'round' | 'completed';
  readonly at: number;
  /** How long it lasts. */
  readonly forUs: number;
  /** Picks what it is done to. */
  readonly draw: number;
}

const ACTIONS_MAX = 10;
const OUTAGE_US_MAX = 3_000_000;
/** Shorter than what a team takes for death. */
const STALL_US_MAX = 150_000;
const ANNOUNCE_EVERY_US = 20_000;

export function drawScript(prng: Prng, nics: number, connections: number): Action[] {
  const script: Action[] = [];
  const count = prng.chance(0.15) ? 0 : prng.between(1, ACTIONS_MAX);
  for (let i = 0; i < count; i++) {
    const kind = KINDS[prng.below(KINDS.length)]!;
    const nic = prng.below(nics);
    const trigger = (['us', 'round', 'completed'] as const)[prng.below(3)]!;
    const at = drawAt(prng, trigger, connections);
    const draw = prng.below(1 << 20);
    const longest = kind === 'stall' ? STALL_US_MAX : OUTAGE_US_MAX;
    const forUs = Math.floor(10 ** (1 + prng.float() * Math.log10(longest / 10)));
    script.push({ kind, nic, trigger, at, forUs, draw });
    // A cable that does not sit tight: more outages, close together.
    for (let more = kind === 'flap' ? prng.between(1, 5) : 0; more > 0; more--) {
      const soon = trigger === 'completed' ? prng.below(3) : prng.below(trigger === 'us' ? 20_000 : 200);
      script.push({ kind, nic, trigger, at: at + soon, forUs: prng.between(1, 10_000), draw });
    }
  }
  return script;
}

function drawAt(prng: Prng, trigger: Action['trigger'], connections: number): number {
  if (trigger === 'completed') return prng.below(connections);
  return Math.floor(10 ** (prng.float() * (trigger === 'us' ? 7 : 4.5)));
}

/** Runs a script on a machine; to be called every round. */
export class ScriptRunner {
  readonly #sim: Simulation;
  readonly #pending: Action[];
  /** Things to end, with their time. */
  readonly #due: { readonly us: number; readonly end: () => void }[] = [];
  readonly #scratch: number;
  readonly #vids: readonly number[];
  readonly #moved = new Set<Neighbor>();
  done = 0;
  /** Queries that were answered. */
  answers = 0;

  /** @param scratch address of some bytes for a frame */
  constructor(sim: Simulation, script: readonly Action[], scratch: number, vids: readonly number[]) {
    this.#sim = sim;
    this.#pending = [...script];
    this.#scratch = scratch;
    this.#vids = vids;
  }

  /** Nothing is pulled, stalled or moved any more, and nothing will be. */
  get isOver(): boolean {
    return this.#pending.length === 0 && this.#due.length === 0;
  }

  /** No more actions; what was started still ends. */
  cancel(): void {
    this.#pending.length = 0;
  }

  round(nowUs: number, rounds: number, completed: number): void {
    for (let i = this.#due.length - 1; i >= 0; i--) {
      if (this.#due[i]!.us <= nowUs) this.#due.splice(i, 1)[0]!.end();
    }
    for (let i = this.#pending.length - 1; i >= 0; i--) {
      const action = this.#pending[i]!;
      const reached = { us: nowUs, round: rounds, completed }[action.trigger];
      if (reached < action.at) continue;
      this.#pending.splice(i, 1);
      this.done++;
      this.#act(action, nowUs);
    }
  }

  #act(action: Action, nowUs: number): void {
    const { host, team } = this.#sim.host;
    switch (action.kind) {
      case 'outage':
      case 'flap':
        this.#pull(action.nic, nowUs + action.forUs);
        return;
      case 'blackout':
        for (let nic = 0; nic < this.#sim.nics.length; nic++) this.#pull(nic, nowUs + action.forUs);
        return;
      case 'fail-over':
        team?.failOver(team.active.name);
        return;
      case 'stall': {
        const nic = this.#sim.nics[action.nic]!;
        nic.stall();
        this.#due.push({ us: nowUs + action.forUs, end: () => nic.resume() });
        return;
      }
      case 'query':
        this.#query(action.draw);
        return;
      case 'update': {
        const neighbors = [...host.framing.neighbors].filter(
          ({ offloadState }) => offloadState !== OffloadState.InHost,
        );
        if (neighbors.length > 0) host.framing.updateNeighbor(neighbors[action.draw % neighbors.length]!);
        return;
      }
      case 'move':
        this.#move(action.draw, nowUs);
    }
  }

  #pull(nic: number, untilUs: number): void {
    const cable = this.#sim.fabric.cables[nic]!;
    cable.pull();
    this.#due.push({ us: untilUs, end: () => cable.plug() });
  }

  /** Statistics of some offloaded connection (R22). */
  #query(draw: number): void {
    const { host } = this.#sim.host;
    const { table } = host.transport;
    for (let i = 0; i < table.capacity; i++) {
      const slot = (i + draw) % table.capacity;
      const connection = table.isLive(slot) ? host.tli.connections.get(slot) : null;
      if (connection === null || !connection.isOffloaded) continue;
      host.control.queryConnection(slot, () => this.answers++);
      return;
    }
  }

  /** A router announces another MAC address, and then, until it is heard, its own again (¶85). */
  #move(draw: number, nowUs: number): void {
    const known = [...this.#sim.host.host.framing.neighbors].filter(({ macHi }) => macHi !== 0);
    const neighbor = known[draw % Math.max(1, known.length)];
    if (neighbor === undefined || this.#moved.has(neighbor)) return;
    this.#moved.add(neighbor);
    const { macHi, macLo } = neighbor;
    this.#announce(neighbor, macHi, macLo ^ 0xff);
    const back = (us: number): void => {
      if (neighbor.macLo === macLo && us > nowUs + ANNOUNCE_EVERY_US) {
        this.#moved.delete(neighbor);
        return;
      }
      this.#announce(neighbor, macHi, macLo);
      this.#due.push({ us: us + ANNOUNCE_EVERY_US, end: () => back(us + ANNOUNCE_EVERY_US) });
    };
    this.#due.push({ us: nowUs + ANNOUNCE_EVERY_US, end: () => back(nowUs + ANNOUNCE_EVERY_US) });
  }

  #announce(neighbor: Neighbor, macHi: number, macLo: number): void {
    const { memory, fabric, host } = this.#sim;
    const at = this.#scratch + 32;
    assert((at & 3) === 0, 'the scratch frame is aligned');
    const vid = this.#vids[neighbor.iface.index] ?? 0;
    announce(fabric, memory.view, at, host.host.addresses, neighbor.address, macHi, macLo, vid);
  }
}
