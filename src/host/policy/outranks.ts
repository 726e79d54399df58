/**
 * Who has the better claim to a place on a device: the order of connections, and the margin that keeps two of similar worth
 * from taking turns.
 */
import { Directive } from '../directives.ts';
import type { Candidate, OffloadPolicy } from './offload-policy.ts';

/** What the administrator wants offloaded comes before all else; where a policy has no order, activity is it. */
export function rankOf(policy: OffloadPolicy, connection: Candidate, directive: Directive): number {
  if (directive === Directive.Offload) return Number.POSITIVE_INFINITY;
  return policy.eviction?.rank(connection) ?? connection.activity;
}

/** Nothing outranks without being worth something itself: idle connections do not push one another out. */
export function outranks(candidate: number, victim: number, marginPercent: number): boolean {
  return candidate > 0 && candidate > victim * (1 + marginPercent / 100);
}
