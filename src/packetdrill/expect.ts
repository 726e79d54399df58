/**
 * Does what the host sent match an outbound line? The same fields are compared as packetdrill compares: flags, numbers, the
 * options with their order and padding, what the line says of window, ECN, TOS and TTL, and the bytes.
 */
import { TcpFlag } from '../wire/tcp.ts';
import type { IpSpec, TcpOptionSpec, TcpSpec } from './ast.ts';
import { optionText } from './packet-text.ts';
import type { ScriptSocket } from './script-socket.ts';
import type { SeenPacket } from './seen-packet.ts';
import { sentByte } from './stream-bytes.ts';

export interface TcpTolerance {
  /** 0: TS val is not compared. */
  readonly tsTickUs: number;
  readonly toleranceUs: number;
}

/** Segments of one line, as one: numbers of the first, flags and fields of the last (CWR of the first). */
export function joined(segments: readonly TcpSpec[]): TcpSpec {
  const first = segments[0]!;
  const last = segments.at(-1)!;
  const flags = (last.flags & ~TcpFlag.Cwr) | (first.flags & TcpFlag.Cwr);
  const length = segments.reduce((sum, each) => sum + each.length, 0);
  return { ...last, flags, seq: first.seq, length };
}

/** Could the second be the rest of what the first begins? A bare ACK begins nothing. */
export function continues(before: TcpSpec, after: TcpSpec): boolean {
  const varying = TcpFlag.Psh | TcpFlag.Fin | TcpFlag.Cwr;
  const sameFlags = ((before.flags ^ after.flags) & ~varying) === 0;
  return sameFlags && before.length > 0 && (before.seq + before.length) >>> 0 === after.seq && before.ack === after.ack;
}

/**
 * '' when they match, else what differs. `segments`: how many were joined.
 *
 * Linux sets PSH at the end of each packet that it makes — what its NIC is to cut into segments, and keeps it when one of
 * them is sent again — whether or not the text ends there. So PSH is not compared on a line of several segments, and may be
 * missing where text goes on.
 */
export function differenceOf(
  expected: TcpSpec,
  actual: TcpSpec,
  segments: number,
  tolerance: TcpTolerance,
  socket: ScriptSocket,
): string {
  const goesOn = (expected.flags & TcpFlag.Psh) !== 0 && socket.textGoesOnBehind(actual);
  const ignored = segments > 1 || goesOn ? TcpFlag.Psh : 0;
  if (((expected.flags ^ actual.flags) & ~ignored) !== 0) return 'flags';
  if (expected.seq !== actual.seq) return 'sequence number';
  if (expected.length !== actual.length) return 'payload length';
  if (expected.ack !== actual.ack) return 'ack';
  if (expected.window >= 0 && expected.window !== actual.window) return 'window';
  if (expected.urgent !== actual.urgent) return 'urgent pointer';
  return optionDifference(expected.options, actual.options!, tolerance, socket);
}

export function ipDifference(expected: IpSpec, actual: IpSpec, socket: ScriptSocket): string {
  if (expected.flowLabel > 0 && !socket.matchFlowLabel(expected.flowLabel, actual.flowLabel)) return 'flow label';
  if (expected.ecn === -2 && actual.ecn !== 1 && actual.ecn !== 2) return 'ECN field';
  if (expected.ecn >= 0 && expected.ecn !== actual.ecn) return 'ECN field';
  if (expected.tos >= 0 && expected.tos !== actual.tos) return 'tos';
  if (expected.ttl > 0 && expected.ttl !== actual.ttl) return 'ttl';
  return '';
}

function optionDifference(
  expected: readonly TcpOptionSpec[] | null,
  actual: readonly TcpOptionSpec[],
  tolerance: TcpTolerance,
  socket: ScriptSocket,
): string {
  if (expected === null) return '';
  if (expected.length !== actual.length) return 'TCP options';
  for (const [i, option] of expected.entries()) {
    const seen = actual[i]!;
    if (option.kind !== seen.kind) return 'TCP options';
    if (option.kind === 'TS' && seen.kind === 'TS') {
      const val = socket.matchTimestamp(option.val, seen.val);
      const off = Math.abs((val - option.val) | 0) * tolerance.tsTickUs;
      if (off > tolerance.toleranceUs) return 'TS val';
    } else if (optionText(option) !== optionText(seen)) {
      return `TCP option ${option.kind}`;
    }
  }
  return '';
}

/** Are the bytes those that belong at their place in the stream? */
export function bytesAreRight(packet: SeenPacket, spec: TcpSpec): boolean {
  const offset = (spec.flags & TcpFlag.Syn) !== 0 ? 0 : spec.seq - 1;
  for (let i = 0; i < packet.payloadLength; i++) {
    // A probe of a closed window may carry any byte from before it.
    if (offset + i >= 0 && packet.view.getUint8(packet.payloadAt + i) !== sentByte(offset + i)) return false;
  }
  return true;
}
