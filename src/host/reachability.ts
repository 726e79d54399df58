/**
 * Neighbors: are they still there? Those of offloaded connections, and all of IPv6 (digest §3.9; RFC 4861 7.3; C19).
 *
 *               device asks, own proof is recent: its age is the answer
 *              ┌────┐
 *   Reachable ─┴────┴─► Stale ─► Delay ──── device has progress ────► Reachable
 *        ▲     own proof is old    │ none
 *        └───── answer ────────  Probe ──── no answer ──────────────► Failed: invalidate
 *
 * The answer is an update of HostReachabilityDelta: the true age of the host's proof, or 0, which mutes the device until
 * NceStaleTicks have passed. Proof is an ARP reply, or an acknowledgment of what was sent through the neighbor, by the host
 * or by the device; that the neighbor sends something is none.
 *
 * Neighbors of IPv4 that only the host uses are questioned when a connection gets no answer through them (RFC 1122 2.3.2.1);
 * those of IPv6 also whenever something goes to them (RFC 4861 7.3.3).
 */
import { NdisStatus } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import { OffloadEventCode } from '../offload/events.ts';
import { isIpv6 } from '../wire/address-table.ts';
import type { Framing } from './framing.ts';
import { confirm, type Neighbor, Reachability } from './neighbor.ts';
import { isThere } from './offloaded-object.ts';
import type { Queries } from './queries.ts';

/** REACHABLE_TIME, DELAY_FIRST_PROBE_TIME, RETRANS_TIMER and MAX_UNICAST_SOLICIT of RFC 4861 10. */
export const REACHABLE_TICKS = 30_000;
const DELAY_TICKS = 5000;
const PROBE_TICKS = 1000;
const PROBES_MAX = 3;

/** Nobody has asked: any delta of a device's is news. */
const NO_DELTA = -1;
/** It was not the device that asked, but a connection of the host's. */
const SUSPECTED = -2;

export class NeighborUnreachability {
  readonly #framing: Framing;
  readonly #queries: Queries;
  /** Neighbors in Delay or Probe, with the delta that the device gave when it asked, or NO_DELTA. */
  readonly #doubted = new Map<Neighbor, number>();
  trace: Trace | null = null;
  now = 0;
  questions = 0;
  probesSent = 0;

  constructor(framing: Framing, queries: Queries) {
    this.#framing = framing;
    this.#queries = queries;
  }

  /** NdisMOffloadEventIndicate. `context` is the neighbor's handle, `nicDelta` how old the device's proof is. */
  indicated(context: number, code: number, nicDelta: number): void {
    const neighbor = this.#framing.neighbors.of(context);
    if (neighbor === null || code !== OffloadEventCode.NeighborReachabilityQuery || !isThere(neighbor)) return;
    this.questions++;
    this.trace?.emit(neighbor.iface.adapter.name, 'framing', 'neighbor reachability query');
    this.#age(neighbor);
    if (neighbor.reachability === Reachability.Stale) this.#doubt(neighbor, nicDelta);
    this.#framing.updateNeighbor(neighbor);
  }

  /**
   * RFC 4861 7.3.3: something goes to a neighbor of IPv6. If the last proof that it is there is old, and none comes soon of
   * itself, it is asked for.
   */
  used(neighbor: Neighbor): void {
    this.#age(neighbor);
    if (neighbor.reachability === Reachability.Stale) this.#doubt(neighbor, NO_DELTA);
  }

  /** RFC 1122 2.3.2.1 (4), RFC 4861 7.3.1: who sends through it gets no answer. It is asked at once, by a unicast poll. */
  suspected(neighbor: Neighbor): void {
    const { reachability } = neighbor;
    if (reachability !== Reachability.Reachable && reachability !== Reachability.Stale) return;
    neighbor.reachability = Reachability.Delay;
    neighbor.nextRequestAt = this.now;
    this.#doubted.set(neighbor, SUSPECTED);
  }

  #age(neighbor: Neighbor): void {
    const { reachability, confirmedAt, iface } = neighbor;
    const time = isIpv6(neighbor.address) ? iface.ipv6!.reachableTime : REACHABLE_TICKS;
    if (reachability === Reachability.Reachable && (this.now - confirmedAt) >>> 0 > time) {
      neighbor.reachability = Reachability.Stale;
    }
  }

  #doubt(neighbor: Neighbor, nicDelta: number): void {
    neighbor.reachability = Reachability.Delay;
    neighbor.nextRequestAt = (this.now + DELAY_TICKS) | 0;
    this.#doubted.set(neighbor, nicDelta);
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
    const isOurs = isThere(neighbor) || isIpv6(neighbor.address) || nicDelta === SUSPECTED;
    if (!isDoubted || !isOurs) {
      // Confirmed meanwhile, or no longer of interest.
      this.#doubted.delete(neighbor);
      if (isDoubted) neighbor.reachability = Reachability.Stale;
      return 0;
    }
    if (((neighbor.nextRequestAt - this.now) | 0) > 0) return 0;
    neighbor.nextRequestAt = (this.now + PROBE_TICKS) | 0;
    if (reachability === Reachability.Probe) this.#probe(neighbor);
    else if (isThere(neighbor) && nicDelta !== SUSPECTED) this.#askDevice(neighbor, nicDelta);
    else this.#firstProbe(neighbor);
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
      this.#firstProbe(neighbor);
    });
  }

  #firstProbe(neighbor: Neighbor): void {
    neighbor.reachability = Reachability.Probe;
    neighbor.requestsSent = 0;
    this.#probe(neighbor);
  }

  #probe(neighbor: Neighbor): void {
    if (neighbor.requestsSent < PROBES_MAX) {
      this.probesSent++;
      this.#framing.probe(neighbor);
      const { ipv6 } = neighbor.iface;
      const ticks = ipv6 !== null && isIpv6(neighbor.address) ? ipv6.retransTimer : PROBE_TICKS;
      neighbor.nextRequestAt = (this.now + ticks) | 0;
      return;
    }
    this.#doubted.delete(neighbor);
    this.trace?.emit('framing', 'framing', 'neighbor is unreachable');
    // Paths that have another way take it; what has none is invalid (network.ts).
    this.#framing.neighbors.failed(neighbor);
  }
}
