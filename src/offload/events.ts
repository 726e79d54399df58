/**
 * What a device tells about offloaded objects: TCP_OFFLOAD_EVENT_TYPE and TCP_UPLOAD_REASON of a connection,
 * OFFLOAD_EVENT codes of a neighbor (NdisMOffloadEventIndicate), all with the header's numbers.
 *
 * Events go up in the order in which they happened, between the indications and completions of the same object.
 */
export const TcpOffloadEvent = {
  /** The preferred amount of outstanding send data changed. */
  IndicateSendBacklogChange: 1,
  /** FIN received, every byte before it delivered: the receiving half is closed. */
  IndicateDisconnect: 2,
  /** Please terminate the offload; argument: TcpUploadReason. */
  IndicateRetrieve: 3,
  /** An acceptable RST arrived. */
  IndicateAbort: 4,
} as const;
export type TcpOffloadEvent = (typeof TcpOffloadEvent)[keyof typeof TcpOffloadEvent];

export const TcpUploadReason = {
  LowActivity: 1,
  HighDropRate: 2,
  SmallIo: 3,
  NoBufferPreposting: 4,
  ReceivedUrgentData: 5,
  HighFragmentation: 6,
  HighOutOfOrderPackets: 7,
  TimeoutExpiration: 8,
  InvalidState: 9,
  UploadRequested: 10,
  HardwareFailure: 11,
} as const;
export type TcpUploadReason = (typeof TcpUploadReason)[keyof typeof TcpUploadReason];

/**
 * Digest §3.8: the host may ignore an optional reason, and the target then goes on working; for a mandatory one the target
 * has stopped, and every request until the terminate is answered UPLOAD_IN_PROGRESS.
 */
export function isMandatory(reason: number): boolean {
  return (
    reason === TcpUploadReason.ReceivedUrgentData ||
    (reason >= TcpUploadReason.TimeoutExpiration && reason <= TcpUploadReason.HardwareFailure)
  );
}

/** NdisMOffloadEventIndicate: what a device says of a neighbor (digest §3.8, §3.9). */
export const OffloadEventCode = {
  /** Reserved by the interface: nothing sends it. */
  NeighborReachabilityInDoubt: 1,
  /**
   * Is it still reachable? Argument: the device's NicReachabilityDelta. The host answers by updating the neighbor's
   * HostReachabilityDelta (the shipped call is synchronous and has it written into the block; across rings the answer is
   * an update).
   */
  NeighborReachabilityQuery: 2,
} as const;
export type OffloadEventCode = (typeof OffloadEventCode)[keyof typeof OffloadEventCode];

const reasonNames = new Map<number, string>(Object.entries(TcpUploadReason).map(([name, code]) => [code, name]));

export function uploadReasonName(reason: number): string {
  return reasonNames.get(reason) ?? `reason ${reason}`;
}
