/**
 * How a target behaves where the sources differ or leave it open, and how it judges connections: named options of a NIC.
 *
 * Defaults are the letter of the shipped interface, or what the seed says where that is silent. Everything is plain data:
 * it travels to the NIC's thread in its configuration.
 */
export interface TargetOptions {
  /** Digest §2.4: does a path of PARTIAL_SUCCESS make its neighbor PARTIAL_SUCCESS too? By the letter it does not. */
  readonly partialSuccess: 'immediate' | 'transitive';
  /** Digest §3.5: an invalidated object transmits nothing, or goes on until it is terminated. */
  readonly invalidate: 'strict' | 'lenient';
  /** Segments of a connection that the device has asked to be taken back: refused (the layer buffers), or kept (¶57). */
  readonly forwardWhileUploading: 'refuse' | 'buffer';
  /** RST and SYN that may be forged: challenged as the host does, or by the shipped rules with their five minutes (§4.5). */
  readonly blindAttack: 'challenge' | 'shipped';
  /** Digest §1.5: MAX_RT_RESTART also resets keep-alive as the text says, or KEEP_ALIVE_RESTART does as was meant (C08). */
  readonly restartFlags: 'as-meant' | 'as-written';
  /** R30: one pool for all, or so many buffers for each connection, set aside when it is offloaded (¶88). */
  readonly receivePool: 'global' | 'per-connection';
  readonly buffersPerConnection: number;
  /** TcpPushTicks: a partly filled receive in push mode is completed after so long. */
  readonly pushTicks: number;
  /** NceStaleTicks: how long proof of a neighbor's reachability counts (§3.9). */
  readonly nceStaleTicks: number;
  /** Extensions that the device advertises; a connection that uses another is refused (A21). */
  readonly supportsSack: boolean;
  readonly supportsTimestamps: boolean;
  readonly supportsEcn: boolean;
  /** A path of IPv6 is refused without it, and so is what depends on it. */
  readonly supportsIpv6: boolean;
  /** VIDs that the device knows; empty: any (§4.8). */
  readonly vlanIds: readonly number[];
  /** Source MAC addresses besides its own that a neighbor may ask for (DlSourceAddress). */
  readonly sourceMacEntries: number;
  /** When to ask for a connection back, for reasons that the host may ignore; 0 never asks. */
  readonly advice: UploadAdvice;
}

/** Thresholds of the optional upload reasons (digest §3.8). */
export interface UploadAdvice {
  /** LowActivity: ticks without a segment either way. */
  readonly lowActivityTicks: number;
  /** HighDropRate: retransmissions among the last hundred segments sent. */
  readonly highDropPercent: number;
  /** SmallIO: posted receives of fewer bytes, eight in a row. */
  readonly smallIoBytes: number;
  /** NoBufferPreposting: indications in a row that found no receive posted. */
  readonly indicationsWithoutPost: number;
  /** HighFragmentation: segments in a row that came forwarded by the host. */
  readonly forwardedSegments: number;
  /** HighOutOfOrderPackets: NET_BUFFERs in the out-of-order queue. */
  readonly outOfOrderBuffers: number;
}

export const NO_ADVICE: UploadAdvice = {
  lowActivityTicks: 0,
  highDropPercent: 0,
  smallIoBytes: 0,
  indicationsWithoutPost: 0,
  forwardedSegments: 0,
  outOfOrderBuffers: 0,
};

export const DEFAULT_TARGET_OPTIONS: TargetOptions = {
  partialSuccess: 'immediate',
  invalidate: 'strict',
  forwardWhileUploading: 'refuse',
  blindAttack: 'challenge',
  restartFlags: 'as-meant',
  receivePool: 'global',
  buffersPerConnection: 8,
  pushTicks: 500,
  nceStaleTicks: 30_000,
  supportsSack: true,
  supportsTimestamps: true,
  supportsEcn: true,
  supportsIpv6: true,
  vlanIds: [],
  sourceMacEntries: 0,
  advice: NO_ADVICE,
};
