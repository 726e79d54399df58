/**
 * Policies made of policies: all of several, any of several, not one. What may stay on a device follows what may go
 * there, so that a combination never brings back what it has just sent down.
 */
import type { Candidate, OffloadPolicy } from './offload-policy.ts';

function combined(name: string, parts: readonly OffloadPolicy[]): Omit<OffloadPolicy, 'wants'> {
  const reviews = parts.flatMap(({ reviewUs }) => (reviewUs === undefined ? [] : [reviewUs]));
  return {
    name,
    batchUs: Math.max(...parts.map(({ batchUs }) => batchUs)),
    holdsData: parts.some(({ holdsData }) => holdsData),
    ...(reviews.length > 0 && { reviewUs: Math.min(...reviews) }),
    review: (load, nowUs) => parts.forEach(part => part.review?.(load, nowUs)),
  };
}

const keeps = (part: OffloadPolicy, connection: Candidate): boolean => part.keeps?.(connection) ?? true;
const grants = (part: OffloadPolicy, connection: Candidate, reason: number): boolean =>
  part.grants?.(connection, reason) ?? true;

/** One of them that lets a connection go is enough for it to go. */
export function allOf(parts: readonly OffloadPolicy[]): OffloadPolicy {
  return {
    ...combined(parts.map(({ name }) => name).join(' & '), parts),
    wants: connection => parts.every(part => part.wants(connection)),
    keeps: connection => parts.every(part => keeps(part, connection)),
    grants: (connection, reason) => parts.some(part => grants(part, connection, reason)),
  };
}

/** One of them that holds on to a connection is enough for it to stay. */
export function anyOf(parts: readonly OffloadPolicy[]): OffloadPolicy {
  return {
    ...combined(parts.map(({ name }) => name).join(' | '), parts),
    wants: connection => parts.some(part => part.wants(connection)),
    keeps: connection => parts.some(part => keeps(part, connection)),
    grants: (connection, reason) => parts.every(part => grants(part, connection, reason)),
  };
}

/** What the other one does not take; it stays for as long as that is so. */
export function not(part: OffloadPolicy): OffloadPolicy {
  const wants = (connection: Candidate): boolean => !part.wants(connection);
  return { ...combined(`!${part.name}`, [part]), holdsData: false, wants, keeps: wants };
}
