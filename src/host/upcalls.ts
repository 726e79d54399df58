/**
 * What Transport has to tell the switch, in order: collected while the engine runs, handed up after it has returned, so
 * that application code never runs inside the engine (tcp/effects.ts).
 */
export const Upcall = {
  Accepted: 1,
  Connected: 2,
  Received: 3,
  PeerClosed: 4,
  Sent: 5,
  FinAcknowledged: 6,
  Closed: 7,
  TimeWait: 8,
  /** The application wants to see again what it did not take. */
  Resume: 9,
  /** Copy buffers are free again, and somebody waits for them. */
  Room: 10,
  /** A hand-over is over: receives go where the connection is now, and what is kept is shown. */
  Settle: 11,
  /** The application has read what there was: the window may open. */
  Credit: 12,
  /** The handshake of a connection that was accepted before it is complete (RFC 7413). */
  Confirmed: 13,
  /** Of what is to come, so many bytes end with an urgent one. */
  Urgent: 14,
} as const;
export type Upcall = (typeof Upcall)[keyof typeof Upcall];

export interface UpcallTarget {
  upcall(kind: Upcall, slot: number, argument: number): void;
}

const WORDS = 3;

export class UpcallQueue {
  #words = new Int32Array(1024 * WORDS);
  #head = 0;
  #tail = 0;
  #draining = false;

  push(kind: Upcall, slot: number, argument: number): void {
    if (this.#tail === this.#words.length) this.#makeRoom();
    const at = this.#tail;
    this.#words[at] = kind;
    this.#words[at + 1] = slot;
    this.#words[at + 2] = argument;
    this.#tail += WORDS;
  }

  get pending(): boolean {
    return this.#head !== this.#tail;
  }

  /** Hands everything up, including what the handlers cause. Nested calls return at once. */
  drain(target: UpcallTarget): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      while (this.#head !== this.#tail) {
        const at = this.#head;
        this.#head += WORDS;
        target.upcall(this.#words[at]! as Upcall, this.#words[at + 1]!, this.#words[at + 2]!);
      }
      this.#head = 0;
      this.#tail = 0;
    } finally {
      this.#draining = false;
    }
  }

  #makeRoom(): void {
    const live = this.#words.slice(this.#head, this.#tail);
    if (live.length * 2 > this.#words.length) this.#words = new Int32Array(this.#words.length * 2);
    this.#words.set(live, 0);
    this.#head = 0;
    this.#tail = live.length;
  }
}
