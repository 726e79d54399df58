/**
 * What became of a stretch of sent data: flags of a range (sent-ranges.ts), which travel as they are when a connection is
 * handed over (offload/sent-transfer.ts).
 */
export const SentFlag = {
  Sacked: 1,
  /** Taken for lost; still set while a retransmission of it is in flight. */
  Lost: 2,
  /** A retransmission of it is in flight. */
  Retransmitted: 4,
  /** It was ever sent again: what acknowledges it says nothing about the round trip (Karn). */
  EverRetransmitted: 8,
} as const;
