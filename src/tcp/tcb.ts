/**
 * The transmission control block (RFC 9293 3.3.1) as a shared-memory record: one layout for host, NIC and stations.
 *
 *   | CONST 16 | CACHED 32 | DELEGATED 116 | private 92 |
 *
 * Offload copies the first three ranges, update the second, upload the third (architecture §2.2–2.3). Private fields
 * belong to whoever runs the engine at the moment and are made anew by the next owner. Fields carry RFC names; the doc
 * line has the DDI name of TCP_OFFLOAD_STATE_{CONST,CACHED,DELEGATED}. Times are ticks of 1 ms, windows are bytes
 * (unscaled), sequence numbers int32.
 */
import { bytes, type Cursor, type Field, record, u16, u8, word } from '../memory/record.ts';

const c = (field: Field): Field => ({ ...field, fieldClass: 'const', writer: 'host' });
const h = (field: Field): Field => ({ ...field, fieldClass: 'cached', writer: 'host' });
const d = (field: Field): Field => ({ ...field, fieldClass: 'delegated', writer: 'owner' });
const p = (field: Field): Field => ({ ...field, fieldClass: 'private', writer: 'owner' });

export const TcbLayout = record('TCB', 256, {
  // CONST: given once at offload, never returned (R2).
  localPort: c(u16('LocalPort')),
  remotePort: c(u16('RemotePort')),
  constFlags: c(u16('Flags: TcpConstFlag')),
  remoteMss: c(u16('RemoteMss: MSS option of the peer, bytes')),
  sndWindScale: c(u8('SndWindScale: Snd.Wind.Shift, RFC 7323 2.3')),
  rcvWindScale: c(u8('RcvWindScale: Rcv.Wind.Shift')),
  reservedConst: c(u16('zero')),
  hashValue: c(word('HashValue: RSS hash, computed once')),
  // CACHED: the host's, written through on change (R3).
  cachedFlags: h(u16('Flags: TcpCachedFlag')),
  kaProbeMax: h(u8('KaProbeCount: keep-alive probes before giving up')),
  ttl: h(u8('TtlOrHopLimit')),
  tos: h(u8('TosOrTrafficClass')),
  userPriority: h(u8('UserPriority: 802.1p')),
  effectiveMss: h(u16('Effective MSS (¶81): Eff.snd.MSS of RFC 9293 3.7.1, bytes of payload')),
  initialRcvWnd: h(word('InitialRcvWnd: receive buffer, bytes')),
  rcvIndicationSize: h(word('RcvIndicationSize: bytes, 0 = any')),
  kaTimeout: h(word('KaTimeout: idle ticks before the first probe')),
  kaInterval: h(word('KaInterval: ticks between probes')),
  maxRt: h(word('MaxRT: ticks one segment may be retransmitted, 0 = by count')),
  flowLabel: h(word('FlowLabel: IPv6 only')),
  // DELEGATED: the owner's alone, moves at offload and upload (R4).
  state: d(u8('State: TcpState, numbers of TCP_OFFLOAD_CONNECTION_STATE')),
  delegatedFlags: d(u8('Flags: TcpDelegatedFlag')),
  dupAckCount: d(u8('DupAckCount')),
  sndWndProbeCount: d(u8('SndWndProbeCount: zero-window probes sent and unanswered')),
  kaProbeCount: d(u8('KeepAlive.ProbeCount: probes sent and unanswered')),
  rtxCount: d(u8('Retransmit.Count: retransmissions of the current segment')),
  delayedAckSegments: d(u8('segments received since the last ACK; zero at every hand-over')),
  reservedDelegated: d(u8('zero')),
  rcvNxt: d(word('RCV.NXT')),
  rcvWnd: d(word('RCV.WND: to the right edge advertised, bytes')),
  sndUna: d(word('SND.UNA')),
  sndNxt: d(word('SND.NXT: next to send; below sndMax while retransmitting')),
  sndMax: d(word('SndMax: highest sequence number ever sent, plus one')),
  sndWnd: d(word('SND.WND, bytes')),
  maxSndWnd: d(word('MaxSndWnd: largest window ever offered (SWS avoidance, RFC 9293 3.8.6.2.1)')),
  sndWl1: d(word('SND.WL1 (SendWL1)')),
  sndWl2: d(word('SND.WL2 (¶82; not in the shipped structure)')),
  cwnd: d(word('CWnd, bytes')),
  ssthresh: d(word('SsThresh, bytes')),
  srtt: d(word('SRtt: ticks × 8; 0 = no sample yet')),
  rttvar: d(word('RttVar: ticks × 4')),
  tsRecent: d(word('TsRecent: TS.Recent')),
  tsRecentAge: d(word('TsRecentAge: ticks since tsRecent was set; while owned, the tick it was set at')),
  tsTime: d(word('TsTime: our timestamp clock at the hand-over')),
  totalRt: d(word('TotalRT: ticks spent retransmitting the current segment')),
  kaTimeoutDelta: d(word('KeepAlive.TimeoutDelta: ticks left at the hand-over, -1 = not running')),
  rtxTimeoutDelta: d(word('Retransmit.TimeoutDelta: ticks left at the hand-over, -1 = not running')),
  sendDataHead: d(word('SendDataHead: first NET_BUFFER with unacknowledged bytes, or 0')),
  sendDataTail: d(word('SendDataTail: last NET_BUFFER of the send queue, or 0')),
  sendDataBytes: d(word('bytes in the send queue from SND.UNA on')),
  bufferedData: d(word('BufferedData: acknowledged but undelivered NET_BUFFERs at the hand-over, or 0')),
  recover: d(word('recover of RFC 6582')),
  rcvPending: d(word('bytes indicated that the application has not consumed')),
  rtxKind: d(word('TcpTimer that Retransmit.TimeoutDelta carries')),
  dWnd: d(word('DWnd: delay window of Compound TCP (NDIS 6.1), bytes; carried, not used')),
  // Private: never handed over.
  localAddress: p(word('IPv4, int32')),
  remoteAddress: p(word('IPv4, int32')),
  path: p(word("the owner's path object")),
  context: p(word("the owner's word for the layer above (a handle)")),
  rtxAt: p(word('tick at which the rtxKind timer expires')),
  ackAt: p(word('tick at which a delayed ACK is due')),
  kaAt: p(word('tick at which the next keep-alive probe is due')),
  tsOffset: p(word('our timestamp clock = ticks + tsOffset')),
  curBuffer: p(word('NET_BUFFER of the send queue that holds curSeq, or 0: where copying goes on')),
  curSeq: p(word('sequence number of the first byte of curBuffer')),
  oooHead: p(word('out-of-order NET_BUFFERs by segSeq, or 0')),
  rttSeq: p(word('sequence number being timed when timestamps are off')),
  rttAt: p(word('tick at which rttSeq was sent')),
  lastSendAt: p(word('tick of the last data segment sent')),
  iss: p(word('ISS')),
  irs: p(word('IRS')),
  challengeAt: p(word('tick of the last challenge ACK')),
  generation: p(u16('of the slot: stale handles are refused')),
  vid: p(u16('802.1Q VID the connection lives on, 0 = untagged')),
  timers: p(u8('TcpTimerBit of running timers')),
  offloadState: p(u8('host: OffloadState of the connection')),
  privateFlags: p(u16('TcpPrivateFlag')),
  oooCount: p(u8('NET_BUFFERs in the out-of-order queue')),
  rtoBackoff: p(u8('doublings of RTO kept until the next valid sample (Karn), beside rtxCount')),
  reservedPrivate: p(u16('zero')),
  offloadHandle: p(word("host: the device's handle while offloaded, or 0")),
  block: p(word('host: block of the connection in the list being built, or 0')),
  scratch: p(bytes(4)),
});

