/**
 * Batches of young connections, during slow start (¶123–125): the host sends the first windows while the list fills, so
 * that nobody waits, and one block list carries them all.
 */
import type { OffloadPolicy } from './offload-policy.ts';

export function youngInBatches(batchUs: number): OffloadPolicy {
  return { name: 'young-in-batches', batchUs, holdsData: false, wants: () => true };
}
