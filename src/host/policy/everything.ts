/**
 * Every connection, before its application sees data: the first reply already uses the chimney.
 *
 * The switch holds what arrives until the hand-over is done, which costs each connection up to `batchUs`.
 */
import type { OffloadPolicy } from './offload-policy.ts';

export function everything(batchUs: number): OffloadPolicy {
  return { name: 'everything', batchUs, holdsData: true, wants: () => true };
}
