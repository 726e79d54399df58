/**
 * What a device knows of its neighbors' reachability (digest §3.9; C19, C20): for each the last instant at which the host
 * had proof of it (HRT), and at which the device had (NRT), on the device's clock, modulo 2^32.
 *
 * Deltas cross the interface, instants do not: the two clocks need not agree. Of the two instants only the later one
 * decides whether to ask, so it is kept beside them, and a transmission costs one comparison.
 */
export class NeighborReachability {
  readonly #staleTicks: number;
  readonly #host: Int32Array;
  readonly #nic: Int32Array;
  readonly #later: Int32Array;
  /** The host was asked and has not answered: it is not asked twice. */
  readonly #asked: Uint8Array;

  constructor(neighbors: number, staleTicks: number) {
    this.#staleTicks = staleTicks;
    this.#host = new Int32Array(neighbors);
    this.#nic = new Int32Array(neighbors);
    this.#later = new Int32Array(neighbors);
    this.#asked = new Uint8Array(neighbors);
  }

  /** At offload: both deltas as the host gives them. */
  load(slot: number, hostDelta: number, nicDelta: number, now: number): void {
    this.#nic[slot] = (now - nicDelta) | 0;
    this.answered(slot, hostDelta, now);
  }

  /** An update brought the host's delta; 0 says that it has none better, and mutes the device for NceStaleTicks. */
  answered(slot: number, hostDelta: number, now: number): void {
    this.#host[slot] = (now - hostDelta) | 0;
    this.#asked[slot] = 0;
    this.#later[slot] = hostDelta >>> 0 < this.nicDelta(slot, now) ? this.#host[slot]! : this.#nic[slot]!;
  }

  /** Something that was sent through the neighbor has arrived: its acknowledgment came (C20). */
  progress(slot: number, now: number): void {
    this.#nic[slot] = now;
    this.#later[slot] = now;
  }

  /** NicReachabilityDelta: ticks since the device had proof, unsigned. */
  nicDelta(slot: number, now: number): number {
    return (now - this.#nic[slot]!) >>> 0;
  }

  /** Before a transmission: is proof too old on both sides, so that the host is to be asked? True once per answer. */
  mustAsk(slot: number, now: number): boolean {
    if ((now - this.#later[slot]!) >>> 0 <= this.#staleTicks) return false;
    if (this.#asked[slot] === 1) return false;
    this.#asked[slot] = 1;
    return true;
  }
}
