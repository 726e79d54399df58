/**
 * Filtering database of the switch: (MAC address, VID) → port, learned, with ageing (IEEE 802.1Q 8.8).
 *
 * Open addressing in typed arrays, fixed size, nothing allocated. A key lies within `PROBES` places of its hash, so a
 * search is bounded and entries die without tombstones: a dead or aged one stays a link of the chain until a new key
 * takes its place. When all places of a key are alive, the one not heard from for longest makes room, as in the
 * buckets of a real switch.
 */
import { assert } from '../base/assert.ts';

export const Learned = { Refreshed: 0, New: 1, Moved: 2 } as const;
export type Learned = (typeof Learned)[keyof typeof Learned];

const NEVER_USED = -2;
const DEAD = -1;
const PROBES = 64;

export class MacTable {
  readonly ageingUs: number;
  readonly #mask: number;
  readonly #macHi: Uint16Array;
  readonly #macLo: Int32Array;
  readonly #vid: Uint16Array;
  readonly #port: Int16Array;
  readonly #seenUs: Float64Array;
  /** Entries alive or aged, not dead. */
  used = 0;
  /** Entries that made room while they were alive. */
  evictions = 0;

  /** @param places a power of two */
  constructor(places: number, ageingUs: number) {
    assert(places >= PROBES && (places & (places - 1)) === 0, 'places of the MAC table are a power of two');
    this.ageingUs = ageingUs;
    this.#mask = places - 1;
    this.#macHi = new Uint16Array(places);
    this.#macLo = new Int32Array(places);
    this.#vid = new Uint16Array(places);
    this.#port = new Int16Array(places).fill(NEVER_USED);
    this.#seenUs = new Float64Array(places);
  }

  /** The port behind which that address was heard, or -1. */
  find(macHi: number, macLo: number, vid: number, nowUs: number): number {
    const at = this.#search(macHi, macLo, vid);
    if (at < 0 || nowUs - this.#seenUs[at]! > this.ageingUs) return -1;
    return this.#port[at]!;
  }

  /** The address was heard on that port. An entry that had aged is as new. */
  learn(macHi: number, macLo: number, vid: number, port: number, nowUs: number): Learned {
    const found = this.#search(macHi, macLo, vid);
    if (found >= 0) {
      const isAged = nowUs - this.#seenUs[found]! > this.ageingUs;
      const isSame = this.#port[found] === port;
      this.#port[found] = port;
      this.#seenUs[found] = nowUs;
      return isAged ? Learned.New : isSame ? Learned.Refreshed : Learned.Moved;
    }
    const at = this.#placeFor(hashOf(macHi, macLo, vid), nowUs);
    this.#macHi[at] = macHi;
    this.#macLo[at] = macLo;
    this.#vid[at] = vid;
    this.#port[at] = port;
    this.#seenUs[at] = nowUs;
    return Learned.New;
  }

  /** Forgets what was learned on a port; returns how many addresses. */
  forget(port: number): number {
    let forgotten = 0;
    for (let at = 0; at <= this.#mask; at++) {
      if (this.#port[at] !== port) continue;
      this.#port[at] = DEAD;
      forgotten++;
    }
    this.used -= forgotten;
    return forgotten;
  }

  #search(macHi: number, macLo: number, vid: number): number {
    const start = hashOf(macHi, macLo, vid);
    for (let i = 0; i < PROBES; i++) {
      const at = (start + i) & this.#mask;
      const port = this.#port[at]!;
      if (port === NEVER_USED) return -1;
      if (this.#macLo[at] === macLo && this.#macHi[at] === macHi && this.#vid[at] === vid && port !== DEAD) return at;
    }
    return -1;
  }

  /** A place that is free, or else the one heard from longest ago. */
  #placeFor(start: number, nowUs: number): number {
    let oldest = start & this.#mask;
    for (let i = 0; i < PROBES; i++) {
      const at = (start + i) & this.#mask;
      if (this.#port[at]! < 0) {
        this.used++;
        return at;
      }
      if (this.#seenUs[at]! < this.#seenUs[oldest]!) oldest = at;
    }
    if (nowUs - this.#seenUs[oldest]! <= this.ageingUs) this.evictions++;
    return oldest;
  }
}

function hashOf(macHi: number, macLo: number, vid: number): number {
  let h = Math.imul(macLo, 0x85ebca6b) ^ Math.imul((macHi << 12) ^ vid, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
