/**
 * One end of a connection as its application: performs its script and notes what it sees.
 *
 * It acts on what happens on its own connection; only its reluctance to read is a matter of time. What it notes is the
 * Observation that the two runs of a seed are compared by (transparency-compare.ts).
 */
import { Prng } from '../base/prng.ts';
import type { TliConnection, TliHandler } from '../host/connection.ts';
import type { TliSwitch } from '../host/tli.ts';
import { CloseReason } from '../tcp/effects.ts';
import { type EndScript, PATTERN_BYTES, type Step } from './transparency-script.ts';

/** What one end saw. Plain data. */
export interface Observation {
  connected: number;
  received: number;
  /** Offset of the first byte that is not the peer's. */
  wrongAt: number;
  /** Bytes received when the peer's end was seen. */
  endedAt: number;
  /** Of completed sends, in their order. */
  readonly cookies: number[];
  closed: string;
  /** Events that came after one that excludes them. */
  readonly misplaced: string[];
}

/** What an application needs besides its connection. */
export interface ApplicationHost {
  readonly tli: TliSwitch;
  readonly memory: { readonly u8: Uint8Array };
  /** Where the pattern is, for sends in place. */
  readonly patternAt: number;
  after(us: number, call: () => void): void;
  /** Somebody received so many bytes. */
  count(bytes: number): void;
}

const STREAM_STRIDE = 4099;
const RETRY_US = 500;

export const PATTERN = makePattern();

function makePattern(): Uint8Array {
  const prng = new Prng(PATTERN_BYTES);
  return Uint8Array.from({ length: PATTERN_BYTES }, () => prng.int32() & 0xff);
}

const REASONS = new Map<number, string>(Object.entries(CloseReason).map(([name, value]) => [value, name]));

export class Endpoint implements TliHandler {
  readonly seen: Observation = {
    connected: 0,
    received: 0,
    wrongAt: -1,
    endedAt: -1,
    cookies: [],
    closed: '',
    misplaced: [],
  };
  connection: TliConnection | null = null;
  readonly #host: ApplicationHost;
  readonly #script: EndScript;
  readonly #sendsFrom: number;
  readonly #receivesFrom: number;
  #next = 0;
  #sent = 0;
  #aborted = false;

  /** @param stream number of the stream that it sends; the peer's has the lowest bit inverted */
  constructor(host: ApplicationHost, script: EndScript, stream: number) {
    this.#host = host;
    this.#script = script;
    this.#sendsFrom = stream * STREAM_STRIDE;
    this.#receivesFrom = (stream ^ 1) * STREAM_STRIDE;
  }

  get isOpen(): boolean {
    return this.connection !== null;
  }

  get stepsLeft(): readonly Step[] {
    return this.#script.steps.slice(this.#next);
  }

  /** The connecting end has its connection before it is established. */
  opens(connection: TliConnection): void {
    this.connection = connection;
  }

  connected(connection: TliConnection): void {
    this.#note('connected');
    this.seen.connected++;
    this.connection = connection;
    connection.creditsLater = this.#script.consumeUs >= 0;
    this.#go();
  }

  received(connection: TliConnection, address: number, length: number): number {
    const { seen } = this;
    const { sip, pauseUs, consumeUs } = this.#script;
    this.#note('received');
    if (seen.endedAt >= 0) seen.misplaced.push('bytes after the end');
    if (this.#aborted) seen.misplaced.push('bytes after abort');
    const taken = sip === 0 ? length : Math.min(length, sip);
    this.#verify(address, taken);
    seen.received += taken;
    this.#host.count(taken);
    if (taken < length) this.#later(pauseUs, () => connection.resume());
    if (consumeUs >= 0) this.#later(consumeUs, () => connection.consumed(taken));
    this.#go();
    return taken;
  }

  ended(): void {
    this.#note('ended');
    if (this.seen.endedAt >= 0) this.seen.misplaced.push('a second end');
    if (this.#aborted) this.seen.misplaced.push('the end after abort');
    this.seen.endedAt = this.seen.received;
    this.#go();
  }

  sent(_connection: TliConnection, cookie: number): void {
    this.#note('sent');
    this.seen.cookies.push(cookie);
  }

  closed(_connection: TliConnection, reason: number): void {
    this.#note('closed');
    this.seen.closed = REASONS.get(reason) ?? String(reason);
    this.connection = null;
  }

  #note(event: string): void {
    const { seen } = this;
    if (seen.closed !== '') seen.misplaced.push(`${event} after closed`);
    else if (seen.connected === 0 && event !== 'connected' && event !== 'closed') {
      seen.misplaced.push(`${event} before connected`);
    }
  }

  #later(us: number, call: () => void): void {
    this.#host.after(us, () => {
      if (this.isOpen) call();
    });
  }

  #verify(address: number, length: number): void {
    if (this.seen.wrongAt >= 0) return;
    const { u8 } = this.#host.memory;
    const from = this.#receivesFrom + this.seen.received;
    for (let i = 0; i < length; i++) {
      if (u8[address + i] === PATTERN[from + i]) continue;
      this.seen.wrongAt = this.seen.received + i;
      return;
    }
  }

  /** Every step whose time has come. */
  #go(): void {
    const { steps } = this.#script;
    while (this.connection !== null && this.#next < steps.length) {
      const step = steps[this.#next]!;
      if (this.seen.received < step.received || (step.ended && this.seen.endedAt < 0)) return;
      if (!this.#perform(this.connection, step)) {
        // No buffers: they come back with the sends before.
        this.#later(RETRY_US, () => this.#go());
        return;
      }
      this.#next++;
    }
  }

  #perform(connection: TliConnection, step: Step): boolean {
    const at = this.#sendsFrom + this.#sent;
    const cookie = this.#next + 1;
    switch (step.kind) {
      case 'send':
        if (!connection.send(this.#host.patternAt + at, step.amount, cookie)) return false;
        break;
      case 'write':
        if (!connection.write(PATTERN.subarray(at, at + step.amount), cookie)) return false;
        break;
      case 'last':
        if (!connection.sendAndDisconnect(this.#host.patternAt + at, step.amount, cookie)) return false;
        break;
      case 'close':
        return connection.disconnect();
      case 'abort':
        this.#aborted = true;
        connection.abort();
        return true;
      case 'no-delay':
        connection.setNoDelay(step.amount !== 0);
        return true;
      case 'keep-alive':
        connection.setKeepAlive(step.amount !== 0, step.amount);
        return true;
    }
    this.#sent += step.amount;
    return true;
  }
}
