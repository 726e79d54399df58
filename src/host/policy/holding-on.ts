/**
 * A policy that does not let go for some optional reasons: a device that asks with one is not answered, and goes on working
 * (digest §3.8, D03). Mandatory reasons are nobody's choice.
 */
import type { OffloadPolicy } from './offload-policy.ts';

export function holdingOn(policy: OffloadPolicy, ignored: readonly number[]): OffloadPolicy {
  return {
    ...policy,
    grants: (connection, reason) => !ignored.includes(reason) && (policy.grants?.(connection, reason) ?? true),
  };
}
