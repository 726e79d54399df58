/**
 * The two ends of a script's network in the family that it wants, IPv4 or IPv6: headers of what the remote end sends, and
 * reading those of what the host sends. Everything above IP is alike in both.
 */
import type { IpSpec } from './ast.ts';

/** Where the parts of a datagram of the host's are. */
export interface SeenIp {
  readonly ip: IpSpec;
  readonly protocol: number;
  readonly payloadAt: number;
  /** It goes to the remote end. */
  readonly toRemote: boolean;
}

export interface IpEnds {
  readonly version: 4 | 6;
  /** Of the header that scripts mean: without options and extension headers. */
  readonly headerLength: number;
  readonly icmpProtocol: number;
  /** Writes the header of a datagram, from the remote end to the host unless `fromHost`; its checksum, if it has one, too. */
  writeHeader(view: DataView, at: number, payload: number, protocol: number, ip: IpSpec, fromHost: boolean): void;
  /** Partial sum of the pseudo-header behind which `writeHeader` has written at `at`. */
  pseudoSum(view: DataView, at: number, protocol: number, length: number): number;
  read(view: DataView): SeenIp;
}

/** The traffic class or TOS octet of a line. */
export function tosOf({ tos, ecn }: IpSpec): number {
  return tos >= 0 ? tos : Math.max(0, ecn);
}

/** What scripts send comes with the largest TTL, as packetdrill has it. */
export const SCRIPT_TTL = 255;
