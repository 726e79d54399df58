/**
 * How busy the host thread is: its time in steps that did something, over a window that slides in tenths.
 *
 * Told by whoever drives the host (host-loop.ts); under virtual time steps take none, and the load is what a test says.
 */
const SPAN_US = 100_000;
const SPANS = 10;

export class LoadMeter {
  readonly #busyUs = new Float64Array(SPANS);
  /** The span, counted from time 0, that the newest entry is of. */
  #newest = 0;

  add(nowUs: number, busyUs: number): void {
    this.#slideTo(nowUs);
    this.#busyUs[this.#newest % SPANS]! += busyUs;
  }

  /** Of the last second, the tenth that has just begun left out. */
  percent(nowUs: number): number {
    this.#slideTo(nowUs);
    let busyUs = 0;
    for (let i = 1; i < SPANS; i++) busyUs += this.#busyUs[(this.#newest + i) % SPANS]!;
    return Math.min(100, (100 * busyUs) / (SPAN_US * (SPANS - 1)));
  }

  #slideTo(nowUs: number): void {
    const span = Math.floor(nowUs / SPAN_US);
    if (span - this.#newest >= SPANS) this.#newest = span - SPANS;
    while (this.#newest < span) this.#busyUs[++this.#newest % SPANS] = 0;
  }
}
