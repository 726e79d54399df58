/**
 * Seeded pseudo-random numbers: sfc32 (PractRand), seeded through splitmix32 so that neighboring seeds diverge.
 *
 * Everything random in Chimney draws from one of these; a run is its seed. Not for secrets, except that initial
 * sequence numbers in threaded mode are seeded from the system's generator by the composition root.
 */
export class Prng {
  readonly #seed: number;
  /** How often each name was forked. */
  readonly #forks = new Map<string, number>();
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#seed = seed | 0;
    let s = this.#seed;
    const splitmix = (): number => {
      s = (s + 0x9e3779b9) | 0;
      let t = s ^ (s >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      return t ^ (t >>> 15);
    };
    this.#a = splitmix();
    this.#b = splitmix();
    this.#c = splitmix();
    this.#d = splitmix() | 1;
    for (let i = 0; i < 12; i++) this.int32();
  }

  /** Uniform over all int32. */
  int32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    this.#c |= 0;
    return t;
  }

  /** Uniform in [0, 1). */
  float(): number {
    return (this.int32() >>> 0) / 4294967296;
  }

  /** Uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  /** Uniform integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with the given probability; draws even when it is 0, so that schedules stay comparable. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  /**
   * An independent stream, named so that adding a consumer does not disturb the others: it depends on the seed, the name
   * and how often this name was forked before, on nothing that was drawn or forked otherwise.
   */
  fork(name: string): Prng {
    const nth = this.#forks.get(name) ?? 0;
    this.#forks.set(name, nth + 1);
    let h = Math.imul(this.#seed ^ 0x811c9dc5, 0x01000193) ^ nth;
    for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
    return new Prng(Math.imul(h, 0x01000193));
  }
}
