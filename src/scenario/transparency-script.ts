/**
 * The scripts of the two applications of a connection: what each sends, when it reads, how it ends.
 *
 * A step waits for bytes received on its own connection, never for time: what the applications do is determined by what
 * TCP guarantees. Steps of both ends are drawn in one order, and each waits for no more than what the order has the
 * other end send before: so nobody waits for ever, and the order says what an aborted connection must still have seen.
 */
import type { Prng } from '../base/prng.ts';
import { pick } from './simulate-plan.ts';

/** Streams are windows of one pattern, at an offset that differs by stream. */
export const PATTERN_BYTES = 128 * 1024;

export interface Step {
  /** `send` in place, `write` a copy, or both ways of closing; `last` is sendAndDisconnect. */
  readonly kind: 'send' | 'write' | 'last' | 'close' | 'abort' | 'no-delay' | 'keep-alive';
  /** Bytes to send, or for an option its value. */
  readonly amount: number;
  /** Bytes received that the step waits for. */
  readonly received: number;
  /** It waits for the peer's end too. */
  readonly ended: boolean;
}

export interface EndScript {
  /** Most bytes taken at once; 0 is all of them. What is left is shown again a moment later. */
  readonly sip: number;
  readonly pauseUs: number;
  /** Bytes taken open the window only when they are consumed, so long after. -1: at once. */
  readonly consumeUs: number;
  readonly steps: readonly Step[];
}

export interface ConnectionScript {
  readonly index: number;
  /** The host that connects. */
  readonly from: number;
  readonly vid: number;
  /** Nobody listens there. */
  readonly refused: boolean;
  readonly startUs: number;
  /** Of the connecting end, then of the accepting one. */
  readonly ends: readonly [EndScript, EndScript];
}

const STREAM_MAX = 60_000;
/** Of one stream; more only take time. */
const SIPS_MAX = 30;

/** State of the drawing: what each end has sent so far, in the common order. */
class Order {
  readonly #prng: Prng;
  readonly steps: [Step[], Step[]] = [[], []];
  readonly sent: [number, number] = [0, 0];
  readonly #waited: [number, number] = [0, 0];
  readonly closed: [boolean, boolean] = [false, false];

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  add(end: 0 | 1, kind: Step['kind'], amount: number, received = this.#wait(end), ended = false): void {
    this.#waited[end] = received;
    this.steps[end].push({ kind, amount, received, ended });
    if (kind === 'send' || kind === 'write' || kind === 'last') this.sent[end] += amount;
    if (kind === 'last' || kind === 'close') this.closed[end] = true;
  }

  /** Somewhere between what it waited for before and all that the other end has sent by now. */
  #wait(end: 0 | 1): number {
    const least = this.#waited[end];
    const most = this.sent[1 - end]!;
    const kind = this.#prng.float();
    if (kind < 0.4) return least;
    return kind < 0.7 ? most : this.#prng.between(least, most);
  }
}

export function drawConnection(prng: Prng, index: number, vids: readonly number[]): ConnectionScript {
  const order = new Order(prng);
  const most = pick(prng, [0, 10, 2000, 2000, STREAM_MAX]);
  const isCut = prng.chance(0.15);
  // After a lost RST the other end finds out by a probe.
  if (isCut) for (const end of [0, 1] as const) order.add(end, 'keep-alive', 5000);
  const probes = isCut ? [100, 1000, 5000] : [0, 100, 1000, 10_000];
  for (let left = prng.between(0, 10); left > 0; left--) drawStep(prng, order, most, probes);
  if (isCut) order.add(pick(prng, [0, 1] as const), 'abort', 0);
  else drawEnd(prng, order, most);
  return {
    index,
    from: prng.below(2),
    vid: pick(prng, vids),
    refused: prng.chance(0.02),
    startUs: prng.chance(0.5) ? 0 : prng.below(20_000),
    ends: [drawReader(prng, order.steps[0], order.sent[1]), drawReader(prng, order.steps[1], order.sent[0])],
  };
}

function drawStep(prng: Prng, order: Order, most: number, probes: readonly number[]): void {
  const end = pick(prng, [0, 1] as const);
  const kind = prng.float();
  if (order.closed[end]) return;
  if (kind < 0.1) order.add(end, 'no-delay', prng.below(2));
  else if (kind < 0.18) order.add(end, 'keep-alive', pick(prng, probes));
  else if (kind < 0.23) drawClose(prng, order, end, most);
  else {
    const room = Math.min(STREAM_MAX - order.sent[end], most);
    // A copy is cut into the pool's buffers, and must fit the smallest of pools.
    const isCopy = prng.chance(0.5);
    const amount = prng.between(1, Math.max(1, isCopy ? Math.min(room, 4096) : room));
    if (room > 0) order.add(end, isCopy ? 'write' : 'send', amount);
  }
}

function drawClose(prng: Prng, order: Order, end: 0 | 1, most: number): void {
  const room = Math.min(STREAM_MAX - order.sent[end], most);
  if (room > 0 && prng.chance(0.5)) order.add(end, 'last', prng.between(1, room));
  else order.add(end, 'close', 0);
}

/** Both ends close, in either order; one of them may wait for the end of the other. */
function drawEnd(prng: Prng, order: Order, most: number): void {
  const first = pick(prng, [0, 1] as const);
  const second = first === 0 ? 1 : 0;
  if (!order.closed[first]) drawClose(prng, order, first, most);
  if (order.closed[second]) return;
  if (prng.chance(0.5)) order.add(second, 'close', 0, order.sent[first], true);
  else drawClose(prng, order, second, most);
}

function drawReader(prng: Prng, steps: readonly Step[], peerSends: number): EndScript {
  const sip = Math.max(1, Math.floor(peerSends / prng.between(2, SIPS_MAX)));
  return {
    sip: prng.chance(0.6) ? 0 : sip,
    pauseUs: prng.chance(0.5) ? prng.below(500) : prng.below(20_000),
    consumeUs: prng.chance(0.7) ? -1 : prng.below(10_000),
    steps,
  };
}
