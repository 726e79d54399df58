/**
 * What to offload (R34): a policy looks at a connection and says yes or no; the chimney makes lists of those it takes.
 */
import type { TliConnection } from './connection.ts';

export interface OffloadPolicy {
  readonly name: string;
  /** Whether this connection is worth offloading now. */
  wants(connection: TliConnection): boolean;
  /** How long the oldest candidate may wait for its list to fill, µs: slow start gives the time (¶125). */
  readonly batchUs: number;
}

/** Batches of young connections, during slow start (¶123–125). */
export function youngInBatches(batchUs: number): OffloadPolicy {
  return { name: 'young-in-batches', batchUs, wants: (connection) => connection.handler !== null };
}

/** Every connection at once, before its application sees data. */
export const EVERYTHING: OffloadPolicy = { name: 'everything', batchUs: 0, wants: () => true };

/** The chimney is closed: everything stays in the host. */
export const NOTHING: OffloadPolicy = { name: 'nothing', batchUs: 0, wants: () => false };
