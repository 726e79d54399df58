/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a short keyed hash that nobody can predict without the key. Initial sequence
 * numbers, SYN cookies and Fast Open cookies are made of it, as in Linux.
 *
 * A message is given in 32-bit words, little-endian: `begin`, `word`…, `end`. 64-bit numbers are pairs of int32.
 */
import type { Prng } from './prng.ts';

export class SipHash {
  /** The last hash: its lower and upper half. */
  lo = 0;
  hi = 0;
  readonly #k0Lo: number;
  readonly #k0Hi: number;
  readonly #k1Lo: number;
  readonly #k1Hi: number;
  #v0Lo = 0;
  #v0Hi = 0;
  #v1Lo = 0;
  #v1Hi = 0;
  #v2Lo = 0;
  #v2Hi = 0;
  #v3Lo = 0;
  #v3Hi = 0;
  #pending = 0;
  #words = 0;

  /** The 128-bit key as four words, the first of them its first four bytes. */
  constructor(k0Lo: number, k0Hi: number, k1Lo: number, k1Hi: number) {
    this.#k0Lo = k0Lo | 0;
    this.#k0Hi = k0Hi | 0;
    this.#k1Lo = k1Lo | 0;
    this.#k1Hi = k1Hi | 0;
  }

  /** Four words. */
  static keyed([k0 = 0, k1 = 0, k2 = 0, k3 = 0]: readonly number[]): SipHash {
    return new SipHash(k0, k1, k2, k3);
  }

  static keyedBy(prng: Prng): SipHash {
    return new SipHash(prng.int32(), prng.int32(), prng.int32(), prng.int32());
  }

  begin(): void {
    // "somepseudorandomlygeneratedbytes"
    this.#v0Lo = this.#k0Lo ^ 0x70736575;
    this.#v0Hi = this.#k0Hi ^ 0x736f6d65;
    this.#v1Lo = this.#k1Lo ^ 0x6e646f6d;
    this.#v1Hi = this.#k1Hi ^ 0x646f7261;
    this.#v2Lo = this.#k0Lo ^ 0x6e657261;
    this.#v2Hi = this.#k0Hi ^ 0x6c796765;
    this.#v3Lo = this.#k1Lo ^ 0x79746573;
    this.#v3Hi = this.#k1Hi ^ 0x74656462;
    this.#words = 0;
  }

  word(value: number): void {
    if ((this.#words++ & 1) === 0) this.#pending = value | 0;
    else this.#compress(this.#pending, value | 0);
  }

  /** The lower half, which is what numbers are made of. */
  end(): number {
    // The last block: what is left, and in its last byte the length of the message.
    const left = (this.#words & 1) === 0 ? 0 : this.#pending;
    this.#compress(left, (this.#words * 4) << 24);
    this.#v2Lo ^= 0xff;
    this.#twoRounds();
    this.#twoRounds();
    this.lo = this.#v0Lo ^ this.#v1Lo ^ this.#v2Lo ^ this.#v3Lo;
    this.hi = this.#v0Hi ^ this.#v1Hi ^ this.#v2Hi ^ this.#v3Hi;
    return this.lo;
  }

  #compress(lo: number, hi: number): void {
    this.#v3Lo ^= lo;
    this.#v3Hi ^= hi;
    this.#twoRounds();
    this.#v0Lo ^= lo;
    this.#v0Hi ^= hi;
  }

  #twoRounds(): void {
    let a0 = this.#v0Lo;
    let b0 = this.#v0Hi;
    let a1 = this.#v1Lo;
    let b1 = this.#v1Hi;
    let a2 = this.#v2Lo;
    let b2 = this.#v2Hi;
    let a3 = this.#v3Lo;
    let b3 = this.#v3Hi;
    let t = 0;
    for (let i = 0; i < 2; i++) {
      // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
      b0 = (b0 + b1 + carry(a0, a1)) | 0;
      a0 = (a0 + a1) | 0;
      t = (a1 << 13) | (b1 >>> 19);
      b1 = ((b1 << 13) | (a1 >>> 19)) ^ b0;
      a1 = t ^ a0;
      t = a0;
      a0 = b0;
      b0 = t;
      // v2 += v3; v3 <<<= 16; v3 ^= v2
      b2 = (b2 + b3 + carry(a2, a3)) | 0;
      a2 = (a2 + a3) | 0;
      t = (a3 << 16) | (b3 >>> 16);
      b3 = ((b3 << 16) | (a3 >>> 16)) ^ b2;
      a3 = t ^ a2;
      // v0 += v3; v3 <<<= 21; v3 ^= v0
      b0 = (b0 + b3 + carry(a0, a3)) | 0;
      a0 = (a0 + a3) | 0;
      t = (a3 << 21) | (b3 >>> 11);
      b3 = ((b3 << 21) | (a3 >>> 11)) ^ b0;
      a3 = t ^ a0;
      // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
      b2 = (b2 + b1 + carry(a2, a1)) | 0;
      a2 = (a2 + a1) | 0;
      t = (a1 << 17) | (b1 >>> 15);
      b1 = ((b1 << 17) | (a1 >>> 15)) ^ b2;
      a1 = t ^ a2;
      t = a2;
      a2 = b2;
      b2 = t;
    }
    this.#v0Lo = a0;
    this.#v0Hi = b0;
    this.#v1Lo = a1;
    this.#v1Hi = b1;
    this.#v2Lo = a2;
    this.#v2Hi = b2;
    this.#v3Lo = a3;
    this.#v3Hi = b3;
  }
}

/** Of the sum of two lower halves. */
function carry(a: number, b: number): number {
  return (a >>> 0) + (b >>> 0) > 0xffffffff ? 1 : 0;
}
