/**
 * The most active of what another policy takes: where a device is full, its least active connection makes room for one that
 * is busier by a margin (digest §6.4; reason LowActivity from the other end).
 *
 * Activity is bytes a second through the TLI switch, of which the host knows wherever the connection is.
 */
import { REVIEW_US, type OffloadPolicy } from './offload-policy.ts';

export const EVICTION = { marginPercent: 50, residenceUs: 1_000_000 } as const;

export function mostActive(
  policy: OffloadPolicy,
  marginPercent: number = EVICTION.marginPercent,
  residenceUs: number = EVICTION.residenceUs,
): OffloadPolicy {
  return {
    ...policy,
    name: `most active of ${policy.name}`,
    reviewUs: Math.min(policy.reviewUs ?? REVIEW_US, REVIEW_US),
    eviction: { rank: ({ activity }) => activity, marginPercent, residenceUs },
  };
}
