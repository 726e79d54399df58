/**
 * Damaged connections: whose state in the hardware cannot be trusted any more (digest §3.2).
 *
 *   sound ── damage ──► damaged ── found by an operation ──► to be told ── tell ──► told ── repair (slot freed) ──► sound
 */
const Condition = { Sound: 0, Damaged: 1, Found: 2, Told: 3 } as const;

export class Corruption {
  readonly #condition: Uint8Array;
  readonly #found: number[] = [];

  constructor(slots: number) {
    this.#condition = new Uint8Array(slots);
  }

  has(slot: number): boolean {
    return this.#condition[slot] !== Condition.Sound;
  }

  /** False when it was damaged before. */
  damage(slot: number): boolean {
    if (this.has(slot)) return false;
    this.#condition[slot] = Condition.Damaged;
    return true;
  }

  /** An operation has come upon the slot; the first of them finds out. */
  found(slot: number): boolean {
    if (this.#condition[slot] === Condition.Damaged) {
      this.#condition[slot] = Condition.Found;
      this.#found.push(slot);
    }
    return this.has(slot);
  }

  /** A slot that was found and perhaps not told of, or -1. */
  next(): number {
    return this.#found.shift() ?? -1;
  }

  /** True once: the host is to be told now. */
  tell(slot: number): boolean {
    if (!this.has(slot) || this.#condition[slot] === Condition.Told) return false;
    this.#condition[slot] = Condition.Told;
    return true;
  }

  /** The slot is free, for another connection. */
  repair(slot: number): void {
    this.#condition[slot] = Condition.Sound;
  }
}