export type Tcb = Cursor<typeof TcbLayout.fields>;

/** RFC 9293 3.3.2, with the numbers of TCP_OFFLOAD_CONNECTION_STATE. */
export const TcpState = {
  Closed: 0,
  Listen: 1,
  SynSent: 2,
  SynReceived: 3,
  Established: 4,
  FinWait1: 5,
  FinWait2: 6,
  CloseWait: 7,
  Closing: 8,
  LastAck: 9,
  TimeWait: 10,
} as const;
export type TcpState = (typeof TcpState)[keyof typeof TcpState];

export const TCP_STATE_NAMES = [
  'CLOSED',
  'LISTEN',
  'SYN-SENT',
  'SYN-RECEIVED',
  'ESTABLISHED',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
  'TIME-WAIT',
] as const;

export const TcpConstFlag = { Timestamp: 1, Sack: 2, WindowScaling: 4 } as const;
export const TcpCachedFlag = {
  KeepAliveEnabled: 1,
  NaglingEnabled: 2,
  KeepAliveRestart: 4,
  MaxRtRestart: 8,
  UpdateRcvWnd: 16,
} as const;
export const TcpDelegatedFlag = {
  /** In fast recovery, RFC 6582. */
  Recovery: 1,
  /** A FIN of the peer was received and indicated. */
  FinReceived: 2,
  /** The first retransmission time-out of a SYN happened: IW is one segment (RFC 5681 3.1). */
  SynRetransmitted: 4,
  /** At a hand-over: the new owner owes the peer an ACK. */
  AckOwed: 8,
  /** At a hand-over: the segment at SND.UNA is to be sent again first (fast retransmit). */
  RetransmitOwed: 16,
} as const;
export const TcpPrivateFlag = {
  /** Send an ACK at the next transmit, whether or not there is data. */
  AckNow: 1,
  /** CLOSE was called before ESTABLISHED: send FIN then (RFC 9293 3.10.4). */
  CloseWhenEstablished: 2,
  /** In the owner's list of connections whose segments found no room. */
  TransmitPending: 4,
  /** rttSeq is being timed. */
  Timing: 8,
  /** Opened by a SYN of the peer: goes back to LISTEN rather than to an error. */
  Passive: 16,
  /** A hand-over is under way: nothing is transmitted. */
  Frozen: 32,
  /** The segment at SND.UNA is to be sent again before anything else (fast retransmit). */
  RetransmitFirst: 64,
  /**
   * A device has asked for the connection with a mandatory reason. On the device: it processes nothing more of it. On the
   * host: segments and calls are held, although the state is still there, until it has been taken back.
   */
  UploadDue: 128,
  /** On the device: the host has been asked for it because its path or neighbor is invalid; it is asked once (C16). */
  InvalidStateTold: 256,
} as const;

/** The timers a connection may run; Retransmit, Persist, FinWait2 and TimeWait exclude one another and share rtxAt. */
export const TcpTimer = { None: 0, Retransmit: 1, Persist: 2, FinWait2: 3, TimeWait: 4 } as const;
export type TcpTimer = (typeof TcpTimer)[keyof typeof TcpTimer];
export const TcpTimerBit = { Retransmit: 1, DelayedAck: 2, KeepAlive: 4 } as const;

/** The states in which a connection may be offloaded (digest §1.6). */
export function mayOffload(state: number): boolean {
  return state >= TcpState.Established && state <= TcpState.LastAck;
}
