/**
 * Which connections should be where: sweeps over all of them, in which the policy is asked again — when traffic has
 * happened, the host is busy, a device is full, or the policy or the administrator's directives have changed.
 *
 * A sweep takes so many slots a step and costs packets nothing; it measures activity on the way (bytes through the TLI
 * switch), and at its end lets the best candidates have what room there is, or the places of the worst.
 *
 * Hysteresis: what has moved, or was refused, stays where it is for the residence time; a candidate takes a place only
 * from one that it outranks by the margin. So no connection moves more often than once in a residence time, and two of
 * similar activity do not take turns. A change of policy or directives counts at once, for what is on its way when it
 * has arrived.
 */
import type { EventLog } from '../base/event-log.ts';
import { OffloadState } from '../offload/offload-state.ts';
import type { AdapterQueue } from './adapter-queue.ts';
import type { TliConnection } from './connection.ts';
import { Directive, type Directives } from './directives.ts';
import type { LoadMeter } from './load-meter.ts';
import { outranks, rankOf } from './policy/outranks.ts';
import { type OffloadPolicy, REVIEW_US } from './policy/offload-policy.ts';
import { nameOf } from './retrieves.ts';
import type { TliSwitch } from './tli.ts';
import type { TransportOffload } from './transport-offload.ts';

/** Slots that a step looks at. */
const LOOKS_A_STEP = 256;
/** How long what has moved stays, where the policy does not say. */
const RESIDENCE_US = 1_000_000;

/** What placement has the chimney do. */
export interface Mover {
  readonly policy: OffloadPolicy;
  candidate(connection: TliConnection): void;
  takeBack(connection: TliConnection): void;
  /** Takes the victim back; the better one is offloaded when that is done. */
  evict(victim: TliConnection, better: TliConnection): void;
  queueOf(connection: TliConnection): AdapterQueue;
  readonly queues: Iterable<AdapterQueue>;
}

export class Placement {
  readonly #mover: Mover;
  readonly #tli: TliSwitch;
  readonly #offload: TransportOffload;
  readonly #directives: Directives;
  readonly #load: LoadMeter;
  readonly #log: EventLog;
  /** The slot to look at next, -1 between two sweeps. */
  #cursor = -1;
  #lastUs = 0;
  /** Something has changed: the next sweep is due now. */
  #isAsked = false;
  /** This sweep does not mind how long what it moves has been where it is. */
  #isStrict = false;
  sweeps = 0;

  constructor(
    mover: Mover,
    tli: TliSwitch,
    offload: TransportOffload,
    directives: Directives,
    load: LoadMeter,
    log: EventLog,
  ) {
    this.#mover = mover;
    this.#tli = tli;
    this.#offload = offload;
    this.#directives = directives;
    this.#load = load;
    this.#log = log;
  }

  /** The policy or a directive has changed: all connections are looked at, from the first on. */
  askAgain(): void {
    this.#isAsked = true;
    this.#cursor = -1;
  }

