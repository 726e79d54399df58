/**
 * What the stations of a population counted: frames, and every drop by its reason (RFC 1122 3.2.1.1–3.2.1.3 and RFC 1812
 * want all of these dropped in silence). Plain numbers, written by the population's thread only.
 */
export class StationCounters {
  framesIn = 0;
  framesOut = 0;
  arpRequestsIn = 0;
  arpRepliesIn = 0;
  arpRequestsOut = 0;
  arpRepliesOut = 0;
  /** Neighbor discovery. */
  solicitationsIn = 0;
  advertisementsIn = 0;
  solicitationsOut = 0;
  advertisementsOut = 0;
  /** Neighbors whose MAC address changed by what they told. */
  neighborsMoved = 0;
  /** Neighbors that did not answer: their waiting connections were ended. */
  neighborsFailed = 0;
  echoRequests = 0;
  echoReplies = 0;
  icmpErrorsIn = 0;
  icmpErrorsOut = 0;
  datagramsForwarded = 0;
  ttlExpired = 0;
  segmentsIn = 0;
  resetsOut = 0;
  retransmissions = 0;
  /** Connections taken out of TIME-WAIT early, because the table was full. */
  timeWaitRecycled = 0;

  // Frames dropped, by reason.
  droppedShort = 0;
  droppedNotForUs = 0;
  droppedEtherType = 0;
  droppedArp = 0;
  droppedIpHeader = 0;
  droppedIpChecksum = 0;
  droppedBroadcast = 0;
  droppedFragment = 0;
  droppedProtocol = 0;
  droppedIcmp = 0;
  droppedTcpHeader = 0;
  droppedTcpChecksum = 0;
  /** A SYN for a listener found neither a free TCB nor one in TIME-WAIT, or no room for another neighbor. */
  droppedNoTcb = 0;
  /** Frames that arrived while another was being sent and found the backlog full. */
  droppedBacklog = 0;
  /** Text for which no buffer was left; the peer sends it again. */
  droppedNoBuffer = 0;

  get dropped(): number {
    return (
      this.droppedShort +
      this.droppedNotForUs +
      this.droppedEtherType +
      this.droppedArp +
      this.droppedIpHeader +
      this.droppedIpChecksum +
      this.droppedBroadcast +
      this.droppedFragment +
      this.droppedProtocol +
      this.droppedIcmp +
      this.droppedTcpHeader +
      this.droppedTcpChecksum +
      this.droppedNoTcb +
      this.droppedBacklog
    );
  }
}
