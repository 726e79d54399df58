/**
 * Neighbors of offloaded connections: are they still there? (digest §3.9; states of RFC 4861 7.3.2; C19)
 *
 *               device asks, own proof is recent: its age is the answer
 *              ┌────┐
 *   Reachable ─┴────┴─► Stale ─► Delay ──── device has progress ────► Reachable
 *        ▲     own proof is old    │ none
 *        └───── answer ────────  Probe ──── no answer ──────────────► Failed: invalidate
 *
 * The answer is an update of HostReachabilityDelta: the true age of the host's proof, or 0, which mutes the device until
 * NceStaleTicks have passed. Proof is an ARP reply, or an acknowledgment of what was sent through the neighbor, by the host
 * or by the device; that the neighbor sends something is none. The host does not question neighbors that only it uses.
 */
import { NdisStatus } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import { OffloadEventCode } from '../offload/events.ts';
import type { Framing } from './framing.ts';
import type { Invalidations } from './invalidations.ts';
import { confirm, type Neighbor, Reachability } from './neighbor.ts';
import { isThere } from './offloaded-object.ts';
import type { Queries } from './queries.ts';

/** REACHABLE_TIME, DELAY_FIRST_PROBE_TIME, RETRANS_TIMER and MAX_UNICAST_SOLICIT of RFC 4861 10. */
export const REACHABLE_TICKS = 30_000;
const DELAY_TICKS = 5000;
const PROBE_TICKS = 1000;
const PROBES_MAX = 3;

export class NeighborUnreachability {
  readonly #framing: Framing;
  readonly #queries: Queries;
  readonly #invalidations: Invalidations;
  /** Neighbors in Delay or Probe, with the delta that the device gave when it asked. */
  readonly #doubted = new Map<Neighbor, number>();
  trace: Trace | null = null;
  now = 0;
  questions = 0;
  probesSent = 0;

  constructor(framing: Framing, queries: Queries, invalidations: Invalidations) {
    this.#framing = framing;
    this.#queries = queries;
    this.#invalidations = invalidations;
  }

  /** NdisMOffloadEventIndicate. `context` is the neighbor's handle, `nicDelta` how old the device's proof is. */
  indicated(context: number, code: number, nicDelta: number): void {
    const neighbor = this.#framing.neighbors.of(context);
    if (neighbor === null || code !== OffloadEventCode.NeighborReachabilityQuery || !isThere(neighbor)) return;
    this.questions++;
    this.trace?.emit(neighbor.iface.adapter.name, 'framing', 'neighbor reachability query');
    if (neighbor.reachability === Reachability.Reachable && (this.now - neighbor.confirmedAt) >>> 0 > REACHABLE_TICKS) {
      neighbor.reachability = Reachability.Stale;
    }
    if (neighbor.reachability === Reachability.Stale) {
      neighbor.reachability = Reachability.Delay;
      neighbor.nextRequestAt = (this.now + DELAY_TICKS) | 0;
      this.#doubted.set(neighbor, nicDelta);
    }
    this.#framing.updateNeighbor(neighbor);
  }

  /** What is due of delays and probes; returns how much there was. */
  step(now: number): number {
    this.now = now;
    let work = 0;
    for (const [neighbor, nicDelta] of this.#doubted) work += this.#look(neighbor, nicDelta);
    return work;
  }

  ticksUntilNext(): number {
    let least = -1;
    for (const { nextRequestAt } of this.#doubted.keys()) {
      const ticks = Math.max(0, (nextRequestAt - this.now) | 0);
      if (least < 0 || ticks < least) least = ticks;
    }
    return least;
  }

  #look(neighbor: Neighbor, nicDelta: number): number {
    const { reachability } = neighbor;
    const isDoubted = reachability === Reachability.Delay || reachability === Reachability.Probe;
    if (!isDoubted || !isThere(neighbor)) {
      // Confirmed meanwhile, or no longer of interest.
      this.#doubted.delete(neighbor);
      if (isDoubted) neighbor.reachability = Reachability.Stale;
      return 0;
    }
    if (((neighbor.nextRequestAt - this.now) | 0) > 0) return 0;
    neighbor.nextRequestAt = (this.now + PROBE_TICKS) | 0;
    if (reachability === Reachability.Delay) this.#askDevice(neighbor, nicDelta);
    else this.#probe(neighbor);
    return 1;
  }

  /** Smaller than before: something has got through since (digest §3.9). */
  #askDevice(neighbor: Neighbor, before: number): void {
    this.#queries.neighbor(neighbor, (status, { nicReachabilityDelta }) => {
      if (neighbor.reachability !== Reachability.Delay) return;
      if (status === NdisStatus.Success && nicReachabilityDelta >>> 0 < before >>> 0) {
        confirm(neighbor, (this.now - nicReachabilityDelta) | 0);
        return;
      }
      neighbor.reachability = Reachability.Probe;
      neighbor.requestsSent = 0;
      this.#probe(neighbor);
    });
  }

  #probe(neighbor: Neighbor): void {
    if (neighbor.requestsSent < PROBES_MAX) {
      this.probesSent++;
      this.#framing.arp.probe(neighbor);
      neighbor.nextRequestAt = (this.now + PROBE_TICKS) | 0;
      return;
    }
    this.#doubted.delete(neighbor);
    this.trace?.emit('framing', 'framing', 'neighbor is unreachable');
    this.#framing.neighbors.failed(neighbor);
    this.#invalidations.invalidate(neighbor);
  }
}
