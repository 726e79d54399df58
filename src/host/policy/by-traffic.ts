/**
 * By traffic of a connection (R34): "automatic mode" takes those that have exchanged enough with a peer that is near
 * (digest §6.2). A long path fills its window rarely, and a short exchange is over before the hand-over pays.
 */
import { REVIEW_US, type OffloadPolicy } from './offload-policy.ts';

/** The thresholds that are commonly given for automatic mode (digest U1). */
export const AUTOMATIC = { bytes: 130_000, rttMs: 20 } as const;

export function byTraffic(bytes: number, rttMs: number, batchUs: number): OffloadPolicy {
  return {
    name: `by-traffic:${bytes},${rttMs}`,
    batchUs,
    holdsData: false,
    reviewUs: REVIEW_US,
    wants: ({ bytesSent, bytesReceived, smoothedRttMs }) =>
      // Without a sample nothing is known of the path.
      bytesSent + bytesReceived >= bytes && smoothedRttMs > 0 && smoothedRttMs < rttMs,
  };
}
