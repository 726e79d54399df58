/**
 * The transmission control block (RFC 9293 3.3.1) as a shared-memory record: one layout for host, NIC and stations.
 *
 *   | CONST 16 | CACHED 32 | DELEGATED 200 | private 136 |
 *
 * Offload copies the first three ranges, update the second, upload the third (architecture §2.2–2.3). Private fields
 * belong to whoever runs the engine at the moment and are made anew by the next owner. Fields carry RFC names; beside
 * each stand its name in TCP_OFFLOAD_STATE_{CONST,CACHED,DELEGATED}, its unit and its origin. Times are ticks of 1 ms, windows are bytes
 * (unscaled), sequence numbers int32.
 */
import { type Cursor, record, stateVariables, u16, u8, word } from '../memory/record.ts';

const c = stateVariables('const', 'host');
const h = stateVariables('cached', 'host');
const d = stateVariables('delegated', 'owner');
const p = stateVariables('private', 'owner');

const SHIPPED = 'shipped';
const EMULATOR = 'emulator';

export const TcbLayout = record('TCB', 384, {
  // CONST: given once at offload, never returned (R2).
  localPort: c(u16('our port'), 'LocalPort', 'port', '¶80, shipped'),
  remotePort: c(u16("the peer's port"), 'RemotePort', 'port', '¶80, shipped'),
  constFlags: c(u16('TcpConstFlag: timestamps, SACK, window scaling'), 'Flags', 'bits', '¶80, shipped'),
  remoteMss: c(u16('MSS option of the peer'), 'RemoteMss', 'bytes', '¶80, shipped'),
  sndWindScale: c(u8('Snd.Wind.Shift, RFC 7323 2.3'), 'SndWindScale', 'shift', '¶80, shipped'),
  rcvWindScale: c(u8('Rcv.Wind.Shift'), 'RcvWindScale', 'shift', '¶80, shipped'),
  reservedConst: c(u16('zero'), '', '–', EMULATOR),
  hashValue: c(word('RSS hash, computed once'), 'HashValue', 'hash', SHIPPED),
  // CACHED: the host's, written through on change (R3).
  cachedFlags: h(u16('TcpCachedFlag: keep-alive, Nagle, cork, reader; commands'), 'Flags', 'bits', '¶81, shipped'),
  kaProbeMax: h(u8('keep-alive probes before giving up'), 'KaProbeCount', 'probes', '¶81, shipped'),
  ttl: h(u8('IPv4 TTL'), 'TtlOrHopLimit', 'hops', SHIPPED),
  tos: h(u8('IPv4 TOS, IPv6 traffic class'), 'TosOrTrafficClass', 'octet', '¶81, shipped'),
  userPriority: h(u8('802.1p'), 'UserPriority', 'priority', SHIPPED),
  effectiveMss: h(u16('Eff.snd.MSS of RFC 9293 3.7.1: payload of a segment'), 'EffectiveMss', 'bytes', '¶81'),
  initialRcvWnd: h(word('receive buffer'), 'InitialRcvWnd', 'bytes', '¶81, shipped'),
  rcvIndicationSize: h(word('what an indication should carry, 0 = any'), 'RcvIndicationSize', 'bytes', '¶81, shipped'),
  kaTimeout: h(word('idle time before the first probe'), 'KaTimeout', 'ticks', '¶81, shipped'),
  kaInterval: h(word('time between probes'), 'KaInterval', 'ticks', '¶81, shipped'),
  maxRt: h(word('how long one segment may be retransmitted, 0 = by count'), 'MaxRT', 'ticks', SHIPPED),
  flowLabel: h(word('IPv6 only: of every segment (RFC 6437)'), 'FlowLabel', 'label', '¶81, shipped'),
  // DELEGATED: the owner's alone, moves at offload and upload (R4).
  state: d(u8('TcpState, numbers of TCP_OFFLOAD_CONNECTION_STATE'), 'State', 'state', '¶82, shipped'),
  delegatedFlags: d(u8('TcpDelegatedFlag'), 'Flags', 'bits', '¶82, shipped'),
  dupAckCount: d(u8('ACKs in a row for the same number'), 'DupAckCount', 'ACKs', '¶83, shipped'),
  sndWndProbeCount: d(u8('zero-window probes sent and unanswered'), 'SndWndProbeCount', 'probes', SHIPPED),
  kaProbeCount: d(u8('keep-alive probes sent and unanswered'), 'KeepAlive.ProbeCount', 'probes', '¶83, shipped'),
  rtxCount: d(u8('retransmissions of the current segment'), 'Retransmit.Count', 'segments', '¶83, shipped'),
  ackTimeout: d(u8('of a delayed ACK, as adapted; 0 = no text came yet'), '', 'ticks / 2', EMULATOR),
  caState: d(u8('CaState: what loss recovery is doing'), '', 'state', EMULATOR),
  rcvNxt: d(word('RCV.NXT'), 'RcvNxt', 'sequence', '¶82, shipped'),
  rcvWnd: d(word('RCV.WND: to the right edge advertised'), 'RcvWnd', 'bytes', '¶82, shipped'),
  sndUna: d(word('SND.UNA'), 'SndUna', 'sequence', '¶82, shipped'),
  sndNxt: d(word('SND.NXT: next to send; below SndMax while retransmitting'), 'SndNxt', 'sequence', '¶82, shipped'),
  sndMax: d(word('highest sequence number ever sent, plus one'), 'SndMax', 'sequence', '¶82, shipped'),
  sndWnd: d(word('SND.WND'), 'SndWnd', 'bytes', '¶82, shipped'),
  maxSndWnd: d(word('largest window ever offered (RFC 9293 3.8.6.2.1)'), 'MaxSndWnd', 'bytes', '¶82, shipped'),
  sndWl1: d(word('SND.WL1: segment of the last window update'), 'SendWL1', 'sequence', '¶82, shipped'),
  sndWl2: d(word('SND.WL2: acknowledgment of the last window update'), 'SndWL2', 'sequence', '¶82'),
  cwnd: d(word('congestion window'), 'CWnd', 'bytes', '¶82, shipped'),
  ssthresh: d(word('slow start threshold'), 'SsThresh', 'bytes', '¶83, shipped'),
  srtt: d(word('smoothed round-trip time; 0 = no sample yet'), 'SRtt', 'ticks × 8', '¶83, shipped'),
  rttvar: d(word('its variation'), 'RttVar', 'ticks × 4', '¶83, shipped'),
  tsRecent: d(word('TS.Recent: to echo'), 'TsRecent', 'timestamp', '¶83, shipped'),
  tsRecentAge: d(
    word('since tsRecent was set; while owned, the tick it was set at'),
    'TsRecentAge',
    'ticks',
    '¶83, shipped',
  ),
  tsTime: d(word('our timestamp clock at the hand-over'), 'TsTime', 'timestamp', SHIPPED),
  totalRt: d(word('spent retransmitting the current segment'), 'TotalRT', 'ticks', SHIPPED),
  kaTimeoutDelta: d(word('left at the hand-over, -1 = not running'), 'KeepAlive.TimeoutDelta', 'ticks', '¶83, shipped'),
  rtxTimeoutDelta: d(
    word('left at the hand-over, -1 = not running'),
    'Retransmit.TimeoutDelta',
    'ticks',
    '¶83, shipped',
  ),
  sendDataHead: d(
    word('first NET_BUFFER with unacknowledged bytes, or 0; at query SendBacklogSize'),
    'SendDataHead',
    'address',
    SHIPPED,
  ),
  sendDataTail: d(word('last NET_BUFFER of the send queue, or 0'), 'SendDataTail', 'address', SHIPPED),
  sendDataBytes: d(word('in the send queue from SND.UNA on'), '', 'bytes', EMULATOR),
  bufferedData: d(
    word('acknowledged but undelivered NET_BUFFERs at the hand-over, or 0; at query ReceiveBacklogSize'),
    'BufferedData',
    'address',
    '¶83, shipped',
  ),
  recover: d(word('recover: SND.MAX when fast recovery began'), '', 'sequence', 'RFC 6582'),
  rcvPending: d(word('indicated, not yet consumed by the application'), '', 'bytes', EMULATOR),
  rtxKind: d(u8('TcpTimer that Retransmit.TimeoutDelta carries'), '', 'timer', EMULATOR),
  reorderingSeen: d(u8('how often segments were late, at most 255'), '', 'ACKs', EMULATOR),
  reordering: d(
    u16('how late a segment may be and is not lost: the largest seen (reordering.ts)'),
    '',
    'segments',
    EMULATOR,
  ),
  dWnd: d(word('delay window of Compound TCP (NDIS 6.1); carried, not used'), 'DWnd', 'bytes', SHIPPED),
  // DELEGATED, loss recovery: without them a hand-over in the middle of one would begin it anew.
  congestionControl: d(u8('CongestionControl: the algorithm'), '', 'algorithm', EMULATOR),
  quickAcks: d(u8('segments that are still acknowledged at once'), '', 'segments', EMULATOR),
  lossFlags: d(u16('TcpLossFlag'), '', 'bits', EMULATOR),
  rackReoWndMult: d(u8('RACK.reo_wnd_mult'), '', 'quarters of min_RTT', 'RFC 8985'),
  rackReoWndPersist: d(u8('RACK.reo_wnd_persist'), '', 'recoveries', 'RFC 8985'),
  undoRetrans: d(u16('retransmissions that no D-SACK has named yet'), '', 'segments', 'RFC 2883'),
  prrDelivered: d(word('prr_delivered'), '', 'bytes', 'RFC 6937'),
  prrOut: d(word('prr_out'), '', 'bytes', 'RFC 6937'),
  cwndCount: d(word('acknowledged in congestion avoidance since cwnd grew last'), '', 'bytes', 'RFC 9438'),
  rackSentAt: d(word('RACK.xmit_ts; at the hand-over its age'), '', 'ticks', 'RFC 8985'),
  rackEndSeq: d(word('RACK.end_seq'), '', 'sequence', 'RFC 8985'),
  rackRtt: d(u16('RACK.rtt'), '', 'ticks', 'RFC 8985'),
  minRtt: d(u16('least round trip of the last five minutes; 0xffff = none'), '', 'ticks', 'RFC 8985'),
  tlpEndSeq: d(word('TLP.end_seq, while TcpLossFlag.TlpProbe'), '', 'sequence', 'RFC 8985'),
  cubicWMax: d(word('W_max'), '', 'bytes', 'RFC 9438'),
  cubicEpochAt: d(word('begin of the congestion avoidance stage; at the hand-over its age'), '', 'ticks', 'RFC 9438'),
  cubicOrigin: d(word('window at which the cubic has its plateau'), '', 'bytes', 'RFC 9438'),
  cubicK: d(word('K'), '', 'ticks', 'RFC 9438'),
  cubicWEst: d(word('W_est'), '', 'bytes', 'RFC 9438'),
  priorCwnd: d(
    word('cwnd before the reduction: what PRR divides by, and what an undo restores'),
    '',
    'bytes',
    'RFC 6937',
  ),
  lastSendAt: d(word('tick of the last data segment sent; at the hand-over its age'), '', 'ticks', 'RFC 5681'),
  challengeAt: d(word('tick of the last challenge ACK; at the hand-over its age'), '', 'ticks', 'RFC 5961'),
  maxFlight: d(word('largest flight of the window that ends at cwndUsageSeq'), '', 'bytes', 'RFC 7661'),
  cwndUsageSeq: d(word('SND.NXT when maxFlight was taken'), '', 'sequence', 'RFC 7661'),
  undoMarker: d(word('SND.UNA at the reduction: older D-SACKs do not count'), '', 'sequence', 'RFC 2883'),
  priorSsthresh: d(word('ssthresh before the reduction, 0 = not to be restored'), '', 'bytes', 'RFC 5682'),
  // Private: never handed over.
  localAddress: p(word('an IPv4 address, or the number of an IPv6 address (address-table.ts)')),
  remoteAddress: p(word('as localAddress')),
  path: p(word("the owner's path object")),
  context: p(word("the owner's word for the layer above (a handle)")),
  rtxAt: p(word('tick at which the rtxKind timer expires')),
  ackAt: p(word('tick at which a delayed ACK is due')),
  kaAt: p(word('tick at which the next keep-alive probe is due')),
  tsOffset: p(word('our timestamp clock = ticks + tsOffset')),
  curBuffer: p(word('NET_BUFFER of the send queue that holds curSeq, or 0: where copying goes on')),
  curSeq: p(word('sequence number of the first byte of curBuffer')),
  oooHead: p(word('out-of-order NET_BUFFERs by segSeq, or 0')),
  iss: p(word('ISS; once synchronized, end of the last segment that was not full (nagle.ts)')),
  irs: p(word('IRS; once synchronized, what RCV.NXT is counted from for the window (window.ts)')),
  generation: p(u16('of the slot: stale handles are refused')),
  vid: p(u16('802.1Q VID the connection lives on, 0 = untagged')),
  timers: p(u8('TcpTimerBit of running timers')),
  offloadState: p(u8('host: OffloadState of the connection')),
  privateFlags: p(u16('TcpPrivateFlag')),
  oooCount: p(u8('NET_BUFFERs in the out-of-order queue')),
  rtoBackoff: p(u8('doublings of RTO kept until the next valid sample (Karn), beside rtxCount')),
  hyStartSamples: p(u8('round-trip samples of this round (RFC 9406 N_RTT_SAMPLE)')),
  hyStartRounds: p(u8('CSS rounds left, 0 = not in CSS')),
  offloadHandle: p(word("host: the device's handle while offloaded, or 0")),
  block: p(word('host: block of the connection in the list being built, or 0')),
  // What was sent and is not acknowledged (sent-ranges.ts); made anew from what travels beside the state.
  sentHead: p(word('first SentRange + 1, or 0')),
  sentTail: p(word('last SentRange + 1, or 0')),
  sackedBytes: p(word('SACKed, above SND.UNA')),
  lostBytes: p(word('marked lost, whether sent again or not')),
  retransBytes: p(word('sent again and neither acknowledged nor lost again')),
  sackedSegments: p(u16('segments in sackedBytes; without SACK duplicate ACKs')),
  hyStartLastRtt: p(u16('lastRoundMinRTT, 0xffff = none')),
  hyStartRtt: p(u16('currentRoundMinRTT, 0xffff = none')),
  hyStartBaseline: p(u16('cssBaselineMinRtt')),
  hyStartEnd: p(word('windowEnd: the round ends when it is acknowledged')),
  minRttAt: p(word('tick of the sample in minRtt')),
  // Receive side.
  dsackLeft: p(word('D-SACK to report with the next ACK: left edge')),
  dsackLength: p(u16('its length in sequence numbers; 0: none')),
  unackedBytes: p(u16('received in order since the last ACK, at most 65535: RCV.NXT - Last.ACK.sent')),
  lastReceiveAt: p(word('tick of the last segment with text')),
  rcvMss: p(u16('what the peer sends as a full segment, as measured')),
  sackBlocks: p(u8('blocks of adjoining text in the out-of-order queue')),
  probeCount: p(
    u8('path MTU probes of this size that were lost; in SYN-SENT how often SYN is sent again, 0 = by parameter'),
  ),
  probeLow: p(u16('payload that is known to pass (RFC 4821 search_low), 0 = no search')),
  probeHigh: p(u16('payload that is known not to, or the MSS (search_high)')),
  probeSize: p(u16('payload of the probe in flight, 0 = none')),
  advertisedMss: p(u16('MSS option of our SYN')),
  probeMark: p(word('SEG.SEQ of the probe in flight; without one the tick of the last outcome')),
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

export const TcpConstFlag = { Timestamp: 1, Sack: 2, WindowScaling: 4, Ecn: 8, Ipv6: 16 } as const;

/** What loss recovery is doing; the names and numbers of Linux's TCP_CA_…, which tools print. */
export const CaState = {
  Open: 0,
  /** Duplicate ACKs or SACKs, no loss yet. */
  Disorder: 1,
  /** The window goes down because of ECN. */
  Cwr: 2,
  /** Fast recovery. */
  Recovery: 3,
  /** After a retransmission time-out. */
  Loss: 4,
} as const;
export type CaState = (typeof CaState)[keyof typeof CaState];

export const CongestionControl = {
  Cubic: 0,
  NewReno: 1,
  /** No window but the peer's: for links of one's own, where losses are not congestion. */
  None: 2,
} as const;
export type CongestionControl = (typeof CongestionControl)[keyof typeof CongestionControl];

export const TcpLossFlag = {
  /** F-RTO is deciding whether the time-out was spurious (RFC 5682 3.1): after step 1; and after step 2b, new data is out. */
  Frto: 1,
  FrtoProbing: 2,
  /** The reduction may be undone: priorCwnd and priorSsthresh are valid. */
  Undo: 4,
  /** A tail loss probe is in flight, up to tlpEndSeq. */
  TlpProbe: 8,
  /** It was a retransmission. */
  TlpRetransmission: 16,
  /** RACK.reordering_seen. */
  ReorderingSeen: 32,
  /** ECN: CE was received and is echoed until CWR comes (RFC 3168 6.1.3). */
  EceOwed: 64,
  /** ECN: the next new data carries CWR. */
  CwrOwed: 128,
  /** The last flight filled the congestion window. */
  CwndLimited: 256,
  /** CUBIC: W_max and epoch are valid. */
  CubicEpoch: 512,
  /** RACK: the round trip in which D-SACKs have widened the window is not over. */
  RackDsackRound: 1024,
} as const;
export const TcpCachedFlag = {
  KeepAliveEnabled: 1,
  NaglingEnabled: 2,
  KeepAliveRestart: 4,
  MaxRtRestart: 8,
  UpdateRcvWnd: 16,
  /** TCP_CORK: no segment that is not full. */
  Corked: 32,
  /** Nobody reads any more: close(2). Text is answered with RST (tcp/half-close.ts). */
  NoReader: 64,
  /** shutdown(2): the user reads on after its FIN, for as long as it likes. */
  HalfClosed: 128,
  /** Command: what Nagle or a cork holds back goes out (tcp/nagle.ts). */
  PushNow: 256,
  /** TCP_QUICKACK on and off, of the emulator. */
  QuickAck: 512,
  DelayAck: 1024,
  /** Routers may cut its datagrams: DF is not set, and the path's MTU is none of its business (IP_PMTUDISC_DONT). */
  MayFragment: 2048,
} as const;
/** Of the cached flags, those that are obeyed once (digest §1.5). */
export const CACHED_COMMANDS =
  TcpCachedFlag.KeepAliveRestart |
  TcpCachedFlag.MaxRtRestart |
  TcpCachedFlag.UpdateRcvWnd |
  TcpCachedFlag.PushNow |
  TcpCachedFlag.QuickAck |
  TcpCachedFlag.DelayAck;
export const TcpDelegatedFlag = {
  /** The application answers what comes: ACKs wait to ride on that. */
  PingPong: 1,
  /** A FIN of the peer was received and indicated. */
  FinReceived: 2,
  /** The first retransmission time-out of a SYN happened: IW is one segment (RFC 5681 3.1). */
  SynRetransmitted: 4,
  /** At a hand-over: the new owner owes the peer an ACK. */
  AckOwed: 8,
  /** RFC 7413, until ESTABLISHED: the SYN carries the option, or text was taken off the peer's (tcp/fast-open.ts). */
  FastOpen: 16,
  /** The same: SYN,ACK is to be sent again. */
  SynDue: 32,
  /** All text on a SYN was acknowledged, ours or the peer's. */
  SynData: 64,
} as const;
export const TcpPrivateFlag = {
  /** Send an ACK at the next transmit, whether or not there is data. */
  AckNow: 1,
  /** CLOSE was called before ESTABLISHED: send FIN then (RFC 9293 3.10.4). */
  CloseWhenEstablished: 2,
  /** In the owner's list of connections whose segments found no room. */
  TransmitPending: 4,
  /** The SYN is being timed. */
  Timing: 8,
  /** Opened by a SYN of the peer: goes back to LISTEN rather than to an error. */
  Passive: 16,
  /** A hand-over is under way: nothing is transmitted. */
  Frozen: 32,
  /**
   * A device has asked for the connection with a mandatory reason. On the device: it processes nothing more of it. On the
   * host: segments and calls are held, although the state is still there, until it has been taken back.
   */
  UploadDue: 128,
  /** A RST was challenged, and nothing has been accepted since (tcp/blind-attack.ts). */
  Challenged: 256,
  /** Keep-alive runs only to find out whether the peer is there still. */
  ValidationOnly: 512,
  /** On the device: the host has been asked for it because its path or neighbor is invalid; it is asked once (C16). */
  InvalidStateTold: 1024,
  /** What waits goes out at the next transmit, full segment or not (tcp/nagle.ts). */
  PushNow: 64,
  /** The last call said that more is to come (MSG_MORE), and the peer has not been heard since. */
  MoreToCome: 2048,
  /** So did the last one: no PSH on the end of the queue. */
  Unpushed: 4096,
  /** A small segment, or one with PSH, has come since the last ACK: acknowledged when it is read (delayed-ack.ts). */
  AckOnRead: 8192,
  /** The same for a second one: also in ping-pong. */
  AckOnReadTwice: 16384,
  /** A record has ended in the send queue, at some time (MSG_EOR, tcp/record-end.ts). */
  RecordEnds: 32768,
} as const;

/** The timers a connection may run; all of these exclude one another and share rtxAt. */
export const TcpTimer = {
  None: 0,
  Retransmit: 1,
  Persist: 2,
  FinWait2: 3,
  TimeWait: 4,
  /** Tail loss probe, RFC 8985 7. */
  LossProbe: 5,
  /** RACK's reordering timer, RFC 8985 6.2. */
  Reordering: 6,
} as const;
export type TcpTimer = (typeof TcpTimer)[keyof typeof TcpTimer];
export const TcpTimerBit = { Retransmit: 1, DelayedAck: 2, KeepAlive: 4 } as const;

/** The peer has not closed: what it sends has a place (RFC 9293 3.10.7.4). */
export function stillReceives(state: number): boolean {
  return state === TcpState.Established || state === TcpState.FinWait1 || state === TcpState.FinWait2;
}

/** The states in which a connection may be offloaded (digest §1.6). */
export function mayOffload(state: number): boolean {
  return state >= TcpState.Established && state <= TcpState.LastAck;
}
