/**
 * What to offload (R34): a policy looks at a connection and says whether it goes to a device, whether it stays there, how
 * much it is worth, and whether a device that wants to be rid of it may be.
 *
 * Policies are plain objects, one small file each. They are asked when a connection is established and in the placement's
 * sweeps (placement.ts), never for a packet. What the administrator directs goes before what a policy says.
 */
import type { TliConnection } from '../connection.ts';
import type { LoadMeter } from '../load-meter.ts';

/** What a policy may look at: who talks to whom, and what has passed the TLI switch. */
export type Candidate = Pick<
  TliConnection,
  | 'localAddress'
  | 'localPort'
  | 'remoteAddress'
  | 'addresses'
  | 'remotePort'
  | 'bytesSent'
  | 'bytesReceived'
  | 'smoothedRttMs'
  | 'activity'
>;

/** How a device that is full changes its connections for better ones, and why two of a kind never take turns. */
export interface Eviction {
  /** The worth of a connection, in the host or on a device; the higher the better. */
  rank(connection: Candidate): number;
  /** By how much a candidate must outrank its victim, percent. */
  readonly marginPercent: number;
  /** Whatever moved stays where it is for so long, µs. */
  readonly residenceUs: number;
}

export interface OffloadPolicy {
  readonly name: string;
  /** Whether this connection is worth offloading now. */
  wants(connection: Candidate): boolean;
  /** How long the oldest candidate may wait for its list to fill, µs: slow start gives the time (¶125). */
  readonly batchUs: number;
  /** The switch keeps data from the application until the connection is handed over, so that replies use the chimney. */
  readonly holdsData: boolean;
  /** µs between two sweeps over all connections; without it each is looked at once, when it is established. */
  readonly reviewUs?: number;
  /** A sweep begins: for policies that look at more than connections. */
  review?(load: LoadMeter, nowUs: number): void;
  /** Whether an offloaded connection may stay where it is; without it, it may. */
  keeps?(connection: Candidate): boolean;
  /** Without it connections that find the device full stay in the host. */
  readonly eviction?: Eviction;
  /** Whether a device gets rid of it for an optional reason (digest §3.8); without it, it does. Others are not asked of. */
  grants?(connection: Candidate, reason: number): boolean;
}

/** How often connections are looked at again where that has to be: short beside a transfer, long beside a sweep. */
export const REVIEW_US = 100_000;