  /** Looks at the next few; true while a sweep is under way. */
  step(nowUs: number): boolean {
    if (this.#cursor < 0) {
      if (!this.#isAsked && (this.#tli.active === 0 || this.#reviewUs() === 0 || this.usUntilNext(nowUs) > 0))
        return false;
      this.#begin(nowUs);
    }
    const { connections } = this.#tli;
    const end = Math.min(this.#cursor + LOOKS_A_STEP, connections.capacity);
    for (; this.#cursor < end; this.#cursor++) {
      const connection = connections.live(this.#cursor);
      if (connection !== null && connection.handler !== null) this.#look(connection, nowUs);
    }
    if (end === connections.capacity) this.#end();
    return true;
  }

  /** µs until the next sweep, 0 in the middle of one, -1 for never. */
  usUntilNext(nowUs: number): number {
    if (this.#isAsked || this.#cursor >= 0) return 0;
    const everyUs = this.#reviewUs();
    // Where there is no connection there is nothing to look at, and time need not stop for it.
    if (everyUs === 0 || this.#tli.active === 0) return -1;
    return Math.max(0, this.#lastUs + everyUs - nowUs);
  }

  #reviewUs(): number {
    return this.#mover.policy.reviewUs ?? (this.#directives.isEmpty ? 0 : REVIEW_US);
  }

  #begin(nowUs: number): void {
    this.#isStrict = this.#isAsked;
    this.#isAsked = false;
    this.#cursor = 0;
    this.#lastUs = nowUs;
    this.sweeps++;
    this.#forget();
    this.#mover.policy.review?.(this.#load, nowUs);
  }

  #look(connection: TliConnection, nowUs: number): void {
    connection.measure(nowUs, REVIEW_US);
    const state = this.#tli.stateOf(connection);
    const isThere = !connection.listed && (state === OffloadState.InHost || state === OffloadState.Offloaded);
    if (!isThere) {
      connection.reviewDue ||= this.#isStrict;
      return;
    }
    const rests = connection.movedUs >= 0 && nowUs - connection.movedUs < this.#residenceUs();
    if (rests && !this.#isStrict) return;
    if (state === OffloadState.InHost) this.#lookInHost(connection);
    else this.#lookOnDevice(connection);
  }

  /** Policy or directives changed while it was on its way to the device, and it is not to be there any more. */
  isUnwanted(connection: TliConnection): boolean {
    if (!connection.reviewDue) return false;
    connection.reviewDue = false;
    return !this.#mayStay(connection, this.#directives.of(connection));
  }

  #mayStay(connection: TliConnection, directive: Directive): boolean {
    if (directive !== Directive.None) return directive === Directive.Offload;
    return this.#mover.policy.keeps?.(connection) !== false;
  }

  #residenceUs(): number {
    return this.#mover.policy.eviction?.residenceUs ?? RESIDENCE_US;
  }

  #lookInHost(connection: TliConnection): void {
    const { policy } = this.#mover;
    const directive = this.#directives.of(connection);
    if (directive === Directive.KeepInHost || !this.#offload.accepts(connection.slot)) return;
    if (directive !== Directive.Offload && !policy.wants(connection)) return;
    const queue = this.#mover.queueOf(connection);
    if (queue.paused) return;
    if (policy.eviction !== undefined || directive === Directive.Offload) {
      queue.candidates.add(connection, rankOf(policy, connection, directive));
    } else if (queue.spareRoom > 0) {
      this.#mover.candidate(connection);
    }
  }

  #lookOnDevice(connection: TliConnection): void {
    const { policy } = this.#mover;
    const directive = this.#directives.of(connection);
    if (!this.#mayStay(connection, directive)) this.#mover.takeBack(connection);
    else if (directive !== Directive.Offload)
      this.#mover.queueOf(connection).victims.add(connection, -rankOf(policy, connection, directive));
  }

  #end(): void {
    this.#cursor = -1;
    for (const queue of this.#mover.queues) this.#settle(queue);
    this.#forget();
  }

  #forget(): void {
    for (const { candidates, victims } of this.#mover.queues) {
      candidates.clear();
      victims.clear();
    }
  }

  /** The best candidates take what room there is; then the best against the worst, for as long as that is worth it. */
  #settle(queue: AdapterQueue): void {
    const { candidates, victims, paused } = queue;
    // The device has said so in the middle of the sweep (R38).
    if (paused) return;
    const margin = this.#mover.policy.eviction?.marginPercent ?? 0;
    let evicted = 0;
    let first = '';
    for (let i = 0; i < candidates.length; i++) {
      const better = candidates.item(i);
      if (queue.spareRoom > 0) {
        this.#mover.candidate(better);
        continue;
      }
      if (evicted === victims.length || !outranks(candidates.rank(i), -victims.rank(evicted), margin)) break;
      const victim = victims.item(evicted++);
      if (evicted === 1) first = `${nameOf(victim)} for ${nameOf(better)}`;
      this.#mover.evict(victim, better);
    }
    if (evicted > 0) this.#log.emit('offload-evicted', queue.adapter.name, `${evicted} connections: ${first}`);
  }
}
