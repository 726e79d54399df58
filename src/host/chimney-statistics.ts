/**
 * What the chimney counts: lists and connections each way, and the host-thread time that requests and completions took —
 * the host's part of A in the cost model A + [B - C] (R35, ¶13).
 */
export class ChimneyStatistics {
  initiateCalls = 0;
  initiateBlocks = 0;
  connectionsOffloaded = 0;
  connectionsRefused = 0;
  terminateCalls = 0;
  connectionsTakenBack = 0;
  connectionsLost = 0;
  /** Taken back to make room for better ones. */
  connectionsEvicted = 0;
  /** Host-thread time in requests and completions, µs. */
  initiateUs = 0;
  terminateUs = 0;
  largestList = 0;
}
