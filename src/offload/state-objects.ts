/**
 * The state objects of the lower layers, as host and device exchange them (R1, ¶84): neighbor (Framing) and path
 * (Network). The TCP object is the TCB's first three ranges (tcp/tcb.ts).
 *
 * Each is a record of CONST, CACHED and DELEGATED ranges, in this order, so that one copy carries what an operation
 * needs. IPv4 addresses are int32, MAC addresses a high 16-bit and a low 32-bit word.
 */
import { TcbLayout } from '../tcp/tcb.ts';
import type { Kernels } from '../memory/kernels.ts';
import { record, stateVariables, word } from '../memory/record.ts';

const c = stateVariables('const', 'host');
const h = stateVariables('cached', 'host');
const d = stateVariables('delegated', 'owner');

/** NEIGHBOR_OFFLOAD_STATE_{CONST,CACHED,DELEGATED} */
export const NeighborState = record('NEIGHBOR_OFFLOAD_STATE', 32, {
  dlSourceHi: c(word('high 16 bits; zero = the interface’s own'), 'DlSourceAddress', 'MAC', 'shipped'),
  dlSourceLo: c(word('low 32 bits'), 'DlSourceAddress', 'MAC', 'shipped'),
  vlanId: c(word('0 = untagged; filled in by an intermediate driver (R42)'), 'VlanId', 'VID', '¶116, shipped'),
  dlDestinationHi: h(word('high 16 bits'), 'DlDestinationAddress', 'MAC', '¶84, shipped'),
  dlDestinationLo: h(word('low 32 bits'), 'DlDestinationAddress', 'MAC', '¶84, shipped'),
  hostReachabilityDelta: h(
    word('since the host knew the neighbor reachable'),
    'HostReachabilityDelta',
    'ticks',
    '¶84, shipped',
  ),
  headerFormat: h(word('0 = DIX (Ethernet II), 1 = LLC/SNAP'), 'HeaderFormat', 'format', '¶84'),
  nicReachabilityDelta: d(word('since the device knew it reachable'), 'NicReachabilityDelta', 'ticks', '¶84, shipped'),
});

/** NeighborState.headerFormat: how datagrams are put into frames. */
export const HeaderFormat = { Dix: 0, Snap: 1 } as const;
export type HeaderFormat = (typeof HeaderFormat)[keyof typeof HeaderFormat];

/** PATH ({IP4,IP6}_OFFLOAD_STATE_{CONST,CACHED,DELEGATED}); which of the two, the type of its block says. */
export const PathState = record('PATH_OFFLOAD_STATE', 40, {
  sourceAddress: c(word('our address; of IPv6 the first of four words'), 'SourceAddress', 'address', '¶84, shipped'),
  sourceAddress1: c(word('IPv6: second word; IPv4: zero, as are the next two'), 'SourceAddress', 'address', 'shipped'),
  sourceAddress2: c(word('IPv6: third word'), 'SourceAddress', 'address', 'shipped'),
  sourceAddress3: c(word('IPv6: fourth word'), 'SourceAddress', 'address', 'shipped'),
  destinationAddress: c(word("the peer's address, likewise"), 'DestinationAddress', 'address', '¶84, shipped'),
  destinationAddress1: c(word('IPv6: second word'), 'DestinationAddress', 'address', 'shipped'),
  destinationAddress2: c(word('IPv6: third word'), 'DestinationAddress', 'address', 'shipped'),
  destinationAddress3: c(word('IPv6: fourth word'), 'DestinationAddress', 'address', 'shipped'),
  pathMtu: h(word('largest datagram of the path'), 'PathMtu', 'bytes', '¶84, shipped'),
  ipIdStart: d(
    word('IPv4: next identification that the owner would use (R31)'),
    'IpIdStart',
    'identification',
    '¶84, ¶86',
  ),
});

const tcpConst = TcbLayout.range('const');
const tcpCached = TcbLayout.range('cached');
const tcpDelegated = TcbLayout.range('delegated');

/** Byte ranges [start, end) within the state that follows a block, per layer and class. */
export const StateRange = {
  neighbor: {
    all: NeighborState.byteLength,
    cached: NeighborState.range('cached'),
    delegated: NeighborState.range('delegated'),
  },
  path: { all: PathState.byteLength, cached: PathState.range('cached'), delegated: PathState.range('delegated') },
  tcp: { all: tcpDelegated.end, const: tcpConst, cached: tcpCached, delegated: tcpDelegated },
} as const;

/** Copies one range of a state, from where the state begins at `from` to where it begins at `to`. */
export function copyRange(kernels: Kernels, to: number, from: number, range: { start: number; end: number }): void {
  kernels.copy(to + range.start, from + range.start, range.end - range.start);
}
