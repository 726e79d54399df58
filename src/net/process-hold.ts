/**
 * Keeps the process alive for as long as what it belongs to is open and referenced, as Node's handles do (`ref`, `unref`).
 * Whoever owns it says after each change what is the case.
 */
export interface ProcessHolder {
  hold(): void;
  release(): void;
}

export class ProcessHold {
  readonly #holder: ProcessHolder;
  readonly #isOpen: () => boolean;
  #isReferenced = true;
  #isHeld = false;

  constructor(holder: ProcessHolder, isOpen: () => boolean) {
    this.#holder = holder;
    this.#isOpen = isOpen;
  }

  reference(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
    this.update();
  }

  /** It has been opened, or closed. */
  update(): void {
    const wanted = this.#isReferenced && this.#isOpen();
    if (wanted === this.#isHeld) return;
    this.#isHeld = wanted;
    if (wanted) this.#holder.hold();
    else this.#holder.release();
  }
}
