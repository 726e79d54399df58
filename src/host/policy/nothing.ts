/**
 * The chimney is closed: everything stays in the host, and what is on a device comes back — `netsh int tcp set global
 * chimney=disabled` (digest §6.2), live.
 */
import type { OffloadPolicy } from './offload-policy.ts';

export const NOTHING: OffloadPolicy = {
  name: 'nothing',
  batchUs: 0,
  holdsData: false,
  wants: () => false,
  keeps: () => false,
};
