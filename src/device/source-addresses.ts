/**
 * MAC addresses besides its own that a NIC sends from and receives for: DlSourceAddress of offloaded neighbors (digest
 * §1.2). As many as the hardware has entries; each goes with the last neighbor that needs it.
 */
export class SourceAddresses {
  readonly #capacity: number;
  readonly #users = new Map<number, number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(hi: number, lo: number): boolean {
    return this.#users.size > 0 && this.#users.has(keyOf(hi, lo));
  }

  /** False when every entry is another address's. */
  take(hi: number, lo: number): boolean {
    const key = keyOf(hi, lo);
    const users = this.#users.get(key);
    if (users === undefined && this.#users.size >= this.#capacity) return false;
    this.#users.set(key, (users ?? 0) + 1);
    return true;
  }

  release(hi: number, lo: number): void {
    const key = keyOf(hi, lo);
    const users = this.#users.get(key) ?? 0;
    if (users > 1) this.#users.set(key, users - 1);
    else this.#users.delete(key);
  }
}

function keyOf(hi: number, lo: number): number {
  return hi * 0x1_0000_0000 + (lo >>> 0);
}
