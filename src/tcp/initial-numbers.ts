/**
 * Where the numbers of a connection begin: ISN by RFC 6528, and the offset of its timestamp clock by RFC 7323 7.1.
 *
 * Both depend on the pair of addresses through a keyed hash, so that nobody else can guess them, and go on from where an
 * earlier connection of the same pair was: a SYN that meets TIME-WAIT on the other side is then newer than what is
 * there (RFC 6191). An owner of the engine has one, keyed from its Prng when it starts.
 */
import type { Prng } from '../base/prng.ts';
import { SipHash } from '../base/siphash.ts';
import type { Tcb } from './tcb.ts';

/** M of RFC 6528 3: a timer of 4 µs, that is 250 a tick. */
const STEPS_PER_TICK = 250;

export class InitialNumbers {
  readonly #iss: SipHash;
  readonly #timestamps: SipHash;

  constructor(prng: Prng) {
    this.#iss = SipHash.keyedBy(prng);
    this.#timestamps = SipHash.keyedBy(prng);
  }

  /** ISN = M + F(localip, localport, remoteip, remoteport, secretkey). */
  iss(tcb: Tcb, now: number): number {
    const hash = this.#iss;
    hash.begin();
    hash.word(tcb.localAddress);
    hash.word(tcb.remoteAddress);
    hash.word((tcb.localPort << 16) | tcb.remotePort);
    return (hash.end() + Math.imul(now, STEPS_PER_TICK)) | 0;
  }

  /** Of the two hosts, as in Linux: any of their connections tells of all of them which segment is the newer. */
  tsOffset(tcb: Tcb): number {
    const hash = this.#timestamps;
    hash.begin();
    hash.word(tcb.localAddress);
    hash.word(tcb.remoteAddress);
    return hash.end();
  }
}
