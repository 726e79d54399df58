/**
 * The state objects of the lower layers, as host and device exchange them (R1, ¶84): neighbor (Framing) and path
 * (Network). The TCP object is the TCB's first three ranges (tcp/tcb.ts).
 *
 * Each is a record of CONST, CACHED and DELEGATED ranges, in this order, so that one copy carries what an operation
 * needs. IPv4 addresses are int32, MAC addresses a high 16-bit and a low 32-bit word.
 */
import { TcbLayout } from '../tcp/tcb.ts';
import { type Field, record, word } from '../memory/record.ts';

const c = (field: Field): Field => ({ ...field, fieldClass: 'const', writer: 'host' });
const h = (field: Field): Field => ({ ...field, fieldClass: 'cached', writer: 'host' });
const d = (field: Field): Field => ({ ...field, fieldClass: 'delegated', writer: 'owner' });

/** NEIGHBOR_OFFLOAD_STATE_{CONST,CACHED,DELEGATED} */
export const NeighborState = record('NEIGHBOR_OFFLOAD_STATE', 32, {
  dlSourceHi: c(word('DlSourceAddress, high 16 bits; zero = the interface’s own')),
  dlSourceLo: c(word('DlSourceAddress, low 32 bits')),
  vlanId: c(word('VlanId: 0 = untagged; filled in by an intermediate driver (R42)')),
  dlDestinationHi: h(word('DlDestinationAddress, high 16 bits')),
  dlDestinationLo: h(word('DlDestinationAddress, low 32 bits')),
  hostReachabilityDelta: h(word('HostReachabilityDelta: ticks since the host knew the neighbor reachable')),
  headerFormat: h(word('header format (¶84): 0 = DIX (Ethernet II), 1 = LLC/SNAP')),
  nicReachabilityDelta: d(word('NicReachabilityDelta: ticks since the device knew it')),
});

/** PATH (IP4_OFFLOAD_STATE_{CONST,CACHED,DELEGATED}) */
export const PathState = record('IP4_OFFLOAD_STATE', 16, {
  sourceAddress: c(word('SourceAddress, IPv4')),
  destinationAddress: c(word('DestinationAddress, IPv4')),
  pathMtu: h(word('PathMtu, bytes')),
  ipIdStart: d(word('IP Packet ID start value (¶84, ¶86): next identification the owner would use')),
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
