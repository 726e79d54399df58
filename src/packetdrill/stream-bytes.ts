/**
 * The bytes of a script's connections: scripts say only how many there are, so each place in a stream has a byte of its own,
 * and what arrives elsewhere, twice or in the wrong order is seen.
 */

/** Both streams repeat after so many bytes. */
export const STREAM_PERIOD = 256;

/** What the application sends at an offset of its stream. */
export function sentByte(offset: number): number {
  return (offset * 7 + 13) & 0xff;
}

/** What the remote end sends there. */
export function receivedByte(offset: number): number {
  return (offset * 11 + 29) & 0xff;
}
