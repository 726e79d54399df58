/** A connection as policies see it. */
import type { Candidate } from '../../../src/host/policy/offload-policy.ts';
import { parseIpv4Address } from '../../../src/wire/ipv4-text.ts';

export interface CandidateText extends Partial<Omit<Candidate, 'localAddress' | 'remoteAddress'>> {
  readonly local?: string;
  readonly remote?: string;
}

export function candidate({ local = '10.0.0.1', remote = '10.1.0.1', ...rest }: CandidateText = {}): Candidate {
  return {
    localAddress: parseIpv4Address(local)!,
    remoteAddress: parseIpv4Address(remote)!,
    localPort: 80,
    remotePort: 50_000,
    bytesSent: 0,
    bytesReceived: 0,
    smoothedRttMs: 0,
    activity: 0,
    ...rest,
  };
}
