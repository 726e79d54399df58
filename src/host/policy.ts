/**
 * What to offload (R34): a policy looks at a connection and says yes or no; the chimney makes lists of those it takes.
 *
 * Policies decide when connections go down; when they come back is the chimney's and the devices' business.
 */
import type { TliConnection } from './connection.ts';

export interface OffloadPolicy {
  readonly name: string;
  /** Whether this connection is worth offloading now. */
  wants(connection: TliConnection): boolean;
  /** How long the oldest candidate may wait for its list to fill, µs: slow start gives the time (¶125). */
  readonly batchUs: number;
  /** The switch keeps data from the application until the connection is handed over, so that replies use the chimney. */
  readonly holdsData: boolean;
}

/** Batches of young connections, during slow start (¶123–125). */
export function youngInBatches(batchUs: number): OffloadPolicy {
  return { name: 'young-in-batches', batchUs, holdsData: false, wants: connection => connection.handler !== null };
}

/** Every connection, before its application sees data. */
export function everything(batchUs: number): OffloadPolicy {
  return { name: 'everything', batchUs, holdsData: true, wants: connection => connection.handler !== null };
}

/** The chimney is closed: everything stays in the host. */
export const NOTHING: OffloadPolicy = { name: 'nothing', batchUs: 0, holdsData: false, wants: () => false };
