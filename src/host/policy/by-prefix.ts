/**
 * By source organisation (R34): connections with a peer in one of these networks, such as one's own branch offices and not
 * the Internet at large.
 */
import { formatCidr, type Ipv4Prefix } from '../../wire/ipv4-text.ts';
import type { Candidate, OffloadPolicy } from './offload-policy.ts';

export function isIn({ address, mask }: Ipv4Prefix, other: number): boolean {
  return ((address ^ other) & mask) === 0;
}

export function byPrefix(prefixes: readonly Ipv4Prefix[], batchUs: number): OffloadPolicy {
  const wants = ({ remoteAddress }: Candidate): boolean => prefixes.some(prefix => isIn(prefix, remoteAddress));
  const texts = prefixes.map(({ address, prefixLength }) => formatCidr(address, prefixLength));
  return { name: `by-prefix:${texts.join(',')}`, batchUs, holdsData: false, wants, keeps: wants };
}
