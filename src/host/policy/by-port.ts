/**
 * By service: connections from or to one of these ports (R34; `netsh int tcp add chimneyport`, digest §6.2). A service is
 * known by the port that its side listens on, which is ours where we accepted and the peer's where we connected.
 */
import type { Candidate, OffloadPolicy } from './offload-policy.ts';

export function byPort(ports: readonly number[], batchUs: number): OffloadPolicy {
  const listed = new Set(ports);
  const wants = ({ localPort, remotePort }: Candidate): boolean => listed.has(localPort) || listed.has(remotePort);
  return { name: `by-port:${ports.join(',')}`, batchUs, holdsData: false, wants, keeps: wants };
}
