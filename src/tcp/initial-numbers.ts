/**
 * Where the numbers of a connection begin: ISN by RFC 6528, the offset of its timestamp clock by RFC 7323 7.1, and the flow
 * label of one over IPv6 by RFC 6437.
 *
 * Both depend on the pair of addresses through a keyed hash, so that nobody else can guess them, and go on from where an
 * earlier connection of the same pair was: a SYN that meets TIME-WAIT on the other side is then newer than what is
 * there (RFC 6191). An owner of the engine has one, keyed from its Prng when it starts.
 */
import type { Prng } from '../base/prng.ts';
import { SipHash } from '../base/siphash.ts';
import type { AddressTable } from '../wire/address-table.ts';
import type { Tcb } from './tcb.ts';

/** M of RFC 6528 3: a timer of 4 µs, that is 250 a tick. */
const STEPS_PER_TICK = 250;

const FLOW_LABEL_MASK = 0xfffff;

export class InitialNumbers {
  readonly #addresses: AddressTable;
  readonly #iss: SipHash;
  readonly #labels: SipHash;
  readonly #timestamps: SipHash;

  constructor(prng: Prng, addresses: AddressTable) {
    this.#addresses = addresses;
    this.#iss = SipHash.keyedBy(prng);
    this.#timestamps = SipHash.keyedBy(prng);
    this.#labels = SipHash.keyedBy(prng);
  }

  /** The flow label of a connection over IPv6: hard to guess, the same for all of its segments, not 0 (RFC 6437 3). */
  flowLabel(tcb: Tcb): number {
    const hash = this.#labels;
    hash.begin();
    this.#addresses.addTo(hash, tcb.localAddress);
    this.#addresses.addTo(hash, tcb.remoteAddress);
    hash.word((tcb.localPort << 16) | tcb.remotePort);
    return hash.end() & FLOW_LABEL_MASK || 1;
  }

  /** ISN = M + F(localip, localport, remoteip, remoteport, secretkey). */
  iss(tcb: Tcb, now: number): number {
    const hash = this.#iss;
    hash.begin();
    this.#addresses.addTo(hash, tcb.localAddress);
    this.#addresses.addTo(hash, tcb.remoteAddress);
    hash.word((tcb.localPort << 16) | tcb.remotePort);
    return (hash.end() + Math.imul(now, STEPS_PER_TICK)) | 0;
  }

  /** Of the two hosts, as in Linux: any of their connections tells of all of them which segment is the newer. */
  tsOffset(tcb: Tcb): number {
    const hash = this.#timestamps;
    hash.begin();
    this.#addresses.addTo(hash, tcb.localAddress);
    this.#addresses.addTo(hash, tcb.remoteAddress);
    return hash.end();
  }
}
