/**
 * What a device tells about an offloaded connection: TCP_OFFLOAD_EVENT_TYPE and TCP_UPLOAD_REASON, header numbers.
 *
 * Events go up in the order in which they happened, between the indications and completions of the same connection.
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

const reasonNames = new Map<number, string>(Object.entries(TcpUploadReason).map(([name, code]) => [code, name]));

export function uploadReasonName(reason: number): string {
  return reasonNames.get(reason) ?? `reason ${reason}`;
}
