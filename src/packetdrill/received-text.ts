/**
 * How many of the segments that came had others before them that were missing: tcpi_rcv_ooopack, counted as the remote end sees
 * it. What comes twice counts twice, as in Linux, while it is not the next.
 *
 *   received   [ … next)   [20,30)  [40,50)        a segment from 60 on is out of order, one from `next` on is not
 */
import { seqGt, seqLeq } from '../base/seq.ts';

interface Piece {
  readonly from: number;
  readonly to: number;
}

export class ReceivedText {
  /** Segments. */
  outOfOrder = 0;
  /** Everything below it has come, once there was a SYN. */
  #next = 0;
  #hasSyn = false;
  #beyond: Piece[] = [];

  came(isSyn: boolean, seq: number, length: number): void {
    const from = isSyn ? (seq + 1) | 0 : seq;
    if (isSyn && !this.#hasSyn) {
      this.#hasSyn = true;
      this.#next = from;
    }
    if (length === 0 || !this.#hasSyn) return;
    const to = (from + length) | 0;
    if (!seqGt(to, this.#next)) return;
    if (seqGt(from, this.#next)) {
      this.outOfOrder++;
      const isKnown = this.#beyond.some(piece => seqLeq(piece.from, from) && seqLeq(to, piece.to));
      if (!isKnown) this.#beyond.push({ from, to });
      return;
    }
    this.#next = to;
    for (let at = this.#reached(); at >= 0; at = this.#reached()) {
      const [{ to: end }] = this.#beyond.splice(at, 1) as [Piece];
      if (seqGt(end, this.#next)) this.#next = end;
    }
  }

  #reached(): number {
    return this.#beyond.findIndex(({ from }) => seqLeq(from, this.#next));
  }
}
