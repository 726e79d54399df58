/**
 * A fingerprint of everything that was on the wires: same inputs, same digest, on every machine.
 *
 * Two independent 32-bit lanes of MurmurHash3's mixing (public domain, A. Appleby) over time, interface, direction,
 * length and bytes of each frame. It tells two runs of a simulation apart; it does not withstand an adversary.
 */
import type { Memory } from '../memory/memory.ts';
import type { FrameTap } from './capture.ts';

export class TraceHash implements FrameTap {
  readonly #view: DataView;
  #a = 0x243f6a88;
  #b = 0x85a308d3 | 0;
  #words = 0;
  frames = 0;

  constructor(memory: Memory) {
    this.#view = memory.view;
  }

  frame(
    interfaceId: number,
    nowUs: number,
    frameAt: number,
    length: number,
    outbound: boolean,
    fcsError: boolean,
  ): void {
    this.frames++;
    this.add(nowUs | 0);
    this.add(Math.floor(nowUs / 0x1_0000_0000));
    this.add((interfaceId << 2) | (outbound ? 2 : 0) | (fcsError ? 1 : 0));
    this.add(length);
    const whole = length & ~3;
    for (let i = 0; i < whole; i += 4) this.add(this.#view.getInt32(frameAt + i));
    let rest = 0;
    for (let i = whole; i < length; i++) rest = (rest << 8) | this.#view.getUint8(frameAt + i);
    if (whole < length) this.add(rest);
  }

  /** Adds one 32-bit word: for what is to be compared besides frames. */
  add(word: number): void {
    this.#words = (this.#words + 1) | 0;
    let k = Math.imul(word, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    const a = this.#a ^ k;
    this.#a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0;
    let l = Math.imul(word ^ this.#a, 0x239b961b);
    l = Math.imul((l << 16) | (l >>> 16), 0xab0e9789);
    const b = this.#b ^ l;
    this.#b = (Math.imul((b << 17) | (b >>> 15), 5) + 0x561ccd1b) | 0;
  }

  /** Sixteen hexadecimal digits. More can be added afterwards. */
  digest(): string {
    const a = finish(this.#a ^ this.#words);
    const b = finish(this.#b ^ this.#words ^ a);
    return hex(a) + hex(b);
  }
}

function finish(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
