/**
 * What the chimney counts: lists and connections each way, and the host-thread time that requests and completions took —
 * the host's part of A in the cost model A + [B - C] (R35, ¶13).
 */

/** Hand-overs of one class of list length, and their host-thread time. */
export interface ListCost {
  lists: number;
  connections: number;
  us: number;
}

/** The last is for lists of 131,072 and more. */
const LENGTHS = 18;

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
  /** Hand-overs by the length of their list: entry i is for lists of 2^i to 2^(i+1) − 1 connections. */
  readonly byLength: readonly ListCost[] = Array.from({ length: LENGTHS }, () => ({ lists: 0, connections: 0, us: 0 }));

  /** Host-thread time of a request for a hand-over, or of its completion. */
  initiateSpent(connections: number, us: number, completed: boolean): void {
    this.initiateUs += us;
    const cost = this.byLength[Math.min(LENGTHS - 1, 31 - Math.clz32(connections))]!;
    cost.us += us;
    if (!completed) return;
    cost.lists++;
    cost.connections += connections;
  }
}
