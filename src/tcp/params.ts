/**
 * What an owner of the engine may tune, with the adapter-wide names of NDIS_TCP_CONNECTION_OFFLOAD_PARAMETERS where the
 * interface has them. Times are ticks of 1 ms.
 */
export interface TcpParams {
  /** MSS that we announce over IPv4: MTU - 40. Over IPv6 it is 20 less. */
  readonly mss: number;
  /** Receive buffer, bytes (InitialRcvWnd). */
  readonly rcvBuffer: number;
  /** What it may be raised to while the connection lasts, 0 = no higher: the window scale is chosen for that. */
  readonly rcvBufferMax: number;
  readonly timestamps: boolean;
  readonly windowScaling: boolean;
  /** RFC 2018. */
  readonly sack: boolean;
  /** RFC 2883: report what came twice. */
  readonly dsack: boolean;
  /** RFC 3168: ask for it and accept it; accept it when the peer asks (Linux's default); neither. */
  readonly ecn: 'on' | 'passive' | 'off';
  /** RFC 9438, RFC 6582; 'none' for links of one's own where losses are not congestion: the peer's window is the only one. */
  readonly congestionControl: 'cubic' | 'newreno' | 'none';
  /** RFC 6928: segments of the initial window. */
  readonly initialWindowSegments: number;
  /** RFC 5681 4.1: the window restarts after an idle time of an RTO. */
  readonly slowStartAfterIdle: boolean;
  /** RFC 5682. */
  readonly frto: boolean;
  /** RFC 8985: time-based loss detection, and the tail loss probe. */
  readonly rack: boolean;
  readonly lossProbe: boolean;
  readonly nagle: boolean;
  readonly keepAlive: boolean;
  readonly kaTimeout: number;
  readonly kaInterval: number;
  readonly kaProbeMax: number;
  /** TcpAckFrequency: segments before an ACK must be sent (RFC 9293 SHLD-19: at least every second). */
  readonly ackFrequency: number;
  /** TcpDelayedAckTicks (RFC 9293 MUST-40: under 500 ms): the least time that an ACK is delayed, and the first. */
  readonly delayedAckTicks: number;
  /** The most that it is adapted to. */
  readonly delayedAckMaxTicks: number;
  /** Segments at most that are acknowledged at once, at the beginning and after an idle time; 0: none, nor when they are read. */
  readonly quickAcksMax: number;
  /** TcpMaximumRetransmissions, R2 of RFC 9293 3.8.3. */
  readonly retransmissionsMax: number;
  /** The same for a connection whose user has closed it, and is gone. */
  readonly orphanRetransmissionsMax: number;
  /** RFC 5482, TCP_USER_TIMEOUT: instead of that, how long the peer may leave something unanswered (MaxRT); 0: by count. */
  readonly userTimeoutTicks: number;
  /** The same for a SYN. */
  readonly synRetransmissionsMax: number;
  /** The same for a SYN,ACK. */
  readonly synAckRetransmissionsMax: number;
  /** RFC 7413: bits of TcpFastOpen (tcp/fast-open.ts), and the key of the cookies, four words or none. */
  readonly fastOpen: number;
  readonly fastOpenKey: readonly number[];
  /** RFC 4987: answer SYNs with cookies when the SYN queue of a listener is full, always, or never (drop them then). */
  readonly synCookies: 'auto' | 'always' | 'off';
  /** TcpDuplicateAckThreshold (RFC 5681 3.2). */
  readonly dupAckThreshold: number;
  readonly rtoMinTicks: number;
  readonly rtoMaxTicks: number;
  readonly rtoInitialTicks: number;
  /** Twice the MSL (RFC 9293 3.4.2). */
  readonly timeWaitTicks: number;
  readonly finWait2Ticks: number;
  readonly ttl: number;
  /** RFC 4821: search for the path MTU never, after a black hole was found, or always (tcp_mtu_probing). */
  readonly mtuProbing: 'off' | 'black-hole' | 'always';
  /** Payload that passes nearly everywhere: where the search begins (tcp_base_mss). */
  readonly mtuProbeBase: number;
  /** How long what the search has found holds (tcp_probe_interval). */
  readonly mtuProbeIntervalTicks: number;
  /** What a RST or SYN that may be forged leads to: RFC 5961, or the shipped interface's rules (tcp/blind-attack.ts). */
  readonly blindAttack: 'challenge' | 'shipped';
  /** RFC 5961 7: challenge ACKs a second, of all connections together. */
  readonly challengeAcksPerSecond: number;
  /** A connection answers what is not acceptable once in so long (Linux's tcp_invalid_ratelimit). */
  readonly invalidAckIntervalTicks: number;
  /** RFC 1337: in TIME-WAIT a RST is ignored. */
  readonly timeWaitIgnoresReset: boolean;
  /** An active open may take a pair of addresses out of TIME-WAIT, if the peer uses timestamps (tcp/time-wait.ts). */
  readonly timeWaitReuse: boolean;
}

export const DEFAULT_TCP_PARAMS: TcpParams = {
  mss: 1460,
  rcvBuffer: 262140,
  rcvBufferMax: 0,
  timestamps: true,
  windowScaling: true,
  sack: true,
  dsack: true,
  ecn: 'passive',
  congestionControl: 'cubic',
  initialWindowSegments: 10,
  slowStartAfterIdle: true,
  frto: true,
  rack: true,
  lossProbe: true,
  nagle: true,
  keepAlive: false,
  kaTimeout: 7_200_000,
  kaInterval: 75_000,
  kaProbeMax: 9,
  ackFrequency: 2,
  delayedAckTicks: 40,
  delayedAckMaxTicks: 200,
  quickAcksMax: 16,
  retransmissionsMax: 15,
  orphanRetransmissionsMax: 8,
  userTimeoutTicks: 0,
  // RFC 9293 MUST-23: R2 of a SYN is at least three minutes; 1 + 2 + … + 32 + 60 + 60 s.
  synRetransmissionsMax: 7,
  // A peer that does not answer is no user's: as Linux's tcp_synack_retries, 63 s.
  synAckRetransmissionsMax: 5,
  synCookies: 'auto',
  // TcpFastOpen.Client, as on Linux: whoever asks for it at connect gets it.
  fastOpen: 1,
  fastOpenKey: [],
  dupAckThreshold: 3,
  // DEVIATION RFC 6298 2.4: the minimum SHOULD be one second; Linux and gVisor use 200 ms, and so do we.
  rtoMinTicks: 200,
  rtoMaxTicks: 60_000,
  rtoInitialTicks: 1000,
  // DEVIATION RFC 9293 3.4.2: 2 MSL would be 240 s; 60 s is what Linux and gVisor wait.
  timeWaitTicks: 60_000,
  finWait2Ticks: 60_000,
  ttl: 64,
  // As in Linux: on a path that only loses much, smaller segments would make it worse.
  mtuProbing: 'off',
  mtuProbeBase: 1024,
  mtuProbeIntervalTicks: 600_000,
  blindAttack: 'challenge',
  challengeAcksPerSecond: 1000,
  invalidAckIntervalTicks: 500,
  timeWaitIgnoresReset: false,
  timeWaitReuse: true,
};
