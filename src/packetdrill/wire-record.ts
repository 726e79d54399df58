/**
 * What went over the wire for one connection, counted at the remote end: the part of TCP_INFO that no TCB holds. Numbers
 * are the host's, as struct tcp_info has them.
 *
 *   sent segments  → segs_out, data_segs_out, bytes_sent, bytes_retrans, total_retrans
 *   ACKs and SACKs → delivered, delivered_ce, bytes_acked, dsack_dups
 *   text           → bytes_received, rcv_ooopack
 */
import { seqGeq, seqGt, seqLeq, seqLt } from '../base/seq.ts';
import { ReceivedText } from './received-text.ts';
import { TcpFlag } from '../wire/tcp.ts';

interface SentSegment {
  readonly from: number;
  readonly to: number;
  delivered: boolean;
}

const US_PER_MS = 1000;

export class WireRecord {
  #segmentsOut = 0;
  #dataSegmentsOut = 0;
  #bytesSent = 0;
  #bytesRetransmitted = 0;
  #retransmissions = 0;
  #segmentsIn = 0;
  #dataSegmentsIn = 0;
  #bytesReceived = 0;
  /** One for the SYN, or the SYN with ACK. */
  #delivered = 0;
  /** Of these, by ACKs with ECE (RFC 3168 6.1.2), if the SYN,ACK has agreed to it. */
  #deliveredCe = 0;
  #hasEcn = false;
  #duplicates = 0;
  /** The largest segment sent. */
  #largest = 0;
  readonly #text = new ReceivedText();
  #bytesAcked = 0;
  #isOpen = false;
  #hasTextOnSyn = false;
  #iss = 0;
  #highest = 0;
  #una = 0;
  #rcvHighest = 0;
  #segments: SentSegment[] = [];
  #lastDataInUs = 0;
  #lastAckInUs = 0;
  #lastAckOut: number | null = null;

