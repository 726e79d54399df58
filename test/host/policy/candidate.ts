/** A connection as policies see it. */
import type { Candidate } from '../../../src/host/policy/offload-policy.ts';
import { AddressTable } from '../../../src/wire/address-table.ts';
import { parseIpv4Address } from '../../../src/wire/ipv4-text.ts';
import { parseIpv6Address } from '../../../src/wire/ipv6-text.ts';

export interface CandidateText extends Partial<Omit<Candidate, 'localAddress' | 'remoteAddress' | 'addresses'>> {
  readonly local?: string;
  readonly remote?: string;
}

const addresses = new AddressTable(1000);

function numberOf(text: string): number {
  return parseIpv4Address(text) ?? addresses.internWords(parseIpv6Address(text)!);
}

export function candidate({ local = '10.0.0.1', remote = '10.1.0.1', ...rest }: CandidateText = {}): Candidate {
  return {
    addresses,
    localAddress: numberOf(local),
    remoteAddress: numberOf(remote),
    localPort: 80,
    remotePort: 50_000,
    bytesSent: 0,
    bytesReceived: 0,
    smoothedRttMs: 0,
    activity: 0,
    ...rest,
  };
}
