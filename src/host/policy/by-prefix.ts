/**
 * By source organisation (R34): connections with a peer in one of these networks, such as one's own branch offices and not
 * the Internet at large.
 */
import { formatIpPrefix, type IpPrefix, isInPrefix } from '../../wire/ip-prefix.ts';
import type { Candidate, OffloadPolicy } from './offload-policy.ts';

export function byPrefix(prefixes: readonly IpPrefix[], batchUs: number): OffloadPolicy {
  const wants = ({ remoteAddress, addresses }: Candidate): boolean =>
    prefixes.some(prefix => isInPrefix(prefix, remoteAddress, addresses));
  const texts = prefixes.map(formatIpPrefix);
  return { name: `by-prefix:${texts.join(',')}`, batchUs, holdsData: false, wants, keeps: wants };
}