  /** A segment of the host's. */
  sent(flags: number, seq: number, length: number): void {
    this.#segmentsOut++;
    this.#noteEcn(flags);
    const isSyn = (flags & TcpFlag.Syn) !== 0;
    if (isSyn && !this.#isOpen) {
      this.#isOpen = true;
      this.#hasTextOnSyn = length > 0;
      this.#iss = seq;
      this.#highest = (seq + 1) | 0;
      this.#una = seq;
    } else if (isSyn) {
      this.#retransmissions++;
    }
    if (length > 0) this.#sentData(isSyn ? (seq + 1) | 0 : seq, length);
    else if ((flags & TcpFlag.Fin) !== 0 && seqGt((seq + 1) | 0, this.#highest)) this.#highest = (seq + 1) | 0;
  }

  /** The segment that was sent acknowledges; true: more than those before it. */
  acknowledges(ack: number): boolean {
    const isMore = this.#lastAckOut === null || seqGt(ack, this.#lastAckOut);
    if (isMore) this.#lastAckOut = ack;
    return isMore;
  }

  /** Where in the host's stream the number is. */
  offsetOf(seq: number): number {
    return (seq - this.#iss - 1) | 0;
  }

  #sentData(seq: number, length: number): void {
    this.#dataSegmentsOut++;
    this.#bytesSent += length;
    this.#largest = Math.max(this.#largest, length);
    const to = (seq + length) | 0;
    if (seqLt(seq, this.#highest)) {
      this.#retransmissions++;
      this.#bytesRetransmitted += length;
    }
    if (!seqGt(to, this.#highest)) return;
    this.#segments.push({ from: seqLt(seq, this.#highest) ? this.#highest : seq, to, delivered: false });
    this.#highest = to;
  }

  /** A segment to the host; `sacks`: edges, on the wire. */
  received(flags: number, seq: number, ack: number, length: number, sacks: readonly number[], nowUs: number): void {
    this.#segmentsIn++;
    this.#noteEcn(flags);
    const isSyn = (flags & TcpFlag.Syn) !== 0;
    if (isSyn) this.#lastDataInUs = nowUs;
    this.#text.came(isSyn, seq, length);
    if (length > 0) {
      this.#dataSegmentsIn++;
      this.#lastDataInUs = nowUs;
      const to = (seq + length) | 0;
      if (this.#rcvHighest === 0 || seqGt(to, this.#rcvHighest)) {
        this.#bytesReceived += length;
        this.#rcvHighest = to;
      }
    }
    if ((flags & TcpFlag.Ack) === 0 || !this.#isOpen) return;
    this.#lastAckInUs = nowUs;
    const before = this.#delivered;
    this.#noteDuplicate(ack, sacks);
    if (seqGt(ack, this.#una) && seqLeq(ack, this.#highest)) this.#acknowledged(ack);
    for (let i = 0; i + 1 < sacks.length; i += 2) this.#deliver(sacks[i]!, sacks[i + 1]!);
    if (this.#hasEcn && !isSyn && (flags & TcpFlag.Ece) !== 0) this.#deliveredCe += this.#delivered - before;
  }

  /** RFC 3168 6.1.1: a SYN,ACK with ECE alone. */
  #noteEcn(flags: number): void {
    const { Syn, Ack, Ece, Cwr } = TcpFlag;
    if ((flags & (Syn | Ack)) === (Syn | Ack)) this.#hasEcn = (flags & (Ece | Cwr)) === Ece;
  }

  /** RFC 2883 4: the first block lies below SEG.ACK, or within the second. */
  #noteDuplicate(ack: number, [left, right, outerLeft, outerRight]: readonly number[]): void {
    if (left === undefined || right === undefined || !seqLt(left, right) || seqGt(right, this.#highest)) return;
    const isWithin =
      outerLeft !== undefined && outerRight !== undefined && seqGeq(left, outerLeft) && seqLeq(right, outerRight);
    if (!seqLt(left, ack) && !isWithin) return;
    this.#duplicates += Math.max(1, Math.ceil(((right - left) | 0) / Math.max(1, this.#largest)));
  }

  #acknowledged(ack: number): void {
    if (this.#una === this.#iss) {
      this.#delivered++;
      this.#bytesAcked--;
    }
    this.#bytesAcked += (ack - this.#una) | 0;
    this.#deliver(this.#iss, ack);
    // SYN with text is one, if all of it was taken.
    if (this.#una === this.#iss && this.#hasTextOnSyn && this.#delivered > 1) this.#delivered--;
    this.#una = ack;
    this.#segments = this.#segments.filter(({ to }) => seqGt(to, ack));
  }

  #deliver(from: number, to: number): void {
    for (const segment of this.#segments) {
      if (segment.delivered || !seqGeq(segment.from, from) || !seqLeq(segment.to, to)) continue;
      segment.delivered = true;
      this.#delivered++;
    }
  }

  /** Behind this number there is more of the stream, of which the application has written so many bytes in all. */
  goesOnBehind(seq: number, written: number): boolean {
    return this.#isOpen && (seqGt(this.#highest, seq) || this.offsetOf(seq) >>> 0 < written);
  }

  info(nowUs: number): Readonly<Record<string, number>> {
    const since = (us: number): number => Math.round((nowUs - us) / US_PER_MS);
    return {
      tcpi_segs_out: this.#segmentsOut,
      tcpi_data_segs_out: this.#dataSegmentsOut,
      tcpi_bytes_sent: this.#bytesSent,
      tcpi_bytes_retrans: this.#bytesRetransmitted,
      tcpi_total_retrans: this.#retransmissions,
      tcpi_segs_in: this.#segmentsIn,
      tcpi_data_segs_in: this.#dataSegmentsIn,
      tcpi_bytes_received: this.#bytesReceived,
      tcpi_delivered: this.#delivered,
      tcpi_delivered_ce: this.#deliveredCe,
      tcpi_dsack_dups: this.#duplicates,
      tcpi_rcv_ooopack: this.#text.outOfOrder,
      tcpi_bytes_acked: Math.max(0, this.#bytesAcked),
      tcpi_last_data_recv: since(this.#lastDataInUs),
      tcpi_last_ack_recv: since(this.#lastAckInUs),
    };
  }
}
